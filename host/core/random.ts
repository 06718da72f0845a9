// Seeded integer randomness: the same seed gives the same numbers on every machine.
import type { Random } from '../ports.js';

/** SplitMix32: turns any two 32-bit numbers into a well-mixed third. Used to derive seeds from seeds. */
export function mix32(seed: number, salt: number): number {
  let z = (seed + Math.imul(salt + 1, 0x9e3779b9)) >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

/** xoshiro128** (Blackman and Vigna, 2018): 128 bits of state, integers only. Not for keys or tokens. */
export class Xoshiro128 implements Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** `seed` is any integer; its low 32 bits count. */
  constructor(seed: number) {
    this.a = mix32(seed >>> 0, 1);
    this.b = mix32(this.a, 2);
    this.c = mix32(this.b, 3);
    this.d = mix32(this.c, 4) | 1; // the state must not be all zero
  }

  nextU32(): number {
    const x = Math.imul(this.b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }
}

/** An integer from `min` to `max`, both included, 0 <= max - min < 2^32. The bias is below one in 2^21 for spans under 2^11. */
export function between(random: Random, min: number, max: number): number {
  return min + (random.nextU32() % (max - min + 1));
}

/** True with `ppm` chances in a million; 0 never, 1,000,000 always. Draws one number either way. */
export function chance(random: Random, ppm: number): boolean {
  return random.nextU32() % 1_000_000 < ppm;
}
