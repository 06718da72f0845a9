// A core's deadline in virtual time: polls it when it wants to be polled.
import type { Timer } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import type { Action, Scheduler } from './scheduler.js';

/** What gateway and broker have in common. */
export interface Polled {
  nextDue(): Millis;
  poll(now: Millis): void;
}

export class Alarm {
  private timer: Timer<Action> | undefined;

  /** `after` is called when the core was polled: others may have been moved by it. */
  constructor(
    private readonly core: Polled,
    private readonly scheduler: Scheduler,
    private readonly after: (now: Millis) => void,
  ) {}

  /** To be called after anything that may have moved the core's deadline. */
  rearm(now: Millis): void {
    const dueMs = Math.max(this.core.nextDue(), now);
    if (this.timer !== undefined) {
      if (this.timer.dueMs === dueMs) return;
      this.scheduler.cancel(this.timer);
      this.timer = undefined;
    }
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.timer = this.scheduler.at(dueMs, (then) => {
      this.timer = undefined;
      this.core.poll(then);
      this.after(then);
    });
  }
}
