// The packets of MQTT 3.1, 3.1.1 and 5.0 as the core handles them: one form for all versions, close to the objects of the
// package mqtt-packet, with bytes as Uint8Array so that the core knows no Buffer. What a version has no word for is left
// out when a packet is encoded for it.
import type { Message, Millis, Qos } from '../ports.js';
import type { QueueEntry } from './durable.js';
import { ReasonCode } from './reason-codes.js';

/** Section 2.2.1: packet identifiers are 1 to 65,535. */
export const PACKET_ID_MAX = 0xffff;

/** The protocol's level in CONNECT. The name of MQTT 3.1 is MQIsdp, that of the others MQTT. */
export type Level = 3 | 4 | 5;
export const LEVEL_MQTT_3_1 = 3;
export const LEVEL_MQTT_3_1_1 = 4;
export const LEVEL_MQTT_5 = 5;

/** Session Expiry Interval: for ever (MQTT 5.0, 3.1.2.11.2). */
export const EXPIRY_NEVER_S = 0xffff_ffff;

/** Names and values, as mqtt-packet has them. Not for messages, whose order matters [MQTT-3.3.2-18]. */
export type UserProperties = Readonly<Record<string, string | readonly string[]>>;

export interface ConnectPacket {
  readonly cmd: 'connect';
  readonly clientId: string;
  /** `MQTT` where absent. */
  readonly protocolId?: string;
  /** 4 where absent. */
  readonly protocolVersion?: number;
  /** Clean Session, Clean Start in MQTT 5.0. True where absent. */
  readonly clean?: boolean;
  /** Seconds, 0 to 65,535; 0 or absent: none. */
  readonly keepalive?: number;
  readonly username?: string;
  readonly password?: Uint8Array;
  readonly will?: Will;
  readonly properties?: ConnectProperties;
}

/** MQTT 5.0, 3.1.2.11. */
export interface ConnectProperties {
  /** Seconds; EXPIRY_NEVER_S: for ever. 0 where absent. */
  readonly sessionExpiryInterval?: number;
  /** 65,535 where absent. */
  readonly receiveMaximum?: number;
  /** Bytes; no limit where absent. */
  readonly maximumPacketSize?: number;
  /** 0 where absent. */
  readonly topicAliasMaximum?: number;
  readonly requestResponseInformation?: boolean;
  /** True where absent. */
  readonly requestProblemInformation?: boolean;
  readonly userProperties?: UserProperties;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos?: number;
  readonly retain?: boolean;
  /** As `PublishPacket.properties`. */
  readonly properties?: Uint8Array;
  /** Will Delay Interval, seconds. 0 where absent. */
  readonly delayS?: number;
  /** Message Expiry Interval, seconds, from the moment of publication. Never where absent. */
  readonly expiryS?: number;
}

export interface ConnackPacket {
  readonly cmd: 'connack';
  readonly reasonCode: ReasonCode;
  readonly sessionPresent: boolean;
  readonly properties?: ConnackProperties;
}

/** MQTT 5.0, 3.2.2.3. */
export interface ConnackProperties {
  readonly sessionExpiryInterval?: number;
  readonly receiveMaximum?: number;
  readonly maximumQoS?: number;
  readonly retainAvailable?: boolean;
  readonly maximumPacketSize?: number;
  readonly assignedClientIdentifier?: string;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
  readonly serverKeepAlive?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** An application message on its way through the broker, with what MQTT 5.0 adds. */
export interface BrokerMessage extends Message {
  /**
   * What a server passes on unaltered, encoded as in MQTT 5.0, 2.2.2, without the length in front: payload format indicator
   * (first, where there is one), content type, response topic, correlation data and user properties in their order.
   * They have been checked. Undefined: none.
   */
  readonly properties: Uint8Array | undefined;
  /** From when on it is delivered to nobody any more (Message Expiry Interval). Infinity: never. */
  readonly expiresAt: Millis;
}

export interface PublishPacket extends BrokerMessage {
  readonly cmd: 'publish';
  /** From a client: how many levels the topic has, where it is known to be a valid name; 0: nobody has looked. */
  readonly topicLevels: number;
  readonly dup: boolean;
  /** 0 while none is given: QoS 0, or still in a queue. */
  messageId: number;
  /** To a client: of its subscriptions that matched. Undefined: none has an identifier. */
  readonly subscriptionIds: readonly number[] | undefined;
  /**
   * From a client: the alias it named, 0 where it named none. The topic is empty where the alias stands for it; whoever
   * joins connection and codec puts it in. Nothing to do with packets to clients.
   */
  readonly topicAlias: number;
  /** To a client, QoS 1 and 2: where it stands in the session's durable queue; undefined: nowhere. */
  entry: QueueEntry | undefined;
  /** To a client: of the shared subscription that it comes by, its filter; undefined: it comes by another. */
  share: string | undefined;
  /** Where an encoder may keep the bytes of a packet that goes to many connections: of level 3 and 4, and of level 5. */
  encoded: Uint8Array | undefined;
  encoded5: Uint8Array | undefined;
}

/** The four that carry a packet identifier and, in MQTT 5.0, what became of it. */
export interface AckPacket {
  readonly cmd: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  readonly messageId: number;
  readonly reasonCode: ReasonCode;
}

export interface SubscriptionRequest {
  readonly topic: string;
  readonly qos: number;
  /** No Local. False where absent, as in older versions. */
  readonly nl?: boolean;
  /** Retain As Published. */
  readonly rap?: boolean;
  /** Retain Handling: 0 send, 1 send where the subscription is new, 2 do not send. */
  readonly rh?: number;
}

export interface SubscribePacket {
  readonly cmd: 'subscribe';
  readonly messageId: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties?: { readonly subscriptionIdentifier?: number; readonly userProperties?: UserProperties };
}

export interface SubackPacket {
  readonly cmd: 'suback';
  readonly messageId: number;
  /** For each subscription in order: the granted QoS, or why it was refused. */
  readonly granted: readonly ReasonCode[];
}

export interface UnsubscribePacket {
  readonly cmd: 'unsubscribe';
  readonly messageId: number;
  readonly unsubscriptions: readonly string[];
}

export interface UnsubackPacket {
  readonly cmd: 'unsuback';
  readonly messageId: number;
  readonly granted: readonly ReasonCode[];
}

export interface PingPacket {
  readonly cmd: 'pingreq' | 'pingresp';
}

/** From a client, and in MQTT 5.0 also to one. */
export interface DisconnectPacket {
  readonly cmd: 'disconnect';
  readonly reasonCode: ReasonCode;
  readonly properties?: {
    /** Of a client: seconds. */
    readonly sessionExpiryInterval?: number;
    readonly reasonString?: string;
    readonly serverReference?: string;
  };
}

/** MQTT 5.0, 3.15. */
export interface AuthPacket {
  readonly cmd: 'auth';
  /** Success, ContinueAuthentication or ReAuthenticate. */
  readonly reasonCode: ReasonCode;
  readonly properties?: {
    readonly authenticationMethod?: string;
    readonly authenticationData?: Uint8Array;
    readonly reasonString?: string;
  };
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
  | PingPacket
  | DisconnectPacket
  | AuthPacket;

/** A message as an older version has it: without properties, and for ever. */
export function plainMessage({ topic, payload, qos, retain }: Message): BrokerMessage {
  return { topic, payload, qos, retain, properties: undefined, expiresAt: Number.POSITIVE_INFINITY };
}

/** A PUBLISH; every one is made here or by the codec, so that they all have one shape. */
export function publishPacket(
  message: BrokerMessage,
  qos: Qos,
  retain: boolean,
  messageId = 0,
  dup = false,
  subscriptionIds: readonly number[] | undefined = undefined,
): PublishPacket {
  const { topic, payload, properties, expiresAt } = message;
  return {
    cmd: 'publish',
    topic,
    topicLevels: 0,
    payload,
    qos,
    retain,
    dup,
    messageId,
    properties,
    expiresAt,
    subscriptionIds,
    topicAlias: 0,
    entry: undefined,
    share: undefined,
    encoded: undefined,
    encoded5: undefined,
  };
}

/** An acknowledgement; every one is made here, so that they all have one shape. */
export function ackPacket(cmd: AckPacket['cmd'], messageId: number, reasonCode = ReasonCode.Success): AckPacket {
  return { cmd, messageId, reasonCode };
}
