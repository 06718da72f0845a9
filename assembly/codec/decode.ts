// One datagram in, one packet out.
import { ErrorCode } from '../protocol/error-code';
import { Flags, LENGTH_LONG_MARK, TopicType } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { Field, fieldOf, HEADER_BYTES, HEADER_LONG_BYTES, layoutOf, slotOf, widthOf } from './layout';
import { Packet } from './packet';

/** The types in which TopicIdType means something, a bit each; elsewhere it is ignored. */
const HAS_TOPIC_TYPE: u32 = (1 << PacketType.Publish) | (1 << PacketType.Subscribe) | (1 << PacketType.Unsubscribe);
/** The types with a QoS that cannot be -1: that is for PUBLISH alone (5.3.4). */
const HAS_QOS: u32 =
  (1 << PacketType.WillTopic) | (1 << PacketType.Subscribe) | (1 << PacketType.SubAck) | (1 << PacketType.WillTopicUpd);

/** Fills `packet` from `bytes` octets at `ptr`; its pointers lead into them. Returns 0 or an ErrorCode. */
export function decode(packet: Packet, ptr: usize, bytes: i32): i32 {
  memory.fill(changetype<usize>(packet), 0, offsetof<Packet>());
  if (bytes < HEADER_BYTES) return ErrorCode.Truncated;
  let header = HEADER_BYTES;
  let length: i32 = load<u8>(ptr);
  if (length === LENGTH_LONG_MARK) {
    header = HEADER_LONG_BYTES;
    if (bytes < header) return ErrorCode.Truncated;
    length = ((<i32>load<u8>(ptr, 1)) << 8) | load<u8>(ptr, 2);
  }
  packet.type = load<u8>(ptr + header - 1);
  packet.innerBytes = bytes - length;
  if (packet.type === PacketType.Forwarded) {
    // Length ends with the Wireless Node Id (5.5); the rest is the packet inside.
    packet.inner = ptr + length;
    if (packet.innerBytes <= 0 || length < header) return ErrorCode.LengthMismatch;
  } else if (packet.innerBytes) {
    return ErrorCode.LengthMismatch;
  }
  return decodeBody(packet, ptr + header, ptr + length);
}

function decodeBody(packet: Packet, at: usize, end: usize): i32 {
  for (let layout = layoutOf(packet.type); layout; layout >>= 4) {
    const field = fieldOf(packet, layout);
    const left = <i32>(end - at);
    if (left < widthOf(field, 0)) return ErrorCode.Truncated;
    if (field <= Field.MsgId) {
      let value: i32 = load<u8>(at++);
      if (field > Field.Code) value = (value << 8) | load<u8>(at++);
      store<i32>(slotOf(packet, field), value);
    } else if (field === Field.Optional) {
      if (!left) return ErrorCode.None;
      packet.present = 1;
    } else if (field === Field.Reserved) {
      return ErrorCode.UnknownType;
    } else {
      if (field === Field.NodeId && !left) return ErrorCode.Truncated;
      packet.data = at;
      packet.dataBytes = left;
      at = end;
    }
  }
  if (at !== end) return ErrorCode.Truncated;
  const type = 1 << packet.type;
  const flags = packet.flags;
  if (type & HAS_QOS && (flags & Flags.Qos) === Flags.Qos) return ErrorCode.BadField;
  const reserved = type & HAS_TOPIC_TYPE && (flags & Flags.TopicType) === TopicType.Reserved;
  return reserved ? ErrorCode.ReservedTopicType : ErrorCode.None;
}
