// thimble boards: what an application can be built for.
import { type Board, listBoards, readBoard } from '../firmware/boards.js';
import { number, print, printJson, table } from './output.js';

/** What `verified` of a board's file means, for people. */
const VERIFIED: Readonly<Record<Board['verified'], string>> = {
  simulator: 'by every test',
  machine: 'run on this machine',
  emulator: 'run in QEMU',
  compiled: 'compiled, not run',
};

export function runBoards(options: { readonly json?: boolean }): void {
  const boards = listBoards().map(readBoard);
  if (options.json === true) {
    printJson({ boards: boards.map(describe) });
    return;
  }
  const rows = boards.map((b) => [
    b.name,
    b.mcu,
    b.engine,
    b.link,
    bytes(b.flashBytes),
    bytes(b.ramBytes),
    VERIFIED[b.verified],
  ]);
  print(table(['board', 'MCU', 'runs', 'link', 'flash B', 'RAM B', 'verified'], rows));
}

const bytes = (value: number | undefined): string => (value === undefined ? '–' : number(value));

/** Null where there is no end. */
function describe(board: Board): object {
  const { name, description, mcu, engine, link, flashBytes, ramBytes, pageBytes, limits, updates, verified } = board;
  return {
    name,
    description,
    mcu,
    engine,
    link,
    flashBytes: flashBytes ?? null,
    ramBytes: ramBytes ?? null,
    pageBytes,
    limits,
    updates: updates === true,
    verified,
  };
}
