// One module from source to what goes onto a device: compiled, linked, checked, measured.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { DeviceModule } from '../device/device.js';
import { checkModule } from './check.js';
import { type CompileOptions, compile } from './compile.js';
import { link } from './link.js';
import { APPS_DIR, BUILD_DIR, MODULES_DIR } from './paths.js';

export interface BuildTarget extends CompileOptions {
  readonly name: string;
  /** Where the module goes. */
  readonly out: string;
  /** False for modules without a device, such as the codec. */
  readonly contract: boolean;
}

export interface BuildReport {
  readonly name: string;
  readonly out: string;
  readonly wasmBytes: number;
  /** Octets of the state region. */
  readonly stateBytes: number;
  /** Octets of linear memory in all: state, tables, constants. */
  readonly linearBytes: number;
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

/** Builds one target and writes it. Throws a FirmwareError, and writes nothing then. */
export async function build(target: BuildTarget): Promise<BuildReport> {
  const compiled = await compile(target);
  const options = { debug: target.debug === true, contract: target.contract };
  checkModule(compiled, options);
  const { bytes, linearBytes } = link(compiled, options.debug);
  checkModule(bytes, options);
  mkdirSync(dirname(target.out), { recursive: true });
  writeFileSync(target.out, bytes);
  const stateBytes = target.contract ? new DeviceModule(bytes, target.name).imageBytes : 0;
  return { name: target.name, out: target.out, wasmBytes: bytes.length, stateBytes, linearBytes };
}
