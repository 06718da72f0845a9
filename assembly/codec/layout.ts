// The body of every MQTT-SN 1.2 packet as a row of four field codes (5.4). One loop encodes and one decodes them all:
// on a microcontroller a table of 60 octets is cheaper than thirty functions.
import { Flags, TopicType } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { Packet } from './packet';

/**
 * A field of a packet's body. Four bits each, first field lowest. Codes 1 to 5 are also the field's place among the
 * 32-bit words of a Packet, so that one line reads or writes any of them.
 */
export const enum Field {
  End = 0,
  /** Flags, 1 octet. */
  Flags = 1,
  /** ReturnCode, GwId, Radius, ProtocolId or Ctrl, 1 octet: no packet has two of them. */
  Code = 2,
  /** Duration, 2 octets. */
  Duration = 3,
  /** TopicId, 2 octets. */
  TopicId = 4,
  /** MsgId, 2 octets. */
  MsgId = 5,
  /** All that is left; may be empty, also where it is a name: who reads it says what an empty name means. */
  Data = 6,
  /** All that is left, at least one octet. */
  NodeId = 7,
  /** TopicId where Flags say predefined or short, else a name (5.4.15, 5.4.17). */
  Filter = 8,
  /** The body may end here, but only if nothing came before. */
  Optional = 9,
  /** A MsgType that does not exist. */
  Reserved = 15,
}

/** Octets of Length and MsgType, where Length has one octet and where it has three (5.2). */
export const HEADER_BYTES: i32 = 2;
export const HEADER_LONG_BYTES: i32 = 4;

/** Row of MsgType t: u16 at 2t. In a function, so that it lies behind the state: short addresses are for what is used most. */
function layouts(): usize {
  return memory.data<u16>([
    <u16>(Field.Code | (Field.Duration << 4)), // 00 ADVERTISE: GwId, Duration
    <u16>Field.Code, // 01 SEARCHGW: Radius
    <u16>(Field.Code | (Field.Data << 4)), // 02 GWINFO: GwId, GwAdd
    <u16>Field.Reserved,
    <u16>(Field.Flags | (Field.Code << 4) | (Field.Duration << 8) | (Field.Data << 12)), // 04 CONNECT: .., ProtocolId, .., ClientId
    <u16>Field.Code, // 05 CONNACK: ReturnCode
    <u16>Field.End, // 06 WILLTOPICREQ
    <u16>(Field.Optional | (Field.Flags << 4) | (Field.Data << 8)), // 07 WILLTOPIC
    <u16>Field.End, // 08 WILLMSGREQ
    <u16>Field.Data, // 09 WILLMSG
    <u16>(Field.TopicId | (Field.MsgId << 4) | (Field.Data << 8)), // 0a REGISTER
    <u16>(Field.TopicId | (Field.MsgId << 4) | (Field.Code << 8)), // 0b REGACK
    <u16>(Field.Flags | (Field.TopicId << 4) | (Field.MsgId << 8) | (Field.Data << 12)), // 0c PUBLISH
    <u16>(Field.TopicId | (Field.MsgId << 4) | (Field.Code << 8)), // 0d PUBACK
    <u16>Field.MsgId, // 0e PUBCOMP
    <u16>Field.MsgId, // 0f PUBREC
    <u16>Field.MsgId, // 10 PUBREL
    <u16>Field.Reserved,
    <u16>(Field.Flags | (Field.MsgId << 4) | (Field.Filter << 8)), // 12 SUBSCRIBE
    <u16>(Field.Flags | (Field.TopicId << 4) | (Field.MsgId << 8) | (Field.Code << 12)), // 13 SUBACK
    <u16>(Field.Flags | (Field.MsgId << 4) | (Field.Filter << 8)), // 14 UNSUBSCRIBE
    <u16>Field.MsgId, // 15 UNSUBACK
    <u16>Field.Data, // 16 PINGREQ: ClientId
    <u16>Field.End, // 17 PINGRESP
    <u16>(Field.Optional | (Field.Duration << 4)), // 18 DISCONNECT
    <u16>Field.Reserved,
    <u16>(Field.Optional | (Field.Flags << 4) | (Field.Data << 8)), // 1a WILLTOPICUPD
    <u16>Field.Code, // 1b WILLTOPICRESP
    <u16>Field.Data, // 1c WILLMSGUPD
    <u16>Field.Code, // 1d WILLMSGRESP
  ]);
}

/** Forwarder encapsulation (5.5): Ctrl, Wireless Node Id. The packet inside follows after its Length. */
const FORWARDED: u32 = Field.Code | (Field.NodeId << 4);

/** The field codes of a MsgType, `Field.Reserved` for one that does not exist. */
export function layoutOf(type: i32): u32 {
  if (<u32>type <= <u32>PacketType.WillMsgResp) return load<u16>(layouts() + (type << 1));
  return type === PacketType.Forwarded ? FORWARDED : Field.Reserved;
}

/** The first field code of `layout`, with `Field.Filter` decided by the Flags read or given before. */
export function fieldOf(packet: Packet, layout: u32): i32 {
  const field: i32 = layout & 15;
  if (field !== Field.Filter) return field;
  return (packet.flags & Flags.TopicType) === TopicType.Normal ? Field.Data : Field.TopicId;
}

/** Octets of a field that is a number; `variable` for any other. */
export function widthOf(field: i32, variable: i32): i32 {
  if (field > Field.MsgId) return variable;
  return field > Field.Code ? 2 : 1;
}

/** Where the packet keeps a field of one or two octets. */
export function slotOf(packet: Packet, field: i32): usize {
  return changetype<usize>(packet) + (field << 2);
}
