// An aggregating upstream in virtual time between owners of sessions, played by hand, and a broker that is played too.

import { MemoryStore } from '../../../host/core/memory-store.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { type AggregatingOptions, AggregatingUpstream } from '../../../host/gateway/aggregating.js';
import type {
  Message,
  Millis,
  PacketId,
  PublishOutcome,
  Qos,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../../../host/ports.js';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What the shared session said to the broker, in words. */
export const said = {
  publish: (payload: string, id: PacketId, qos: Qos, dup = false) =>
    `publish ${payload} #${id} q${qos}${dup ? ' dup' : ''}`,
};

/** The broker: one session at a time, everything noted, answered at once unless `holds`. */
export class PlayedBroker implements Upstream {
  qosMax: Qos = 2;
  /** What CONNACK says; 'never' for no answer at all, 'refused' for a refusal. */
  answer: 'new' | 'present' | 'never' | 'refused' = 'new';
  holds = false;
  /** Highest QoS granted; undefined refuses. */
  grants: Qos | undefined = 2;
  readonly opened: UpstreamOptions[] = [];
  readonly said: string[] = [];
  readonly held: (() => void)[] = [];
  outcome: PublishOutcome = 'taken';
  private owner: UpstreamEvents | undefined;
  private now: Millis = 0;
  private endLast: () => void = () => {};

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    this.opened.push(options);
    this.now = now;
    let isOver = false;
    this.endLast(); // its process has died
    this.endLast = () => {
      isOver = true;
    };
    const own: UpstreamEvents = {
      connected: (present, at) => !isOver && events.connected(present, at),
      message: (message, id, dup, at) => !isOver && events.message(message, id, dup, at),
      released: (id, at) => !isOver && events.released(id, at),
      closed: (reason, at) => {
        if (!isOver) events.closed(reason, at);
        isOver = true;
      },
    };
    const end = (): void => {
      isOver = true;
      if (this.owner === own) this.owner = undefined;
    };
    this.owner = own;
    if (this.answer === 'refused') own.closed('refused', now);
    else if (this.answer !== 'never') own.connected(this.answer === 'present' && !options.clean, now);
    const later = (tell: () => void): void => {
      const ifOpen = (): void => {
        if (!isOver) tell();
      };
      if (this.holds) this.held.push(ifOpen);
      else ifOpen();
    };
    const note = (what: string, at: Millis): void => {
      if (isOver) throw new Error(`said after the end: ${what}`);
      this.now = at;
      this.said.push(what);
    };
    return {
      publish: (message, id, dup, at, done) => {
        note(said.publish(textOf(message.payload), id, message.qos, dup), at);
        const { outcome } = this;
        later(() => done(outcome, at));
      },
      release: (id, at, done) => {
        note(`release #${id}`, at);
        later(() => done(at));
      },
      acknowledge: (id, at) => note(`acknowledge #${id}`, at),
      complete: (id, at) => note(`complete #${id}`, at),
      subscribe: (filter, qos, at, done) => {
        note(`subscribe ${filter} q${qos}`, at);
        const { grants } = this;
        later(() => done(grants === undefined ? undefined : (Math.min(qos, grants) as Qos), at));
      },
      unsubscribe: (filter, at, done) => {
        note(`unsubscribe ${filter}`, at);
        later(() => done(at));
      },
      close: (at) => {
        note('close', at);
        end();
      },
      abort: (at) => {
        note('abort', at);
        end();
      },
    };
  }

  /** What was said since the last call. */
  take(): string[] {
    return this.said.splice(0);
  }

  send(topic: string, payload: string, qos: Qos, id: PacketId = 0, dup = false, retain = false): void {
    this.owner?.message({ topic, payload: utf8(payload), qos, retain }, id, dup, this.now);
  }

  releases(id: PacketId): void {
    this.owner?.released(id, this.now);
  }

  lose(reason = 'network'): void {
    const { owner } = this;
    this.owner = undefined;
    owner?.closed(reason, this.now);
  }

  goOn(): void {
    this.holds = false;
    for (const tell of this.held.splice(0)) tell();
  }
}

/** A client's end of a session. Notes everything it is told. */
export class PlayedClient implements UpstreamEvents {
  readonly heard: string[] = [];
  /** Identifier by payload, of the newest message. */
  readonly ids = new Map<string, PacketId>();
  session!: UpstreamSession;
  /** Called for each message. */
  onMessage: (message: Message, id: PacketId) => void = () => {};

  constructor(
    private readonly world: World,
    readonly clientId: string,
  ) {}

  open(clean = false, will?: Message): this {
    const options = { clientId: this.clientId, clean, ...(will && { will }) };
    this.session = this.world.aggregate.open(options, this, this.world.now);
    return this;
  }

  connected(present: boolean): void {
    this.heard.push(present ? 'present' : 'new');
  }

  message(message: Message, id: PacketId, dup: boolean): void {
    const { payload, qos, retain } = message;
    this.ids.set(textOf(payload), id);
    this.heard.push(`${textOf(payload)} q${qos}${retain ? ' retained' : ''}${dup ? ' dup' : ''}`);
    this.onMessage(message, id);
  }

  released(id: PacketId): void {
    this.heard.push(`released #${id}`);
  }

  closed(reason: string): void {
    this.heard.push(`closed ${reason}`);
  }

  /** What was heard since the last call. */
  hear(): string[] {
    return this.heard.splice(0);
  }

  subscribe(filter: string, qos: Qos = 2): this {
    this.session.subscribe(filter, qos, this.world.now, (granted) => this.heard.push(`granted ${granted}`));
    return this;
  }

  unsubscribe(filter: string): this {
    this.session.unsubscribe(filter, this.world.now, () => this.heard.push('unsubscribed'));
    return this;
  }

  publish(payload: string, id: PacketId, qos: Qos = id === 0 ? 0 : 2, dup = false): this {
    const message = { topic: 't', payload: utf8(payload), qos, retain: false };
    this.session.publish(message, id, dup, this.world.now, (outcome) => this.heard.push(`${outcome} #${id}`));
    return this;
  }

  release(id: PacketId): this {
    this.session.release(id, this.world.now, () => this.heard.push(`completed #${id}`));
    return this;
  }

  acknowledge(payload: string): this {
    this.session.acknowledge(this.ids.get(payload)!, this.world.now);
    return this;
  }

  complete(payload: string): this {
    this.session.complete(this.ids.get(payload)!, this.world.now);
    return this;
  }

  close(): this {
    this.session.close(this.world.now);
    return this;
  }

  abort(): this {
    this.session.abort(this.world.now);
    return this;
  }
}

export class World {
  now: Millis = 1_000;
  readonly broker = new PlayedBroker();
  readonly logged: string[] = [];
  readonly rescheduled: Millis[] = [];
  aggregate: AggregatingUpstream;

  constructor(
    private readonly options: Partial<AggregatingOptions> = {},
    readonly upstream: Upstream = this.broker,
  ) {
    this.aggregate = this.make();
  }

  /** Connected, with everything that belongs to that taken. */
  static started(options: Partial<AggregatingOptions> = {}): World {
    const world = new World(options);
    world.aggregate.start(world.now);
    world.broker.take();
    return world;
  }

  client(clientId: string): PlayedClient {
    return new PlayedClient(this, clientId);
  }

  /** Opened; its CONNACK is taken. */
  opened(clientId: string, clean = false, will?: Message): PlayedClient {
    const client = this.client(clientId).open(clean, will);
    client.hear();
    return client;
  }

  /** Opened and subscribed; nothing of that is left to hear. */
  subscriber(clientId: string, filter = 't', qos: Qos = 2, clean = false): PlayedClient {
    const client = this.opened(clientId, clean).subscribe(filter, qos);
    client.hear();
    this.broker.take();
    return client;
  }

  pass(ms: Millis): void {
    const end = this.now + ms;
    while (this.aggregate.nextDue() <= end) {
      this.now = Math.max(this.now, this.aggregate.nextDue());
      this.aggregate.poll(this.now);
    }
    this.now = end;
  }

  /** The shared session is lost and comes back. */
  reconnect(answer: 'new' | 'present' = 'present'): void {
    this.broker.lose();
    this.broker.answer = answer;
    this.pass(60_000);
  }

  /** The process dies, and another begins with the same store. */
  restart(answer: 'new' | 'present' = 'present'): void {
    this.broker.answer = answer;
    this.aggregate = this.make();
    this.aggregate.start(this.now);
  }

  private make(): AggregatingUpstream {
    return new AggregatingUpstream(this.upstream, {
      clientId: 'shared',
      random: new Xoshiro128(7),
      log: (_level, event) => this.logged.push(event),
      rescheduled: (dueMs) => this.rescheduled.push(dueMs),
      ...this.options,
    });
  }
}

export const willOf = (payload: string, qos: Qos = 1): Message => ({
  topic: 'will',
  payload: utf8(payload),
  qos,
  retain: false,
});
export { MemoryStore };
