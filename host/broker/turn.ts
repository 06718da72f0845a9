// One thing at a time. The broker calls its connections in the middle of its work, and a connection may call back at
// once; such a call waits until the current one is done, so that nothing in the broker ever sees a half-done step.
import { Fifo } from './fifo.js';

export class Turn {
  private isBusy = false;
  private readonly deferred = new Fifo<() => void>();

  /** `settle` ends every turn, after all that was put off in it. */
  constructor(private readonly settle: () => void) {}

  /** True, and the turn has begun; false from inside another, whose caller then puts its job off. */
  begin(): boolean {
    if (this.isBusy) return false;
    this.isBusy = true;
    return true;
  }

  defer(job: () => void): void {
    this.deferred.push(job);
  }

  /** Ends what `begin` began. To be called whatever has happened. */
  end(): void {
    try {
      for (let next = this.deferred.shift(); next !== undefined; next = this.deferred.shift()) next();
      this.settle();
    } finally {
      this.isBusy = false;
    }
  }

  /** Runs the job now or, from inside another, after it and those deferred before. */
  run(job: () => void): void {
    if (!this.begin()) {
      this.deferred.push(job);
      return;
    }
    try {
      job();
    } finally {
      this.end();
    }
  }
}
