// The link step: writes down where static data end, so that a runtime can cut the memory down to what is used, and leaves
// out what a device does not need.
//
// WAMR shrinks linear memory to `__heap_base` where `__heap_base` and `__data_end` are exported as immutable globals, and
// `align16(__data_end) <= __heap_base`, and the module never asks for its memory's size. The compiler can export both,
// but gives both the same 4-aligned value, which breaks the second rule without a word.
import binaryen from 'binaryen';
import { callGraph } from './call-graph.js';
import { FirmwareError } from './error.js';
import { findEnd, findState } from './memory-map.js';
import { parseModule, type WasmModule, withoutCustomSections } from './wasm.js';

const HEAP_BASE = '__heap_base';
const DATA_END = '__data_end';
const ALIGNMENT = 16;
const OPTIMIZE_ROUNDS = 3;
/** The section that names functions; debug builds keep it. */
const NAMES = 'name';

export interface Linked {
  readonly bytes: Uint8Array;
  /** Octets of linear memory the module uses: its state, tables and constants. */
  readonly linearBytes: number;
  /** What the sources call its functions, by index; the module itself has them in debug builds only. */
  readonly names: ReadonlyMap<number, string>;
  /** The same module with these names in it: for whoever makes something of it that people read. */
  readonly named: Uint8Array;
}

/** Writes both exports of a module that the compiler gave `__data_end`, and tidies what that makes possible. `debug` keeps names. */
export function link(bytes: Uint8Array, debug = false): Linked {
  const dataEnd = dataEndOf(parseModule(bytes));
  const heapBase = Math.ceil(dataEnd / ALIGNMENT) * ALIGNMENT;
  const named = rewrite(bytes, dataEnd, heapBase);
  const linked = withoutCustomSections(named, debug ? [NAMES] : []);
  return { bytes: linked, linearBytes: heapBase, names: parseModule(named).functionNames, named };
}

/**
 * Where static data end. The compiler's word counts: behind the last octet that is not zero there may be constants that are.
 * But no octet, and nothing of the state region, may lie behind it.
 */
function dataEndOf(module: WasmModule): number {
  const end = findEnd(module, findState(module, callGraph(module)));
  const { index } = module.exports.find((e) => e.kind === 'global' && e.name === DATA_END) ?? {};
  const said = index === undefined ? undefined : module.globals[index]?.constant;
  if (said === undefined || said >= end) return said ?? end;
  throw new FirmwareError(
    'ERR_MODULE_RULES',
    `the module breaks a rule:\n  static data end at ${end}, not at ${said} as ${DATA_END} has it: a runtime would cut them off`,
  );
}

/** The module optimised, with both exports anew, and with the names of its functions. */
function rewrite(bytes: Uint8Array, dataEnd: number, heapBase: number): Uint8Array {
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(
      binaryen.Features.BulkMemory |
        binaryen.Features.BulkMemoryOpt |
        binaryen.Features.SignExt |
        binaryen.Features.NontrappingFPToInt |
        binaryen.Features.MutableGlobals,
    );
    binaryen.setOptimizeLevel(2);
    binaryen.setShrinkLevel(2);
    binaryen.setDebugInfo(true);
    module.removeExport(DATA_END);
    module.removeExport(HEAP_BASE);
    // Each round opens the way for the next; after three there is nothing left to gain.
    for (let round = 0; round < OPTIMIZE_ROUNDS; round++) module.optimize();
    exportConstant(module, DATA_END, dataEnd);
    exportConstant(module, HEAP_BASE, heapBase);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

function exportConstant(module: binaryen.Module, name: string, value: number): void {
  module.addGlobal(name, binaryen.i32, false, module.i32.const(value));
  module.addGlobalExport(name, name);
}
