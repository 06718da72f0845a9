// The same calls give the same octets on V8, under WAMR and as native code on each emulated core: every result, every
// datagram, and the state itself.
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { IMAGE_SEAL_AT } from '../../assembly/protocol/image.js';
import { DeviceModule } from '../../host/device/device.js';
import { type Board, listBoards, readBoard } from '../../host/firmware/boards.js';
import { lockstepOnEmulator } from '../../host/firmware/run/lockstep-board.js';
import { describeWithTools } from '../tools.js';
import { buildTour, toolsOf } from './firmware.js';
import { buildFirmware } from './native.js';
import { type ImagePair, replay } from './replay.js';
import { record } from './scenario.js';

/** Odd: gateways are discovered; even: the board's is taken. */
const SEEDS = [41, 42];
const emulated = listBoards()
  .map(readBoard)
  .filter((board) => board.emulator !== undefined);

const WORD_BYTES = 4;

/**
 * By how much words differ, each distance once. The seal is left out: it is a sum over all octets, and so over addresses,
 * too.
 */
function distances({ recorded, found }: ImagePair): number[] {
  const [before, after] = [recorded, found].map((octets) => new DataView(octets.buffer, octets.byteOffset));
  const all = new Set<number>();
  for (let at = 0; at < recorded.length; at += WORD_BYTES) {
    const distance = (after!.getUint32(at, true) - before!.getUint32(at, true)) >>> 0;
    if (distance !== 0 && at !== IMAGE_SEAL_AT) all.add(distance);
  }
  return [...all];
}

/** Where the linker has put the state region, which emit.ts calls `state`: the one of that name and length. */
function stateAddress(board: Board, elf: string, bytes: number): number {
  const symbols = execFileSync(`${board.toolchain!.prefix}nm`, ['--print-size', elf], { encoding: 'utf8' });
  const found = [...symbols.matchAll(/^([0-9a-f]+) ([0-9a-f]+) \w state$/gm)].filter(
    ([, , size]) => Number.parseInt(size!, 16) === bytes,
  );
  expect(found).toHaveLength(1);
  return Number.parseInt(found[0]![1]!, 16);
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
        const { elf } = await buildFirmware(board, tour.source, { main: 'lockstep' });
        const { imageAt, imageBytes } = new DeviceModule(tour.wasm, 'tour');
        const moved = stateAddress(board, elf, imageBytes) - imageAt;
        const { device, close } = await lockstepOnEmulator(board, elf);
        try {
          const images = await replay(recording, device);
          expect(images.length).toBeGreaterThan(3);
          for (const pair of images) {
            expect(pair.found.length).toBe(pair.recorded.length);
            // What the state holds addresses of lies in the state itself: all have moved with it, and nothing else differs.
            expect([[], [moved]], pair.at).toContainEqual(distances(pair));
          }
          expect(images.some((pair) => distances(pair).length > 0)).toBe(true); // or nothing was tried
        } finally {
          await close();
        }
      });
    });
  });
}
