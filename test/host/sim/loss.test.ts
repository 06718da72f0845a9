import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import {
  createLoss,
  type GilbertElliottConfig,
  isReceived,
  type LossConfig,
  ORBIT_BURSTY,
  ORBIT_INTERMEDIATE,
  ppmOfPercent,
  SimulationOptionError,
} from '../../../host/sim/loss.js';

const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];
const PACKETS = 100_000;
const SPACING_MS = 100;
/** Chances of a false alarm are far below one in a million: 6 standard errors, and the seeds are fixed anyway. */
const STANDARD_ERRORS_MAX = 6;

const BURSTY: GilbertElliottConfig = {
  model: 'gilbert-elliott',
  goodToBadPercent: 2,
  badToGoodPercent: 10,
  lossGoodPercent: 1.5,
  lossBadPercent: 80,
};

function losses(config: LossConfig, seed: number, packets = PACKETS, spacingMs = SPACING_MS): boolean[] {
  const model = createLoss(config, new Xoshiro128(seed));
  return Array.from({ length: packets }, (_, i) => model.lost(i * spacingMs));
}

const share = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length;

function optionOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SimulationOptionError && error.code === 'ERR_SIM_OPTION') return error.option;
    throw error;
  }
  return 'nothing was thrown';
}

describe('every loss model', () => {
  const configs: LossConfig[] = [
    { model: 'none' },
    { model: 'bernoulli', lossPercent: 30 },
    BURSTY,
    { model: 'trace', receivedHex: '0123456789abcdef' },
  ];
  it.each(configs)('repeats itself for a seed: $model', (config) => {
    expect(losses(config, 7, 10_000)).toEqual(losses(config, 7, 10_000));
  });

  it.each(configs.slice(1))('differs from seed to seed: $model', (config) => {
    expect(losses(config, 7, 10_000)).not.toEqual(losses(config, 8, 10_000));
  });

  it.each(configs)('survives a round through JSON: $model', (config) => {
    expect(losses(JSON.parse(JSON.stringify(config)), 7, 1_000)).toEqual(losses(config, 7, 1_000));
  });
});

describe('no loss', () => {
  it('loses nothing', () => {
    expect(losses({ model: 'none' }, 1).includes(true)).toBe(false);
  });
});

describe('independent loss', () => {
  it.each([0.5, 12.3456, 30, 50, 99])('loses %f percent in the long run', (lossPercent) => {
    const p = lossPercent / 100;
    const bound = STANDARD_ERRORS_MAX * Math.sqrt((p * (1 - p)) / PACKETS);
    for (const seed of SEEDS) {
      expect(Math.abs(share(losses({ model: 'bernoulli', lossPercent }, seed)) - p)).toBeLessThan(bound);
    }
  });

  it('loses nothing at 0 and everything at 100 percent', () => {
    expect(share(losses({ model: 'bernoulli', lossPercent: 0 }, 3))).toBe(0);
    expect(share(losses({ model: 'bernoulli', lossPercent: 100 }, 3))).toBe(1);
  });
});

describe('Gilbert-Elliott loss', () => {
  const shareOf = (percent: number | undefined, otherwise: number): number => (percent ?? otherwise) / 100;

  it.each([BURSTY, ORBIT_BURSTY, { model: 'gilbert-elliott', goodToBadPercent: 1, badToGoodPercent: 25 } as const])(
    'loses in the long run what the formula says: %o',
    (config) => {
      const p = shareOf(config.goodToBadPercent, 0);
      const r = shareOf(config.badToGoodPercent, 0);
      const good = shareOf(config.lossGoodPercent, 0);
      const bad = shareOf(config.lossBadPercent, 100);
      const loss = (r * good + p * bad) / (p + r);
      // Losses are correlated by m^k at distance k, which widens the error of a mean by (1 + m) / (1 - m) at most.
      const m = 1 - p - r;
      const bound = STANDARD_ERRORS_MAX * Math.sqrt((loss * (1 - loss) * (1 + m)) / (1 - m) / PACKETS);
      for (const seed of SEEDS) expect(Math.abs(share(losses(config, seed)) - loss)).toBeLessThan(bound);
    },
  );

  it('makes bursts of 1 / r losses where the bad state loses all and the good one nothing', () => {
    const config = { model: 'gilbert-elliott', goodToBadPercent: 2, badToGoodPercent: 20 } as const;
    for (const seed of SEEDS) {
      const lost = losses(config, seed);
      const bursts = lost.filter((value, i) => value && !lost[i - 1]).length;
      const burstLength = lost.filter(Boolean).length / bursts;
      expect(burstLength).toBeGreaterThan(4.5);
      expect(burstLength).toBeLessThan(5.5);
    }
  });

  it('meets the bad state at the first datagram as often as later', () => {
    let bad = 0;
    const links = 20_000;
    for (let seed = 0; seed < links; seed++) {
      const config = { model: 'gilbert-elliott', goodToBadPercent: 1, badToGoodPercent: 3 } as const;
      if (createLoss(config, new Xoshiro128(seed)).lost(0)) bad++;
    }
    expect(bad / links).toBeGreaterThan(0.23);
    expect(bad / links).toBeLessThan(0.27);
  });

  it('stays good where no transition is possible', () => {
    expect(share(losses({ model: 'gilbert-elliott', goodToBadPercent: 0, badToGoodPercent: 0 }, 5))).toBe(0);
  });
});

describe('replay of a trace', () => {
  const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: 1, maxLength: 80 });
  const bitsOf = (receivedHex: string): string =>
    [...receivedHex].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('');

  it('reads the highest bit of the first digit first', () => {
    fc.assert(
      fc.property(hex, (receivedHex) => {
        const bits = Array.from({ length: receivedHex.length * 4 }, (_, i) => (isReceived(receivedHex, i) ? '1' : '0'));
        expect(bits.join('')).toBe(bitsOf(receivedHex));
      }),
    );
  });

  it('gives in each pass every bit once, in the order of the trace and around its end', () => {
    fc.assert(
      fc.property(hex, fc.integer(), fc.integer({ min: 1, max: 10_000 }), (receivedHex, seed, intervalMs) => {
        const slots = receivedHex.length * 4;
        const model = createLoss({ model: 'trace', receivedHex, intervalMs }, new Xoshiro128(seed));
        for (let pass = 0; pass < 3; pass++) {
          let replayed = '';
          for (let i = 0; i < slots; i++) replayed += model.lost((pass * slots + i) * intervalMs) ? '0' : '1';
          const twice = bitsOf(receivedHex).repeat(2);
          expect(twice.includes(replayed)).toBe(true);
        }
      }),
    );
  });

  it('gives all datagrams of one slot the same fate', () => {
    const model = createLoss({ model: 'trace', receivedHex: '5a5a5a', intervalMs: 100 }, new Xoshiro128(9));
    for (let slot = 0; slot < 100; slot++) {
      const first = model.lost(slot * 100);
      expect(model.lost(slot * 100 + 1)).toBe(first);
      expect(model.lost(slot * 100 + 99)).toBe(first);
    }
  });

  it('does not depend on how often it was asked before', () => {
    const config = { model: 'trace', receivedHex: '0f1e2d3c4b5a' } as const;
    const often = createLoss(config, new Xoshiro128(4));
    const seldom = createLoss(config, new Xoshiro128(4));
    for (let ms = 0; ms < 1_000_000; ms += 50) {
      const lost = often.lost(ms);
      if (ms % 70_000 === 0) expect(seldom.lost(ms)).toBe(lost);
    }
  });

  it('loses its share even of datagrams that are exactly one pass apart', () => {
    const config = { model: 'trace', receivedHex: 'f0'.repeat(38) } as const;
    for (const seed of SEEDS) {
      const lost = share(losses(config, seed, 2_000, 38 * 8 * SPACING_MS));
      expect(lost).toBeGreaterThan(0.43);
      expect(lost).toBeLessThan(0.57);
    }
  });
});

describe('the configuration of loss', () => {
  it('takes percentages in steps of 0.0001', () => {
    expect(ppmOfPercent('x', 0.0001)).toBe(1);
    expect(ppmOfPercent('x', 29.97)).toBe(299_700);
    expect(ppmOfPercent('x', 100)).toBe(1_000_000);
  });

  it('names the option that is out of its range', () => {
    const random = new Xoshiro128(1);
    const bad = (config: unknown): string => optionOf(() => createLoss(config as LossConfig, random));
    expect(bad({ model: 'bernoulli', lossPercent: 100.1 })).toBe('loss.lossPercent');
    expect(bad({ model: 'bernoulli', lossPercent: -1 })).toBe('loss.lossPercent');
    expect(bad({ model: 'bernoulli', lossPercent: Number.NaN })).toBe('loss.lossPercent');
    expect(bad({ model: 'bernoulli', lossPercent: '30' })).toBe('loss.lossPercent');
    expect(bad({ model: 'bernoulli' })).toBe('loss.lossPercent');
    expect(bad({ ...BURSTY, goodToBadPercent: 101 })).toBe('loss.goodToBadPercent');
    expect(bad({ ...BURSTY, badToGoodPercent: -0.1 })).toBe('loss.badToGoodPercent');
    expect(bad({ ...BURSTY, lossGoodPercent: 200 })).toBe('loss.lossGoodPercent');
    expect(bad({ ...BURSTY, lossBadPercent: 200 })).toBe('loss.lossBadPercent');
    expect(bad({ model: 'trace', receivedHex: '' })).toBe('loss.receivedHex');
    expect(bad({ model: 'trace', receivedHex: 'fg' })).toBe('loss.receivedHex');
    expect(bad({ model: 'trace' })).toBe('loss.receivedHex');
    expect(bad({ model: 'trace', receivedHex: 'f', intervalMs: 0 })).toBe('loss.intervalMs');
    expect(bad({ model: 'trace', receivedHex: 'f', intervalMs: 1.5 })).toBe('loss.intervalMs');
    expect(bad({ model: 'sunspots' })).toBe('loss.model');
  });

  it('has measured defaults that a model can be made of', () => {
    for (const config of [ORBIT_INTERMEDIATE, ORBIT_BURSTY]) {
      const lost = share(losses(config, 1));
      expect(lost).toBeGreaterThan(0.4);
      expect(lost).toBeLessThan(0.65);
    }
  });
});
