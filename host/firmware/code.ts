// Walks the instructions of a function: what it calls, which constant addresses it writes to or accesses misaligned, and
// whether it uses anything that no device has. The opcodes are those of the core specification, 5.4.
import { EXTENDED_OPERATIONS, MEMORY_COPY, MEMORY_FILL, OPERATIONS, type Operation } from './operations.js';
import { type FunctionType, Reader, UnsupportedError, type WasmFunction } from './wasm.js';

export interface FunctionFacts {
  /** Indices of the functions it calls, each once. */
  readonly calls: readonly number[];
  /** memory.size or memory.grow. */
  readonly asksForMemory: boolean;
  /** Constant addresses that it stores to, copies to or fills, with the offset in the instruction added. */
  readonly writes: readonly number[];
  /** Constant addresses that it accesses, the offset added, which are no multiples of the alignment that the instruction claims. */
  readonly misaligned: readonly number[];
  /** Its result where all it does is to return a constant i32, unsigned. */
  readonly constant?: number;
}

const enum Op {
  Nop = 0x01,
  Block = 0x02,
  Loop = 0x03,
  If = 0x04,
  Else = 0x05,
  End = 0x0b,
  Br = 0x0c,
  BrIf = 0x0d,
  BrTable = 0x0e,
  Return = 0x0f,
  Call = 0x10,
  Drop = 0x1a,
  Select = 0x1b,
  LocalGet = 0x20,
  LocalSet = 0x21,
  GlobalGet = 0x23,
  GlobalSet = 0x24,
  FirstAccess = 0x28,
  LastAccess = 0x3e,
  MemorySize = 0x3f,
  MemoryGrow = 0x40,
  I32Const = 0x41,
  I64Const = 0x42,
  F32Const = 0x43,
  F64Const = 0x44,
  Extended = 0xfc,
}

/** Runs of opcodes that belong to features which a device's runtime does not have, or must not need. */
const REFUSED: readonly [first: number, last: number, what: string][] = [
  [0x06, 0x0a, 'exceptions'],
  [0x11, 0x11, 'calls through pointers'],
  [0x12, 0x13, 'tail calls'],
  [0x14, 0x15, 'references to functions'],
  [0x16, 0x19, 'exceptions'],
  [0x1c, 0x1f, 'references'],
  [0x25, 0x26, 'tables'],
  [0xd0, 0xd6, 'references'],
  [0xfb, 0xfb, 'a garbage collector'],
  [0xfd, 0xfd, 'vectors (SIMD)'],
  [0xfe, 0xfe, 'threads'],
];

/** A value that waits: known where it is a constant i32. */
type Operand = number | undefined;

interface Block {
  /** Operands below it. */
  readonly height: number;
  readonly results: number;
}

/** `types`: of all functions by index, imports first. Throws UnsupportedError with what it uses. */
export function walkFunction(f: WasmFunction, types: readonly FunctionType[]): FunctionFacts {
  return new Walk(f, types).run();
}

class Walk {
  private readonly r: Reader;
  private readonly operands: Operand[] = [];
  private readonly blocks: Block[];
  private readonly calls = new Set<number>();
  private readonly writes = new Set<number>();
  private readonly misaligned = new Set<number>();
  private asksForMemory = false;
  private instructions = 0;

  constructor(
    f: WasmFunction,
    private readonly types: readonly FunctionType[],
  ) {
    this.r = new Reader(f.code);
    this.blocks = [{ height: 0, results: f.type.results.length }];
  }

  run(): FunctionFacts {
    let constant: Operand;
    while (!this.r.isAtEnd) {
      this.step(this.r.octet());
      if (++this.instructions === 1) constant = this.operands[0];
    }
    const { asksForMemory } = this;
    const facts = { calls: [...this.calls], asksForMemory, writes: [...this.writes], misaligned: [...this.misaligned] };
    // Two instructions: the constant, and the end.
    return this.instructions === 2 && constant !== undefined ? { ...facts, constant } : facts;
  }

  private step(op: number): void {
    const refused = REFUSED.find(([first, last]) => op >= first && op <= last);
    if (refused !== undefined) throw new UnsupportedError(refused[2]);
    if (op <= Op.Return) this.control(op);
    else if (op === Op.Call) this.call(this.r.u32());
    else if (op === Op.Drop) this.pop(1);
    else if (op === Op.Select) this.replace(3);
    else if (op <= Op.GlobalSet) this.variable(op);
    else if (op === Op.MemorySize || op === Op.MemoryGrow) this.askForMemory(op);
    else if (op >= Op.I32Const && op <= Op.F64Const) this.constant(op);
    else if (op === Op.Extended) this.extended(this.r.u32());
    else this.operate(op);
  }

  private control(op: number): void {
    if (op === Op.Block || op === Op.Loop || op === Op.If) this.begin(op);
    else if (op === Op.Else || op === Op.End) this.end(op);
    else if (op === Op.BrTable) {
      this.pop(1);
      this.r.list(() => this.r.u32());
      this.r.u32();
    } else if (op === Op.Br || op === Op.BrIf) {
      this.r.u32();
      if (op === Op.BrIf) this.pop(1);
    }
    // What follows a branch that is always taken is never reached; the block's end puts the operands right again.
  }

  private begin(op: number): void {
    if (op === Op.If) this.pop(1);
    const results = this.r.blockType().length;
    this.blocks.push({ height: this.operands.length, results });
  }

  private end(op: number): void {
    const block = op === Op.Else ? this.blocks.at(-1)! : this.blocks.pop()!;
    this.operands.length = block.height;
    if (op === Op.End) for (let i = 0; i < block.results; i++) this.operands.push(undefined);
  }

  private call(index: number): void {
    this.calls.add(index);
    const { params, results } = this.types[index]!;
    this.pop(params.length);
    for (const _ of results) this.operands.push(undefined);
  }

  private variable(op: number): void {
    this.r.u32();
    if (op === Op.LocalGet || op === Op.GlobalGet) this.operands.push(undefined);
    else if (op === Op.LocalSet || op === Op.GlobalSet) this.pop(1);
  }

  private askForMemory(op: number): void {
    this.r.u32(); // the memory's index
    this.asksForMemory = true;
    this.replace(op === Op.MemoryGrow ? 1 : 0);
  }

  private operate(op: number): void {
    const operation = OPERATIONS[op];
    if (operation === undefined) throw new UnsupportedError(`instruction 0x${op.toString(16)}`);
    const { length } = operation.takes;
    if (op >= Op.FirstAccess && op <= Op.LastAccess)
      this.access(this.r.u32(), this.r.u32(), this.pop(length), operation);
    else this.replace(length);
  }

  private access(alignLog2: number, offset: number, at: Operand, operation: Operation): void {
    const align = 2 ** alignLog2;
    if (at !== undefined && (at + offset) % align !== 0) this.misaligned.add(at + offset);
    // Only stores give nothing.
    if (operation.gives === undefined) this.write(at, offset);
    else this.operands.push(undefined);
  }

  private constant(op: number): void {
    if (op === Op.I32Const) this.operands.push(Number(BigInt.asUintN(32, this.r.signed())));
    else {
      if (op === Op.I64Const) this.r.signed();
      else this.r.take(op === Op.F32Const ? 4 : 8);
      this.operands.push(undefined);
    }
  }

  private extended(op: number): void {
    const operation = EXTENDED_OPERATIONS[op];
    if (operation === undefined) throw new UnsupportedError(op < MEMORY_COPY ? 'passive data' : 'tables');
    this.r.take(operation.immediates);
    const { length } = operation.takes;
    if (op === MEMORY_COPY || op === MEMORY_FILL) this.write(this.pop(length), 0);
    else this.replace(length);
  }

  private write(to: Operand, offset: number): void {
    if (to !== undefined) this.writes.add(to + offset);
  }

  private replace(count: number): void {
    this.pop(count);
    this.operands.push(undefined);
  }

  /** Takes operands, as far as there are any (there are none where code is never reached), and returns the lowest of them. */
  private pop(count: number): Operand {
    const { height } = this.blocks.at(-1)!;
    const first = Math.max(height, this.operands.length - count);
    const isWhole = this.operands.length - first === count;
    const lowest = isWhole ? this.operands[first] : undefined;
    this.operands.length = first;
    return lowest;
  }
}
