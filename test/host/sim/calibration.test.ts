// Recomputes the measured defaults of the loss models, where the measurement is at hand.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import { type MeasuredLink, parseLinks } from '../../../host/sim/links-file.js';
import {
  createLoss,
  type GilbertElliottConfig,
  isReceived,
  ORBIT_BURSTY,
  ORBIT_INTERMEDIATE,
} from '../../../host/sim/loss.js';
import { describeWithFile } from '../../tools.js';

const DATA = new URL('../../../../shared/data/orbit-links.csv', import.meta.url);

const LINKS = 3_248;
const PACKETS = 300;
/** The noise set in while the first packets were sent: nearly every link receives the first two. */
const SETTLING_PACKETS = 10;
const INTERMEDIATE_MIN = 0.1;
const INTERMEDIATE_MAX = 0.9;
const MEMORY_STANDARD_ERRORS_MIN = 3;

/** What a link received once settled, 1 or 0 a packet. */
type Trace = readonly number[];

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function settled(link: MeasuredLink): Trace {
  return Array.from({ length: PACKETS - SETTLING_PACKETS }, (_, i) =>
    isReceived(link.receivedHex, SETTLING_PACKETS + i) ? 1 : 0,
  );
}

/** Sums of products of deviations from the trace's own mean: of a packet with the next, and with itself. */
function deviations(trace: Trace): { next: number; self: number } {
  const average = mean(trace);
  let next = 0;
  let self = 0;
  for (const [i, bit] of trace.entries()) {
    self += (bit - average) ** 2;
    if (i > 0) next += (bit - average) * (trace[i - 1]! - average);
  }
  return { next, self };
}

/** Correlation of a packet with the next in standard errors; independent losses average -1/n before the correction. */
function memory(trace: Trace): number {
  const { next, self } = deviations(trace);
  return (next / self + 1 / trace.length) * Math.sqrt(trace.length);
}

/** The chain's probabilities, 0 to 1. */
interface Chain {
  readonly goodToBad: number;
  readonly badToGood: number;
  readonly lossGood: number;
  readonly lossBad: number;
}

/** Expected numbers under a chain: of packets in a state, of losses among them, of packets that have a next, of changes. */
class Expected {
  packets = 0;
  lost = 0;
  followed = 0;
  changed = 0;
}

/** Baum and Petrie (1966), Baum et al. (1970): forward and backward over each trace, scaled by what a packet explains. */
function expectation(trace: Trace, chain: Chain, good: Expected, bad: Expected): void {
  const { goodToBad: p, badToGood: r, lossGood, lossBad } = chain;
  const emitGood = trace.map((bit) => (bit === 1 ? 1 - lossGood : lossGood));
  const emitBad = trace.map((bit) => (bit === 1 ? 1 - lossBad : lossBad));
  const scale: number[] = [];
  const forwardGood: number[] = [];
  const forwardBad: number[] = [];
  let priorGood = r / (p + r);
  for (let i = 0; i < trace.length; i++) {
    const g = priorGood * emitGood[i]!;
    const b = (1 - priorGood) * emitBad[i]!;
    scale.push(g + b);
    forwardGood.push(g / (g + b));
    forwardBad.push(b / (g + b));
    priorGood = forwardGood[i]! * (1 - p) + forwardBad[i]! * r;
  }
  let backGood = 1;
  let backBad = 1;
  for (let i = trace.length - 1; i >= 0; i--) {
    const total = forwardGood[i]! * backGood + forwardBad[i]! * backBad;
    const inGood = (forwardGood[i]! * backGood) / total;
    good.packets += inGood;
    bad.packets += 1 - inGood;
    good.lost += inGood * (1 - trace[i]!);
    bad.lost += (1 - inGood) * (1 - trace[i]!);
    if (i === 0) break;
    const toGood = (emitGood[i]! * backGood) / scale[i]!;
    const toBad = (emitBad[i]! * backBad) / scale[i]!;
    const beforeGood = forwardGood[i - 1]!;
    const beforeBad = forwardBad[i - 1]!;
    backGood = (1 - p) * toGood + p * toBad;
    backBad = r * toGood + (1 - r) * toBad;
    good.followed += beforeGood * backGood;
    bad.followed += beforeBad * backBad;
    good.changed += beforeGood * p * toBad;
    bad.changed += beforeBad * r * toGood;
  }
}

function fitChain(traces: readonly Trace[]): Chain {
  const iterations = 1_000;
  let chain: Chain = { goodToBad: 0.05, badToGood: 0.05, lossGood: 0.2, lossBad: 0.8 };
  for (let i = 0; i < iterations; i++) {
    const good = new Expected();
    const bad = new Expected();
    for (const trace of traces) expectation(trace, chain, good, bad);
    chain = {
      goodToBad: good.changed / good.followed,
      badToGood: bad.changed / bad.followed,
      lossGood: good.lost / good.packets,
      lossBad: bad.lost / bad.packets,
    };
  }
  return chain;
}

/** Traces that a chain of ours makes. */
function made(config: GilbertElliottConfig, count: number, packets: number): Trace[] {
  return Array.from({ length: count }, (_, seed) => {
    const model = createLoss(config, new Xoshiro128(seed));
    return Array.from({ length: packets }, (_packet, i) => (model.lost(i) ? 0 : 1));
  });
}

describe('the fit', () => {
  it('finds the chain that made the traces', () => {
    const chain = fitChain(made(ORBIT_BURSTY, 40, 1_000));
    expect(chain.goodToBad * 100).toBeCloseTo(ORBIT_BURSTY.goodToBadPercent, 0);
    expect(chain.badToGood * 100).toBeCloseTo(ORBIT_BURSTY.badToGoodPercent, 0);
    expect(Math.abs(chain.lossGood * 100 - ORBIT_BURSTY.lossGoodPercent)).toBeLessThan(2);
    expect(Math.abs(chain.lossBad * 100 - ORBIT_BURSTY.lossBadPercent)).toBeLessThan(2);
  });
});

describeWithFile(DATA, 'the measured links of the ORBIT testbed (docs/LINKS.md)', 'the measured defaults', () => {
  let all: readonly MeasuredLink[] = [];
  let intermediate: Trace[] = [];
  beforeAll(() => {
    all = parseLinks(readFileSync(DATA, 'utf8')).all;
    intermediate = all.map(settled).filter((trace) => {
      const received = mean(trace);
      return received >= INTERMEDIATE_MIN && received <= INTERMEDIATE_MAX;
    });
  });

  it('come from all links of the file, 219 of which are intermediate', () => {
    expect(all.length).toBe(LINKS);
    expect(intermediate.length).toBe(219);
  });

  it('have the mean loss of intermediate links', () => {
    const lostPercent = intermediate.map((trace) => 100 * (1 - mean(trace)));
    expect(mean(lostPercent)).toBeCloseTo(ORBIT_INTERMEDIATE.lossPercent, 1);
  });

  it('are independent losses for intermediate links, since those have almost no memory', () => {
    const sums = intermediate.map(deviations);
    const correlation = mean(sums.map(({ next }) => next)) / mean(sums.map(({ self }) => self));
    expect(Math.abs(correlation)).toBeLessThan(0.01);
  });

  it('have the bursts of the intermediate links with memory', () => {
    const bursty = intermediate.filter((trace) => memory(trace) >= MEMORY_STANDARD_ERRORS_MIN);
    expect(bursty.length).toBe(8);
    expect(intermediate.filter((trace) => memory(trace) <= -MEMORY_STANDARD_ERRORS_MIN).length).toBe(4);
    const chain = fitChain(bursty);
    expect(chain.goodToBad * 100).toBeCloseTo(ORBIT_BURSTY.goodToBadPercent, 1);
    expect(chain.badToGood * 100).toBeCloseTo(ORBIT_BURSTY.badToGoodPercent, 1);
    expect(chain.lossGood * 100).toBeCloseTo(ORBIT_BURSTY.lossGoodPercent, 1);
    expect(chain.lossBad * 100).toBeCloseTo(ORBIT_BURSTY.lossBadPercent, 1);
  });
});
