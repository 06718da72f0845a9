// As many messages as the broker takes. A closed loop: what is on its way at a time is bounded, by the messages that
// subscribers have not got yet and, at QoS 1 and 2, by what each publisher may have open with the broker; so a broker
// has no reason to drop any. The clock runs while it is full, and in the end all must have arrived.
import { SILENCE_MS_MAX } from './client.js';
import { cpuSeconds } from './proc.js';
import type { Traffic } from './traffic.js';

export interface Windows {
  /** Messages sent by all publishers and not yet got by all subscribers. */
  readonly messagesMax: number;
  /** Deliveries that messages on their way still come to, with many subscribers: the smaller of both bounds holds. */
  readonly deliveriesMax: number;
  /** Messages of QoS 1 and 2 that a publisher has open with the broker. */
  readonly inflightMax: number;
}

export interface FloodOptions {
  readonly windows: Windows;
  readonly warmupMs: number;
  readonly timeMs: number;
  /** Process of the broker, for the time it takes. */
  readonly brokerPid: number;
  /** Without a delivery or acknowledgement for so long, what is missing is lost, ms. Default: SILENCE_MS_MAX. */
  readonly silenceMsMax?: number;
}

export interface FloodResult {
  readonly deliveriesPerSecond: number;
  /** Busy of one core, percent. Undefined where nobody knows. */
  readonly brokerCpuPercent?: number;
  /** CPU time of the broker for one delivery, with all that belongs to it. Says the same on a machine that is busy. */
  readonly brokerUsPerDelivery?: number;
  readonly generatorCpuPercent: number;
  readonly sent: number;
  /** Deliveries that there should have been, and that there were. */
  readonly expected: number;
  readonly received: number;
}

/** Of what is free, the part that must be before more is sent: a write for each message would measure writes. */
const BATCHES_PER_WINDOW = 4;
const US_PER_S = 1e6;
const MS_PER_S = 1_000;
/** How long a run waits for deliveries that there should not be, ms. */
const SURPLUS_MS = 20;

/** Sends whenever there is room. */
class Flood {
  private isOver = false;
  private turn = 0;
  private readonly messagesMax: number;
  private readonly inflightMax: number;
  private readonly batch: number;

  constructor(
    private readonly traffic: Traffic,
    windows: Windows,
  ) {
    const { subscribers, publishers, qos } = traffic.shape;
    const perMessage = Math.max(1, Math.floor(windows.deliveriesMax / subscribers));
    this.messagesMax = Math.min(windows.messagesMax, perMessage);
    const each = Math.max(1, Math.floor(this.messagesMax / publishers));
    this.inflightMax = qos === 0 ? Number.POSITIVE_INFINITY : windows.inflightMax;
    this.batch = Math.max(1, Math.floor(Math.min(each, this.inflightMax) / BATCHES_PER_WINDOW));
    traffic.onProgress = () => this.fill();
  }

  fill(): void {
    if (this.isOver) return;
    const { traffic, batch } = this;
    const { publishers, shape } = traffic;
    let free = this.messagesMax - Math.ceil((traffic.expected - traffic.tally.received) / shape.subscribers);
    for (let blocked = 0; free >= batch && blocked < publishers.length; ) {
      const publisher = publishers[this.turn]!;
      this.turn = (this.turn + 1) % publishers.length;
      if (publisher.inflight + batch > this.inflightMax) blocked++;
      else {
        publisher.send(batch);
        free -= batch;
        blocked = 0;
      }
    }
  }

  stop(): void {
    this.isOver = true;
  }
}

interface Moment {
  readonly atMs: number;
  readonly received: number;
  readonly brokerS: number | undefined;
  readonly ownUs: number;
}

function momentOf(traffic: Traffic, brokerPid: number): Moment {
  const { user, system } = process.cpuUsage();
  const brokerS = cpuSeconds(brokerPid);
  return { atMs: performance.now(), received: traffic.tally.received, brokerS, ownUs: user + system };
}

export async function flood(traffic: Traffic, options: FloodOptions): Promise<FloodResult> {
  const load = new Flood(traffic, options.windows);
  load.fill();
  await wait(options.warmupMs);
  const before = momentOf(traffic, options.brokerPid);
  await wait(options.timeMs);
  const after = momentOf(traffic, options.brokerPid);
  load.stop();
  await arrival(traffic, options.silenceMsMax);
  const seconds = (after.atMs - before.atMs) / MS_PER_S;
  const deliveries = after.received - before.received;
  return {
    deliveriesPerSecond: deliveries / seconds,
    ...brokerUse(before, after, seconds, deliveries),
    generatorCpuPercent: (100 * (after.ownUs - before.ownUs)) / US_PER_S / seconds,
    sent: traffic.tally.sent,
    expected: traffic.expected,
    received: traffic.tally.received,
  };
}

function brokerUse(
  before: Moment,
  after: Moment,
  seconds: number,
  deliveries: number,
): Pick<FloodResult, 'brokerCpuPercent' | 'brokerUsPerDelivery'> {
  if (before.brokerS === undefined || after.brokerS === undefined) return {};
  const used = after.brokerS - before.brokerS;
  return {
    brokerCpuPercent: (100 * used) / seconds,
    ...(deliveries > 0 && { brokerUsPerDelivery: (used * US_PER_S) / deliveries }),
  };
}

/** Until all has arrived and is acknowledged, and then a little longer for what is too much; or until nothing moves. */
export async function arrival(traffic: Traffic, silenceMsMax = SILENCE_MS_MAX): Promise<void> {
  let seen = -1;
  let movedAt = performance.now();
  while (traffic.tally.received < traffic.expected || traffic.inflight > 0) {
    const moved = traffic.tally.received - traffic.inflight;
    if (moved !== seen) movedAt = performance.now();
    seen = moved;
    if (performance.now() - movedAt > silenceMsMax) return;
    await otherEvents();
  }
  await wait(SURPLUS_MS);
}

/** Lets sockets and timers have their turn, without sleeping. */
export function otherEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
