// The link step: writes down where static data end, so that a runtime can cut the memory down to what is used.
//
// WAMR shrinks linear memory to `__heap_base` where `__heap_base` and `__data_end` are exported as immutable globals, and
// `align16(__data_end) <= __heap_base`, and the module never asks for its memory's size. The compiler can export both,
// but gives both the same 4-aligned value, which breaks the second rule without a word.
import binaryen from 'binaryen';

const HEAP_BASE = '__heap_base';
const DATA_END = '__data_end';
const ALIGNMENT = 16;
const OPTIMIZE_ROUNDS = 3;

export interface Linked {
  readonly bytes: Uint8Array;
  /** Octets of linear memory the module uses: its state, tables and constants. */
  readonly linearBytes: number;
}

/** Writes both exports of a module that the compiler gave `__data_end`, and tidies what that makes possible. `debug` keeps names. */
export function link(bytes: Uint8Array, debug = false): Linked {
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
    binaryen.setDebugInfo(debug);
    const dataEnd = exportedConstant(module, DATA_END);
    removeExports(module);
    // Each round opens the way for the next; after three there is nothing left to gain.
    for (let round = 0; round < OPTIMIZE_ROUNDS; round++) module.optimize();
    const heapBase = Math.ceil(dataEnd / ALIGNMENT) * ALIGNMENT;
    exportConstant(module, DATA_END, dataEnd);
    exportConstant(module, HEAP_BASE, heapBase);
    return { bytes: module.emitBinary(), linearBytes: heapBase };
  } finally {
    module.dispose();
  }
}

/** The value of an exported global that the compiler initialised with a constant. */
function exportedConstant(module: binaryen.Module, name: string): number {
  const { value } = binaryen.getExportInfo(module.getExport(name));
  const { init } = binaryen.getGlobalInfo(module.getGlobal(value));
  const constant = binaryen.getExpressionInfo(init) as binaryen.ConstInfo;
  return Number(constant.value);
}

function removeExports(module: binaryen.Module): void {
  module.removeExport(DATA_END);
  module.removeExport(HEAP_BASE);
}

function exportConstant(module: binaryen.Module, name: string, value: number): void {
  module.addGlobal(name, binaryen.i32, false, module.i32.const(value));
  module.addGlobalExport(name, name);
}
