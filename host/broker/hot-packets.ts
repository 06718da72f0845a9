// PUBLISH and its acknowledgements, to bytes and back, without the generality of mqtt-packet: these are nearly all of a
// broker's traffic, and it takes them several times faster. A test holds both to the same result.

import type { Millis, Qos } from '../ports.js';
import {
  DUP,
  PACKET_TYPES,
  PacketType,
  packetTypeOf,
  QOS,
  QOS_SHIFT,
  REQUEST_FLAGS,
  RETAIN,
  TYPE_SHIFT,
} from './packet-types.js';
import { type AckPacket, LEVEL_MQTT_5, type Level, PACKET_ID_MAX, type PublishPacket } from './packets.js';
import { type SplitProperties, splitProperties } from './properties.js';
import { Property } from './property-table.js';
import { ReasonCode } from './reason-codes.js';
import { learnTopic, type Topic } from './topic-memo.js';
import { U16_BYTES, U32_BYTES, u16At, varintAt, varintBytes, writeU16, writeU32, writeVarint } from './wire-bytes.js';

/** How a PUBLISH of MQTT 5.0 names its topic: `isNew` puts it beside the alias, else the alias stands for it. */
export interface OutgoingAlias {
  readonly alias: number;
  readonly isNew: boolean;
}

const MS_PER_S = 1_000;
const ID_BYTES = 1;
const ALIAS_BYTES = ID_BYTES + U16_BYTES;
const EXPIRY_BYTES = ID_BYTES + U32_BYTES;
const EXPIRY_MAX_S = 0xffff_ffff;

const ACK_TYPES = {
  puback: PacketType.Puback,
  pubrec: PacketType.Pubrec,
  pubrel: PacketType.Pubrel,
  pubcomp: PacketType.Pubcomp,
} as const;

/** Acknowledgements by packet type. */
const ACK_NAMES: readonly (AckPacket['cmd'] | undefined)[] = Array.from({ length: PACKET_TYPES }, (_, type) =>
  (Object.keys(ACK_TYPES) as AckPacket['cmd'][]).find((cmd) => ACK_TYPES[cmd] === type),
);

/**
 * The packet in a well-formed frame; undefined for types that mqtt-packet is to read. The payload is a copy: a frame lies
 * in a socket's buffer, and a message may live for long. A PUBLISH that leaves as it came, for those who get it at QoS 0,
 * is copied as a whole. `topic`: of a PUBLISH, where it is known.
 */
export function decodeHot(
  frame: Uint8Array,
  bodyAt: number,
  level: Level,
  now: Millis,
  topic: Topic | undefined,
): PublishPacket | AckPacket | undefined {
  const type = packetTypeOf(frame[0]!);
  if (type === PacketType.Publish) return decodePublish(frame, bodyAt, level, now, topic);
  const cmd = ACK_NAMES[type];
  if (cmd === undefined) return undefined;
  const reasonAt = bodyAt + U16_BYTES;
  // Where there is none it is Success (3.4.2.1); older versions have none.
  return { cmd, messageId: u16At(frame, bodyAt), reasonCode: frame[reasonAt] ?? ReasonCode.Success };
}

function decodePublish(
  frame: Uint8Array,
  bodyAt: number,
  level: Level,
  now: Millis,
  known: Topic | undefined,
): PublishPacket {
  const first = frame[0]!;
  const qos = ((first >> QOS_SHIFT) & QOS) as Qos;
  const topicAt = bodyAt + U16_BYTES;
  const topicEnd = topicAt + u16At(frame, bodyAt);
  let payloadAt = qos === 0 ? topicEnd : topicEnd + U16_BYTES;
  let said: SplitProperties | undefined;
  if (level === LEVEL_MQTT_5) {
    const bytes = varintAt(frame, payloadAt);
    const start = payloadAt + varintBytes(bytes);
    payloadAt = start + bytes;
    if (bytes > 0) said = splitProperties(frame, start, payloadAt);
  }
  const topic = known ?? learnTopic(asBuffer(frame).toString('utf8', topicAt, topicEnd), frame, topicAt, topicEnd);
  const copy = said === undefined && isAsWritten(frame, bodyAt) ? copyOf(frame) : undefined;
  const payload = copy === undefined ? copiedFrom(frame, payloadAt) : viewOf(copy, payloadAt);
  return {
    cmd: 'publish',
    topic: topic.name,
    topicLevels: topic.levels,
    payload,
    qos,
    retain: (first & RETAIN) !== 0,
    dup: (first & DUP) !== 0,
    messageId: qos === 0 ? 0 : u16At(frame, topicEnd),
    properties: said?.message,
    expiresAt: said?.expiryS === undefined ? Number.POSITIVE_INFINITY : now + said.expiryS * MS_PER_S,
    subscriptionIds: said?.subscriptionIds,
    topicAlias: said === undefined ? 0 : said.topicAlias,
    entry: undefined,
    share: undefined,
    encoded: level === LEVEL_MQTT_5 ? undefined : copy,
    encoded5: level === LEVEL_MQTT_5 ? copy : undefined,
  };
}

/** QoS 0, no flags, the fewest bytes of length: with no properties in it, the bytes that would be written for it. */
function isAsWritten(frame: Uint8Array, bodyAt: number): boolean {
  return frame[0] === PacketType.Publish << TYPE_SHIFT && bodyAt === 1 + varintBytes(frame.length - bodyAt);
}

/** In the pool of Buffer: short-lived as it mostly is, it is worth no buffer of its own. */
function copyOf(frame: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(frame.length);
  copy.set(frame);
  return copy;
}

function copiedFrom(frame: Uint8Array, at: number): Uint8Array {
  const payload = new Uint8Array(frame.length - at);
  payload.set(frame.subarray(at));
  return payload;
}

const viewOf = (copy: Buffer, at: number): Uint8Array =>
  new Uint8Array(copy.buffer, copy.byteOffset + at, copy.length - at);

/** A view, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function encodeAck({ cmd, messageId, reasonCode }: AckPacket, level: Level): Uint8Array {
  const first = (ACK_TYPES[cmd] << TYPE_SHIFT) | (cmd === 'pubrel' ? REQUEST_FLAGS : 0);
  const high = messageId >> 8;
  const low = messageId & 0xff;
  // Success is said by saying nothing (3.4.2.1).
  if (level !== LEVEL_MQTT_5 || reasonCode === ReasonCode.Success) return Uint8Array.of(first, U16_BYTES, high, low);
  return Uint8Array.of(first, U16_BYTES + 1, high, low, reasonCode);
}

/** For MQTT 3.1 and 3.1.1. */
export function encodePublish(packet: PublishPacket): Uint8Array {
  const { topic, payload, qos } = packet;
  const topicBytes = Buffer.byteLength(topic);
  const remaining = U16_BYTES + topicBytes + (qos > 0 ? U16_BYTES : 0) + payload.length;
  const bytes = Buffer.allocUnsafe(1 + varintBytes(remaining) + remaining);
  bytes[0] = headerOf(packet);
  let at = writeVarint(bytes, 1, remaining);
  at = writeU16(bytes, at, topicBytes);
  at += bytes.write(topic, at);
  if (qos > 0) at = writeU16(bytes, at, packet.messageId & PACKET_ID_MAX);
  bytes.set(payload, at);
  return bytes;
}

export function encodePublish5(packet: PublishPacket, now: Millis, alias: OutgoingAlias | undefined): Uint8Array {
  const { payload, qos } = packet;
  const topic = alias !== undefined && !alias.isNew ? '' : packet.topic;
  const topicBytes = Buffer.byteLength(topic);
  const propertyBytes = propertyBytesOf(packet) + (alias === undefined ? 0 : ALIAS_BYTES);
  const remaining = remainingOf(packet, topicBytes, propertyBytes);
  const bytes = Buffer.allocUnsafe(1 + varintBytes(remaining) + remaining);
  bytes[0] = headerOf(packet);
  let at = writeVarint(bytes, 1, remaining);
  at = writeU16(bytes, at, topicBytes);
  at += bytes.write(topic, at);
  if (qos > 0) at = writeU16(bytes, at, packet.messageId & PACKET_ID_MAX);
  at = writeVarint(bytes, at, propertyBytes);
  if (propertyBytes > 0) at = writeProperties(bytes, at, packet, now, alias);
  bytes.set(payload, at);
  return bytes;
}

/** What every receiver of MQTT 5.0 gets alike, whenever it gets it. */
export function isSame5ForAll({ subscriptionIds, expiresAt }: PublishPacket): boolean {
  return subscriptionIds === undefined && expiresAt === Number.POSITIVE_INFINITY;
}

/** Bytes of the whole packet, without an alias. */
export function publishBytes(packet: PublishPacket, level: Level): number {
  const topicBytes = Buffer.byteLength(packet.topic);
  const remaining =
    level === LEVEL_MQTT_5
      ? remainingOf(packet, topicBytes, propertyBytesOf(packet))
      : U16_BYTES + topicBytes + (packet.qos > 0 ? U16_BYTES : 0) + packet.payload.length;
  return 1 + varintBytes(remaining) + remaining;
}

function remainingOf({ qos, payload }: PublishPacket, topicBytes: number, propertyBytes: number): number {
  const idBytes = qos > 0 ? U16_BYTES : 0;
  return U16_BYTES + topicBytes + idBytes + varintBytes(propertyBytes) + propertyBytes + payload.length;
}

function propertyBytesOf({ properties, expiresAt, subscriptionIds }: PublishPacket): number {
  let bytes = properties === undefined ? 0 : properties.length;
  if (expiresAt !== Number.POSITIVE_INFINITY) bytes += EXPIRY_BYTES;
  if (subscriptionIds !== undefined) for (const id of subscriptionIds) bytes += ID_BYTES + varintBytes(id);
  return bytes;
}

function writeProperties(
  bytes: Uint8Array,
  from: number,
  { properties, expiresAt, subscriptionIds }: PublishPacket,
  now: Millis,
  alias: OutgoingAlias | undefined,
): number {
  let at = from;
  if (alias !== undefined) {
    bytes[at++] = Property.TopicAlias;
    at = writeU16(bytes, at, alias.alias);
  }
  if (expiresAt !== Number.POSITIVE_INFINITY) {
    // What is left of it [MQTT-3.3.2-6].
    const leftS = Math.ceil((expiresAt - now) / MS_PER_S);
    bytes[at++] = Property.MessageExpiryInterval;
    at = writeU32(bytes, at, Math.min(Math.max(leftS, 0), EXPIRY_MAX_S));
  }
  if (subscriptionIds !== undefined) {
    for (const id of subscriptionIds) {
      bytes[at++] = Property.SubscriptionIdentifier;
      at = writeVarint(bytes, at, id);
    }
  }
  if (properties === undefined) return at;
  bytes.set(properties, at);
  return at + properties.length;
}

function headerOf({ dup, qos, retain }: PublishPacket): number {
  return (PacketType.Publish << TYPE_SHIFT) | (dup ? DUP : 0) | (qos << QOS_SHIFT) | (retain ? RETAIN : 0);
}
