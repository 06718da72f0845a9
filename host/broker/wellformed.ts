// The shape of a packet from a client, strictly: every field inside the packet, nothing behind the last, every string
// UTF-8, every property in its place. The parser of mqtt-packet is lenient here: it reads over ends, puts U+FFFD for bytes
// that are not UTF-8 and overlooks what is left. What may be taken from a packet is checked here, once, for all readers.
import { isUtf8 } from '../core/utf8.js';
import { CLIENT_REASONS, type ClientReasons } from './client-reasons.js';
import { DUP, FLAGS, PacketType, packetTypeOf, QOS, QOS_SHIFT, REQUEST_FLAGS } from './packet-types.js';
import { LEVEL_MQTT_3_1, LEVEL_MQTT_5, type Level } from './packets.js';
import { PROPERTY_BY_ID, Property, type PropertyRule, PropertyType, Values, WILL } from './property-table.js';
import { ReasonCode } from './reason-codes.js';
import {
  U16_BYTES,
  U32_BYTES,
  u16At,
  u32At,
  VARINT_BYTES_MAX,
  VARINT_MORE,
  varintAt,
  varintBytes,
} from './wire-bytes.js';

export { PacketType, packetTypeOf } from './packet-types.js';

/** Why bytes are no packet: a clause such as `MQTT-3.1.2-3`, or a kebab-case word where the standard numbers none. */
export interface Fault {
  readonly reason: ReasonCode;
  readonly why: string;
}

/** CONNECT: level, flags and keep alive stand between the protocol name and the rest. */
const CONNECT_FIXED_BYTES = 4;
const CONNECT_RESERVED = 0x01;
const CONNECT_WILL = 0x04;
const CONNECT_WILL_DETAILS = 0x38;
const CONNECT_PASSWORD = 0x40;
const CONNECT_USER_NAME = 0x80;

// Subscription options (3.8.3.1):
//     7   6     5   4     3     2     1   0
//   +-------+---------+-----+------+---------+
//   | zero  | retain  | RAP |  no  |   QoS   |
//   |       | handling|     | local|         |
//   +-------+---------+-----+------+---------+
const OPTIONS_RESERVED = 0xc0;
/** Before MQTT 5.0 there was the QoS only. */
const OPTIONS_RESERVED_3 = 0xfc;
const RETAIN_HANDLING = 0x30;

const ASCII_END = 0x80;

/** Thrown and caught in this file only, so that the walk reads as the packet does. */
class Broken {
  constructor(readonly fault: Fault) {}
}

const malformed = (why: string): Broken => new Broken({ reason: ReasonCode.MalformedPacket, why });
const protocolError = (why: string): Broken => new Broken({ reason: ReasonCode.ProtocolError, why });

const TOO_SHORT = malformed('too-short');
const TOO_LONG = malformed('too-long');
const NO_UTF8 = malformed('utf-8');
const NO_VARINT = malformed('variable-byte-integer');
const LONG_VARINT = malformed('MQTT-1.5.5-1');
const WRONG_TYPE = malformed('packet-type');
const SERVERS_ONLY = protocolError('packet-type');
const WRONG_FLAGS = malformed('header-flags');
const QOS_3 = malformed('MQTT-3.3.1-4');
const WRONG_PROPERTY = malformed('property-identifier');
const LONG_PROPERTY = malformed('property-length');
const TWICE = protocolError('property-twice');
const NO_FLAG = protocolError('property-value');
const ZERO = protocolError('property-value');
const ZERO_ALIAS = new Broken({ reason: ReasonCode.TopicAliasInvalid, why: 'MQTT-3.3.2-8' });
const DATA_WITHOUT_METHOD = protocolError('authentication-method');
const RESERVED_FLAG = malformed('MQTT-3.1.2-3');
const WILL_WITHOUT_FLAG = malformed('will-flags');
const WRONG_OPTIONS = malformed('subscription-options');
const WRONG_OPTION_VALUE = protocolError('subscription-options');

/**
 * What is wrong with the shape of a packet that `FrameSplitter` has cut; undefined when nothing is. `isTopicKnown`: that of
 * a PUBLISH needs no look.
 */
export function shapeFaultOf(frame: Uint8Array, bodyAt: number, level: Level, isTopicKnown = false): Fault | undefined {
  try {
    // The header's length was read by the splitter, which knows no level.
    if (level === LEVEL_MQTT_5 && bodyAt > U16_BYTES && frame[bodyAt - 1] === 0) throw LONG_VARINT;
    const type = packetTypeOf(frame[0]!);
    checkFlags(type, frame[0]! & FLAGS, level);
    if (type === PacketType.Publish) walkPublish(frame, bodyAt, level, isTopicKnown);
    else if (walk(type, frame, bodyAt, level) < frame.length) throw TOO_LONG;
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error.fault;
    throw error;
  }
}

/** Protocol name and level of a CONNECT, of whatever version; undefined where it is too short for them. */
export function protocolIn(frame: Uint8Array, bodyAt: number): { name: string; level: number } | undefined {
  const nameAt = bodyAt + U16_BYTES;
  if (frame.length < nameAt) return undefined;
  const levelAt = nameAt + u16At(frame, bodyAt);
  const level = frame[levelAt];
  if (level === undefined) return undefined;
  return { name: String.fromCharCode(...frame.subarray(nameAt, Math.min(levelAt, nameAt + NAME_BYTES_MAX))), level };
}

/** Longer than any protocol name that is known. */
const NAME_BYTES_MAX = 16;

/** Where the will's properties stand in a CONNECT of MQTT 5.0 that has a will and is well-formed. */
export function willPropertiesIn(frame: Uint8Array, bodyAt: number): { start: number; end: number } {
  const propertiesAt = bodyAt + U16_BYTES + u16At(frame, bodyAt) + CONNECT_FIXED_BYTES;
  const clientIdAt = rangeOf(frame, propertiesAt).end;
  return rangeOf(frame, clientIdAt + U16_BYTES + u16At(frame, clientIdAt));
}

function rangeOf(frame: Uint8Array, at: number): { start: number; end: number } {
  const bytes = varintAt(frame, at);
  const start = at + varintBytes(bytes);
  return { start, end: start + bytes };
}

function checkFlags(type: number, flags: number, level: Level): void {
  switch (type) {
    case PacketType.Publish:
      if (((flags >> QOS_SHIFT) & QOS) === QOS) throw QOS_3;
      return;
    case PacketType.Pubrel:
    case PacketType.Subscribe:
    case PacketType.Unsubscribe:
      // In MQTT 3.1 these are sent again with DUP (MQTT 3.1, section 2.1).
      if (flags === REQUEST_FLAGS || (level === LEVEL_MQTT_3_1 && flags === (REQUEST_FLAGS | DUP))) return;
      throw WRONG_FLAGS;
    default:
      if (flags !== 0) throw WRONG_FLAGS;
  }
}

/** Returns where the packet ends; throws `Broken`. */
function walk(type: number, frame: Uint8Array, at: number, level: Level): number {
  switch (type) {
    case PacketType.Puback:
      return walkAck(frame, at, level, PacketType.Puback, CLIENT_REASONS.puback);
    case PacketType.Pubrec:
      return walkAck(frame, at, level, PacketType.Pubrec, CLIENT_REASONS.pubrec);
    case PacketType.Pubrel:
      return walkAck(frame, at, level, PacketType.Pubrel, CLIENT_REASONS.pubrel);
    case PacketType.Pubcomp:
      return walkAck(frame, at, level, PacketType.Pubcomp, CLIENT_REASONS.pubcomp);
    case PacketType.Connect:
      return walkConnect(frame, at, level);
    case PacketType.Subscribe:
      return walkSubscribe(frame, at, level);
    case PacketType.Unsubscribe: {
      let next = skip(frame, at, U16_BYTES);
      if (level === LEVEL_MQTT_5) next = properties(frame, next, type);
      while (next < frame.length) next = text(frame, next);
      return next;
    }
    case PacketType.Pingreq:
      return at;
    case PacketType.Disconnect:
      return level === LEVEL_MQTT_5 ? walkDisconnect(frame, at) : at;
    case PacketType.Auth:
      if (level === LEVEL_MQTT_5) return walkAuth(frame, at);
      throw WRONG_TYPE;
    case PacketType.Connack:
    case PacketType.Suback:
    case PacketType.Unsuback:
    case PacketType.Pingresp:
      throw SERVERS_ONLY;
    default:
      throw WRONG_TYPE;
  }
}

/** The payload is all the rest. */
function walkPublish(frame: Uint8Array, at: number, level: Level, isTopicKnown: boolean): void {
  let next = isTopicKnown ? binary(frame, at) : text(frame, at);
  if (((frame[0]! >> QOS_SHIFT) & QOS) !== 0) next = skip(frame, next, U16_BYTES);
  if (level === LEVEL_MQTT_5) properties(frame, next, PacketType.Publish);
}

/** MQTT 5.0: reason code and properties, or the reason code alone, may be left out (3.4.2.1, 3.4.2.2.1). */
function walkAck(frame: Uint8Array, at: number, level: Level, type: PacketType, reasons: ClientReasons): number {
  const next = skip(frame, at, U16_BYTES);
  if (level !== LEVEL_MQTT_5 || next === frame.length) return next;
  return walkReason(frame, next, type, reasons);
}

/** As an acknowledgement (3.14.2.1, 3.14.2.2.1). */
function walkDisconnect(frame: Uint8Array, at: number): number {
  return at === frame.length ? at : walkReason(frame, at, PacketType.Disconnect, CLIENT_REASONS.disconnect);
}

/** Both may be left out, or neither (3.15.2.1). */
function walkAuth(frame: Uint8Array, at: number): number {
  if (at === frame.length) return at;
  checkReason(frame[at]!, CLIENT_REASONS.auth);
  return properties(frame, at + 1, PacketType.Auth);
}

function walkReason(frame: Uint8Array, at: number, type: PacketType, reasons: ClientReasons): number {
  checkReason(frame[at]!, reasons);
  return at + 1 === frame.length ? at + 1 : properties(frame, at + 1, type);
}

function checkReason(code: number, { codes, clause }: ClientReasons): void {
  if (!codes.has(code)) throw protocolError(clause);
}

function walkConnect(frame: Uint8Array, at: number, level: Level): number {
  const nameEnd = text(frame, at);
  let next = skip(frame, nameEnd, CONNECT_FIXED_BYTES);
  const flags = frame[nameEnd + 1]!;
  if ((flags & CONNECT_RESERVED) !== 0) throw RESERVED_FLAG;
  if ((flags & CONNECT_WILL) === 0 && (flags & CONNECT_WILL_DETAILS) !== 0) throw WILL_WITHOUT_FLAG;
  if (level === LEVEL_MQTT_5) next = properties(frame, next, PacketType.Connect);
  next = text(frame, next);
  if ((flags & CONNECT_WILL) !== 0) {
    if (level === LEVEL_MQTT_5) next = properties(frame, next, WILL);
    next = binary(frame, text(frame, next));
  }
  if ((flags & CONNECT_USER_NAME) !== 0) next = text(frame, next);
  if ((flags & CONNECT_PASSWORD) !== 0) next = binary(frame, next);
  return next;
}

function walkSubscribe(frame: Uint8Array, at: number, level: Level): number {
  let next = skip(frame, at, U16_BYTES);
  if (level === LEVEL_MQTT_5) next = properties(frame, next, PacketType.Subscribe);
  while (next < frame.length) {
    const optionsAt = text(frame, next);
    next = skip(frame, optionsAt, 1);
    checkOptions(frame[optionsAt]!, level);
  }
  return next;
}

function checkOptions(options: number, level: Level): void {
  if (level !== LEVEL_MQTT_5) {
    // [MQTT-3-8.3-4], as the standard writes it
    if ((options & OPTIONS_RESERVED_3) !== 0 || (options & QOS) === QOS) throw WRONG_OPTIONS;
    return;
  }
  if ((options & OPTIONS_RESERVED) !== 0) throw WRONG_OPTIONS; // [MQTT-3.8.3-5]
  if ((options & QOS) === QOS || (options & RETAIN_HANDLING) === RETAIN_HANDLING) throw WRONG_OPTION_VALUE;
}

/** Length and properties (2.2.2) of a packet of the type, or of a will; what follows them. */
function properties(frame: Uint8Array, at: number, place: PacketType | typeof WILL): number {
  const bytes = varint(frame, at);
  const start = at + varintBytes(bytes);
  const end = skip(frame, start, bytes);
  const placeBit = 1 << place;
  let seen = 0;
  let next = start;
  while (next < end) {
    const rule = PROPERTY_BY_ID[frame[next]!];
    if (rule === undefined || (rule.packets & placeBit) === 0) throw WRONG_PROPERTY;
    if ((seen & rule.bit) !== 0 && (rule.repeatable & placeBit) === 0) throw TWICE;
    seen |= rule.bit;
    next = propertyValue(frame, next + 1, rule);
  }
  if (next > end) throw LONG_PROPERTY;
  if ((seen & (METHOD_BIT | DATA_BIT)) === DATA_BIT) throw DATA_WITHOUT_METHOD; // 3.1.2.11.10
  return end;
}

const METHOD_BIT = PROPERTY_BY_ID[Property.AuthenticationMethod]!.bit;
const DATA_BIT = PROPERTY_BY_ID[Property.AuthenticationData]!.bit;

function propertyValue(frame: Uint8Array, at: number, rule: PropertyRule): number {
  switch (rule.type) {
    case PropertyType.Text:
      return text(frame, at);
    case PropertyType.TextPair:
      return text(frame, text(frame, at));
    case PropertyType.Binary:
      return binary(frame, at);
    case PropertyType.Byte: {
      const next = skip(frame, at, 1);
      if (rule.values === Values.Flag && frame[at]! > 1) throw NO_FLAG;
      return next;
    }
    case PropertyType.U16: {
      const next = skip(frame, at, U16_BYTES);
      if (rule.values === Values.NonZero && u16At(frame, at) === 0) throw zeroOf(rule);
      return next;
    }
    case PropertyType.U32: {
      const next = skip(frame, at, U32_BYTES);
      if (rule.values === Values.NonZero && u32At(frame, at) === 0) throw zeroOf(rule);
      return next;
    }
    case PropertyType.Varint: {
      const value = varint(frame, at);
      if (rule.values === Values.NonZero && value === 0) throw zeroOf(rule);
      return at + varintBytes(value);
    }
  }
}

const zeroOf = (rule: PropertyRule): Broken => (rule.id === Property.TopicAlias ? ZERO_ALIAS : ZERO);

function varint(frame: Uint8Array, at: number): number {
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    skip(frame, at + i, 1);
    const byte = frame[at + i]!;
    if ((byte & VARINT_MORE) !== 0) continue;
    if (byte === 0 && i > 0) throw LONG_VARINT;
    return varintAt(frame, at);
  }
  throw NO_VARINT;
}

function skip(frame: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > frame.length) throw TOO_SHORT;
  return at + bytes;
}

function binary(frame: Uint8Array, at: number): number {
  const start = skip(frame, at, U16_BYTES);
  return skip(frame, start, u16At(frame, at));
}

function text(frame: Uint8Array, at: number): number {
  const end = binary(frame, at);
  if (!isMqttText(frame, at + U16_BYTES, end)) throw NO_UTF8;
  return end;
}

/** UTF-8 without surrogates and without U+0000 [MQTT-1.5.3-1], [MQTT-1.5.3-2]; in MQTT 5.0 [MQTT-1.5.4-1], [MQTT-1.5.4-2]. */
function isMqttText(bytes: Uint8Array, start: number, end: number): boolean {
  let isAscii = true;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === 0) return false;
    if (byte >= ASCII_END) isAscii = false;
  }
  return isAscii || isUtf8(bytes.subarray(start, end));
}
