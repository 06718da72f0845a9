// What WAMR's fast interpreter makes of one function when it loads it: how large its frame on the operand stack is, and how
// many octets its translated code takes. WAMR tells neither before the module runs, and a board without a large stack must
// know both; so this retraces the loader, WAMR 2.4.3, core/iwasm/interpreter/wasm_loader.c, wasm_loader_prepare_bytecode.
//
// The loader walks through the code twice. Constants and locals are never pushed: their place stands for them. Results get
// cells of their own, one after the other ("dynamic space"); a local that is overwritten while an older value of it is still
// wanted is copied to a further cell ("preserved"), of which the second walk hands out one at each such place. The odd rules
// on when a cell is free again are WAMR's; a frame is as large as they make it.
import { EXTENDED_OPERATIONS, OPERATIONS, type Operation } from './operations.js';
import { CONTROL } from './wamr-control.js';
import { directCells } from './wamr-operations.js';
import { CodeCounter, type WamrTarget } from './wamr-target.js';
import { type FunctionType, Reader, UnsupportedError, type ValueType, type WasmFunction } from './wasm.js';

/** What lies on the stack; `any` is what nobody knows after a branch. */
type CellType = ValueType | 'any';

/** Cells of 4 octets that a value takes. */
function cellCount(type: CellType): number {
  return type === 'i64' || type === 'f64' ? 2 : 1;
}

export function cellsOf(types: readonly ValueType[]): number {
  return types.reduce((cells, type) => cells + cellCount(type), 0);
}

export interface WamrFrame {
  /** Cells of 4 octets. */
  readonly constCells: number;
  readonly paramCells: number;
  readonly localCells: number;
  readonly stackCells: number;
  /** Octets of translated code. */
  readonly codeBytes: number;
}

/** Types of the module that function bodies speak of. */
export interface LoaderContext {
  /** Of each function, imports first. */
  readonly functions: readonly FunctionType[];
  readonly globals: readonly ValueType[];
}

/** Retraces the loading of one function. Throws UnsupportedError for what no module of ours has, such as SIMD. */
export function loadFunction(context: LoaderContext, body: WasmFunction, target: WamrTarget): WamrFrame {
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
    codeBytes: first.code.peakBytes,
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

/** One of the loader's two walks through a function. Names in brackets are the loader's. */
export class Walk {
  /** The greatest cell of dynamic space, and one [max_dynamic_offset]. */
  cellMax: number;
  /** The next cell for a preserved local [preserved_local_offset]. */
  preservedNext: number;
  readonly code: CodeCounter;
  /** The next cell of dynamic space [dynamic_offset]. */
  private cellNext: number;
  private readonly cellFirst: number;
  /** A type for each cell [frame_ref, stack_cell_num]. */
  private types: CellType[] = [];
  /** The place of each cell's value [frame_offset]; what lies above `placeCount` is not cleared. */
  private readonly places: number[] = [];
  private placeCount = 0;
  private readonly blocks: Block[] = [];
  private readonly words = new Set<bigint>();
  private readonly longs = new Set<bigint>();
  private readonly localTypes: readonly ValueType[];
  private readonly localPlaces: number[] = [];
  private readonly reader: Reader;
  private opcodeBefore = 0;

  constructor(
    private readonly context: LoaderContext,
    private readonly body: WasmFunction,
    private readonly target: WamrTarget,
    preservedFirst: number | undefined,
  ) {
    this.code = new CodeCounter(target);
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
    this.reader = new Reader(body.code);
  }

  private readonly isSecond: boolean;

  get constCells(): number {
    return this.words.size + 2 * this.longs.size;
  }

  run(): void {
    this.openBlock('function', this.body.type.results);
    while (!this.reader.isAtEnd) {
      let opcode = this.reader.octet();
      this.code.label();
      if (opcode === OP.end && this.block.kind === 'if' && !this.block.hasElse) {
        // An else that is not written: the end comes again after it.
        this.supply(this.block.results);
        opcode = OP.else;
        this.reader.at--;
        this.code.dropLabel();
        this.code.label();
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
    const operation = OPERATIONS[opcode];
    if (operation === undefined) throw new UnsupportedError(`instruction 0x${opcode.toString(16)}`);
    if (opcode >= OP.i32Load && opcode <= OP.i64Store32) {
      this.reader.u32(); // alignment
      this.reader.u32(); // offset
      this.code.emit(INT32_BYTES);
    }
    this.operate(operation);
  }

  /** Takes operands and gives results. */
  private operate({ takes, gives }: Operation): void {
    for (const type of takes) this.pop(type);
    if (gives !== undefined) this.push(gives);
  }

  // The stack: of types, and of places.

  private get block(): Block {
    return this.blocks.at(-1)!;
  }

  private get available(): number {
    return this.types.length - this.block.height;
  }

  private pushType(type: CellType): void {
    for (let i = 0; i < cellCount(type); i++) this.types.push(type);
  }

  private popType(type: CellType): void {
    if (this.available <= 0) return; // what follows a branch takes anything
    this.types.length -= this.types.at(-1) === 'any' ? 1 : cellCount(type);
  }

  /** A place of its own in dynamic space, written down; or, with `place`, the one where the value is already. */
  private pushPlace(type: CellType, place?: number): void {
    const cells = cellCount(type);
    if (place === undefined) this.code.emit(INT16_BYTES);
    this.places[this.placeCount] = place ?? this.cellNext;
    this.placeCount += cells;
    if (place !== undefined) return;
    this.cellNext += cells;
    this.cellMax = Math.max(this.cellMax, this.cellNext);
  }

  private popPlace(type: CellType, block = this.block): void {
    const available = this.types.length - block.height;
    if (available <= 0 && block.isUnreachable) return;
    const cells = available > 0 && this.types.at(-1) === 'any' ? 1 : cellCount(type);
    if (this.placeCount < cells) return;
    this.placeCount -= cells;
    if (this.cellNext >= cells && this.isFreed(this.places[this.placeCount]!)) this.cellNext -= cells;
    this.code.emit(INT16_BYTES);
  }

  /** Whether dynamic space shrinks with a value that was there: not where it was the first cell. */
  private isFreed(place: number): boolean {
    return place > this.cellFirst && place < this.cellMax;
  }

  private push(type: CellType, place?: number): void {
    this.pushPlace(type, place);
    this.pushType(type);
  }

  private pop(type: CellType): void {
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

  unreachable(): void {
    this.cutStack();
    this.block.isUnreachable = true;
  }

  /** After a branch the results are taken to be there [check_block_stack, wasm_loader_check_br]. */
  private supply(results: readonly ValueType[]): void {
    if (!this.block.isUnreachable) return;
    for (const type of results.toReversed()) this.pop(type);
    for (const type of results) this.push(type, 0);
  }

  /** Copies a block's result to where the block's results are expected [reserve_block_ret]. */
  private placeResults(block: Block, isElse: boolean): void {
    if (block.results.length === 0) return;
    const type = block.results[0]!;
    const at = this.placeCount - cellCount(type);
    if (this.places[at] === block.cell) return;
    if (isElse) this.code.dropLabel();
    this.code.label();
    this.code.emit(2 * INT16_BYTES);
    if (isElse) {
      this.places[at] = block.cell;
      this.code.label();
      return;
    }
    this.placeCount = at;
    this.cellNext = block.cell;
    this.pushPlace(type);
    this.code.takeBack(INT16_BYTES);
  }

  /** [emit_br_info] for a block that is left or a loop that is repeated. */
  private branchTo(depth: number, isAlways: boolean): void {
    const block = this.blocks.at(-1 - depth)!;
    const results = block.kind === 'loop' ? [] : block.results;
    this.supply(results);
    this.code.emit(INT32_BYTES);
    if (results.length > 0) {
      this.code.emit(INT32_BYTES + results.length * (this.target.octetBytes + 2 * INT16_BYTES));
      if (isAlways) this.cellNext = block.cell + cellsOf(results);
    }
    this.code.emit(this.target.pointerBytes);
  }

  /** Copies the old value of a local that is about to be written, where it is still wanted [preserve_referenced_local]. */
  private preserve(place: number, type: CellType): boolean {
    let isPreserved = false;
    let copy = PRESERVED;
    for (let i = 0; i < this.types.length; i += cellCount(this.types[i]!)) {
      if (this.places[i] !== place) continue;
      if (!isPreserved) {
        isPreserved = true;
        this.code.dropLabel();
        copy = this.preservedNext;
        if (this.isSecond) this.preservedNext += cellCount(type);
        this.code.label();
        this.code.emit(2 * INT16_BYTES);
        this.code.label();
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
    if (kind === 'if') this.pop('i32');
    this.openBlock(kind, this.reader.blockType());
    if (kind === 'if') this.code.emit(2 * this.target.pointerBytes);
    else this.code.dropLabel();
  }

  otherwise(): void {
    const { block } = this;
    this.supply(this.block.results);
    block.hasElse = true;
    this.placeResults(block, true);
    this.code.emit(this.target.pointerBytes);
    this.cutStack();
    block.isUnreachable = false;
    this.cellNext = block.cell;
  }

  end(): void {
    const { block } = this;
    this.supply(this.block.results);
    this.code.dropLabel();
    this.blocks.pop();
    this.placeResults(block, false);
    if (this.blocks.length > 0) return;
    this.code.label();
    for (const type of block.results.toReversed()) this.popPlace(type, block);
  }

  branch(): void {
    this.branchTo(this.reader.u32(), true);
    this.unreachable();
  }

  branchIf(): void {
    this.pop('i32');
    this.branchTo(this.reader.u32(), false);
  }

  branchTable(): void {
    const count = this.reader.u32();
    this.code.emit(INT32_BYTES);
    this.pop('i32');
    for (let i = 0; i <= count; i++) {
      const types = [...this.types];
      const { placeCount } = this;
      const places = this.places.slice(0, placeCount);
      this.branchTo(this.reader.u32(), false);
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

  call(): void {
    this.code.emit(INT32_BYTES);
    const callee = this.reader.u32();
    const type = this.context.functions[callee]!;
    for (const param of type.params.toReversed()) this.pop(param);
    for (const result of type.results) this.push(result);
  }

  drop(): void {
    this.code.dropLabel();
    if (this.available <= 0) return;
    const cells = cellCount(this.types.at(-1)!);
    this.types.length -= cells;
    this.placeCount -= cells;
    if (this.isFreed(this.places[this.placeCount]!)) this.cellNext -= cells;
  }

  select(): void {
    this.pop('i32');
    const type = this.available > 0 ? this.types.at(-1)! : 'any';
    if (this.available > 0) {
      this.pop(type);
      this.pop(type);
    }
    this.push(type);
  }

  getLocal(): void {
    const index = this.reader.u32();
    this.code.dropLabel();
    this.push(this.localTypes[index]!, this.localPlaces[index]!);
  }

  setLocal(): void {
    const index = this.reader.u32();
    const type = this.localTypes[index]!;
    const isPreserved = this.preserve(this.localPlaces[index]!, type);
    if (this.localPlaces[index]! >= NEAR_LOCALS) {
      this.code.emit(INT32_BYTES);
      this.popPlace(type);
    } else {
      this.code.dropLabel();
      const cells = isPreserved ? 0 : directCells(this.opcodeBefore);
      if (cells > 0) {
        // The instruction before writes into the local by itself.
        this.placeCount -= cells;
        this.cellNext -= cells;
      } else {
        this.code.label();
        this.code.emit(this.target.octetBytes);
        this.popPlace(type);
      }
    }
    this.popType(type);
  }

  teeLocal(): void {
    const index = this.reader.u32();
    const type = this.localTypes[index]!;
    if (this.block.isUnreachable) {
      this.popPlace(type);
      this.pushPlace(type);
    }
    this.popType(type);
    this.pushType(type);
    this.preserve(this.localPlaces[index]!, type);
    this.code.emit(this.localPlaces[index]! < NEAR_LOCALS ? this.target.octetBytes : INT32_BYTES);
    this.code.emit(INT16_BYTES);
  }

  getGlobal(): void {
    const type = this.context.globals[this.reader.u32()]!;
    this.pushType(type);
    this.code.emit(INT32_BYTES);
    this.pushPlace(type);
  }

  setGlobal(): void {
    const type = this.context.globals[this.reader.u32()]!;
    this.code.emit(INT32_BYTES);
    this.pop(type);
  }

  constant(type: ValueType): void {
    this.code.dropLabel();
    const { reader } = this;
    if (type === 'i32') this.words.add(reader.signed());
    else if (type === 'f32') this.words.add(signedBits(reader.take(4)));
    else if (type === 'i64') this.longs.add(reader.signed());
    else this.longs.add(signedBits(reader.take(8)));
    this.push(type, CONSTANT);
  }

  memorySize(takes: boolean): void {
    this.reader.u32();
    if (takes) this.pop('i32');
    this.push('i32');
  }

  prefixed(): void {
    const opcode = this.reader.u32();
    this.code.emit(this.target.octetBytes);
    const operation = EXTENDED_OPERATIONS[opcode];
    if (operation === undefined) throw new UnsupportedError(`instruction 0xfc ${opcode}`);
    this.reader.take(operation.immediates);
    this.operate(operation);
  }
}

/** Of floating point, what an integer with the same octets would be: constants of the same octets share a cell. */
function signedBits(octets: Uint8Array): bigint {
  const bits = octets.reduceRight((above, octet) => (above << 8n) | BigInt(octet), 0n);
  return BigInt.asIntN(8 * octets.length, bits);
}

/** Opcodes by name where code asks for them (WebAssembly core specification, 5.4). */
const OP = { else: 0x05, end: 0x0b, i32Load: 0x28, i64Store32: 0x3e } as const;
