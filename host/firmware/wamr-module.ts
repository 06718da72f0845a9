// The parts of a module's binary form from which its need of memory under WAMR follows (WebAssembly core specification, 5.5).
import { FirmwareError } from './error.js';

/** Value types by their code (5.3); Any stands for what nobody knows after a branch. */
export const enum ValueType {
  Any = 0,
  F64 = 0x7c,
  F32 = 0x7d,
  I64 = 0x7e,
  I32 = 0x7f,
}

/** Cells of 4 octets that a value takes. */
export function cellCount(type: ValueType): number {
  return type === ValueType.I64 || type === ValueType.F64 ? 2 : 1;
}

export function cellsOf(types: readonly ValueType[]): number {
  return types.reduce((cells, type) => cells + cellCount(type), 0);
}

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface FunctionBody {
  readonly type: FunctionType;
  readonly locals: readonly ValueType[];
  readonly code: Uint8Array;
}

export interface ModuleParts {
  readonly types: readonly FunctionType[];
  /** Imported functions. */
  readonly imports: readonly FunctionType[];
  readonly bodies: readonly FunctionBody[];
  readonly globals: readonly ValueType[];
  /** Exported functions by name. */
  readonly exports: ReadonlyMap<string, number>;
  /** Of all kinds. */
  readonly exportCount: number;
  /** Names of imports and exports, each once. */
  readonly names: ReadonlySet<string>;
  readonly memoryCount: number;
  /** Octets of each data segment. */
  readonly dataBytes: readonly number[];
}

const enum Section {
  Type = 1,
  Import = 2,
  Function = 3,
  Memory = 5,
  Global = 6,
  Export = 7,
  Code = 10,
  Data = 11,
}

const PREAMBLE_BYTES = 8;
const FUNCTION_KIND = 0;
const END = 0x0b;
/** Octets after f32.const and f64.const; all others have a number in LEB128. */
const FLOAT_CONSTANTS: Readonly<Record<number, number>> = { 67: 4, 68: 8 };

/** Numbers in LEB128 (5.2.2), and what else a module is made of. */
export class LebReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  octet(): number {
    return this.bytes[this.at++]!;
  }

  /** The last octet is to be read again. */
  back(): void {
    this.at--;
  }

  unsigned(): number {
    return Number(this.number(false)) >>> 0;
  }

  signed(): number {
    return Number(this.signed64());
  }

  signed64(): bigint {
    return this.number(true);
  }

  take(bytes: number): Uint8Array {
    this.at += bytes;
    return this.bytes.subarray(this.at - bytes, this.at);
  }

  rest(): Uint8Array {
    return this.take(this.bytes.length - this.at);
  }

  raw(bytes: number): DataView {
    const { buffer, byteOffset, length } = this.take(bytes);
    return new DataView(buffer, byteOffset, length);
  }

  text(): string {
    return new TextDecoder().decode(this.take(this.unsigned()));
  }

  /** As many as a number says that comes first. */
  vector<T>(read: (reader: LebReader) => T): T[] {
    return Array.from({ length: this.unsigned() }, () => read(this));
  }

  private number(isSigned: boolean): bigint {
    let value = 0n;
    let bits = 0n;
    for (let octet = 0x80; (octet & 0x80) !== 0; bits += 7n) {
      octet = this.octet();
      value |= BigInt(octet & 0x7f) << bits;
    }
    return isSigned ? BigInt.asIntN(Number(bits), value) : value;
  }
}

/** Takes a linked module apart. Throws ERR_MODULE_FORMAT for what no module of ours has. */
export function takeApart(module: Uint8Array): ModuleParts {
  const sections = sectionsOf(module);
  const read = <T>(id: Section, item: (reader: LebReader) => T): T[] =>
    new LebReader(sections.get(id) ?? Uint8Array.of(0)).vector(item);
  const types = read(Section.Type, readFunctionType);
  const imports = read(Section.Import, readImport);
  const exports = read(Section.Export, readExport);
  const functions = read(Section.Function, (reader) => types[reader.unsigned()]!);
  let next = 0;
  return {
    types,
    imports: imports.map(({ type }) => types[type]!),
    bodies: read(Section.Code, (reader) => readBody(reader, functions[next++]!)),
    globals: read(Section.Global, readGlobal),
    exports: new Map(exports.flatMap(({ name, kind, index }) => (kind === FUNCTION_KIND ? [[name, index]] : []))),
    exportCount: exports.length,
    names: new Set([...imports.flatMap(({ names }) => names), ...exports.map(({ name }) => name)]),
    memoryCount: read(Section.Memory, readMemory).length,
    dataBytes: read(Section.Data, readDataBytes),
  };
}

function sectionsOf(module: Uint8Array): Map<number, Uint8Array> {
  const reader = new LebReader(module.subarray(PREAMBLE_BYTES));
  const sections = new Map<number, Uint8Array>();
  while (!reader.isAtEnd) {
    const id = reader.octet();
    sections.set(id, reader.take(reader.unsigned()));
  }
  return sections;
}

function readFunctionType(reader: LebReader): FunctionType {
  reader.octet(); // 0x60
  const types = (): ValueType[] => reader.vector((r) => r.octet() as ValueType);
  return { params: types(), results: types() };
}

/** `type`: the index of the function's. */
function readImport(reader: LebReader): { names: string[]; type: number } {
  const names = [reader.text(), reader.text()];
  if (reader.octet() !== FUNCTION_KIND)
    throw new FirmwareError('ERR_MODULE_FORMAT', `${names.join('.')} is no function`);
  return { names, type: reader.unsigned() };
}

function readMemory(reader: LebReader): void {
  const hasMaximum = reader.unsigned() & 1;
  reader.unsigned();
  if (hasMaximum) reader.unsigned();
}

/** Segments that are passive have no place, all others one that is a constant. */
function readDataBytes(reader: LebReader): number {
  const isPassive = reader.unsigned() === 1;
  if (!isPassive) readConstant(reader, 'a data segment');
  const bytes = reader.unsigned();
  reader.take(bytes);
  return bytes;
}

/** A body's locals come in runs of one type. */
function readBody(reader: LebReader, type: FunctionType): FunctionBody {
  const body = new LebReader(reader.take(reader.unsigned()));
  const runs = body.vector((r) => ({ count: r.unsigned(), type: r.octet() as ValueType }));
  const locals = runs.flatMap((run) => Array<ValueType>(run.count).fill(run.type));
  return { type, locals, code: body.rest() };
}

/** A global begins with a constant. */
function readGlobal(reader: LebReader): ValueType {
  const type = reader.octet() as ValueType;
  reader.octet(); // mutability
  readConstant(reader, 'a global');
  return type;
}

function readConstant(reader: LebReader, what: string): void {
  const floatBytes = FLOAT_CONSTANTS[reader.octet()];
  if (floatBytes === undefined) reader.signed64();
  else reader.take(floatBytes);
  if (reader.octet() !== END) throw new FirmwareError('ERR_MODULE_FORMAT', `${what} with more than a constant`);
}

function readExport(reader: LebReader): { name: string; kind: number; index: number } {
  return { name: reader.text(), kind: reader.octet(), index: reader.unsigned() };
}
