// The tour, built for boards: a module for those that run one. Firmware for the others is made by native.ts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Board } from '../../host/firmware/boards.js';
import { type CompileOptions, compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { TOUR } from './scenario.js';
import { WAMR_TOOLS } from './wamr.js';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-boards-'));
  folders.push(folder);
  return folder;
}

type Limits = Readonly<Record<string, number>>;

export interface Tour {
  /** What firmware is made from, too. */
  readonly source: CompileOptions;
  readonly wasm: Uint8Array;
}

const sourceOf = (limits: Limits): CompileOptions => ({
  entry: 'application',
  application: TOUR,
  limits,
});

/** The module as a board gets it. `limits` go before the board's own. */
export async function buildTour(board: Board | undefined, limits: Limits = {}): Promise<Tour> {
  const all = { ...board?.limits, ...limits };
  const { bytes } = link(await compile(sourceOf(all)));
  return { source: sourceOf(all), wasm: bytes };
}

/** Returns the module's file. */
export function writeModule({ wasm }: Tour): string {
  const file = join(temporaryFolder(), 'tour.wasm');
  writeFileSync(file, wasm);
  return file;
}

/** The programs that building and running an application for the board takes. */
export function toolsOf({ toolchain, emulator, host }: Board): string[] {
  const engine = host === undefined ? [] : WAMR_TOOLS;
  const compiler = toolchain === undefined ? [] : [`${toolchain.prefix}gcc`];
  return [...engine, ...compiler, ...(emulator === undefined ? [] : [emulator.program])];
}
