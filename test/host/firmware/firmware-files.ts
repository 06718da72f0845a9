// Files of firmware, as small as they can be.
import type { Board } from '../../../host/firmware/boards.js';

const HEADER_BYTES = 52;
const SEGMENT_BYTES = 32;
const SECTION_BYTES = 40;
const SYMBOL_BYTES = 16;

/** The seed is the last word of flash. */
export function flashStartOf({ emulator, flashBytes }: Board): number {
  return Number(emulator!.seedAt) + 4 - flashBytes!;
}

/** Intel HEX with one word. */
export function hexAt(address: number): string {
  const line = (octets: readonly number[]): string => {
    const check = -octets.reduce((sum, octet) => sum + octet, 0) & 0xff;
    return `:${Buffer.from([...octets, check])
      .toString('hex')
      .toUpperCase()}\n`;
  };
  const [high, low] = [address >>> 16, address & 0xffff];
  return (
    line([2, 0, 0, 4, high >>> 8, high & 0xff]) + line([4, low >>> 8, low & 0xff, 0, 1, 2, 3, 4]) + line([0, 0, 0, 1])
  );
}

/** An ELF file with one segment in the board's flash, and the symbols that say how much of it there is. */
export function elfFor(board: Board): Buffer {
  const names = '\0__flash_bytes\0__ram_bytes\0';
  const [segmentsAt, sectionsAt] = [HEADER_BYTES, HEADER_BYTES + SEGMENT_BYTES];
  const symbolsAt = sectionsAt + 3 * SECTION_BYTES;
  const namesAt = symbolsAt + 3 * SYMBOL_BYTES;
  const elf = Buffer.alloc(namesAt + names.length);
  elf.write('7f454c46010101', 'hex');
  elf.writeUInt16LE(board.toolchain!.prefix.startsWith('arm') ? 40 : 243, 18);
  elf.writeUInt32LE(segmentsAt, 28);
  elf.writeUInt32LE(sectionsAt, 32);
  elf.writeUInt16LE(1, 44);
  elf.writeUInt16LE(3, 48);
  const words = (at: number, ...values: readonly number[]): void => {
    for (const [i, value] of values.entries()) elf.writeUInt32LE(value >>> 0, at + 4 * i);
  };
  words(segmentsAt, 1, 0, 0x20000000, flashStartOf(board), 16); // PT_LOAD; by its physical address
  words(sectionsAt + SECTION_BYTES, 0, 2, 0, 0, symbolsAt, 3 * SYMBOL_BYTES, 2); // SHT_SYMTAB, names in the next
  words(sectionsAt + 2 * SECTION_BYTES, 0, 3, 0, 0, namesAt, names.length);
  words(symbolsAt + SYMBOL_BYTES, names.indexOf('__flash'), board.flashBytes!);
  words(symbolsAt + 2 * SYMBOL_BYTES, names.indexOf('__ram'), board.ramBytes!);
  elf.write(names, namesAt, 'latin1');
  return elf;
}
