// Which of a module's constants are addresses. In WebAssembly an address is a number like any other; in native code it has
// to become a place in one of two C objects, the state region and the constants. So the same source is compiled twice, with
// its static data in different places, and linked: both modules are the same, instruction by instruction, but for
// constants that are addresses. What lies before the state region, the region itself and what lies behind it move by three
// different distances, so the distance says what an address belongs to, even where arithmetic has taken it out of there
// (a table that begins at the letter A is read at `table - 65 + letter`).
import { FirmwareError } from '../error.js';
import { type Address, childrenOf, type FunctionNode, type Node, type Program, type Region } from './ir.js';

/** Where the objects of a module lie. */
export interface Layout {
  /** Where the state region begins, and its octets. */
  readonly stateAt: number;
  readonly stateBytes: number;
  /** The end of static data. */
  readonly end: number;
  /** All of memory up to `end`, as the module wants it at power-on. */
  readonly memory: Uint8Array;
  /** Words of memory that are addresses, by where they stand. */
  readonly pointers: ReadonlyMap<number, Region>;
}

type Distances = Readonly<Record<Region, number>>;

const WORD_BYTES = 4;

/** The layout of a module without a twin: its addresses stay numbers. */
export function layOut(program: Program): Layout {
  const stateAt = constantOf(program, 'image');
  const stateBytes = constantOf(program, 'imageBytes');
  const end = program.globals.get('__data_end') ?? stateAt + stateBytes;
  const memory = new Uint8Array(end);
  for (const { at, data } of program.segments) memory.set(data, at);
  return { stateAt, stateBytes, end, memory, pointers: new Map() };
}

/**
 * Marks the addresses in `program`, by comparing it with `twin`, which was compiled with another `memoryBase`. Throws ERR_NATIVE where
 * they differ in anything else.
 */
export function relocate(program: Program, twin: Program): Layout {
  const layout = layOut(program);
  const other = layOut(twin);
  const distances = distancesOf(layout, other);
  if (program.functions.length !== twin.functions.length) throw differ('the number of functions');
  program.functions.forEach((one, i) => {
    walkFunctions(one, twin.functions[i]!, distances);
  });
  return { ...layout, pointers: findPointers(layout, other, distances) };
}

/** What an exported function of the contract returns, which is a constant. */
export function constantOf(program: Program, name: string): number {
  const inner = program.exports.get(name);
  const body = program.functions.find((f) => f.name === inner)?.body;
  if (body?.kind !== 'const') throw new FirmwareError('ERR_NATIVE', `${name}() has to return a constant`);
  return Number(body.value);
}

function distancesOf(layout: Layout, twin: Layout): Distances {
  if (layout.stateBytes !== twin.stateBytes) throw differ('the length of the state region');
  const state = twin.stateAt - layout.stateAt;
  const high = twin.end - layout.end;
  // The gap is the same on both sides of the region.
  const distances = { low: state - (high - state), state, high };
  if (distances.low <= 0 || state === high) {
    throw new FirmwareError('ERR_NATIVE', 'the twin of the module does not lie elsewhere (memoryBase)');
  }
  return distances;
}

function differ(where: string): FirmwareError {
  return new FirmwareError(
    'ERR_NATIVE',
    `no native code can be made: compiled for another place in memory, the module differs in more than addresses, in ${where}`,
  );
}

function walkFunctions(one: FunctionNode, other: FunctionNode, distances: Distances): void {
  const shape = ({ params, result, locals }: FunctionNode): string => JSON.stringify([params, result, locals]);
  if (shape(one) !== shape(other)) throw differ(`function ${one.name}`);
  walk(one.body, other.body, { name: one.name, distances });
}

interface Walk {
  /** The function's name, for messages. */
  readonly name: string;
  readonly distances: Distances;
}

function walk(one: Node, other: Node, within: Walk): void {
  if (one.kind === 'const' && other.kind === 'const') {
    one.address = addressOf(one.value, other.value, one.type === 'i32', within);
  } else if ((one.kind === 'load' && other.kind === 'load') || (one.kind === 'store' && other.kind === 'store')) {
    one.address = addressOf(one.offset, other.offset, true, within);
  }
  if (shapeOf(one) !== shapeOf(other)) throw differ(`function ${within.name}`);
  const children = childrenOf(one);
  const others = childrenOf(other);
  if (children.length !== others.length) throw differ(`function ${within.name}`);
  children.forEach((child, i) => {
    walk(child, others[i]!, within);
  });
}

/** Everything about a node but its children, and the constants that may be addresses. */
function shapeOf(node: Node): string {
  const { address: _a, value: _v, offset: _o, ...rest } = node as unknown as Record<string, unknown>;
  return JSON.stringify(rest, (key, value: unknown) => (key === '' || !isNode(value) ? value : undefined));
}

function isNode(value: unknown): boolean {
  return Array.isArray(value) ? value.some(isNode) : typeof value === 'object' && value !== null && 'kind' in value;
}

function addressOf(
  one: number | bigint,
  other: number | bigint,
  mayBeAddress: boolean,
  { name, distances }: Walk,
): Address | undefined {
  if (Object.is(one, other)) return undefined;
  const distance = mayBeAddress ? (Number(other) - Number(one)) | 0 : 0;
  for (const region of ['low', 'state', 'high'] as const) {
    if (distance === distances[region]) return { region, negative: false };
    if (distance === -distances[region]) return { region, negative: true };
  }
  throw differ(`a constant of function ${name}: ${one} and ${other}`);
}

/** Words of the constants that are addresses themselves, such as those of a table of strings. */
function findPointers(layout: Layout, twin: Layout, distances: Distances): Map<number, Region> {
  const pointers = new Map<number, Region>();
  const one = new DataView(layout.memory.buffer);
  const other = new DataView(twin.memory.buffer);
  for (let at = 0; at + WORD_BYTES <= layout.end; at += WORD_BYTES) {
    const region = at >= layout.stateAt + layout.stateBytes ? 'high' : at >= layout.stateAt ? 'state' : 'low';
    const value = one.getUint32(at, true);
    const moved = other.getUint32(at + distances[region], true);
    if (value === moved) continue;
    const found = (['low', 'state', 'high'] as const).find((name) => moved - value === distances[name]);
    if (found === undefined) throw differ(`its static data at ${at}`);
    if (region === 'state') throw new FirmwareError('ERR_NATIVE', `the state region holds an address at ${at}`);
    pointers.set(at, found);
  }
  return pointers;
}
