// The program that is WAMR on this machine, for tests: built once, driven call by call.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBoard } from '../../host/firmware/boards.js';
import { type LockstepBoard, lockstepProgram } from '../../host/firmware/run/lockstep-board.js';
import { buildHostBoard } from '../../host/firmware/wamr.js';
import { scratch } from '../host/firmware/modules.js';

export const WAMR_BOARD = 'linux-wamr';
/** What builds it; libclang-dev besides. */
export const WAMR_TOOLS = ['cargo', 'cmake', 'make', 'gcc'];
/** The first build compiles WAMR, beside whatever else runs here. */
export const BUILD_MS = 600_000;

let program: Promise<string> | undefined;

export function wamrProgram(): Promise<string> {
  program ??= buildHostBoard(readBoard(WAMR_BOARD));
  return program;
}

/** A module as a file. */
export function moduleFile(wasm: Uint8Array, name = 'module'): string {
  const folder = join(scratch(), name);
  mkdirSync(folder);
  const file = join(folder, `${name}.wasm`);
  writeFileSync(file, wasm);
  return file;
}

export async function lockstepOnWamr(wasm: Uint8Array, ...args: string[]): Promise<LockstepBoard> {
  return lockstepProgram(await wamrProgram(), [moduleFile(wasm), '--lockstep', ...args]);
}
