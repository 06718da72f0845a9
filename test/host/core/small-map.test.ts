import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SmallMap, SmallSet } from '../../../host/core/small-map.js';

type Step =
  | { readonly does: 'set'; readonly key: number; readonly value: number }
  | { readonly does: 'delete'; readonly key: number }
  | { readonly does: 'clear' };

const key = fc.integer({ min: 0, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('clear' as const) }) },
);

function apply(map: SmallMap<number, number> | Map<number, number>, taken: Step): boolean | undefined {
  if (taken.does === 'set') map.set(taken.key, taken.value);
  else if (taken.does === 'delete') return map.delete(taken.key);
  else map.clear();
  return undefined;
}

describe('a small map', () => {
  it('is a Map, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const small = new SmallMap<number, number>();
        const map = new Map<number, number>();
        for (const taken of steps) {
          expect(apply(small, taken)).toBe(apply(map, taken));
          expect([...small]).toEqual([...map]);
          expect([...small.keys()]).toEqual([...map.keys()]);
          expect([...small.values()]).toEqual([...map.values()]);
          expect(small.size).toBe(map.size);
          for (let k = 0; k <= 5; k++) {
            expect(small.has(k)).toBe(map.has(k));
            expect(small.get(k)).toBe(map.get(k));
          }
        }
      }),
    );
  });

  it('may lose each entry while it is gone through', () => {
    for (const size of [1, 2, 5]) {
      const small = new SmallMap<number, string>();
      for (let k = 0; k < size; k++) small.set(k, String(k));
      const seen: number[] = [];
      for (const [k] of small) {
        seen.push(k);
        small.delete(k);
      }
      expect(seen).toEqual([0, 1, 2, 3, 4].slice(0, size));
      expect(small.size).toBe(0);
    }
  });
});

describe('a small set', () => {
  it('keeps each value once, in the order in which they came first', () => {
    const small = new SmallSet<number>();
    for (const value of [3, 1, 3, 2]) small.add(value);
    expect([...small.keys()]).toEqual([3, 1, 2]);
    expect(small.delete(1)).toBe(true);
    expect(small.delete(1)).toBe(false);
    expect([...small.keys()]).toEqual([3, 2]);
  });
});
