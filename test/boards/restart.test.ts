// What boards with native code do around a reset, in their emulators: who failed waits longer each time and says where.
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../assembly/protocol/index.js';
import { RESTART_CALM_MS, RESTART_MS_MAX, RESTART_MS_MIN } from '../../host/device/restart.js';
import { BOARDS_DIR } from '../../host/firmware/boards.js';
import { describeWithTools } from '../tools.js';
import { toolsOf } from './firmware.js';
import { buildFirmware, Conversation, NATIVE_BOARDS, testApp } from './native.js';

/** How seeds of apps/faulty.ts are read. */
const STOPS = 1;
/** Nothing is there, on any of the boards. */
const NOWHERE = 0x7000_0000;
const WARNING = 1;
/** The emulator's time and ours are not the same to the millisecond. */
const EARLY_MS = 50;

let talk: Conversation | undefined;

afterEach(async () => {
  await talk?.close();
  talk = undefined;
});

it('waits as long as V8 does', () => {
  const text = readFileSync(`${BOARDS_DIR}/common/restart-delay.h`, 'utf8');
  const numberOf = (name: string): number => Number(new RegExp(`#define ${name} (\\d+)u`).exec(text)?.[1]);
  expect(numberOf('RESTART_MS_MIN')).toBe(RESTART_MS_MIN);
  expect(numberOf('RESTART_MS_MAX')).toBe(RESTART_MS_MAX);
  expect(numberOf('RESTART_CALM_MS')).toBe(RESTART_CALM_MS);
});

for (const board of NATIVE_BOARDS) {
  describeWithTools(toolsOf(board), `${board.name} around a reset`, () => {
    const faultOf = async (seed: number): Promise<Conversation> => {
      const { elf } = await buildFirmware(board, testApp('faulty'));
      talk = await Conversation.start(board, elf, seed);
      return talk;
    };
    const accept = (line: Conversation): void =>
      line.say({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });

    it('waits after each failure, twice as long as after the one before, and begins with one second again after the button', async () => {
      const line = await faultOf(STOPS);
      await line.log();
      await line.packet(PacketType.Connect);
      const expectWait = async (ms: number): Promise<void> => {
        accept(line);
        expect(await line.log()).toBe('unreachable');
        expect(await line.log()).toBe('started: trap');
        expect(line.levels.at(-1)).toBe(WARNING);
        line.skip();
        const since = performance.now();
        await line.packet(PacketType.Connect);
        const passed = performance.now() - since;
        expect(passed).toBeGreaterThan(ms - EARLY_MS);
        expect(passed).toBeLessThan(1.9 * ms);
      };
      await expectWait(RESTART_MS_MIN);
      await expectWait(2 * RESTART_MS_MIN);
      line.skip();
      await line.board.reset();
      await line.log();
      await line.packet(PacketType.Connect);
      await expectWait(RESTART_MS_MIN);
    });

    it('says at which address of its program the core faulted', async () => {
      const line = await faultOf(NOWHERE);
      await line.log();
      await line.packet(PacketType.Connect);
      accept(line);
      const at = Number(/^started: trap at (0x[0-9a-f]{8})$/.exec(await line.log())?.[1]);
      expect(line.levels.at(-1)).toBe(WARNING);
      const elf = readFileSync((await buildFirmware(board, testApp('faulty'))).elf);
      expect(isInText(elf, at)).toBe(true);
    });
  });
}

/** Whether it lies in what the ELF file loads to be run (System V ABI, 5: program headers with PF_X). */
function isInText(elf: Buffer, address: number): boolean {
  const [at, bytes, count] = [elf.readUInt32LE(28), elf.readUInt16LE(42), elf.readUInt16LE(44)];
  return Array.from({ length: count }, (_, i) => at + i * bytes).some((header) => {
    const [start, length] = [elf.readUInt32LE(header + 8), elf.readUInt32LE(header + 20)];
    return (elf.readUInt32LE(header + 24) & 1) !== 0 && address >= start && address < start + length;
  });
}
