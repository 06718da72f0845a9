// Firmware of each board with native code, in its emulator: the test is the gateway at the other end of its serial line.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PacketType, ReturnCode } from '../../assembly/protocol/index.js';
import type { Board } from '../../host/firmware/boards.js';
import type { NativeBuild } from '../../host/firmware/native/build-native.js';
import { lockstepOnEmulator } from '../../host/firmware/run/lockstep-board.js';
import { END, ESC, encodeFrame } from '../../host/net/slip.js';
import { encode } from '../../host/wire/index.js';
import { describeWithTools } from '../tools.js';
import { toolsOf } from './firmware.js';
import { buildFirmware, Conversation, NATIVE_BOARDS, testApp, twinsOf } from './native.js';
import { replay } from './replay.js';
import { record, TOUR } from './scenario.js';

const SEED = 0xc0dbdcdd;
/** How seeds of apps/faulty.ts are read. */
const LOOPS = 0;
const STOPS = 1;
const READS_ODDLY = 2;
/** Nothing is there, on any of the boards. */
const NOWHERE = 0x7000_0000;
/** What a board says that has faulted there. */
const FAULT = /^started: trap at 0x[0-9a-f]{8}$/;
/** Longer than any packet. */
const NOISE_BYTES = 3_000;
/** Times that a reset may come before the board has sealed its state. */
const TRIES_MAX = 20;
/** So much later each time. Nothing on the line says that a board has sealed its state. */
const PATIENCE_MS = 2;

let talk: Conversation | undefined;

afterEach(async () => {
  await talk?.close();
  talk = undefined;
});

async function converse(board: Board, { elf }: NativeBuild, seed = SEED): Promise<Conversation> {
  talk = await Conversation.start(board, elf, seed);
  return talk;
}

const accept = (line: Conversation): void => line.say({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });

/** The message at QoS 2 has been sent, and not been answered. */
async function speak(line: Conversation): Promise<number> {
  await line.packet(PacketType.Connect);
  accept(line);
  const { msgId, dup, data } = await line.packet(PacketType.Publish);
  expect([dup, new TextDecoder().decode(data)]).toEqual([false, 'once']);
  return msgId;
}

/**
 * Pulls the reset line in the middle of a handshake. A reset between a datagram and the seal that follows it wipes the device;
 * it says so, and begins anew, as often as that happens.
 */
async function resetWithin(line: Conversation, reach: () => Promise<number>): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const msgId = await reach();
    await sleep(tries * PATIENCE_MS);
    await line.board.reset();
    if ((await line.log()) === 'resumed') return msgId;
  }
  throw new Error(`the board did not resume once in ${TRIES_MAX} resets`);
}

for (const board of NATIVE_BOARDS) {
  describeWithTools(toolsOf(board), `firmware of ${board.name}`, () => {
    let once: NativeBuild;
    let faulty: NativeBuild;

    beforeAll(async () => {
      once = await buildFirmware(board, testApp('once'));
      faulty = await buildFirmware(board, testApp('faulty'));
    });

    it('says that it has started, and connects as the device that its seed makes it', async () => {
      const line = await converse(board, once);
      expect(await line.log()).toBe('started: power');
      expect(await line.packet(PacketType.Connect)).toMatchObject({ clientId: 'once-C0DBDCDD'.toLowerCase() });
    });

    it('finds its way back into the line after noise and frames that are broken', async () => {
      const line = await converse(board, once);
      await line.packet(PacketType.Connect);
      line.board.sendRaw(new Uint8Array(NOISE_BYTES).fill(0x55));
      line.board.sendRaw(new Uint8Array(NOISE_BYTES).fill(ESC));
      line.board.sendRaw(Uint8Array.of(END, ESC, 0x01, 0x02, END, ESC, END, END));
      const connAck = encode({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });
      // With a Length of three octets, the number at an odd address.
      const withLongHeader = Uint8Array.of(0x01, 0x00, connAck.length + 2, ...connAck.subarray(1));
      for (const octet of encodeFrame(withLongHeader)) line.board.sendRaw(Uint8Array.of(octet));
      expect(await line.packet(PacketType.Publish)).toMatchObject({ qos: 2 });
      expect(line.logs).toEqual(['started: power']);
    });

    it('goes on in the middle of a QoS 2 handshake when it is reset, and repeats with DUP what was not answered', async () => {
      const line = await converse(board, once);
      await line.log();
      const msgId = await resetWithin(line, () => speak(line));
      expect(await line.packet(PacketType.Publish)).toMatchObject({ dup: true, qos: 2, msgId });
      line.say({ type: PacketType.PubRec, msgId });
      expect(await line.packet(PacketType.PubRel)).toEqual({ type: PacketType.PubRel, msgId });
    });

    it('is wiped by a power-off', async () => {
      const line = await converse(board, once);
      await speak(line);
      await line.board.powerOff();
      const again = await converse(board, once);
      expect(await again.log()).toBe('started: power');
    });

    it('resets itself when a call never returns, says so, and begins anew', async () => {
      const line = await converse(board, faulty, LOOPS);
      const watchdog = 'watchdog: a call did not come back in 2000 ms';
      for (const reason of ['power', watchdog, watchdog]) {
        expect(await line.log()).toBe(`started: ${reason}`);
        await line.packet(PacketType.Connect);
        accept(line);
      }
    });

    it('that is checked says which access is misaligned', async () => {
      const checked = await buildFirmware(board, testApp('faulty'), { checked: true });
      const line = await converse(board, checked, READS_ODDLY);
      await line.packet(PacketType.Connect);
      accept(line);
      expect(await line.log()).toBe('started: power');
      expect(await line.log()).toMatch(/^misaligned access: 4 octets at 0x[0-9a-f]{7}[13579bdf]$/);
      expect(await line.log()).toBe('started: trap');
    });

    it('resets itself when the module traps, says so, and begins anew', async () => {
      const line = await converse(board, faulty, STOPS);
      expect(await line.log()).toBe('started: power');
      await line.packet(PacketType.Connect);
      accept(line);
      expect(await line.log()).toBe('unreachable');
      expect(await line.log()).toBe('started: trap');
      await line.packet(PacketType.Connect);
      await line.board.reset(); // of which the trap is not the reason
      expect(['resumed', 'started: power']).toContain(await line.log());
    });

    it('resets itself when the core faults, says so, and begins anew', async () => {
      const line = await converse(board, faulty, NOWHERE);
      expect(await line.log()).toBe('started: power');
      await line.packet(PacketType.Connect);
      accept(line);
      expect(await line.log()).toMatch(FAULT);
      await line.packet(PacketType.Connect);
    });

    describe('step by step', () => {
      it('sends what V8 sends, octet by octet, within the stack that was foretold', async () => {
        const tour = { entry: 'application', application: TOUR };
        const build = await buildFirmware(board, tour, { main: 'lockstep' });
        const { module } = await twinsOf(tour);
        const recording = record(module, SEED);
        const { device, close } = await lockstepOnEmulator(board, build.elf);
        try {
          await replay(recording, device);
          const { stackBytes, cycles } = await device.measure();
          expect(stackBytes).toBeLessThanOrEqual(build.stackBytes);
          expect(stackBytes).toBeGreaterThan(build.stackBytes / 4);
          expect(cycles).toBeGreaterThan(0);
        } finally {
          await close();
        }
      });
    });
  });
}
