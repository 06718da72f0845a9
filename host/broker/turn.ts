// One thing at a time. The broker calls its connections in the middle of its work, and a connection may call back at
// once; such a call waits until the current one is done, so that nothing in the broker ever sees a half-done step.
import { Fifo } from './fifo.js';

export class Turn {
  private isBusy = false;
  private readonly deferred = new Fifo<() => void>();

  /** Runs the job now or, from inside another job, after it and those deferred before. */
  run(job: () => void): void {
    if (this.isBusy) {
      this.deferred.push(job);
      return;
    }
    this.isBusy = true;
    try {
      job();
      for (let next = this.deferred.shift(); next !== undefined; next = this.deferred.shift()) next();
    } finally {
      this.isBusy = false;
    }
  }
}
