// ADVERTISE, SEARCHGW and GWINFO (5.4.1-3).
import { PacketType } from '../../assembly/protocol/index.js';
import type { Decoded } from './fault.js';
import { TRAILING_OCTETS, TRUNCATED } from './fault.js';
import { PacketWriter, u16 } from './frame.js';
import type { Packet } from './packets.js';

type Of<T extends PacketType> = Extract<Packet, { readonly type: T }>;

// ┌──────┬──────────────┐
// │ GwId │ Duration, 16 │
// └──────┴──────────────┘
const ADVERTISE_BYTES = 3;
const SEARCHGW_BYTES = 1;
const GW_ID_BYTES = 1;

export function decodeAdvertise(bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size !== ADVERTISE_BYTES) return size < ADVERTISE_BYTES ? TRUNCATED : TRAILING_OCTETS;
  return { type: PacketType.Advertise, gwId: bytes[at]!, duration: u16(bytes, at + GW_ID_BYTES) };
}

export function encodeAdvertise(packet: Of<PacketType.Advertise>): Uint8Array {
  return new PacketWriter(packet.type, ADVERTISE_BYTES).u8('gwId', packet.gwId).u16('duration', packet.duration).done();
}

export function decodeSearchGw(bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size !== SEARCHGW_BYTES) return size < SEARCHGW_BYTES ? TRUNCATED : TRAILING_OCTETS;
  return { type: PacketType.SearchGw, radius: bytes[at]! };
}

export function encodeSearchGw(packet: Of<PacketType.SearchGw>): Uint8Array {
  return new PacketWriter(packet.type, SEARCHGW_BYTES).u8('radius', packet.radius).done();
}

/** GwAdd is there only when a client answers for a gateway (5.4.3). */
export function decodeGwInfo(bytes: Uint8Array, at: number): Decoded {
  if (bytes.length - at < GW_ID_BYTES) return TRUNCATED;
  return { type: PacketType.GwInfo, gwId: bytes[at]!, gwAdd: bytes.subarray(at + GW_ID_BYTES) };
}

export function encodeGwInfo(packet: Of<PacketType.GwInfo>): Uint8Array {
  return new PacketWriter(packet.type, GW_ID_BYTES + packet.gwAdd.length)
    .u8('gwId', packet.gwId)
    .raw(packet.gwAdd)
    .done();
}
