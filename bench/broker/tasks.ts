// What is measured, and with how much effort.
import type { Windows } from './flood.js';
import type { Shape } from './traffic.js';

export type TrafficKind = 'one-to-one' | 'fan-in' | 'fan-out';

export interface TrafficTask {
  readonly kind: TrafficKind;
  readonly shape: Shape;
  /** While latency is measured: messages of all publishers. */
  readonly messagesPerSecond: number;
}

export interface Effort {
  /** Each broker's turn comes once a round. */
  readonly rounds: number;
  /** Full load before the clock runs, and while it runs, ms. */
  readonly warmupMs: number;
  readonly floodMs: number;
  /** Moderate load, ms. */
  readonly paceMs: number;
  /** Clients that come and go. */
  readonly connections: number;
  /** Clients that stay and say nothing. */
  readonly idleConnections: number;
  /** Each attack, and as long without it, ms; and how many clients and messages of it there are, of those it has. */
  readonly abuseMs: number;
  readonly abuseScale: number;
  readonly attacksMax: number;
}

export const FULL: Effort = {
  rounds: 3,
  warmupMs: 500,
  floodMs: 700,
  paceMs: 500,
  connections: 2_000,
  idleConnections: 10_000,
  abuseMs: 3_000,
  abuseScale: 1,
  attacksMax: 100,
};

/** Enough to see that everything runs. */
export const QUICK: Effort = {
  rounds: 1,
  warmupMs: 10,
  floodMs: 50,
  paceMs: 50,
  connections: 50,
  idleConnections: 100,
  abuseMs: 200,
  abuseScale: 0.02,
  attacksMax: 2,
};

/** Publishers and subscribers. */
const SIZES: readonly (readonly [publishers: number, subscribers: number])[] = [
  [1, 1],
  [20, 1],
  [1, 50],
  [1, 1_000],
];
const SIZES_QUICK: typeof SIZES = [
  [1, 1],
  [5, 1],
  [1, 10],
];
export const QOS_ALL: readonly number[] = [0, 1, 2];

/** Latency: what the slowest broker of this bench can take, with much to spare. */
const MESSAGES_PER_SECOND = 2_000;
const DELIVERIES_PER_SECOND = 10_000;

const MESSAGES_MAX_QOS_0 = 2_000;
/** As many as every broker keeps for one subscriber without dropping any: Thimble 1,000, the others more. */
const MESSAGES_MAX_QOS_1_2 = 1_000;
const DELIVERIES_MAX = 50_000;
const INFLIGHT_MAX = 50;

export function windowsOf(qos: number): Windows {
  const messagesMax = qos === 0 ? MESSAGES_MAX_QOS_0 : MESSAGES_MAX_QOS_1_2;
  return { messagesMax, deliveriesMax: DELIVERIES_MAX, inflightMax: INFLIGHT_MAX };
}

function taskOf(publishers: number, subscribers: number, qos: number): TrafficTask {
  return {
    kind: subscribers > 1 ? 'fan-out' : publishers > 1 ? 'fan-in' : 'one-to-one',
    shape: { publishers, subscribers, qos },
    messagesPerSecond: Math.min(MESSAGES_PER_SECOND, DELIVERIES_PER_SECOND / subscribers),
  };
}

export interface Selection {
  readonly traffic: readonly TrafficTask[];
  readonly connections: boolean;
  readonly memory: boolean;
  readonly abuse: boolean;
}

/** Names of `--only` besides shapes such as 4to1. */
export const TASK_NAMES: readonly string[] = ['one-to-one', 'fan-in', 'fan-out', 'connections', 'memory', 'abuse'];
const SHAPE = /^([1-9]\d{0,2})to([1-9]\d{0,3})$/;
/** What `SHAPE` lets through. */
export const SHAPES = '1to1 to 999to9999';

/** What was asked for: everything when `only` is undefined. Undefined for a name that there is not. */
export function select(
  only: readonly string[] | undefined,
  qos: readonly number[],
  isQuick: boolean,
): Selection | { readonly unknown: string } {
  const all = (isQuick ? SIZES_QUICK : SIZES).map(([publishers, subscribers]) => ({ publishers, subscribers }));
  const tasksOf = (sizes: typeof all): TrafficTask[] =>
    sizes.flatMap(({ publishers, subscribers }) => qos.map((each) => taskOf(publishers, subscribers, each)));
  if (only === undefined) return { traffic: tasksOf(all), connections: true, memory: true, abuse: true };
  const traffic: TrafficTask[] = [];
  for (const name of only) {
    const size = SHAPE.exec(name);
    if (size !== null) traffic.push(...tasksOf([{ publishers: Number(size[1]), subscribers: Number(size[2]) }]));
    else if (TASK_NAMES.includes(name)) traffic.push(...tasksOf(all).filter(({ kind }) => kind === name));
    else return { unknown: name };
  }
  const [connections, memory, abuse] = ['connections', 'memory', 'abuse'].map((name) => only.includes(name));
  return { traffic, connections: connections!, memory: memory!, abuse: abuse! };
}
