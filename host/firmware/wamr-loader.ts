// What WAMR's fast interpreter makes of one function when it loads it: how large its frame on the operand stack is, and how
// many octets its translated code takes. WAMR tells neither before the module runs, and a board without a large stack must
// know both; so this retraces the loader, WAMR 2.4.3, core/iwasm/interpreter/wasm_loader.c, wasm_loader_prepare_bytecode.
//
// The loader walks through the code twice. Constants and locals are never pushed: their place stands for them. Results get
// cells of their own, one after the other ("dynamic space"); a local that is overwritten while an older value of it is still
// wanted is copied to a further cell ("preserved"), of which the second walk hands out one at each such place. The odd rules
// on when a cell is free again are WAMR's; a frame is as large as they make it.
import { FirmwareError } from './error.js';
import { type FunctionBody, type FunctionType, LebReader, ValueType } from './wamr-module.js';

/** How a build of WAMR writes its translated code. */
export interface WamrTarget {
  readonly pointerBytes: 4 | 8;
  /** An opcode: the address of its handler, or an offset from the first one. */
  readonly labelBytes: number;
  /** An octet, or two where the core cannot read at odd addresses. */
  readonly octetBytes: number;
}

/** Microcontrollers of 32 bits, as WAMR is built for them: Cortex-M, RISC-V, Xtensa. */
export const WAMR_32_BIT: WamrTarget = { pointerBytes: 4, labelBytes: 4, octetBytes: 2 };
/** x86-64 and AArch64. */
export const WAMR_64_BIT: WamrTarget = { pointerBytes: 8, labelBytes: 8, octetBytes: 1 };

export interface WamrFrame {
  /** Cells of 4 octets. */
  readonly constCells: number;
  readonly paramCells: number;
  readonly localCells: number;
  readonly stackCells: number;
  /** Octets of translated code. */
  readonly codeBytes: number;
  /** Functions that it calls, by index. */
  readonly callees: readonly number[];
}

/** Types of the module that function bodies speak of. */
export interface LoaderContext {
  /** Of each function, imports first. */
  readonly functions: readonly FunctionType[];
  readonly globals: readonly ValueType[];
}

export function cellsOf(types: readonly ValueType[]): number {
  return types.reduce((cells, type) => cells + cellCount(type), 0);
}

/** Retraces the loading of one function. Throws ERR_MODULE_FORMAT for what no module of ours has, such as SIMD. */
export function loadFunction(context: LoaderContext, body: FunctionBody, target: WamrTarget): WamrFrame {
  const first = new Walk(context, body, target, undefined);
  first.run();
  const second = new Walk(context, body, target, first.cellMax);
  second.run();
  const paramCells = cellsOf(body.type.params);
  const localCells = cellsOf(body.locals);
  return {
    constCells: first.constCells,
    paramCells,
    localCells,
    stackCells: second.preservedNext - (paramCells + localCells) + 1,
    codeBytes: first.codePeakBytes,
    callees: [...first.callees],
  };
}

/** A value's place while a constant stands for it: any below 0 will do. */
const CONSTANT = -1;
/** Where preserved locals go in the first walk, which does not count them. */
const PRESERVED = 0x7fff;
/** Locals beyond are addressed in a longer form. */
const NEAR_LOCALS = 256;
const INT16_BYTES = 2;
const INT32_BYTES = 4;

type BlockKind = 'function' | 'block' | 'loop' | 'if';

interface Block {
  readonly kind: BlockKind;
  readonly results: readonly ValueType[];
  /** Cells on the type stack, and the next cell of dynamic space, where the block begins. */
  readonly height: number;
  readonly cell: number;
  hasElse: boolean;
  isUnreachable: boolean;
}

function cellCount(type: ValueType): number {
  return type === ValueType.I64 || type === ValueType.F64 ? 2 : 1;
}

/** One of the loader's two walks through a function. Names in brackets are the loader's. */
class Walk {
  /** The greatest cell of dynamic space, and one [max_dynamic_offset]. */
  cellMax: number;
  /** The next cell for a preserved local [preserved_local_offset]. */
  preservedNext: number;
  codePeakBytes = 0;
  readonly callees = new Set<number>();
  private codeBytes = 0;
  /** The next cell of dynamic space [dynamic_offset]. */
  private cellNext: number;
  private readonly cellFirst: number;
  /** A type for each cell [frame_ref, stack_cell_num]. */
  private types: ValueType[] = [];
  /** The place of each cell's value [frame_offset]; what lies above `placeCount` is not cleared. */
  private readonly places: number[] = [];
  private placeCount = 0;
  private readonly blocks: Block[] = [];
  private readonly words = new Set<number>();
  private readonly longs = new Set<string>();
  private readonly localTypes: readonly ValueType[];
  private readonly localPlaces: number[] = [];
  private readonly reader: LebReader;
  private opcodeBefore = 0;

  constructor(
    private readonly context: LoaderContext,
    private readonly body: FunctionBody,
    private readonly target: WamrTarget,
    preservedFirst: number | undefined,
  ) {
    this.localTypes = [...body.type.params, ...body.locals];
    let place = 0;
    for (const type of this.localTypes) {
      this.localPlaces.push(place);
      place += cellCount(type);
    }
    this.cellFirst = this.cellNext = place;
    this.cellMax = preservedFirst ?? place;
    this.isSecond = preservedFirst !== undefined;
    this.preservedNext = preservedFirst ?? PRESERVED;
    this.reader = new LebReader(body.code);
  }

  private readonly isSecond: boolean;

  get constCells(): number {
    return this.words.size + 2 * this.longs.size;
  }

  run(): void {
    this.openBlock('function', this.body.type.results);
    while (!this.reader.isAtEnd) {
      let opcode = this.reader.octet();
      this.label();
      if (opcode === OP.end && this.block.kind === 'if' && !this.block.hasElse) {
        // An else that is not written: the end comes again after it.
        this.checkBlockEnd();
        opcode = OP.else;
        this.reader.back();
        this.dropLabel();
        this.label();
      }
      this.step(opcode);
      this.opcodeBefore = opcode;
    }
  }

  private step(opcode: number): void {
    const control = CONTROL[opcode];
    if (control !== undefined) {
      control(this);
      return;
    }
    const numeric = NUMERIC[opcode];
    if (numeric === undefined) throw unsupported(`opcode 0x${opcode.toString(16)}`);
    if (opcode >= OP.i32Load && opcode <= OP.i64Store32) {
      this.reader.unsigned(); // alignment
      this.reader.unsigned(); // offset
      this.emit(INT32_BYTES);
    }
    this.operate(numeric);
  }

  /** Takes operands and gives results. */
  private operate({ takes, gives }: Operation): void {
    for (const type of takes) this.pop(type);
    if (gives !== undefined) this.push(gives);
  }

  // The code.

  private emit(bytes: number): void {
    this.codeBytes += bytes;
    this.codePeakBytes = Math.max(this.codePeakBytes, this.codeBytes);
  }

  private label(): void {
    this.emit(this.target.labelBytes);
  }

  private dropLabel(): void {
    this.codeBytes -= this.target.labelBytes;
  }

  // The stack: of types, and of places.

  private get block(): Block {
    return this.blocks.at(-1)!;
  }

  private get available(): number {
    return this.types.length - this.block.height;
  }

  private pushType(type: ValueType): void {
    for (let i = 0; i < cellCount(type); i++) this.types.push(type);
  }

  private popType(type: ValueType): void {
    if (this.available <= 0) return; // what follows a branch takes anything
    this.types.length -= this.types.at(-1) === ValueType.Any ? 1 : cellCount(type);
  }

  /** A place of its own in dynamic space, written down; or, with `place`, the one where the value is already. */
  private pushPlace(type: ValueType, place?: number): void {
    const cells = cellCount(type);
    if (place === undefined) this.emit(INT16_BYTES);
    this.places[this.placeCount] = place ?? this.cellNext;
    this.placeCount += cells;
    if (place !== undefined) return;
    this.cellNext += cells;
    this.cellMax = Math.max(this.cellMax, this.cellNext);
  }

  private popPlace(type: ValueType, block = this.block): void {
    const available = this.types.length - block.height;
    if (available <= 0 && block.isUnreachable) return;
    const cells = available > 0 && this.types.at(-1) === ValueType.Any ? 1 : cellCount(type);
    if (this.placeCount < cells) return;
    this.placeCount -= cells;
    if (this.cellNext >= cells && this.isFreed(this.places[this.placeCount]!)) this.cellNext -= cells;
    this.emit(INT16_BYTES);
  }

  /** Whether dynamic space shrinks with a value that was there: not where it was the first cell. */
  private isFreed(place: number): boolean {
    return place > this.cellFirst && place < this.cellMax;
  }

  private push(type: ValueType, place?: number): void {
    this.pushPlace(type, place);
    this.pushType(type);
  }

  private pop(type: ValueType): void {
    this.popPlace(type);
    this.popType(type);
  }

  // Blocks.

  private openBlock(kind: BlockKind, results: readonly ValueType[]): void {
    this.blocks.push({
      kind,
      results,
      height: this.types.length,
      cell: this.cellNext,
      hasElse: false,
      isUnreachable: false,
    });
  }

  /** [RESET_STACK] */
  private cutStack(): void {
    this.types.length = this.block.height;
    this.placeCount = this.block.height;
  }

  private unreachable(): void {
    this.cutStack();
    this.block.isUnreachable = true;
  }

  /** After a branch the results are taken to be there [check_block_stack, wasm_loader_check_br]. */
  private supply(results: readonly ValueType[]): void {
    if (!this.block.isUnreachable) return;
    for (const type of results.toReversed()) this.pop(type);
    for (const type of results) this.push(type, 0);
  }

  private checkBlockEnd(): void {
    this.supply(this.block.results);
  }

  /** Copies a block's result to where the block's results are expected [reserve_block_ret]. */
  private placeResults(block: Block, isElse: boolean): void {
    if (block.results.length === 0) return;
    if (block.results.length > 1) throw unsupported('a block with several results');
    const type = block.results[0]!;
    const at = this.placeCount - cellCount(type);
    if (this.places[at] === block.cell) return;
    if (isElse) this.dropLabel();
    this.label();
    this.emit(2 * INT16_BYTES);
    if (isElse) {
      this.places[at] = block.cell;
      this.label();
      return;
    }
    this.placeCount = at;
    this.cellNext = block.cell;
    this.pushPlace(type);
    this.codeBytes -= INT16_BYTES;
  }

  private readBlockType(): ValueType[] {
    const type = this.reader.signed();
    if (type >= 0) throw unsupported('a block with a type of its own');
    const value = type & 0x7f;
    return value === BLOCK_WITHOUT_RESULT ? [] : [value as ValueType];
  }

  /** [emit_br_info] for a block that is left or a loop that is repeated. */
  private branchTo(depth: number, isAlways: boolean): void {
    const block = this.blocks.at(-1 - depth)!;
    const results = block.kind === 'loop' ? [] : block.results;
    this.supply(results);
    this.emit(INT32_BYTES);
    if (results.length > 0) {
      this.emit(INT32_BYTES + results.length * (this.target.octetBytes + 2 * INT16_BYTES));
      if (isAlways) this.cellNext = block.cell + cellsOf(results);
    }
    this.emit(this.target.pointerBytes);
  }

  /** Copies the old value of a local that is about to be written, where it is still wanted [preserve_referenced_local]. */
  private preserve(place: number, type: ValueType): boolean {
    let isPreserved = false;
    let copy = PRESERVED;
    for (let i = 0; i < this.types.length; i += cellCount(this.types[i]!)) {
      if (this.places[i] !== place) continue;
      if (!isPreserved) {
        isPreserved = true;
        this.dropLabel();
        copy = this.preservedNext;
        if (this.isSecond) this.preservedNext += cellCount(type);
        this.label();
        this.emit(2 * INT16_BYTES);
        this.label();
      }
      this.places[i] = copy;
    }
    return isPreserved;
  }

  private preserveAll(): void {
    for (let i = 0; i < this.types.length; i += cellCount(this.types[i]!)) {
      const place = this.places[i]!;
      if (place >= 0 && place < this.cellFirst) this.preserve(place, this.types[i]!);
    }
  }

  // Instructions that are more than operands and a result.

  enter(kind: BlockKind): void {
    this.preserveAll();
    if (kind === 'if') this.pop(ValueType.I32);
    this.openBlock(kind, this.readBlockType());
    if (kind === 'if') this.emit(2 * this.target.pointerBytes);
    else this.dropLabel();
  }

  otherwise(): void {
    const { block } = this;
    this.checkBlockEnd();
    block.hasElse = true;
    this.placeResults(block, true);
    this.emit(this.target.pointerBytes);
    this.cutStack();
    block.isUnreachable = false;
    this.cellNext = block.cell;
  }

  end(): void {
    const { block } = this;
    this.checkBlockEnd();
    this.dropLabel();
    this.blocks.pop();
    this.placeResults(block, false);
    if (this.blocks.length > 0) return;
    this.label();
    for (const type of block.results.toReversed()) this.popPlace(type, block);
  }

  branch(): void {
    this.branchTo(this.reader.unsigned(), true);
    this.unreachable();
  }

  branchIf(): void {
    this.pop(ValueType.I32);
    this.branchTo(this.reader.unsigned(), false);
  }

  branchTable(): void {
    const count = this.reader.unsigned();
    this.emit(INT32_BYTES);
    this.pop(ValueType.I32);
    for (let i = 0; i <= count; i++) {
      const types = [...this.types];
      const { placeCount } = this;
      const places = this.places.slice(0, placeCount);
      this.branchTo(this.reader.unsigned(), false);
      this.types = types;
      for (let at = 0; at < placeCount; at++) this.places[at] = places[at]!;
      this.placeCount = placeCount;
    }
    this.unreachable();
  }

  leave(): void {
    for (const type of this.body.type.results.toReversed()) this.pop(type);
    this.unreachable();
  }

  trap(): void {
    this.unreachable();
  }

  call(): void {
    this.emit(INT32_BYTES);
    const callee = this.reader.unsigned();
    this.callees.add(callee);
    const type = this.context.functions[callee]!;
    for (const param of type.params.toReversed()) this.pop(param);
    for (const result of type.results) this.push(result);
  }

  drop(): void {
    this.dropLabel();
    if (this.available <= 0) return;
    const cells = cellCount(this.types.at(-1)!);
    this.types.length -= cells;
    this.placeCount -= cells;
    if (this.isFreed(this.places[this.placeCount]!)) this.cellNext -= cells;
  }

  select(): void {
    this.pop(ValueType.I32);
    const type = this.available > 0 ? this.types.at(-1)! : ValueType.Any;
    if (this.available > 0) {
      this.pop(type);
      this.pop(type);
    }
    this.push(type);
  }

  getLocal(): void {
    const index = this.reader.unsigned();
    this.dropLabel();
    this.push(this.localTypes[index]!, this.localPlaces[index]!);
  }

  setLocal(): void {
    const index = this.reader.unsigned();
    const type = this.localTypes[index]!;
    const isPreserved = this.preserve(this.localPlaces[index]!, type);
    if (this.localPlaces[index]! >= NEAR_LOCALS) {
      this.emit(INT32_BYTES);
      this.popPlace(type);
    } else {
      this.dropLabel();
      const cells = isPreserved ? 0 : directCells(this.opcodeBefore);
      if (cells > 0) {
        // The instruction before writes into the local by itself.
        this.placeCount -= cells;
        this.cellNext -= cells;
      } else {
        this.label();
        this.emit(this.target.octetBytes);
        this.popPlace(type);
      }
    }
    this.popType(type);
  }

  teeLocal(): void {
    const index = this.reader.unsigned();
    const type = this.localTypes[index]!;
    if (this.block.isUnreachable) {
      this.popPlace(type);
      this.pushPlace(type);
    }
    this.popType(type);
    this.pushType(type);
    this.preserve(this.localPlaces[index]!, type);
    this.emit(this.localPlaces[index]! < NEAR_LOCALS ? this.target.octetBytes : INT32_BYTES);
    this.emit(INT16_BYTES);
  }

  getGlobal(): void {
    const type = this.context.globals[this.reader.unsigned()]!;
    this.pushType(type);
    this.emit(INT32_BYTES);
    this.pushPlace(type);
  }

  setGlobal(): void {
    const type = this.context.globals[this.reader.unsigned()]!;
    this.emit(INT32_BYTES);
    this.pop(type);
  }

  constant(type: ValueType): void {
    this.dropLabel();
    if (type === ValueType.I32) this.words.add(this.reader.signed());
    else if (type === ValueType.F32) this.words.add(this.reader.raw(INT32_BYTES).getInt32(0, true));
    else if (type === ValueType.I64) this.longs.add(`${this.reader.signed64()}`);
    else this.longs.add(`${this.reader.raw(2 * INT32_BYTES).getBigInt64(0, true)}`);
    this.push(type, CONSTANT);
  }

  memorySize(takes: boolean): void {
    this.reader.unsigned();
    if (takes) this.pop(ValueType.I32);
    this.push(ValueType.I32);
  }

  nothing(): void {
    this.dropLabel();
  }

  prefixed(): void {
    const opcode = this.reader.unsigned();
    this.emit(this.target.octetBytes);
    const operation = MISCELLANEOUS[opcode];
    if (operation === undefined) throw unsupported(`opcode 0xfc ${opcode}`);
    for (let i = 0; i < operation.immediates; i++) this.reader.unsigned();
    this.emit(operation.emits * INT32_BYTES);
    this.operate(operation);
  }
}

const BLOCK_WITHOUT_RESULT = 0x40;

function unsupported(what: string): FirmwareError {
  return new FirmwareError('ERR_MODULE_FORMAT', `not a module that WAMR's need of memory is known for: ${what}`);
}

/** Opcodes by name where code asks for them (WebAssembly core specification, 5.4). */
const OP = { else: 0x05, end: 0x0b, i32Load: 0x28, i64Store32: 0x3e } as const;

type Control = (walk: Walk) => void;

const CONTROL: Readonly<Record<number, Control>> = {
  0: (walk) => walk.trap(),
  1: (walk) => walk.nothing(),
  2: (walk) => walk.enter('block'),
  3: (walk) => walk.enter('loop'),
  4: (walk) => walk.enter('if'),
  5: (walk) => walk.otherwise(),
  11: (walk) => walk.end(),
  12: (walk) => walk.branch(),
  13: (walk) => walk.branchIf(),
  14: (walk) => walk.branchTable(),
  15: (walk) => walk.leave(),
  16: (walk) => walk.call(),
  26: (walk) => walk.drop(),
  27: (walk) => walk.select(),
  32: (walk) => walk.getLocal(),
  33: (walk) => walk.setLocal(),
  34: (walk) => walk.teeLocal(),
  35: (walk) => walk.getGlobal(),
  36: (walk) => walk.setGlobal(),
  63: (walk) => walk.memorySize(false),
  64: (walk) => walk.memorySize(true),
  65: (walk) => walk.constant(ValueType.I32),
  66: (walk) => walk.constant(ValueType.I64),
  67: (walk) => walk.constant(ValueType.F32),
  68: (walk) => walk.constant(ValueType.F64),
  252: (walk) => walk.prefixed(),
};

interface Operation {
  readonly takes: readonly ValueType[];
  readonly gives?: ValueType;
}

const TYPE_OF = { i: ValueType.I32, I: ValueType.I64, f: ValueType.F32, F: ValueType.F64 } as const;

/** `iI:f` takes an i32 and an i64, the last one first, and gives an f32; capitals are 64 bits, f and F floating point. */
function operation(signature: string): Operation {
  const [takes = '', gives = ''] = signature.split(':');
  const types = (letters: string): ValueType[] => [...letters].map((letter) => TYPE_OF[letter as keyof typeof TYPE_OF]);
  return { takes: types(takes).toReversed(), ...(gives !== '' && { gives: types(gives)[0]! }) };
}

/** From, to (inclusive), signature. */
const NUMERIC_RANGES: readonly (readonly [number, number, string])[] = [
  [0x28, 0x28, 'i:i'],
  [0x29, 0x29, 'i:I'],
  [0x2a, 0x2a, 'i:f'],
  [0x2b, 0x2b, 'i:F'],
  [0x2c, 0x2f, 'i:i'],
  [0x30, 0x35, 'i:I'],
  [0x36, 0x36, 'ii'],
  [0x37, 0x37, 'iI'],
  [0x38, 0x38, 'if'],
  [0x39, 0x39, 'iF'],
  [0x3a, 0x3b, 'ii'],
  [0x3c, 0x3e, 'iI'],
  [0x45, 0x45, 'i:i'],
  [0x46, 0x4f, 'ii:i'],
  [0x50, 0x50, 'I:i'],
  [0x51, 0x5a, 'II:i'],
  [0x5b, 0x60, 'ff:i'],
  [0x61, 0x66, 'FF:i'],
  [0x67, 0x69, 'i:i'],
  [0x6a, 0x78, 'ii:i'],
  [0x79, 0x7b, 'I:I'],
  [0x7c, 0x8a, 'II:I'],
  [0x8b, 0x91, 'f:f'],
  [0x92, 0x98, 'ff:f'],
  [0x99, 0x9f, 'F:F'],
  [0xa0, 0xa6, 'FF:F'],
  [0xa7, 0xa7, 'I:i'],
  [0xa8, 0xa9, 'f:i'],
  [0xaa, 0xab, 'F:i'],
  [0xac, 0xad, 'i:I'],
  [0xae, 0xaf, 'f:I'],
  [0xb0, 0xb1, 'F:I'],
  [0xb2, 0xb3, 'i:f'],
  [0xb4, 0xb5, 'I:f'],
  [0xb6, 0xb6, 'F:f'],
  [0xb7, 0xb8, 'i:F'],
  [0xb9, 0xba, 'I:F'],
  [0xbb, 0xbb, 'f:F'],
  [0xbc, 0xbc, 'f:i'],
  [0xbd, 0xbd, 'F:I'],
  [0xbe, 0xbe, 'i:f'],
  [0xbf, 0xbf, 'I:F'],
  [0xc0, 0xc1, 'i:i'],
  [0xc2, 0xc4, 'I:I'],
];

const NUMERIC: Readonly<Record<number, Operation>> = Object.fromEntries(
  NUMERIC_RANGES.flatMap(([from, to, signature]) =>
    Array.from({ length: to - from + 1 }, (_, i) => [from + i, operation(signature)]),
  ),
);

interface PrefixedOperation extends Operation {
  /** Numbers in the module, and numbers in the translated code. */
  readonly immediates: number;
  readonly emits: number;
}

const prefixed = (signature: string, immediates = 0, emits = 0): PrefixedOperation => ({
  ...operation(signature),
  immediates,
  emits,
});

/** After 0xfc: conversions that saturate, memory.init, data.drop, memory.copy, memory.fill. */
const MISCELLANEOUS: Readonly<Record<number, PrefixedOperation>> = {
  0: prefixed('f:i'),
  1: prefixed('f:i'),
  2: prefixed('F:i'),
  3: prefixed('F:i'),
  4: prefixed('f:I'),
  5: prefixed('f:I'),
  6: prefixed('F:I'),
  7: prefixed('F:I'),
  8: prefixed('iii', 2, 1),
  9: prefixed('', 1, 1),
  10: prefixed('iii', 2),
  11: prefixed('iii', 1),
};

/** Opcodes after which local.set costs nothing, and the cells of their result [LAST_OP_OUTPUT_I32, LAST_OP_OUTPUT_I64]. */
const DIRECT_32 = [
  [0x45, 0x78],
  [0x28, 0x28],
  [0x2a, 0x2a],
  [0x2c, 0x2f],
  [0x8b, 0x98],
  [0xa7, 0xab],
  [0xb2, 0xb6],
  [0xbc, 0xbc],
  [0xbe, 0xbe],
] as const;
const DIRECT_64 = [
  [0x79, 0x8a],
  [0x99, 0xa6],
  [0x29, 0x29],
  [0x2b, 0x2b],
  [0x30, 0x35],
  [0xac, 0xb1],
  [0xb7, 0xbb],
  [0xbd, 0xbd],
  [0xbf, 0xbf],
] as const;

/** 0 where local.set takes an instruction of its own. */
function directCells(opcode: number): number {
  const isIn = (ranges: readonly (readonly [number, number])[]): boolean =>
    ranges.some(([from, to]) => opcode >= from && opcode <= to);
  return isIn(DIRECT_32) ? 1 : isIn(DIRECT_64) ? 2 : 0;
}
