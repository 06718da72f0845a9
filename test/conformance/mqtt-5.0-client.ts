// A client of MQTT 5.0 that says any bytes and reads what it hears strictly. Whatever test it is in, it also watches what no
// server may ever do to it: a packet above its Maximum Packet Size, a topic alias above its maximum or never set up, more
// messages in flight than its Receive Maximum, a word after DISCONNECT or after the close.
import { expect } from 'vitest';
import type { BrokerPorts } from '../../host/broker/broker.js';
import type { BrokerConfig } from '../../host/broker/config.js';
import type { CloseReason } from '../../host/broker/errors.js';
import { PacketStream, type StreamOptions } from '../../host/broker/stream.js';
import { World } from './client.js';
import {
  type AckType,
  ack,
  type ConnectIn,
  connect,
  join,
  type Properties,
  type PropertiesIn,
  type PublishHeard,
  type PublishIn,
  publish,
  readServerPackets,
  type ServerPacket,
  type ServerPacketType,
  type SubscriptionIn,
  subscribe,
  unsubscribe,
} from './mqtt-5.0-wire.js';

type PacketOf<T extends ServerPacketType> = Extract<ServerPacket, { type: T }>;
type Connack = PacketOf<'connack'>;

/** A session that stays for an hour. */
export const FOR_AN_HOUR: ConnectIn = { properties: { sessionExpiryS: 3_600 } };
export const HOUR_MS = 3_600_000;

/** A broker whose limits are those that the standard takes for granted: its CONNACK has no properties and 5 bytes. */
export const UNLIMITED: Partial<BrokerConfig> = { receiveMax: 65_535, topicAliasMax: 0, packetBytesMax: 268_435_460 };

export class World5 extends World {
  constructor(config: Partial<BrokerConfig> = {}, ports: Partial<BrokerPorts> = {}) {
    super(config, { level: 5, ports });
  }

  /** Called when a client has done something. For worlds whose broker has more to do then. */
  settle(): void {}

  /** A network connection that has not said anything. */
  open(options: Partial<StreamOptions> = {}): Client5 {
    return new Client5(this, { peer: { transport: 'tcp', address: '192.0.2.1' }, ...options });
  }

  /** A client with a session; its CONNACK is in `connack`, what follows is not taken. */
  join(clientId: string, options: ConnectIn = {}): Client5 {
    return this.open().connect(clientId, options).accepted();
  }

  /** A client with a session and a subscription; SUBACK is taken. */
  reader(clientId: string, filter: string | SubscriptionIn, qos = 0, options: ConnectIn = {}): Client5 {
    const client = this.join(clientId, options);
    client.subscribe(typeof filter === 'string' ? { filter, qos } : filter);
    return client;
  }
}

export class Client5 {
  closedBy: CloseReason | undefined;
  connack!: Connack;
  isCongested = false;
  /** Told of the bytes as they come, for what is not MQTT 5.0. */
  onBytes: ((chunk: Uint8Array) => void) | undefined;
  private readonly stream: PacketStream;
  private written: Uint8Array[] = [];
  private heard: ServerPacket[] = [];
  private limits: Properties = {};
  private fault: string | undefined;
  private isGone = false;
  private readonly inFlight = new Set<number>();
  private readonly aliases = new Map<number, string>();
  private readonly topics = new WeakMap<PublishHeard, string>();
  private lastId = 0;

  constructor(
    private readonly world: World5,
    options: Partial<StreamOptions>,
  ) {
    const sink = {
      write: (chunk: Uint8Array) => {
        if (this.closedBy !== undefined || this.isGone) this.fault ??= 'bytes were written after the close';
        if (this.onBytes === undefined) this.written.push(Uint8Array.from(chunk));
        else this.onBytes(chunk);
      },
      close: (reason: CloseReason) => {
        this.closedBy ??= reason;
      },
      isCongested: () => this.isCongested,
    };
    this.stream = new PacketStream(world.broker, sink, world.now, options);
  }

  get isClosed(): boolean {
    return this.closedBy !== undefined;
  }

  /** When the broker wants to read more of this client; 0: at once. */
  get resumeAt(): number {
    return this.stream.resumeAt;
  }

  /** Any bytes, in one piece. */
  say(...parts: readonly Uint8Array[]): this {
    this.stream.receive(join(...parts), this.world.now);
    this.world.settle();
    return this;
  }

  connect(clientId: string | Uint8Array, options: ConnectIn = {}): this {
    const { properties } = options;
    this.limits = properties === undefined || properties instanceof Uint8Array ? {} : properties;
    return this.say(connect(clientId, options));
  }

  accepted(): this {
    this.connack = this.next('connack');
    expect(this.connack.reason).toBe(0);
    return this;
  }

  /** Subscribes and takes the SUBACK, wherever it is among what is heard: its reason codes. */
  subscribe(subscription: SubscriptionIn | readonly SubscriptionIn[], properties?: PropertiesIn): readonly number[] {
    const id = this.nextId();
    this.say(subscribe(id, [subscription].flat() as SubscriptionIn[], properties));
    const suback = this.takeOne('suback');
    expect(suback.id).toBe(id);
    return suback.reasons;
  }

  unsubscribe(...filters: readonly string[]): readonly number[] {
    const id = this.nextId();
    this.say(unsubscribe(id, filters));
    const unsuback = this.takeOne('unsuback');
    expect(unsuback.id).toBe(id);
    return unsuback.reasons;
  }

  /** Publishes and goes through the handshake as far as the broker lets it: the reason code of PUBACK or PUBREC. */
  publish(topic: string, payload: string | Uint8Array = '', options: PublishIn = {}): number {
    const { qos = 0 } = options;
    const id = options.id ?? this.nextId();
    this.say(publish(topic, payload, { ...options, id }));
    if (qos === 0) return 0;
    const answer = this.takeOne(qos === 1 ? 'puback' : 'pubrec');
    expect(answer.id).toBe(id);
    if (qos === 1 || answer.reason >= 0x80) return answer.reason;
    this.ack('pubrel', id);
    expect(this.takeOne('pubcomp')).toMatchObject({ id, reason: 0 });
    return answer.reason;
  }

  ack(type: AckType, id: number, reason?: number, properties?: PropertiesIn): this {
    this.read(); // what was heard so far was in flight before this acknowledgement
    if (type === 'puback' || type === 'pubcomp' || (type === 'pubrec' && (reason ?? 0) >= 0x80))
      this.inFlight.delete(id);
    return this.say(ack(type, id, reason, properties));
  }

  /** The network connection is lost. */
  drop(): void {
    this.read();
    this.isGone = true;
    this.stream.closed(this.world.now);
    this.world.settle();
  }

  drained(): void {
    this.isCongested = false;
    this.stream.drained(this.world.now);
    this.world.settle();
  }

  /** Everything heard and not yet taken. */
  take(): ServerPacket[] {
    this.read();
    const { heard } = this;
    this.heard = [];
    return heard;
  }

  /** The next packet; it must be of this type. */
  next<T extends ServerPacketType>(type: T): PacketOf<T> {
    this.read();
    const packet = this.heard.shift();
    expect(packet?.type, `the next packet of a connection that is ${this.closedBy ?? 'open'}`).toBe(type);
    return packet as PacketOf<T>;
  }

  /** The next PUBLISH; there must be one. */
  message(): PublishHeard {
    return this.next('publish');
  }

  /** All that is heard, which must be PUBLISHes. */
  messages(): PublishHeard[] {
    const packets = this.take();
    expect(packets.filter(({ type }) => type !== 'publish')).toEqual([]);
    return packets as PublishHeard[];
  }

  /** All that is heard, acknowledged to the end, with what then comes. */
  collect(): PublishHeard[] {
    const messages: PublishHeard[] = [];
    for (let packets = this.take(); packets.length > 0; packets = this.take()) {
      for (const packet of packets) {
        if (packet.type === 'publish') {
          messages.push(packet);
          if (packet.qos > 0) this.ack(packet.qos === 1 ? 'puback' : 'pubrec', packet.id);
        } else if (packet.type === 'pubrel') this.ack('pubcomp', packet.id);
        else expect(packet.type).toBe('publish');
      }
    }
    return messages;
  }

  payloads(): string[] {
    return this.collect().map(({ payload }) => payload);
  }

  /** Nothing is heard, and the connection is open. */
  hearsNothing(): void {
    expect(this.take()).toEqual([]);
    expect(this.closedBy).toBeUndefined();
  }

  /** The connection works: PINGREQ is answered, and nothing came before. */
  isWell(): void {
    this.say(Uint8Array.of(0xc0, 0));
    expect(this.take().map(({ type }) => type)).toEqual(['pingresp']);
    expect(this.closedBy).toBeUndefined();
  }

  /** CONNACK with one of these reasons, nothing else, and the connection is closed. */
  refused(...reasons: readonly number[]): Connack {
    const connack = this.next('connack');
    expect(reasons.map(hex)).toContain(hex(connack.reason));
    expect(connack.sessionPresent).toBe(false); // [MQTT-3.2.2-6]
    this.isOver();
    return connack;
  }

  /** The connection is closed before any CONNACK of success; a CONNACK may say why, with one of these reasons. */
  turnedAway(...reasons: readonly number[]): void {
    const packets = this.take();
    expect(this.isClosed).toBe(true);
    expect(packets.length).toBeLessThanOrEqual(1);
    for (const packet of packets) {
      expect(packet.type).toBe('connack');
      expect(reasons.map(hex)).toContain(hex((packet as Connack).reason));
    }
  }

  /** DISCONNECT with one of these reasons comes next, nothing behind it, and the connection is closed. */
  ended(...reasons: readonly number[]): PacketOf<'disconnect'> {
    const disconnect = this.next('disconnect');
    expect(reasons.map(hex)).toContain(hex(disconnect.reason));
    this.isOver();
    return disconnect;
  }

  /** Nothing more is heard, and the connection is closed. */
  isOver(): void {
    expect(this.take()).toEqual([]);
    expect(this.isClosed).toBe(true);
  }

  private nextId(): number {
    this.lastId++;
    return this.lastId;
  }

  private takeOne<T extends ServerPacketType>(type: T): PacketOf<T> {
    this.read();
    const at = this.heard.findIndex((packet) => packet.type === type);
    expect(at, `no ${type} among ${this.heard.map((p) => p.type).join(', ') || 'nothing'}`).not.toBe(-1);
    return this.heard.splice(at, 1)[0] as PacketOf<T>;
  }

  private read(): void {
    const packets = readServerPackets(join(...this.written));
    this.written = [];
    for (const packet of packets) {
      this.watch(packet);
      this.heard.push(packet);
    }
    expect(this.fault).toBeUndefined();
  }

  private watch(packet: ServerPacket): void {
    const { maximumPacketSize = Number.POSITIVE_INFINITY, receiveMaximum = 65_535 } = this.limits;
    if (packet.bytes > maximumPacketSize) this.fault ??= `${packet.type} of ${packet.bytes} bytes [MQTT-3.1.2-24]`;
    if (this.heard.some(({ type }) => type === 'disconnect')) this.fault ??= 'a word after DISCONNECT [MQTT-3.14.4-1]';
    if (packet.type !== 'publish') return;
    this.watchAlias(packet);
    if (packet.qos === 0) return;
    this.inFlight.add(packet.id);
    if (this.inFlight.size > receiveMaximum) this.fault ??= 'more in flight than Receive Maximum [MQTT-3.3.4-9]';
  }

  private watchAlias(message: PublishHeard): void {
    const { topic, properties } = message;
    const { topicAlias } = properties;
    this.topics.set(message, topic);
    if (topicAlias === undefined) return;
    if (topicAlias > (this.limits.topicAliasMaximum ?? 0)) this.fault ??= `alias ${topicAlias} [MQTT-3.3.2-11]`;
    if (topic !== '') this.aliases.set(topicAlias, topic);
    const known = this.aliases.get(topicAlias);
    if (known === undefined) this.fault ??= `alias ${topicAlias} stands for nothing`;
    else this.topics.set(message, known);
  }

  /** The topic of a message, also where an alias stood for it when it came. */
  topicOf(message: PublishHeard): string | undefined {
    return this.topics.get(message);
  }
}

export const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;
