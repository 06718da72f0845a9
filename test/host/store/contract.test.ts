// What every Store promises, asked of each.
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '../../../host/core/memory-store.js';
import type { Store } from '../../../host/ports.js';
import { type DiskStore, openDiskStore } from '../../../host/store/disk-store.js';
import { temporaryFolder } from './folders.js';

const disks: DiskStore[] = [];

const STORES: Readonly<Record<string, () => Promise<Store>>> = {
  'in memory': async () => new MemoryStore(),
  'on disk': async () => {
    const store = await openDiskStore(temporaryFolder());
    disks.push(store);
    return store;
  },
};

afterAll(() => Promise.all(disks.map((store) => store.close())));

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const all = (store: Store): Record<string, number[]> =>
  Object.fromEntries([...store.entries()].map(([key, value]) => [key, [...value]]));

describe.each(Object.entries(STORES))('a store %s', (_name, create) => {
  let store: Store;
  beforeEach(async () => {
    store = await create();
  });

  it('is empty at first', () => expect(all(store)).toEqual({}));

  it('gives back what was put, as plain octets', () => {
    store.put('a', bytes(1, 2, 3));
    store.put('b', bytes());
    expect(all(store)).toEqual({ a: [1, 2, 3], b: [] });
    for (const [, value] of store.entries()) expect(value.constructor).toBe(Uint8Array);
  });

  it('keeps the last of what was put under one key', () => {
    store.put('a', bytes(1, 2, 3));
    store.put('a', bytes(4));
    expect(all(store)).toEqual({ a: [4] });
  });

  it('forgets what was deleted, and takes no offence at what is not there', () => {
    store.put('a', bytes(1));
    store.put('b', bytes(2));
    store.delete('a');
    store.delete('nothing');
    expect(all(store)).toEqual({ b: [2] });
    store.put('a', bytes(3));
    expect(all(store)).toEqual({ a: [3], b: [2] });
  });

  it('takes octets by value, out of a larger buffer too, and gives them by value', () => {
    const large = bytes(9, 1, 2, 9);
    store.put('a', large.subarray(1, 3));
    large.fill(0);
    expect(all(store)).toEqual({ a: [1, 2] });
    for (const [, value] of store.entries()) value.fill(7);
    expect(all(store)).toEqual({ a: [1, 2] });
  });

  it('may be changed while its entries are being read, which stay as they were', () => {
    for (const key of ['a', 'b', 'c']) store.put(key, bytes(1));
    const seen: string[] = [];
    for (const [key, value] of store.entries()) {
      seen.push(key + value[0]);
      store.delete(key);
      store.put('b', bytes(2));
      store.put(`new-${key}`, bytes(3));
    }
    expect(seen.sort()).toEqual(['a1', 'b1', 'c1']);
  });

  it('takes any key and any value', () => {
    const long = 'x'.repeat(70_000);
    const keys = ['', ' ', '\0', 'ä/€/😀', '__proto__', 'k', 'h', long, `${long}y`, 'y'.repeat(999), 'y'.repeat(1_000)];
    for (const [i, key] of keys.entries()) store.put(key, bytes(i));
    store.put('large', new Uint8Array(3_000_000).fill(5));
    const stored = new Map(store.entries());
    expect(stored.size).toBe(keys.length + 1);
    for (const [i, key] of keys.entries()) expect([...stored.get(key)!]).toEqual([i]);
    expect(stored.get('large')!.every((octet) => octet === 5)).toBe(true);
    expect(stored.get('large')!.length).toBe(3_000_000);
    for (const key of keys) store.delete(key);
    expect([...store.entries()].map(([key]) => key)).toEqual(['large']);
  });

  it('does what a map does', () => {
    const key = fc.constantFrom('a', 'b', 'c/d', 'é', 'z'.repeat(2_000));
    const step = fc.oneof(
      fc.record({ do: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 40 }) }),
      fc.record({ do: fc.constant('delete' as const), key }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        for (const [old] of store.entries()) store.delete(old);
        const model = new Map<string, Uint8Array>();
        for (const action of steps) {
          if (action.do === 'put') {
            store.put(action.key, action.value);
            model.set(action.key, action.value);
          } else {
            store.delete(action.key);
            model.delete(action.key);
          }
        }
        expect(new Map(store.entries())).toEqual(model);
      }),
    );
  });
});
