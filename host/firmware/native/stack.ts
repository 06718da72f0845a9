// How deep the stack of a firmware can get: who calls whom as the linked code has it, libraries included, and what each
// function takes, as the compiler says it (-fcallgraph-info=su) or, for libraries, as their instructions do.
import { FirmwareError } from '../error.js';

export interface CodeFunction {
  readonly address: number;
  readonly name: string;
  /** What its instructions take off the stack, all of them. */
  readonly frameBytes: number;
  /** Addresses of functions. */
  readonly calls: readonly number[];
  /** It calls where a register says. */
  readonly callsAnywhere: boolean;
}

/** Octets by function, as a compiler's .ci file says; Infinity where it does not know. */
export type Frames = ReadonlyMap<string, number>;

export interface StackUse {
  readonly bytes: number;
  /** The functions of the deepest path, from the first instruction, then of the deepest interrupt. */
  readonly path: readonly string[];
}

const NODE = /^node: \{ title: "([^"]*)" label: "[^"]*?(\d+) bytes \(([^)]*)\)/;

/** Static functions of one name in several files count as the largest of them. */
export function readFrames(texts: readonly string[]): Map<string, number> {
  const frames = new Map<string, number>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const node = NODE.exec(line);
    if (node === null) continue;
    const name = node[1]!.slice(node[1]!.lastIndexOf(':') + 1);
    const isBounded = node[3] === 'static' || node[3]!.includes('bounded');
    frames.set(name, Math.max(frames.get(name) ?? 0, isBounded ? Number(node[2]) : Number.POSITIVE_INFINITY));
  }
  return frames;
}

const FUNCTION = /^([0-9a-f]+) <([^>]+)>:$/;
const INSTRUCTION = /^ *[0-9a-f]+:\t(\S+)\t?(.*)$/;
/** The place that a branch or a call goes to, where that is a function's beginning. */
const TARGET = /\b([0-9a-f]+) <[^>+]+>/;
const BRANCH = /^(b|cb|j)/;
/** `blx r3`, `jalr a5`; `bx lr` and `jr ra` are returns. */
const ANYWHERE = /^(blx\t(r\d+|ip)|jalr\t([astx]\d+|\d+\([astx]\d+\)))$/;
const WORD_BYTES = 4;

/** `text`: what `objdump -d --no-show-raw-insn` prints. */
export function readCode(text: string): CodeFunction[] {
  const functions: { -readonly [Key in keyof CodeFunction]: CodeFunction[Key] }[] = [];
  for (const line of text.split('\n')) {
    const head = FUNCTION.exec(line);
    if (head !== null) {
      const address = Number.parseInt(head[1]!, 16);
      functions.push({ address, name: head[2]!, frameBytes: 0, calls: [], callsAnywhere: false });
      continue;
    }
    const instruction = INSTRUCTION.exec(line);
    const current = functions.at(-1);
    if (instruction === null || current === undefined) continue;
    const [, mnemonic, operands] = instruction as unknown as [string, string, string];
    current.frameBytes += SAVES.test(current.name) ? passingBytes(mnemonic, operands) : frameOf(mnemonic, operands);
    const target = BRANCH.test(mnemonic) ? TARGET.exec(operands) : null;
    if (target !== null) current.calls = [...current.calls, Number.parseInt(target[1]!, 16)];
    else if (ANYWHERE.test(`${mnemonic}\t${operands.trim()}`)) current.callsAnywhere = true;
  }
  return functions;
}

/** What one instruction takes off the stack: pushes and subtractions of Thumb and of RISC-V. */
function frameOf(mnemonic: string, operands: string): number {
  if (/^push/.test(mnemonic) || (/^stmdb/.test(mnemonic) && operands.startsWith('sp!'))) {
    return /\{(.*)\}/.exec(operands)![1]!.split(',').length * WORD_BYTES;
  }
  if (/^sub/.test(mnemonic)) return Number(/^sp, (?:sp, )?#(\d+)/.exec(operands)?.[1] ?? 0);
  // RISC-V's addi is add to some versions of objdump.
  if (/^(str|addi?$)/.test(mnemonic)) return Number(/^(?:.*\[sp, #|sp,sp,)-(\d+)(?:\]!)?/.exec(operands)?.[1] ?? 0);
  if (mnemonic === 'jal') return savedBytes(operands);
  return 0;
}

/**
 * RISC-V with -msave-restore: a function begins with a call to one of these, which puts the registers that it changes on the
 * stack for it, from ra and s0 to s2 up to all thirteen, four by four. The compiler counts them as its own.
 */
const SAVES = /^__riscv_save_(\d+)$/;

/** What a function has put on the stack for it. */
function savedBytes(operands: string): number {
  const saves = /^t0,.*<__riscv_save_(\d+)>/.exec(operands);
  return saves === null ? 0 : 4 * WORD_BYTES * (Math.floor(Number(saves[1]) / 4) + 1);
}

/** Those that save less than all take as much at first and give back the rest: what an interrupt may meet for a moment. */
function passingBytes(mnemonic: string, operands: string): number {
  return mnemonic === 'li' ? Number(/^t1,-(\d+)$/.exec(operands.trim())?.[1] ?? 0) : 0;
}

export interface StackOptions {
  /** Where the function lies that begins with an empty stack. */
  readonly entry: number;
  /** One of them may come at any moment, and none while another runs. */
  readonly isInterrupt: (name: string) => boolean;
  /** What the core itself pushes for an interrupt. */
  readonly interruptBytes: number;
}

/** Throws ERR_STACK where a function calls itself, or nobody knows whom or how much it takes. */
export function worstStack(code: readonly CodeFunction[], frames: Frames, options: StackOptions): StackUse {
  const byAddress = new Map(code.map((f) => [f.address, f]));
  const known = new Map<number, StackUse>();
  const open: CodeFunction[] = [];

  const depth = (fn: CodeFunction): StackUse => {
    const before = known.get(fn.address);
    if (before !== undefined) return before;
    if (open.includes(fn)) {
      const names = [...open.slice(open.indexOf(fn)), fn].map((f) => f.name);
      throw new FirmwareError('ERR_STACK', `nobody knows how deep ${names.join(' → ')} goes: it calls itself`);
    }
    open.push(fn);
    const bytes = frameBytes(fn, frames);
    // A function that goes back to its own beginning has left its frame before; whoever starts the core again, all of them.
    const others = fn.calls.filter((address) => address !== fn.address && address !== options.entry);
    const callees = others.flatMap((address) => byAddress.get(address) ?? []);
    const deepest = deepestOf(callees.map(depth));
    open.pop();
    const use = { bytes: bytes + deepest.bytes, path: [fn.name, ...deepest.path] };
    known.set(fn.address, use);
    return use;
  };

  const entry = byAddress.get(options.entry);
  if (entry === undefined) throw new FirmwareError('ERR_STACK', 'there is no function to begin with');
  const main = depth(entry);
  const interrupt = deepestOf(code.filter((f) => options.isInterrupt(f.name)).map(depth));
  const pushed = interrupt.path.length > 0 ? options.interruptBytes : 0;
  return { bytes: main.bytes + pushed + interrupt.bytes, path: [...main.path, ...interrupt.path] };
}

function frameBytes(fn: CodeFunction, frames: Frames): number {
  if (fn.callsAnywhere) throw new FirmwareError('ERR_STACK', `${fn.name} calls through a pointer: nobody knows whom`);
  const bytes = frames.get(fn.name) ?? fn.frameBytes;
  if (Number.isFinite(bytes)) return bytes;
  throw new FirmwareError('ERR_STACK', `${fn.name} takes as much stack as it is told to: nobody knows how much`);
}

function deepestOf(uses: readonly StackUse[]): StackUse {
  return uses.reduce((a, b) => (b.bytes > a.bytes ? b : a), { bytes: 0, path: [] });
}
