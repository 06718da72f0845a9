// A watchdog where V8 runs the module: a copy of it that pays for every round of a loop and for every call, and traps when
// there is nothing left to pay with. Counted in the module's own steps, a budget means the same on every machine, and a run
// that meets its end repeats.
//
// The host's copy only: what goes onto a device is not touched. It is a pass over the binary (WebAssembly core
// specification, chapter 5) and no more, since every command that starts a device waits for it.
//
// At the head of each function and loop is inserted:
//
//   global.get $fuel  i32.eqz  if  i32.const -1  global.set $fuel  unreachable  end
//   global.get $fuel  i32.const 1  i32.sub  global.set $fuel

/** Name of the exported global: steps that are left; FUEL_EXHAUSTED where the last call ended for want of one. */
export const FUEL_EXPORT = 'thimble:fuel';
export const FUEL_EXHAUSTED = -1;

const PREAMBLE_BYTES = 8;
const enum Section {
  Custom = 0,
  Import = 2,
  Global = 6,
  Export = 7,
  Code = 10,
}
const enum Kind {
  Function = 0,
  Table = 1,
  Memory = 2,
  Global = 3,
}
const enum Op {
  Unreachable = 0x00,
  Block = 0x02,
  Loop = 0x03,
  If = 0x04,
  End = 0x0b,
  BrTable = 0x0e,
  CallIndirect = 0x11,
  SelectTyped = 0x1c,
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
  I32Eqz = 0x45,
  I32Sub = 0x6b,
  /** From I32Eqz to this: no immediates. */
  LastNumeric = 0xc4,
  Prefixed = 0xfc,
}
const TYPE_I32 = 0x7f;
const TYPE_EMPTY = 0x40;
const MUTABLE = 1;
/** Immediates of the instructions after Op.Prefixed, by their number: trunc_sat, memory.init, data.drop, copy, fill, tables. */
const PREFIXED_IMMEDIATES = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];
/** Immediates, all of them LEB128, of what is neither numeric nor a case of its own. */
const IMMEDIATES: Readonly<Record<number, number>> = {
  0: 0, // unreachable
  1: 0, // nop
  2: 1, // block
  3: 1, // loop
  4: 1, // if
  5: 0, // else
  11: 0, // end
  12: 1, // br
  13: 1, // br_if
  15: 0, // return
  16: 1, // call
  17: 2, // call_indirect
  26: 0, // drop
  27: 0, // select
  32: 1, // local.get
  33: 1, // local.set
  34: 1, // local.tee
  35: 1, // global.get
  36: 1, // global.set
  63: 1, // memory.size
  64: 1, // memory.grow
};

/**
 * The metered copy of a module. Undefined where the bytes are no module, or have an instruction that none of ours has (vectors,
 * threads, exceptions): only an engine knows what is wrong with those.
 */
export function meter(module: Uint8Array): Uint8Array | undefined {
  try {
    return new Meter(module).copy();
  } catch (error) {
    if (error instanceof Unknown) return undefined;
    throw error;
  }
}

class Unknown extends Error {}

class Meter {
  private at = PREAMBLE_BYTES;
  /** Index of the global that is added: behind all others. */
  private fuel = 0;
  private hasGlobals = false;

  constructor(private readonly source: Uint8Array) {}

  copy(): Uint8Array {
    const { source } = this;
    const out = new Octets();
    out.add(source.subarray(0, PREAMBLE_BYTES));
    while (this.at < source.length) {
      const from = this.at;
      const id = this.u8();
      const bytes = this.u32();
      const end = this.at + bytes;
      if (end > source.length) throw new Unknown();
      if (id >= Section.Export && !this.hasGlobals) this.addGlobals(out, 0);
      if (id === Section.Import) this.readImports();
      if (id === Section.Global) this.addGlobals(out, this.u32(), end);
      else if (id === Section.Export) this.addExports(out, end);
      else if (id === Section.Code) this.addCode(out, end);
      else out.add(source.subarray(from, end));
      this.at = end;
    }
    return out.take();
  }

  /** Counts the globals that are imported: they come before the module's own. */
  private readImports(): void {
    for (let left = this.u32(); left > 0; left--) {
      for (const _name of ['module', 'name']) {
        const bytes = this.u32(); // first: reading it moves on
        this.at += bytes;
      }
      const kind = this.u8();
      if (kind === Kind.Function) this.u32();
      else if (kind === Kind.Global) {
        this.at += 2; // its type, and whether it is mutable
        this.fuel++;
      } else this.skipLimits(kind);
    }
  }

  private skipLimits(kind: number): void {
    if (kind === Kind.Table) this.u8();
    else if (kind !== Kind.Memory) throw new Unknown();
    const hasMaximum = (this.u8() & 1) !== 0;
    this.u32();
    if (hasMaximum) this.u32();
  }

  private addGlobals(out: Octets, count: number, end = this.at): void {
    this.hasGlobals = true;
    this.fuel += count;
    const section = new Octets().u32(count + 1).add(this.source.subarray(this.at, end));
    section.u8(TYPE_I32).u8(MUTABLE).u8(Op.I32Const).u8(0).u8(Op.End);
    out.section(Section.Global, section);
  }

  private addExports(out: Octets, end: number): void {
    const count = this.u32();
    const section = new Octets().u32(count + 1).add(this.source.subarray(this.at, end));
    section.u32(FUEL_EXPORT.length).add(new TextEncoder().encode(FUEL_EXPORT)).u8(Kind.Global).u32(this.fuel);
    out.section(Section.Export, section);
  }

  private addCode(out: Octets, end: number): void {
    const count = this.u32();
    const section = new Octets().u32(count);
    const payment = this.payment();
    for (let i = 0; i < count; i++) {
      const bytes = this.u32();
      const bodyEnd = this.at + bytes;
      if (bodyEnd > end) throw new Unknown();
      const body = this.body(bodyEnd, payment);
      section.u32(body.length).add(body.take());
    }
    out.section(Section.Code, section);
  }

  private payment(): Uint8Array {
    const { fuel } = this;
    const out = new Octets();
    out.u8(Op.GlobalGet).u32(fuel).u8(Op.I32Eqz).u8(Op.If).u8(TYPE_EMPTY);
    out.u8(Op.I32Const).u8(0x7f).u8(Op.GlobalSet).u32(fuel).u8(Op.Unreachable).u8(Op.End); // 0x7f is -1
    out.u8(Op.GlobalGet).u32(fuel).u8(Op.I32Const).u8(1).u8(Op.I32Sub).u8(Op.GlobalSet).u32(fuel);
    return out.take();
  }

  /** One function: its locals, then its code with the payments in it. */
  private body(end: number, payment: Uint8Array): Octets {
    const out = new Octets();
    let from = this.at;
    for (let left = this.u32(); left > 0; left--) {
      this.u32();
      this.u8();
    }
    const pay = (): void => {
      out.add(this.source.subarray(from, this.at)).add(payment);
      from = this.at;
    };
    pay();
    while (this.at < end) if (this.instruction() === Op.Loop) pay();
    return out.add(this.source.subarray(from, end));
  }

  /** Steps over one instruction and returns its opcode. */
  private instruction(): number {
    const op = this.u8();
    if (op >= Op.I32Eqz && op <= Op.LastNumeric) return op;
    if (op >= Op.FirstAccess && op <= Op.LastAccess) this.skipLebs(2);
    else if (op === Op.I32Const || op === Op.I64Const) this.skipLebs(1);
    else if (op === Op.F32Const) this.at += 4;
    else if (op === Op.F64Const) this.at += 8;
    else if (op === Op.BrTable) this.skipLebs(this.u32() + 1);
    else if (op === Op.SelectTyped) this.skipLebs(this.u32());
    else if (op === Op.Prefixed) this.skipLebs(known(PREFIXED_IMMEDIATES[this.u32()]));
    else this.skipLebs(known(IMMEDIATES[op]));
    return op;
  }

  private skipLebs(count: number): void {
    for (let left = count; left > 0; left--) while ((this.u8() & 0x80) !== 0);
  }

  private u8(): number {
    return known(this.source[this.at++]);
  }

  /** LEB128 (5.2.2). */
  private u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = this.u8();
      value += (octet & 0x7f) * 2 ** shift;
      if ((octet & 0x80) === 0) return value;
    }
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Unknown();
  return value;
}

/** Octets that grow. */
class Octets {
  private octets = new Uint8Array(256);
  length = 0;

  u8(octet: number): this {
    this.reserve(1);
    this.octets[this.length++] = octet;
    return this;
  }

  u32(value: number): this {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
    return this.u8(rest);
  }

  add(octets: Uint8Array): this {
    this.reserve(octets.length);
    this.octets.set(octets, this.length);
    this.length += octets.length;
    return this;
  }

  section(id: Section, contents: Octets): this {
    return this.u8(id).u32(contents.length).add(contents.take());
  }

  take(): Uint8Array {
    return this.octets.slice(0, this.length);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.octets.length) return;
    const grown = new Uint8Array(2 * (this.length + bytes));
    grown.set(this.octets.subarray(0, this.length));
    this.octets = grown;
  }
}
