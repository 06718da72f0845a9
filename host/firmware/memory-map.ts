// What lies where in a module's linear memory: constants, the state region, and where both end. What a device writes must
// be in its state region, or it would be lost when the region is put away and brought back.
import type { CallGraph } from './call-graph.js';
import type { WasmModule } from './wasm.js';

/** The state region and what lies in it, as the module's functions say it. */
export interface StateMap {
  readonly at: number;
  readonly bytes: number;
  readonly parts: readonly { readonly name: string; readonly at: number; readonly bytes: number }[];
}

/** Places within the state region that the board uses: the functions that tell address and length. */
const PARTS = [
  ['rx', 'rxBytes'],
  ['peer', 'peerBytes'],
] as const;

/** Undefined where a module does not tell by a constant. */
export function findState(module: WasmModule, graph: CallGraph): StateMap | undefined {
  const functions = new Map(graph.functions.map((f) => [f.index, f]));
  const roots = new Map(graph.roots.map(({ name, index }) => [name, functions.get(index)?.constant]));
  const at = roots.get('image');
  const bytes = roots.get('imageBytes');
  if (at === undefined || bytes === undefined || module.memories.length === 0) return undefined;
  const parts = PARTS.flatMap(([name, length]) => {
    const place = { name, at: roots.get(name), bytes: roots.get(length) };
    return place.at === undefined || place.bytes === undefined ? [] : [place as StateMap['parts'][number]];
  });
  return { at, bytes, parts };
}

/** What is wrong with where the state region lies, a sentence each. */
export function findStateFaults(module: WasmModule, graph: CallGraph, state: StateMap | undefined): string[] {
  const isDevice = ['image', 'imageBytes'].every((name) => graph.roots.some((root) => root.name === name));
  if (state === undefined) return isDevice ? ['image() or imageBytes() is no constant: the state region is fixed'] : [];
  const end = state.at + state.bytes;
  const broken: string[] = [];
  const overlapping = module.data.find(
    ({ at = 0, bytes }) => bytes.findIndex((octet, i) => octet !== 0 && at + i >= state.at && at + i < end) >= 0,
  );
  if (overlapping !== undefined) {
    broken.push(
      `data from ${overlapping.at} lie in the state region (${state.at} to ${end - 1}): starting would not clear them`,
    );
  }
  for (const part of state.parts) {
    if (part.at >= state.at && part.at + part.bytes <= end) continue;
    broken.push(`${part.name}() is outside of the state region (${state.at} to ${end - 1})`);
  }
  for (const f of graph.functions) {
    const astray = f.writes.find((address) => address < state.at || address >= end);
    if (astray === undefined) continue;
    broken.push(`${f.name} writes to ${astray}, outside of the state region: state belongs into it (client.state)`);
  }
  return broken;
}

/** Where data and state end: what a runtime must keep at the least. */
export function findEnd(module: WasmModule, state: StateMap | undefined): number {
  const ends = module.data.map(({ at = 0, bytes }) => at + bytes.length);
  return Math.max(0, ...ends, state === undefined ? 0 : state.at + state.bytes);
}
