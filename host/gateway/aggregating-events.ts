// What the owners of virtual sessions are told: one event after another, and none before the step that brought it about
// is done. So an owner may call any session from inside any event, and what was written to the store is written first.

export class Events {
  private depth = 0;
  private queue: (() => void)[] = [];

  /** Makes one step; what it tells is heard when the outermost step is done. */
  step<T>(work: () => T): T {
    this.depth++;
    try {
      return work();
    } finally {
      this.depth--;
      if (this.depth === 0) this.drain();
    }
  }

  /** Only inside a step. */
  tell(event: () => void): void {
    this.queue.push(event);
  }

  private drain(): void {
    while (this.queue.length > 0) {
      const events = this.queue;
      this.queue = [];
      this.depth++;
      try {
        for (const event of events) event();
      } finally {
        this.depth--;
      }
    }
  }
}
