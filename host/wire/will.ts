// WILLTOPIC, WILLMSG and their updates (5.4.7, 5.4.9, 5.4.22, 5.4.23).
import { Flags, type PacketType } from '../../assembly/protocol/index.js';
import type { Decoded } from './fault.js';
import { BAD_NAME, BAD_QOS } from './fault.js';
import { qosBits, qosOf } from './flags.js';
import { PacketWriter } from './frame.js';
import type { Packet } from './packets.js';
import { decodeName, encodeName } from './text.js';

type Of<T extends PacketType> = Extract<Packet, { readonly type: T }>;
type WillTopicType = PacketType.WillTopic | PacketType.WillTopicUpd;
type WillMessageType = PacketType.WillMsg | PacketType.WillMsgUpd;

const FLAGS_BYTES = 1;

/** Without Flags the packet deletes the will; Flags without a name is a will whose topic is empty, for the gateway to refuse. */
export function decodeWillTopic(type: WillTopicType, bytes: Uint8Array, at: number): Decoded {
  if (bytes.length === at) return { type, will: undefined } as Of<WillTopicType>;
  const flags = bytes[at]!;
  const qos = qosOf(flags);
  if (qos === -1) return BAD_QOS;
  const topic = decodeName(bytes, at + FLAGS_BYTES, bytes.length);
  if (topic === undefined) return BAD_NAME;
  return { type, will: { qos, retain: (flags & Flags.Retain) !== 0, topic } } as Of<WillTopicType>;
}

export function encodeWillTopic(packet: Of<WillTopicType>): Uint8Array {
  const { type, will } = packet;
  if (will === undefined) return new PacketWriter(type, 0).done();
  const topic = encodeName(type, 'will.topic', will.topic);
  return new PacketWriter(type, FLAGS_BYTES + topic.length)
    .u8('flags', qosBits(type, will.qos, 0) | (will.retain ? Flags.Retain : 0))
    .raw(topic)
    .done();
}

export function decodeWillMessage(type: WillMessageType, bytes: Uint8Array, at: number): Decoded {
  return { type, message: bytes.subarray(at) } as Of<WillMessageType>;
}

export function encodeWillMessage(packet: Of<WillMessageType>): Uint8Array {
  return new PacketWriter(packet.type, packet.message.length).raw(packet.message).done();
}
