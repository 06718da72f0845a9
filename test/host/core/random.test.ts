import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { between, chance, mix32, Xoshiro128 } from '../../../host/core/random.js';

const DRAWS = 20_000;

function draw(seed: number, count: number): number[] {
  const random = new Xoshiro128(seed);
  return Array.from({ length: count }, () => random.nextU32());
}

describe('seeded randomness', () => {
  it('repeats from the same seed and differs from another', () => {
    expect(draw(7, 100)).toEqual(draw(7, 100));
    expect(draw(7, 100)).not.toEqual(draw(8, 100));
  });

  it('steps as xoshiro128** does', () => {
    // The reference algorithm in 64-bit arithmetic, from the same four words of state.
    const M = 0xffffffffn;
    const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & M;
    const words = [12345];
    for (const salt of [1, 2, 3, 4]) words.push(mix32(words.at(-1)!, salt));
    const s = words.slice(1).map(BigInt);
    s[3]! |= 1n;
    const reference = Array.from({ length: 50 }, () => {
      const result = (rotl((s[1]! * 5n) & M, 7n) * 9n) & M;
      const t = (s[1]! << 9n) & M;
      s[2]! ^= s[0]!;
      s[3]! ^= s[1]!;
      s[1]! ^= s[2]!;
      s[0]! ^= s[3]!;
      s[2]! ^= t;
      s[3] = rotl(s[3]!, 11n);
      return Number(result);
    });
    expect(draw(12345, 50)).toEqual(reference);
  });

  it('gives unsigned 32-bit integers from every seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        for (const value of draw(seed, 20)) expect(value === value >>> 0).toBe(true);
      }),
    );
  });

  it('spreads evenly enough over sixteen buckets', () => {
    const counts = new Array<number>(16).fill(0);
    for (const value of draw(1, DRAWS)) counts[value >>> 28]!++;
    for (const count of counts) expect(Math.abs(count - DRAWS / 16)).toBeLessThan(DRAWS / 100);
  });
});

describe('drawing from it', () => {
  it('keeps between within both ends and reaches them', () => {
    const random = new Xoshiro128(3);
    const values = new Set(Array.from({ length: 1_000 }, () => between(random, -2, 3)));
    expect([...values].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
    expect(between(random, 5, 5)).toBe(5);
  });

  it('makes a chance of 0 never and of a million always, for one number each', () => {
    const random = new Xoshiro128(4);
    const other = new Xoshiro128(4);
    for (let i = 0; i < 100; i++) {
      expect(chance(random, 0)).toBe(false);
      expect(chance(random, 1_000_000)).toBe(true);
      other.nextU32();
      other.nextU32();
    }
    expect(random.nextU32()).toBe(other.nextU32());
  });

  it('mixes one seed with every salt, and every seed with one salt, to different numbers', () => {
    const count = 1_000;
    const salted = new Set(Array.from({ length: count }, (_, salt) => mix32(7, salt)));
    const seeded = new Set(Array.from({ length: count }, (_, seed) => mix32(seed, 7)));
    expect([salted.size, seeded.size]).toEqual([count, count]);
  });

  it('gives neighbouring seeds with neighbouring salts different numbers', () => {
    const mixed = new Set<number>();
    for (let seed = 0; seed < 100; seed++) for (let salt = 0; salt < 100; salt++) mixed.add(mix32(seed, salt));
    expect(mixed.size).toBe(10_000);
  });
});
