// thimble build: applications and modules to WebAssembly, and to what a board needs of them.
import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MODULE_EXTENSION } from '../firmware/artifacts.js';
import { type Board, readBoard } from '../firmware/boards.js';
import { applicationTarget, type BuildReport, type BuildTarget, build, listTargets } from '../firmware/build.js';
import { FirmwareError } from '../firmware/error.js';
import { parseSigningKey } from '../firmware/manifest.js';
import { describeBuilds, withLargest } from './build-report.js';
import { UsageError } from './failure.js';
import { isFolder, readInput } from './files.js';
import { print, printJson } from './output.js';

export interface BuildCommandOptions {
  readonly board?: string;
  readonly out?: string;
  readonly appVersion?: string;
  readonly key?: string;
  readonly checked?: boolean;
  readonly debug?: boolean;
  readonly json?: boolean;
  readonly use?: readonly string[];
}

/** `app`: a file, the name of an example or module, or nothing for all of the library's. */
export async function runBuild(app: string | undefined, options: BuildCommandOptions): Promise<void> {
  const reports: BuildReport[] = [];
  for (const target of readTargets(app, options)) {
    const report = await build(target).catch((error: unknown) =>
      app === undefined ? leaveOut(target, error) : blameLimit(error),
    );
    if (report !== undefined) reports.push(report);
  }
  if (options.json === true) printJson({ modules: reports.map(withLargest) });
  else print(describeBuilds(reports));
}

/** Of everything, what the board could not take anyway is not built. */
function leaveOut(target: BuildTarget, error: unknown): undefined {
  if (!(error instanceof FirmwareError && error.code === 'ERR_UPDATES')) blameLimit(error);
  process.stderr.write(`${target.name} is left out: it takes updates, and ${target.board!.name} does not\n`);
}

/** What a command line asks to be built. Throws a UsageError, or a FirmwareError that is the caller's. */
export function readTargets(app: string | undefined, options: BuildCommandOptions): BuildTarget[] {
  const board = options.board === undefined ? undefined : readBoard(options.board);
  const limits = { ...board?.limits, ...parseLimits(options.use ?? []) };
  if (options.checked === true && board?.engine !== 'native') {
    throw new UsageError(
      'ERR_USAGE_CHECKED',
      `--checked is for boards with native code${board === undefined ? '' : `, not ${board.name}`}: elsewhere the runtime checks`,
    );
  }
  const common = {
    limits,
    debug: options.debug === true,
    ...(board !== undefined && { board }),
    ...(options.appVersion !== undefined && { version: checkVersion(options.appVersion) }),
    ...(options.key !== undefined && { key: readKey(options.key) }),
    ...(options.checked === true && { checked: true }),
  };
  return selectTargets(app, options.out, board).map((target) => ({ ...target, ...common }));
}

const SOURCE_EXTENSION = '.ts';

function selectTargets(app: string | undefined, out: string | undefined, board?: Board): BuildTarget[] {
  if (app === undefined && out !== undefined) {
    throw new UsageError('ERR_USAGE_OUT', '--out needs an application: thimble build APP --out FILE');
  }
  if (out !== undefined && !out.endsWith(MODULE_EXTENSION)) {
    throw new UsageError('ERR_USAGE_OUT', `--out ${out}: the module's file, which ends in ${MODULE_EXTENSION}`);
  }
  const place = (name: string): string => out ?? join('build', board?.name ?? '', `${name}${MODULE_EXTENSION}`);
  if (app === undefined) {
    if (board === undefined) return listTargets();
    // What is no device is nothing that a board could run.
    return listTargets().flatMap((target) => (target.contract ? [{ ...target, out: place(target.name) }] : []));
  }
  const known = listTargets().find((target) => target.name === app);
  // What others run (BUILD_DIR) changes only when everything is built: this may be built with limits of its own.
  if (known !== undefined) return [checkDevice({ ...known, out: place(known.name) }, board)];
  if (!existsSync(app) || isFolder(app)) {
    const names = listTargets().map((target) => target.name);
    throw new FirmwareError('ERR_APP_NOT_FOUND', `no application "${app}": a file, or one of ${names.join(', ')}`);
  }
  if (!app.endsWith(SOURCE_EXTENSION)) {
    throw new UsageError('ERR_USAGE_FILE', `${app}: no source of an application, which ends in ${SOURCE_EXTENSION}`);
  }
  return [applicationTarget(app, place(applicationTarget(app).name))];
}

function checkDevice(target: BuildTarget, board: Board | undefined): BuildTarget {
  if (board === undefined || target.contract) return target;
  throw new UsageError(
    'ERR_USAGE_BOARD',
    `${target.name} is no device that a board could run: build it without --board`,
  );
}

function checkVersion(text: string): string {
  if (/^\d{1,5}\.\d{1,5}\.\d{1,5}$/.test(text) && text.split('.').every((part) => Number(part) <= VERSION_PART_MAX)) {
    return text;
  }
  throw new UsageError(
    'ERR_USAGE_VERSION',
    `--app-version ${text}: three numbers from 0 to ${VERSION_PART_MAX}, such as 1.2.3`,
  );
}

const VERSION_PART_MAX = 65_535;

function readKey(file: string): KeyObject {
  return parseSigningKey(readInput('--key', file), `--key ${file}`);
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

/** Builds an application where `build` would by default, and returns the file. */
export async function buildApplication(app: string): Promise<string> {
  const [target] = selectTargets(app, undefined);
  return (await build(target!)).out;
}
