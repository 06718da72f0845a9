// A journal that ends with the process: for tests and simulations, which say when its transactions are durable and may hand
// what was durable from one broker to the next.
import type { Journal, Millis } from '../ports.js';

/** What becomes of a record; undefined: it goes. */
type Changes = Map<string, Uint8Array | undefined>;

interface Transaction {
  readonly changes: Changes;
  readonly done: (now: Millis) => void;
}

export class MemoryJournal implements Journal {
  private open: Changes = new Map();
  private ended: Transaction[] = [];
  private isCrashed = false;

  /**
   * `committed` is called within each `commit`; its owner calls `flush` then, at once after the call that committed or
   * later. `records` are what is durable at the beginning.
   */
  constructor(
    private readonly committed: () => void = () => {},
    private readonly records: Map<string, Uint8Array> = new Map(),
  ) {}

  /** Some `done` has not been called yet. */
  get hasEnded(): boolean {
    return this.ended.length > 0;
  }

  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return [...this.records];
  }

  put(key: string, value: Uint8Array): void {
    this.open.set(key, value);
  }

  delete(key: string): void {
    this.open.set(key, undefined);
  }

  commit(done: (now: Millis) => void): void {
    this.ended.push({ changes: this.open, done });
    this.open = new Map();
    this.committed();
  }

  /**
   * Makes durable what was committed before this call, in one go, and tells so. Commits from within `done` await the next call.
   * Never to be called from within `committed`.
   */
  flush(now: Millis): void {
    if (this.isCrashed) return;
    const { ended } = this;
    this.ended = [];
    for (const { changes } of ended) {
      for (const [key, value] of changes) {
        if (value === undefined) this.records.delete(key);
        else this.records.set(key, value);
      }
    }
    for (const { done } of ended) done(now);
  }

  /** What the next process finds: all that was durable, and nothing else. This one says nothing any more. */
  afterCrash(committed: () => void = () => {}): MemoryJournal {
    this.isCrashed = true;
    return new MemoryJournal(committed, new Map(this.records));
  }
}
