// The load, in a process of its own: does what its argument says, and prints what came out. Started by load.ts, once
// for each measurement, so that none profits from what another has warmed up.
import { benchConnects, benchIdle, type ConnectsResult, type IdleResult } from './crowd.js';
import { type FloodResult, flood, type Windows, wait } from './flood.js';
import { type PaceResult, pace } from './pace.js';
import { type Shape, Traffic } from './traffic.js';

/** Where the broker is. */
export interface Target {
  readonly port: number;
  readonly pid: number;
}

export interface TrafficOrder {
  readonly kind: 'traffic';
  readonly shape: Shape;
  readonly windows: Windows;
  readonly warmupMs: number;
  readonly floodMs: number;
  readonly messagesPerSecond: number;
  readonly paceMs: number;
}

export interface CrowdOrder {
  readonly kind: 'connects' | 'idle';
  readonly connections: number;
}

export type Order = TrafficOrder | CrowdOrder;

export interface TrafficResult {
  readonly flood: FloodResult;
  readonly pace: PaceResult;
}

export type OrderResult = TrafficResult | ConnectsResult | IdleResult;

/** Between flood and pace: the broker is to come to rest. */
const REST_MS = 50;

async function runTraffic(order: TrafficOrder, { port, pid }: Target): Promise<TrafficResult> {
  const traffic = await Traffic.open(port, order.shape);
  const { windows, warmupMs, floodMs, messagesPerSecond, paceMs } = order;
  const flooded = await flood(traffic, { windows, warmupMs, timeMs: floodMs, brokerPid: pid });
  await wait(REST_MS);
  const { inflightMax } = windows;
  return { flood: flooded, pace: await pace(traffic, { messagesPerSecond, timeMs: paceMs, inflightMax }) };
}

function run(order: Order, target: Target): Promise<OrderResult> {
  if (order.kind === 'traffic') return runTraffic(order, target);
  const bench = order.kind === 'connects' ? benchConnects : benchIdle;
  return bench(target.port, target.pid, order.connections);
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

process.on('uncaughtException', fail);
const { order, target } = JSON.parse(process.argv[2]!) as { order: Order; target: Target };
try {
  const result = await run(order, target);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
} catch (error) {
  fail(error);
}
