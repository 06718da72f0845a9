// A client behind another radio (5.5): a forwarder carries its packets to the gateway in an envelope with its Wireless
// Node Id, and brings back what the gateway puts into the same.

import { ENVELOPE_BYTES, NODE_ID_BYTES_MAX, TX_BYTES } from '../memory/limits';
import { isSame, keep } from '../memory/octets';
import { ErrorCode } from '../protocol/error-code';
import { SHORT_PACKET_BYTES_MAX } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { client, NODE_ID_AT, packet, TX_AT } from './state';

/** Radius has two bits in Ctrl. */
const CTRL_RADIUS_MAX: i32 = 3;
/** Length, MsgType, Flags, TopicId, MsgId: what a PUBLISH has before its data; two more where Length takes three octets. */
const PUBLISH_BYTES: i32 = 7;

/**
 * From now on the client is the wireless node of this id, 1 to NODE_ID_BYTES_MAX octets; without octets it speaks for itself
 * again. Before `connect`, and with nothing queued, since an envelope takes room.
 */
export function forwarded(id: usize, bytes: i32): i32 {
  if (bytes < 0) return ErrorCode.BadArgument;
  if (bytes > NODE_ID_BYTES_MAX) return ErrorCode.TooLong;
  if (client.link || client.outboundBytes) return ErrorCode.WrongState;
  keep(NODE_ID_AT, id, bytes);
  return ErrorCode.None;
}

/** Octets of the envelope, 0 without one. */
export function envelopeBytes(): i32 {
  if (NODE_ID_BYTES_MAX === 0) return 0;
  const idBytes: i32 = load<u8>(NODE_ID_AT);
  return idBytes ? ENVELOPE_BYTES + idBytes : 0;
}

/** True where a PUBLISH with so many octets of data goes into one datagram. */
export function isPublishable(bytes: i32): bool {
  if (bytes > TX_BYTES) return false; // and what follows does not overflow
  bytes += PUBLISH_BYTES;
  return (bytes > SHORT_PACKET_BYTES_MAX ? bytes + 2 : bytes) + envelopeBytes() <= TX_BYTES;
}

/** Writes the envelope of `bytes` octets at the beginning of the send buffer. */
export function wrap(type: PacketType, bytes: i32): void {
  store<u8>(TX_AT, bytes);
  store<u8>(TX_AT, PacketType.Forwarded, 1);
  store<u8>(TX_AT, type === PacketType.SearchGw ? min(<i32>client.radius, CTRL_RADIUS_MAX) : 0, 2);
  memory.copy(TX_AT + ENVELOPE_BYTES, NODE_ID_AT + 1, bytes - ENVELOPE_BYTES);
}

/** True where the envelope received is for this node. */
export function isForUs(): bool {
  const bytes = packet.dataBytes;
  return bytes === <i32>load<u8>(NODE_ID_AT) && isSame(packet.data, NODE_ID_AT + 1, bytes);
}
