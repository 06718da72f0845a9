// A gateway in a simulated world, which may crash and come back: without a word to anybody, as a power cut does it. What
// outlives it is its store, where it has one.
import { MemoryStore } from '../core/memory-store.js';
import { between, mix32, Xoshiro128 } from '../core/random.js';
import type { GatewayConfig } from '../gateway/config.js';
import { Gateway } from '../gateway/gateway.js';
import type {
  DatagramLink,
  Millis,
  Random,
  Store,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../ports.js';
import { Alarm } from './alarm.js';
import type { OutageOptions } from './scenario.js';
import type { Scheduler } from './scheduler.js';

export interface SimGatewayOptions {
  /** Where devices find it; empty where it is the only one. */
  readonly address: Uint8Array;
  readonly config: Partial<GatewayConfig>;
  /** Of its own randomness, and of the moments of its outages. */
  readonly seed: number;
  readonly outageSeed: number;
  readonly outages?: OutageOptions;
  /** Its sessions outlive a crash. */
  readonly keepsSessions: boolean;
  /** No outage begins after this. */
  readonly untilMs: Millis;
}

export interface SimGatewayPorts {
  readonly link: DatagramLink;
  readonly upstream: Upstream;
  readonly scheduler: Scheduler;
  /** The gateway has done something by itself: others' deadlines may have moved. */
  readonly acted: (now: Millis) => void;
}

const MS_PER_S = 1000;

export class SimGateway {
  /** When it was up: from, and to where it is over. */
  readonly uptimes: { readonly fromMs: Millis; toMs: Millis }[] = [];
  private current: Gateway | undefined;
  private readonly cable: Cable;
  private readonly store: Store | undefined;
  private readonly alarm: Alarm;
  private readonly outages: Random;
  /** Of the incarnations that are over. */
  private pastRetransmissions = 0;

  constructor(
    readonly options: SimGatewayOptions,
    private readonly ports: SimGatewayPorts,
  ) {
    this.cable = new Cable(ports.upstream);
    this.store = options.keepsSessions ? new MemoryStore() : undefined;
    this.outages = new Xoshiro128(options.outageSeed);
    const polled = {
      nextDue: () => this.current?.nextDue() ?? Number.POSITIVE_INFINITY,
      poll: (now: Millis) => this.current?.poll(now),
    };
    this.alarm = new Alarm(polled, ports.scheduler, ports.acted);
  }

  get crashes(): number {
    return this.uptimes.filter(({ toMs }) => toMs < Number.POSITIVE_INFINITY).length;
  }

  get retransmissions(): number {
    return this.pastRetransmissions + (this.current?.counters.retransmissions ?? 0);
  }

  /** Power-on, now and after every crash. */
  boot(now: Millis): void {
    const { config, seed, outages } = this.options;
    const gateway = new Gateway(config, {
      link: this.ports.link,
      // Sessions are only counted where a crash may cut them.
      upstream: outages === undefined ? this.ports.upstream : this.cable,
      random: new Xoshiro128(this.uptimes.length === 0 ? seed : mix32(seed, this.uptimes.length)),
      ...(this.store && { store: this.store }),
    });
    this.current = gateway;
    this.uptimes.push({ fromMs: now, toMs: Number.POSITIVE_INFINITY });
    gateway.start(now);
    if (outages !== undefined) this.planOutage(outages, now);
    this.ports.acted(now);
  }

  receive(from: string, datagram: Uint8Array, now: Millis): void {
    this.current?.receive(from, datagram, now);
  }

  /** To be called after anything that may have moved its deadline. */
  settle(now: Millis): void {
    this.alarm.rearm(now);
  }

  private planOutage({ everyS, forS }: OutageOptions, now: Millis): void {
    const crashMs = now + this.draw(everyS);
    if (crashMs > this.options.untilMs) return;
    this.ports.scheduler.at(crashMs, (then) => {
      this.crash(then);
      this.ports.scheduler.at(then + this.draw(forS), (later) => this.boot(later));
    });
  }

  private draw([minS, maxS]: readonly [number, number]): Millis {
    return between(this.outages, Math.round(minS * MS_PER_S), Math.round(maxS * MS_PER_S));
  }

  private crash(now: Millis): void {
    this.pastRetransmissions = this.retransmissions;
    this.current = undefined;
    this.uptimes.at(-1)!.toMs = now;
    this.cable.cut(now);
    this.ports.acted(now);
  }
}

/** The way to the broker, which a crash cuts: the broker sees the connections go, and hears no goodbye. */
class Cable implements Upstream {
  private readonly sessions = new Set<UpstreamSession>();

  constructor(private readonly upstream: Upstream) {}

  get qosMax(): Upstream['qosMax'] {
    return this.upstream.qosMax;
  }

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    const session = this.upstream.open(options, events, now);
    this.sessions.add(session);
    return session;
  }

  cut(now: Millis): void {
    for (const session of this.sessions) session.abort(now);
    this.sessions.clear();
  }
}
