// The packets of MQTT 3.1.1 as the core handles them: the objects of the package mqtt-packet, with payloads as
// Uint8Array so that the core knows no Buffer. Fields beyond these are ignored.
import type { Message, Qos } from '../ports.js';

/** Section 3.2.2.3, table 3.1. */
export enum ConnackCode {
  Accepted = 0x00,
  UnacceptableProtocolVersion = 0x01,
  IdentifierRejected = 0x02,
  ServerUnavailable = 0x03,
  BadUserNameOrPassword = 0x04,
  NotAuthorized = 0x05,
  // 0x06 to 0xff: reserved
}

/** Section 3.9.3: the return code of a subscription that was refused; the others are the granted QoS. */
export const SUBACK_FAILURE = 0x80;

/** Section 2.3.1: packet identifiers are 1 to 65,535. */
export const PACKET_ID_MAX = 0xffff;

/** The level of MQTT 3.1, whose protocol name is MQIsdp, and of MQTT 3.1.1, whose name is MQTT. */
export const LEVEL_MQTT_3_1 = 3;
export const LEVEL_MQTT_3_1_1 = 4;

export interface ConnectPacket {
  readonly cmd: 'connect';
  readonly clientId: string;
  /** `MQTT` where absent. */
  readonly protocolId?: string;
  /** 4 where absent. */
  readonly protocolVersion?: number;
  /** True where absent. */
  readonly clean?: boolean;
  /** Seconds, 0 to 65,535; 0 or absent: none. */
  readonly keepalive?: number;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly will?: Will;
}

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos?: number;
  readonly retain?: boolean;
}

export interface ConnackPacket {
  readonly cmd: 'connack';
  readonly returnCode: ConnackCode;
  readonly sessionPresent: boolean;
}

export interface PublishPacket extends Message {
  readonly cmd: 'publish';
  readonly dup: boolean;
  /** 0 while none is given: QoS 0, or still in a queue. */
  messageId: number;
  /** Where an encoder may keep the bytes of a packet that goes to many connections (QoS 0 only). */
  encoded: Uint8Array | undefined;
}

/** The four that carry nothing but a packet identifier. */
export interface AckPacket {
  readonly cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  readonly messageId: number;
}

export interface SubscribePacket {
  readonly cmd: 'subscribe';
  readonly messageId: number;
  readonly subscriptions: readonly { readonly topic: string; readonly qos: number }[];
}

export interface SubackPacket {
  readonly cmd: 'suback';
  readonly messageId: number;
  /** For each subscription in order: the granted QoS, or SUBACK_FAILURE. */
  readonly granted: readonly number[];
}

export interface UnsubscribePacket {
  readonly cmd: 'unsubscribe';
  readonly messageId: number;
  readonly unsubscriptions: readonly string[];
}

export interface UnsubackPacket {
  readonly cmd: 'unsuback';
  readonly messageId: number;
}

export interface BarePacket {
  readonly cmd: 'pingreq' | 'pingresp' | 'disconnect';
}

export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | UnsubackPacket
  | BarePacket;

/** A PUBLISH; every one is made here, so that they all have one shape. */
export function publishPacket(message: Message, qos: Qos, retain: boolean, messageId = 0, dup = false): PublishPacket {
  const { topic, payload } = message;
  return { cmd: 'publish', topic, payload, qos, retain, dup, messageId, encoded: undefined };
}
