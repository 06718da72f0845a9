// Messages from the broker to one client: REGISTER where the client does not know the topic, PUBLISH, and the handshake that
// the QoS asks for (6.6, 6.10). Strictly one after the other, whatever the QoS: that keeps the order of each topic and
// never has more than one REGISTER and one PUBLISH outstanding (6.5, 6.6).
import { PacketType, ReturnCode, TopicType } from '../../assembly/protocol/index.js';
import type { Timer } from '../core/timer-queue.js';
import { isValidTopicName } from '../core/topics.js';
import type { Message, Millis } from '../ports.js';
import type { Packet, PublishTopic } from '../wire/index.js';
import { nameBytes, publishBytes, registerBytes } from '../wire/index.js';
import type { Core, Job } from './core.js';
import type { Outgoing } from './delivery-buffer.js';
import { DeliveryBuffer, Phase } from './delivery-buffer.js';
import { sameMessage } from './message.js';
import { MsgIds } from './msg-ids.js';
import type { TopicTable } from './topic-table.js';

export interface DeliveryOwner {
  readonly clientId: string;
  readonly topics: TopicTable;
  send(packet: Packet): void;
  /** How the client calls the topic; undefined for one that has to be REGISTERed first. */
  publishTopic(name: string): PublishTopic | undefined;
  /** The broker would send unacknowledged messages again if its session were opened anew. */
  brokerKeeps(): boolean;
  /** N_retry retransmissions went without an answer. */
  unreachable(now: Millis): void;
  /** The client said "congestion": nothing more will be sent for a while. */
  paused(now: Millis): void;
  /** Nothing is left to be delivered. */
  drained(now: Millis): void;
}

/** Messages that the client has, but that the broker, whose session ended too early, will send once more: how many are known. */
const SETTLED_MAX = 4;

type TopicAck = Extract<Packet, { type: PacketType.RegAck | PacketType.PubAck }>;
type DropReason = 'droppedTooLong' | 'droppedRejected' | 'droppedNoTopicId' | 'droppedBufferFull';

export class Delivery {
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
  private settled: Outgoing[] = [];

  constructor(
    private readonly core: Core,
    private readonly owner: DeliveryOwner,
  ) {
    const { bufferMessagesMax, bufferBytesMax } = core.config;
    this.buffer = new DeliveryBuffer(bufferMessagesMax, bufferBytesMax, (message) =>
      this.countDropped('droppedBufferFull', message),
    );
    this.msgIds = new MsgIds(core.random);
  }

  get waiting(): number {
    return this.buffer.queue.length;
  }

  /** Messages were left with the broker for want of room. */
  get owed(): boolean {
    return this.buffer.owed;
  }

  enqueue(message: Message, acknowledge: (now: Millis) => void, now: Millis): void {
    if (message.qos > 0 && this.takeRedelivery(message, acknowledge, now)) return;
    const taken = this.buffer.add(message, acknowledge, this.owner.brokerKeeps());
    if (taken === 'dropped') {
      this.countDropped('droppedBufferFull', message);
      acknowledge(now); // or the broker would stop at its own limit of unacknowledged messages
    } else if (taken === 'left-with-broker') {
      this.core.counters.leftWithBroker++;
      this.core.log('info', 'left-with-broker', { clientId: this.owner.clientId, topic: message.topic });
    }
    this.pump(now);
  }

  /** The client listens: sends the head again, with all its retries, and goes on from there. */
  resume(now: Millis): void {
    this.running = true;
    this.tries = 0;
    this.stopTimer();
    const { head } = this.buffer;
    if (head?.phase === Phase.AwaitPubcomp) this.release(head, now);
    else if (head !== undefined) head.phase = Phase.Queued;
    this.pump(now);
  }

  /** The client does not listen any more. Everything stays as it is; an answer may still be on its way. */
  suspend(): void {
    this.running = false;
    this.stopTimer();
  }

  /** The broker session is over: what has not been acknowledged cannot be any more. */
  upstreamOver(): void {
    for (const outgoing of this.buffer.queue) outgoing.acknowledge = undefined;
  }

  /**
   * The broker session is open again. If the broker had kept it, it sends everything again that was not acknowledged:
   * what was never on the air is left to that; what the client may have already goes on under its MsgId, and the second
   * copy is recognised by `takeRedelivery`, so that QoS 2 stays exactly-once.
   */
  upstreamBack(sessionPresent: boolean): void {
    this.buffer.owed = false;
    if (sessionPresent) {
      this.buffer.filterOut(({ told, sent }) => !told && !sent);
    } else {
      this.settled = [];
      for (const outgoing of this.buffer.queue) outgoing.told = true;
    }
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
    if (head === undefined || head.msgId !== msgId) {
      this.unexpected();
      return;
    }
    if (returnCode === ReturnCode.Accepted && head.message.qos === 1) {
      // Whatever has been begun since, a REGISTER included: the client has it.
      this.tell(head, now);
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
    const isHead = head?.msgId === msgId && head.message.qos === 2;
    if (isHead && head.phase !== Phase.AwaitPubcomp) {
      // The client has it, even if a late copy of a PUBACK 0x02 made us begin anew. From here on only PUBREL is owed, also
      // after a reconnect.
      head.phase = Phase.AwaitPubcomp;
      this.tell(head, now);
      this.tries = 0;
      this.release(head, now);
    } else {
      // A copy, or a handshake that the gateway has forgotten: let the client finish it.
      this.owner.send({ type: PacketType.PubRel, msgId });
    }
  }

  onPubcomp(msgId: number, now: Millis): void {
    const { head } = this.buffer;
    if (head?.phase !== Phase.AwaitPubcomp || head.msgId !== msgId) {
      this.unexpected();
      return;
    }
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
    if (head.registerMsgId === 0) head.registerMsgId = this.msgIds.next(head.msgId);
    this.armRetry(now);
    this.owner.send({ type: PacketType.Register, topicId, msgId: head.registerMsgId, topicName: topic });
  }

  private publish(head: Outgoing, topic: PublishTopic, now: Millis): void {
    const { qos, retain, payload } = head.message;
    const dup = head.sent;
    head.sent = true;
    if (qos === 0) {
      this.buffer.shift();
      this.lastQos0 = topic.kind === TopicType.Normal ? { outgoing: head, topicId: topic.id } : undefined;
      this.core.counters.publishesOutQos0++;
    } else {
      if (head.msgId === 0) {
        head.msgId = this.msgIds.next(0);
        this.core.counters[qos === 1 ? 'publishesOutQos1' : 'publishesOutQos2']++;
      }
      head.phase = qos === 1 ? Phase.AwaitPuback : Phase.AwaitPubrec;
      this.armRetry(now);
    }
    // DUP has no meaning at QoS 0 (5.3.4).
    const { msgId } = head;
    this.owner.send({ type: PacketType.Publish, dup: dup && qos > 0, qos, retain, topic, msgId, data: payload });
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

  private release(head: Outgoing, now: Millis): void {
    this.armRetry(now);
    this.owner.send({ type: PacketType.PubRel, msgId: head.msgId });
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
    this.buffer.putBack(last.outgoing);
    this.pump(now);
  }

  /** The broker's second copy of a message that the client has, or that is on its way to it. */
  private takeRedelivery(message: Message, acknowledge: (now: Millis) => void, now: Millis): boolean {
    const settled = this.settled.findIndex((outgoing) => sameMessage(outgoing.message, message));
    if (settled >= 0) {
      this.settled.splice(settled, 1);
      acknowledge(now);
      return true;
    }
    const twin = this.buffer.queue.find(
      (outgoing) =>
        outgoing.sent && !outgoing.told && outgoing.acknowledge === undefined && sameMessage(outgoing.message, message),
    );
    if (twin === undefined) return false;
    twin.acknowledge = acknowledge;
    if (twin.phase === Phase.AwaitPubcomp) this.tell(twin, now);
    return true;
  }

  /** The broker's part is done, if there is a broker session to tell it on. */
  private tell(outgoing: Outgoing, now: Millis): void {
    const { acknowledge } = outgoing;
    if (outgoing.told || acknowledge === undefined) return;
    outgoing.told = true;
    outgoing.acknowledge = undefined;
    acknowledge(now);
  }

  private finishHead(now: Millis): void {
    const done = this.buffer.shift();
    this.tries = 0;
    this.stopTimer();
    if (done !== undefined && !done.told) {
      this.settled.push(done);
      if (this.settled.length > SETTLED_MAX) this.settled.shift();
    }
    this.pump(now);
  }

  private dropHead(reason: DropReason, now: Millis): void {
    const { head } = this.buffer;
    if (head === undefined) return;
    this.countDropped(reason, head.message);
    this.tell(head, now);
    this.finishHead(now);
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
