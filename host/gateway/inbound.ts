// PUBLISH from clients to the broker, with the handshakes of QoS 1 and 2 (6.6). They run between client and broker, under the
// client's MsgId: every answer is the broker's, so whoever else comes in between may forget everything.
import { PacketType, ReturnCode, TopicType } from '../../assembly/protocol/index.js';
import { isValidTopicName } from '../core/topics.js';
import type { Message, Millis, PublishOutcome } from '../ports.js';
import type { Packet, PublishTopic } from '../wire/index.js';
import type { Core } from './core.js';
import { fingerprint } from './fingerprint.js';
import { MSG_ID_NONE } from './msg-ids.js';
import type { ClientSession, InboundQos2 } from './session.js';
import { InboundPhase } from './session.js';

type Publish = Extract<Packet, { type: PacketType.Publish }>;

/** Of a handshake whose PUBLISH was not seen. */
const NO_FINGERPRINT = -1;

export class Inbound {
  constructor(private readonly core: Core) {}

  /** QoS 0, 1 or 2. */
  onPublish(session: ClientSession, packet: Publish, datagram: Uint8Array, now: Millis): void {
    if (packet.qos > 0 && packet.msgId === MSG_ID_NONE) {
      this.core.counters.malformed++; // MsgId 0 cannot be acknowledged (5.4.12)
      return;
    }
    const topic = session.nameOf(packet.topic);
    if (topic === undefined || !isValidTopicName(topic)) {
      this.core.counters.unknownTopicIds++;
      this.answer(session, packet, ReturnCode.InvalidTopicId);
      return;
    }
    const { qos, retain } = packet;
    if (!this.core.permissions.mayPublish(session.clientId, topic)) {
      this.core.counters.denied++;
      this.core.log('warn', 'publish-denied', { clientId: session.clientId, topic });
      this.answer(session, packet, ReturnCode.NotSupported);
      return;
    }
    if (qos > this.core.upstream.qosMax) {
      this.core.counters.qosNotSupported++;
      this.answer(session, packet, ReturnCode.NotSupported);
      return;
    }
    const message: Message = { topic, payload: new Uint8Array(packet.data), qos: qos === -1 ? 0 : qos, retain };
    if (qos === 2) this.publishQos2(session, packet, message, fingerprint(datagram), now);
    else if (qos === 1) this.publishQos1(session, packet, message, now);
    else this.publishQos0(session, packet, message, now);
  }

  onPubrel(session: ClientSession, msgId: number, now: Millis): void {
    if (msgId === MSG_ID_NONE) {
      this.core.counters.malformed++; // a broker would end the session over it
      return;
    }
    const record = session.qos2.get(msgId);
    if (record?.phase === InboundPhase.AwaitPubrec) {
      // PUBREC was not sent yet: this PUBREL belongs to an earlier handshake with the same MsgId.
      this.core.counters.unexpected++;
      return;
    }
    if (record?.phase === InboundPhase.AwaitPubcomp) return; // the broker has been told, its answer is on its way
    if (record !== undefined) {
      if (record.recent !== undefined) session.recent.touch(record.recent, now);
      record.phase = InboundPhase.AwaitPubcomp;
    }
    // Also for an id that is not known here: the handshake may have begun on another gateway, or the PUBCOMP was lost (6.6).
    if (record !== undefined) this.release(session, msgId, record, now);
    // PUBCOMP cannot say "congestion": where there is no room the client will try again.
    else if (!this.isBusy(session)) this.makeRoom(session, now, (at) => this.releaseUnknown(session, msgId, at));
  }

  private releaseUnknown(session: ClientSession, msgId: number, now: Millis): void {
    if (session.qos2.has(msgId)) return;
    const record: InboundQos2 = { fingerprint: NO_FINGERPRINT, phase: InboundPhase.AwaitPubcomp, recent: undefined };
    session.qos2.set(msgId, record);
    this.release(session, msgId, record, now);
  }

  private release(session: ClientSession, msgId: number, record: InboundQos2, now: Millis): void {
    session.link?.release(msgId, now, () => {
      if (session.qos2.get(msgId) === record) session.qos2.delete(msgId);
      session.send({ type: PacketType.PubComp, msgId });
    });
  }

  private publishQos0(session: ClientSession, packet: Publish, message: Message, now: Millis): void {
    // Before the broker has the session open even these have to wait, and must not do so without limit.
    if (this.isBusy(session)) {
      this.answer(session, packet, ReturnCode.Congestion);
      return;
    }
    this.core.counters.publishesInQos0++;
    session.link?.publish(message, MSG_ID_NONE, false, now, (outcome) => {
      if (outcome !== 'taken') this.refuse(session, packet, outcome); // PUBACK with an error may answer any QoS (6.6)
    });
  }

  /** A retransmission while the broker decides is swallowed; any other copy is published again, as QoS 1 may be. */
  private publishQos1(session: ClientSession, packet: Publish, message: Message, now: Millis): void {
    const { msgId, dup } = packet;
    if (isAsked(session, msgId)) return;
    if (this.isBusy(session)) {
      this.answer(session, packet, ReturnCode.Congestion);
      return;
    }
    this.core.counters.publishesInQos1++;
    session.pendingQos1.add(msgId);
    session.link?.publish(message, msgId, dup, now, (outcome) => {
      session.pendingQos1.delete(msgId);
      if (outcome === 'taken') this.answer(session, packet, ReturnCode.Accepted);
      else this.refuse(session, packet, outcome);
    });
  }

  private publishQos2(session: ClientSession, packet: Publish, message: Message, print: number, now: Millis): void {
    const { msgId } = packet;
    if (session.pendingQos1.has(msgId)) return; // it has begun to count anew; until the broker has answered, retries come
    const open = session.qos2.get(msgId);
    if (open !== undefined) {
      this.onOpenHandshake(session, packet, message, print, open, now);
      return;
    }
    const copy = session.recent.copyOf(msgId, print, now);
    if (copy !== undefined) {
      this.core.counters.lateDuplicates++;
      if (copy.answer !== undefined) session.send(copy.answer);
      return;
    }
    const begin = (at: Millis): void => {
      if (!session.qos2.has(msgId) && !isAsked(session, msgId)) this.beginQos2(session, packet, message, print, at);
    };
    const hasRoom = !this.isBusy(session) && this.makeRoom(session, now, begin);
    if (!hasRoom) this.answer(session, packet, ReturnCode.Congestion);
  }

  /** Under the MsgId of an open handshake, other octets are another message: the client has started counting anew. */
  private onOpenHandshake(
    session: ClientSession,
    packet: Publish,
    message: Message,
    print: number,
    open: InboundQos2,
    now: Millis,
  ): void {
    const { msgId } = packet;
    if (open.fingerprint === print) {
      if (open.phase === InboundPhase.AwaitPubrel) session.send({ type: PacketType.PubRec, msgId });
      return;
    }
    // The broker must be done with the old one, or it would take the new one for it. Until then, retries come.
    if (open.phase !== InboundPhase.AwaitPubrel) return;
    open.phase = InboundPhase.AwaitPubcomp;
    session.link?.release(msgId, now, (at) => {
      session.qos2.delete(msgId);
      if (!isAsked(session, msgId)) this.beginQos2(session, packet, message, print, at);
    });
  }

  private beginQos2(session: ClientSession, packet: Publish, message: Message, print: number, now: Millis): void {
    const { msgId, dup } = packet;
    this.core.counters.publishesInQos2++;
    const recent = session.recent.add(msgId, print);
    const record: InboundQos2 = { fingerprint: print, phase: InboundPhase.AwaitPubrec, recent };
    session.qos2.set(msgId, record);
    session.link?.publish(message, msgId, dup, now, (outcome, at) => {
      if (outcome === 'taken') {
        const received = { type: PacketType.PubRec, msgId } as const;
        record.phase = InboundPhase.AwaitPubrel;
        session.recent.answered(recent, received, at);
        session.send(received);
        return;
      }
      session.recent.forget(recent);
      if (session.qos2.get(msgId) === record) session.qos2.delete(msgId);
      this.refuse(session, packet, outcome);
    });
  }

  /**
   * `then` when there is room for one handshake more. A client has one at a time (6.6): of many open ones, the oldest were
   * given up. The oldest is ended with the broker, which would take another message under its MsgId for a copy. False
   * where the broker is still to answer all of them.
   */
  private makeRoom({ qos2, link }: ClientSession, now: Millis, then: (now: Millis) => void): boolean {
    if (qos2.size < this.core.config.qos2Max) {
      then(now);
      return true;
    }
    for (const [msgId, record] of qos2) {
      if (record.phase !== InboundPhase.AwaitPubrel) continue;
      record.phase = InboundPhase.AwaitPubcomp;
      link?.release(msgId, now, (at) => {
        qos2.delete(msgId);
        then(at);
      });
      return true;
    }
    return false;
  }

  private isBusy(session: ClientSession): boolean {
    return session.link === undefined || session.link.pending >= this.core.config.requestsMax;
  }

  /** Where the broker is lost DISCONNECT follows, and the client brings the message again on its next session. */
  private refuse(session: ClientSession, packet: Publish, outcome: PublishOutcome): void {
    if (outcome !== 'refused') return;
    this.core.counters.refusedByBroker++;
    const { clientId } = session;
    const fields = { clientId, topic: session.nameOf(packet.topic), qos: packet.qos, payloadBytes: packet.data.length };
    this.core.log('warn', 'publish-refused', fields);
    this.answer(session, packet, ReturnCode.NotSupported);
  }

  private answer(session: ClientSession, packet: Publish, returnCode: ReturnCode): void {
    if (returnCode === ReturnCode.Congestion) this.core.counters.congested++;
    session.send({ type: PacketType.PubAck, topicId: topicIdOf(packet.topic), msgId: packet.msgId, returnCode });
  }
}

/** The broker is still to answer a PUBLISH with this MsgId, of QoS 1 or 2. */
function isAsked({ pendingQos1, qos2 }: ClientSession, msgId: number): boolean {
  return pendingQos1.has(msgId) || qos2.get(msgId)?.phase === InboundPhase.AwaitPubrec;
}

/** PUBACK repeats the TopicId field of the PUBLISH, a short name included (5.4.13). */
function topicIdOf(topic: PublishTopic): number {
  if (topic.kind !== TopicType.Short) return topic.id;
  const [high, low] = new TextEncoder().encode(topic.name);
  return (high! << 8) | low!;
}
