// Boards: a folder of data each, under boards/, all under one schema.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { explainSchemaError } from '../core/schema-error.js';
import { FirmwareError } from './error.js';
import { PACKAGE_ROOT } from './paths.js';

/** What boards/NAME/board.json says; boards/board.schema.json says what each key means, in which unit and range. */
export interface Board {
  readonly name: string;
  readonly description: string;
  readonly mcu: string;
  readonly engine: 'v8' | 'wamr' | 'native';
  readonly link: 'udp' | 'serial';
  readonly flashBytes?: number;
  readonly ramBytes?: number;
  readonly pageBytes: number;
  readonly stackBytes?: number;
  readonly runtime?: { readonly flashBytes: number; readonly ramBytes: number };
  readonly limits: Readonly<Record<string, number>>;
  readonly updates?: boolean;
  readonly toolchain?: Toolchain;
  readonly host?: { readonly build: readonly string[]; readonly program: string };
  readonly emulator?: Emulator;
  readonly flash?: FlashTool;
  readonly verified: 'simulator' | 'machine' | 'emulator' | 'compiled';
}

export interface Toolchain {
  readonly prefix: string;
  readonly specs: string;
  readonly flags: readonly string[];
  readonly sources: readonly string[];
  readonly script: string;
}

export interface Emulator {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly seedAt?: string;
  readonly hz?: number;
}

export interface FlashTool {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly package?: string;
  readonly hint?: string;
}

export const BOARDS_DIR = join(PACKAGE_ROOT, 'boards');
const BOARD_FILE = 'board.json';
const SCHEMA_FILE = 'board.schema.json';

export function listBoards(): string[] {
  return readdirSync(BOARDS_DIR)
    .filter((name) => existsSync(join(BOARDS_DIR, name, BOARD_FILE)))
    .sort();
}

/** Throws ERR_BOARD with the boards there are, or with what is wrong in the board's file. */
export function readBoard(name: string): Board {
  const boards = listBoards();
  if (!boards.includes(name)) {
    throw new FirmwareError(
      'ERR_BOARD',
      `no board "${name}": there ${boards.length === 1 ? 'is' : 'are'} ${boards.join(', ')}`,
    );
  }
  const file = join(BOARDS_DIR, name, BOARD_FILE);
  const board = checkBoard(parse(file), file);
  if (board.name !== name) throw new FirmwareError('ERR_BOARD', `${file}: name: "${name}", as its folder is called`);
  return board;
}

/** `value` as a board. Throws ERR_BOARD with what is wrong and where. `file`: for the message. */
export function checkBoard(value: unknown, file: string): Board {
  const validate = new Ajv({ strict: false, verbose: true }).compile<Board>(
    parse(join(BOARDS_DIR, SCHEMA_FILE)) as object,
  );
  if (validate(value)) return value;
  throw new FirmwareError('ERR_BOARD', `${file}: ${explainSchemaError(validate.errors!, 'the board')}`);
}

/** Whether a build for it is no firmware, but a module and a header for a project of the board's SDK. */
export function isForSdk({ engine, host }: Board): boolean {
  return engine === 'wamr' && host === undefined;
}

/** Where it says how a board is built for, started and written to. */
export const readmeOf = ({ name }: Pick<Board, 'name'>): string => join(BOARDS_DIR, name, 'README.md');

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new FirmwareError('ERR_BOARD', `${file}: ${(error as Error).message}`);
  }
}
