// The same calls give the same octets on V8, under WAMR and as native code on each emulated core: every result, every
// datagram, and the state itself.
import { describe, expect, it } from 'vitest';
import { listBoards, readBoard } from '../../host/firmware/boards.js';
import { lockstepOnEmulator } from '../../host/firmware/run/lockstep-board.js';
import { describeWithTools } from '../tools.js';
import { buildFirmware, buildTour, toolsOf } from './firmware.js';
import { type ImagePair, replay } from './replay.js';
import { record } from './scenario.js';

/** Odd: gateways are discovered; even: the board's is taken. */
const SEEDS = [41, 42];
const emulated = listBoards()
  .map(readBoard)
  .filter((board) => board.emulator !== undefined);

/** The seal: a sum over all octets, and so over addresses, too. */
const SEAL_AT = 12;
const WORD_BYTES = 4;

/** By how much words differ, each distance once. Addresses of one C object differ from the module's all by the same. */
function distances({ recorded, found }: ImagePair): number[] {
  const [before, after] = [recorded, found].map((octets) => new DataView(octets.buffer, octets.byteOffset));
  const all = new Set<number>();
  for (let at = 0; at < recorded.length; at += WORD_BYTES) {
    const distance = (after!.getUint32(at, true) - before!.getUint32(at, true)) >>> 0;
    if (distance !== 0 && at !== SEAL_AT) all.add(distance);
  }
  return [...all];
}

it('there are boards to be emulated', () => {
  expect(emulated.length).toBeGreaterThanOrEqual(4);
});

for (const board of emulated) {
  describeWithTools(toolsOf(board), `native code on ${board.name}`, () => {
    describe.each(SEEDS)('with the serial number %i', (seed) => {
      it('answers each call as V8 does, and is in the same state', async () => {
        const tour = await buildTour(board);
        const recording = record(tour.wasm, seed);
        const { device, close } = await lockstepOnEmulator(board, await buildFirmware(board, tour, 'lockstep'));
        try {
          const images = await replay(recording, device);
          expect(images.length).toBeGreaterThan(3);
          for (const pair of images) {
            expect(pair.found.length).toBe(pair.recorded.length);
            // Addresses of the state region, and of constants: two C objects.
            expect(distances(pair).length, pair.at).toBeLessThanOrEqual(2);
          }
        } finally {
          await close();
        }
      });
    });
  });
}
