// The files that a build leaves: the module, and beside it, under the same name, what belongs to it.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { NativeNeeds, Part } from './budget.js';
import type { FirmwareError } from './error.js';
import { cHeader } from './header.js';
import type { Manifest } from './manifest.js';
import { type Artifacts, type NativeFigures, readReport, type StoredReport } from './report.js';

/** A build for a core, in a folder that goes once its files have been copied. */
export interface TemporaryBuild {
  readonly folder: string;
  readonly parts: NativeNeeds['parts'];
  readonly figures: NativeFigures;
  readonly functions: readonly Part[];
  readonly files: { readonly c: string; readonly elf: string; readonly hex: string; readonly bin: string };
  /** The board does not hold it: what the linker said. */
  readonly overflow?: FirmwareError;
}

export interface Content {
  readonly module: Uint8Array;
  readonly manifest: Manifest;
  readonly report: StoredReport;
  readonly native: TemporaryBuild | undefined;
}

export const MODULE_EXTENSION = '.wasm';

/** `out`: the module's file. */
export function artifactsBeside(out: string, isNative: boolean): Artifacts {
  const stem = out.endsWith(MODULE_EXTENSION) ? out.slice(0, -MODULE_EXTENSION.length) : out;
  const common = {
    module: out,
    manifest: `${stem}.json`,
    header: `${stem}.h`,
    report: `${stem}.report.json`,
  };
  if (!isNative) return common;
  return { ...common, c: `${stem}.c`, elf: `${stem}.elf`, hex: `${stem}.hex`, bin: `${stem}.bin` };
}

/** objcopy makes files that look like programs of this machine. */
const EXECUTABLE = 0o111;

/** Returns what was written, and the report of the build that was there before. */
export function writeArtifacts(out: string, content: Content): { before: StoredReport | undefined; files: Artifacts } {
  const { manifest, native } = content;
  const files = artifactsBeside(out, native !== undefined);
  const before = readReport(files.report);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(files.module, content.module);
  writeFileSync(files.manifest, asJson(manifest));
  writeFileSync(files.header, cHeader(content.module, { ...manifest, ...manifest.sizes }));
  if (native !== undefined) {
    for (const kind of ['c', 'elf', 'hex', 'bin'] as const) copyFileSync(native.files[kind], files[kind]!);
    for (const kind of ['hex', 'bin'] as const) chmodSync(files[kind]!, statSync(files[kind]!).mode & ~EXECUTABLE);
  }
  writeFileSync(files.report, asJson(content.report));
  return { before, files };
}

const asJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** A new folder, which goes where `use` fails. */
export async function temporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-build-'));
  try {
    return await use(folder);
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
