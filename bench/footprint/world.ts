// What is around one device in virtual time: the real gateway and broker, and a radio both ways. Whoever records the device
// makes its calls.
import { Broker } from '../../host/broker/broker.js';
import { BrokerUpstream } from '../../host/broker/upstream.js';
import { Xoshiro128 } from '../../host/core/random.js';
import type { Timer } from '../../host/core/timer-queue.js';
import { Gateway } from '../../host/gateway/index.js';
import type { Millis } from '../../host/ports.js';
import { Link, type LinkOptions } from '../../host/sim/link.js';
import { type Action, Scheduler } from '../../host/sim/scheduler.js';

export interface WorldOptions {
  /** When it ends, ms from 0. */
  readonly endMs: Millis;
  /** What decides over the radio, up; down it is one more. */
  readonly radioSeed: number;
  /** Both ways; default: nothing is lost. */
  readonly radio?: Partial<LinkOptions>;
  /** While nothing comes through, either way. */
  readonly outage?: { readonly fromMs: Millis; readonly toMs: Millis };
}

/** The device, as the world meets it. */
export interface Inhabitant {
  /** Before its power-on it hears nothing. */
  readonly isOn: boolean;
  receive(datagram: Uint8Array, now: Millis): void;
  /** Returns the milliseconds until it is to be polled again. */
  poll(now: Millis): Millis;
}

const DEVICE = 'device';
const GATEWAY_RETRY_MS = 4_000;

export class World {
  private readonly scheduler = new Scheduler();
  private readonly broker = new Broker({}, { random: new Xoshiro128(1) });
  readonly upstream = new BrokerUpstream(this.broker);
  private readonly gateway: Gateway;
  private readonly up: Link;
  private readonly down: Link;
  private wakeUp: Timer<Action> | undefined;
  private coreDue: Timer<Action> | undefined;

  constructor(
    private readonly options: WorldOptions,
    private readonly device: Inhabitant,
  ) {
    const { radio = {}, radioSeed } = options;
    this.up = new Link(radio, new Xoshiro128(radioSeed));
    this.down = new Link(radio, new Xoshiro128(radioSeed + 1));
    this.gateway = new Gateway(
      { tRetryMs: GATEWAY_RETRY_MS },
      {
        link: { send: (_, datagram) => this.transmit(datagram), broadcast: (datagram) => this.transmit(datagram) },
        upstream: this.upstream,
        random: new Xoshiro128(3),
        rescheduled: () => {},
      },
    );
    this.gateway.start(0);
  }

  /** Until the end. What is to happen has been named by `at`. */
  run(): void {
    this.scheduler.runUntil(this.options.endMs);
  }

  at(ms: Millis, action: Action): void {
    this.scheduler.at(ms, (now) => {
      action(now);
      this.armCores();
    });
  }

  /** What the device has sent. */
  say(datagram: Uint8Array): void {
    const { now } = this.scheduler;
    if (this.isOut(now)) return;
    this.up.transmit(datagram, now, (copy, atMs) => {
      this.at(atMs, (then) => this.gateway.receive(DEVICE, copy, then));
    });
  }

  /** Polls the device now, and from then on whenever it wants to be. */
  poll(now: Millis): void {
    if (this.wakeUp !== undefined) this.scheduler.cancel(this.wakeUp);
    this.wakeUp = undefined;
    const delayMs = this.device.poll(now);
    if (delayMs >= this.options.endMs) return;
    this.wakeUp = this.scheduler.at(now + delayMs, (then) => {
      this.poll(then);
      this.armCores();
    });
  }

  /** The gateway's and the broker's next deadlines. */
  private armCores(): void {
    if (this.coreDue !== undefined) this.scheduler.cancel(this.coreDue);
    this.coreDue = undefined;
    const due = Math.min(this.gateway.nextDue(), this.broker.nextDue());
    if (due === Number.POSITIVE_INFINITY) return;
    this.coreDue = this.scheduler.at(due, (now) => {
      this.coreDue = undefined;
      this.broker.poll(now);
      this.gateway.poll(now);
      this.armCores();
    });
  }

  private transmit(datagram: Uint8Array): void {
    const { now } = this.scheduler;
    if (!this.device.isOn || this.isOut(now)) return;
    this.down.transmit(datagram, now, (copy, atMs) => {
      this.at(atMs, (then) => {
        this.device.receive(copy, then);
        this.poll(then);
      });
    });
  }

  private isOut(now: Millis): boolean {
    const { outage } = this.options;
    return outage !== undefined && now >= outage.fromMs && now < outage.toMs;
  }
}
