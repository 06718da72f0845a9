import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../host/broker/errors.js';
import { SABOTAGES } from './sabotage.js';
import { DurableWorld, type Sabotage, type WorldOptions } from './world.js';

const STEPS = 1_000;
const SEEDS = 300;
/** A broker without a safeguard must be found out by then. */
const SABOTAGED_SEEDS_MAX = 60;

/** Repeats a run, or plays others: `DURABILITY_SEED=17 npx vitest run test/durability/virtual.test.ts`, or `301-9000`. */
const ONLY = process.env.DURABILITY_SEED;
const [first, last] = (ONLY ?? `1-${SEEDS}`).split('-').map(Number) as [number, number?];
const seeds = Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i);

function play(seed: number, options: Partial<WorldOptions> = {}): DurableWorld {
  const world = new DurableWorld(seed, { steps: STEPS, ...options });
  world.run();
  return world;
}

describe('a broker that dies at any moment', () => {
  it('keeps what it has promised, whatever is torn of its journal', () => {
    const sums = { crashes: 0, acked: 0, deliveries: 0, repetitions: 0, retained: 0, wills: 0 };
    for (const seed of seeds) {
      const { ledger, crashes } = play(seed);
      const command = `DURABILITY_SEED=${seed} npx vitest run test/durability/virtual.test.ts`;
      expect(ledger.broken, `repeat it with ${command}`).toEqual([]);
      for (const [name, count] of Object.entries({ ...ledger.counts, crashes }))
        sums[name as keyof typeof sums] += count;
    }
    if (ONLY !== undefined) return;
    expect(sums.crashes).toBeGreaterThan(2_000);
    expect(sums.acked).toBeGreaterThan(5_000);
    expect(sums.deliveries).toBeGreaterThan(5_000);
    expect(sums.repetitions).toBeGreaterThan(1_000);
    expect(sums.wills).toBeGreaterThan(1_000);
    expect(sums.retained).toBeGreaterThan(1_000);
  });

  it('does the same with the same seed', () => {
    const [one, other] = [play(7), play(7)];
    expect([...one.ledger.entries.values()]).toEqual([...other.ledger.entries.values()]);
    expect(one.ledger.counts).toEqual(other.ledger.counts);
  });
});

describe.skipIf(ONLY !== undefined)('the checks find out a broker that', () => {
  it.each(Object.keys(SABOTAGES))('%s', (name) => {
    const sabotage = SABOTAGES[name]!;
    const found = seeds.slice(0, SABOTAGED_SEEDS_MAX).find((seed) => isFoundOut(seed, sabotage));
    expect(found).toBeDefined();
  });

  /** Records that make no sense to the next process count too. */
  function isFoundOut(seed: number, sabotage: Sabotage): boolean {
    try {
      return play(seed, { sabotage }).ledger.broken.length > 0;
    } catch (error) {
      if (error instanceof BrokerError) return true;
      throw error;
    }
  }
});
