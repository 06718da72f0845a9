// One module from source to what goes onto a device: compiled, linked, checked, measured, held to the board's budget, and
// written with what belongs to it.
import type { KeyObject } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { ABI_VERSION } from '../../assembly/protocol/index.js';
import { DeviceModule } from '../device/device.js';
import { removeFolder, type TemporaryBuild, writeArtifacts } from './artifacts.js';
import type { Board } from './boards.js';
import { checkBudget, nativeUsages, type Usages, type WamrNeeds, wamrUsages } from './budget.js';
import { callGraph, deepest } from './call-graph.js';
import { checkModule } from './check.js';
import { type CompileOptions, compile } from './compile.js';
import type { FirmwareError } from './error.js';
import { type Linked, link } from './link.js';
import { makeManifest, versionFor } from './manifest.js';
import { buildForCore } from './native-step.js';
import { APPS_DIR, BUILD_DIR, MODULES_DIR } from './paths.js';
import { type BuildReport, compareReports, largestFirst, type StoredReport } from './report.js';
import { wamrLoadedBytes, wamrStackBytes, wamrTargetOf } from './wamr-memory.js';
import { parseModule } from './wasm.js';

export type { BuildReport } from './report.js';

export interface BuildTarget extends CompileOptions {
  readonly name: string;
  /** Where the module goes; the rest of the build goes beside it. Ends in .wasm. */
  readonly out: string;
  /** False for modules without a device, such as the codec. */
  readonly contract: boolean;
  /** Default: none, and so no budget. Its limits are not taken from here, but from `limits`. */
  readonly board?: Board;
  /** Three numbers, such as 1.2.3. Default: that of the nearest package.json. */
  readonly version?: string;
  /** Signs the manifest. Default: it is not signed. */
  readonly key?: KeyObject;
  /** Native code checks each access to memory. Default: false. */
  readonly checked?: boolean;
  /** For the figures: what does not fit the board is built, too. Default: false. */
  readonly anySize?: boolean;
}

/** Entry points in assembly/modules that are no modules of their own. */
const NOT_MODULES = ['application', 'contract'];
const WITHOUT_CONTRACT = ['codec-mqttsn'];

/** The library's own modules and applications. */
export function listTargets(): BuildTarget[] {
  const names = (folder: string): string[] =>
    readdirSync(folder)
      .filter((f) => extname(f) === '.ts')
      .map((f) => basename(f, '.ts'))
      .sort();
  const modules = names(MODULES_DIR).filter((name) => !NOT_MODULES.includes(name));
  return [
    ...modules.map((name) => ({
      name,
      entry: name,
      out: join(BUILD_DIR, 'modules', `${name}.wasm`),
      contract: !WITHOUT_CONTRACT.includes(name),
    })),
    ...names(APPS_DIR).map((name) => applicationTarget(join(APPS_DIR, `${name}.ts`))),
  ];
}

/** How an application's file is built; `out` defaults to build/apps/NAME.wasm in the package. */
export function applicationTarget(file: string, out?: string): BuildTarget {
  const name = basename(file, '.ts');
  return {
    name,
    entry: 'application',
    application: file,
    out: out ?? join(BUILD_DIR, 'apps', `${name}.wasm`),
    contract: true,
  };
}

/**
 * Builds one target and writes it. Throws a FirmwareError, and writes nothing then: ERR_MODULE_RULES with the rules that it
 * breaks, ERR_BUDGET where the board does not hold it.
 */
export async function build(target: BuildTarget): Promise<BuildReport> {
  const linked = await makeModule(target);
  const { board } = target;
  const native = board?.engine === 'native' ? await buildForCore(target, board, linked) : undefined;
  try {
    const report = describe(target, linked, native);
    if (target.anySize !== true) checkFit(report, target.limits ?? {}, native?.overflow);
    return write(target, linked, report, native);
  } finally {
    if (native !== undefined) removeFolder(native.folder);
  }
}

/** `overflow`: the linker's word, where it has found no room. Our own says more. */
function checkFit(report: StoredReport, limits: Readonly<Record<string, number>>, overflow?: FirmwareError): void {
  const { name, board, flash, ram } = report;
  if (board === null || flash === null || ram === null) return;
  checkBudget({ name, board, functions: report.nativeFunctions ?? report.functions, limits }, { flash, ram });
  if (overflow !== undefined) throw overflow;
}

/** Compiled, checked, linked, and checked again. */
async function makeModule(target: BuildTarget): Promise<Linked> {
  const compiled = await compile(target);
  const debug = target.debug === true;
  const updates = target.board === undefined || target.board.updates === true;
  const options = { debug, contract: target.contract, updates };
  checkModule(compiled, options);
  const linked = link(compiled, debug);
  checkModule(linked.bytes, options);
  return linked;
}

function describe(target: BuildTarget, linked: Linked, native: TemporaryBuild | undefined): StoredReport {
  const graph = callGraph(parseModule(linked.bytes), linked.names);
  const wamr = wamrTargetOf(target.board);
  const sizes = {
    wasmBytes: linked.bytes.length,
    stateBytes: target.contract ? new DeviceModule(linked.bytes, target.name).imageBytes : 0,
    linearBytes: linked.linearBytes,
    operandStackBytes: wamrStackBytes(linked.bytes, wamr),
  };
  return {
    format: 1,
    name: target.name,
    version: target.version ?? versionFor(target.application ?? MODULES_DIR),
    board: target.board?.name ?? null,
    ...sizes,
    deepestCall: deepest(graph, () => 1).path,
    ...(usagesOf(target.board, { ...sizes, loadedBytes: wamrLoadedBytes(linked.bytes, wamr) }, native) ?? {
      flash: null,
      ram: null,
    }),
    functions: largestFirst(graph.functions.map(({ name, bytes }) => ({ name, bytes }))),
    native: native?.figures ?? null,
    nativeFunctions: native === undefined ? null : largestFirst(native.functions),
  };
}

/** Undefined where the board has no end of memory, or there is no board. */
function usagesOf(board: Board | undefined, needs: WamrNeeds, native: TemporaryBuild | undefined): Usages | undefined {
  if (board === undefined) return undefined;
  if (native !== undefined) return nativeUsages(board, { ...native, ...native.figures });
  return board.engine === 'wamr' ? wamrUsages(board, needs) : undefined;
}

function write(
  target: BuildTarget,
  { bytes }: Linked,
  report: StoredReport,
  native: TemporaryBuild | undefined,
): BuildReport {
  const { name, version, wasmBytes, stateBytes, linearBytes, operandStackBytes } = report;
  const manifest = makeManifest(bytes, {
    name,
    version,
    abi: target.contract ? ABI_VERSION : null,
    board: target.board?.name,
    sizes: { wasmBytes, stateBytes, linearBytes, operandStackBytes },
    ...(target.key !== undefined && { key: target.key }),
  });
  const { before, files } = writeArtifacts(target.out, { module: bytes, manifest, report, native });
  const { format: _, ...told } = report;
  return { ...told, out: target.out, changes: compareReports(before, report), files };
}
