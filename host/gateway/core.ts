// What all parts of the gateway share: configuration, ports, counters, timers.
import type { Timer } from '../core/timer-queue.js';
import { TimerQueue } from '../core/timer-queue.js';
import type { DatagramLink, Log, Millis, Random, Store, Upstream } from '../ports.js';
import type { GatewayConfig } from './config.js';
import type { Counters } from './counters.js';
import { newCounters } from './counters.js';
import { Outlet } from './outlet.js';
import { Permissions } from './permissions.js';
import { PredefinedTopics } from './predefined.js';

/** What the world gives a gateway. */
export interface GatewayPorts {
  readonly link: DatagramLink;
  readonly upstream: Upstream;
  readonly random: Random;
  readonly log?: Log;
  /** Where sessions outlive the process. Default: nowhere. */
  readonly store?: Store;
  /** The next deadline is now `dueMs`, earlier than before: a broker's event, too, can bring this about. */
  readonly rescheduled?: (dueMs: Millis) => void;
}

export type Job = (now: Millis) => void;

export class Core {
  readonly counters: Counters = newCounters();
  readonly outlet: Outlet;
  readonly predefined: PredefinedTopics;
  readonly permissions: Permissions;
  readonly store: Store | undefined;
  readonly upstream: Upstream;
  readonly random: Random;
  readonly log: Log;
  private readonly timers = new TimerQueue<Job>();
  private readonly rescheduled: (dueMs: Millis) => void;

  constructor(
    readonly config: GatewayConfig,
    ports: GatewayPorts,
  ) {
    this.outlet = new Outlet(ports.link, this.counters);
    this.predefined = new PredefinedTopics(config.predefined);
    this.permissions = new Permissions(config.permissions);
    this.store = ports.store;
    this.upstream = ports.upstream;
    this.random = ports.random;
    this.log = ports.log ?? (() => {});
    this.rescheduled = ports.rescheduled ?? (() => {});
  }

  nextDue(): Millis {
    return this.timers.nextDue();
  }

  at(dueMs: Millis, job: Job): Timer<Job> {
    const sooner = dueMs < this.timers.nextDue();
    const timer = this.timers.set(dueMs, job);
    if (sooner) this.rescheduled(dueMs);
    return timer;
  }

  /** `undefined` is fine: nothing was set. */
  cancel(timer: Timer<Job> | undefined): void {
    if (timer !== undefined) this.timers.cancel(timer);
  }

  runDue(now: Millis): void {
    for (let job = this.timers.popDue(now); job !== undefined; job = this.timers.popDue(now)) job(now);
  }

  cancelAll(): void {
    while (this.timers.popDue(Number.POSITIVE_INFINITY) !== undefined);
  }
}
