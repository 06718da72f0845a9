// So much a second, on average over a second: a bucket that fills steadily and holds one second's worth.
import type { Millis } from '../ports.js';

const MS_PER_SECOND = 1_000;

export class RateLimit {
  private level: number;
  private filledAt: Millis;

  /** `perSecond` is above 0; Infinity: no limit. */
  constructor(
    private readonly perSecond: number,
    now: Millis,
  ) {
    this.level = perSecond;
    this.filledAt = now;
  }

  /** Takes the amount if it is there. */
  take(amount: number, now: Millis): boolean {
    this.fill(now);
    if (this.level < amount) return false;
    this.level -= amount;
    return true;
  }

  /** Takes the amount, on credit where it is not there; 0, or the moment at which the debt will be paid. */
  spend(amount: number, now: Millis): Millis {
    this.fill(now);
    this.level -= amount;
    return this.level >= 0 ? 0 : now + Math.ceil((-this.level / this.perSecond) * MS_PER_SECOND);
  }

  private fill(now: Millis): void {
    if (this.perSecond === Number.POSITIVE_INFINITY) return;
    const earned = ((now - this.filledAt) / MS_PER_SECOND) * this.perSecond;
    this.level = Math.min(this.perSecond, this.level + earned);
    this.filledAt = now;
  }
}
