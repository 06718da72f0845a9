// Firmware for a core: the C made from a module, the code that boards share and the board's port, compiled and linked; and
// what it takes of flash, RAM and stack.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { BOARDS_DIR, type Board, type Toolchain } from '../boards.js';
import type { Part } from '../budget.js';
import { FirmwareError } from '../error.js';
import { emitC } from './emit.js';
import { nativeFlags } from './flags.js';
import { type NativePart, readFunctions, readParts, readSections, type Sections } from './sizes.js';
import { readCode, readFrames, type StackUse, worstStack } from './stack.js';
import { findTools, type Tools } from './toolchain.js';

export interface NativeOptions {
  readonly board: Board;
  /** Of the files that are written: NAME.c, NAME.elf, NAME.hex, NAME.bin. */
  readonly name: string;
  /** Linked. */
  readonly module: Uint8Array;
  /** The same, compiled to lie elsewhere: see emitC. */
  readonly shifted: Uint8Array;
  readonly outDir: string;
  /** The board's own loop, or one that is told what happens (boards/common/lockstep.c). Default: loop. */
  readonly main?: 'loop' | 'lockstep';
  /** With checks of every access, see emitC. Default: false. */
  readonly checked?: boolean;
}

export interface NativeBuild extends Sections {
  readonly c: string;
  readonly elf: string;
  readonly hex: string;
  readonly bin: string;
  /** The most that the stack can ever hold, an interrupt at the worst moment included. */
  readonly stackBytes: number;
  /** The calls that make it so. */
  readonly stackPath: readonly string[];
  /** The largest first. */
  readonly functions: readonly Part[];
  /** Without the stack. */
  readonly parts: readonly NativePart[];
}

const COMMON_DIR = join(BOARDS_DIR, 'common');
/** What all boards with native code share; their ports name the rest. */
const COMMON_SOURCES = ['start.c', 'retained.c', 'watchdog.c', 'seed.c', 'boot-log.c', 'link-serial.c', 'slip.c'];
const MODULE_SOURCE = 'module-native.c';
const FLAGS = ['-std=gnu11', '-g', '-ffunction-sections', '-fdata-sections', '-fno-common'];
const WARNINGS = ['-Wall', '-Wextra', '-Werror'];
const MAP = 'firmware.map';

/** Of the ELF header (System V ABI, 4.3): u16 at 18, u32 at 24. */
const ELF_MACHINE_AT = 18;
const ELF_ENTRY_AT = 24;
const ELF_MACHINE_ARM = 40;
/** Eight registers, and a word where the stack has to be aligned (ARMv7-M, B1.5.7). */
const ARM_EXCEPTION_BYTES = 36;
/** How ports name what an interrupt calls. */
const INTERRUPT = /_interrupt$/;

/**
 * Makes firmware for a board with native code. Throws ERR_NATIVE, ERR_NATIVE_BUILD, ERR_TOOLCHAIN, ERR_STACK, or ERR_BUDGET
 * where it does not fit the board.
 */
export async function buildNative(options: NativeOptions): Promise<NativeBuild> {
  const { board, name, outDir } = options;
  const { toolchain } = board;
  if (toolchain === undefined) throw new FirmwareError('ERR_TOOLCHAIN', `${board.name} does not run native code`);
  const tools = await findTools(toolchain);
  const code = emitC(options.module, options.shifted, {
    checked: options.checked === true,
    verbs: options.main === 'lockstep',
  });
  mkdirSync(outDir, { recursive: true });
  const stem = resolve(outDir, name);
  const files = { c: `${stem}.c`, elf: `${stem}.elf`, hex: `${stem}.hex`, bin: `${stem}.bin` };
  writeFileSync(files.c, code);
  const folder = mkdtempSync(join(tmpdir(), 'thimble-native-'));
  try {
    await compileAndLink(tools, toolchain, options, files, folder);
    await tools.run('objcopy', ['-O', 'ihex', files.elf, files.hex], folder);
    await tools.run('objcopy', ['-O', 'binary', files.elf, files.bin], folder);
    return { ...files, ...(await measure(tools, board, files.elf, folder)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compileAndLink(
  tools: Tools,
  toolchain: Toolchain,
  options: NativeOptions,
  files: { readonly c: string; readonly elf: string },
  folder: string,
): Promise<void> {
  const { board, main = 'loop' } = options;
  const boardDir = join(BOARDS_DIR, board.name);
  const sources = [
    ...[...COMMON_SOURCES, `${main}.c`, MODULE_SOURCE].map((file) => join(COMMON_DIR, file)),
    ...toolchain.sources.map((file) => resolve(boardDir, file)),
  ];
  const machine = [`--specs=${toolchain.specs}`, ...toolchain.flags, ...FLAGS, ...nativeFlags(toolchain.prefix)];
  const defines = {
    THIMBLE_MAIN: `${main}_run`,
    THIMBLE_BUILD: `0x${buildNumber([tools.version, main, ...machine, JSON.stringify(board)], [files.c, ...sources, ...headersIn(boardDir)])}`,
    MODULE_SOURCE: JSON.stringify(files.c),
  };
  await tools.compile(
    [
      ...machine,
      ...WARNINGS,
      '-fcallgraph-info=su',
      ...Object.entries(defines).map(([key, value]) => `-D${key}=${value}`),
      ...['-I', boardDir, '-I', COMMON_DIR, '-c'],
      ...sources,
    ],
    folder,
  );
  const symbols = {
    __stack_bytes: board.stackBytes ?? 0,
    __flash_bytes: board.flashBytes ?? 0xffffffff,
    __ram_bytes: board.ramBytes ?? 0xffffffff,
  };
  const linking = [
    ...machine,
    '-nostartfiles',
    '-Wl,--gc-sections',
    `-Wl,-Map=${MAP}`,
    ...Object.entries(symbols).map(([key, value]) => `-Wl,--defsym=${key}=${value}`),
    ...['-L', COMMON_DIR, '-T', join(boardDir, toolchain.script), '-o', files.elf],
    ...sources.map((file) => `${basename(file, extname(file))}.o`),
  ];
  try {
    await tools.compile(linking, folder);
  } catch (error) {
    throw overflow(error as FirmwareError, board, folder) ?? error;
  }
}

/** Headers and linker scripts: what they say is in no source's own octets. */
function headersIn(boardDir: string): string[] {
  return [COMMON_DIR, boardDir].flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => /\.(h|ld)$/.test(file))
      .sort()
      .map((file) => join(folder, file)),
  );
}

/** Tells this firmware from every other: what one has left in RAM means nothing to another. */
function buildNumber(words: readonly string[], files: readonly string[]): string {
  const hash = createHash('sha256').update(words.join('\n'));
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 8);
}

const OVERFLOW = /region `(\w+)' overflowed by (\d+) bytes?/g;

/** The linker's words for firmware that does not fit, with what takes the room. */
function overflow(error: FirmwareError, board: Board, folder: string): FirmwareError | undefined {
  const regions = [...error.message.matchAll(OVERFLOW)];
  if (regions.length === 0) return undefined;
  const parts = readParts(readFileSync(join(folder, MAP), 'utf8'), objectOf(MODULE_SOURCE));
  const lines = regions.map(([, region, bytes]) => {
    const isFlash = region === 'FLASH';
    const taken = parts.map((p) => `${p.name} ${isFlash ? p.flashBytes : p.ramBytes}`);
    const all = isFlash ? taken : [...taken, `stack ${board.stackBytes ?? 0}`];
    return `  ${region}: ${bytes} B too many; ${all.join(', ')}`;
  });
  return new FirmwareError('ERR_BUDGET', `the firmware does not fit ${board.name}:\n${lines.join('\n')}`);
}

const objectOf = (source: string): string => `${basename(source, extname(source))}.o`;

async function measure(
  tools: Tools,
  board: Board,
  elf: string,
  folder: string,
): Promise<Omit<NativeBuild, 'c' | 'elf' | 'hex' | 'bin'>> {
  const sections = readSections(await tools.run('size', ['-A', elf], folder));
  const functions = readFunctions(await tools.run('nm', ['-S', elf], folder));
  const parts = readParts(readFileSync(join(folder, MAP), 'utf8'), objectOf(MODULE_SOURCE));
  const stack = await measureStack(tools, elf, folder);
  if (board.stackBytes !== undefined && stack.bytes > board.stackBytes) {
    throw new FirmwareError(
      'ERR_STACK',
      `${board.name} keeps ${board.stackBytes} B of stack (stackBytes), ${stack.bytes} B may be needed: ${stack.path.join(' → ')}`,
    );
  }
  return { ...sections, functions, parts, stackBytes: stack.bytes, stackPath: stack.path };
}

async function measureStack(tools: Tools, elf: string, folder: string): Promise<StackUse> {
  const graphs = readdirSync(folder).filter((file) => file.endsWith('.ci'));
  const frames = readFrames(graphs.map((file) => readFileSync(join(folder, file), 'utf8')));
  const code = readCode(await tools.run('objdump', ['-d', '--no-show-raw-insn', elf], folder));
  const header = readFileSync(elf);
  return worstStack(code, frames, {
    entry: (header.readUInt32LE(ELF_ENTRY_AT) & ~1) >>> 0, // Thumb code has an odd address
    isInterrupt: (name) => INTERRUPT.test(name),
    interruptBytes: header.readUInt16LE(ELF_MACHINE_AT) === ELF_MACHINE_ARM ? ARM_EXCEPTION_BYTES : 0,
  });
}
