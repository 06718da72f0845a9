// thimble build: applications and modules to WebAssembly.
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { readBoard } from '../firmware/boards.js';
import { applicationTarget, type BuildReport, type BuildTarget, build, listTargets } from '../firmware/build.js';
import { FirmwareError } from '../firmware/error.js';
import { UsageError } from './failure.js';
import { isFolder } from './files.js';
import { number, print, printJson, table } from './output.js';

export interface BuildCommandOptions {
  readonly board?: string;
  readonly out?: string;
  readonly debug?: boolean;
  readonly json?: boolean;
  readonly use?: readonly string[];
}

/** `app`: a file, the name of an example or module, or nothing for all of the library's. */
export async function runBuild(app: string | undefined, options: BuildCommandOptions): Promise<void> {
  const board = options.board === undefined ? undefined : readBoard(options.board);
  const limits = { ...board?.limits, ...parseLimits(options.use ?? []) };
  const common = { limits, debug: options.debug === true };
  const targets = selectTargets(app, options.out).map((target) => ({ ...target, ...common }));
  const reports: BuildReport[] = [];
  for (const target of targets) reports.push(await build(target).catch(blameLimit));
  if (options.json === true) printJson({ modules: reports });
  else printReports(reports);
}

function selectTargets(app: string | undefined, out: string | undefined): BuildTarget[] {
  if (app === undefined) {
    if (out !== undefined)
      throw new UsageError('ERR_USAGE_OUT', '--out needs an application: thimble build APP --out FILE');
    return listTargets();
  }
  const known = listTargets().find((target) => target.name === app);
  // What others run (BUILD_DIR) changes only when everything is built: this may be built with limits of its own.
  if (known !== undefined) return [{ ...known, out: out ?? join('build', `${known.name}.wasm`) }];
  if (!existsSync(app) || isFolder(app)) {
    const names = listTargets().map((target) => target.name);
    throw new FirmwareError('ERR_APP_NOT_FOUND', `no application "${app}": a file, or one of ${names.join(', ')}`);
  }
  return [applicationTarget(app, out ?? join('build', `${applicationTarget(app).name}.wasm`))];
}

/** NAME=VALUE pairs of --use. */
function parseLimits(pairs: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const match = /^([A-Z0-9_]+)=(\d{1,10})$/.exec(pair);
      if (match === null) throw new FirmwareError('ERR_LIMIT', `--use ${pair}: NAME=NUMBER, such as TOPICS_MAX=24`);
      return [match[1]!.replace(/^THIMBLE_/, ''), Number(match[2])];
    }),
  );
}

/** What the limits' own checks say through the compiler (assembly/memory/limits.ts). */
const LIMIT_SAID = /User-defined: 'THIMBLE_([A-Z0-9_]+(?: and others)?: [^']*)'/;

/** A limit out of its range is the caller's fault, though the compiler finds it. */
function blameLimit(error: unknown): never {
  const said = error instanceof FirmwareError && error.code === 'ERR_COMPILE' && LIMIT_SAID.exec(error.message);
  if (said) throw new FirmwareError('ERR_LIMIT', `--use ${said[1]}`);
  throw error;
}

/** As short as the current folder allows; what is outside of it in full, not as a ladder of `..`. */
function displayPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? resolve(file) : path;
}

function printReports(reports: readonly BuildReport[]): void {
  const rows = reports.map((r) => [
    r.name,
    number(r.wasmBytes),
    number(r.stateBytes),
    number(r.linearBytes),
    displayPath(r.out),
  ]);
  print(table(['module', 'wasm B', 'state B', 'linear memory B', 'file'], rows));
}

/** Builds an application where `build` would by default, and returns the file. */
export async function buildApplication(app: string): Promise<string> {
  const [target] = selectTargets(app, undefined);
  return (await build(target!)).out;
}
