// Many timers, one next deadline: a binary heap with removal. Order is by time, then by when the timer was set, so that
// a run repeats exactly.
import type { Millis } from '../ports.js';

/** A timer that has been set; give it back to `cancel`. */
export interface Timer<T> {
  readonly dueMs: Millis;
  readonly value: T;
}

interface Entry<T> extends Timer<T> {
  readonly order: number;
  /** Place in the heap, or -1 once fired or cancelled. */
  index: number;
}

export class TimerQueue<T> {
  private readonly heap: Entry<T>[] = [];
  private order = 0;

  get size(): number {
    return this.heap.length;
  }

  /** When the first timer is due; Infinity when there is none. */
  nextDue(): Millis {
    return this.heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  set(dueMs: Millis, value: T): Timer<T> {
    const entry: Entry<T> = { dueMs, value, order: this.order++, index: this.heap.length };
    this.heap.push(entry);
    this.up(entry);
    return entry;
  }

  /** Takes the timer out; false when it has fired or was cancelled before. */
  cancel(timer: Timer<T>): boolean {
    const entry = timer as Entry<T>;
    if (entry.index < 0) return false;
    this.remove(entry);
    return true;
  }

  /** The value of the first timer that is due at `now`, which is taken out; undefined when none is. */
  popDue(now: Millis): T | undefined {
    const first = this.heap[0];
    if (first === undefined || first.dueMs > now) return undefined;
    this.remove(first);
    return first.value;
  }

  private remove(entry: Entry<T>): void {
    const last = this.heap.pop()!;
    if (last !== entry) {
      last.index = entry.index;
      this.heap[last.index] = last;
      this.up(last);
      this.down(last);
    }
    entry.index = -1;
  }

  private up(entry: Entry<T>): void {
    while (entry.index > 0) {
      const parent = this.heap[(entry.index - 1) >> 1]!;
      if (before(parent, entry)) return;
      this.swap(parent, entry);
    }
  }

  private down(entry: Entry<T>): void {
    for (;;) {
      const left = this.heap[2 * entry.index + 1];
      const right = this.heap[2 * entry.index + 2];
      let child = left;
      if (right !== undefined && before(right, left!)) child = right;
      if (child === undefined || before(entry, child)) return;
      this.swap(entry, child);
    }
  }

  private swap(a: Entry<T>, b: Entry<T>): void {
    const index = a.index;
    a.index = b.index;
    b.index = index;
    this.heap[a.index] = a;
    this.heap[b.index] = b;
  }
}

function before(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.dueMs !== b.dueMs ? a.dueMs < b.dueMs : a.order < b.order;
}
