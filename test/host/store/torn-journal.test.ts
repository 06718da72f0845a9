// The journal that tests tear must itself be trusted: what it keeps, what it loses, and that it does lose.
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import { TornJournal } from './torn-journal.js';

const TRANSACTIONS = 6;

/** Puts transactions of two records each, and advances to `now` in the end. Gives which were confirmed. */
function filled(seed: number, now: number): { journal: TornJournal; confirmed: number } {
  const journal = new TornJournal(new Xoshiro128(seed));
  let confirmed = 0;
  for (let n = 0; n < TRANSACTIONS; n++) {
    journal.put(`a${n}`, Uint8Array.of(n));
    journal.put(`b${n}`, new Uint8Array(n * 10));
    journal.commit(() => {
      confirmed = n + 1;
    });
  }
  journal.advance(now);
  return { journal, confirmed };
}

const keysOf = (journal: TornJournal): string[] => [...journal.entries()].map(([key]) => key);
const firstKeys = (count: number): string[] => [...Array(count).keys()].flatMap((n) => [`a${n}`, `b${n}`]);

describe('a journal that a crash tears', () => {
  it('keeps what it confirmed and any number of whole transactions more', () => {
    const more = new Set<number>();
    const confirmations = new Set<number>();
    for (let seed = 0; seed < 500; seed++) {
      const { journal, confirmed } = filled(seed, seed % 25);
      const found = keysOf(journal.crash());
      expect(found).toEqual(firstKeys(found.length / 2));
      expect(found.length / 2).toBeGreaterThanOrEqual(confirmed);
      confirmations.add(confirmed);
      if (confirmed === 0) more.add(found.length / 2);
    }
    expect([...confirmations].sort()).toEqual([...Array(TRANSACTIONS + 1).keys()]);
    expect([...more].sort()).toEqual([...Array(TRANSACTIONS + 1).keys()]);
  });

  it('goes on after a crash, and keeps what it had over the next one', () => {
    for (let seed = 0; seed < 100; seed++) {
      const { journal, confirmed } = filled(seed, 10);
      const second = journal.crash();
      const before = keysOf(second);
      second.put('c', Uint8Array.of(1));
      let isDone = false;
      second.commit(() => {
        isDone = true;
      });
      for (let due = second.nextDue(); due !== undefined; due = second.nextDue()) second.advance(due);
      expect(isDone).toBe(true);
      expect(keysOf(second.crash())).toEqual([...before, 'c']);
      expect(before.length / 2).toBeGreaterThanOrEqual(confirmed);
    }
  });

  it('says nothing any more once it has crashed', () => {
    const journal = new TornJournal(new Xoshiro128(1));
    journal.commit(() => expect.unreachable());
    const next = journal.crash(1_000);
    expect(journal.nextDue()).toBe(undefined);
    journal.advance(1_000);
    next.commit(() => {});
    expect(next.nextDue()).toBeGreaterThan(1_000);
  });

  it('does the same again from the same seed', () => {
    const run = (): string[] => keysOf(filled(7, 3).journal.crash());
    expect(run()).toEqual(run());
  });
});
