// Virtual time: nothing happens but what was scheduled, and the clock jumps from one due moment to the next. Timers of the
// same moment run in the order in which they were set, so that a run repeats exactly.
import { type Timer, TimerQueue } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';

/** What happens at a moment of virtual time; `now` is that moment. */
export type Action = (now: Millis) => void;

/** Actions between two reports of progress; 2^14 are some tens of milliseconds of work. */
export const SCHEDULER_PROGRESS_ACTIONS = 16_384;

/**
 * Actions that one millisecond may take before the run is given up as stuck: a core that asks to be called again at once,
 * for ever, would otherwise hold the clock still. A fleet of 100,000 that wakes together needs about ten a device.
 */
export const SCHEDULER_ACTIONS_PER_MS_MAX = 10_000_000;

/**
 * A bug in whoever schedules, never a result of the simulated network. `code` is
 * `ERR_SIM_TIME` where a moment is not a whole number of milliseconds that a double holds exactly,
 * `ERR_SIM_STUCK` where virtual time stands still.
 */
export class SchedulerError extends Error {
  override readonly name = 'SchedulerError';

  constructor(
    readonly code: 'ERR_SIM_TIME' | 'ERR_SIM_STUCK',
    message: string,
  ) {
    super(message);
  }
}

export class Scheduler {
  private readonly queue = new TimerQueue<Action>();
  private nowMs: Millis;

  /** `actionsPerMsMax`: 1 and up, default SCHEDULER_ACTIONS_PER_MS_MAX. */
  constructor(
    startMs: Millis = 0,
    private readonly actionsPerMsMax: number = SCHEDULER_ACTIONS_PER_MS_MAX,
  ) {
    this.nowMs = wholeMs('start', startMs);
  }

  get now(): Millis {
    return this.nowMs;
  }

  /** Timers that are set and have not run. */
  get pending(): number {
    return this.queue.size;
  }

  /** When the next timer is due; Infinity when there is none. */
  nextDue(): Millis {
    return this.queue.nextDue();
  }

  /** Runs `run` at `dueMs`; what is due in the past runs at `now`, behind what waits for `now` already. */
  at(dueMs: Millis, run: Action): Timer<Action> {
    return this.queue.set(Math.max(wholeMs('a timer', dueMs), this.nowMs), run);
  }

  /** False when the timer has run or was cancelled before. */
  cancel(timer: Timer<Action>): boolean {
    return this.queue.cancel(timer);
  }

  /**
   * Runs what is due up to and including `endMs`, with what that schedules in turn; then `now` is `endMs`. With Infinity
   * it runs until nothing is scheduled, and `now` is the last moment at which something happened. Returns the number of
   * actions that ran. `onProgress` hears every SCHEDULER_PROGRESS_ACTIONS, and once at the end.
   */
  runUntil(endMs: Millis, onProgress?: (now: Millis, actions: number) => void): number {
    if (endMs !== Number.POSITIVE_INFINITY) wholeMs('the end', endMs);
    let actions = 0;
    let actionsThisMs = 0;
    for (let dueMs = this.queue.nextDue(); dueMs <= endMs; dueMs = this.queue.nextDue()) {
      const run = this.queue.popDue(dueMs);
      if (run === undefined) break; // nothing is scheduled, and the end is Infinity
      if (dueMs > this.nowMs) {
        this.nowMs = dueMs;
        actionsThisMs = 0;
      }
      if (++actionsThisMs > this.actionsPerMsMax) throw this.stuck();
      run(this.nowMs);
      if (++actions % SCHEDULER_PROGRESS_ACTIONS === 0) onProgress?.(this.nowMs, actions);
    }
    if (endMs !== Number.POSITIVE_INFINITY) this.nowMs = Math.max(this.nowMs, endMs);
    onProgress?.(this.nowMs, actions);
    return actions;
  }

  private stuck(): SchedulerError {
    return new SchedulerError(
      'ERR_SIM_STUCK',
      `virtual time stands still at ${this.nowMs} ms after ${this.actionsPerMsMax} actions: ` +
        'something asks to be called again at once, every time it is called',
    );
  }
}

function wholeMs(what: string, ms: Millis): Millis {
  if (Number.isSafeInteger(ms)) return ms;
  throw new SchedulerError('ERR_SIM_TIME', `${what} at ${ms} ms: a moment is a whole number of milliseconds`);
}
