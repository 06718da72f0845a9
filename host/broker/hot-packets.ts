// PUBLISH and its acknowledgements, to bytes and back, without the generality of mqtt-packet: these are nearly all of a
// broker's traffic, and it takes them several times faster. A test holds both to the same result.

import type { Qos } from '../ports.js';
import { type AckPacket, PACKET_ID_MAX, type PublishPacket } from './packets.js';
import { PacketType, packetTypeOf } from './wellformed.js';

// The first byte of a packet:
//     7   6   5   4     3     2   1     0
//   +---------------+-----+---------+--------+
//   |     type      | DUP |   QoS   | RETAIN |
//   +---------------+-----+---------+--------+
const TYPE_SHIFT = 4;
const PACKET_TYPES = 16;
const FLAGS = 0x0f;
const DUP = 0x08;
const QOS_SHIFT = 1;
const QOS = 0x03;
const RETAIN = 0x01;
/** [MQTT-3.6.1-1]. The other acknowledgements have no flags. */
const PUBREL_FLAGS = 0x02;

const BYTE_SHIFT = 8;
const BYTE = 0xff;
const U16_BYTES = 2;
const LENGTH_MORE = 0x80;
const LENGTH_SHIFT = 7;
const ACK_BYTES = 4;

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

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << BYTE_SHIFT) | bytes[at + 1]!;

/**
 * The packet in a frame whose shape is right; undefined for any that mqtt-packet is to look at: other types, and those
 * with flags that are against the rules. The payload is a copy: a frame lies in a socket's buffer, and a message may
 * live for long.
 */
export function decodeHot(frame: Buffer, bodyAt: number): PublishPacket | AckPacket | undefined {
  const first = frame[0]!;
  const type = packetTypeOf(first);
  if (type === PacketType.Publish) return decodePublish(frame, bodyAt, first);
  const cmd = ACK_NAMES[type];
  if (cmd === undefined || (first & FLAGS) !== (cmd === 'pubrel' ? PUBREL_FLAGS : 0)) return undefined;
  return { cmd, messageId: u16(frame, bodyAt) };
}

function decodePublish(frame: Buffer, bodyAt: number, first: number): PublishPacket | undefined {
  const qos = (first >> QOS_SHIFT) & QOS;
  if (qos === QOS) return undefined;
  const topicAt = bodyAt + U16_BYTES;
  const topicEnd = topicAt + u16(frame, bodyAt);
  const payloadAt = qos === 0 ? topicEnd : topicEnd + U16_BYTES;
  const payload = new Uint8Array(frame.length - payloadAt);
  payload.set(frame.subarray(payloadAt));
  return {
    cmd: 'publish',
    topic: frame.toString('utf8', topicAt, topicEnd),
    payload,
    qos: qos as Qos,
    retain: (first & RETAIN) !== 0,
    dup: (first & DUP) !== 0,
    messageId: qos === 0 ? 0 : u16(frame, topicEnd),
    encoded: undefined,
  };
}

export function encodeAck({ cmd, messageId }: AckPacket): Uint8Array {
  const first = (ACK_TYPES[cmd] << TYPE_SHIFT) | (cmd === 'pubrel' ? PUBREL_FLAGS : 0);
  return Uint8Array.of(first, ACK_BYTES - U16_BYTES, messageId >> BYTE_SHIFT, messageId & BYTE);
}

export function encodePublish({ topic, payload, qos, retain, dup, messageId }: PublishPacket): Uint8Array {
  const topicBytes = Buffer.byteLength(topic);
  const remaining = U16_BYTES + topicBytes + (qos > 0 ? U16_BYTES : 0) + payload.length;
  const bytes = Buffer.allocUnsafe(1 + lengthBytes(remaining) + remaining);
  bytes[0] = (PacketType.Publish << TYPE_SHIFT) | (dup ? DUP : 0) | (qos << QOS_SHIFT) | (retain ? RETAIN : 0);
  let at = writeLength(bytes, 1, remaining);
  at = writeU16(bytes, at, topicBytes);
  at += bytes.write(topic, at);
  if (qos > 0) at = writeU16(bytes, at, messageId & PACKET_ID_MAX);
  bytes.set(payload, at);
  return bytes;
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let rest = length >>> LENGTH_SHIFT; rest > 0; rest >>>= LENGTH_SHIFT) bytes++;
  return bytes;
}

function writeLength(bytes: Uint8Array, from: number, length: number): number {
  let at = from;
  let rest = length;
  for (; rest >= LENGTH_MORE; rest >>>= LENGTH_SHIFT) bytes[at++] = (rest & (LENGTH_MORE - 1)) | LENGTH_MORE;
  bytes[at++] = rest;
  return at;
}

function writeU16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >> BYTE_SHIFT;
  bytes[at + 1] = value & BYTE;
  return at + U16_BYTES;
}
