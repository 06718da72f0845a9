// A journal, and how much it is given.
import type { Journal, Millis } from '../ports.js';

export interface JournalCounters {
  commits: number;
  /** Records written and deleted. */
  records: number;
  /** Octets of the records written. */
  bytes: number;
  /** Commits that are not durable yet. */
  waitingNow: number;
}

export class CountedJournal implements Journal {
  readonly counters: JournalCounters = { commits: 0, records: 0, bytes: 0, waitingNow: 0 };

  constructor(private readonly journal: Journal) {}

  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.journal.entries();
  }

  put(key: string, value: Uint8Array): void {
    this.counters.records++;
    this.counters.bytes += value.length;
    this.journal.put(key, value);
  }

  delete(key: string): void {
    this.counters.records++;
    this.journal.delete(key);
  }

  commit(done: (now: Millis) => void): void {
    const { counters } = this;
    counters.commits++;
    counters.waitingNow++;
    this.journal.commit((now) => {
      counters.waitingNow--;
      done(now);
    });
  }
}
