// Joins a core's deadlines to real time.
import type { Broker } from '../broker/broker.js';
import type { Millis } from '../ports.js';
import { TIMEOUT_MS_MAX } from './clock.js';

/** Calls a broker, or another core, when something is due. For any adapter: `wake` after each call that may have set a deadline. */
export class BrokerTimer {
  private handle: NodeJS.Timeout | undefined;
  private armedFor: Millis = Number.POSITIVE_INFINITY;
  private isStopped = false;

  constructor(
    private readonly broker: Pick<Broker, 'nextDue' | 'poll'>,
    private readonly clock: () => Millis,
  ) {}

  /** Sees whether the next deadline has come nearer. One that has moved away is seen when the old one passes. */
  wake(): void {
    if (this.isStopped) return;
    const due = this.broker.nextDue();
    if (due < this.armedFor) this.arm(due);
  }

  /** For good: what still calls when all is over, such as a journal's last answer or a socket's end, sets nothing going any more. */
  stop(): void {
    this.isStopped = true;
    this.disarm();
  }

  private arm(due: Millis): void {
    this.disarm();
    this.armedFor = due;
    const delay = Math.min(Math.max(due - this.clock(), 0), TIMEOUT_MS_MAX);
    this.handle = setTimeout(() => {
      this.disarm();
      this.broker.poll(this.clock());
      this.wake();
    }, delay);
  }

  private disarm(): void {
    clearTimeout(this.handle);
    this.handle = undefined;
    this.armedFor = Number.POSITIVE_INFINITY;
  }
}
