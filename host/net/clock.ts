// The clock of the real world, for adapters to hand to cores.
import { performance } from 'node:perf_hooks';
import type { Millis } from '../ports.js';

/** Whole milliseconds since the process started; never goes back. */
export function monotonicNow(): Millis {
  return Math.floor(performance.now());
}
