// A part of a device's life as the calls into its module that make it up, recorded on V8 in virtual time between the real
// gateway and broker: so that an engine can be given the same, and what it takes can be measured.
import { Broker } from '../../host/broker/broker.js';
import { BrokerUpstream } from '../../host/broker/upstream.js';
import { Xoshiro128 } from '../../host/core/random.js';
import type { Timer } from '../../host/core/timer-queue.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import type { LockstepDevice, Step } from '../../host/firmware/run/lockstep.js';
import { Gateway } from '../../host/gateway/index.js';
import type { Millis, Qos, UpstreamSession } from '../../host/ports.js';
import { Link, type LinkOptions } from '../../host/sim/link.js';
import { type Action, Scheduler } from '../../host/sim/scheduler.js';

/** A call, and the datagrams that the module sent during it. */
export interface Call {
  readonly kind: 'start' | 'receive' | 'poll';
  readonly now: Millis;
  /** Of `receive`. */
  readonly datagram: Uint8Array;
  readonly sent: readonly Uint8Array[];
}

export interface DayOptions {
  readonly seed: number;
  readonly durationMs: Millis;
  /** Both ways; default: nothing is lost. */
  readonly radio?: Partial<LinkOptions>;
  /** What an application at the broker publishes, one after another, one every `everyMs`. */
  readonly publishes?: readonly Publish[];
  readonly everyMs?: Millis;
}

export interface Publish {
  readonly topic: string;
  readonly payload: string;
  readonly qos: Qos;
}

const DEVICE = 'device';
const NOTHING = new Uint8Array();
const GATEWAY_RETRY_MS = 4_000;
const START_MS = 1_000;

/** Records what the application in `wasm` lives through. */
export function recordDay(wasm: Uint8Array, options: DayOptions): Call[] {
  return new World(wasm, options).run();
}

class World {
  private readonly calls: Call[] = [];
  private readonly scheduler = new Scheduler();
  private readonly broker = new Broker({}, { random: new Xoshiro128(1) });
  private readonly upstream = new BrokerUpstream(this.broker);
  private readonly gateway: Gateway;
  private readonly up: Link;
  private readonly down: Link;
  private readonly device: Device;
  private sent: Uint8Array[] = [];
  private wakeUp: Timer<Action> | undefined;
  private coreDue: Timer<Action> | undefined;

  constructor(
    wasm: Uint8Array,
    private readonly options: DayOptions,
  ) {
    this.up = new Link(options.radio ?? {}, new Xoshiro128(options.seed));
    this.down = new Link(options.radio ?? {}, new Xoshiro128(options.seed + 1));
    this.gateway = new Gateway(
      { tRetryMs: GATEWAY_RETRY_MS },
      {
        link: { send: (_, datagram) => this.transmit(datagram), broadcast: (datagram) => this.transmit(datagram) },
        upstream: this.upstream,
        random: new Xoshiro128(3),
        rescheduled: () => {},
      },
    );
    this.device = new DeviceModule(wasm).create({
      send: (datagram) => {
        this.sent.push(datagram.slice());
        return datagram.length;
      },
    });
  }

  run(): Call[] {
    const { seed, durationMs, publishes = [], everyMs = durationMs } = this.options;
    this.gateway.start(0);
    this.at(START_MS, (now) => {
      this.step({ kind: 'start', now, datagram: NOTHING }, () => this.device.start(now, seed));
      this.poll(now);
    });
    const client = publishes.length === 0 ? undefined : this.openClient();
    for (let i = 0; publishes.length > 0 && (i + 1) * everyMs < durationMs; i++) {
      this.at((i + 1) * everyMs, (now) => publish(client!, publishes[i % publishes.length]!, i + 1, now));
    }
    this.scheduler.runUntil(durationMs);
    return this.calls;
  }

  private openClient(): UpstreamSession {
    const hears = { connected: () => {}, message: () => {}, released: () => {}, closed: () => {} };
    return this.upstream.open({ clientId: 'hall', clean: true }, hears, 0);
  }

  private at(ms: Millis, action: Action): void {
    this.scheduler.at(ms, (now) => {
      action(now);
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
    if (this.calls.length === 0) return; // it is off yet
    this.down.transmit(datagram, this.scheduler.now, (copy, atMs) => {
      this.at(atMs, (now) => {
        this.step({ kind: 'receive', now, datagram: copy }, () => this.device.receive(copy, now));
        this.poll(now);
      });
    });
  }

  private poll(now: Millis): void {
    if (this.wakeUp !== undefined) this.scheduler.cancel(this.wakeUp);
    this.wakeUp = undefined;
    const delayMs = this.step({ kind: 'poll', now, datagram: NOTHING }, () => this.device.call('poll', now | 0));
    if (delayMs >= this.options.durationMs) return;
    this.wakeUp = this.scheduler.at(now + delayMs, (then) => {
      this.poll(then);
      this.armCores();
    });
  }

  private step(call: Omit<Call, 'sent'>, perform: () => number): number {
    this.sent = [];
    const result = perform();
    const { sent } = this;
    this.calls.push({ ...call, sent });
    for (const datagram of sent) {
      this.up.transmit(datagram, call.now, (copy, atMs) => {
        this.at(atMs, (now) => this.gateway.receive(DEVICE, copy, now));
      });
    }
    return result;
  }
}

function publish(client: UpstreamSession, { topic, payload, qos }: Publish, id: number, now: Millis): void {
  const message = { topic, payload: new TextEncoder().encode(payload), qos, retain: false };
  client.publish(message, qos === 0 ? 0 : id, false, now, (_, then) => {
    if (qos === 2) client.release(id, then, () => {});
  });
}

/**
 * Makes one of the calls elsewhere. Throws where other datagrams come of it: then it was not the same that was measured.
 * `seed`: as it was recorded with.
 */
export async function repeatCall(device: LockstepDevice, call: Call, seed: number): Promise<void> {
  const step = await perform(device, call, seed);
  const found = step.sent.map(({ datagram }) => hex(datagram)).join();
  const recorded = call.sent.map(hex).join();
  if (found === recorded) return;
  throw new Error(
    `${call.kind} at ${call.now} ms: sent ${found || 'nothing'}, where V8 sends ${recorded || 'nothing'}`,
  );
}

function perform(device: LockstepDevice, { kind, now, datagram }: Call, seed: number): Promise<Step> {
  if (kind === 'start') return device.start(now, seed);
  return kind === 'receive' ? device.receive(datagram, now) : device.poll(now);
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
