// The shape of a packet, strictly: every field inside the packet, nothing behind the last, every string UTF-8. The
// parser of mqtt-packet is lenient here: it reads over ends, puts U+FFFD for bytes that are not UTF-8 and overlooks what
// is left. It does check the flags of the fixed header, so these are not looked at again.

/** The packet types that a client sends, from table 2.1. */
export enum PacketType {
  Connect = 1,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Subscribe = 8,
  Unsubscribe = 10,
  Pingreq = 12,
  Disconnect = 14,
}

const TYPE_SHIFT = 4;
const QOS_BITS = 0x06;
const PACKET_ID_BYTES = 2;
const LENGTH_PREFIX_BYTES = 2;
const BYTE_SHIFT = 8;
const ASCII_END = 0x80;
/** CONNECT: level, flags and keep alive stand between the protocol name and the payload. */
const CONNECT_FIXED_BYTES = 4;
const CONNECT_WILL = 0x04;
const CONNECT_PASSWORD = 0x40;
const CONNECT_USER_NAME = 0x80;

export type ShapeFault = 'too-short' | 'too-long' | 'utf-8';

/** Thrown and caught in this file only, so that the walk reads as the packet does. */
class Fault {
  constructor(readonly kind: ShapeFault) {}
}

export function packetTypeOf(firstByte: number): number {
  return firstByte >> TYPE_SHIFT;
}

/** What is wrong with the shape of a packet that `FrameSplitter` has cut; undefined when nothing is. */
export function shapeFaultOf(frame: Uint8Array, bodyAt: number): ShapeFault | undefined {
  try {
    const end = walk(frame, bodyAt);
    return end < frame.length ? 'too-long' : undefined;
  } catch (fault) {
    if (fault instanceof Fault) return fault.kind;
    throw fault;
  }
}

/** Protocol name and level of a CONNECT, of whatever version; undefined where it is too short for them. */
export function protocolIn(frame: Uint8Array, bodyAt: number): { name: string; level: number } | undefined {
  const nameAt = bodyAt + LENGTH_PREFIX_BYTES;
  if (frame.length < nameAt) return undefined;
  const levelAt = nameAt + lengthAt(frame, bodyAt);
  const level = frame[levelAt];
  if (level === undefined) return undefined;
  return { name: String.fromCharCode(...frame.subarray(nameAt, Math.min(levelAt, nameAt + NAME_BYTES_MAX))), level };
}

/** Longer than any protocol name that is known. */
const NAME_BYTES_MAX = 16;

function walk(frame: Uint8Array, at: number): number {
  switch (packetTypeOf(frame[0]!)) {
    case PacketType.Connect:
      return walkConnect(frame, at);
    case PacketType.Publish: {
      const topicEnd = text(frame, at);
      if ((frame[0]! & QOS_BITS) !== 0) skip(frame, topicEnd, PACKET_ID_BYTES);
      return frame.length; // the payload is all the rest
    }
    case PacketType.Puback:
    case PacketType.Pubrec:
    case PacketType.Pubrel:
    case PacketType.Pubcomp:
      return skip(frame, at, PACKET_ID_BYTES);
    case PacketType.Subscribe: {
      let next = skip(frame, at, PACKET_ID_BYTES);
      while (next < frame.length) next = skip(frame, text(frame, next), 1);
      return next;
    }
    case PacketType.Unsubscribe: {
      let next = skip(frame, at, PACKET_ID_BYTES);
      while (next < frame.length) next = text(frame, next);
      return next;
    }
    case PacketType.Pingreq:
    case PacketType.Disconnect:
      return at;
    default:
      return frame.length; // from a client, wrong whatever its shape
  }
}

function walkConnect(frame: Uint8Array, at: number): number {
  const nameEnd = text(frame, at);
  const flags = frame[nameEnd + 1] ?? 0;
  let next = text(frame, skip(frame, nameEnd, CONNECT_FIXED_BYTES));
  if ((flags & CONNECT_WILL) !== 0) next = binary(frame, text(frame, next));
  if ((flags & CONNECT_USER_NAME) !== 0) next = text(frame, next);
  if ((flags & CONNECT_PASSWORD) !== 0) next = binary(frame, next);
  return next;
}

function lengthAt(frame: Uint8Array, at: number): number {
  return (frame[at]! << BYTE_SHIFT) | frame[at + 1]!;
}

function skip(frame: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > frame.length) throw new Fault('too-short');
  return at + bytes;
}

function binary(frame: Uint8Array, at: number): number {
  const start = skip(frame, at, LENGTH_PREFIX_BYTES);
  return skip(frame, start, lengthAt(frame, at));
}

function text(frame: Uint8Array, at: number): number {
  const end = binary(frame, at);
  if (!isMqttText(frame, at + LENGTH_PREFIX_BYTES, end)) throw new Fault('utf-8');
  return end;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 without surrogates [MQTT-1.5.3-1] and without U+0000 [MQTT-1.5.3-2]. */
function isMqttText(bytes: Uint8Array, start: number, end: number): boolean {
  let isAscii = true;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === 0) return false;
    if (byte >= ASCII_END) isAscii = false;
  }
  if (isAscii) return true;
  try {
    utf8.decode(bytes.subarray(start, end));
    return true;
  } catch {
    return false; // TextDecoder says so by throwing
  }
}
