// Between the packets of mqtt-packet and those of the core: what each side calls what, and what older versions call it.
// Nothing that comes out of here refers to the bytes that went in.
import type {
  IAuthPacket,
  IConnectPacket,
  IDisconnectPacket,
  ISubscribePacket,
  Packet as LibraryPacket,
} from 'mqtt-packet';
import {
  type AuthPacket,
  type ConnackPacket,
  type ConnectPacket,
  type ConnectProperties,
  type DisconnectPacket,
  LEVEL_MQTT_3_1,
  LEVEL_MQTT_5,
  type Level,
  type Packet,
  type SubscribePacket,
  type UserProperties,
  type Will,
} from './packets.js';
import { splitProperties } from './properties.js';
import { FAILURE_MIN, ReasonCode } from './reason-codes.js';
import { willPropertiesIn } from './wellformed.js';

/** SUBACK before MQTT 5.0 (MQTT 3.1.1, 3.9.3). */
const SUBACK_FAILURE = 0x80;

/** CONNACK return codes (MQTT 3.1.1, table 3.1). */
enum ReturnCode {
  Accepted = 0,
  UnacceptableProtocolVersion = 1,
  IdentifierRejected = 2,
  ServerUnavailable = 3,
  BadUserNameOrPassword = 4,
  NotAuthorized = 5,
}

/** A packet of a client that mqtt-packet has read from `frame`; undefined for one that no client sends. */
export function fromLibrary(packet: LibraryPacket, frame: Uint8Array, bodyAt: number): Packet | undefined {
  switch (packet.cmd) {
    case 'connect':
      return connectFrom(packet, frame, bodyAt);
    case 'subscribe':
      return subscribeFrom(packet);
    case 'unsubscribe':
      return { cmd: 'unsubscribe', messageId: packet.messageId!, unsubscriptions: packet.unsubscriptions };
    case 'disconnect':
      return disconnectFrom(packet);
    case 'auth':
      return authFrom(packet);
    default:
      return undefined;
  }
}

/** The packet as mqtt-packet's `generate` takes it. Asserts that a client of the level can be told it. */
export function toLibrary(packet: Packet, level: Level): LibraryPacket {
  switch (packet.cmd) {
    case 'connack':
      return connackTo(packet, level);
    case 'suback':
      return { ...packet, granted: packet.granted.map((code) => subackCode(code, level)) };
    case 'unsuback':
      return { ...packet, granted: [...packet.granted] };
    case 'pingresp':
      return packet;
    case 'disconnect':
      if (level === LEVEL_MQTT_5) return packet as IDisconnectPacket;
      break;
    case 'auth':
      if (level === LEVEL_MQTT_5) return { ...packet, properties: withBuffer(packet.properties ?? {}) } as IAuthPacket;
  }
  throw new Error(`no server says ${packet.cmd} in level ${level} of the protocol`);
}

function connectFrom(packet: IConnectPacket, frame: Uint8Array, bodyAt: number): ConnectPacket {
  const { clientId, protocolId, protocolVersion, clean, keepalive, username, password, will, properties } = packet;
  return {
    cmd: 'connect',
    clientId,
    ...given({ protocolId, protocolVersion, clean, keepalive, username }),
    ...(password !== undefined && { password: bytesOf(password) }),
    ...(will !== undefined && { will: willFrom(will, protocolVersion, frame, bodyAt) }),
    ...(properties !== undefined && { properties: withBytes(properties) as ConnectProperties }),
  };
}

/** The properties are read from the frame: mqtt-packet does not keep the order of user properties. */
function willFrom(
  { topic, payload, qos = 0, retain = false }: NonNullable<IConnectPacket['will']>,
  level: number | undefined,
  frame: Uint8Array,
  bodyAt: number,
): Will {
  const will = { topic, payload: bytesOf(payload as Buffer), qos, retain };
  if (level !== LEVEL_MQTT_5) return will;
  const { start, end } = willPropertiesIn(frame, bodyAt);
  const { message, delayS, expiryS } = splitProperties(frame, start, end);
  return { ...will, ...given({ properties: message, delayS, expiryS }) };
}

function subscribeFrom({ messageId, subscriptions, properties }: ISubscribePacket): SubscribePacket {
  return {
    cmd: 'subscribe',
    messageId: messageId!,
    subscriptions,
    ...(properties !== undefined && {
      properties: properties as { subscriptionIdentifier?: number; userProperties?: UserProperties },
    }),
  };
}

function disconnectFrom({ reasonCode, properties }: IDisconnectPacket): DisconnectPacket {
  return {
    cmd: 'disconnect',
    reasonCode: reasonCode ?? ReasonCode.Success,
    ...(properties !== undefined && { properties }),
  };
}

function authFrom({ reasonCode, properties }: IAuthPacket): AuthPacket {
  return {
    cmd: 'auth',
    reasonCode,
    ...(properties !== undefined && { properties: withBytes(properties) }),
  };
}

function connackTo({ reasonCode, sessionPresent, properties }: ConnackPacket, level: Level): LibraryPacket {
  if (level === LEVEL_MQTT_5) {
    return { cmd: 'connack', reasonCode, sessionPresent, properties: withBuffer(properties ?? {}) } as LibraryPacket;
  }
  // MQTT 3.1 has no flag for it: the byte is reserved.
  return {
    cmd: 'connack',
    returnCode: returnCodeOf(reasonCode),
    sessionPresent: sessionPresent && level !== LEVEL_MQTT_3_1,
  };
}

function returnCodeOf(reason: ReasonCode): ReturnCode {
  switch (reason) {
    case ReasonCode.Success:
      return ReturnCode.Accepted;
    case ReasonCode.UnsupportedProtocolVersion:
      return ReturnCode.UnacceptableProtocolVersion;
    case ReasonCode.ClientIdentifierNotValid:
      return ReturnCode.IdentifierRejected;
    case ReasonCode.BadUserNameOrPassword:
      return ReturnCode.BadUserNameOrPassword;
    case ReasonCode.NotAuthorized:
    case ReasonCode.Banned:
    case ReasonCode.BadAuthenticationMethod:
      return ReturnCode.NotAuthorized;
    default:
      return ReturnCode.ServerUnavailable;
  }
}

function subackCode(code: ReasonCode, level: Level): number {
  return level !== LEVEL_MQTT_5 && code >= FAILURE_MIN ? SUBACK_FAILURE : code;
}

/** Without what is undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A copy: the library's buffers are views of the frame. */
const bytesOf = (buffer: Uint8Array): Uint8Array => new Uint8Array(buffer);

function withBytes<T extends { authenticationData?: Uint8Array }>(properties: T): T {
  const { authenticationData } = properties;
  return authenticationData === undefined
    ? properties
    : { ...properties, authenticationData: bytesOf(authenticationData) };
}

/** mqtt-packet writes no other kind of bytes. */
function withBuffer<T extends { authenticationData?: Uint8Array }>(properties: T): T {
  const { authenticationData } = properties;
  return authenticationData === undefined
    ? properties
    : { ...properties, authenticationData: Buffer.from(authenticationData) };
}
