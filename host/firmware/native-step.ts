// The part of a build that only boards with native code have: the module again, compiled to lie elsewhere, and from both
// the firmware for the core.
import { type TemporaryBuild, temporaryFolder } from './artifacts.js';
import type { Board } from './boards.js';
import { type CallGraph, callGraph } from './call-graph.js';
import type { CompileOptions } from './compile.js';
import { FirmwareError } from './error.js';
import type { Linked } from './link.js';
import { buildNative, type NativeOptions } from './native/build-native.js';
import { linkTwin } from './twin.js';
import { parseModule } from './wasm.js';

export interface CoreTarget extends CompileOptions {
  readonly name: string;
  readonly checked?: boolean;
}

/** More than any board has: to find out how much too large a firmware is. */
const BOUNDLESS = 1 << 26;

/**
 * The firmware, in a folder of its own that the caller removes. Where the board does not hold it, one for a board that would,
 * with the error in `overflow`. Throws ERR_NATIVE, ERR_NATIVE_BUILD, ERR_STACK, or ERR_TOOLCHAIN where the compiler is missing.
 */
export async function buildForCore(target: CoreTarget, board: Board, linked: Linked): Promise<TemporaryBuild> {
  const twin = await linkTwin(target);
  return temporaryFolder(async (folder) => {
    const options = { board, name: target.name, module: linked.named, shifted: twin.named, outDir: folder };
    const [build, overflow] = await buildOrMeasure({ ...options, checked: target.checked === true });
    const nameOf = namesOf(callGraph(parseModule(linked.named)));
    const { c, elf, hex, bin, parts, functions, textBytes, dataBytes, bssBytes, stackBytes, stackPath } = build;
    return {
      folder,
      parts,
      functions: functions.map(({ name, bytes }) => ({ name: nameOf(name), bytes })),
      figures: { textBytes, dataBytes, bssBytes, stackBytes, stackPath: stackPath.map(nameOf) },
      files: { c, elf, hex, bin },
      ...(overflow && { overflow }),
    };
  });
}

/** How the C names what it makes of a module's functions (native/emit.ts), before what the compiler adds to the name. */
const OF_MODULE = /^(?:f(\d+)|wasm_(\w+))(?=[_.]|$)/;
/** Its arrays of constants, which lie among the code. */
const CONSTANTS = /^(?:low|high)$/;

/** What the sources call a function of the firmware, as far as it comes from the module. */
function namesOf(graph: CallGraph): (name: string) => string {
  const byIndex = new Map(graph.functions.map((f) => [f.index, f.name]));
  const roots = new Map(graph.roots.map(({ name, index }) => [name, byIndex.get(index)]));
  return (name) => {
    if (CONSTANTS.test(name)) return 'constants';
    const [, own, exported] = OF_MODULE.exec(name) ?? [];
    const source = own === undefined ? roots.get(exported ?? '') : graph.functions[Number(own)]?.name;
    return source ?? name;
  };
}

type Built = Awaited<ReturnType<typeof buildNative>>;

async function buildOrMeasure(options: NativeOptions): Promise<[Built, FirmwareError | undefined]> {
  try {
    return [await buildNative(options), undefined];
  } catch (error) {
    if (!(error instanceof FirmwareError && error.code === 'ERR_BUDGET')) throw error;
    const board = { ...options.board, flashBytes: BOUNDLESS, ramBytes: BOUNDLESS };
    return [await buildNative({ ...options, board }), error];
  }
}
