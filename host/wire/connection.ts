// CONNECT, CONNACK, PINGREQ, DISCONNECT (5.4.4, 5.4.5, 5.4.19-21), the packets that have no fields at all, and those that
// have a return code and nothing else.
import { Flags, PacketType } from '../../assembly/protocol/index.js';
import type { Decoded } from './fault.js';
import { BAD_NAME, TRAILING_OCTETS, TRUNCATED } from './fault.js';
import { PacketWriter, u16 } from './frame.js';
import type { Packet } from './packets.js';
import { decodeName, encodeName } from './text.js';

type Of<T extends PacketType> = Extract<Packet, { readonly type: T }>;

// ┌───────┬────────────┬──────────────┬──────────┐
// │ Flags │ ProtocolId │ Duration, 16 │ ClientId │
// └───────┴────────────┴──────────────┴──────────┘
const PROTOCOL_ID_AT = 1;
const DURATION_AT = 2;
const CONNECT_BYTES_MIN = 4;
const RETURN_CODE_BYTES = 1;
const DURATION_BYTES = 2;

/** A client id of no or too many characters is decoded: the gateway refuses it with a CONNACK. */
export function decodeConnect(bytes: Uint8Array, at: number): Decoded {
  if (bytes.length - at < CONNECT_BYTES_MIN) return TRUNCATED;
  const clientId = decodeName(bytes, at + CONNECT_BYTES_MIN, bytes.length);
  if (clientId === undefined) return BAD_NAME;
  const flags = bytes[at]!;
  return {
    type: PacketType.Connect,
    will: (flags & Flags.Will) !== 0,
    cleanSession: (flags & Flags.CleanSession) !== 0,
    protocolId: bytes[at + PROTOCOL_ID_AT]!,
    duration: u16(bytes, at + DURATION_AT),
    clientId,
  };
}

export function encodeConnect(packet: Of<PacketType.Connect>): Uint8Array {
  const clientId = encodeName(packet.type, 'clientId', packet.clientId);
  return new PacketWriter(packet.type, CONNECT_BYTES_MIN + clientId.length)
    .u8('flags', (packet.will ? Flags.Will : 0) | (packet.cleanSession ? Flags.CleanSession : 0))
    .u8('protocolId', packet.protocolId)
    .u16('duration', packet.duration)
    .raw(clientId)
    .done();
}

type ReturnCodeType = PacketType.ConnAck | PacketType.WillTopicResp | PacketType.WillMsgResp;

export function decodeReturnCode(type: ReturnCodeType, bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size !== RETURN_CODE_BYTES) return size < RETURN_CODE_BYTES ? TRUNCATED : TRAILING_OCTETS;
  return { type, returnCode: bytes[at]! } as Of<ReturnCodeType>;
}

export function encodeReturnCode(packet: Of<ReturnCodeType>): Uint8Array {
  return new PacketWriter(packet.type, RETURN_CODE_BYTES).u8('returnCode', packet.returnCode).done();
}

type BareType = PacketType.WillTopicReq | PacketType.WillMsgReq | PacketType.PingResp;

export function decodeBare(type: BareType, bytes: Uint8Array, at: number): Decoded {
  if (bytes.length !== at) return TRAILING_OCTETS;
  return { type } as Of<BareType>;
}

export function encodeBare(packet: Of<BareType>): Uint8Array {
  return new PacketWriter(packet.type, 0).done();
}

/** A client id says "I am asleep and ask for my messages" (6.14). */
export function decodePingReq(bytes: Uint8Array, at: number): Decoded {
  const clientId = decodeName(bytes, at, bytes.length);
  return clientId === undefined ? BAD_NAME : { type: PacketType.PingReq, clientId };
}

export function encodePingReq(packet: Of<PacketType.PingReq>): Uint8Array {
  const clientId = encodeName(packet.type, 'clientId', packet.clientId);
  return new PacketWriter(packet.type, clientId.length).raw(clientId).done();
}

export function decodeDisconnect(bytes: Uint8Array, at: number): Decoded {
  const size = bytes.length - at;
  if (size === 0) return { type: PacketType.Disconnect, duration: undefined };
  if (size !== DURATION_BYTES) return size < DURATION_BYTES ? TRUNCATED : TRAILING_OCTETS;
  return { type: PacketType.Disconnect, duration: u16(bytes, at) };
}

export function encodeDisconnect(packet: Of<PacketType.Disconnect>): Uint8Array {
  if (packet.duration === undefined) return new PacketWriter(packet.type, 0).done();
  return new PacketWriter(packet.type, DURATION_BYTES).u16('duration', packet.duration).done();
}
