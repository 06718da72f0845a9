// The tour, built for boards: a module for those that run one, and firmware made from the module and its twin for the others.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Board } from '../../host/firmware/boards.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { buildNative } from '../../host/firmware/native/build-native.js';
import { linkTwin } from '../../host/firmware/twin.js';
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

export interface Tour {
  readonly limits: Readonly<Record<string, number>>;
  readonly wasm: Uint8Array;
}

/** The module as a board gets it. `limits` go before the board's own. */
export async function buildTour(board: Board | undefined, limits: Tour['limits'] = {}): Promise<Tour> {
  const all = { ...board?.limits, ...limits };
  const { bytes } = link(await compile({ entry: 'application', application: TOUR, limits: all }));
  return { limits: all, wasm: bytes };
}

/** Returns the module's file. */
export function writeModule({ wasm }: Tour): string {
  const file = join(temporaryFolder(), 'tour.wasm');
  writeFileSync(file, wasm);
  return file;
}

/** Returns the firmware's file. */
export async function buildFirmware(board: Board, tour: Tour, main: 'loop' | 'lockstep'): Promise<string> {
  const { bytes: shifted } = await linkTwin({ entry: 'application', application: TOUR, limits: tour.limits });
  const build = await buildNative({ board, name: 'tour', module: tour.wasm, shifted, outDir: temporaryFolder(), main });
  return build.elf;
}

/** The programs that building and running an application for the board takes. */
export function toolsOf({ toolchain, emulator, host }: Board): string[] {
  const engine = host === undefined ? [] : WAMR_TOOLS;
  const compiler = toolchain === undefined ? [] : [`${toolchain.prefix}gcc`];
  return [...engine, ...compiler, ...(emulator === undefined ? [] : [emulator.program])];
}
