// One direction of a radio link: what becomes of a datagram between the sender and the receiver, and when.
import { between, chance } from '../core/random.js';
import type { Millis, Random } from '../ports.js';
import { createLoss, type LossConfig, type LossModel, ppmOfPercent, SimulationOptionError, wholeMs } from './loss.js';

/** Plain JSON. Percentages: 0 to 100, in steps of 0.0001. */
export interface LinkOptions {
  /** Which datagrams vanish. Default `{ "model": "none" }`. */
  readonly loss: LossConfig;
  /** Shortest time on the way, ms, 0 to LINK_DELAY_MS_MAX; default 5. Equal to `delayMsMax`: a constant delay. */
  readonly delayMsMin: number;
  /** Longest time on the way, ms, `delayMsMin` to LINK_DELAY_MS_MAX; default 25. Every whole ms between is equally likely. */
  readonly delayMsMax: number;
  /** Share of datagrams that arrive twice, the copy with a delay of its own; default 0. */
  readonly duplicatePercent: number;
  /** Share of arrivals (copies count by themselves) that are held back so that later ones may overtake; default 0. */
  readonly reorderPercent: number;
  /** How long one is held back beyond its delay, ms, 1 to this; 1 to LINK_DELAY_MS_MAX, default 200. */
  readonly reorderMsMax: number;
  /** Largest datagram that fits, bytes, 1 to LINK_MTU_BYTES_MAX; longer ones are dropped and counted. Default 1,232. */
  readonly mtuBytes: number;
}

/** An hour. Satellites and store-and-forward included. */
export const LINK_DELAY_MS_MAX = 3_600_000;
/** The payload of the largest UDP datagram over IPv4: 65,535 - 20 - 8. */
export const LINK_MTU_BYTES_MAX = 65_507;

export const LINK_DEFAULTS: LinkOptions = {
  loss: { model: 'none' },
  delayMsMin: 5,
  delayMsMax: 25,
  duplicatePercent: 0,
  reorderPercent: 0,
  reorderMsMax: 200,
  // What every IPv6 link carries without fragments (RFC 8200, section 5): 1,280 less headers of 40 and 8.
  mtuBytes: 1_232,
};

/** Since the link was made. Arrivals are `sent - lost + duplicated`. */
export interface LinkCounters {
  /** Datagrams that fit and went on the air, the lost ones included. */
  sent: number;
  lost: number;
  /** Datagrams that arrive twice. */
  duplicated: number;
  /** Arrivals that were held back. */
  reordered: number;
  /** Datagrams that did not fit; not among `sent`. */
  tooLong: number;
  /** Of all that was sent. */
  bytes: number;
}

/** Takes what arrives, at once, in order of decision and not of time; `atMs` is when it arrives. The bytes are its own. */
export type Deliver = (datagram: Uint8Array, atMs: Millis) => void;

/**
 * Datagrams arrive in the order in which they were sent, whatever their delays, unless one is held back (`reorderPercent`):
 * then those behind it go past. What arrives in the same millisecond is in order if it is scheduled in order of `deliver`.
 */
export class Link {
  readonly counters: LinkCounters = { sent: 0, lost: 0, duplicated: 0, reordered: 0, tooLong: 0, bytes: 0 };
  private readonly loss: LossModel;
  private readonly delayMsMin: number;
  private readonly delayMsMax: number;
  private readonly duplicatePpm: number;
  private readonly reorderPpm: number;
  private readonly reorderMsMax: number;
  private readonly mtuBytes: number;
  /** Arrival of the last datagram that kept its place: none that keeps its place arrives before it. */
  private lastMs: Millis = 0;

  /** `random` belongs to this link alone: seed it with `mix32` from the scenario's seed and the link's number. */
  constructor(
    options: Partial<LinkOptions>,
    private readonly random: Random,
  ) {
    const all: LinkOptions = { ...LINK_DEFAULTS, ...options };
    this.loss = createLoss(all.loss, random);
    this.delayMsMin = wholeMs('delayMsMin', all.delayMsMin, 0, LINK_DELAY_MS_MAX);
    this.delayMsMax = wholeMs('delayMsMax', all.delayMsMax, this.delayMsMin, LINK_DELAY_MS_MAX);
    this.duplicatePpm = ppmOfPercent('duplicatePercent', all.duplicatePercent);
    this.reorderPpm = ppmOfPercent('reorderPercent', all.reorderPercent);
    this.reorderMsMax = wholeMs('reorderMsMax', all.reorderMsMax, 1, LINK_DELAY_MS_MAX);
    if (!Number.isInteger(all.mtuBytes) || all.mtuBytes < 1 || all.mtuBytes > LINK_MTU_BYTES_MAX) {
      throw new SimulationOptionError('mtuBytes', all.mtuBytes, `a whole number of bytes, 1 to ${LINK_MTU_BYTES_MAX}`);
    }
    this.mtuBytes = all.mtuBytes;
  }

  /** False for a datagram longer than the MTU, which never goes on the air. */
  fits(datagram: Uint8Array): boolean {
    return datagram.length <= this.mtuBytes;
  }

  /** Sends `datagram`, which the caller may use again afterwards. Calls `deliver` never, once or twice before it returns. */
  transmit(datagram: Uint8Array, now: Millis, deliver: Deliver): void {
    if (!this.fits(datagram)) {
      this.counters.tooLong++;
      return;
    }
    this.counters.sent++;
    this.counters.bytes += datagram.length;
    if (this.loss.lost(now)) {
      this.counters.lost++;
      return;
    }
    // Not `slice`: a Buffer's would share the sender's memory.
    deliver(new Uint8Array(datagram), this.arrival(now));
    if (!chance(this.random, this.duplicatePpm)) return;
    this.counters.duplicated++;
    deliver(new Uint8Array(datagram), this.arrival(now));
  }

  private arrival(now: Millis): Millis {
    const inOrderMs = Math.max(this.lastMs, now + between(this.random, this.delayMsMin, this.delayMsMax));
    if (chance(this.random, this.reorderPpm)) {
      this.counters.reordered++;
      return inOrderMs + between(this.random, 1, this.reorderMsMax);
    }
    this.lastMs = inOrderMs;
    return inOrderMs;
  }
}
