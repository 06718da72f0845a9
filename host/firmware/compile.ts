// From AssemblyScript to WebAssembly: the compiler with the package's asconfig.json, and an application put in the place
// of assembly/apps/main.ts.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import * as limits from '../../assembly/protocol/limits.js';
import { describeExports } from './application-exports.js';
import { FirmwareError } from './error.js';
import { MODULES_DIR, PACKAGE_ROOT } from './paths.js';

export interface CompileOptions {
  /** The application's file, or undefined for a module that is an entry point itself. */
  readonly application?: string;
  /** The entry point, relative to assembly/modules, without `.ts`; "application" for applications. */
  readonly entry: string;
  /** Limits other than the defaults: names of protocol/limits.ts without `_DEFAULT`. */
  readonly limits?: Readonly<Record<string, number>>;
  /**
   * Where static data begin. Default: that of asconfig.json. Elsewhere, the state region is besides set apart from the
   * constants, by an eighth of the distance on either side: see native/relocate.ts.
   */
  readonly memoryBase?: number;
  /** Optimised less, with names and assertions. Default: false. */
  readonly debug?: boolean;
  /** Sees every source before it is compiled and may change it: how a test takes something out of the device. */
  readonly patch?: (path: string, text: string) => string;
}

const ASSEMBLY = join(PACKAGE_ROOT, 'assembly');
/** What stands for the application in assembly/modules/application.ts. */
const MAIN = join(ASSEMBLY, 'apps', 'main.ts');
/**
 * Stands for the root of the file system. The compiler knows a file by its path below the package; were the library reached
 * by two paths, it would be compiled twice, with two states.
 */
const OUTSIDE = join(ASSEMBLY, 'outside');
const OUTPUT = 'out.wasm';

/** Compiles one module. The result is not yet checked or linked. */
export async function compile(options: CompileOptions): Promise<Uint8Array> {
  const { default: asc } = await import('assemblyscript/asc');
  const application = options.application === undefined ? undefined : resolve(options.application);
  if (application !== undefined && !existsSync(application)) {
    throw new FirmwareError('ERR_APP_NOT_FOUND', `no application at ${application}`);
  }
  let output: Uint8Array | undefined;
  const result = await asc.main(argumentsFor(options), {
    readFile: (name, base) => {
      const path = resolve(base, name);
      const text = readSource(path, application);
      return text === null || options.patch === undefined ? text : options.patch(path, text);
    },
    writeFile: (name, contents) => {
      if (name.endsWith(OUTPUT)) output = contents as Uint8Array;
    },
    listFiles: () => null,
  });
  if (result.error !== null || output === undefined) {
    const said = result.stderr.toString().trim() || String(result.error?.message);
    throw new FirmwareError('ERR_COMPILE', inWordsOf(said, application));
  }
  return output;
}

function argumentsFor(options: CompileOptions): string[] {
  return [
    relative(PACKAGE_ROOT, join(MODULES_DIR, `${options.entry}.ts`))
      .split(sep)
      .join('/'),
    '--baseDir',
    PACKAGE_ROOT,
    '--config',
    'asconfig.json',
    '--debug', // names, of which the link step's reports speak; the code is the same
    '--noColors', // what it says is read by programs, too, and shown within our own message
    '--target',
    options.debug === true ? 'debug' : 'release',
    '--outFile',
    OUTPUT,
    ...useLimits(options.limits ?? {}),
    ...(options.memoryBase === undefined ? [] : placeMemory(options.memoryBase)),
  ];
}

function placeMemory(base: number): string[] {
  return ['--memoryBase', String(base), '--use', `THIMBLE_IMAGE_GAP=${(base >> 6) << 3}`];
}

/** `{ TOPICS_MAX: 24 }` becomes `--use THIMBLE_TOPICS_MAX=24`. */
function useLimits(chosen: Readonly<Record<string, number>>): string[] {
  const known = Object.keys(limits).map((name) => name.replace(/_DEFAULT$/, ''));
  return Object.entries(chosen).flatMap(([name, value]) => {
    if (!known.includes(name)) {
      throw new FirmwareError('ERR_LIMIT', `no limit is called ${name}; there are ${known.join(', ')}`);
    }
    if (!Number.isInteger(value)) throw new FirmwareError('ERR_LIMIT', `limit ${name}: a whole number, not ${value}`);
    return ['--use', `THIMBLE_${name}=${value}`];
  });
}

/** The application stands in for main.ts, and its own files in OUTSIDE; their imports lead where they should. */
function readSource(path: string, application: string | undefined): string | null {
  if (application !== undefined && path === MAIN) return readApplication(application, MAIN);
  const file = path.startsWith(OUTSIDE + sep) ? path.slice(OUTSIDE.length) : path;
  if (!existsSync(file)) return null;
  return file === path ? readFileSync(file, 'utf8') : readApplication(file, path);
}

/** `file` as it reads at `place`: `thimble` is the library, `./x` is beside the file. */
function readApplication(file: string, place: string): string {
  return readFileSync(file, 'utf8').replace(
    /(\bfrom\s*)(['"])(thimble|\.{1,2}\/[^'"]+)\2/g,
    (_all, keyword: string, quote: string, target: string) => {
      const imported = target === 'thimble' ? join(ASSEMBLY, 'index') : resolve(dirname(file), target);
      const at = imported.startsWith(ASSEMBLY + sep) ? imported : OUTSIDE + imported;
      const path = relative(dirname(place), at).split(sep).join('/');
      return `${keyword}${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`;
    },
  );
}

/** What the compiler said, for whoever wrote the application and knows no other file. */
function inWordsOf(said: string, application: string | undefined): string {
  if (application === undefined) return said;
  const words = describeExports(said, relative(process.cwd(), application))
    .replaceAll('assembly/apps/main.ts', relative(process.cwd(), application))
    .replace(/assembly\/outside(\/[^\s:()'"]+)/g, (_all, file: string) => relative(process.cwd(), file))
    .replace(/(?:\.{1,2}\/)+outside(\/[^\s:()'"]+)/g, (_all, file: string) => asImported(file, application));
  // What a copy of an example begins with.
  return /^ERROR TS6054: File '(?:\S*\/)?index\.ts'/m.test(words)
    ? `${words}\nThe library is imported from 'thimble'.`
    : words;
}

/** A file's path as an import in the application has it. */
function asImported(file: string, application: string): string {
  const path = relative(dirname(application), file).split(sep).join('/');
  return path.startsWith('.') ? path : `./${path}`;
}
