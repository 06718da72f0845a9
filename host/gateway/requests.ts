// REGISTER, SUBSCRIBE and UNSUBSCRIBE of clients (6.5, 6.9).
import { PacketType, ReturnCode, TOPIC_ID_NONE, TopicType } from '../../assembly/protocol/index.js';
import { isValidTopicFilter, isValidTopicName } from '../core/topics.js';
import type { Millis, Qos } from '../ports.js';
import type { FilterTopic, Packet } from '../wire/index.js';
import { nameBytes } from '../wire/index.js';
import type { GatewayConfig } from './config.js';
import type { Core } from './core.js';
import { fingerprint } from './fingerprint.js';
import type { Recent } from './recent-requests.js';
import type { ClientSession } from './session.js';

type Register = Extract<Packet, { type: PacketType.Register }>;
type Subscribe = Extract<Packet, { type: PacketType.Subscribe }>;
type Unsubscribe = Extract<Packet, { type: PacketType.Unsubscribe }>;

const WILDCARDS = /[+#]/;

export class Requests {
  constructor(private readonly core: Core) {}

  onRegister(session: ClientSession, packet: Register, datagram: Uint8Array, now: Millis): void {
    const recent = this.begin(session, packet.msgId, datagram, now);
    if (recent === undefined) return;
    const { msgId, topicName } = packet;
    let topicId: number | undefined = TOPIC_ID_NONE;
    let returnCode = ReturnCode.NotSupported;
    if (isValidTopicName(topicName) && this.mayName(session, topicName)) {
      topicId = session.topics.assign(topicName);
      returnCode = topicId === undefined ? ReturnCode.Congestion : ReturnCode.Accepted;
      if (topicId !== undefined) session.topics.setKnown(topicId, true);
      session.save();
    }
    this.end(session, recent, { type: PacketType.RegAck, topicId: topicId ?? TOPIC_ID_NONE, msgId, returnCode }, now);
  }

  onSubscribe(session: ClientSession, packet: Subscribe, datagram: Uint8Array, now: Millis): void {
    const recent = this.begin(session, packet.msgId, datagram, now);
    if (recent === undefined) return;
    const filter = this.filterOf(session, packet.topic);
    const refusal = this.refusal(session, packet.topic, filter);
    if (filter === undefined || refusal !== undefined) {
      this.end(session, recent, subackOf(packet, 0, TOPIC_ID_NONE, refusal ?? ReturnCode.InvalidTopicId), now);
      return;
    }
    session.asking ??= new Map();
    session.asking.set(recent, filter);
    session.link?.subscribe(filter, packet.qos, now, (granted, at) => {
      session.asking?.delete(recent);
      if (session.asking?.size === 0) session.asking = undefined;
      this.end(session, recent, this.subscribed(session, packet, filter, granted), at);
    });
  }

  onUnsubscribe(session: ClientSession, packet: Unsubscribe, datagram: Uint8Array, now: Millis): void {
    const recent = this.begin(session, packet.msgId, datagram, now);
    if (recent === undefined) return;
    const answer = { type: PacketType.UnsubAck, msgId: packet.msgId } as const;
    const filter = this.filterOf(session, packet.topic);
    // UNSUBACK cannot say no: what does not exist is not subscribed to (5.4.18).
    if (filter === undefined || !isValidTopicFilter(filter)) {
      this.end(session, recent, answer, now);
      return;
    }
    if (session.link !== undefined && session.link.pending >= this.core.config.requestsMax) {
      session.recent.forget(recent); // nor can it say "congestion": the client will try again
      return;
    }
    session.link?.unsubscribe(filter, now, (at) => {
      session.subscriptions.delete(filter);
      session.save();
      this.end(session, recent, answer, at);
    });
  }

  /** Undefined when the request is the copy of one that has been, or is being, carried out. */
  private begin(session: ClientSession, msgId: number, datagram: Uint8Array, now: Millis): Recent | undefined {
    const print = fingerprint(datagram);
    const copy = session.recent.copyOf(msgId, print, now);
    if (copy === undefined) return session.recent.add(msgId, print);
    this.core.counters.lateDuplicates++;
    if (copy.answer !== undefined) session.send(copy.answer);
    return undefined;
  }

  private end(session: ClientSession, recent: Recent, answer: Packet, now: Millis): void {
    if ('returnCode' in answer && answer.returnCode === ReturnCode.Congestion) {
      this.core.counters.congested++;
      session.recent.forget(recent);
    } else session.recent.answered(recent, answer, now);
    session.send(answer);
  }

  /** A topic may be named by who may publish to it or subscribe to it. */
  private mayName({ clientId }: ClientSession, topicName: string): boolean {
    const { permissions } = this.core;
    if (permissions.mayPublish(clientId, topicName) || permissions.maySubscribe(clientId, topicName)) return true;
    this.core.counters.denied++;
    return false;
  }

  private filterOf(session: ClientSession, topic: FilterTopic): string | undefined {
    return topic.kind === TopicType.Predefined ? this.core.predefined.nameOf(session.clientId, topic.id) : topic.name;
  }

  private refusal(session: ClientSession, topic: FilterTopic, filter: string | undefined): ReturnCode | undefined {
    if (filter === undefined) return ReturnCode.InvalidTopicId;
    if (!isValidTopicFilter(filter)) return ReturnCode.NotSupported;
    if (!this.core.permissions.maySubscribe(session.clientId, filter)) {
      this.core.counters.denied++;
      this.core.log('warn', 'subscribe-denied', { clientId: session.clientId, filter });
      return ReturnCode.NotSupported;
    }
    if (session.link === undefined || session.link.pending >= this.core.config.requestsMax)
      return ReturnCode.Congestion;
    if (!hasRoom(session, filter, this.core.config)) return ReturnCode.Congestion;
    // Found out before the broker is asked, so that a subscription is never half made.
    if (needsId(topic) && session.topics.assign(filter) === undefined) return ReturnCode.Congestion;
    return undefined;
  }

  private subscribed(session: ClientSession, packet: Subscribe, filter: string, granted: Qos | undefined): Packet {
    if (granted === undefined) return subackOf(packet, 0, TOPIC_ID_NONE, ReturnCode.NotSupported);
    const { topic } = packet;
    const id = topic.kind === TopicType.Predefined ? topic.id : undefined;
    session.subscriptions.set(filter, { qos: granted, kind: topic.kind, id });
    let topicId: number = TOPIC_ID_NONE; // wildcards and short names have none (5.4.16)
    if (topic.kind === TopicType.Predefined) topicId = topic.id;
    else if (needsId(topic)) {
      topicId = session.topics.assign(filter) ?? TOPIC_ID_NONE;
      session.topics.setKnown(topicId, true);
    }
    session.save();
    return subackOf(packet, granted, topicId, ReturnCode.Accepted);
  }
}

/** Those that the broker has not answered will be subscriptions, too. */
function hasRoom({ subscriptions, asking }: ClientSession, filter: string, config: GatewayConfig): boolean {
  if (subscriptions.has(filter)) return true;
  const filters = new Set([...subscriptions.keys(), ...(asking?.values() ?? [])]);
  if (filters.has(filter)) return true;
  let bytes = nameBytes(filter);
  for (const other of filters) bytes += nameBytes(other);
  return filters.size < config.subscriptionsMax && bytes <= config.namesBytesMax;
}

/** A topic by its name gets an id with SUBACK; with wildcards there is no one topic yet (6.9). */
function needsId(topic: FilterTopic): boolean {
  return topic.kind === TopicType.Normal && !WILDCARDS.test(topic.name);
}

function subackOf(packet: Subscribe, qos: Qos, topicId: number, returnCode: ReturnCode): Packet {
  return { type: PacketType.SubAck, qos, topicId, msgId: packet.msgId, returnCode };
}
