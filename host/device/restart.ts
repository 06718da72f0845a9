// What becomes of a device whose module has trapped or was ended by the watchdog: it starts again, as after power-on. One that
// never gets further does so at longer and longer intervals, so that it can be reached now and then and costs little.
import type { Millis } from '../ports.js';
import { DeviceError } from './error.js';

/** From a reset to the start, ms: what a small board takes to boot. */
export const RESTART_MS_MIN = 1_000;
/** Each reset in a row doubles it, up to this. */
export const RESTART_MS_MAX = 64_000;
/** Who has worked for so long has put the last reset behind it. */
export const RESTART_CALM_MS = 60_000;

export type ResetReason = 'trap' | 'watchdog';

/** Why a device is to be reset; undefined where the error is none of its module's. */
export function resetReasonOf(error: unknown): ResetReason | undefined {
  if (!(error instanceof DeviceError)) return undefined;
  // What came as an update and is no module ends as one that cannot take a step.
  if (['ERR_DEVICE_TRAP', 'ERR_MODULE_LOAD', 'ERR_MODULE_ABI'].includes(error.code)) return 'trap';
  return error.code === 'ERR_DEVICE_WATCHDOG' ? 'watchdog' : undefined;
}

/** Of one device. */
export class Restarts {
  private readonly counts: Record<ResetReason, number> = { trap: 0, watchdog: 0 };
  private delayMs = RESTART_MS_MIN;
  private startedMs = Number.NEGATIVE_INFINITY;

  /** By reason. */
  get resets(): Readonly<Record<ResetReason, number>> {
    return this.counts;
  }

  /** The device starts, for the first time or again. */
  noteStart(now: Millis): void {
    this.startedMs = now;
  }

  /** It is reset. Returns the milliseconds until it starts again. */
  noteReset(reason: ResetReason, now: Millis): Millis {
    const isFirst = this.counts.trap + this.counts.watchdog === 0 || now - this.startedMs >= RESTART_CALM_MS;
    this.delayMs = isFirst ? RESTART_MS_MIN : Math.min(2 * this.delayMs, RESTART_MS_MAX);
    this.counts[reason]++;
    return this.delayMs;
  }
}
