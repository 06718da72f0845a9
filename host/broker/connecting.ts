// CONNECT: under which identifier a client comes in, and on what terms. Decisions only; the connection carries them out.
import { mqttStringBytes } from '../core/topics.js';
import type { Millis, Random } from '../ports.js';
import type { Accepted } from './access.js';
import type { BrokerConfig } from './config.js';
import { PACKET_BYTES_LIMIT } from './frames.js';
import {
  type ConnackProperties,
  type ConnectPacket,
  EXPIRY_NEVER_S,
  LEVEL_MQTT_3_1,
  LEVEL_MQTT_3_1_1,
  LEVEL_MQTT_5,
  type Level,
  PACKET_ID_MAX,
} from './packets.js';
import { ReasonCode } from './reason-codes.js';
import type { SessionRegistry } from './session-registry.js';
import type { BrokerState } from './state.js';

const NAME_MQTT_3_1 = 'MQIsdp';
const NAME_MQTT = 'MQTT';

const MS_PER_SECOND = 1_000;
const ASSIGNED_PREFIX = 'thimble-';
const HEX = 16;
const HEX_DIGITS_U32 = 8;

/** What the protocol's name and level come to [MQTT-3.1.2-1], [MQTT-3.1.2-2]. MQTT 3.1 differs only in its CONNECT. */
export function levelOf(packet: ConnectPacket): Level | 'other-level' | 'other-protocol' {
  const level = packet.protocolVersion ?? LEVEL_MQTT_3_1_1;
  switch (packet.protocolId ?? NAME_MQTT) {
    case NAME_MQTT:
      return level === LEVEL_MQTT_3_1_1 || level === LEVEL_MQTT_5 ? level : 'other-level';
    case NAME_MQTT_3_1:
      return level === LEVEL_MQTT_3_1 ? level : 'other-level';
    default:
      return 'other-protocol';
  }
}

/** The client's identifier; one made up for a client without, undefined where the protocol does not let it do without. */
export function clientIdOf(
  packet: ConnectPacket,
  level: Level,
  sessions: SessionRegistry,
  random: Random,
): string | undefined {
  if (packet.clientId !== '') return mqttStringBytes(packet.clientId) > 0 ? packet.clientId : undefined;
  if (level === LEVEL_MQTT_3_1 || (level === LEVEL_MQTT_3_1_1 && packet.clean === false)) return undefined; // 3.1.1: [MQTT-3.1.3-8]
  for (;;) {
    const words = [random.nextU32(), random.nextU32()];
    const id = ASSIGNED_PREFIX + words.map((word) => word.toString(HEX).padStart(HEX_DIGITS_U32, '0')).join('');
    if (sessions.get(id) === undefined) return id; // [MQTT-3.1.3-6]
  }
}

/** What keeps a client out that breaks no rule: limits. Undefined: nothing. */
export function limitAgainst(state: BrokerState, clientId: string, now: Millis): ReasonCode | undefined {
  const isBack = state.sessions.get(clientId)?.wire !== undefined; // it takes the place of its own connection
  if (state.connections.size > state.config.connectionsMax && !isBack) return ReasonCode.ServerBusy;
  if (state.connects?.take(1, now) === false) return ReasonCode.ConnectionRateExceeded;
  return state.sessions.hasRoomFor(clientId) ? undefined : ReasonCode.QuotaExceeded;
}

/** What holds for a connection from its CONNECT on. */
export interface Terms {
  readonly level: Level;
  /** How long the session outlives the connection, ms. */
  readonly expiryMs: Millis;
  /** The client has asked for one that outlives it, whether or not the broker has any. */
  readonly isSessionAsked: boolean;
  /** Seconds; 0: none. */
  readonly keepAliveS: number;
  /** QoS 1 and 2 messages to the client at a time. */
  readonly windowMax: number;
  /** The largest packet that the client takes, bytes. */
  readonly packetBytesMax: number;
}

export function termsOf(packet: ConnectPacket, level: Level, config: BrokerConfig, verdict: Accepted): Terms {
  const { properties = {}, keepalive = 0 } = packet;
  const asked = level === LEVEL_MQTT_5 ? msOf(properties.sessionExpiryInterval ?? 0) : sessionBeforeMqtt5(packet);
  const keepAliveMax = Math.min(config.keepAliveSMax, verdict.keepAliveSMax ?? Number.POSITIVE_INFINITY);
  const isKeptTo = keepAliveMax !== Number.POSITIVE_INFINITY && (keepalive === 0 || keepalive > keepAliveMax);
  return {
    level,
    expiryMs: Math.min(asked, config.offlineSessionMsMax),
    isSessionAsked: asked > 0,
    keepAliveS: isKeptTo ? keepAliveMax : keepalive,
    windowMax: Math.min(config.inflightMax, properties.receiveMaximum ?? PACKET_ID_MAX),
    packetBytesMax: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
  };
}

/** Session Expiry Interval in ms. */
export const msOf = (seconds: number): Millis =>
  seconds === EXPIRY_NEVER_S ? Number.POSITIVE_INFINITY : seconds * MS_PER_SECOND;

const secondsOf = (ms: Millis): number =>
  ms === Number.POSITIVE_INFINITY ? EXPIRY_NEVER_S : Math.floor(ms / MS_PER_SECOND);

const sessionBeforeMqtt5 = (packet: ConnectPacket): Millis => (packet.clean === false ? Number.POSITIVE_INFINITY : 0);

/** What a client of MQTT 5.0 is told of the broker: only what differs from what it takes for granted. */
export function connackProperties(
  packet: ConnectPacket,
  clientId: string,
  terms: Terms,
  config: BrokerConfig,
  verdict: Accepted,
): ConnackProperties {
  const { properties = {}, keepalive = 0 } = packet;
  const asked = properties.sessionExpiryInterval ?? 0;
  const wantsResponses = properties.requestResponseInformation === true && config.responseTopicPrefix !== '';
  return {
    ...(terms.expiryMs !== msOf(asked) && { sessionExpiryInterval: secondsOf(terms.expiryMs) }),
    ...(config.receiveMax < PACKET_ID_MAX && { receiveMaximum: config.receiveMax }),
    ...(config.qosMax < 2 && { maximumQoS: config.qosMax }),
    ...(config.packetBytesMax < PACKET_BYTES_LIMIT && { maximumPacketSize: config.packetBytesMax }),
    ...(packet.clientId === '' && { assignedClientIdentifier: clientId }), // [MQTT-3.2.2-16]
    ...(config.topicAliasMax > 0 && { topicAliasMaximum: config.topicAliasMax }),
    ...(terms.keepAliveS !== keepalive && { serverKeepAlive: terms.keepAliveS }),
    ...(wantsResponses && { responseInformation: config.responseTopicPrefix + clientId }),
    ...(verdict.userProperties && { userProperties: verdict.userProperties }),
    ...authenticationOf(packet, verdict.authenticationData),
  };
}

/** The method that the client has named, and the server's data to it. */
export function authenticationOf(packet: ConnectPacket, authenticationData: Uint8Array | undefined) {
  const authenticationMethod = packet.properties?.authenticationMethod;
  if (authenticationMethod === undefined) return {};
  return { authenticationMethod, ...(authenticationData && { authenticationData }) };
}
