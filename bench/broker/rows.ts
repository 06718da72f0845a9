// What comes out: one row for each broker and task, made of all rounds.
import type { BrokerName } from './brokers.js';
import type { ConnectsResult, IdleResult } from './crowd.js';
import type { TrafficResult } from './generator.js';
import type { TrafficKind, TrafficTask } from './tasks.js';

/** The median of all rounds, and how far they lie apart. */
export interface Figure {
  readonly median: number;
  /** Half of the way from the lowest to the highest, in percent of the median. */
  readonly spreadPercent: number;
}

interface RowBase {
  readonly broker: BrokerName;
  /** Rounds that gave a figure. */
  readonly rounds: number;
  /** Why a round gave none, in words: the first that did not. */
  readonly failure?: string;
}

/** Busy of one core, percent. */
interface Loads {
  /** Undefined where nobody knows. */
  readonly brokerCpuPercent?: number;
  readonly generatorCpuPercent?: number;
}

export interface TrafficRow extends RowBase, Loads {
  readonly kind: TrafficKind;
  readonly publishers: number;
  readonly subscribers: number;
  readonly qos: number;
  /** Under full load. Undefined when no round gave any. */
  readonly deliveriesPerSecond?: Figure;
  /** CPU time of the broker, µs. */
  readonly brokerUsPerDelivery?: Figure;
  /** Under moderate load. */
  readonly p50Ms?: Figure;
  readonly p99Ms?: Figure;
  /** The moderate load. */
  readonly messagesPerSecond: number;
  /** Deliveries that there should have been in all rounds, and that there were, under both loads. */
  readonly expected: number;
  readonly received: number;
}

export interface ConnectsRow extends RowBase, Loads {
  readonly connectionsPerSecond?: Figure;
  /** In all rounds. Each was accepted. */
  readonly connections: number;
}

export interface IdleRow extends RowBase {
  readonly bytesPerConnection?: Figure;
  /** Of the process without connections. */
  readonly emptyBytes?: number;
  readonly connections: number;
  /** Set where more connections were asked for than files may be open. */
  readonly openFilesMax?: number;
}

/** Results and failures of one broker at one task, as the rounds bring them. */
export class Rounds<R> {
  readonly results: R[] = [];
  private failure: string | undefined;

  async add(measure: () => Promise<R>): Promise<void> {
    try {
      this.results.push(await measure());
    } catch (error) {
      this.failure ??= error instanceof Error ? error.message : String(error);
    }
  }

  base(broker: BrokerName): RowBase {
    return { broker, rounds: this.results.length, ...(this.failure !== undefined && { failure: this.failure }) };
  }

  figure(of: (result: R) => number | undefined): Figure | undefined {
    const values = this.results.map(of).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : figureOf(values);
  }

  median(of: (result: R) => number | undefined): number | undefined {
    return this.figure(of)?.median;
  }

  sum(of: (result: R) => number): number {
    return this.results.reduce((total, result) => total + of(result), 0);
  }
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  const spread = (sorted.at(-1)! - sorted[0]!) / 2;
  return { median, spreadPercent: median === 0 ? 0 : (100 * spread) / median };
}

/** Without the fields that are undefined. */
type Known<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function known<T extends object>(fields: T): Known<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Known<T>;
}

export function trafficRow(task: TrafficTask, broker: BrokerName, rounds: Rounds<TrafficResult>): TrafficRow {
  const { kind, shape, messagesPerSecond } = task;
  return {
    ...rounds.base(broker),
    kind,
    ...shape,
    messagesPerSecond,
    ...known({
      deliveriesPerSecond: rounds.figure(({ flood }) => flood.deliveriesPerSecond),
      brokerUsPerDelivery: rounds.figure(({ flood }) => flood.brokerUsPerDelivery),
      p50Ms: rounds.figure(({ pace }) => pace.p50Ms),
      p99Ms: rounds.figure(({ pace }) => pace.p99Ms),
      brokerCpuPercent: rounds.median(({ flood }) => flood.brokerCpuPercent),
      generatorCpuPercent: rounds.median(({ flood }) => flood.generatorCpuPercent),
    }),
    expected: rounds.sum(({ flood, pace }) => flood.expected + pace.expected),
    received: rounds.sum(({ flood, pace }) => flood.received + pace.received),
  };
}

export function connectsRow(broker: BrokerName, rounds: Rounds<ConnectsResult>): ConnectsRow {
  return {
    ...rounds.base(broker),
    ...known({
      connectionsPerSecond: rounds.figure((result) => result.connectionsPerSecond),
      brokerCpuPercent: rounds.median((result) => result.brokerCpuPercent),
      generatorCpuPercent: rounds.median((result) => result.generatorCpuPercent),
    }),
    connections: rounds.sum((result) => result.connections),
  };
}

export function idleRow(broker: BrokerName, rounds: Rounds<IdleResult>): IdleRow {
  return {
    ...rounds.base(broker),
    ...known({
      bytesPerConnection: rounds.figure((result) => result.bytesPerConnection),
      emptyBytes: rounds.median((result) => result.emptyBytes),
      openFilesMax: rounds.median((result) => result.openFilesMax),
    }),
    connections: rounds.median((result) => result.connections) ?? 0,
  };
}
