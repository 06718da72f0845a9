// PUBLISH (5.4.12), and the packets that carry a MsgId and nothing else: PUBREC, PUBREL, PUBCOMP, UNSUBACK (5.4.14, 5.4.18).
import { Flags, PacketType, TopicType } from '../../assembly/protocol/index.js';
import type { Decoded } from './fault.js';
import { BAD_NAME, RESERVED_TOPIC_TYPE, TRAILING_OCTETS, TRUNCATED, WireEncodeError } from './fault.js';
import { qosBits, qosOf, topicTypeOf } from './flags.js';
import { PacketWriter, packetBytes, u16 } from './frame.js';
import type { Packet, PublishTopic } from './packets.js';
import { decodeName, encodeName } from './text.js';

type Of<T extends PacketType> = Extract<Packet, { readonly type: T }>;
type MsgIdType = PacketType.PubRec | PacketType.PubRel | PacketType.PubComp | PacketType.UnsubAck;

// ┌───────┬─────────────┬───────────┬──────┐
// │ Flags │ TopicId, 16 │ MsgId, 16 │ Data │
// └───────┴─────────────┴───────────┴──────┘
const TOPIC_AT = 1;
const MSG_ID_AT = 3;
const DATA_AT = 5;
const TOPIC_ID_BYTES = 2;
const MSG_ID_BYTES = 2;

/** Octets of a whole PUBLISH with `dataBytes` of data. */
export function publishBytes(dataBytes: number): number {
  return packetBytes(DATA_AT + dataBytes);
}

export function decodePublish(bytes: Uint8Array, at: number): Decoded {
  if (bytes.length - at < DATA_AT) return TRUNCATED;
  const flags = bytes[at]!;
  const kind = topicTypeOf(flags);
  if (kind === TopicType.Reserved) return RESERVED_TOPIC_TYPE;
  let topic: PublishTopic;
  if (kind === TopicType.Short) {
    const name = decodeName(bytes, at + TOPIC_AT, at + MSG_ID_AT);
    if (name === undefined) return BAD_NAME;
    topic = { kind, name };
  } else {
    topic = { kind, id: u16(bytes, at + TOPIC_AT) } as PublishTopic;
  }
  return {
    type: PacketType.Publish,
    dup: (flags & Flags.Dup) !== 0,
    qos: qosOf(flags),
    retain: (flags & Flags.Retain) !== 0,
    topic,
    msgId: u16(bytes, at + MSG_ID_AT),
    data: bytes.subarray(at + DATA_AT),
  };
}

export function encodePublish(packet: Of<PacketType.Publish>): Uint8Array {
  const { type, topic } = packet;
  const flags =
    (packet.dup ? Flags.Dup : 0) | qosBits(type, packet.qos, -1) | (packet.retain ? Flags.Retain : 0) | topic.kind;
  const writer = new PacketWriter(type, DATA_AT + packet.data.length).u8('flags', flags);
  if (topic.kind === TopicType.Short) {
    const name = encodeName(type, 'topic.name', topic.name);
    if (name.length !== TOPIC_ID_BYTES) {
      throw new WireEncodeError(type, 'topic.name', `takes ${name.length} octets, a short name exactly two`);
    }
    writer.raw(name);
  } else {
    writer.u16('topic.id', topic.id);
  }
  return writer.u16('msgId', packet.msgId).raw(packet.data).done();
}

export function decodeMsgId(type: MsgIdType, bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size !== MSG_ID_BYTES) return size < MSG_ID_BYTES ? TRUNCATED : TRAILING_OCTETS;
  return { type, msgId: u16(bytes, at) } as Of<MsgIdType>;
}

export function encodeMsgId(packet: Of<MsgIdType>): Uint8Array {
  return new PacketWriter(packet.type, MSG_ID_BYTES).u16('msgId', packet.msgId).done();
}
