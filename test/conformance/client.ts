// Brokers and clients for the tests of conformance: bytes in, bytes out, in virtual time. A client's codec is mqtt-packet,
// which the broker's own is held to elsewhere; what mqtt-packet would never say is given as bytes.
import {
  generate,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type ISubscription,
  parser as newParser,
  type Packet,
  type PacketCmd,
  type QoS,
} from 'mqtt-packet';
import { Broker, type BrokerPorts } from '../../host/broker/broker.js';
import type { BrokerConfig } from '../../host/broker/config.js';
import type { CloseReason } from '../../host/broker/errors.js';
import { PacketStream, type StreamOptions } from '../../host/broker/stream.js';
import { Xoshiro128 } from '../../host/core/random.js';
import type { Millis } from '../../host/ports.js';

/** MQTT 3.1, 3.1.1 and 5.0. */
export type Level = 3 | 4 | 5;

/** A packet of one kind, as mqtt-packet reads it. */
export type PacketOf<C extends PacketCmd> = Extract<Packet, { cmd: C }>;

/** The fields of a CONNECT that a test wants otherwise than: clean, without a keep-alive, without a will. */
export type ConnectFields = Partial<Omit<IConnectPacket, 'cmd' | 'clientId' | 'protocolVersion' | 'protocolId'>>;

/** The fields of a PUBLISH that a test wants otherwise than: QoS 0, not retained, not repeated, the next identifier. */
export type PublishFields = Partial<Omit<IPublishPacket, 'cmd' | 'topic' | 'payload'>>;

export interface DialOptions {
  /** That of the world where absent. */
  readonly level?: Level;
  readonly stream?: Partial<StreamOptions>;
}

export interface WorldOptions {
  /** The level of the world's clients, unless said otherwise. 4 where absent. */
  readonly level?: Level;
  readonly ports?: Partial<BrokerPorts>;
}

/** What the broker knows of the other end, unless a test says otherwise. */
const PEER = { transport: 'tcp', address: '192.0.2.1', port: 40_000 } as const;

/** A test that fails because the broker did otherwise than expected. */
export class Unexpected extends Error {
  override readonly name = 'Unexpected';
}

export class World {
  now: Millis = 1_000;
  readonly broker: Broker;
  readonly level: Level;

  constructor(config: Partial<BrokerConfig> = {}, options: WorldOptions = {}) {
    this.level = options.level ?? 4;
    this.broker = new Broker(config, { random: new Xoshiro128(1), ...options.ports });
  }

  /** A network connection that has not said anything. */
  dial(options: DialOptions = {}): TestClient {
    return new TestClient(this, options.level ?? this.level, { peer: PEER, ...options.stream });
  }

  /** A client with a session. Its CONNACK, which must be one of success, is in `connack`; what follows is not taken. */
  connect(clientId: string, fields: ConnectFields = {}, options: DialOptions = {}): TestClient {
    return this.dial(options).connect(clientId, fields).accepted();
  }

  /** A client with a session and a subscription. Takes CONNACK and SUBACK, and what came between; not what follows. */
  subscriber(
    clientId: string,
    filter: string,
    qos: QoS = 0,
    fields: ConnectFields = {},
    options: DialOptions = {},
  ): TestClient {
    const client = this.connect(clientId, fields, options);
    client.subscribe(filter, qos);
    client.hears('suback');
    return client;
  }

  /** Lets time pass and the broker do what is due, each thing at its own moment. */
  pass(ms: Millis): void {
    const end = this.now + ms;
    while (this.broker.nextDue() <= end) {
      this.now = Math.max(this.now, this.broker.nextDue());
      this.broker.poll(this.now);
    }
    this.now = end;
    this.broker.poll(end);
  }
}

interface Heard {
  readonly bytes: Buffer;
  /** Undefined where mqtt-packet cannot read the bytes. */
  readonly packet: Packet | undefined;
}

export class TestClient {
  /** Why the broker closed the connection; undefined while it has not. */
  closedBy: CloseReason | undefined;
  /** The broker's view of the network: true while it must not send PUBLISHes. */
  isCongested = false;
  private lastConnack: IConnackPacket | undefined;
  private readonly stream: PacketStream;
  private heard: Heard[] = [];
  private saidAfterClose = false;
  private isDropped = false;
  private lastId = 0;

  constructor(
    private readonly world: World,
    readonly level: Level,
    options: Partial<StreamOptions>,
  ) {
    const sink = {
      write: (bytes: Uint8Array) => this.hear(bytes),
      close: (reason: CloseReason) => {
        this.closedBy ??= reason;
      },
      isCongested: () => this.isCongested,
    };
    this.stream = new PacketStream(world.broker, sink, world.now, options);
  }

  // What the client says.

  /** Any packet, correct or as wrong as mqtt-packet lets it be. */
  say(packet: Packet): this {
    return this.sayBytes(generate(packet, { protocolVersion: this.level }));
  }

  /** Any bytes: `'c0 00'`. */
  sayBytes(bytes: Uint8Array | string): this {
    this.stream.receive(typeof bytes === 'string' ? fromHex(bytes) : bytes, this.world.now);
    return this;
  }

  connect(clientId: string, fields: ConnectFields = {}): this {
    return this.sayBytes(connectBytes(this.level, clientId, fields));
  }

  /** The packet identifier; 0 at QoS 0. */
  publish(topic: string, payload: string | Uint8Array = '', fields: PublishFields = {}): number {
    const { qos = 0 } = fields;
    const messageId = qos === 0 ? 0 : (fields.messageId ?? this.nextId());
    const body = typeof payload === 'string' ? payload : Buffer.from(payload);
    this.say({ cmd: 'publish', topic, payload: body, dup: false, retain: false, qos, ...fields, messageId });
    return messageId;
  }

  /** Publishes and goes through the handshake to its end. */
  deliver(topic: string, payload: string | Uint8Array = '', fields: PublishFields = {}): void {
    const messageId = this.publish(topic, payload, fields);
    if (fields.qos === 1) this.hears('puback');
    if (fields.qos !== 2) return;
    this.hears('pubrec');
    this.ack('pubrel', messageId);
    this.hears('pubcomp');
  }

  /** The packet identifier. */
  subscribe(filter: string | readonly ISubscription[], qos: QoS = 0, properties: object = {}): number {
    const messageId = this.nextId();
    const subscriptions = typeof filter === 'string' ? [{ topic: filter, qos }] : [...filter];
    this.say({ cmd: 'subscribe', messageId, subscriptions, properties });
    return messageId;
  }

  /** The packet identifier. */
  unsubscribe(...filters: readonly string[]): number {
    const messageId = this.nextId();
    this.say({ cmd: 'unsubscribe', messageId, unsubscriptions: [...filters] });
    return messageId;
  }

  /** `reasonCode` and `properties` are for MQTT 5.0. */
  ack(
    cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
    messageId: number,
    reasonCode?: number,
    properties?: object,
  ): this {
    const more = { ...(reasonCode !== undefined && { reasonCode }), ...(properties !== undefined && { properties }) };
    return this.say({ cmd, messageId, ...more });
  }

  ping(): this {
    return this.say({ cmd: 'pingreq' });
  }

  /** `reasonCode` and `properties` are for MQTT 5.0. */
  disconnect(reasonCode = 0, properties: object = {}): this {
    return this.say(this.level === 5 ? { cmd: 'disconnect', reasonCode, properties } : { cmd: 'disconnect' });
  }

  /** The network connection is lost. */
  drop(): this {
    this.isDropped = true;
    this.stream.closed(this.world.now);
    return this;
  }

  /** The client has read what congested it. */
  drained(): this {
    this.isCongested = false;
    this.stream.drained(this.world.now);
    return this;
  }

  // What the client hears. All of it is taken in order, each packet once.

  /** The CONNACK of success that must come next. */
  accepted(): this {
    const connack = this.hears('connack');
    const code = connack.reasonCode ?? connack.returnCode;
    if (code !== 0) throw new Unexpected(`CONNACK ${code}`);
    this.lastConnack = connack;
    return this;
  }

  /** The CONNACK that `accepted` has taken. */
  get connack(): IConnackPacket {
    if (this.lastConnack === undefined) throw new Unexpected('no CONNACK');
    return this.lastConnack;
  }

  /** The next packet, which must be of that kind. */
  hears<C extends PacketCmd>(cmd: C): PacketOf<C> {
    this.check();
    const next = this.heard.shift();
    if (next === undefined) throw new Unexpected(`nothing is heard instead of ${cmd}${this.ending()}`);
    const packet = readable(next);
    if (packet.cmd !== cmd) throw new Unexpected(`${packet.cmd} is heard instead of ${cmd}${this.ending()}`);
    return packet as PacketOf<C>;
  }

  /** All packets not taken yet. */
  take(): Packet[] {
    return this.takeHeard().map(readable);
  }

  /** The bytes of all packets not taken yet, each packet as `'d0 00'`. */
  takeBytes(): string[] {
    return this.takeHeard().map(({ bytes }) => toHex(bytes));
  }

  /** The PUBLISHes not taken yet; there must be nothing else. */
  messages(): IPublishPacket[] {
    return this.take().map((packet) => {
      if (packet.cmd !== 'publish') throw new Unexpected(`${packet.cmd} is heard instead of publish`);
      return packet;
    });
  }

  /** The payloads of these, as text. */
  texts(): string[] {
    return this.messages().map(textOf);
  }

  /** All PUBLISHes there are, each acknowledged to the end of its handshake, and what that brings. */
  collect(): IPublishPacket[] {
    const messages: IPublishPacket[] = [];
    for (let packets = this.take(); packets.length > 0; packets = this.take()) {
      for (const packet of packets) {
        const messageId = packet.messageId ?? 0;
        if (packet.cmd === 'publish') {
          messages.push(packet);
          if (packet.qos > 0) this.ack(packet.qos === 1 ? 'puback' : 'pubrec', messageId);
        } else if (packet.cmd === 'pubrel') this.ack('pubcomp', messageId);
        else throw new Unexpected(`${packet.cmd} is heard instead of publish`);
      }
    }
    return messages;
  }

  /** True once the broker has closed the connection. */
  get isClosed(): boolean {
    return this.closedBy !== undefined;
  }

  /** The broker has closed the connection, and said no word more than was taken already. */
  hearsClose(): void {
    this.hearsNothing();
    if (!this.isClosed) throw new Unexpected('the connection is open');
  }

  /** Nothing is left to take. The connection may be open or closed. */
  hearsNothing(): void {
    const rest = this.takeHeard();
    if (rest.length > 0) throw new Unexpected(`heard: ${rest.map((each) => describe(each)).join(', ')}`);
  }

  private nextId(): number {
    this.lastId++;
    return this.lastId;
  }

  private hear(bytes: Uint8Array): void {
    if (this.isClosed || this.isDropped) this.saidAfterClose = true;
    for (const frame of framesOf(Buffer.from(bytes))) {
      this.heard.push({ bytes: frame, packet: read(frame, this.level) });
    }
  }

  private takeHeard(): Heard[] {
    this.check();
    const { heard } = this;
    this.heard = [];
    return heard;
  }

  private check(): void {
    if (this.saidAfterClose) throw new Unexpected('the broker wrote to a connection that was closed');
  }

  private ending(): string {
    return this.closedBy === undefined ? '' : `; the connection is closed: ${this.closedBy}`;
  }
}

export const textOf = (packet: IPublishPacket): string => packet.payload.toString();

export const fromHex = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

export const toHex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');

/** The bytes of a CONNECT, correct unless `fields` is not. */
export function connectBytes(level: Level, clientId: string, fields: ConnectFields = {}): Buffer {
  const protocolId = level === 3 ? 'MQIsdp' : 'MQTT';
  return generate(
    { cmd: 'connect', protocolId, protocolVersion: level, clientId, clean: true, keepalive: 0, ...fields },
    { protocolVersion: level },
  );
}

/** `body` as a packet whose first byte is `first`, of whatever sense: the remaining length is made for it. */
export function frame(first: number, body: Uint8Array | string): Buffer {
  const bytes = typeof body === 'string' ? fromHex(body) : body;
  const length: number[] = [];
  let rest = bytes.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Uint8Array.of(first, ...length), bytes]);
}

/** A string as it is on the wire, with its length; also one that is no UTF-8, given as bytes. */
export function string(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

/** Cuts what the broker wrote into packets. */
function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at + 1;
    let remaining = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[end++];
      if (byte === undefined) throw new Unexpected(`half a packet: ${toHex(bytes.subarray(at))}`);
      remaining |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    end += remaining;
    if (end > bytes.length) throw new Unexpected(`half a packet: ${toHex(bytes.subarray(at))}`);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

function read(bytes: Buffer, level: Level): Packet | undefined {
  let found: Packet | undefined;
  const reader = newParser({ protocolVersion: level });
  reader.on('packet', (packet) => {
    found = packet;
  });
  reader.on('error', () => {
    found = undefined;
  });
  reader.parse(bytes);
  return found;
}

function readable({ packet, bytes }: Heard): Packet {
  if (packet === undefined) throw new Unexpected(`no packet: ${toHex(bytes)}`);
  return packet;
}

function describe({ packet, bytes }: Heard): string {
  return `${packet?.cmd ?? 'no packet'} (${toHex(bytes)})`;
}
