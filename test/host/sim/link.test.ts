import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mix32, Xoshiro128 } from '../../../host/core/random.js';
import { LINK_MTU_BYTES_MAX, Link, type LinkOptions } from '../../../host/sim/link.js';
import { SimulationOptionError } from '../../../host/sim/loss.js';
import { Scheduler } from '../../../host/sim/scheduler.js';

interface Arrival {
  readonly index: number;
  readonly atMs: number;
}

/** Sends `count` datagrams that carry their index, `gapMs` apart, and returns what arrives in order of arrival. */
function arrivals(link: Link, count: number, gapMs: number): Arrival[] {
  const scheduler = new Scheduler();
  const arrived: Arrival[] = [];
  for (let index = 0; index < count; index++) {
    scheduler.at(index * gapMs, (now) => {
      const datagram = new Uint8Array(4);
      new DataView(datagram.buffer).setUint32(0, index);
      link.transmit(datagram, now, (bytes, atMs) => {
        scheduler.at(atMs, () => arrived.push({ index: new DataView(bytes.buffer).getUint32(0), atMs }));
      });
    });
  }
  scheduler.runUntil(Number.POSITIVE_INFINITY);
  return arrived;
}

const linkOf = (options: Partial<LinkOptions>, seed = 1): Link => new Link(options, new Xoshiro128(mix32(seed, 77)));

const overtakings = (arrived: readonly Arrival[]): number =>
  arrived.filter((arrival, i) => i > 0 && arrival.index < arrived[i - 1]!.index).length;

describe('a link', () => {
  const rough: Partial<LinkOptions> = {
    loss: { model: 'bernoulli', lossPercent: 20 },
    delayMsMin: 1,
    delayMsMax: 300,
    duplicatePercent: 10,
    reorderPercent: 10,
    reorderMsMax: 500,
  };

  it('repeats itself for a seed, and differs from seed to seed', () => {
    expect(arrivals(linkOf(rough, 5), 1_000, 10)).toEqual(arrivals(linkOf(rough, 5), 1_000, 10));
    expect(arrivals(linkOf(rough, 5), 1_000, 10)).not.toEqual(arrivals(linkOf(rough, 6), 1_000, 10));
  });

  it('never lets a later datagram overtake an earlier one without reordering', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.nat(200),
        fc.nat(2_000),
        fc.nat(30),
        fc.constantFrom(0, 25, 100),
        (seed, delayMsMin, spreadMs, gapMs, duplicatePercent) => {
          const link = linkOf({ delayMsMin, delayMsMax: delayMsMin + spreadMs, duplicatePercent }, seed);
          const arrived = arrivals(link, 100, gapMs);
          expect(overtakings(arrived)).toBe(0);
          expect(arrived.length).toBe(100 + link.counters.duplicated);
        },
      ),
    );
  });

  it('keeps delays within their bounds when datagrams are far apart, and reaches both', () => {
    const delays = arrivals(linkOf({ delayMsMin: 10, delayMsMax: 14 }), 2_000, 100).map(
      ({ index, atMs }) => atMs - index * 100,
    );
    expect([...new Set(delays)].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14]);
  });

  it('has a constant delay when both bounds are equal', () => {
    for (const { index, atMs } of arrivals(linkOf({ delayMsMin: 40, delayMsMax: 40 }), 100, 7)) {
      expect(atMs).toBe(index * 7 + 40);
    }
  });

  it('really reorders, and only what it counts as reordered', () => {
    const link = linkOf({ delayMsMin: 5, delayMsMax: 5, reorderPercent: 10, reorderMsMax: 200 });
    const arrived = arrivals(link, 10_000, 10);
    expect(arrived.length).toBe(10_000);
    expect(link.counters.reordered).toBeGreaterThan(850);
    expect(link.counters.reordered).toBeLessThan(1_150);
    expect(overtakings(arrived)).toBeGreaterThan(500);
    const heldBack = arrived.filter(({ index, atMs }) => atMs !== index * 10 + 5);
    expect(heldBack.length).toBe(link.counters.reordered);
    for (const { index, atMs } of heldBack) expect(atMs).toBeLessThanOrEqual(index * 10 + 5 + 200);
  });

  it('duplicates the share it was told to, the same bytes twice', () => {
    const link = linkOf({ duplicatePercent: 30 });
    const arrived = arrivals(link, 10_000, 50);
    expect(link.counters.duplicated).toBeGreaterThan(2_700);
    expect(link.counters.duplicated).toBeLessThan(3_300);
    expect(arrived.length).toBe(10_000 + link.counters.duplicated);
    expect(new Set(arrived.map(({ index }) => index)).size).toBe(10_000);
  });

  it('counts what it loses', () => {
    const link = linkOf(rough);
    const arrived = arrivals(link, 10_000, 10);
    const { sent, lost, duplicated, bytes, tooLong } = link.counters;
    expect(sent).toBe(10_000);
    expect(lost).toBeGreaterThan(1_800);
    expect(lost).toBeLessThan(2_200);
    expect(arrived.length).toBe(sent - lost + duplicated);
    expect(bytes).toBe(40_000);
    expect(tooLong).toBe(0);
  });

  it('drops and counts what is longer than the MTU', () => {
    const link = linkOf({ mtuBytes: 100 });
    const lengths: number[] = [];
    for (const length of [0, 99, 100, 101, 5_000]) {
      link.transmit(new Uint8Array(length), 0, (bytes) => lengths.push(bytes.length));
    }
    expect(lengths).toEqual([0, 99, 100]);
    expect(link.counters).toEqual({ sent: 3, lost: 0, duplicated: 0, reordered: 0, tooLong: 2, bytes: 199 });
  });

  it('hands over bytes of its own, a copy for each arrival', () => {
    const link = linkOf({ duplicatePercent: 100 });
    const buffer = Uint8Array.of(1, 2, 3);
    const got: Uint8Array[] = [];
    link.transmit(buffer, 0, (bytes) => got.push(bytes));
    buffer.fill(9);
    got[0]!.fill(8);
    expect(got.length).toBe(2);
    expect([...got[1]!]).toEqual([1, 2, 3]);
  });

  it('names the option that is out of its range', () => {
    const bad = (options: Partial<LinkOptions>): string => {
      try {
        linkOf(options);
      } catch (error) {
        if (error instanceof SimulationOptionError) return error.option;
        throw error;
      }
      return 'nothing was thrown';
    };
    expect(bad({ delayMsMin: -1 })).toBe('delayMsMin');
    expect(bad({ delayMsMin: 30, delayMsMax: 29 })).toBe('delayMsMax');
    expect(bad({ duplicatePercent: 101 })).toBe('duplicatePercent');
    expect(bad({ reorderPercent: Number.NaN })).toBe('reorderPercent');
    expect(bad({ reorderMsMax: 0 })).toBe('reorderMsMax');
    expect(bad({ mtuBytes: 0 })).toBe('mtuBytes');
    expect(bad({ mtuBytes: LINK_MTU_BYTES_MAX + 1 })).toBe('mtuBytes');
    expect(bad({ loss: { model: 'bernoulli', lossPercent: 101 } })).toBe('loss.lossPercent');
  });
});
