// The rules that a single packet can break on its own, whatever the state of its connection, in all versions of MQTT.
// Breaking one ends the connection: section 4.8 of MQTT 3.1.1, section 4.13 of MQTT 5.0.
import { isValidTopicFilter, isValidTopicName } from '../core/topics.js';
import { CLIENT_REASONS } from './client-reasons.js';
import {
  type AckPacket,
  type AuthPacket,
  type ConnectPacket,
  type DisconnectPacket,
  LEVEL_MQTT_5,
  type Level,
  PACKET_ID_MAX,
  type Packet,
  type PublishPacket,
  type SubscribePacket,
  type SubscriptionRequest,
  type UnsubscribePacket,
  type Will,
} from './packets.js';
import { responseTopicOf } from './properties.js';
import { ReasonCode } from './reason-codes.js';
import { SHARE_PREFIX } from './shared.js';

/**
 * A conformance statement of the standard. MQTT 3.1 has none: those of 3.1.1 stand for it. Where 5.0 calls something a
 * Protocol Error without a number, MQTT-4.13.1-1 stands for it.
 */
export type Clause = `MQTT-${string}`;

export interface Violation {
  readonly clause: Clause;
  /** What a client of MQTT 5.0 is told. */
  readonly reason: ReasonCode;
}

const QOS_MAX = 2;
const RETAIN_HANDLING_MAX = 2;

const isPacketId = (id: number): boolean => Number.isInteger(id) && id > 0 && id <= PACKET_ID_MAX;
const isQos = (qos: number): boolean => Number.isInteger(qos) && qos >= 0 && qos <= QOS_MAX;

const malformed = (clause: Clause): Violation => ({ clause, reason: ReasonCode.MalformedPacket });
const protocolError = (clause: Clause): Violation => ({ clause, reason: ReasonCode.ProtocolError });
const badTopic = (clause: Clause): Violation => ({ clause, reason: ReasonCode.TopicNameInvalid });
const badFilter = (clause: Clause): Violation => ({ clause, reason: ReasonCode.TopicFilterInvalid });

/** The clause of the version that is spoken. */
const clauseOf = (level: Level, before5: Clause, in5: Clause): Clause => (level === LEVEL_MQTT_5 ? in5 : before5);

/** Of a CONNECT on a connection that has had one, whatever is in it. */
export const SECOND_CONNECT: Violation = protocolError('MQTT-3.1.0-2');

/** Of a packet from a client that speaks `level`; of a CONNECT, the level that it asks for. */
export function violationOf(packet: Packet, level: Level): Violation | undefined {
  switch (packet.cmd) {
    case 'publish':
      return ofPublish(packet, level);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return ofAck(packet, level);
    case 'subscribe':
      return ofSubscribe(packet, level);
    case 'unsubscribe':
      return ofUnsubscribe(packet, level);
    case 'connect':
      return ofConnect(packet, level);
    case 'disconnect':
      return level === LEVEL_MQTT_5 ? ofReason(packet) : undefined;
    case 'auth':
      return level === LEVEL_MQTT_5 ? ofAuth(packet) : protocolError('MQTT-4.8.0-1');
    case 'pingreq':
      return undefined;
    default:
      // a packet that only servers send
      return protocolError(clauseOf(level, 'MQTT-4.8.0-1', 'MQTT-4.13.1-1'));
  }
}

function ofConnect(packet: ConnectPacket, level: Level): Violation | undefined {
  const { username, password, will, properties } = packet;
  if (level === LEVEL_MQTT_5) {
    if (properties?.receiveMaximum === 0) return protocolError('MQTT-4.13.1-1');
    if (properties?.maximumPacketSize === 0) return protocolError('MQTT-4.13.1-1');
    if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
      return protocolError('MQTT-4.13.1-1');
    }
  } else if (password !== undefined && username === undefined) return malformed('MQTT-3.1.2-22');
  return will === undefined ? undefined : ofWill(will, level);
}

function ofWill({ topic, qos = 0, properties }: Will, level: Level): Violation | undefined {
  if (!isQos(qos)) return malformed(clauseOf(level, 'MQTT-3.1.2-14', 'MQTT-3.1.2-12'));
  // The will is a PUBLISH to be: its topic is a topic name.
  return isValidTopicName(topic) ? ofMessageProperties(properties) : badTopic('MQTT-3.3.2-2');
}

function ofPublish(packet: PublishPacket, level: Level): Violation | undefined {
  const { qos, topic } = packet;
  if (!isQos(qos)) return malformed('MQTT-3.3.1-4');
  if (qos === 0 && packet.dup) return malformed('MQTT-3.3.1-2');
  if (qos > 0 && !isPacketId(packet.messageId)) return noPacketId(level);
  if (packet.topicLevels === 0 && !isValidTopicName(topic)) {
    if (level !== LEVEL_MQTT_5 || topic !== '') return badTopic('MQTT-3.3.2-2');
    // 3.3.2.1: unless an alias stands for it
    if (packet.topicAlias === 0) return protocolError('MQTT-4.13.1-1');
  }
  if (packet.subscriptionIds !== undefined) return protocolError('MQTT-3.3.4-6');
  return ofMessageProperties(packet.properties);
}

function ofMessageProperties(properties: Uint8Array | undefined): Violation | undefined {
  if (properties === undefined) return undefined;
  const responseTopic = responseTopicOf(properties);
  if (responseTopic === undefined || isValidTopicName(responseTopic)) return undefined;
  // An empty one is no topic name either [MQTT-4.7.3-1].
  return protocolError('MQTT-3.3.2-14');
}

function ofAck(packet: AckPacket, level: Level): Violation | undefined {
  if (!isPacketId(packet.messageId)) return noPacketId(level);
  return level === LEVEL_MQTT_5 ? ofReason(packet) : undefined;
}

function ofReason({ cmd, reasonCode }: AckPacket | DisconnectPacket | AuthPacket): Violation | undefined {
  const { codes, clause } = CLIENT_REASONS[cmd];
  return codes.has(reasonCode) ? undefined : protocolError(clause);
}

function ofAuth(packet: AuthPacket): Violation | undefined {
  // 3.15.2.2.2: the method is there in every step.
  if (packet.properties?.authenticationMethod === undefined) return protocolError('MQTT-4.13.1-1');
  return ofReason(packet);
}

function ofSubscribe(packet: SubscribePacket, level: Level): Violation | undefined {
  if (!isPacketId(packet.messageId)) return noPacketId(level);
  if (packet.subscriptions.length === 0) return protocolError(clauseOf(level, 'MQTT-3.8.3-3', 'MQTT-3.8.3-2'));
  if (packet.properties?.subscriptionIdentifier === 0) return protocolError('MQTT-4.13.1-1');
  for (const request of packet.subscriptions) {
    const violation = ofRequest(request, level);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

function ofRequest({ topic, qos, nl, rh = 0 }: SubscriptionRequest, level: Level): Violation | undefined {
  // An invalid filter is a violation of the protocol, not a refusal: SUBACK refuses those that could have been granted.
  const violation = ofFilter(topic, level);
  if (violation !== undefined) return violation;
  if (!isQos(qos)) return protocolError(clauseOf(level, 'MQTT-3.8.3-4', 'MQTT-4.13.1-1'));
  if (level !== LEVEL_MQTT_5) return undefined;
  if (rh > RETAIN_HANDLING_MAX) return protocolError('MQTT-4.13.1-1');
  return nl === true && topic.startsWith(SHARE_PREFIX) ? protocolError('MQTT-3.8.3-4') : undefined;
}

function ofUnsubscribe({ messageId, unsubscriptions }: UnsubscribePacket, level: Level): Violation | undefined {
  if (!isPacketId(messageId)) return noPacketId(level);
  if (unsubscriptions.length === 0) return protocolError('MQTT-3.10.3-2');
  for (const filter of unsubscriptions) {
    const violation = ofFilter(filter, level);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

function ofFilter(filter: string, level: Level): Violation | undefined {
  if (!isValidTopicFilter(filter)) {
    return badFilter(filter === '' ? 'MQTT-4.7.3-1' : clauseOf(level, 'MQTT-4.7.1-2', 'MQTT-4.7.1-1'));
  }
  // Older versions know shared subscriptions from us only, with the same rules.
  if (!filter.startsWith(SHARE_PREFIX)) return undefined;
  const [name, ...rest] = filter.slice(SHARE_PREFIX.length).split('/');
  if (name === '') return badFilter('MQTT-4.8.2-1');
  const isEmpty = rest.length === 0 || (rest.length === 1 && rest[0] === '');
  return isEmpty || name === '+' || name === '#' ? badFilter('MQTT-4.8.2-2') : undefined;
}

function noPacketId(level: Level): Violation {
  return protocolError(clauseOf(level, 'MQTT-2.3.1-1', 'MQTT-2.2.1-3'));
}
