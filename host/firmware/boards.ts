// Boards: a folder of data each, under boards/.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FirmwareError } from './error.js';
import { PACKAGE_ROOT } from './paths.js';

/** What boards/NAME/board.json says. */
export interface Board {
  readonly name: string;
  readonly description: string;
  /** Limits of the client where they differ from the defaults: names of protocol/limits.ts without `_DEFAULT`. */
  readonly limits: Readonly<Record<string, number>>;
}

const BOARDS_DIR = join(PACKAGE_ROOT, 'boards');
const BOARD_FILE = 'board.json';

export function listBoards(): string[] {
  return readdirSync(BOARDS_DIR).filter((name) => existsSync(join(BOARDS_DIR, name, BOARD_FILE)));
}

/** Throws ERR_BOARD with the boards there are. */
export function readBoard(name: string): Board {
  const boards = listBoards();
  if (!boards.includes(name)) {
    throw new FirmwareError(
      'ERR_BOARD',
      `no board "${name}": there ${boards.length === 1 ? 'is' : 'are'} ${boards.join(', ')}`,
    );
  }
  return JSON.parse(readFileSync(join(BOARDS_DIR, name, BOARD_FILE), 'utf8')) as Board;
}
