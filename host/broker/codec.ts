// Bytes to packets and back, one whole packet at a time: the frequent ones by hot-packets.ts, all others by mqtt-packet,
// whose packets library-packets.ts puts into the core's form. These three files are the only ones of the broker that know
// Buffer.
import { generate, type Packet as LibraryPacket, parser as newParser, type Parser } from 'mqtt-packet';
import type { Millis } from '../ports.js';
import {
  asBuffer,
  decodeHot,
  encodeAck,
  encodePublish,
  encodePublish5,
  isSame5ForAll,
  type OutgoingAlias,
} from './hot-packets.js';
import { fromLibrary, toLibrary } from './library-packets.js';
import { DUP, TYPE_SHIFT } from './packet-types.js';
import { LEVEL_MQTT_3_1, LEVEL_MQTT_3_1_1, LEVEL_MQTT_5, type Level, type Packet } from './packets.js';
import { ReasonCode } from './reason-codes.js';
import { knownTopicIn } from './topic-memo.js';
import { type Fault, PacketType, packetTypeOf, protocolIn, shapeFaultOf } from './wellformed.js';

export { type OutgoingAlias, publishBytes } from './hot-packets.js';
export type { Fault } from './wellformed.js';

/** A packet, or why the bytes are none. */
export type Decoded = { readonly packet: Packet } | { readonly fault: Fault };

const PROTOCOL_NAMES = ['MQTT', 'MQIsdp'];

const NO_CONNECT: Decoded = { fault: { reason: ReasonCode.ProtocolError, why: 'MQTT-3.1.0-1' } };
const NO_PROTOCOL: Decoded = { fault: { reason: ReasonCode.UnsupportedProtocolVersion, why: 'MQTT-3.1.2-1' } };
const CUT_CONNECT: Decoded = { fault: { reason: ReasonCode.MalformedPacket, why: 'too-short' } };
/** mqtt-packet has a complaint that the check of the shape does not have: there is none that is known. */
const UNREADABLE: Decoded = { fault: { reason: ReasonCode.MalformedPacket, why: 'unreadable' } };

const PING: Decoded = { packet: { cmd: 'pingreq' } };
const PING_ANSWER = Uint8Array.of(PacketType.Pingresp << TYPE_SHIFT, 0);

const SHORT_AUTH: Decoded = { packet: { cmd: 'auth', reasonCode: ReasonCode.Success } };

/**
 * One packet from one frame of `FrameSplitter`, sent by a client that speaks `level`; undefined while that is not known,
 * and nothing but a CONNECT is expected. The CONNECT of a level that is not spoken is a packet without anything but its
 * protocol, so that it can be refused in words. Never throws; keeps nothing of `frame`.
 */
export function decode(frame: Uint8Array, bodyAt: number, level: Level | undefined, now: Millis): Decoded {
  if (packetTypeOf(frame[0]!) === PacketType.Connect) return decodeConnect(frame, bodyAt);
  if (level === undefined) return NO_CONNECT;
  const topic = packetTypeOf(frame[0]!) === PacketType.Publish ? knownTopicIn(frame, bodyAt) : undefined;
  const fault = shapeFaultOf(frame, bodyAt, level, topic !== undefined);
  if (fault !== undefined) return { fault };
  if (packetTypeOf(frame[0]!) === PacketType.Pingreq) return PING; // as small as it is, thousands come in one chunk
  const packet = decodeHot(frame, bodyAt, level, now, topic);
  if (packet !== undefined) return { packet };
  return isShortAuth(frame, bodyAt) ? SHORT_AUTH : parse(asBuffer(frame), bodyAt, level);
}

/** 3.15.2.1: Success without properties may be left out, which mqtt-packet does not know. */
function isShortAuth(frame: Uint8Array, bodyAt: number): boolean {
  return frame.length === bodyAt && packetTypeOf(frame[0]!) === PacketType.Auth;
}

function decodeConnect(frame: Uint8Array, bodyAt: number): Decoded {
  const protocol = protocolIn(frame, bodyAt);
  if (protocol === undefined) return CUT_CONNECT;
  const { name, level } = protocol;
  if (!isLevel(level)) return { packet: { cmd: 'connect', clientId: '', protocolId: name, protocolVersion: level } };
  if (!PROTOCOL_NAMES.includes(name)) return NO_PROTOCOL;
  const fault = shapeFaultOf(frame, bodyAt, level);
  // A parser keeps the last CONNECT for its level, and the password with it: so it gets a parser to itself.
  return fault === undefined ? parse(asBuffer(frame), bodyAt, undefined) : { fault };
}

function isLevel(level: number): level is Level {
  return level === LEVEL_MQTT_3_1 || level === LEVEL_MQTT_3_1_1 || level === LEVEL_MQTT_5;
}

/** One parser for everybody of a level: it is given whole packets only, so nothing stays in it between two calls. */
const parsers = new Map<Level, Parser>();
let parsed: LibraryPacket | undefined;

function parserOf(level: Level | undefined): Parser {
  const known = level === undefined ? undefined : parsers.get(level);
  if (known !== undefined) return known;
  const parser = newParser({ protocolVersion: level });
  parser.on('packet', (packet) => {
    parsed = packet;
  });
  parser.on('error', () => {
    parsed = undefined;
  });
  if (level !== undefined) parsers.set(level, parser);
  return parser;
}

function parse(frame: Buffer, bodyAt: number, level: Level | undefined): Decoded {
  parsed = undefined;
  let isWhole = false;
  try {
    isWhole = parserOf(level).parse(withoutDup(frame)) === 0;
  } catch {
    // mqtt-packet may stumble over what it was not made for
  }
  const packet = isWhole && parsed !== undefined ? fromLibrary(parsed, frame, bodyAt) : undefined;
  parsed = undefined;
  if (packet !== undefined) return { packet };
  if (level !== undefined) parsers.delete(level); // what is left in it would be read with the next packet
  return UNREADABLE;
}

/** MQTT 3.1 allows DUP on SUBSCRIBE and UNSUBSCRIBE, mqtt-packet does not. Other packets that get here have no flags. */
function withoutDup(frame: Buffer): Buffer {
  if ((frame[0]! & DUP) === 0) return frame;
  const plain = Buffer.from(frame);
  plain[0]! &= ~DUP;
  return plain;
}

/**
 * The bytes of a packet to a client that speaks `level`. `alias` is for a PUBLISH of MQTT 5.0. A PUBLISH of QoS 0 keeps
 * them where every receiver gets the same, since it may go to many. Asserts that the packet exists in the level, and is
 * not one that only clients send.
 */
export function encode(packet: Packet, level: Level, now: Millis, alias?: OutgoingAlias): Uint8Array {
  switch (packet.cmd) {
    case 'publish':
      if (level === LEVEL_MQTT_5) {
        if (packet.qos > 0 || alias !== undefined || !isSame5ForAll(packet)) return encodePublish5(packet, now, alias);
        packet.encoded5 ??= encodePublish5(packet, now, undefined);
        return packet.encoded5;
      }
      if (packet.qos > 0) return encodePublish(packet);
      packet.encoded ??= encodePublish(packet);
      return packet.encoded;
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return encodeAck(packet, level);
    case 'pingresp':
      return PING_ANSWER;
    default:
      return generate(toLibrary(packet, level), { protocolVersion: level });
  }
}
