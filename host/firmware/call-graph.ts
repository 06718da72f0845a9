// Who calls whom in a module. There are no indirect calls on a device, so what this finds is all there is: a bound for the
// stack of every call from outside, as long as nothing calls itself.
import { type FunctionFacts, walkFunction } from './code.js';
import { FirmwareError } from './error.js';
import { type FunctionType, UnsupportedError, type WasmFunction, type WasmModule } from './wasm.js';

export interface GraphFunction extends FunctionFacts {
  /** Counted over the imports, too. */
  readonly index: number;
  /** What people know it by. */
  readonly name: string;
  /** Octets in the module. */
  readonly bytes: number;
}

export interface CallGraph {
  /** The module's own functions, in the order of their index. */
  readonly functions: readonly GraphFunction[];
  /** Of functions that are imported: their names, such as board.send, by index. */
  readonly imports: readonly string[];
  /** Exported functions: name and index. */
  readonly roots: readonly { readonly name: string; readonly index: number }[];
}

export interface Deepest {
  /** The sum of what each function on the path costs. */
  readonly cost: number;
  /** Names from the export inwards, an imported function last where it ends in one. */
  readonly path: readonly string[];
}

/** `names`: of functions by index, as a debug build has them. Throws UnsupportedError. */
export function callGraph(module: WasmModule, names = module.functionNames): CallGraph {
  const imported = module.imports.filter((i) => i.kind === 'function');
  const types = [...imported.map((i) => i.type!), ...module.functions.map((f) => f.type)];
  const exported = new Map(module.exports.filter((e) => e.kind === 'function').map((e) => [e.index, e.name]));
  return {
    functions: module.functions.map((f) => {
      const name = shortName(names.get(f.index) ?? exported.get(f.index) ?? `function ${f.index}`);
      return { ...walk(f, types, name), index: f.index, name, bytes: f.bytes };
    }),
    imports: imported.map((i) => `${i.module}.${i.name}`),
    roots: [...exported].map(([index, name]) => ({ name, index })),
  };
}

function walk(f: WasmFunction, types: readonly FunctionType[], name: string): FunctionFacts {
  try {
    return walkFunction(f, types);
  } catch (error) {
    throw error instanceof UnsupportedError ? new UnsupportedError(`${error.message}, in ${name}`) : error;
  }
}

/** `assembly/client/client/poll` as the source's folders say it: client/client/poll. Files elsewhere lose their folders. */
export function shortName(name: string): string {
  return name
    .replace(/^~?assembly\/outside\/(?:[^/]+\/)*([^/]+\/[^/]+)$/, '$1')
    .replace(/^assembly\/(apps\/main\/)?/, '')
    .replace(/^~lib\//, 'library/');
}

/** The functions of a cycle of calls, the first again at the end; undefined where nothing calls itself. */
export function findRecursion(graph: CallGraph): readonly string[] | undefined {
  const byIndex = new Map(graph.functions.map((f) => [f.index, f]));
  const done = new Set<number>();
  const path: number[] = [];
  const visit = (index: number): readonly number[] | undefined => {
    if (path.includes(index)) return [...path.slice(path.indexOf(index)), index];
    if (done.has(index)) return undefined;
    path.push(index);
    for (const callee of byIndex.get(index)?.calls ?? []) {
      const cycle = visit(callee);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(index);
    return undefined;
  };
  for (const { index } of graph.functions) {
    const cycle = visit(index);
    if (cycle !== undefined) return cycle.map((i) => byIndex.get(i)!.name);
  }
  return undefined;
}

/**
 * What follows for each export from all that it calls: `of` is asked once for each function, with what it has said of those
 * that the function calls. Throws ERR_MODULE_RULES where something calls itself.
 */
export function overCalls<T>(graph: CallGraph, of: (index: number, callees: readonly T[]) => T): T[] {
  const cycle = findRecursion(graph);
  if (cycle !== undefined) throw new FirmwareError('ERR_MODULE_RULES', describeRecursion(cycle));
  const byIndex = new Map(graph.functions.map((f) => [f.index, f]));
  const known = new Map<number, T>();
  const from = (index: number): T => {
    if (!known.has(index)) known.set(index, of(index, (byIndex.get(index)?.calls ?? []).map(from)));
    return known.get(index)!;
  };
  return graph.roots.map(({ index }) => from(index));
}

/**
 * The most expensive chain of calls from any export. `cost` of a function of its own; `importCost` of a call that leaves the
 * module. Throws ERR_MODULE_RULES where something calls itself.
 */
export function deepest(graph: CallGraph, cost: (f: GraphFunction) => number, importCost = 0): Deepest {
  const byIndex = new Map(graph.functions.map((f) => [f.index, f]));
  const from = (index: number, callees: readonly Deepest[]): Deepest => {
    const f = byIndex.get(index);
    if (f === undefined) return { cost: importCost, path: [graph.imports[index]!] };
    const below = max(callees);
    return { cost: cost(f) + below.cost, path: [f.name, ...below.path] };
  };
  return max(overCalls(graph, from));
}

export function describeRecursion(cycle: readonly string[]): string {
  return `recursion, whose depth nobody can bound: ${cycle.join(' calls ')}`;
}

function max(all: readonly Deepest[]): Deepest {
  return all.reduce((a, b) => (b.cost > a.cost ? b : a), { cost: 0, path: [] });
}
