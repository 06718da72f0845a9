// What the owners of virtual sessions are told: one event after another, and none before the step that brought it about
// is done. So an owner may call any session from inside any event, and what was written to the store is written first.

export class Events {
  private depth = 0;
  private queue: (() => void)[] = [];
  private told = 0;

  /** Makes one step; what it tells is heard when the outermost step is done. */
  step<T>(work: () => T): T {
    const result = this.deeper(work);
    if (this.depth === 0) this.deeper(() => this.drain());
    return result;
  }

  /** Only inside a step. */
  tell(event: () => void): void {
    this.queue.push(event);
  }

  private deeper<T>(work: () => T): T {
    this.depth++;
    try {
      return work();
    } finally {
      this.depth--;
    }
  }

  /** An event that throws has been told; those behind it wait for the next step. */
  private drain(): void {
    while (this.told < this.queue.length) this.queue[this.told++]!();
    this.queue = [];
    this.told = 0;
  }
}
