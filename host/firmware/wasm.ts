// The WebAssembly binary format, as far as modules of devices use it: every section taken apart, function bodies left as
// octets, along which code.ts and wamr-loader.ts go. What a device's runtime does not have is refused here by its name, not skipped.
import { FirmwareError } from './error.js';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64';

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export type ExternalKind = 'function' | 'table' | 'memory' | 'global' | 'tag';

export interface WasmImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
  /** Of functions. */
  readonly type?: FunctionType;
}

export interface WasmExport {
  readonly name: string;
  readonly kind: ExternalKind;
  readonly index: number;
}

export interface WasmGlobal {
  readonly type: ValueType;
  readonly mutable: boolean;
  /** Its initial value where that is an i32 constant. */
  readonly constant?: number;
}

export interface WasmFunction {
  /** Counted over the imports, too. */
  readonly index: number;
  readonly type: FunctionType;
  /** Besides the parameters. */
  readonly locals: readonly ValueType[];
  /** Instructions up to and with the last `end`. */
  readonly code: Uint8Array;
  /** Octets of its entry in the code section, its own size included. */
  readonly bytes: number;
}

export interface DataSegment {
  /** Where it is written to when the module is instantiated; undefined for a passive one, or where it is no constant. */
  readonly at?: number;
  readonly bytes: Uint8Array;
}

export interface WasmModule {
  readonly types: readonly FunctionType[];
  readonly imports: readonly WasmImport[];
  readonly exports: readonly WasmExport[];
  readonly functions: readonly WasmFunction[];
  readonly globals: readonly WasmGlobal[];
  /** Pages of each memory of its own. */
  readonly memories: readonly { readonly minPages: number; readonly maxPages?: number }[];
  /** Tables of its own. */
  readonly tables: number;
  readonly data: readonly DataSegment[];
  readonly hasStart: boolean;
  readonly customSections: readonly { readonly name: string; readonly bytes: number }[];
  /** What the section "name" calls functions, by index; empty in release builds. */
  readonly functionNames: ReadonlyMap<number, string>;
  readonly globalNames: ReadonlyMap<number, string>;
  /** Octets of each section with its head, by its name. */
  readonly sectionBytes: ReadonlyMap<string, number>;
}

/** Something that valid modules may have, and those of devices not. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
}

const PREAMBLE_BYTES = 8;
/** Section ids in the order of the core specification, 5.5.2. */
const SECTIONS = [
  'custom',
  'type',
  'import',
  'function',
  'table',
  'memory',
  'global',
  'export',
  'start',
  'element',
  'code',
  'data',
  'data count',
  'tag',
] as const;
const KINDS: readonly ExternalKind[] = ['function', 'table', 'memory', 'global', 'tag'];
const VALUE_TYPES: Readonly<Record<number, ValueType>> = { 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64' };
const FUNCTION_TYPE = 0x60;
const BLOCK_EMPTY = 0x40;
const I32_CONST = 0x41;
const END = 0x0b;
/** Flags of a memory's limits. */
const LIMITS_MAX = 1;
const LIMITS_KNOWN = 1;
/** Subsections of the section "name". */
const FUNCTION_NAMES = 1;
const GLOBAL_NAMES = 7;

/** Reads along octets that are known to be a valid module. */
export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  octet(): number {
    return this.bytes[this.at++]!;
  }

  /** LEB128 (5.2.2), up to 32 bits. */
  u32(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const octet = this.octet();
      value += (octet & 0x7f) * scale;
      if (octet < 0x80) return value;
    }
  }

  /** Signed LEB128, up to 64 bits. */
  signed(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const octet = this.octet();
      value |= BigInt(octet & 0x7f) << shift;
      if (octet < 0x80) return (octet & 0x40) === 0 ? value : value - (1n << (shift + 7n));
    }
  }

  take(count: number): Uint8Array {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }

  valueType(): ValueType {
    const code = this.octet();
    const type = VALUE_TYPES[code];
    if (type === undefined) throw new UnsupportedError(`a value of type 0x${code.toString(16)} (vector or reference)`);
    return type;
  }

  /** What a block leaves behind. */
  blockType(): readonly ValueType[] {
    const code = this.octet();
    if (code === BLOCK_EMPTY) return [];
    const type = VALUE_TYPES[code];
    if (type === undefined) throw new UnsupportedError('blocks with several values');
    return [type];
  }
}

/** Takes a module apart. Throws ERR_MODULE_FORMAT where V8 does not accept it, UnsupportedError where no device could. */
export function parseModule(bytes: Uint8Array): WasmModule {
  try {
    new WebAssembly.Module(bytes);
  } catch (error) {
    throw new FirmwareError('ERR_MODULE_FORMAT', `not a WebAssembly module: ${(error as Error).message}`);
  }
  return new Parser().parse(bytes);
}

class Parser {
  readonly types: FunctionType[] = [];
  readonly imports: WasmImport[] = [];
  exports: WasmExport[] = [];
  /** Types of the functions of its own, by index of type. */
  declared: number[] = [];
  functions: WasmFunction[] = [];
  globals: WasmGlobal[] = [];
  memories: { minPages: number; maxPages?: number }[] = [];
  tables = 0;
  data: DataSegment[] = [];
  hasStart = false;
  readonly customSections: { name: string; bytes: number }[] = [];
  readonly functionNames = new Map<number, string>();
  readonly globalNames = new Map<number, string>();
  readonly sectionBytes = new Map<string, number>();

  parse(bytes: Uint8Array): WasmModule {
    const reader = new Reader(bytes, PREAMBLE_BYTES);
    while (!reader.isAtEnd) {
      const from = reader.at;
      const id = reader.octet();
      const section = SECTIONS[id];
      if (section === undefined) throw new UnsupportedError(`a section of id ${id}`);
      const end = reader.u32() + reader.at;
      this.section(section, new Reader(bytes, reader.at, end));
      reader.at = end;
      this.sectionBytes.set(section, (this.sectionBytes.get(section) ?? 0) + end - from);
    }
    return this;
  }

  private section(section: (typeof SECTIONS)[number], r: Reader): void {
    if (section === 'custom') this.custom(r);
    else if (section === 'type') this.types.push(...r.list(() => functionType(r)));
    else if (section === 'import') r.list(() => this.imports.push(this.import(r)));
    else if (section === 'function') this.declared = r.list(() => r.u32());
    else if (section === 'table') this.tables = r.u32();
    else if (section === 'memory') this.memories = r.list(() => limits(r));
    else if (section === 'global') this.globals = r.list(() => global(r));
    else if (section === 'export') {
      this.exports = r.list(() => ({ name: r.name(), kind: KINDS[r.octet()]!, index: r.u32() }));
    } else if (section === 'start') this.hasStart = true;
    else if (section === 'code') this.functions = this.code(r);
    else if (section === 'data') this.data = r.list(() => dataSegment(r));
    else if (section === 'tag') throw new UnsupportedError('exceptions');
    // Elements fill tables, which are refused by themselves; the data count says what the data section says.
  }

  private import(r: Reader): WasmImport {
    const module = r.name();
    const name = r.name();
    const kind = KINDS[r.octet()]!;
    if (kind === 'function') return { module, name, kind, type: this.types[r.u32()]! };
    if (kind === 'memory') limits(r);
    else if (kind === 'global') {
      r.valueType();
      r.octet();
    } else if (kind === 'table') {
      r.octet();
      limits(r);
    } else throw new UnsupportedError('exceptions');
    return { module, name, kind };
  }

  private code(r: Reader): WasmFunction[] {
    const imported = this.imports.filter((i) => i.kind === 'function').length;
    let index = imported;
    return r.list(() => {
      const from = r.at;
      const end = r.u32() + r.at;
      const locals = r.list(() => ({ count: r.u32(), type: r.valueType() }));
      const code = r.take(end - r.at);
      const type = this.types[this.declared[index - imported]!]!;
      return {
        index: index++,
        type,
        locals: locals.flatMap(({ count, type }) => new Array<ValueType>(count).fill(type)),
        code,
        bytes: end - from,
      };
    });
  }

  private custom(r: Reader): void {
    const bytes = r.end - r.at;
    const name = r.name();
    this.customSections.push({ name, bytes });
    if (name !== 'name') return;
    while (!r.isAtEnd) {
      const id = r.octet();
      const end = r.u32() + r.at;
      const names = id === FUNCTION_NAMES ? this.functionNames : id === GLOBAL_NAMES ? this.globalNames : undefined;
      if (names !== undefined) r.list(() => names.set(r.u32(), r.name()));
      r.at = end;
    }
  }
}

function functionType(r: Reader): FunctionType {
  if (r.octet() !== FUNCTION_TYPE) throw new UnsupportedError('types of a garbage collector');
  const type = { params: r.list(() => r.valueType()), results: r.list(() => r.valueType()) };
  if (type.results.length > 1) throw new UnsupportedError('functions with several results');
  return type;
}

function limits(r: Reader): { minPages: number; maxPages?: number } {
  const flags = r.octet();
  if ((flags & ~LIMITS_KNOWN) !== 0) throw new UnsupportedError('a memory that is shared, or of 64 bits');
  const minPages = r.u32();
  return (flags & LIMITS_MAX) === 0 ? { minPages } : { minPages, maxPages: r.u32() };
}

function global(r: Reader): WasmGlobal {
  const type = r.valueType();
  const mutable = r.octet() === 1;
  const constant = constantExpression(r);
  return constant === undefined ? { type, mutable } : { type, mutable, constant };
}

/** A constant expression; its value where it is one i32.const, unsigned. */
function constantExpression(r: Reader): number | undefined {
  const opcode = r.octet();
  let value: number | undefined;
  if (opcode === I32_CONST) value = Number(BigInt.asUintN(32, r.signed()));
  else if (opcode === 0x42) r.signed();
  else if (opcode === 0x43) r.take(4);
  else if (opcode === 0x44) r.take(8);
  else throw new UnsupportedError('an initial value that is no constant');
  if (r.octet() !== END) throw new UnsupportedError('an initial value that is computed');
  return value;
}

function dataSegment(r: Reader): DataSegment {
  const flags = r.u32();
  if (flags === 1) return { bytes: r.take(r.u32()) };
  if (flags === 2) r.u32(); // the memory's index: there is one
  const at = constantExpression(r);
  const bytes = r.take(r.u32());
  return at === undefined ? { bytes } : { at, bytes };
}

/** The module without its sections of names and notes, octet by octet the same otherwise. `keep`: names of those to keep. */
export function withoutCustomSections(bytes: Uint8Array, keep: readonly string[] = []): Uint8Array {
  const parts = [bytes.subarray(0, PREAMBLE_BYTES)];
  const r = new Reader(bytes, PREAMBLE_BYTES);
  while (!r.isAtEnd) {
    const from = r.at;
    const id = r.octet();
    const end = r.u32() + r.at;
    if (id !== 0 || keep.includes(r.name())) parts.push(bytes.subarray(from, end));
    r.at = end;
  }
  return Uint8Array.from(Buffer.concat(parts));
}
