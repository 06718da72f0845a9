// One client as the gateway remembers it. What it may do next depends on `state`; everything else here outlives a
// disconnection if the client asked for that (CleanSession=0).
import { TopicType } from '../../assembly/protocol/index.js';
import { SmallMap, SmallSet } from '../core/small-map.js';
import type { Timer } from '../core/timer-queue.js';
import type { Message, Millis, PacketId, Qos } from '../ports.js';
import type { Packet, PublishTopic } from '../wire/index.js';
import { nameBytes } from '../wire/index.js';
import type { Core, Job } from './core.js';
import type { DeliveryOwner } from './delivery.js';
import { Delivery } from './delivery.js';
import type { Peer } from './peer.js';
import { type Recent, RecentRequests } from './recent-requests.js';
import { encodeRecord, keyOf } from './session-record.js';
import { TopicTable } from './topic-table.js';
import type { LinkOwner, UpstreamLink } from './upstream-link.js';

/** Figure 4 of 6.14, with the time before CONNACK as a state of its own. Disconnected and lost are both `Offline`. */
export const enum SessionState {
  Offline,
  /** The broker has been asked; CONNACK is owed. */
  Connecting,
  Active,
  Asleep,
  /** Asked for its messages: PINGRESP is owed after the last. */
  Awake,
}

/** A short topic name is exactly two octets (5.3.12). */
const SHORT_NAME_BYTES = 2;

export interface Subscription {
  readonly qos: Qos;
  /** How the client named the topic: messages for it are named in the same way. */
  readonly kind: TopicType;
  /** The predefined id that it used. */
  readonly id: number | undefined;
}

const NOT_SUBSCRIBED = { kind: undefined, id: undefined };

/** How far a QoS 2 PUBLISH of the client has come. */
export const enum InboundPhase {
  /** The broker's PUBREC. */
  AwaitPubrec,
  /** The client's PUBREL. */
  AwaitPubrel,
  /** The broker's PUBCOMP. */
  AwaitPubcomp,
}

/** A QoS 2 PUBLISH of the client on its way to the broker. */
export interface InboundQos2 {
  readonly fingerprint: number;
  phase: InboundPhase;
  /** The same request among the recent ones, which outlives the handshake; undefined where its PUBLISH was not seen. */
  readonly recent: Recent | undefined;
}

/** The CONNECT that a session rests on. */
export interface ConnectedBy {
  readonly fingerprint: number;
  readonly peerKey: string;
  readonly will: boolean;
  /** When CONNACK was sent. */
  at: Millis;
}

/** What a session reports to whoever looks after all of them. */
export interface SessionEvents {
  overrun(session: ClientSession, now: Millis): void;
  unreachable(session: ClientSession, now: Millis): void;
  paused(session: ClientSession, now: Millis): void;
  drained(session: ClientSession, now: Millis): void;
  /** The session with the broker is open. */
  connected(session: ClientSession, sessionPresent: boolean, now: Millis): void;
  /** It was ended, not by us. */
  closed(session: ClientSession, reason: string, now: Millis): void;
  /** The broker has answered all that it was asked. */
  idle(session: ClientSession, now: Millis): void;
}

export class ClientSession implements DeliveryOwner, LinkOwner {
  state: SessionState = SessionState.Offline;
  peer: Peer | undefined;
  clean = true;
  /** 0: not supervised. */
  keepAliveMs = 0;
  /** As of the DISCONNECT that announced it. */
  sleepMs = 0;
  lastHeard: Millis = 0;
  /** Nothing is delivered until the client is heard: its retries are used up, or it is connecting anew. */
  stalled = false;
  aliveTimer: Timer<Job> | undefined;
  connectedBy: ConnectedBy | undefined;

  will: Message | undefined;
  readonly topics: TopicTable;
  readonly subscriptions = new SmallMap<string, Subscription>();
  /** Filters of SUBSCRIBEs that the broker has not answered, each with its request. */
  asking: Map<Recent, string> | undefined;
  readonly delivery: Delivery;

  /** QoS 1 PUBLISHes that the broker has not taken yet, by MsgId. */
  readonly pendingQos1 = new SmallSet<number>();
  readonly qos2 = new SmallMap<number, InboundQos2>();
  readonly recent: RecentRequests;

  link: UpstreamLink | undefined;
  /** While the broker is being asked to open the session. */
  linkTimer: Timer<Job> | undefined;
  /** To be sent once the broker has the session open: what a will update is answered with. */
  owed: Packet | undefined;
  /** The broker session is to be opened anew as soon as no request is pending there. */
  reopen = false;

  constructor(
    private readonly core: Core,
    readonly clientId: string,
    private readonly events: SessionEvents,
  ) {
    this.topics = new TopicTable(core.config.topicsMax, core.config.namesBytesMax, core.random);
    this.recent = new RecentRequests(core.config.recentMax, core.config.lateDuplicateMs);
    this.delivery = new Delivery(core, this);
  }

  send(packet: Packet): void {
    if (this.peer !== undefined) this.core.outlet.send(this.peer, packet);
  }

  /** Makes what a restart must not forget durable, before anybody is told that it is so. */
  save(): void {
    const { store } = this.core;
    if (store === undefined || this.clean) return;
    const { clientId, keepAliveMs, sleepMs, will, peer, state } = this;
    // Where a client connects from it is only with CONNACK; and where it was before, somebody else may be by now.
    const isThere = peer !== undefined && state !== SessionState.Offline && state !== SessionState.Connecting;
    const isAsleep = state === SessionState.Asleep || state === SessionState.Awake;
    const topics = [...this.topics.all()];
    const subscriptions = [...this.subscriptions];
    const where = isThere ? peer : undefined;
    const record = { clientId, peer: where, isAsleep, keepAliveMs, sleepMs, will, topics, subscriptions };
    store.put(keyOf(clientId), encodeRecord(record));
  }

  /**
   * In the words in which the client subscribed to exactly this topic; where it subscribed by wildcards, in those that
   * need no REGISTER: a predefined id, then a short name (6.9).
   */
  publishTopic(name: string): PublishTopic | undefined {
    const { kind, id: own } = this.subscriptions.get(name) ?? NOT_SUBSCRIBED;
    if (kind !== TopicType.Normal) {
      const id = kind === TopicType.Short ? undefined : (own ?? this.core.predefined.idOf(this.clientId, name));
      if (id !== undefined) return { kind: TopicType.Predefined, id };
      if (nameBytes(name) === SHORT_NAME_BYTES) return { kind: TopicType.Short, name };
    }
    const id = this.topics.knownIdOf(name);
    return id === undefined ? undefined : { kind: TopicType.Normal, id };
  }

  /** The name that the client means in a PUBLISH. */
  nameOf(topic: PublishTopic): string | undefined {
    if (topic.kind === TopicType.Short) return topic.name;
    if (topic.kind === TopicType.Predefined) return this.core.predefined.nameOf(this.clientId, topic.id);
    return this.topics.nameOf(topic.id);
  }

  brokerKeeps(): boolean {
    return this.link !== undefined && !this.link.options.clean;
  }

  acknowledge(id: PacketId, now: Millis): boolean {
    return this.link?.acknowledge(id, now) ?? false;
  }

  complete(id: PacketId, now: Millis): void {
    this.link?.complete(id, now);
  }

  overrun(now: Millis): void {
    this.events.overrun(this, now);
  }

  unreachable(now: Millis): void {
    this.events.unreachable(this, now);
  }

  paused(now: Millis): void {
    this.events.paused(this, now);
  }

  drained(now: Millis): void {
    this.events.drained(this, now);
  }

  connected(sessionPresent: boolean, now: Millis): void {
    this.events.connected(this, sessionPresent, now);
  }

  message(message: Message, id: PacketId, dup: boolean, now: Millis): void {
    this.delivery.enqueue(message, id, dup, now);
  }

  released(id: PacketId, now: Millis): void {
    this.delivery.released(id, now);
  }

  closed(reason: string, now: Millis): void {
    this.events.closed(this, reason, now);
  }

  idle(now: Millis): void {
    this.events.idle(this, now);
  }
}
