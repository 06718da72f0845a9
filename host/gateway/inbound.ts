// PUBLISH from clients to the broker, with the handshakes of QoS 1 and 2 (6.6). The client is told "accepted" when the broker
// has taken responsibility, and not before.
import { PacketType, ReturnCode, TopicType } from '../../assembly/protocol/index.js';
import { isValidTopicName } from '../core/topics.js';
import type { Message, Millis } from '../ports.js';
import type { Packet, PublishTopic } from '../wire/index.js';
import type { Core } from './core.js';
import { fingerprint } from './fingerprint.js';
import { MSG_ID_NONE } from './msg-ids.js';
import type { ClientSession } from './session.js';

type Publish = Extract<Packet, { type: PacketType.Publish }>;

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
    const message: Message = { topic, payload: new Uint8Array(packet.data), qos: qos === -1 ? 0 : qos, retain };
    if (qos === 2) this.publishQos2(session, packet, message, fingerprint(datagram), now);
    else if (qos === 1) this.publishQos1(session, packet, message, fingerprint(datagram), now);
    else this.publishQos0(session, packet, message, now);
  }

  onPubrel(session: ClientSession, msgId: number, now: Millis): void {
    const record = session.qos2.get(msgId);
    if (record !== undefined && !record.taken) {
      // PUBREC was not sent yet: this PUBREL belongs to an earlier handshake with the same MsgId.
      this.core.counters.unexpected++;
      return;
    }
    if (record !== undefined) session.recent.touch(record.recent, now);
    session.qos2.delete(msgId);
    // Also for an unknown id: the PUBCOMP before this one was lost (6.6).
    session.send({ type: PacketType.PubComp, msgId });
  }

  private publishQos0(session: ClientSession, packet: Publish, message: Message, now: Millis): void {
    this.core.counters.publishesInQos0++;
    session.link?.publish(message, now, (accepted) => {
      // PUBACK with an error may answer any QoS (6.6).
      if (!accepted) this.answer(session, packet, ReturnCode.Congestion);
    });
  }

  /** A retransmission while the broker decides is swallowed; any other copy is published again, as QoS 1 may be. */
  private publishQos1(session: ClientSession, packet: Publish, message: Message, print: number, now: Millis): void {
    if (session.pendingQos1.has(print)) return;
    if (this.isBusy(session)) {
      this.answer(session, packet, ReturnCode.Congestion);
      return;
    }
    this.core.counters.publishesInQos1++;
    session.pendingQos1.add(print);
    session.link?.publish(message, now, (accepted) => {
      session.pendingQos1.delete(print);
      this.answer(session, packet, accepted ? ReturnCode.Accepted : ReturnCode.Congestion);
    });
  }

  private publishQos2(session: ClientSession, packet: Publish, message: Message, print: number, now: Millis): void {
    const { msgId } = packet;
    const received = { type: PacketType.PubRec, msgId } as const;
    const open = session.qos2.get(msgId);
    // Under the MsgId of an open handshake, other octets are another message: the client has started counting anew.
    if (open?.fingerprint === print) {
      if (open.taken) session.send(received);
      return;
    }
    const copy = session.recent.copyOf(msgId, print, now);
    if (copy !== undefined) {
      this.core.counters.lateDuplicates++;
      if (copy.answer !== undefined) session.send(copy.answer);
      return;
    }
    if (this.isBusy(session)) {
      this.answer(session, packet, ReturnCode.Congestion);
      return;
    }
    this.core.counters.publishesInQos2++;
    const recent = session.recent.add(msgId, print);
    const record = { fingerprint: print, taken: false, recent };
    this.makeRoom(session);
    session.qos2.set(msgId, record);
    session.link?.publish(message, now, (accepted, at) => {
      if (accepted) {
        record.taken = true;
        session.recent.answered(recent, received, at);
        session.send(received);
        return;
      }
      session.recent.forget(recent);
      if (session.qos2.get(msgId) === record) session.qos2.delete(msgId);
      this.answer(session, packet, ReturnCode.Congestion);
    });
  }

  /** A client has one handshake at a time (6.6): of many open ones, the oldest were given up. */
  private makeRoom(session: ClientSession): void {
    if (session.qos2.size < this.core.config.qos2Max) return;
    const [oldest] = session.qos2.keys();
    if (oldest !== undefined) session.qos2.delete(oldest);
  }

  private isBusy(session: ClientSession): boolean {
    return session.link === undefined || session.link.pending >= this.core.config.requestsMax;
  }

  private answer(session: ClientSession, packet: Publish, returnCode: ReturnCode): void {
    if (returnCode === ReturnCode.Congestion) this.core.counters.congested++;
    session.send({ type: PacketType.PubAck, topicId: topicIdOf(packet.topic), msgId: packet.msgId, returnCode });
  }
}

/** PUBACK repeats the TopicId field of the PUBLISH, a short name included (5.4.13). */
function topicIdOf(topic: PublishTopic): number {
  if (topic.kind !== TopicType.Short) return topic.id;
  const [high, low] = new TextEncoder().encode(topic.name);
  return (high! << 8) | low!;
}
