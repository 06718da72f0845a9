// How much memory a module needs under WAMR, beside its linear memory: known before it runs, so that a board can be given a
// stack that is large enough and no larger, and a build can be held to the board's RAM.
import { FirmwareError } from './error.js';
import { cellsOf, loadFunction, WAMR_32_BIT, type WamrFrame, type WamrTarget } from './wamr-loader.js';
import { type ModuleParts, takeApart } from './wamr-module.js';

export { WAMR_32_BIT, WAMR_64_BIT, type WamrFrame, type WamrTarget } from './wamr-loader.js';

const CELL_BYTES = 4;
/** A frame has at least so many cells where it is a native function's, or stands for the caller outside. */
const NATIVE_CELLS_MIN = 2;

/**
 * The operand stack that WAMR's fast interpreter needs for the deepest call from any export: what its port passes to
 * wasm_runtime_instantiate. Throws ERR_MODULE_RULES for recursion, which has no deepest call.
 */
export function wamrStackBytes(module: Uint8Array, target: WamrTarget = WAMR_32_BIT): number {
  const parts = takeApart(module);
  const functions = wamrFrames(parts, target);
  const sizes = frameSizes(parts, functions, target);
  const needs = new Map<number, number>();
  const need = (index: number, above: readonly number[]): number => {
    if (above.includes(index)) {
      throw new FirmwareError('ERR_MODULE_RULES', `function ${index} calls itself, perhaps by way of others`);
    }
    const callees = functions[index - parts.imports.length]?.callees ?? [];
    const below = callees.map((callee) => needs.get(callee) ?? need(callee, [...above, index]));
    const bytes = stackNeed(sizes[index]!, Math.max(0, ...below));
    needs.set(index, bytes);
    return bytes;
  };
  const deepest = Math.max(0, ...[...parts.exports.values()].map((index) => need(index, [])));
  return stackNeed(frameBytes(NATIVE_CELLS_MIN, target), deepest);
}

/** What WAMR makes of each function of its own that a module has, in their order. */
export function wamrFunctions(module: Uint8Array, target: WamrTarget = WAMR_32_BIT): WamrFrame[] {
  return wamrFrames(takeApart(module), target);
}

/** Octets of a function's frame. */
export function wamrFrameBytes(frame: WamrFrame, target: WamrTarget = WAMR_32_BIT): number {
  return frameBytes(frame.constCells + frame.paramCells + frame.localCells + frame.stackCells, target);
}

function wamrFrames(parts: ModuleParts, target: WamrTarget): WamrFrame[] {
  const context = {
    functions: [...parts.imports, ...parts.bodies.map((body) => body.type)],
    globals: parts.globals,
  };
  return parts.bodies.map((body) => loadFunction(context, body, target));
}

/** Octets of the frame of each function, imports first. */
function frameSizes(parts: ModuleParts, functions: readonly WamrFrame[], target: WamrTarget): number[] {
  const natives = parts.imports.map(({ params }) => frameBytes(Math.max(NATIVE_CELLS_MIN, cellsOf(params)), target));
  return [...natives, ...functions.map((frame) => wamrFrameBytes(frame, target))];
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
