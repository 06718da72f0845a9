import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../host/store/folders.js';
import { KillWorld } from './kill-world.js';

const TIMEOUT_MS = 600_000;
const SEED = Number(process.env.DURABILITY_SEED ?? 1);

/** 200 kills together. */
const RUNS = [
  { manner: 'library', durability: 'process', rounds: 75, seed: SEED },
  { manner: 'library', durability: 'process', rounds: 75, seed: SEED + 1 },
  { manner: 'library', durability: 'disk', rounds: 30, seed: SEED + 2 },
  { manner: 'command', durability: 'disk', rounds: 20, seed: SEED + 3 },
] as const;

describe.concurrent('a broker whose process is killed', () => {
  it.each(RUNS)(
    '$rounds times, by the $manner, durability $durability, loses nothing it acknowledged',
    {
      timeout: TIMEOUT_MS,
    },
    async ({ manner, durability, rounds, seed }) => {
      const world = new KillWorld({ folder: temporaryFolder(), durability, manner, seed, loadMsMax: 80 });
      await world.begin();
      for (let round = 0; round < rounds; round++) {
        await world.round();
        expect(world.ledger.broken, `round ${round}`).toEqual([]);
      }
      await world.end();
      expect(world.ledger.broken).toEqual([]);
      expect(world.kills).toBe(rounds);
      expect(world.ledger.counts.acked).toBeGreaterThan(rounds * 10);
    },
  );

  it('is found out where it acknowledges before it has written', { timeout: TIMEOUT_MS }, async () => {
    const options = {
      durability: 'process',
      manner: 'hasty library',
      seed: SEED,
      loadMsMax: 80,
      patienceMs: 5_000,
    } as const;
    const world = new KillWorld({ folder: temporaryFolder(), ...options });
    await world.begin();
    for (let round = 0; round < 20 && world.ledger.broken.length === 0; round++) await world.round();
    expect(world.ledger.broken).not.toEqual([]);
  });
});
