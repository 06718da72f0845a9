// A gateway in virtual time between devices that are played by hand and a broker that is a few lines.
import { PacketType, PROTOCOL_ID, TopicType } from '../../../assembly/protocol/index.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import type { GatewayConfig } from '../../../host/gateway/index.js';
import { Gateway } from '../../../host/gateway/index.js';
import type {
  Message,
  Millis,
  PacketId,
  PublishOutcome,
  Qos,
  Store,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../../../host/ports.js';
import type { Packet, PublishTopic } from '../../../host/wire/index.js';
import { decode, encode, isFault } from '../../../host/wire/index.js';

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (octets: Uint8Array) => new TextDecoder().decode(octets);

interface Kept {
  readonly message: Message;
  readonly id: PacketId;
  /** QoS 2: the client has it, PUBCOMP is owed. */
  released: boolean;
  sent: boolean;
}

/** The shape of packets of one type, also where two types share one. */
export type PacketOf<T extends PacketType> = Packet extends infer P
  ? P extends { readonly type: infer U }
    ? T extends U
      ? P
      : never
    : never
  : never;

/** A broker session as the fake keeps it. */
export class FakeSession implements UpstreamSession {
  over: 'closed' | 'aborted' | 'lost' | undefined;
  readonly subscribed: [string, Qos][] = [];

  constructor(
    private readonly broker: FakeBroker,
    readonly options: UpstreamOptions,
    readonly events: UpstreamEvents,
  ) {}

  publish(
    message: Message,
    id: PacketId,
    dup: boolean,
    now: Millis,
    done: (outcome: PublishOutcome, now: Millis) => void,
  ): void {
    this.broker.published.push(message);
    this.broker.publishedAs.push([id, dup]);
    this.broker.answer(now, (at) => done(this.broker.refuses ? 'refused' : 'taken', at));
  }

  release(id: PacketId, now: Millis, done: (now: Millis) => void): void {
    this.broker.releasedIds.push(id);
    this.broker.answer(now, done);
  }

  acknowledge(id: PacketId, now: Millis): void {
    this.broker.acknowledge(this, id, now);
  }

  complete(id: PacketId): void {
    this.broker.complete(this, id);
  }

  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    this.subscribed.push([filter, qos]);
    this.broker.answer(now, (at) => done(this.broker.refuses ? undefined : qos, at));
  }

  unsubscribe(filter: string, now: Millis, done: (now: Millis) => void): void {
    this.broker.unsubscribed.push(filter);
    this.broker.answer(now, done);
  }

  close(): void {
    this.over = 'closed';
  }

  abort(): void {
    this.over = 'aborted';
    if (this.options.will !== undefined) this.broker.wills.push(this.options.will);
  }
}

/** How the client id of a gateway's own session begins. */
const PRESENCE = 'thimble-gateway-';

export class FakeBroker implements Upstream {
  qosMax: Qos = 2;
  /** Sessions of clients, in the order of opening; those of the gateway itself are apart. */
  readonly opened: FakeSession[] = [];
  readonly presences: FakeSession[] = [];
  readonly published: Message[] = [];
  /** Identifier and DUP of each published message. */
  readonly publishedAs: [PacketId, boolean][] = [];
  readonly releasedIds: PacketId[] = [];
  readonly completed: PacketId[] = [];
  readonly unsubscribed: string[] = [];
  readonly wills: Message[] = [];
  readonly acknowledged: string[] = [];
  /** Answers to requests wait until `release`. */
  holds = false;
  /** CONNACKs wait until `connect`. */
  holdsConnect = false;
  refuses = false;
  refusesConnect = false;
  /** The gateway's own CONNACK waits. */
  holdsPresence = false;
  /** Nobody gets through, the gateway neither. */
  isDown = false;
  private lastId = 0;
  private held: ((now: Millis) => void)[] = [];
  /** Unacknowledged messages of kept sessions. */
  private readonly kept = new Map<string, Kept[]>();

  constructor(private readonly world: { readonly now: Millis }) {}

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    const session = new FakeSession(this, options, events);
    if (options.clientId.startsWith(PRESENCE)) {
      this.presences.push(session);
      if (this.isDown) events.closed('unreachable', now);
      else if (!this.holdsPresence) events.connected(false, now);
      return session;
    }
    this.opened.push(session);
    if (this.refusesConnect || this.isDown) events.closed('refused', now);
    else if (!this.holdsConnect) this.connect(session);
    return session;
  }

  connect(session = this.opened.at(-1)!): void {
    const { clientId, clean } = session.options;
    if (clean) this.kept.delete(clientId);
    const kept = this.kept.get(clientId);
    if (kept === undefined && !clean) this.kept.set(clientId, []);
    session.events.connected(kept !== undefined, this.world.now);
    for (const entry of [...(kept ?? [])]) this.send(session, entry);
  }

  /** The open session of a client. */
  session(clientId: string): FakeSession {
    const all = clientId.startsWith(PRESENCE) ? this.presences : this.opened;
    const session = all.findLast(({ options }) => options.clientId === clientId);
    if (session === undefined) throw new Error(`no session of ${clientId}`);
    return session;
  }

  deliver(clientId: string, topic: string, payload: string, qos: Qos = 0, retain = false): void {
    const session = this.session(clientId);
    const id = qos === 0 ? 0 : this.nextId();
    const entry: Kept = { message: { topic, payload: bytes(payload), qos, retain }, id, released: false, sent: false };
    if (qos > 0) {
      const kept = this.kept.get(clientId) ?? [];
      kept.push(entry);
      this.kept.set(clientId, kept);
    }
    if (session.over === undefined) this.send(session, entry);
  }

  private nextId(): PacketId {
    this.lastId = this.lastId === 0xffff ? 1 : this.lastId + 1;
    return this.lastId;
  }

  lose(clientId: string): void {
    const session = this.session(clientId);
    session.over = 'lost';
    session.events.closed('network', this.world.now);
  }

  /** The broker goes away, and takes every session's connection with it. */
  goDown(): void {
    this.isDown = true;
    for (const session of [...this.presences, ...this.opened]) {
      if (session.over !== undefined) continue;
      session.over = 'lost';
      session.events.closed('network', this.world.now);
    }
  }

  /** The broker has lost the session. */
  forget(clientId: string): void {
    this.kept.delete(clientId);
  }

  /** The client has everything, on another gateway. */
  finish(clientId: string): void {
    this.kept.set(clientId, []);
  }

  unacknowledged(clientId: string): string[] {
    const kept = (this.kept.get(clientId) ?? []).filter(({ released }) => !released);
    return kept.map(({ message }) => text(message.payload));
  }

  answer(now: Millis, tell: (now: Millis) => void): void {
    if (this.holds) this.held.push(tell);
    else tell(now);
  }

  release(): void {
    this.holds = false;
    for (const tell of this.held.splice(0)) tell(this.world.now);
  }

  acknowledge(session: FakeSession, id: PacketId, now: Millis): void {
    if (session.over !== undefined) throw new Error('acknowledged on a session that is over');
    const kept = this.kept.get(session.options.clientId) ?? [];
    const entry = kept.find((one) => one.id === id && !one.released);
    if (entry === undefined) return;
    this.acknowledged.push(text(entry.message.payload));
    if (entry.message.qos === 1) kept.splice(kept.indexOf(entry), 1);
    else {
      entry.released = true;
      session.events.released(id, now);
    }
  }

  complete(session: FakeSession, id: PacketId): void {
    if (session.over !== undefined) throw new Error('completed on a session that is over');
    const kept = this.kept.get(session.options.clientId) ?? [];
    const index = kept.findIndex((one) => one.id === id && one.released);
    if (index < 0) return;
    this.completed.push(id);
    kept.splice(index, 1);
  }

  private send(session: FakeSession, entry: Kept): void {
    const dup = entry.sent;
    entry.sent = true;
    if (entry.released) session.events.released(entry.id, this.world.now);
    else session.events.message(entry.message, entry.id, dup, this.world.now);
  }
}

export class World {
  now: Millis = 1_000;
  readonly sent: { readonly to: string; readonly packet: Packet }[] = [];
  readonly broadcasts: Packet[] = [];
  readonly logged: string[] = [];
  /** What was said with each of `logged`. */
  readonly details: (Readonly<Record<string, unknown>> | undefined)[] = [];
  readonly rescheduled: Millis[] = [];
  readonly broker = new FakeBroker(this);
  gateway: Gateway;

  /** `prepare` the broker before the gateway starts. */
  constructor(
    private config: Partial<GatewayConfig> = {},
    private readonly store?: Store,
    prepare: (broker: FakeBroker) => void = () => {},
  ) {
    prepare(this.broker);
    this.gateway = this.boot();
  }

  /** From the next restart on. */
  configure(config: Partial<GatewayConfig>): void {
    this.config = config;
  }

  /** The gateway's process is killed and started again, with the same store if there is one. */
  restart(): void {
    for (const session of [...this.broker.presences, ...this.broker.opened]) {
      if (session.over !== undefined) continue;
      session.over = 'lost';
      if (session.options.will !== undefined) this.broker.wills.push(session.options.will);
    }
    this.gateway = this.boot();
  }

  private boot(): Gateway {
    const parse = (datagram: Uint8Array): Packet => {
      const packet = decode(datagram);
      if (isFault(packet)) throw new Error(`the gateway sent a malformed packet: ${packet.code}`);
      return packet;
    };
    const gateway = new Gateway(
      { tAdvMs: 0, ...this.config },
      {
        link: {
          send: (to, datagram) => this.sent.push({ to, packet: parse(datagram) }),
          broadcast: (datagram) => this.broadcasts.push(parse(datagram)),
        },
        upstream: this.broker,
        random: new Xoshiro128(7),
        log: (_level, event, fields) => {
          this.logged.push(event);
          this.details.push(fields);
        },
        rescheduled: (dueMs) => this.rescheduled.push(dueMs),
        ...(this.store && { store: this.store }),
      },
    );
    gateway.start(this.now);
    return gateway;
  }

  /** Lets time go by and does everything that becomes due. */
  pass(ms: Millis): void {
    const end = this.now + ms;
    while (this.gateway.nextDue() <= end) {
      this.now = Math.max(this.now, this.gateway.nextDue());
      this.gateway.poll(this.now);
    }
    this.now = end;
  }

  device(address: string, clientId = address): Device {
    return new Device(this, address, clientId);
  }
}

const CONNECT = { type: PacketType.Connect, will: false, cleanSession: true, protocolId: PROTOCOL_ID } as const;

/** A client played by hand: says what the test says, hears what the gateway sent to its address. */
export class Device {
  private msgId = 0;

  constructor(
    readonly world: World,
    public address: string,
    readonly clientId: string,
  ) {}

  say(...packets: Packet[]): this {
    for (const packet of packets) this.sayBytes(encode(packet));
    return this;
  }

  sayBytes(datagram: Uint8Array): this {
    this.world.gateway.receive(this.address, datagram, this.world.now);
    return this;
  }

  /** Everything since the last call. */
  hear(): Packet[] {
    const heard = this.world.sent.filter(({ to }) => to === this.address).map(({ packet }) => packet);
    const others = this.world.sent.filter(({ to }) => to !== this.address);
    this.world.sent.splice(0, Number.POSITIVE_INFINITY, ...others);
    return heard;
  }

  /** The one packet since the last call, which must be of this type. */
  hearOne<T extends PacketType>(type: T): PacketOf<T> {
    const heard = this.hear();
    if (heard.length !== 1 || heard[0]!.type !== type) throw new Error(`heard ${JSON.stringify(heard)}, not ${type}`);
    return heard[0] as PacketOf<T>;
  }

  connect(options: Partial<Extract<Packet, { type: PacketType.Connect }>> = {}): this {
    return this.say({ ...CONNECT, duration: 600, clientId: this.clientId, ...options });
  }

  /** CONNECT up to CONNACK, which is taken. */
  connected(options: Partial<Extract<Packet, { type: PacketType.Connect }>> = {}): this {
    this.connect(options).hear();
    return this;
  }

  nextMsgId(): number {
    return ++this.msgId;
  }

  /** REGISTER; the id from REGACK. */
  register(topicName: string): number {
    this.say({ type: PacketType.Register, topicId: 0, msgId: this.nextMsgId(), topicName });
    return this.hearAck(PacketType.RegAck).topicId;
  }

  subscribe(name: string, qos: Qos = 1): number {
    const topic = { kind: TopicType.Normal, name } as const;
    this.say({ type: PacketType.Subscribe, dup: false, qos, msgId: this.nextMsgId(), topic });
    return this.hearAck(PacketType.SubAck).topicId;
  }

  publish(
    topic: PublishTopic,
    data: string,
    qos: Qos | -1 = 0,
    msgId = qos > 0 ? this.nextMsgId() : 0,
    dup = false,
  ): this {
    return this.say(publishOf(topic, data, qos, msgId, dup));
  }

  sleep(duration: number): this {
    this.say({ type: PacketType.Disconnect, duration });
    this.hear();
    return this;
  }

  ping(clientId = ''): this {
    return this.say({ type: PacketType.PingReq, clientId });
  }

  private hearAck<T extends PacketType.SubAck | PacketType.RegAck>(type: T) {
    const ack = this.hear().find((packet) => packet.type === type);
    if (ack === undefined) throw new Error(`no acknowledgement of type ${type}`);
    return ack as Extract<Packet, { readonly type: PacketType.SubAck }>;
  }
}

export function publishOf(topic: PublishTopic, data: string, qos: Qos | -1, msgId: number, dup = false): Packet {
  return { type: PacketType.Publish, dup, qos, retain: false, topic, msgId, data: bytes(data) };
}

export const normal = (id: number): PublishTopic => ({ kind: TopicType.Normal, id });
export const predefined = (id: number): PublishTopic => ({ kind: TopicType.Predefined, id });
export const short = (name: string): PublishTopic => ({ kind: TopicType.Short, name });

export type PublishPacket = Extract<Packet, { type: PacketType.Publish }>;
export type RegisterPacket = Extract<Packet, { type: PacketType.Register }>;

export const regack = (register: RegisterPacket, returnCode = 0): Packet => ({
  type: PacketType.RegAck,
  topicId: register.topicId,
  msgId: register.msgId,
  returnCode,
});

export const puback = (publish: PublishPacket, returnCode = 0): Packet => ({
  type: PacketType.PubAck,
  topicId: publish.topic.kind === TopicType.Short ? 0 : publish.topic.id,
  msgId: publish.msgId,
  returnCode,
});
