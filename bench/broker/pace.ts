// How long messages take at a moderate rate, the same for every broker. A message's time begins when it was due, not
// when it was sent: a broker that holds the load up does not make its own figures better. The load polls without
// sleeping, so that its own waking up is not in them.
import { arrival, otherEvents } from './flood.js';
import type { Traffic } from './traffic.js';

export interface PaceOptions {
  /** Messages of all publishers. */
  readonly messagesPerSecond: number;
  readonly timeMs: number;
  /** Messages of QoS 1 and 2 that all publishers together have open with the broker; who is late goes on being late. */
  readonly inflightMax: number;
  /** As of a flood. */
  readonly silenceMsMax?: number;
}

export interface PaceResult {
  /** From when a message was due to when a subscriber had it, ms. Undefined when none came. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly deliveries: number;
  /** Deliveries that there should have been, and that there were. */
  readonly expected: number;
  readonly received: number;
}

const MS_PER_S = 1_000;

export async function pace(traffic: Traffic, options: PaceOptions): Promise<PaceResult> {
  const { publishers, subscribers, tally } = traffic;
  const { messagesPerSecond, timeMs, inflightMax } = options;
  const expectedBefore = traffic.expected;
  const receivedBefore = tally.received;
  const latencies: number[] = [];
  const arrived = (dueMs: number): void => {
    latencies.push(performance.now() - dueMs);
  };
  for (const subscriber of subscribers) subscriber.onTime = arrived;
  traffic.onProgress = () => {};

  const messages = Math.max(1, Math.round((messagesPerSecond * timeMs) / MS_PER_S));
  const start = performance.now();
  for (let sent = 0; sent < messages; ) {
    const due = start + (sent * MS_PER_S) / messagesPerSecond;
    if (performance.now() >= due && traffic.inflight < inflightMax) publishers[sent++ % publishers.length]!.sendAt(due);
    else await otherEvents();
  }
  await arrival(traffic, options.silenceMsMax);
  latencies.sort((a, b) => a - b);
  const expected = traffic.expected - expectedBefore;
  return {
    ...(latencies.length > 0 && { p50Ms: quantile(latencies, 0.5), p99Ms: quantile(latencies, 0.99) }),
    deliveries: latencies.length,
    expected,
    received: tally.received - receivedBefore,
  };
}

/** The smallest value that at least this part of all does not exceed. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!;
}
