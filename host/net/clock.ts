// The clock of the real world, for adapters to hand to cores.
import { performance } from 'node:perf_hooks';
import type { Millis } from '../ports.js';

/** The longest delay that setTimeout takes: of a longer one, also of Infinity, it makes 1 ms. */
export const TIMEOUT_MS_MAX = 2_147_483_647;

/** Whole milliseconds since the process started; never goes back. */
export function monotonicNow(): Millis {
  return Math.floor(performance.now());
}
