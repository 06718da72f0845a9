// Firmware that is built already: whether it is for the board that it is to go to. Firmware of another board starts nowhere,
// and says nothing.
import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { ANY_BOARD } from '../update/header.js';
import { type Board, listBoards, readBoard } from './boards.js';
import { FirmwareError } from './error.js';
import { readHex } from './native/hex.js';

/** Octets [from, end) of flash. */
interface Range {
  readonly from: number;
  readonly end: number;
}

/** What a file of firmware says of where it belongs. */
interface Contents {
  readonly ranges: readonly Range[];
  /** Of the ELF header. */
  readonly machine?: number;
  /** How large its board is; our own firmware has symbols for it. */
  readonly flashBytes?: number | undefined;
  readonly ramBytes?: number | undefined;
}

/**
 * Throws ERR_BOARD_FOREIGN where the manifest beside `file` names another board, or where what an .elf or a .hex loads is not
 * for the board's core, or does not lie in its flash. Of other files the manifest alone tells.
 */
export function checkFirmware(file: string, board: Board): void {
  const named = boardOfManifest(file);
  if (named !== undefined && named !== ANY_BOARD && named !== board.name) {
    throw foreign(file, board, `it is for ${named}, as the manifest beside it says`);
  }
  const contents = readContents(file);
  const reason = contents && whyNot(contents, board);
  if (reason === undefined) return;
  const others = listBoards()
    .map(readBoard)
    .filter((other) => other.toolchain !== undefined && whyNot(contents!, other) === undefined)
    .map(({ name }) => name);
  const whose = others.length === 0 ? 'no board here has room for that' : `it may be for ${others.join(' or ')}`;
  throw foreign(file, board, `${reason}; ${whose}`);
}

function foreign(file: string, board: Board, why: string): FirmwareError {
  return new FirmwareError('ERR_BOARD_FOREIGN', `${file} is no firmware for ${board.name}: ${why}`);
}

/** Undefined where there is no manifest, or none that can be read. */
function boardOfManifest(file: string): string | undefined {
  const manifest = `${file.slice(0, -extname(file).length)}.json`;
  if (!existsSync(manifest)) return undefined;
  try {
    const { board, sha256 } = JSON.parse(readFileSync(manifest, 'utf8')) as { board?: unknown; sha256?: unknown };
    return typeof board === 'string' && typeof sha256 === 'string' ? board : undefined;
  } catch {
    return undefined;
  }
}

function readContents(file: string): Contents | undefined {
  switch (extname(file)) {
    case '.hex':
      return {
        ranges: readHex(readFileSync(file, 'latin1')).map(({ address, bytes }) => ({
          from: address,
          end: address + bytes.length,
        })),
      };
    case '.elf':
      return readElf(readFileSync(file), file);
    default:
      return undefined;
  }
}

function whyNot({ ranges, machine, flashBytes, ramBytes }: Contents, board: Board): string | undefined {
  const wanted = machineOf(board);
  if (machine !== undefined && wanted !== undefined && machine !== wanted) {
    return `its core is ${MACHINES[machine] ?? `ELF machine ${machine}`}, and the board's ${MACHINES[wanted]}`;
  }
  const flash = flashOf(board);
  const outside = flash && ranges.find(({ from, end }) => from < flash.from || end > flash.end);
  if (outside !== undefined) {
    return `it loads ${hex(outside.from)} to ${hex(outside.end)}, and flash is ${hex(flash!.from)} to ${hex(flash!.end)}`;
  }
  if (flashBytes !== undefined && flashBytes !== board.flashBytes) return `its board has ${flashBytes} B of flash`;
  if (ramBytes !== undefined && ramBytes !== board.ramBytes) return `its board has ${ramBytes} B of RAM`;
  return undefined;
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

const WORD_BYTES = 4;

/** The seed is the last word of flash (boards/common/sections.ld). */
function flashOf({ emulator, flashBytes }: Board): Range | undefined {
  if (emulator?.seedAt === undefined || flashBytes === undefined) return undefined;
  const end = Number(emulator.seedAt) + WORD_BYTES;
  return { from: end - flashBytes, end };
}

/** e_machine of the ELF header. */
const MACHINES: Readonly<Record<number, string>> = { 3: 'x86', 40: 'Arm', 62: 'x86-64', 183: 'Arm64', 243: 'RISC-V' };

function machineOf({ toolchain }: Board): number | undefined {
  if (toolchain?.prefix.startsWith('arm')) return 40;
  return toolchain?.prefix.startsWith('riscv') ? 243 : undefined;
}

// ELF of 32 bits, little-endian (System V ABI, chapters 4 and 5).
const MAGIC = '7f454c46';
const CLASS_AT = 4;
const CLASS_32 = 1;
const HEADER_BYTES = 52;
const MACHINE_AT = 18;
const SEGMENTS = { at: 28, countAt: 44, entryBytes: 32 } as const;
const SECTIONS = { at: 32, countAt: 48, entryBytes: 40 } as const;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SYMBOL_BYTES = 16;

/** Throws ERR_BOARD_FOREIGN for what is no ELF at all. */
function readElf(bytes: Buffer, file: string): Contents {
  if (bytes.length < HEADER_BYTES || bytes.toString('hex', 0, 4) !== MAGIC) {
    throw new FirmwareError('ERR_BOARD_FOREIGN', `${file} is no firmware: it is no ELF file`);
  }
  const machine = bytes.readUInt16LE(MACHINE_AT);
  if (bytes[CLASS_AT] !== CLASS_32) return { ranges: [], machine };
  try {
    const loaded = entries(bytes, SEGMENTS).filter((s) => s.readUInt32LE(0) === PT_LOAD && s.readUInt32LE(16) > 0);
    const ranges = loaded.map((s) => ({ from: s.readUInt32LE(12), end: s.readUInt32LE(12) + s.readUInt32LE(16) }));
    const { flashBytes, ramBytes } = readSizes(bytes);
    return { ranges, machine, flashBytes, ramBytes };
  } catch {
    throw new FirmwareError('ERR_BOARD_FOREIGN', `${file} is no firmware: the ELF file is cut off`);
  }
}

function entries(bytes: Buffer, { at, countAt, entryBytes }: { at: number; countAt: number; entryBytes: number }) {
  const from = bytes.readUInt32LE(at);
  return Array.from({ length: bytes.readUInt16LE(countAt) }, (_, i) =>
    bytes.subarray(from + i * entryBytes, from + (i + 1) * entryBytes),
  );
}

/** What the build tells the linker of the board. */
function readSizes(bytes: Buffer): { flashBytes?: number; ramBytes?: number } {
  const sections = entries(bytes, SECTIONS);
  const table = sections.find((section) => section.readUInt32LE(4) === SHT_SYMTAB);
  if (table === undefined) return {};
  const names = sections[table.readUInt32LE(24)]!.readUInt32LE(16);
  const [from, length] = [table.readUInt32LE(16), table.readUInt32LE(20)];
  const found: { flashBytes?: number; ramBytes?: number } = {};
  for (let at = from; at < from + length; at += SYMBOL_BYTES) {
    const name = names + bytes.readUInt32LE(at);
    const key = SIZES[bytes.toString('latin1', name, bytes.indexOf(0, name))];
    if (key !== undefined) found[key] = bytes.readUInt32LE(at + 4);
  }
  return found;
}

const SIZES: Readonly<Record<string, 'flashBytes' | 'ramBytes'>> = {
  __flash_bytes: 'flashBytes',
  __ram_bytes: 'ramBytes',
};
