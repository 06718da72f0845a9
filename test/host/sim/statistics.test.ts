import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mix32, Xoshiro128 } from '../../../host/core/random.js';
import { LATENCY_MS_MAX, Latencies } from '../../../host/sim/statistics.js';

const of = (samples: readonly number[]): Latencies => {
  const latencies = new Latencies();
  for (const sample of samples) latencies.add(sample);
  return latencies;
};

/** Nearest rank by its definition: the first sample that enough samples do not exceed, counted with big integers. */
function naive(samples: readonly number[], percentTimesMillion: number): number | undefined {
  const sorted = [...samples].sort((a, b) => a - b);
  const enough = (i: number): boolean =>
    BigInt(i + 1) * 100_000_000n >= BigInt(percentTimesMillion) * BigInt(sorted.length);
  return sorted.find((_, i) => enough(i));
}

describe('latencies', () => {
  it('have no percentiles without samples', () => {
    const none = new Latencies();
    expect([none.count, none.p50, none.p99, none.max, none.mean]).toEqual([
      0,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('have the percentiles of the definition', () => {
    const sample = fc.oneof(fc.nat(20), fc.nat(LATENCY_MS_MAX));
    // In steps of 0.01 %, 0.01 % being 10,000 millionths of a percent.
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 300 }), fc.nat(10_000), (samples, hundredths) => {
        expect(of(samples).percentile(hundredths / 100)).toBe(naive(samples, hundredths * 10_000));
      }),
    );
  });

  it('are exact where floating point is a trace above a whole rank', () => {
    const hundred = of(Array.from({ length: 100 }, (_, i) => i + 1));
    for (let percent = 1; percent <= 100; percent++) expect(hundred.percentile(percent)).toBe(percent);
    expect(hundred.percentile(0)).toBe(1);
    expect(hundred.p50).toBe(50);
    expect(hundred.p99).toBe(99);
    expect(hundred.max).toBe(100);
    expect(hundred.mean).toBe(51);
  });

  it('may be asked between samples', () => {
    const latencies = of([5, 1]);
    expect(latencies.p50).toBe(1);
    latencies.add(0);
    latencies.add(9);
    expect(latencies.p50).toBe(1);
    expect(latencies.max).toBe(9);
    expect(latencies.count).toBe(4);
  });

  it('hold a million samples', () => {
    const samples = Array.from({ length: 1_000_000 }, (_, i) => mix32(i, 5) % 60_000);
    const latencies = of(samples);
    expect(latencies.count).toBe(1_000_000);
    expect(latencies.p99).toBe(naive(samples, 99_000_000));
  });

  it('count what is beyond the maximum as the maximum', () => {
    expect(of([LATENCY_MS_MAX + 5]).max).toBe(LATENCY_MS_MAX);
  });

  it('do not depend on the order of samples', () => {
    const random = new Xoshiro128(1);
    const samples = Array.from({ length: 1_000 }, () => random.nextU32() % 500);
    expect(of(samples).p99).toBe(of([...samples].reverse()).p99);
  });

  it('refuse a percentile outside 0 to 100', () => {
    for (const percent of [-1, 101, Number.NaN]) {
      expect(() => of([1]).percentile(percent)).toThrowError(expect.objectContaining({ code: 'ERR_SIM_OPTION' }));
    }
  });
});
