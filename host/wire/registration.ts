// REGISTER, SUBSCRIBE, SUBACK, UNSUBSCRIBE, and the acknowledgements of one shape: REGACK with PUBACK (5.4.10, 5.4.11,
// 5.4.13, 5.4.15-17).
import { Flags, PacketType, TopicType } from '../../assembly/protocol/index.js';
import type { Decoded, WireFault } from './fault.js';
import { BAD_NAME, BAD_QOS, RESERVED_TOPIC_TYPE, TRAILING_OCTETS, TRUNCATED, WireEncodeError } from './fault.js';
import { qosBits, qosOf, topicTypeOf } from './flags.js';
import { PacketWriter, packetBytes, u16 } from './frame.js';
import type { FilterTopic, Packet } from './packets.js';
import { decodeName, encodeName } from './text.js';

type Of<T extends PacketType> = Extract<Packet, { readonly type: T }>;
type TopicAckType = PacketType.RegAck | PacketType.PubAck;

// ┌─────────────┬───────────┬───────────┐   ┌─────────────┬───────────┬────────────┐
// │ TopicId, 16 │ MsgId, 16 │ TopicName │   │ TopicId, 16 │ MsgId, 16 │ ReturnCode │
// └─────────────┴───────────┴───────────┘   └─────────────┴───────────┴────────────┘
const MSG_ID_AT = 2;
const REGISTER_BYTES_MIN = 4;
const RETURN_CODE_AT = 4;
const TOPIC_ACK_BYTES = 5;

/** Octets of a whole REGISTER with `topicNameBytes` of name. */
export function registerBytes(topicNameBytes: number): number {
  return packetBytes(REGISTER_BYTES_MIN + topicNameBytes);
}

export function decodeRegister(bytes: Uint8Array, at: number): Decoded {
  if (bytes.length - at < REGISTER_BYTES_MIN) return TRUNCATED;
  const topicName = decodeName(bytes, at + REGISTER_BYTES_MIN, bytes.length);
  if (topicName === undefined) return BAD_NAME;
  return { type: PacketType.Register, topicId: u16(bytes, at), msgId: u16(bytes, at + MSG_ID_AT), topicName };
}

export function encodeRegister(packet: Of<PacketType.Register>): Uint8Array {
  const topicName = encodeName(packet.type, 'topicName', packet.topicName);
  return new PacketWriter(packet.type, REGISTER_BYTES_MIN + topicName.length)
    .u16('topicId', packet.topicId)
    .u16('msgId', packet.msgId)
    .raw(topicName)
    .done();
}

export function decodeTopicAck(type: TopicAckType, bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size !== TOPIC_ACK_BYTES) return size < TOPIC_ACK_BYTES ? TRUNCATED : TRAILING_OCTETS;
  const [topicId, msgId] = [u16(bytes, at), u16(bytes, at + MSG_ID_AT)];
  return { type, topicId, msgId, returnCode: bytes[at + RETURN_CODE_AT]! } as Of<TopicAckType>;
}

export function encodeTopicAck(packet: Of<TopicAckType>): Uint8Array {
  return new PacketWriter(packet.type, TOPIC_ACK_BYTES)
    .u16('topicId', packet.topicId)
    .u16('msgId', packet.msgId)
    .u8('returnCode', packet.returnCode)
    .done();
}

// ┌───────┬───────────┬────────────────────────┐
// │ Flags │ MsgId, 16 │ TopicName / TopicId, 16 │   SUBSCRIBE and UNSUBSCRIBE
// └───────┴───────────┴────────────────────────┘
const FILTER_MSG_ID_AT = 1;
const FILTER_AT = 3;
/** A predefined id and a short name take the same two octets. */
const TOPIC_ID_BYTES = 2;

/** Type 00 carries a name, never an id (5.4.15). */
function decodeFilter(topicType: TopicType, bytes: Uint8Array, at: number): FilterTopic | WireFault {
  if (topicType === TopicType.Reserved) return RESERVED_TOPIC_TYPE;
  if (topicType !== TopicType.Normal) {
    const size = bytes.length - at;
    if (size !== TOPIC_ID_BYTES) return size < TOPIC_ID_BYTES ? TRUNCATED : TRAILING_OCTETS;
    if (topicType === TopicType.Predefined) return { kind: topicType, id: u16(bytes, at) };
  }
  const name = decodeName(bytes, at, bytes.length);
  if (name === undefined) return BAD_NAME;
  return topicType === TopicType.Short ? { kind: topicType, name } : { kind: TopicType.Normal, name };
}

function filterField(type: PacketType, topic: FilterTopic): Uint8Array {
  if (topic.kind !== TopicType.Predefined) {
    const name = encodeName(type, 'topic.name', topic.name);
    if (topic.kind === TopicType.Short && name.length !== TOPIC_ID_BYTES) {
      throw new WireEncodeError(type, 'topic.name', `takes ${name.length} octets, a short name exactly two`);
    }
    return name;
  }
  if (!Number.isInteger(topic.id) || topic.id < 0 || topic.id > 0xffff) {
    throw new WireEncodeError(type, 'topic.id', `is ${topic.id}, not an integer from 0 to 65535`);
  }
  return Uint8Array.of(topic.id >> 8, topic.id & 0xff);
}

export function decodeSubscribe(bytes: Uint8Array, at: number): Decoded {
  if (bytes.length - at < FILTER_AT) return TRUNCATED;
  const flags = bytes[at]!;
  const qos = qosOf(flags);
  if (qos === -1) return BAD_QOS;
  const topic = decodeFilter(topicTypeOf(flags), bytes, at + FILTER_AT);
  if ('type' in topic) return topic;
  const msgId = u16(bytes, at + FILTER_MSG_ID_AT);
  return { type: PacketType.Subscribe, dup: (flags & Flags.Dup) !== 0, qos, msgId, topic };
}

export function encodeSubscribe(packet: Of<PacketType.Subscribe>): Uint8Array {
  const { type, topic } = packet;
  const field = filterField(type, topic);
  return new PacketWriter(type, FILTER_AT + field.length)
    .u8('flags', (packet.dup ? Flags.Dup : 0) | qosBits(type, packet.qos, 0) | topic.kind)
    .u16('msgId', packet.msgId)
    .raw(field)
    .done();
}

export function decodeUnsubscribe(bytes: Uint8Array, at: number): Decoded {
  if (bytes.length - at < FILTER_AT) return TRUNCATED;
  const topic = decodeFilter(topicTypeOf(bytes[at]!), bytes, at + FILTER_AT);
  if ('type' in topic) return topic;
  return { type: PacketType.Unsubscribe, msgId: u16(bytes, at + FILTER_MSG_ID_AT), topic };
}

export function encodeUnsubscribe(packet: Of<PacketType.Unsubscribe>): Uint8Array {
  const field = filterField(packet.type, packet.topic);
  return new PacketWriter(packet.type, FILTER_AT + field.length)
    .u8('flags', packet.topic.kind)
    .u16('msgId', packet.msgId)
    .raw(field)
    .done();
}

// ┌───────┬─────────────┬───────────┬────────────┐
// │ Flags │ TopicId, 16 │ MsgId, 16 │ ReturnCode │   SUBACK
// └───────┴─────────────┴───────────┴────────────┘
const SUBACK_BYTES = 6;
const FLAGS_BYTES = 1;

export function decodeSubAck(bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size !== SUBACK_BYTES) return size < SUBACK_BYTES ? TRUNCATED : TRAILING_OCTETS;
  const qos = qosOf(bytes[at]!);
  if (qos === -1) return BAD_QOS;
  const rest = at + FLAGS_BYTES;
  return {
    type: PacketType.SubAck,
    qos,
    topicId: u16(bytes, rest),
    msgId: u16(bytes, rest + MSG_ID_AT),
    returnCode: bytes[rest + RETURN_CODE_AT]!,
  };
}

export function encodeSubAck(packet: Of<PacketType.SubAck>): Uint8Array {
  return new PacketWriter(packet.type, SUBACK_BYTES)
    .u8('flags', qosBits(packet.type, packet.qos, 0))
    .u16('topicId', packet.topicId)
    .u16('msgId', packet.msgId)
    .u8('returnCode', packet.returnCode)
    .done();
}
