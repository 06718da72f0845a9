// The rules of a device module. They are what lets a runtime shrink its memory, what lets its state be saved as one block,
// what lets a board know how much stack it takes, and what keeps it from meeting anything that a board does not have.
import { CONTRACT_FUNCTIONS } from '../device/abi.js';
import { type CallGraph, callGraph, describeRecursion, findRecursion, shortName } from './call-graph.js';
import { FirmwareError } from './error.js';
import { findState, findStateFaults } from './memory-map.js';
import { type FunctionType, parseModule, UnsupportedError, type WasmImport, type WasmModule } from './wasm.js';

export interface CheckOptions {
  /** Default: false. */
  readonly debug?: boolean;
  /** The module keeps the whole contract, not just the rules about memory. Default: true. */
  readonly contract?: boolean;
  /** The board takes updates of the application. Default: true. */
  readonly updates?: boolean;
}

const takes = (params: number, results = 1): FunctionType => ({
  params: new Array(params).fill('i32'),
  results: new Array(results).fill('i32'),
});

/** What a module may import from `board`. */
const ALWAYS: Readonly<Record<string, FunctionType>> = { send: takes(2), event: takes(3, 0) };
const IN_DEBUG_BUILDS: Readonly<Record<string, FunctionType>> = { log: takes(3, 0) };
const WITH_UPDATES: Readonly<Record<string, FunctionType>> = { update: takes(2), confirm: takes(0, 0) };

const NO_SECOND_SLOT = 'the board has no second slot, so no application on it can be updated';

/** What the contract's functions take, where it is anything; all return an i32. */
const CONTRACT_PARAMS: Readonly<Record<string, number>> = { start: 2, receive: 2, poll: 1, resume: 1 };

/** Every rule that the module breaks, a sentence each; empty for a good one. */
export function findBrokenRules(bytes: Uint8Array, options: CheckOptions = {}): string[] {
  try {
    const module = parseModule(bytes);
    const graph = callGraph(module);
    return [
      ...findMemoryFaults(module, graph),
      ...module.imports.flatMap((i) => findImportFault(i, options)),
      ...findExportFaults(module, options.contract !== false),
      ...(options.contract === false ? [] : findStateFaults(module, graph, findState(module, graph))),
      ...findRecursionFault(graph),
      ...findMisalignedAccesses(graph),
    ];
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return [`it uses ${error.message}: a device's runtime has no such thing`];
  }
}

/** Throws ERR_MODULE_RULES with every broken rule, or ERR_UPDATES where only the board is in the way. */
export function checkModule(bytes: Uint8Array, options: CheckOptions = {}): void {
  const broken = findBrokenRules(bytes, options);
  if (broken.length === 0) return;
  const code = broken.every((rule) => rule.endsWith(NO_SECOND_SLOT)) ? 'ERR_UPDATES' : 'ERR_MODULE_RULES';
  const rules = broken.length === 1 ? 'a rule' : `${broken.length} rules`;
  throw new FirmwareError(code, `the module breaks ${rules}:\n  ${broken.join('\n  ')}`);
}

function findMemoryFaults(module: WasmModule, graph: CallGraph): string[] {
  const broken: string[] = [];
  const mutable = module.globals.flatMap((g, index) => (g.mutable ? [index] : []));
  if (mutable.length > 0) {
    const globals = mutable.length === 1 ? 'global' : 'globals';
    const names = mutable.flatMap((index) => module.globalNames.get(index) ?? []).map(shortName);
    broken.push(
      `${mutable.length} mutable ${globals}${inBrackets(names)}: state belongs into linear memory (client.state)`,
    );
  }
  if (module.hasStart) broken.push('a start section: initialise in setup(), and let top-level variables be constants');
  const asking = graph.functions.filter((f) => f.asksForMemory);
  if (asking.length > 0) {
    const names = asking.flatMap((f) => module.functionNames.get(f.index) ?? []).map(shortName);
    broken.push(
      `memory.grow or memory.size${inBrackets(names)}: there is no heap (join text with \`text\`, not with +)`,
    );
  }
  if (module.memories.length > 1) broken.push(`${module.memories.length} memories: a device has one`);
  if (module.memories.length === 0) broken.push('no memory of its own: a device has one');
  if (module.tables > 0) broken.push('a table of functions: call functions by their names, not through variables');
  if (module.data.some((segment) => segment.at === undefined)) {
    broken.push('data without a fixed address: it is to lie where it stays');
  }
  return broken;
}

/** Release builds of other tools have no names; those have nothing to add. */
function inBrackets(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}

/** As far as it can be told beforehand: WebAssembly would do it, and so would V8, but small cores stop at it. */
function findMisalignedAccesses({ functions }: CallGraph): string[] {
  return functions.flatMap(({ name, misaligned }) =>
    misaligned.length === 0
      ? []
      : [
          `${name} accesses ${misaligned[0]}, which is not aligned to what it loads or stores: small cores stop there ` +
            '(give the alignment: load<i32>(at, 0, 1), store<i32>(at, value, 0, 1))',
        ],
  );
}

function findImportFault({ module, name, kind, type }: WasmImport, options: CheckOptions): string[] {
  const allowed = {
    ...ALWAYS,
    ...(options.debug === true ? IN_DEBUG_BUILDS : {}),
    ...(options.updates === false ? {} : WITH_UPDATES),
  };
  const known = module === 'board' && kind === 'function' ? allowed[name] : undefined;
  if (known === undefined && module === 'board' && name in WITH_UPDATES && options.updates === false) {
    return [`import board.${name}: ${NO_SECOND_SLOT}`];
  }
  if (known === undefined) {
    const all = Object.keys(allowed).map((f) => `board.${f}`);
    return [`import ${module}.${name} (${kind}): only ${all.join(', ')} exist`];
  }
  const [is, ought] = [signature(type!), signature(known)];
  return is === ought ? [] : [`import board.${name}${is}: it is ${name}${ought}`];
}

function findExportFaults(module: WasmModule, contract: boolean): string[] {
  const types = new Map(module.functions.map((f) => [f.index, f.type]));
  const functions = new Map(
    module.exports.filter((e) => e.kind === 'function').map((e) => [e.name, types.get(e.index)]),
  );
  const broken: string[] = [];
  if (!module.exports.some((e) => e.kind === 'memory' && e.name === 'memory')) broken.push('no export memory');
  if (!contract) return broken;
  for (const name of CONTRACT_FUNCTIONS) if (!functions.has(name)) broken.push(`no export ${name}`);
  for (const [name, type] of functions) {
    if (type === undefined) {
      broken.push(`export ${name}: an import cannot be an export`);
      continue;
    }
    const isContract = (CONTRACT_FUNCTIONS as readonly string[]).includes(name);
    const ought = isContract ? signature(takes(CONTRACT_PARAMS[name] ?? 0)) : undefined;
    if (ought !== undefined && signature(type) !== ought) {
      broken.push(`export ${name}${signature(type)}: it is to be ${name}${ought}`);
    } else if ([...type.params, ...type.results].some((t) => t !== 'i32')) {
      broken.push(`export ${name}${signature(type)}: firmware in C calls it with i32 only`);
    }
  }
  return broken;
}

/** (i32, i32): i32 */
function signature({ params, results }: FunctionType): string {
  return `(${params.join(', ')})${results.length === 0 ? '' : `: ${results.join(', ')}`}`;
}

function findRecursionFault(graph: CallGraph): string[] {
  const cycle = findRecursion(graph);
  return cycle === undefined ? [] : [describeRecursion(cycle)];
}
