// What every Journal promises, asked of each.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Journal, Millis } from '../../../host/ports.js';
import { JOURNALS, type JournalUnderTest } from './journals.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const all = (journal: Journal): Record<string, number[]> =>
  Object.fromEntries([...journal.entries()].map(([key, value]) => [key, [...value]]));
const ignore = (): void => {};

describe.each(Object.entries(JOURNALS))('a journal %s', (_name, create) => {
  let tested: JournalUnderTest;
  let journal: Journal;

  beforeEach(async () => {
    tested = await create();
    journal = tested.journal;
  });
  afterEach(() => tested.dispose());

  async function restart(): Promise<void> {
    tested = await tested.restart();
    journal = tested.journal;
  }

  it('is empty at first', () => expect(all(journal)).toEqual({}));

  it('has after a restart what was committed, as plain octets', async () => {
    journal.put('a', bytes(1, 2, 3));
    journal.put('b', bytes());
    journal.commit(ignore);
    await restart();
    for (const [, value] of journal.entries()) expect(value.constructor).toBe(Uint8Array);
    expect(all(journal)).toEqual({ a: [1, 2, 3], b: [] });
    await restart();
    expect(all(journal)).toEqual({ a: [1, 2, 3], b: [] });
  });

  it('keeps the last word on a key, within a transaction and from one to the next', async () => {
    journal.put('a', bytes(1));
    journal.delete('a');
    journal.delete('b');
    journal.put('b', bytes(2));
    journal.put('c', bytes(3));
    journal.put('c', bytes(4));
    journal.put('d', bytes(5));
    journal.commit(ignore);
    journal.delete('d');
    journal.put('e', bytes(6));
    journal.commit(ignore);
    await restart();
    expect(all(journal)).toEqual({ b: [2], c: [4], e: [6] });
  });

  it('forgets what was deleted, and takes no offence at what is not there', async () => {
    journal.put('a', bytes(1));
    journal.put('b', bytes(2));
    journal.commit(ignore);
    await restart();
    journal.delete('a');
    journal.delete('nothing');
    journal.commit(ignore);
    await restart();
    expect(all(journal)).toEqual({ b: [2] });
  });

  it('has nothing of a transaction that was not committed', async () => {
    journal.put('a', bytes(1));
    journal.put('b', bytes(1));
    journal.commit(ignore);
    await restart();
    journal.put('a', bytes(2));
    journal.delete('b');
    await restart();
    expect(all(journal)).toEqual({ a: [1], b: [1] });
  });

  it('lets a transaction wait for its own commit, whatever becomes durable meanwhile', async () => {
    let isDone = false;
    journal.put('a', bytes(1));
    journal.commit(() => {
      journal.put('a', bytes(2)); // no commit follows
      isDone = true;
    });
    await restart();
    expect(isDone).toBe(true);
    expect(all(journal)).toEqual({ a: [1] });
  });

  it('says done in the order of the commits, and never within one', async () => {
    const said: number[] = [];
    let isCommitting = false;
    for (let n = 0; n < 100; n++) {
      isCommitting = true;
      journal.put(`key ${n}`, bytes(n));
      journal.commit(() => {
        expect(isCommitting).toBe(false);
        said.push(n);
      });
      isCommitting = false;
      if (n % 30 === 29) await tested.settle();
    }
    await tested.settle();
    expect(said).toEqual([...Array(100).keys()]);
  });

  it('says done of a transaction without changes too, in its place', async () => {
    const said: string[] = [];
    journal.commit(() => said.push('empty at first'));
    await tested.settle();
    journal.put('a', bytes(1));
    journal.commit(() => said.push('full'));
    journal.commit(() => said.push('empty again'));
    expect(said).toEqual(['empty at first']);
    await tested.settle();
    expect(said).toEqual(['empty at first', 'full', 'empty again']);
  });

  it('takes commits from within done, and says of each the moment', async () => {
    const moments: Millis[] = [];
    let left = 5;
    const again = (now: Millis): void => {
      moments.push(now);
      if (left-- === 0) return;
      journal.put('a', bytes(left));
      journal.commit(again);
    };
    journal.commit(again);
    while (left >= 0) await tested.settle();
    expect(moments.length).toBe(6);
    for (const [i, moment] of moments.entries()) expect(moment).toBeGreaterThan(moments[i - 1] ?? 0);
    await restart();
    expect(all(journal)).toEqual({ a: [0] });
  });

  it('takes any key and any value', async () => {
    const long = 'x'.repeat(65_535);
    const keys = [
      'k',
      'h',
      'ä/€/😀',
      '\ufeffa',
      'a\0b',
      'a\0b\0',
      '__proto__',
      long,
      `${long}y`,
      `${'€'.repeat(21_845)}\0${'€'.repeat(21_845)}`,
      'y'.repeat(999),
      'y'.repeat(1_000),
    ];
    for (const [i, key] of keys.entries()) journal.put(key, bytes(i));
    journal.put('large', new Uint8Array(3_000_000).fill(5));
    journal.commit(ignore);
    await restart();
    const stored = new Map(journal.entries());
    expect(stored.size).toBe(keys.length + 1);
    for (const [i, key] of keys.entries()) expect([...stored.get(key)!], JSON.stringify(key.slice(0, 9))).toEqual([i]);
    expect(stored.get('large')!.length).toBe(3_000_000);
    expect(stored.get('large')!.every((octet) => octet === 5)).toBe(true);
    for (const key of keys) journal.delete(key);
    journal.commit(ignore);
    await restart();
    expect([...journal.entries()].map(([key]) => key)).toEqual(['large']);
  });

  it('takes a value that is a part of a larger buffer', async () => {
    journal.put('a', bytes(9, 1, 2, 9).subarray(1, 3));
    journal.commit(ignore);
    await restart();
    expect(all(journal)).toEqual({ a: [1, 2] });
  });

  it('takes transactions of very many records, and many transactions at once', async () => {
    for (let n = 0; n < 20_000; n++) journal.put(`large ${n}`, bytes(n, n >> 8));
    journal.commit(ignore);
    for (let n = 0; n < 5_000; n++) {
      journal.put(`small ${n}`, bytes(n, n >> 8));
      journal.delete(`large ${n}`);
      journal.commit(ignore);
    }
    await restart();
    const stored = new Map(journal.entries());
    expect(stored.size).toBe(20_000);
    expect(stored.get('large 19999')).toEqual(bytes(19_999, 19_999 >> 8));
    expect(stored.get('small 4999')).toEqual(bytes(4_999, 4_999 >> 8));
    expect(stored.has('large 4999')).toBe(false);
  });

  it('does what a map does that only commits change', async () => {
    const key = fc.constantFrom('a', 'b', 'c/d', 'é', 'z'.repeat(2_000));
    const step = fc.oneof(
      fc.record({ do: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 40 }) }),
      fc.record({ do: fc.constant('delete' as const), key }),
      fc.record({ do: fc.constantFrom('commit' as const, 'settle' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const each = await create();
        const open = new Map<string, Uint8Array>();
        let committed = new Map<string, Uint8Array>();
        let owed = 0;
        for (const action of steps) {
          if (action.do === 'put') {
            each.journal.put(action.key, action.value);
            open.set(action.key, action.value);
          } else if (action.do === 'delete') {
            each.journal.delete(action.key);
            open.delete(action.key);
          } else {
            owed++;
            each.journal.commit(() => owed--);
            committed = new Map(open);
            if (action.do === 'settle') await each.settle();
          }
        }
        const next = await each.restart();
        expect(owed).toBe(0);
        expect(new Map(next.journal.entries())).toEqual(committed);
        await next.dispose();
      }),
      { numRuns: 15 },
    );
  });
});
