// What an open connection's packets do: sections 3.3 to 3.15. The packets have passed the rules in violations.ts.
import { topicLevels } from '../core/topics.js';
import type { Millis, Qos } from '../ports.js';
import type { Client, Permit } from './access.js';
import { msOf, type Terms } from './connecting.js';
import type { Connection } from './connection.js';
import type { Leash } from './leash.js';
import { AckResult } from './outbound.js';
import {
  type AckPacket,
  type AuthPacket,
  ackPacket,
  type DisconnectPacket,
  LEVEL_MQTT_5,
  type Packet,
  type PublishPacket,
} from './packets.js';
import { mayPublish } from './permission.js';
import { isLying } from './properties.js';
import { FAILURE_MIN, ReasonCode } from './reason-codes.js';
import type { Session } from './session.js';
import type { BrokerState } from './state.js';
import { takeSubscribe, takeUnsubscribe } from './subscribing.js';
import type { Clause, Violation } from './violations.js';
import type { HeldWill } from './wills.js';

const NO_AUTH: Violation = { clause: 'MQTT-4.12.1-1', reason: ReasonCode.ProtocolError };
const TOO_MANY: Violation = { clause: 'MQTT-3.3.4-7', reason: ReasonCode.ReceiveMaximumExceeded };
const QOS_TOO_HIGH: Violation = { clause: 'MQTT-3.2.2-11', reason: ReasonCode.QosNotSupported };
const EXPIRY_FROM_ZERO: Violation = { clause: 'MQTT-3.14.2-2', reason: ReasonCode.ProtocolError };

/** An open connection and what belongs to it. */
export interface Open {
  readonly state: BrokerState;
  readonly connection: Connection;
  readonly session: Session;
  readonly client: Client;
  readonly terms: Terms;
  /** Undefined: everything is allowed. */
  permit: Permit | undefined;
  will: HeldWill | undefined;
  /** CONNACK has left. */
  isGreeted: boolean;
  /** Where an authenticator has let it in. */
  leash: Leash | undefined;
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
      takeDisconnect(open, packet, now);
      break;
    case 'auth':
      takeAuth(open, packet, now);
      break;
    default: // violations.ts lets no other through
  }
}

function takePublish(open: Open, packet: PublishPacket, now: Millis): void {
  const { state, connection, session } = open;
  const { qos, messageId } = packet;
  // Method B of figure 4.3: the message is passed on when it comes first, its identifier kept until PUBREL.
  if (qos === 2 && session.received.has(messageId)) {
    state.counters.duplicatesIn++;
    connection.send(ackPacket('pubrec', messageId), now);
    return;
  }
  if (qos > state.config.qosMax) {
    connection.violate(QOS_TOO_HIGH, now);
    return;
  }
  if (qos > 0 && !connection.takeQuota()) {
    connection.violate(TOO_MANY, now);
    return;
  }
  countIn(state, qos);
  const reason = reasonAgainst(open, packet) ?? pass(open, packet, now);
  if (reason === ReasonCode.NotAuthorized && state.config.deniedPublish === 'disconnect') {
    connection.end('not-authorized', now);
  } else if (qos > 0) acknowledge(open, packet, reason, now);
}

/** A message that is allowed. */
function pass({ state, session }: Open, packet: PublishPacket, now: Millis): ReasonCode {
  return state.publish(packet, session, now, levelsOf(packet)) > 0
    ? ReasonCode.Success
    : ReasonCode.NoMatchingSubscribers;
}

/** Why the message is not passed on; undefined: it is. */
function reasonAgainst({ state, client, permit }: Open, packet: PublishPacket): ReasonCode | undefined {
  const { config, counters } = state;
  const { payload, properties } = packet;
  if (!mayPublish(state, client, permit, packet)) {
    counters.droppedDenied++;
    return ReasonCode.NotAuthorized;
  }
  if (levelsOf(packet) > config.topicLevelsMax) {
    counters.droppedTooDeep++;
    return ReasonCode.TopicNameInvalid;
  }
  return config.checksPayloadFormat && isLying(properties, payload) ? ReasonCode.PayloadFormatInvalid : undefined;
}

const levelsOf = (packet: PublishPacket): number => packet.topicLevels || topicLevels(packet.topic);

/** Versions before 5.0 have no word for a refusal: they are acknowledged all the same (3.1.1: [MQTT-3.3.5-2]). */
function acknowledge({ connection, session, terms }: Open, packet: PublishPacket, reason: ReasonCode, now: Millis) {
  const { qos, messageId } = packet;
  const said = terms.level === LEVEL_MQTT_5 ? reason : ReasonCode.Success;
  if (qos === 2 && said < FAILURE_MIN) {
    session.received.set(messageId, session.connections);
    session.journal?.received(messageId);
  }
  connection.send(ackPacket(qos === 1 ? 'puback' : 'pubrec', messageId, said), now);
}

function takePubrel({ connection, session }: Open, messageId: number, now: Millis): void {
  if (session.received.get(messageId) === session.connections) connection.giveBackQuota();
  const isKnown = session.received.delete(messageId);
  if (isKnown) session.journal?.forgotten(messageId);
  // Also for an unknown one: the client may have missed the PUBCOMP (section 4.3.3).
  connection.send(
    ackPacket('pubcomp', messageId, isKnown ? ReasonCode.Success : ReasonCode.PacketIdentifierNotFound),
    now,
  );
}

function countIn({ counters }: BrokerState, qos: Qos): void {
  if (qos === 0) counters.messagesInQos0++;
  else if (qos === 1) counters.messagesInQos1++;
  else counters.messagesInQos2++;
}

/** The clause that speaks of each acknowledgement's place. */
const ACK_CLAUSES: Readonly<Record<AckPacket['cmd'], Clause>> = {
  puback: 'MQTT-4.3.2-1',
  pubrec: 'MQTT-4.3.3-1',
  pubrel: 'MQTT-4.3.3-2',
  pubcomp: 'MQTT-4.3.3-1',
};

function takeAck({ state, connection, session }: Open, packet: AckPacket, now: Millis): void {
  const { cmd, messageId, reasonCode } = packet;
  const { outbound } = session;
  const hasFailed = reasonCode >= FAILURE_MIN;
  let result: AckResult;
  if (cmd === 'puback') result = outbound.puback(messageId);
  else if (cmd === 'pubrec') result = outbound.pubrec(messageId, hasFailed);
  else result = outbound.pubcomp(messageId);
  // Another kind of acknowledgement than the message is owed: one of us has lost count of the identifiers.
  if (result === AckResult.Mismatch) {
    connection.violate({ clause: ACK_CLAUSES[cmd], reason: ReasonCode.ProtocolError }, now);
    return;
  }
  if (result === AckResult.Unknown) state.counters.acksUnknown++;
  else if (hasFailed) state.counters.droppedRejected++;
  // PUBREC is always answered, so that a client whose message we no longer know can finish too [MQTT-4.3.3-4].
  if (cmd === 'pubrec' && !hasFailed) {
    const isKnown = result === AckResult.Taken;
    connection.send(
      ackPacket('pubrel', messageId, isKnown ? ReasonCode.Success : ReasonCode.PacketIdentifierNotFound),
      now,
    );
  } else session.pump(now);
}

function takeDisconnect(open: Open, { reasonCode, properties }: DisconnectPacket, now: Millis): void {
  const { state, connection, session, terms, client } = open;
  const expiry = properties?.sessionExpiryInterval;
  if (expiry !== undefined) {
    if (!terms.isSessionAsked && expiry > 0) {
      connection.violate(EXPIRY_FROM_ZERO, now);
      return;
    }
    session.expiryMs = Math.min(msOf(expiry), state.config.offlineSessionMsMax);
  }
  if (reasonCode === ReasonCode.Success && open.will !== undefined) {
    open.will = undefined; // [MQTT-3.14.4-3]
    state.wills.takenBack(client.clientId);
  }
  connection.end('disconnect', now);
}

function takeAuth(open: Open, packet: AuthPacket, now: Millis): void {
  if (open.leash === undefined) open.connection.violate(NO_AUTH, now);
  else open.leash.take(packet, now);
}
