// Whether a datagram is lost: the loss models of a link, their configuration, and defaults taken from measurements. All
// decisions are integers drawn from the link's own generator, so that a seed repeats them on every machine.
import { between, chance, mix32 } from '../core/random.js';
import type { Millis, Random } from '../ports.js';

/** Decides over one datagram at a time; `nowMs` never turns back. */
export interface LossModel {
  lost(nowMs: Millis): boolean;
}

/** Percentages: 0 to 100, in steps of 0.0001 (finer digits are rounded). Plain JSON. */
export type LossConfig = NoLossConfig | BernoulliConfig | GilbertElliottConfig | TraceConfig;

export interface NoLossConfig {
  readonly model: 'none';
}

/** Every datagram is lost with the same probability, whatever became of the one before. */
export interface BernoulliConfig {
  readonly model: 'bernoulli';
  readonly lossPercent: number;
}

/**
 * A channel that is good or bad and changes with every datagram: the two-state chain of Gilbert ("Capacity of a
 * burst-noise channel", Bell System Technical Journal 39, 1960), with loss in the good state too as by Elliott
 * ("Estimates of error rates for codes on burst-noise channels", the same journal 42, 1963).
 *
 * With p = goodToBad and r = badToGood, a share of p / (p + r) of datagrams meets the bad state, a visit to it lasts
 * 1 / r datagrams on average, and the long-run loss is (r * lossGood + p * lossBad) / (p + r). The share of the first
 * datagram is the same: a link has no warm-up. Where p + r = 100 % the states have no memory, and this is Bernoulli.
 */
export interface GilbertElliottConfig {
  readonly model: 'gilbert-elliott';
  readonly goodToBadPercent: number;
  readonly badToGoodPercent: number;
  /** Default 0. */
  readonly lossGoodPercent?: number;
  /** Default 100. */
  readonly lossBadPercent?: number;
}

/**
 * Replay of a measured link. Bit k of the trace says whether the link was open in slot k, a slot being what the
 * measurement's packets were apart; a datagram takes the bit of the slot that it is sent in. So bursts keep their
 * duration, whether a device sends ten datagrams in a second or one in an hour; taking one bit a datagram would stretch
 * a fade of half a second over five hourly reports. Datagrams of one slot share their fate, which is as much as the
 * measurement knows.
 *
 * A trace is short (300 slots of 100 ms: half a minute) and is replayed for ever. Each pass begins at an offset of its
 * own, drawn from the link's seed, and goes once around the trace: a device that reports every 30 or 60 seconds would
 * otherwise meet the same bit each time, for ever lost or for ever received.
 */
export interface TraceConfig {
  readonly model: 'trace';
  /** One hexadecimal digit for four slots, the first slot's bit first; 1 = received. At least one digit. */
  readonly receivedHex: string;
  /** Length of a slot in ms, 1 to TRACE_INTERVAL_MS_MAX, default TRACE_INTERVAL_MS_DEFAULT. */
  readonly intervalMs?: number;
}

/** Spacing of packets in the ORBIT measurement, and a common one elsewhere. */
export const TRACE_INTERVAL_MS_DEFAULT = 100;
/** A day: beyond it a trace is no longer one of single packets. */
export const TRACE_INTERVAL_MS_MAX = 86_400_000;

/**
 * What an intermediate link loses: the mean over the 219 of 3,248 links that received 10 to 90 % (ORBIT indoor testbed,
 * CRAWDAD rutgers/noise, 2005; 300 packets a link, 100 ms apart, the first 10 left out since the noise set in during
 * them). Loss differs widely between these links (quartiles 27 and 78 %), but has almost no memory within one: the
 * correlation of a packet with the next, pooled around each link's own mean, is below 0.01. Hence independent losses.
 */
export const ORBIT_INTERMEDIATE = {
  model: 'bernoulli',
  lossPercent: 53.1,
} as const satisfies LossConfig;

/**
 * A bursty link: the maximum-likelihood chain (Baum-Welch; in the stationary state at the first packet) of those of the
 * intermediate links above whose losses cluster: correlation of a packet with the next at least 3 standard errors
 * (1 / sqrt(290) each) above that of independent losses. These are 8 of the 219; chance alone would make less than one,
 * but 4 lie as far on the other side, so take it for the unfriendly end of what was measured, and never for the middle.
 * Long-run loss 51 %; good and bad spells last 18 and 17 packets, there 1.8 and 1.7 s.
 */
export const ORBIT_BURSTY = {
  model: 'gilbert-elliott',
  goodToBadPercent: 5.55,
  badToGoodPercent: 5.78,
  lossGoodPercent: 19.6,
  lossBadPercent: 84.2,
} as const satisfies LossConfig;

/** An option out of its range. `option` is its path, such as `loss.lossPercent`. */
export class SimulationOptionError extends RangeError {
  readonly code = 'ERR_SIM_OPTION';
  override readonly name = 'SimulationOptionError';

  /** `allowed` says what may stand there instead. */
  constructor(
    readonly option: string,
    value: unknown,
    allowed: string,
  ) {
    super(`${option} is ${JSON.stringify(value)}; allowed is ${allowed}`);
  }
}

const PPM_PER_PERCENT = 10_000;
const PERCENT_MAX = 100;

/** 0 to 100 % as the integer that `chance` takes, 0 to 1,000,000; `option` is blamed for anything else. */
export function ppmOfPercent(option: string, percent: number): number {
  if (typeof percent === 'number' && percent >= 0 && percent <= PERCENT_MAX)
    return Math.round(percent * PPM_PER_PERCENT);
  throw new SimulationOptionError(option, percent, `0 to ${PERCENT_MAX} percent`);
}

/** The model that `config` describes. `random` belongs to the link, and serves nothing but this link. */
export function createLoss(config: LossConfig, random: Random): LossModel {
  switch (config.model) {
    case 'none':
      return NO_LOSS;
    case 'bernoulli':
      return new Bernoulli(ppmOfPercent('loss.lossPercent', config.lossPercent), random);
    case 'gilbert-elliott':
      return new GilbertElliott(config, random);
    case 'trace':
      return new TraceReplay(config, random);
    default:
      throw new SimulationOptionError(
        'loss.model',
        (config as { model: unknown }).model,
        'one of none, bernoulli, gilbert-elliott, trace',
      );
  }
}

const NO_LOSS: LossModel = { lost: () => false };

class Bernoulli implements LossModel {
  constructor(
    private readonly lossPpm: number,
    private readonly random: Random,
  ) {}

  lost(): boolean {
    return chance(this.random, this.lossPpm);
  }
}

class GilbertElliott implements LossModel {
  private readonly goodToBadPpm: number;
  private readonly badToGoodPpm: number;
  private readonly lossGoodPpm: number;
  private readonly lossBadPpm: number;
  private bad: boolean;

  constructor(
    config: GilbertElliottConfig,
    private readonly random: Random,
  ) {
    this.goodToBadPpm = ppmOfPercent('loss.goodToBadPercent', config.goodToBadPercent);
    this.badToGoodPpm = ppmOfPercent('loss.badToGoodPercent', config.badToGoodPercent);
    this.lossGoodPpm = ppmOfPercent('loss.lossGoodPercent', config.lossGoodPercent ?? 0);
    this.lossBadPpm = ppmOfPercent('loss.lossBadPercent', config.lossBadPercent ?? PERCENT_MAX);
    // The stationary share of the bad state. A chain that never moves has none, and stays good.
    const sumPpm = this.goodToBadPpm + this.badToGoodPpm;
    this.bad = sumPpm > 0 && between(random, 0, sumPpm - 1) < this.goodToBadPpm;
  }

  lost(): boolean {
    const lost = chance(this.random, this.bad ? this.lossBadPpm : this.lossGoodPpm);
    if (chance(this.random, this.bad ? this.badToGoodPpm : this.goodToBadPpm)) this.bad = !this.bad;
    return lost;
  }
}

const BITS_PER_DIGIT = 4;
const HEX = /^[0-9a-f]+$/i;

class TraceReplay implements LossModel {
  /** Shared between all links that replay this trace: 100,000 devices must not hold 100,000 copies. */
  private readonly receivedHex: string;
  private readonly slots: number;
  private readonly intervalMs: number;
  private readonly seed: number;

  constructor(config: TraceConfig, random: Random) {
    const { receivedHex, intervalMs = TRACE_INTERVAL_MS_DEFAULT } = config;
    if (typeof receivedHex !== 'string' || !HEX.test(receivedHex)) {
      throw new SimulationOptionError('loss.receivedHex', receivedHex, 'one or more hexadecimal digits');
    }
    this.receivedHex = receivedHex;
    this.slots = receivedHex.length * BITS_PER_DIGIT;
    this.intervalMs = wholeMs('loss.intervalMs', intervalMs, 1, TRACE_INTERVAL_MS_MAX);
    this.seed = random.nextU32();
  }

  lost(nowMs: Millis): boolean {
    const slot = Math.floor(nowMs / this.intervalMs);
    const pass = Math.floor(slot / this.slots);
    // Derived, not drawn: a device that slept through ten passes finds the eleventh where it would have been anyway.
    const offset = mix32(this.seed, pass) % this.slots;
    return !isReceived(this.receivedHex, (offset + slot) % this.slots);
  }
}

/** Bit `index` of a trace, the first packet's being the highest bit of the first digit; 0 <= index < 4 * digits. */
export function isReceived(receivedHex: string, index: number): boolean {
  const code = receivedHex.charCodeAt(Math.floor(index / BITS_PER_DIGIT));
  const digit = code <= DIGIT_9 ? code - DIGIT_0 : (code | LOWER_CASE) - LETTER_A + 10;
  return ((digit >> (BITS_PER_DIGIT - 1 - (index % BITS_PER_DIGIT))) & 1) === 1;
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LETTER_A = 0x61;
const LOWER_CASE = 0x20;

/** `ms` if it is an integer from `min` to `max`; `option` is blamed for anything else. */
export function wholeMs(option: string, ms: number, min: number, max: number): number {
  if (Number.isInteger(ms) && ms >= min && ms <= max) return ms;
  throw new SimulationOptionError(option, ms, `a whole number of milliseconds, ${min} to ${max}`);
}
