// Firmware that is built already, and the boards that it is for. The files are made here, from what the formats say.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Board, listBoards, readBoard } from '../../../host/firmware/boards.js';
import { checkFirmware } from '../../../host/firmware/firmware-file.js';
import { ANY_BOARD } from '../../../host/update/header.js';
import { elfFor, flashStartOf, hexAt } from './firmware-files.js';

const native = listBoards()
  .map(readBoard)
  .filter((board) => board.toolchain !== undefined);
const pairs = native.flatMap((from) =>
  native.filter((to) => to !== from).map((to) => [from.name, to.name, from, to] as const),
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'thimble-firmware-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** What it says. */
function refusal(path: string, board: Board): string {
  try {
    checkFirmware(path, board);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_BOARD_FOREIGN' });
    return (error as Error).message;
  }
  throw new Error(`${path} was taken for ${board.name}`);
}

describe('firmware that is built already', () => {
  it.each(native.map((board) => [board.name, board] as const))('is taken by its own board: %s', (name, board) => {
    checkFirmware(file('app.elf', elfFor(board)), board);
    checkFirmware(file('app.hex', hexAt(flashStartOf(board))), board);
    file('app.json', JSON.stringify({ board: name, sha256: '' }));
    for (const path of [join(folder, 'app.elf'), join(folder, 'app.hex'), file('app.bin', '')])
      checkFirmware(path, board);
  });

  it.each(pairs)('an .elf of %s is refused by %s, and the message says whose it is', (name, other, from, to) => {
    expect(refusal(file('app.elf', elfFor(from)), to)).toMatch(
      new RegExp(`no firmware for ${other}: .* may be for ${name}$`),
    );
  });

  it.each(pairs)('whatever of %s has its manifest beside it is refused by %s', (name, _other, from, to) => {
    file('app.json', JSON.stringify({ board: name, sha256: '' }));
    for (const path of [file('app.bin', ''), file('app.wasm', ''), file('app.hex', hexAt(flashStartOf(from)))]) {
      expect(refusal(path, to)).toContain(`it is for ${name}, as the manifest`);
    }
  });

  it.each(pairs.filter(([, , from, to]) => flashStartOf(from) !== flashStartOf(to)))(
    'a .hex of %s without a manifest is refused by %s',
    (name, _other, from, to) => {
      const message = refusal(file('app.hex', hexAt(flashStartOf(from))), to);
      expect(message).toContain('flash is 0x');
      expect(message).toContain(name);
    },
  );

  it('is refused where it is no ELF file, one that is cut off, or one of this machine', () => {
    const [board] = native;
    expect(refusal(file('app.elf', 'no ELF'), board!)).toContain('no ELF file');
    expect(refusal(file('app.elf', elfFor(board!).subarray(0, 60)), board!)).toContain('cut off');
    for (const to of native) expect(refusal(ofThisMachine(), to)).toContain('core');
  });

  /** The head of a program of 64 bits. */
  function ofThisMachine(): string {
    const head = Buffer.alloc(64);
    head.write('7f454c46020101', 'hex');
    head.writeUInt16LE(62, 18);
    return file('node.elf', head);
  }

  it('is taken for any board where its manifest says so, and for what no manifest tells', () => {
    const [board] = native;
    file('app.json', JSON.stringify({ board: ANY_BOARD, sha256: '' }));
    checkFirmware(file('app.bin', ''), board!);
    file('other.json', '{');
    checkFirmware(file('other.bin', ''), board!);
  });
});
