import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../host/core/memory-journal.js';

const keysOf = (journal: MemoryJournal): string[] => [...journal.entries()].map(([key]) => key);

describe('a journal in memory', () => {
  it('calls its owner with each commit, and makes durable what was committed once the owner says so', () => {
    let calls = 0;
    const moments: number[] = [];
    const journal = new MemoryJournal(() => calls++);
    for (const key of ['a', 'b']) {
      journal.put(key, Uint8Array.of(1));
      journal.commit((now) => moments.push(now));
    }
    expect([calls, journal.hasEnded, moments]).toEqual([2, true, []]);
    journal.flush(7);
    expect([calls, journal.hasEnded, moments]).toEqual([2, false, [7, 7]]);
    journal.flush(8);
    expect(moments).toEqual([7, 7]);
  });

  it('leaves commits from within done to the next flush', () => {
    const journal = new MemoryJournal();
    const moments: number[] = [];
    journal.commit(() => journal.commit((now) => moments.push(now)));
    journal.flush(1);
    expect([journal.hasEnded, moments]).toEqual([true, []]);
    journal.flush(2);
    expect(moments).toEqual([2]);
  });

  it('keeps over a crash what was durable, and says nothing any more', () => {
    const journal = new MemoryJournal();
    journal.put('durable', Uint8Array.of(1));
    journal.commit(() => {});
    journal.flush(1);
    journal.put('committed', Uint8Array.of(2));
    journal.commit(() => expect.unreachable());
    journal.put('open', Uint8Array.of(3));
    const next = journal.afterCrash();
    journal.flush(2);
    expect(keysOf(next)).toEqual(['durable']);
    next.delete('durable');
    next.commit(() => {});
    next.flush(3);
    expect(keysOf(next.afterCrash())).toEqual([]);
  });
});
