// What a board needs of the machine it is built, run or written on: read from its board.json.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BOARDS_DIR, type Board } from '../boards.js';

/** What is needed: a program, or a library that has none. */
export type Need = ProgramNeed | LibraryNeed;

export interface ProgramNeed {
  readonly kind: 'program';
  readonly name: string;
  /** What for, where debian-packages.txt does not say. */
  readonly purpose?: string;
  /** The Debian package, where the board itself names it. */
  readonly package?: string;
  readonly versionMin?: string;
  /** How to get it where Debian has it not, or not as new. */
  readonly get?: string;
}

export interface LibraryNeed {
  readonly kind: 'library';
  readonly purpose?: undefined;
  /** As Debian calls its package. */
  readonly name: string;
  /** For the C library of firmware: the compiler that has to find it, and by which specs. */
  readonly compiler?: { readonly program: string; readonly specs: string };
}

/** What each thing that can be done with a board takes. Empty: nothing but Node. Undefined: it cannot be done here. */
export interface BoardNeeds {
  readonly build: readonly Need[];
  readonly run?: readonly Need[];
  readonly flash?: readonly Need[];
}

export function needsOf(board: Board): BoardNeeds {
  const { toolchain, host, emulator, flash } = board;
  const build = [...(toolchain ? crossNeeds(toolchain) : []), ...(host ? hostNeeds(board.name, host.build[0]!) : [])];
  const run = emulator ? [...build, program(emulator.program)] : build;
  return {
    build,
    ...((emulator || host || board.engine === 'v8') && { run }),
    ...(flash && { flash: [...build, flashNeed(board.name, flash)] }),
  };
}

const program = (name: string): ProgramNeed => ({ kind: 'program', name });

function crossNeeds(toolchain: NonNullable<Board['toolchain']>): Need[] {
  const target = toolchain.prefix.replace(/-$/, '');
  const compiler = `${toolchain.prefix}gcc`;
  const library = `${toolchain.specs.replace(/\.specs$/, '')}-${target}`;
  return [
    program(compiler),
    program(`${toolchain.prefix}objcopy`),
    { kind: 'library', name: library, compiler: { program: compiler, specs: toolchain.specs } },
  ];
}

const CARGO = 'cargo';
/** What a runtime's crate builds its C with, and reads its headers with. */
const BESIDE_CARGO: readonly Need[] = [
  program('cmake'),
  program('make'),
  program('gcc'),
  { kind: 'library', name: 'libclang-dev' },
];

function hostNeeds(board: string, builder: string): Need[] {
  if (builder !== CARGO) return [program(builder)];
  const versionMin = rustVersionOf(board);
  const get = `https://rustup.rs${versionMin === undefined ? '' : `: ${versionMin} or later is needed`}`;
  const purpose = 'builds boards that are programs of this machine';
  return [{ ...program(CARGO), purpose, get, ...(versionMin !== undefined && { versionMin }) }, ...BESIDE_CARGO];
}

/** The oldest Rust that the board's crate can be built with, where the crate says so. */
function rustVersionOf(board: string): string | undefined {
  const file = join(BOARDS_DIR, board, 'Cargo.toml');
  if (!existsSync(file)) return undefined;
  return /^rust-version\s*=\s*"([\d.]+)"/m.exec(readFileSync(file, 'utf8'))?.[1];
}

function flashNeed(board: string, flash: NonNullable<Board['flash']>): ProgramNeed {
  const need = { ...program(flash.program), purpose: 'writes firmware to a real board' };
  if (flash.package !== undefined) return { ...need, package: flash.package };
  return { ...need, get: `see ${join(BOARDS_DIR, board, 'README.md')}` };
}
