// What an open connection's packets do: sections 3.3 to 3.14. The packets have passed the rules in violations.ts.
import { topicLevels } from '../core/topics.js';
import type { Millis, Qos } from '../ports.js';
import type { Client } from './config.js';
import type { Connection } from './connection.js';
import { AckResult } from './outbound.js';
import {
  type AckPacket,
  type Packet,
  type PublishPacket,
  SUBACK_FAILURE,
  type SubscribePacket,
  type UnsubscribePacket,
} from './packets.js';
import type { Session } from './session.js';
import type { BrokerState } from './state.js';
import type { Clause } from './violations.js';

/** The broker's own topics, which clients may read and not write (section 4.7.2). */
const SYSTEM_TOPIC = '$SYS';

/** An open connection and what belongs to it. */
export interface Open {
  readonly state: BrokerState;
  readonly connection: Connection;
  readonly session: Session;
  readonly client: Client;
}

/** Carries out one packet. */
export function exchange(open: Open, packet: Packet, now: Millis): void {
  switch (packet.cmd) {
    case 'publish':
      takePublish(open, packet, now);
      break;
    case 'puback':
    case 'pubrec':
    case 'pubcomp':
      takeAck(open, packet, now);
      break;
    case 'pubrel':
      takePubrel(open, packet.messageId, now);
      break;
    case 'subscribe':
      takeSubscribe(open, packet, now);
      break;
    case 'unsubscribe':
      takeUnsubscribe(open, packet, now);
      break;
    case 'pingreq':
      open.connection.send({ cmd: 'pingresp' }, now); // [MQTT-3.12.4-1]
      break;
    case 'disconnect':
      open.connection.disconnect(now);
      break;
    default: // violations.ts lets no other through
  }
}

function takePublish({ state, connection, session, client }: Open, packet: PublishPacket, now: Millis): void {
  const { qos, messageId } = packet;
  // Method B of figure 4.3: the message is passed on when it comes first, its identifier kept until PUBREL.
  if (qos === 2 && session.received.has(messageId)) state.counters.duplicatesIn++;
  else {
    countIn(state, qos);
    if (mayPublish(state, client, packet.topic)) state.publish(packet, now);
    else state.counters.droppedDenied++; // and acknowledged all the same [MQTT-3.3.5-2]
  }
  if (qos === 1) connection.send({ cmd: 'puback', messageId }, now);
  else if (qos === 2) {
    session.received.add(messageId);
    connection.send({ cmd: 'pubrec', messageId }, now);
  }
}

function takePubrel({ connection, session }: Open, messageId: number, now: Millis): void {
  session.received.delete(messageId);
  // Also for an unknown one: the client may have missed the PUBCOMP (section 4.3.3).
  connection.send({ cmd: 'pubcomp', messageId }, now);
}

function countIn({ counters }: BrokerState, qos: Qos): void {
  if (qos === 0) counters.messagesInQos0++;
  else if (qos === 1) counters.messagesInQos1++;
  else counters.messagesInQos2++;
}

function mayPublish({ config }: BrokerState, client: Client, topic: string): boolean {
  if (topic.startsWith(SYSTEM_TOPIC) && (topic.length === SYSTEM_TOPIC.length || topic[SYSTEM_TOPIC.length] === '/')) {
    return false;
  }
  return config.access?.publish(client, topic) ?? true;
}

/** The clause that speaks of each acknowledgement's place. */
const ACK_CLAUSES: Readonly<Record<AckPacket['cmd'], Clause>> = {
  puback: 'MQTT-4.3.2-1',
  pubrec: 'MQTT-4.3.3-1',
  pubrel: 'MQTT-4.3.3-2',
  pubcomp: 'MQTT-4.3.3-1',
};

function takeAck({ state, connection, session }: Open, packet: AckPacket, now: Millis): void {
  const { cmd, messageId } = packet;
  const { outbound } = session;
  let result: AckResult;
  if (cmd === 'puback') result = outbound.puback(messageId);
  else if (cmd === 'pubrec') result = outbound.pubrec(messageId);
  else result = outbound.pubcomp(messageId);
  // Another kind of acknowledgement than the message is owed: one of us has lost count of the identifiers.
  if (result === AckResult.Mismatch) {
    connection.violate(ACK_CLAUSES[cmd], now);
    return;
  }
  if (result === AckResult.Unknown) state.counters.acksUnknown++;
  // PUBREC is always answered, so that a client whose message we no longer know can finish too [MQTT-3.5.4-1].
  if (cmd === 'pubrec') connection.send({ cmd: 'pubrel', messageId }, now);
  else session.pump(now);
}

function takeSubscribe(open: Open, packet: SubscribePacket, now: Millis): void {
  const { state, connection, session } = open;
  const granted = packet.subscriptions.map(({ topic, qos }) => grant(open, topic, qos as Qos));
  connection.send({ cmd: 'suback', messageId: packet.messageId, granted }, now); // [MQTT-3.8.4-1], [MQTT-3.8.4-5]
  // As if each filter had come in a packet of its own [MQTT-3.8.4-4]: two that overlap bring a retained message twice.
  for (const [index, code] of granted.entries()) {
    if (code === SUBACK_FAILURE) continue;
    for (const message of state.retained.match(packet.subscriptions[index]!.topic)) {
      // RETAIN is 1 for a new subscription, and for one that is repeated [MQTT-3.3.1-8], [MQTT-3.8.4-3].
      session.deliver(message, Math.min(message.qos, code) as Qos, true, undefined, now);
    }
  }
}

function grant({ state, session, client }: Open, filter: string, qos: Qos): number {
  const { config } = state;
  if (topicLevels(filter) > config.topicLevelsMax) return SUBACK_FAILURE;
  if (session.subscriptions.size >= config.subscriptionsPerSessionMax && !session.subscriptions.has(filter)) {
    return SUBACK_FAILURE;
  }
  if (config.access?.subscribe(client, filter) === false) return SUBACK_FAILURE;
  session.subscriptions.set(filter, qos);
  state.subscriptions.add(filter, session, qos);
  state.counters.subscriptionsNow = state.subscriptions.size;
  return qos;
}

function takeUnsubscribe({ state, connection, session }: Open, packet: UnsubscribePacket, now: Millis): void {
  for (const filter of packet.unsubscriptions) {
    // Compared character by character, not matched [MQTT-3.10.4-1]. What is queued is still delivered [MQTT-3.10.4-3].
    if (session.subscriptions.delete(filter)) state.subscriptions.remove(filter, session);
  }
  state.counters.subscriptionsNow = state.subscriptions.size;
  connection.send({ cmd: 'unsuback', messageId: packet.messageId }, now); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
}
