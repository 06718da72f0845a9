// Latencies of a run, with exact percentiles: four bytes a sample, so a million samples take four megabytes.
import type { Millis } from '../ports.js';
import { ppmOfPercent } from './loss.js';

const CAPACITY_FIRST = 1_024;
const PPM_ALL = 1_000_000;
/** 49 days, far beyond any run; longer ones would count as this. */
export const LATENCY_MS_MAX = 0xffff_ffff;

/** Milliseconds, each undefined when there is no sample. */
export class Latencies {
  private samples = new Uint32Array(CAPACITY_FIRST);
  private used = 0;
  private sorted = true;
  private sumMs = 0;

  get count(): number {
    return this.used;
  }

  /** `ms`: a whole number from 0; beyond LATENCY_MS_MAX it counts as that. */
  add(ms: Millis): void {
    if (this.used === this.samples.length) {
      const grown = new Uint32Array(2 * this.samples.length);
      grown.set(this.samples);
      this.samples = grown;
    }
    const sample = Math.min(ms, LATENCY_MS_MAX);
    this.samples[this.used++] = sample;
    this.sumMs += sample;
    this.sorted = false;
  }

  /**
   * The smallest sample that at least `percent` of all samples do not exceed (nearest rank: always one of the samples).
   * 0 to 100 in steps of 0.0001; 0 is the smallest sample and 100 the largest.
   */
  percentile(percent: number): Millis | undefined {
    // Integers up to here: in floating point, 7 % of 100 samples is a trace more than 7.
    const rank = Math.ceil((ppmOfPercent('percent', percent) * this.used) / PPM_ALL);
    if (this.used === 0) return undefined;
    this.sort();
    return this.samples[Math.max(rank, 1) - 1];
  }

  get p50(): Millis | undefined {
    return this.percentile(50);
  }

  get p99(): Millis | undefined {
    return this.percentile(99);
  }

  get max(): Millis | undefined {
    return this.percentile(100);
  }

  /** Rounded to a whole ms. */
  get mean(): Millis | undefined {
    return this.used === 0 ? undefined : Math.round(this.sumMs / this.used);
  }

  /** In place: the order of samples says nothing, and asking again costs nothing until the next sample. */
  private sort(): void {
    if (this.sorted) return;
    this.samples.subarray(0, this.used).sort();
    this.sorted = true;
  }
}
