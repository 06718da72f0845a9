// The rules of MQTT 3.1.1 that a single packet can break on its own, whatever the state of its connection. By section
// 4.8 breaking one ends the connection. Each function gives the clause that is broken, or undefined.
import { isValidTopicFilter, isValidTopicName } from '../core/topics.js';
import {
  type ConnectPacket,
  PACKET_ID_MAX,
  type Packet,
  type PublishPacket,
  type SubscribePacket,
  type UnsubscribePacket,
} from './packets.js';

export type Clause = `MQTT-${string}`;

const QOS_MAX = 2;

const isPacketId = (id: number): boolean => Number.isInteger(id) && id > 0 && id <= PACKET_ID_MAX;
const isQos = (qos: number): boolean => Number.isInteger(qos) && qos >= 0 && qos <= QOS_MAX;

/** Of a packet from a client. */
export function violationOf(packet: Packet): Clause | undefined {
  switch (packet.cmd) {
    case 'publish':
      return ofPublish(packet);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return isPacketId(packet.messageId) ? undefined : 'MQTT-2.3.1-1';
    case 'subscribe':
      return ofSubscribe(packet);
    case 'unsubscribe':
      return ofUnsubscribe(packet);
    case 'connect':
      return ofConnect(packet);
    case 'pingreq':
    case 'disconnect':
      return undefined;
    default:
      return 'MQTT-4.8.0-1'; // a packet that only servers send
  }
}

function ofConnect(packet: ConnectPacket): Clause | undefined {
  if (packet.password !== undefined && packet.username === undefined) return 'MQTT-3.1.2-22';
  if (packet.will === undefined) return undefined;
  if (!isQos(packet.will.qos ?? 0)) return 'MQTT-3.1.2-14';
  // The will is a PUBLISH to be: its topic is a topic name.
  return isValidTopicName(packet.will.topic) ? undefined : 'MQTT-3.3.2-2';
}

function ofPublish(packet: PublishPacket): Clause | undefined {
  if (!isQos(packet.qos)) return 'MQTT-3.3.1-4';
  if (packet.qos === 0 && packet.dup) return 'MQTT-3.3.1-2';
  if (packet.qos > 0 && !isPacketId(packet.messageId)) return 'MQTT-2.3.1-1';
  return isValidTopicName(packet.topic) ? undefined : 'MQTT-3.3.2-2';
}

function ofSubscribe(packet: SubscribePacket): Clause | undefined {
  if (!isPacketId(packet.messageId)) return 'MQTT-2.3.1-1';
  if (packet.subscriptions.length === 0) return 'MQTT-3.8.3-3';
  for (const { topic, qos } of packet.subscriptions) {
    // An invalid filter is a violation of the protocol, not a refusal: 0x80 is for filters that could have been granted.
    if (!isValidTopicFilter(topic)) return 'MQTT-4.7.1-2';
    if (!isQos(qos)) return 'MQTT-3.8.3-4';
  }
  return undefined;
}

function ofUnsubscribe(packet: UnsubscribePacket): Clause | undefined {
  if (!isPacketId(packet.messageId)) return 'MQTT-2.3.1-1';
  if (packet.unsubscriptions.length === 0) return 'MQTT-3.10.3-2';
  return packet.unsubscriptions.every(isValidTopicFilter) ? undefined : 'MQTT-4.7.1-2';
}
