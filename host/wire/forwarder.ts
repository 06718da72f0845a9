// Forwarder encapsulation (5.5): a packet inside an envelope that names the wireless node it came from or goes to.
//
//  counted by Length                            the packet inside, with a Length of its own
// ┌────────┬──────┬──────┬──────────────────┐ ┌────────────────────────────┐
// │ Length │ 0xFE │ Ctrl │ Wireless Node Id │ │ Length, MsgType, fields    │
// └────────┴──────┴──────┴──────────────────┘ └────────────────────────────┘
import { PacketType } from '../../assembly/protocol/index.js';
import type { Decoded } from './fault.js';
import { TRUNCATED, WireEncodeError } from './fault.js';
import { PacketWriter } from './frame.js';
import type { Packet } from './packets.js';

type Forwarded = Extract<Packet, { readonly type: PacketType.Forwarded }>;

const CTRL_BYTES = 1;

/** Unlike the others it is told where its own Length ends. An envelope without a node id or without a packet is cut off. */
export function decodeForwarded(bytes: Uint8Array, at: number, end: number): Decoded {
  if (end - at <= CTRL_BYTES || bytes.length === end) return TRUNCATED;
  return {
    type: PacketType.Forwarded,
    ctrl: bytes[at]!,
    wirelessNodeId: bytes.subarray(at + CTRL_BYTES, end),
    inner: bytes.subarray(end),
  };
}

export function encodeForwarded(packet: Forwarded): Uint8Array {
  const { type, wirelessNodeId, inner } = packet;
  if (wirelessNodeId.length === 0) throw new WireEncodeError(type, 'wirelessNodeId', 'is empty');
  if (inner.length === 0) throw new WireEncodeError(type, 'inner', 'is empty');
  return new PacketWriter(type, CTRL_BYTES + wirelessNodeId.length, inner.length)
    .u8('ctrl', packet.ctrl)
    .raw(wirelessNodeId)
    .raw(inner)
    .done();
}
