import { describe, expect, it } from 'vitest';
import { SABOTAGES } from './sabotage.js';
import { DurableWorld, type WorldOptions } from './world.js';

const STEPS = 500;
const SEEDS = 300;
/** A broker without a safeguard must be found out by then. */
const SABOTAGED_SEEDS_MAX = 60;

/** Repeats one run: `DURABILITY_SEED=17 npx vitest run test/durability/virtual.test.ts`. */
const ONLY = process.env.DURABILITY_SEED;
const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(ONLY)];

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
    console.log(sums);
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
    console.log(name, found, found && describeRun(found, sabotage));
    expect(found).toBeDefined();
  });

  const isFoundOut = (seed: number, sabotage: WorldOptions['sabotage']): boolean => describeRun(seed, sabotage) !== '';

  /** What was broken; records that make no sense are found out too. */
  function describeRun(seed: number, sabotage: WorldOptions['sabotage']): string {
    try {
      return play(seed, { sabotage: sabotage! }).ledger.broken[0] ?? '';
    } catch (error) {
      return (error as Error).message;
    }
  }
});
