// One datagram in, one packet out.
import { Cursor } from '../memory/cursor';
import { ErrorCode } from '../protocol/error-code';
import { Flags, LENGTH_LONG_MARK, TopicType } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { Field, fieldOf, layoutOf, slotOf } from './layout';
import { Packet } from './packet';

/** The types in which TopicIdType means something, a bit each; elsewhere it is ignored. */
const HAS_TOPIC_TYPE: u32 = (1 << PacketType.Publish) | (1 << PacketType.Subscribe) | (1 << PacketType.Unsubscribe);
/** The types with a QoS that cannot be -1: that is for PUBLISH alone (5.3.4). */
const HAS_QOS: u32 =
  (1 << PacketType.WillTopic) | (1 << PacketType.Subscribe) | (1 << PacketType.SubAck) | (1 << PacketType.WillTopicUpd);

/** Fills `packet` from `bytes` octets at `ptr`; its pointers lead into them. `c` is scratch. Returns 0 or an ErrorCode. */
export function decode(packet: Packet, c: Cursor, ptr: usize, bytes: i32): i32 {
  memory.fill(changetype<usize>(packet), 0, offsetof<Packet>());
  c.open(ptr, bytes);
  let length = c.u8();
  if (length === LENGTH_LONG_MARK) length = c.u16();
  packet.type = c.u8();
  if (c.failed) return ErrorCode.Truncated;
  if (packet.type === PacketType.Forwarded) {
    // Length ends with the Wireless Node Id (5.5); the rest is the packet inside.
    packet.inner = ptr + length;
    packet.innerBytes = bytes - length;
    if (packet.innerBytes <= 0 || c.at > packet.inner) return ErrorCode.LengthMismatch;
    c.end = packet.inner;
  } else if (length !== bytes) {
    return ErrorCode.LengthMismatch;
  }
  return decodeBody(packet, c);
}

function decodeBody(packet: Packet, c: Cursor): i32 {
  for (let layout = layoutOf(packet.type); layout; layout >>= 4) {
    const field = fieldOf(packet, layout);
    if (field <= Field.Code) store<i32>(slotOf(packet, field), c.u8());
    else if (field <= Field.MsgId) store<i32>(slotOf(packet, field), c.u16());
    else if (field === Field.Optional) {
      if (!c.left()) return ErrorCode.None;
      packet.present = 1;
    } else if (field === Field.Reserved) return ErrorCode.UnknownType;
    else {
      packet.dataBytes = c.left();
      if (field === Field.NodeId && !packet.dataBytes) return ErrorCode.Truncated;
      packet.data = c.take(packet.dataBytes);
    }
  }
  if (c.failed | c.left()) return ErrorCode.Truncated;
  if ((packet.flags & Flags.Qos) === Flags.Qos && (HAS_QOS >> packet.type) & 1) return ErrorCode.BadField;
  const reserved = (packet.flags & Flags.TopicType) === TopicType.Reserved && (HAS_TOPIC_TYPE >> packet.type) & 1;
  return reserved ? ErrorCode.ReservedTopicType : ErrorCode.None;
}
