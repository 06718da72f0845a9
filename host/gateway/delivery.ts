// Messages from the broker to one client: REGISTER where the client does not know the topic, PUBLISH, and the handshake that
// the QoS asks for (6.6, 6.10). Strictly one after the other, whatever the QoS: that keeps the order of each topic and
// never has more than one REGISTER and one PUBLISH outstanding (6.5, 6.6).
//
// The handshakes of QoS 1 and 2 are the broker's and the client's, under the broker's packet identifier; what is kept here
// is only how far the message at the head has come. So a gateway that is replaced in the middle, by itself after a
// restart or by another one, needs to know nothing: the broker repeats, and the client recognises the MsgId.
import { PacketType, ReturnCode, TopicType } from '../../assembly/protocol/index.js';
import { SmallSet } from '../core/small-map.js';
import type { Timer } from '../core/timer-queue.js';
import { isValidTopicName } from '../core/topics.js';
import type { Message, Millis, PacketId } from '../ports.js';
import type { Packet, PublishTopic } from '../wire/index.js';
import { nameBytes, publishBytes, registerBytes } from '../wire/index.js';
import type { Core, Job } from './core.js';
import type { BufferOwner, Outgoing } from './delivery-buffer.js';
import { DeliveryBuffer, Phase } from './delivery-buffer.js';
import { MsgIds } from './msg-ids.js';
import type { TopicTable } from './topic-table.js';

export interface DeliveryOwner {
  readonly clientId: string;
  readonly topics: TopicTable;
  /** The topic table has changed. */
  save(): void;
  send(packet: Packet): void;
  /** How the client calls the topic; undefined for one that has to be REGISTERed first. */
  publishTopic(name: string): PublishTopic | undefined;
  /** The broker would send unacknowledged messages again if its session were opened anew. */
  brokerKeeps(): boolean;
  /** Tells the broker that the client has the message: PUBACK or PUBREC. False where there is no broker session now. */
  acknowledge(id: PacketId, now: Millis): boolean;
  /** PUBCOMP to the broker. */
  complete(id: PacketId, now: Millis): void;
  /** The buffer is full, and a message of QoS 1 or 2 would be lost: better the session, of which the client is told. */
  overrun(now: Millis): void;
  /** N_retry retransmissions went without an answer. */
  unreachable(now: Millis): void;
  /** The client said "congestion": nothing more will be sent for a while. */
  paused(now: Millis): void;
  /** Nothing is left to be delivered. */
  drained(now: Millis): void;
}

type TopicAck = Extract<Packet, { type: PacketType.RegAck | PacketType.PubAck }>;
type DropReason = 'droppedTooLong' | 'droppedRejected' | 'droppedNoTopicId' | 'droppedBufferFull' | 'droppedDenied';

/** More handshakes than brokers have open with one client by default: mosquitto 20, others up to 100. */
const DROPPED_IDS_MAX = 128;

export class Delivery implements BufferOwner {
  private readonly buffer: DeliveryBuffer;
  private readonly msgIds: MsgIds;
  /** The client listens. */
  private running = false;
  /** Guards against a second pump inside the first: a link may answer before `send` returns. */
  private pumping = false;
  private tries = 0;
  private timer: Timer<Job> | undefined;
  /** The QoS 0 message sent last: its PUBACK, if there is one, says that the topic id was unknown (6.6). */
  private lastQos0: { readonly outgoing: Outgoing; readonly topicId: number } | undefined;
  /** A QoS 1 message that the client took when there was no broker session to tell it on. */
  private settledId: PacketId = 0;
  /** QoS 2 messages that were acknowledged in the client's stead: their PUBREL is not for the client. */
  private readonly droppedIds = new SmallSet<PacketId>();

  constructor(
    private readonly core: Core,
    private readonly owner: DeliveryOwner,
  ) {
    const { bufferMessagesMax, bufferBytesMax } = core.config;
    this.buffer = new DeliveryBuffer(bufferMessagesMax, bufferBytesMax, this);
    this.msgIds = new MsgIds(core.random);
  }

  /** Messages that wait for the client, the one under way included. */
  get waiting(): number {
    return this.buffer.messages;
  }

  /** Nothing is to be told to the client, not even the end of a handshake. */
  get isEmpty(): boolean {
    return this.buffer.head === undefined;
  }

  /** Octets of topics and payloads that wait. */
  get waitingBytes(): number {
    return this.buffer.bytes;
  }

  /** A message of QoS 1 or 2 is with the client and not yet acknowledged. */
  get isInFlight(): boolean {
    const { head } = this.buffer;
    return head !== undefined && head.phase !== Phase.Queued;
  }

  /** Messages were left with the broker for want of room. */
  get owed(): boolean {
    return this.buffer.owed;
  }

  enqueue(message: Message, id: PacketId, dup: boolean, now: Millis): void {
    if (id !== 0 && this.isKnown(id, now)) return;
    // A subscription may be older than the permissions.
    if (!this.core.permissions.mayReceive(this.owner.clientId, message.topic)) {
      this.countDropped('droppedDenied', message);
      this.settle(message, id, now);
      return;
    }
    const taken = this.buffer.add(message, id, dup, this.owner.brokerKeeps());
    if (taken === 'dropped') this.countDropped('droppedBufferFull', message);
    else if (taken === 'too-large') {
      this.countDropped('droppedTooLong', message);
      this.settle(message, id, now); // or the broker would stop at its own limit of unacknowledged messages
    } else if (taken === 'overrun') {
      this.countDropped('droppedBufferFull', message);
      this.owner.overrun(now);
      return;
    } else if (taken === 'left-with-broker') {
      this.core.counters.leftWithBroker++;
      this.core.log('info', 'left-with-broker', { clientId: this.owner.clientId, topic: message.topic });
    }
    this.pump(now);
  }

  /** The broker's PUBREL. */
  released(id: PacketId, now: Millis): void {
    if (this.droppedIds.delete(id)) {
      this.owner.complete(id, now);
      return;
    }
    const known = this.buffer.find(id);
    if (known === undefined) this.buffer.addRelease(id);
    else if (known.phase === Phase.AwaitPubrel) this.release(known, now);
    this.pump(now);
  }

  /** The client listens: sends the head again, with all its retries, and goes on from there. */
  resume(now: Millis): void {
    this.running = true;
    this.tries = 0;
    this.stopTimer();
    const { head } = this.buffer;
    if (head?.phase === Phase.AwaitPubcomp) this.release(head, now);
    else if (head !== undefined && head.phase !== Phase.AwaitPubrel) head.phase = Phase.Queued;
    this.pump(now);
  }

  /** The client does not listen any more. Everything stays as it is; an answer may still be on its way. */
  suspend(): void {
    this.running = false;
    this.stopTimer();
  }

  /**
   * The client is gone, and may come back on another gateway. The broker has everything that was not acknowledged, and
   * repeats it wherever that is; what was kept here would be told a second time, or wait for an answer that was given
   * elsewhere.
   */
  leaveToBroker(): void {
    this.buffer.owed = false;
    this.settledId = 0;
    this.droppedIds.clear();
    this.buffer.filterOut(({ id, orphaned }) => id !== 0 && !orphaned);
  }

  /**
   * The broker session was opened anew. If the broker had kept it, it repeats everything that was not acknowledged, in order:
   * what is under way goes on where it is, under the same identifier, the rest is left to that. If not, what is here is
   * all there is, and nobody is to be told of it.
   */
  upstreamBack(sessionPresent: boolean, now: Millis): void {
    this.buffer.owed = false;
    if (sessionPresent) {
      this.buffer.filterOut(({ id, orphaned, phase }) => id !== 0 && !orphaned && phase === Phase.Queued);
      return;
    }
    this.settledId = 0;
    this.droppedIds.clear();
    for (const outgoing of this.buffer.queue) outgoing.orphaned = true;
    const { head } = this.buffer;
    if (head?.phase === Phase.AwaitPubrel) this.release(head, now);
  }

  onRegack(packet: TopicAck, now: Millis): void {
    const { head } = this.buffer;
    if (head?.phase !== Phase.AwaitRegack || head.registerMsgId !== packet.msgId) {
      this.unexpected();
      return;
    }
    if (packet.returnCode === ReturnCode.Accepted) {
      const id = this.owner.topics.assign(head.message.topic);
      if (id !== undefined) this.owner.topics.setKnown(id, true);
      this.owner.save();
      this.requeueHead(now);
    } else if (packet.returnCode === ReturnCode.Congestion) this.pause(head, now);
    else if (packet.returnCode === ReturnCode.InvalidTopicId) this.registerAgain(head, now);
    else this.dropHead('droppedRejected', now);
  }

  onPuback(packet: TopicAck, now: Millis): void {
    const { head } = this.buffer;
    const { msgId, returnCode } = packet;
    if (msgId === 0) {
      this.onQos0Refused(packet.topicId, returnCode, now);
      return;
    }
    if (head?.id !== msgId || !head.onAir) {
      this.unexpected();
      return;
    }
    if (returnCode === ReturnCode.Accepted && head.message.qos === 1) {
      // Whatever has been begun since, a REGISTER included: the client has it.
      if (!head.orphaned && !this.owner.acknowledge(msgId, now)) this.settledId = msgId;
      this.finishHead(now);
      return;
    }
    const awaited = head.phase === Phase.AwaitPuback || head.phase === Phase.AwaitPubrec;
    if (!awaited || returnCode === ReturnCode.Accepted) this.unexpected();
    else if (returnCode === ReturnCode.Congestion) this.pause(head, now);
    else if (returnCode === ReturnCode.InvalidTopicId && this.isRegistered(head)) {
      this.forgetTopic(head);
      this.registerAgain(head, now);
    } else this.dropHead('droppedRejected', now);
  }

  onPubrec(msgId: number, now: Millis): void {
    const { head } = this.buffer;
    const isHead = head?.id === msgId && head.message.qos === 2 && head.onAir;
    if (!isHead) {
      // A copy, or from before a restart: then the broker repeats the message, and all begins anew.
      this.unexpected();
    } else if (head.phase === Phase.AwaitPubcomp) this.release(head, now);
    else if (head.orphaned) {
      this.tries = 0;
      this.release(head, now);
    } else if (head.phase !== Phase.AwaitPubrel) {
      // The client has it, even if a late copy of a PUBACK 0x02 made us begin anew.
      head.phase = Phase.AwaitPubrel;
      this.tries = 0;
      this.stopTimer();
      this.owner.acknowledge(msgId, now);
    }
  }

  onPubcomp(msgId: number, now: Millis): void {
    const { head } = this.buffer;
    if (head?.phase !== Phase.AwaitPubcomp || head.id !== msgId) {
      this.unexpected();
      return;
    }
    if (!head.orphaned) this.owner.complete(msgId, now);
    this.finishHead(now);
  }

  private pump(now: Millis): void {
    if (this.pumping || !this.running) return;
    this.pumping = true;
    try {
      while (this.running && this.buffer.head?.phase === Phase.Queued) this.step(this.buffer.head, now);
    } finally {
      this.pumping = false;
    }
    if (this.running && this.buffer.head === undefined) this.owner.drained(now);
  }

  private step(head: Outgoing, now: Millis): void {
    const { message } = head;
    if (head.onlyRelease) {
      this.release(head, now);
      return;
    }
    if (publishBytes(message.payload.length) > this.core.config.maxPacketBytes) {
      this.dropHead('droppedTooLong', now);
      return;
    }
    // Nor can a name be sent that no client could name.
    if (!isValidTopicName(message.topic)) {
      this.dropHead('droppedRejected', now);
      return;
    }
    const topic = this.owner.publishTopic(message.topic);
    if (topic === undefined) this.register(head, now);
    else this.publish(head, topic, now);
  }

  private register(head: Outgoing, now: Millis): void {
    const { topic } = head.message;
    const { topicBytesMax, maxPacketBytes } = this.core.config;
    const bytes = nameBytes(topic);
    if (bytes > topicBytesMax || registerBytes(bytes) > maxPacketBytes) {
      this.dropHead('droppedTooLong', now);
      return;
    }
    const topicId = this.owner.topics.assign(topic);
    if (topicId === undefined) {
      this.dropHead('droppedNoTopicId', now);
      return;
    }
    head.phase = Phase.AwaitRegack;
    if (head.registerMsgId === 0) head.registerMsgId = this.msgIds.next(head.id);
    this.armRetry(now);
    this.owner.send({ type: PacketType.Register, topicId, msgId: head.registerMsgId, topicName: topic });
  }

  private publish(head: Outgoing, topic: PublishTopic, now: Millis): void {
    const { qos, retain, payload } = head.message;
    const dup = head.sent;
    head.sent = true;
    head.onAir = true;
    if (qos === 0) {
      this.buffer.shift();
      this.lastQos0 = topic.kind === TopicType.Normal ? { outgoing: head, topicId: topic.id } : undefined;
      this.core.counters.publishesOutQos0++;
    } else {
      if (!dup) this.core.counters[qos === 1 ? 'publishesOutQos1' : 'publishesOutQos2']++;
      head.phase = qos === 1 ? Phase.AwaitPuback : Phase.AwaitPubrec;
      this.armRetry(now);
    }
    // DUP has no meaning at QoS 0 (5.3.4).
    this.owner.send({
      type: PacketType.Publish,
      dup: dup && qos > 0,
      qos,
      retain,
      topic,
      msgId: head.id,
      data: payload,
    });
  }

  private armRetry(now: Millis): void {
    this.stopTimer();
    if (!this.running) return;
    this.timer = this.core.at(now + this.core.config.tRetryMs, (at) => this.onRetry(at));
  }

  private onRetry(now: Millis): void {
    this.timer = undefined;
    const { head } = this.buffer;
    if (head === undefined) return;
    if (++this.tries > this.core.config.nRetry) {
      this.owner.unreachable(now);
      return;
    }
    this.core.counters.retransmissions++;
    if (head.phase === Phase.AwaitPubcomp) {
      this.release(head, now);
      return;
    }
    head.phase = Phase.Queued;
    this.pump(now);
  }

  /** PUBREL, as soon as the client listens. */
  private release(head: Outgoing, now: Millis): void {
    head.phase = Phase.AwaitPubcomp;
    head.onAir = true;
    this.armRetry(now);
    if (this.running) this.owner.send({ type: PacketType.PubRel, msgId: head.id });
  }

  /** A REGISTER or PUBLISH was refused for now: T_WAIT is what the other direction waits, too (6.5, 6.6). */
  private pause(head: Outgoing, now: Millis): void {
    head.phase = Phase.AwaitRoom;
    this.tries = 0;
    this.stopTimer();
    this.timer = this.core.at(now + this.core.config.tWaitMs, (at) => this.requeueHead(at));
    this.owner.paused(now);
  }

  private requeueHead(now: Millis): void {
    const { head } = this.buffer;
    this.tries = 0;
    this.stopTimer();
    if (head !== undefined) {
      head.phase = Phase.Queued;
      head.registerMsgId = 0;
    }
    this.pump(now);
  }

  private registerAgain(head: Outgoing, now: Millis): void {
    if (++head.unknownTopic > this.core.config.nRetry) this.dropHead('droppedRejected', now);
    else this.requeueHead(now);
  }

  private isRegistered(head: Outgoing): boolean {
    const topic = this.owner.publishTopic(head.message.topic);
    return topic === undefined || topic.kind === TopicType.Normal;
  }

  private forgetTopic(head: Outgoing): void {
    const id = this.owner.topics.knownIdOf(head.message.topic);
    if (id !== undefined) this.owner.topics.setKnown(id, false);
  }

  /** PUBACK may refuse a PUBLISH with QoS 0 too, and then carries MsgId 0 (6.6). */
  private onQos0Refused(topicId: number, returnCode: number, now: Millis): void {
    const last = this.lastQos0;
    if (returnCode !== ReturnCode.InvalidTopicId) {
      this.unexpected();
      return;
    }
    this.owner.topics.setKnown(topicId, false);
    if (last?.topicId !== topicId) {
      this.unexpected();
      return;
    }
    this.lastQos0 = undefined;
    if (++last.outgoing.unknownTopic > this.core.config.nRetry) {
      this.countDropped('droppedRejected', last.outgoing.message);
      return;
    }
    if (!this.buffer.putBack(last.outgoing)) this.countDropped('droppedBufferFull', last.outgoing.message);
    this.pump(now);
  }

  /** The broker repeats a message that is here, or that the client has had. */
  private isKnown(id: PacketId, now: Millis): boolean {
    const known = this.buffer.find(id);
    const isTaken = known?.phase === Phase.AwaitPubrel || known?.phase === Phase.AwaitPubcomp;
    const isSettled = this.settledId === id || this.droppedIds.has(id);
    if (isTaken || isSettled) this.owner.acknowledge(id, now);
    if (this.settledId === id) this.settledId = 0;
    return known !== undefined || isSettled;
  }

  /** Acknowledged in the client's stead. */
  private settle({ qos }: Message, id: PacketId, now: Millis): void {
    if (qos === 2) {
      // A broker that does not go on with them makes this grow. To a PUBREL that nobody expects the client says PUBCOMP.
      const [oldest] = this.droppedIds.keys();
      if (this.droppedIds.size >= DROPPED_IDS_MAX && oldest !== undefined) this.droppedIds.delete(oldest);
      this.droppedIds.add(id);
    }
    if (qos > 0) this.owner.acknowledge(id, now);
  }

  private finishHead(now: Millis): void {
    this.buffer.shift();
    this.tries = 0;
    this.stopTimer();
    this.pump(now);
  }

  private dropHead(reason: DropReason, now: Millis): void {
    const { head } = this.buffer;
    if (head === undefined) return;
    this.countDropped(reason, head.message);
    if (!head.orphaned) this.settle(head.message, head.id, now);
    this.finishHead(now);
  }

  overflowed(message: Message): void {
    this.countDropped('droppedBufferFull', message);
  }

  private countDropped(reason: DropReason, message: Message): void {
    this.core.counters[reason]++;
    const { topic, qos, payload } = message;
    const fields = { clientId: this.owner.clientId, reason, topic, qos, payloadBytes: payload.length };
    this.core.log('warn', 'message-dropped', fields);
  }

  private stopTimer(): void {
    this.core.cancel(this.timer);
    this.timer = undefined;
  }

  private unexpected(): void {
    this.core.counters.unexpected++;
  }
}
