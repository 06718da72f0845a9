// Floating-point numbers on cores without any of their own: every octet that V8 has.
import { beforeAll, expect, it } from 'vitest';
import type { LockstepDevice } from '../../host/firmware/run/lockstep.js';
import { lockstepOnEmulator } from '../../host/firmware/run/lockstep-board.js';
import { describeWithTools } from '../tools.js';
import { toolsOf } from './firmware.js';
import { lockstepOnV8 } from './lockstep-v8.js';
import { buildFirmware, NATIVE_BOARDS, testApp, twinsOf } from './native.js';

const APP = testApp('floats');
const SEEDS = [0, 1, 1_234_567, -77];
const ROUNDS = 12;
const EVERY_MS = 1_000;

/** What is said, round by round. */
async function reckon(device: LockstepDevice): Promise<string[]> {
  const said: string[] = [];
  for (const seed of SEEDS) {
    await device.start(0, seed);
    for (let round = 0; round < ROUNDS; round++) {
      const { result, sent } = await device.poll(round * EVERY_MS);
      said.push(
        `${seed}, round ${round}: ${result}`,
        ...sent.map(({ datagram }) => Buffer.from(datagram).toString('hex')),
      );
    }
  }
  return said;
}

let wanted: string[];

beforeAll(async () => {
  wanted = await reckon(lockstepOnV8((await twinsOf(APP)).module));
});

it('there is something to compare', () => {
  expect(new Set(wanted).size).toBeGreaterThan(SEEDS.length * ROUNDS * 6);
});

for (const board of NATIVE_BOARDS) {
  describeWithTools(toolsOf(board), `on ${board.name}`, () => {
    it('sums, roots, roundings and conversions are those of V8', async () => {
      const build = await buildFirmware(board, APP, { main: 'lockstep' });
      const { device, close } = await lockstepOnEmulator(board, build.elf);
      try {
        expect(await reckon(device)).toEqual(wanted);
      } finally {
        await close();
      }
    }, 120_000);
  });
}
