// thimble size: what an application takes on boards, side by side.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Board, listBoards, readBoard } from '../firmware/boards.js';
import type { Usage } from '../firmware/budget.js';
import { FirmwareError, type FirmwareErrorCode } from '../firmware/error.js';
import { buildToMeasure } from './build-for.js';
import { colours, number, print, printJson, table } from './output.js';

export interface SizeCommandOptions {
  readonly boards: string;
  readonly json?: boolean;
}

/** An application on one board. */
interface Size {
  readonly board: string;
  readonly engine: Board['engine'];
  readonly wasmBytes: number;
  readonly linearBytes: number;
  /** Null for boards that have no end of either. */
  readonly flash: Usage | null;
  readonly ram: Usage | null;
}

/** It could not be built here. */
interface Failure {
  readonly board: string;
  readonly engine: Board['engine'];
  readonly error: { readonly code: FirmwareErrorCode; readonly message: string };
}

/** What lies with the machine and not with the application: the other boards are compared all the same. */
const OF_THE_MACHINE: readonly FirmwareErrorCode[] = ['ERR_TOOLCHAIN'];

export async function runSize(app: string, options: SizeCommandOptions): Promise<void> {
  const boards = selectBoards(options.boards);
  const folder = mkdtempSync(join(tmpdir(), 'thimble-size-'));
  const sizes: (Size | Failure)[] = [];
  try {
    for (const board of boards) sizes.push(await measure(app, board, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (options.json === true) printJson({ app, boards: sizes });
  else printSizes(sizes);
}

function selectBoards(names: string): Board[] {
  const chosen = names === 'all' ? listBoards() : names.split(',').map((name) => name.trim());
  return [...new Set(chosen)].map(readBoard);
}

async function measure(app: string, board: Board, folder: string): Promise<Size | Failure> {
  const { name, engine } = board;
  try {
    const { wasmBytes, linearBytes, flash, ram } = await buildToMeasure(app, board, folder);
    return { board: name, engine, wasmBytes, linearBytes, flash, ram };
  } catch (error) {
    if (!(error instanceof FirmwareError) || !OF_THE_MACHINE.includes(error.code)) throw error;
    return { board: name, engine, error: { code: error.code, message: error.message } };
  }
}

function printSizes(sizes: readonly (Size | Failure)[]): void {
  const built = sizes.filter((size) => 'wasmBytes' in size);
  const rows = built.map((size) => [
    size.board,
    size.engine,
    number(size.wasmBytes),
    number(size.linearBytes),
    ...usedCells(size.flash),
    ...usedCells(size.ram),
  ]);
  if (rows.length > 0) {
    print(table(['board', 'runs', 'wasm B', 'linear memory B', 'flash B', 'used', 'RAM B', 'used'], rows));
  }
  const parts = built.flatMap(({ board, flash, ram }) => [
    ...(flash === null ? [] : [[board, 'flash', freeCell(flash), describeParts(flash)]]),
    ...(ram === null ? [] : [[board, 'RAM', freeCell(ram), describeParts(ram)]]),
  ]);
  if (parts.length > 0) print(`\n${table(['board', 'of', 'free B', 'parts, B'], parts)}`);
  for (const size of sizes) if ('error' in size) print(`\n  ${size.board}: ${size.error.message}`);
}

/** Octets, and their share of what there is; red where it does not fit. */
function usedCells(usage: Usage | null): string[] {
  if (usage === null) return ['–', '–'];
  const { usedBytes, budgetBytes } = usage;
  if (budgetBytes === null) return [number(usedBytes), '–'];
  const percent = `${((usedBytes / budgetBytes) * 100).toFixed(1)} %`;
  return [number(usedBytes), usedBytes > budgetBytes ? colours.red(percent) : percent];
}

/** How many octets are left; with a minus and red where it does not fit. */
function freeCell({ usedBytes, budgetBytes }: Usage): string {
  if (budgetBytes === null) return '–';
  const freeBytes = budgetBytes - usedBytes;
  return freeBytes >= 0 ? number(freeBytes) : colours.red(`-${number(-freeBytes)}`);
}

function describeParts({ parts }: Usage): string {
  return parts.map(({ name, bytes }) => `${name} ${number(bytes)}`).join(', ');
}
