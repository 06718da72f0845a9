// The types of control packets, and what the first byte of each looks like: section 2.1.

/** Table 2.1. 0 is reserved, and so is 15 before MQTT 5.0. */
export enum PacketType {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Subscribe = 8,
  Suback = 9,
  Unsubscribe = 10,
  Unsuback = 11,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
  Auth = 15,
}

export const PACKET_TYPES = 16;

// The first byte of a packet; the flags as a PUBLISH has them:
//     7   6   5   4     3     2   1     0
//   +---------------+-----+---------+--------+
//   |     type      | DUP |   QoS   | RETAIN |
//   +---------------+-----+---------+--------+
export const TYPE_SHIFT = 4;
export const FLAGS = 0x0f;
export const DUP = 0x08;
export const QOS_SHIFT = 1;
export const QOS = 0x03;
export const RETAIN = 0x01;

/** Table 2.2: what PUBREL, SUBSCRIBE and UNSUBSCRIBE have for flags. PUBLISH has its own, all others have 0. */
export const REQUEST_FLAGS = 0x02;

export function packetTypeOf(firstByte: number): number {
  return firstByte >> TYPE_SHIFT;
}
