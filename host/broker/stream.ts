// Joins a connection's bytes and the broker's packets. Pure as the broker is: bytes and time come in, bytes go out. What
// is not MQTT closes the connection that it came from, and only that [MQTT-4.8.0-1].
import { RateLimit } from '../core/rate-limit.js';
import type { Millis } from '../ports.js';
import type { Peer } from './access.js';
import type { Broker } from './broker.js';
import { decode, encode, type OutgoingAlias, publishBytes } from './codec.js';
import { levelOf } from './connecting.js';
import type { Connection, Sink } from './connection.js';
import type { Counters } from './counters.js';
import type { CloseReason } from './errors.js';
import { type FrameFault, FrameSplitter, type TakeFrame } from './frames.js';
import {
  type ConnectPacket,
  LEVEL_MQTT_3_1_1,
  LEVEL_MQTT_5,
  type Level,
  type Packet,
  type PublishPacket,
} from './packets.js';
import { ReasonCode } from './reason-codes.js';
import { IncomingAliases, OutgoingAliases } from './topic-aliases.js';
import { PacketType, packetTypeOf } from './wellformed.js';

/** A new alias: its property, and what it may add to the lengths in front. */
const ALIAS_BYTES_MAX = 5;

const FRAME_CODES: Readonly<Record<FrameFault, ReasonCode>> = {
  'remaining-length': ReasonCode.MalformedPacket,
  'packet-too-large': ReasonCode.PacketTooLarge,
};

/** The network's side of a connection. Must not throw, nor give the stream more bytes from inside these calls. */
export interface ByteSink {
  /** Takes bytes to the client. They may be shared with other connections: not to be changed. */
  write(bytes: Uint8Array): void;
  /** Nothing is written any more; what was written should still arrive. */
  close(reason: CloseReason): void;
  /** As `Sink.isCongested`. */
  isCongested?(): boolean;
}

export interface StreamOptions {
  /** What the adapter knows of the other end. */
  readonly peer?: Peer;
}

export class PacketStream implements Sink {
  /** Not before then does the broker want to read more of this client (bytesPerSecondMax); 0: at once. */
  resumeAt: Millis = 0;
  private readonly frames: FrameSplitter;
  private readonly connection: Connection;
  private readonly counters: Counters;
  private readonly bytes: RateLimit | undefined;
  /** Of the client, from its CONNECT on. */
  private level: Level | undefined;
  private packetBytesMax = Number.POSITIVE_INFINITY;
  private incoming: IncomingAliases | undefined;
  private outgoing: OutgoingAliases | undefined;
  private hasBegun = false;
  private readonly takeFrame: TakeFrame;
  /** Of the chunk that is being taken apart. */
  private now: Millis;

  constructor(
    private readonly broker: Broker,
    private readonly sink: ByteSink,
    now: Millis,
    { peer }: StreamOptions = {},
  ) {
    const { packetBytesMax, bytesPerSecondMax } = broker.config;
    this.now = now;
    this.counters = broker.counters;
    this.frames = new FrameSplitter(packetBytesMax);
    this.bytes = bytesPerSecondMax === Number.POSITIVE_INFINITY ? undefined : new RateLimit(bytesPerSecondMax, now);
    this.takeFrame = (frame, bodyAt) => this.take(frame, bodyAt);
    this.connection = broker.accept(this, now, peer);
  }

  /** The client identifier, while the client is connected. */
  get clientId(): string | undefined {
    return this.connection.client?.clientId;
  }

  /**
   * The broker waits for its journal with so many answers to this client that it wants to hear no more of it. It does not tell
   * when that is over: whoever reads looks again.
   */
  get isHeldUp(): boolean {
    return this.connection.isHeldUp;
  }

  /** Bytes from the client, in any pieces. They are the caller's again when this returns. */
  receive(bytes: Uint8Array, now: Millis): void {
    if (this.connection.isClosed || bytes.length === 0) return;
    this.counters.bytesIn += bytes.length;
    if (this.bytes !== undefined) {
      this.resumeAt = this.bytes.spend(bytes.length, now);
      this.connection.pausedUntil(this.resumeAt);
    }
    if (!this.hasBegun && packetTypeOf(bytes[0]!) !== PacketType.Connect) {
      // Whatever it is, there is no need to wait for its end [MQTT-3.1.0-1].
      this.connection.abandon('malformed', 'no-connect', now);
      return;
    }
    this.hasBegun = true;
    this.now = now;
    const fault = this.frames.push(bytes, this.takeFrame);
    if (fault !== undefined) this.connection.abandon('malformed', fault, now, FRAME_CODES[fault]);
  }

  /** The network connection is gone. */
  closed(now: Millis): void {
    this.connection.closed(now);
  }

  /** The client has read what congested it. */
  drained(now: Millis): void {
    this.connection.drained(now);
  }

  /** The client does not read, and the adapter has lost patience. */
  giveUp(now: Millis): void {
    this.connection.abandon('slow', 'unread', now);
  }

  /** For the broker. */
  send(packet: Packet, now: Millis): void {
    const level = this.level ?? LEVEL_MQTT_3_1_1;
    const alias = packet.cmd === 'publish' ? this.aliasFor(packet, level) : undefined;
    const bytes = encode(packet, level, now, alias);
    if (bytes.length > this.packetBytesMax && packet.cmd !== 'publish') this.sendShort(packet, level, now);
    else this.write(bytes);
  }

  /** For the broker. */
  close(reason: CloseReason): void {
    this.sink.close(reason);
  }

  /** For the broker. */
  isCongested(): boolean {
    return this.sink.isCongested?.() ?? false;
  }

  private take(frame: Uint8Array, bodyAt: number): boolean {
    const { connection, now } = this;
    const decoded = decode(frame, bodyAt, this.level, now);
    if ('fault' in decoded) connection.abandon('malformed', decoded.fault.why, now, decoded.fault.reason);
    else if (decoded.packet.cmd === 'publish') this.takePublish(decoded.packet, frame.length);
    else {
      if (decoded.packet.cmd === 'connect' && this.level === undefined) this.learn(decoded.packet);
      connection.receive(decoded.packet, now, frame.length);
    }
    return !connection.isClosed;
  }

  private takePublish(packet: PublishPacket, bytes: number): void {
    const resolved = this.incoming === undefined ? packet : this.incoming.resolve(packet);
    if (typeof resolved === 'object') this.connection.receive(resolved, this.now, bytes);
    else this.connection.abandon('malformed', 'topic-alias', this.now, resolved);
  }

  /** What a CONNECT says of the stream itself. */
  private learn(packet: ConnectPacket): void {
    const level = levelOf(packet);
    if (typeof level !== 'number') return;
    this.level = level;
    if (level !== LEVEL_MQTT_5) return;
    const { maximumPacketSize, topicAliasMaximum = 0 } = packet.properties ?? {};
    this.packetBytesMax = maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.incoming = new IncomingAliases(this.broker.config.topicAliasMax);
    // No more than we let a client set up: each costs memory here too.
    const outgoing = Math.min(topicAliasMaximum, this.broker.config.topicAliasMax);
    if (outgoing > 0) this.outgoing = new OutgoingAliases(outgoing);
  }

  /** Without what a person might read, if only so the client takes it [MQTT-3.2.2-19], [MQTT-3.2.2-20]; else not at all. */
  private sendShort(packet: Packet, level: Level, now: Millis): void {
    if (!('properties' in packet) || packet.properties === undefined) return;
    const { reasonString: _, userProperties: __, ...rest } = packet.properties as Record<string, unknown>;
    const bytes = encode({ ...packet, properties: rest } as Packet, level, now);
    if (bytes.length <= this.packetBytesMax) this.write(bytes);
  }

  private aliasFor(packet: PublishPacket, level: Level): OutgoingAlias | undefined {
    if (this.outgoing === undefined) return undefined;
    // That it fits without alias is all that the core has seen to.
    const isTight =
      this.packetBytesMax !== Number.POSITIVE_INFINITY &&
      publishBytes(packet, level) + ALIAS_BYTES_MAX > this.packetBytesMax;
    return isTight ? undefined : this.outgoing.aliasFor(packet.topic);
  }

  private write(bytes: Uint8Array): void {
    this.counters.bytesOut += bytes.length;
    this.sink.write(bytes);
  }
}
