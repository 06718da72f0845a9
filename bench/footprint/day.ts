// A part of a device's life as the calls into its module that make it up, recorded on V8 in virtual time between the real
// gateway and broker: so that an engine can be given the same (calls.ts), and what it takes can be measured.
import { Broker } from '../../host/broker/broker.js';
import { BrokerUpstream } from '../../host/broker/upstream.js';
import { Xoshiro128 } from '../../host/core/random.js';
import type { Timer } from '../../host/core/timer-queue.js';
import { Gateway } from '../../host/gateway/index.js';
import type { Millis, Qos, UpstreamSession } from '../../host/ports.js';
import { Link, type LinkOptions } from '../../host/sim/link.js';
import { type Action, Scheduler } from '../../host/sim/scheduler.js';
import { type Call, Recorder, type Request } from './calls.js';

export interface DayOptions {
  readonly seed: number;
  readonly durationMs: Millis;
  /** Both ways; default: nothing is lost. */
  readonly radio?: Partial<LinkOptions>;
  /** What an application at the broker publishes, one after another, one every `everyMs`. */
  readonly publishes?: readonly Publish[];
  readonly everyMs?: Millis;
  /** While nothing comes through, either way. */
  readonly outage?: { readonly fromMs: Millis; readonly toMs: Millis };
  /** Of a modem module: what the native application does. */
  readonly script?: Script;
}

/** Calls a verb, with `octets` at rx(). Returns its result. */
export type Verb = (name: string, args?: readonly number[], octets?: Uint8Array) => number;

/** At so many seconds. */
export type Script = readonly (readonly [atS: number, act: (verb: Verb, now: Millis) => void])[];

export interface Publish {
  readonly topic: string;
  readonly payload: string;
  readonly qos: Qos;
}

const DEVICE = 'device';
const NOTHING = new Uint8Array();
const GATEWAY_RETRY_MS = 4_000;
const SECOND: Millis = 1_000;
const START_MS = SECOND;

/** Records what the application in `wasm` lives through. */
export function recordDay(wasm: Uint8Array, options: DayOptions): Call[] {
  return new World(wasm, options).run();
}

class World {
  private readonly recorder: Recorder;
  private readonly scheduler = new Scheduler();
  private readonly broker = new Broker({}, { random: new Xoshiro128(1) });
  private readonly upstream = new BrokerUpstream(this.broker);
  private readonly gateway: Gateway;
  private readonly up: Link;
  private readonly down: Link;
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
    this.recorder = new Recorder(wasm);
  }

  run(): Call[] {
    const { seed, durationMs, publishes = [], everyMs = durationMs, script = [] } = this.options;
    this.gateway.start(0);
    this.at(START_MS, (now) => {
      this.step({ kind: 'start', now, seed });
      this.poll(now);
    });
    for (const [atS, act] of script) {
      this.at(atS * SECOND, (now) => {
        act((name, args = [], octets = NOTHING) => this.step({ kind: 'verb', now, name, args, octets }), now);
        this.poll(now);
      });
    }
    const client = publishes.length === 0 ? undefined : this.openClient();
    for (let i = 0; publishes.length > 0 && (i + 1) * everyMs < durationMs; i++) {
      this.at((i + 1) * everyMs, (now) => publish(client!, publishes[i % publishes.length]!, i + 1, now));
    }
    this.scheduler.runUntil(durationMs);
    return this.recorder.calls;
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
    const { now } = this.scheduler;
    if (this.recorder.calls.length === 0 || this.isOut(now)) return; // it is off yet
    this.down.transmit(datagram, now, (copy, atMs) => {
      this.at(atMs, (then) => {
        this.step({ kind: 'receive', now: then, datagram: copy, from: NOTHING });
        this.poll(then);
      });
    });
  }

  private poll(now: Millis): void {
    if (this.wakeUp !== undefined) this.scheduler.cancel(this.wakeUp);
    this.wakeUp = undefined;
    const delayMs = this.step({ kind: 'poll', now });
    if (delayMs >= this.options.durationMs) return;
    this.wakeUp = this.scheduler.at(now + delayMs, (then) => {
      this.poll(then);
      this.armCores();
    });
  }

  private step(request: Request): number {
    const { result, sent } = this.recorder.call(request);
    if (this.isOut(request.now)) return result;
    for (const { datagram } of sent) {
      this.up.transmit(datagram, request.now, (copy, atMs) => {
        this.at(atMs, (now) => this.gateway.receive(DEVICE, copy, now));
      });
    }
    return result;
  }

  private isOut(now: Millis): boolean {
    const { outage } = this.options;
    return outage !== undefined && now >= outage.fromMs && now < outage.toMs;
  }
}

function publish(client: UpstreamSession, { topic, payload, qos }: Publish, id: number, now: Millis): void {
  const message = { topic, payload: new TextEncoder().encode(payload), qos, retain: false };
  client.publish(message, qos === 0 ? 0 : id, false, now, (_, then) => {
    if (qos === 2) client.release(id, then, () => {});
  });
}
