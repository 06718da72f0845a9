// Firmware as files: what is in them, what it takes, and what is said where it cannot be made.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Board } from '../../host/firmware/boards.js';
import type { NativeBuild } from '../../host/firmware/native/build-native.js';
import { readHex } from '../../host/firmware/native/hex.js';
import { describeWithTools } from '../tools.js';
import { toolsOf } from './firmware.js';
import { buildFirmware, NATIVE_BOARDS, testApp } from './native.js';

const APP = testApp('once');
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const refusal = (code: string, words: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(words) });

for (const board of NATIVE_BOARDS) {
  describeWithTools(toolsOf(board), `the firmware made for ${board.name}`, () => {
    let build: NativeBuild;

    beforeAll(async () => {
      build = await buildFirmware(board, APP);
    });

    it('is the same octets as HEX and as BIN', () => {
      const [chunk, ...others] = readHex(readFileSync(build.hex, 'utf8'));
      expect(others).toEqual([]);
      expect(Buffer.from(chunk!.bytes).equals(readFileSync(build.bin))).toBe(true);
      expect(chunk!.bytes).toHaveLength(build.textBytes + build.dataBytes);
    });

    it('is measured: its parts make up the whole, and everything fits the board', () => {
      expect(sum(build.parts.map((p) => p.flashBytes))).toBe(build.textBytes + build.dataBytes);
      expect(sum(build.parts.map((p) => p.ramBytes))).toBe(build.dataBytes + build.bssBytes);
      expect(build.parts.map((p) => p.name)).toEqual(['module', 'port', 'library']);
      for (const { flashBytes } of build.parts) expect(flashBytes).toBeGreaterThan(50);
      expect(build.bssBytes + board.stackBytes!).toBeLessThan(board.ramBytes!);
      expect(build.stackPath).toContain('loop_run');
      expect(build.stackPath).toContain('port_reset'); // of the watchdog's interrupt
      expect(build.functions[0]!.bytes).toBeGreaterThanOrEqual(build.functions[1]!.bytes);
    });

    it('is the same octets each time it is made, wherever that is', async () => {
      const again = await buildFirmware(board, APP);
      expect(again.elf).not.toBe(build.elf);
      expect(readFileSync(again.bin).equals(readFileSync(build.bin))).toBe(true);
    });

    it('takes nothing in RAM for its own where the board’s sizes have changed, though its code has not', async () => {
      const other = await buildFirmware({ ...board, ramBytes: board.ramBytes! - 4 }, APP);
      expect(other.textBytes).toBe(build.textBytes);
      expect(readFileSync(other.bin).equals(readFileSync(build.bin))).toBe(false);
    });

    it('is refused with the octets that are too many, and where they went', async () => {
      const small: Board = { ...board, flashBytes: 4_096, ramBytes: 4_096 };
      await expect(buildFirmware(small, APP)).rejects.toThrow(
        refusal(
          'ERR_BUDGET',
          /FLASH: \d+ B too many; module \d+, port \d+, library \d+\n.*RAM: \d+ B too many; .*stack \d+/,
        ),
      );
    });

    it('is refused where its stack may overflow, and the calls are named', async () => {
      const shallow: Board = { ...board, stackBytes: 256 };
      await expect(buildFirmware(shallow, APP)).rejects.toThrow(
        refusal('ERR_STACK', /keeps 256 B of stack \(stackBytes\), \d+ B may be needed: .*start → loop_run → /),
      );
    });
  });
}

describe('a compiler that is missing', () => {
  const [board] = NATIVE_BOARDS;
  const withPrefix = (prefix: string): Board => ({ ...board!, toolchain: { ...board!.toolchain!, prefix } });

  it('is named', async () => {
    await expect(buildFirmware(withPrefix('no-such-target-'), APP)).rejects.toThrow(
      refusal('ERR_TOOLCHAIN', /no-such-target-gcc is missing/),
    );
  });

  it('is named with the Debian package that holds it', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      for (const native of NATIVE_BOARDS) {
        const compiler = `${native.toolchain!.prefix}gcc`;
        await expect(buildFirmware(native, APP)).rejects.toThrow(
          refusal('ERR_TOOLCHAIN', new RegExp(`${compiler} is missing: apt-get install gcc-`)),
        );
      }
    } finally {
      process.env.PATH = path;
    }
  });
});
