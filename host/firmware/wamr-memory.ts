// How much memory a module needs under WAMR, beside its linear memory: known before it runs, so that a board can be given a
// stack that is large enough and no larger, and a build can be held to the board's RAM.
import type { Board } from './boards.js';
import { callGraph, overCalls } from './call-graph.js';
import { FirmwareError } from './error.js';
import { cellsOf, loadFunction, type WamrFrame } from './wamr-loader.js';
import { WAMR_32_BIT, WAMR_64_BIT, type WamrTarget } from './wamr-target.js';
import { type FunctionType, parseModule, UnsupportedError, type WasmModule } from './wasm.js';

export { WAMR_32_BIT, WAMR_64_BIT, type WamrTarget } from './wamr-target.js';
export type { WamrFrame };

/** WAMR as a board has it: a program of this machine has pointers of 64 bits, all other boards of 32. */
export function wamrTargetOf(board: Board | undefined): WamrTarget {
  return board?.host === undefined ? WAMR_32_BIT : WAMR_64_BIT;
}

const CELL_BYTES = 4;
/** A frame has at least so many cells where it is a native function's, or stands for the caller outside. */
const NATIVE_CELLS_MIN = 2;

/**
 * The operand stack that WAMR's fast interpreter needs for the deepest call from any export: what its port passes to
 * wasm_runtime_instantiate. Throws ERR_MODULE_RULES for recursion, which has no deepest call.
 */
export function wamrStackBytes(module: Uint8Array, target: WamrTarget = WAMR_32_BIT): number {
  const loaded = load(module, target);
  const sizes = frameSizes(loaded, target);
  const graph = callGraph(loaded.parts);
  const needs = overCalls(graph, (index, callees: readonly number[]) =>
    stackNeed(sizes[index]!, Math.max(0, ...callees)),
  );
  return stackNeed(frameBytes(NATIVE_CELLS_MIN, target), Math.max(0, ...needs));
}

/** Octets of RAM that WAMR takes for a module, linear memory not counted. */
export interface WamrMemory {
  /** The translated module. */
  readonly loadBytes: number;
  readonly instanceBytes: number;
  /** What runs it, the operand stack included. */
  readonly execEnvBytes: number;
}

/**
 * What WAMR takes of its pool for a module that may lie in flash (wasm_binary_freeable): the sum of its allocations.
 * `stackBytes`: the operand stack that it is given.
 */
export function wamrMemory(module: Uint8Array, stackBytes: number, target: WamrTarget = WAMR_32_BIT): WamrMemory {
  const loaded = load(module, target);
  const size = SIZES[target.pointerBytes];
  return {
    loadBytes: sum(loadAllocations(loaded, size, target.pointerBytes)),
    instanceBytes: sum(instanceAllocations(loaded, size, target.pointerBytes)),
    execEnvBytes: sum([size.execEnv + stackBytes]),
  };
}

/** All of that but for the operand stack. */
export function wamrLoadedBytes(module: Uint8Array, target: WamrTarget = WAMR_32_BIT): number {
  const { loadBytes, instanceBytes, execEnvBytes } = wamrMemory(module, 0, target);
  return loadBytes + instanceBytes + execEnvBytes;
}

/**
 * Octets of WAMR's structures (wasm.h, wasm_runtime.h, wasm_exec_env.h), for pointers of 4 and of 8 octets: measured by
 * sizeof and offsetof with the features that the fast interpreter of a device's WAMR has.
 */
const SIZES = {
  4: {
    module: 200,
    import: 40,
    function: 56,
    export: 12,
    dataSegment: 48,
    string: 8,
    instance: 272,
    memoryInstance: 56,
    instanceExtra: 40,
    functionInstance: 32,
    exportedFunction: 8,
    execEnv: 64,
  },
  8: {
    module: 272,
    import: 64,
    function: 96,
    export: 16,
    dataSegment: 56,
    string: 16,
    instance: 344,
    memoryInstance: 80,
    instanceExtra: 72,
    functionInstance: 48,
    exportedFunction: 16,
    execEnv: 136,
  },
} as const;
/** The same for both. */
const MEMORY_BYTES = 16;
const GLOBAL_BYTES = 32;
const GLOBAL_INSTANCE_BYTES = 24;
const FUNCTION_TYPE_BYTES = 10;
const LOCAL_OFFSET_BYTES = 2;

type Sizes = (typeof SIZES)[4 | 8];

/** A module, and what WAMR's loader makes of its functions. */
interface Loaded {
  readonly parts: WasmModule;
  /** Imported functions: there is nothing else that a device could import. */
  readonly imports: readonly FunctionType[];
  readonly frames: readonly WamrFrame[];
}

/** Throws ERR_MODULE_FORMAT for what no module of ours has. */
function load(module: Uint8Array, target: WamrTarget): Loaded {
  try {
    const parts = parseModule(module);
    const imports = parts.imports.map(({ module, name, type }) => {
      if (type === undefined) throw new UnsupportedError(`${module}.${name}, which is no function`);
      return type;
    });
    const context = {
      functions: [...imports, ...parts.functions.map((f) => f.type)],
      globals: parts.globals.map((g) => g.type),
    };
    return { parts, imports, frames: parts.functions.map((f) => loadFunction(context, f, target)) };
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const what = `not a module that WAMR's need of memory is known for: ${error.message}`;
    throw new FirmwareError('ERR_MODULE_FORMAT', what);
  }
}

/** WAMR's loader (wasm_loader.c). Arrays of nothing are not allocated. */
function loadAllocations({ parts, imports, frames }: Loaded, size: Sizes, pointerBytes: number): number[] {
  const { types, functions, globals, memories, exports, data } = parts;
  // One that several use is kept once.
  const names = new Set([
    ...parts.imports.flatMap(({ module, name }) => [module, name]),
    ...exports.map((e) => e.name),
  ]);
  return [
    size.module,
    types.length * pointerBytes,
    ...types.map(({ params, results }) => FUNCTION_TYPE_BYTES + params.length + results.length),
    imports.length * size.import,
    functions.length * pointerBytes,
    ...functions.flatMap(({ type, locals }) => [
      size.function + locals.length,
      (type.params.length + locals.length) * LOCAL_OFFSET_BYTES,
    ]),
    ...frames.flatMap(({ codeBytes, constCells }) => [codeBytes, constCells * CELL_BYTES]),
    memories.length * MEMORY_BYTES,
    globals.length * GLOBAL_BYTES,
    exports.length * size.export,
    ...[...names].map((name) => size.string + new TextEncoder().encode(name).length + 1),
    data.length * pointerBytes,
    ...data.flatMap(({ bytes }) => [size.dataSegment, bytes.length]),
  ];
}

/** wasm_instantiate (wasm_runtime.c). */
function instanceAllocations({ parts, imports }: Loaded, size: Sizes, pointerBytes: number): number[] {
  const { functions, globals, memories, exports, data } = parts;
  const globalBytes = cellsOf(globals.map((g) => g.type)) * CELL_BYTES;
  const structure = size.instance + memories.length * size.memoryInstance + globalBytes;
  return [
    align8(structure) + size.instanceExtra,
    data.length > 0 ? 2 * pointerBytes + Math.ceil(data.length / 8) : 0, // a bit for each
    globals.length * GLOBAL_INSTANCE_BYTES,
    memories.length * pointerBytes,
    (imports.length + functions.length) * size.functionInstance,
    imports.length * pointerBytes,
    exports.filter((e) => e.kind === 'function').length * size.exportedFunction,
  ];
}

const align8 = (bytes: number): number => 8 * Math.ceil(bytes / 8);

/** What the pool gives for allocations of so many octets (ems_gc_internal.h): a header of 4 each, and at least 8. */
function sum(allocations: readonly number[]): number {
  return allocations.reduce((total, bytes) => (bytes === 0 ? total : total + align8(4 + Math.max(bytes, 8))), 0);
}

/** What WAMR makes of each function of its own that a module has, in their order. */
export function wamrFunctions(module: Uint8Array, target: WamrTarget = WAMR_32_BIT): WamrFrame[] {
  return [...load(module, target).frames];
}

/** Octets of a function's frame. */
export function wamrFrameBytes(frame: WamrFrame, target: WamrTarget = WAMR_32_BIT): number {
  return frameBytes(frame.constCells + frame.paramCells + frame.localCells + frame.stackCells, target);
}

/** Octets of the frame of each function, imports first. */
function frameSizes({ imports, frames }: Loaded, target: WamrTarget): number[] {
  const natives = imports.map(({ params }) => frameBytes(Math.max(NATIVE_CELLS_MIN, cellsOf(params)), target));
  return [...natives, ...frames.map((frame) => wamrFrameBytes(frame, target))];
}

/**
 * sizeof(WASMInterpFrame) up to its cells (wasm_interp.h): three pointers, an offset in 32 bits, a pointer; each aligned.
 */
function frameBytes(cells: number, { pointerBytes }: WamrTarget): number {
  return 5 * pointerBytes + CELL_BYTES * cells;
}

/** WAMR enters a function only where twice its frame is left (wasm_exec_env_alloc_wasm_frame). `below`: of what it calls. */
function stackNeed(frame: number, below: number): number {
  return Math.max(2 * frame, frame + below);
}
