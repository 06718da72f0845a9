// How much longer than promised a client may be silent (7.2).
import { TOLERANCE_LONG_PERCENT, TOLERANCE_SHORT_PERCENT, TOLERANCE_STEP_MS } from '../../assembly/protocol/index.js';
import type { Millis } from '../ports.js';

/** `promisedMs` and 10 % above one minute, 50 % up to it. */
export function withTolerance(promisedMs: Millis): Millis {
  const percent = promisedMs > TOLERANCE_STEP_MS ? TOLERANCE_LONG_PERCENT : TOLERANCE_SHORT_PERCENT;
  return promisedMs + Math.floor((promisedMs * percent) / 100);
}
