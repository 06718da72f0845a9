// What all connections of one broker share, and the one way by which a message reaches its subscribers.

import type { RateLimit } from '../core/rate-limit.js';
import { TimerQueue } from '../core/timer-queue.js';
import { topicLevels } from '../core/topics.js';
import type { Log, Millis, Qos, Random } from '../ports.js';
import { CommitGate } from './commit-gate.js';
import type { BrokerConfig } from './config.js';
import type { Connection } from './connection.js';
import { newCounters } from './counters.js';
import type { DurableState } from './durable.js';
import type { BrokerMessage, PublishPacket } from './packets.js';
import { RetainedStore } from './retained.js';
import { Routes, type Subscription } from './routes.js';
import type { Due, Session } from './session.js';
import { Publication } from './session-journal.js';
import { SessionRegistry } from './session-registry.js';
import type { ShareGroup } from './shared.js';
import { Turn } from './turn.js';
import { Wills } from './wills.js';

/** How a message is delivered: a subscription, or several in one. */
type Way = Pick<Subscription, 'qos' | 'retainAsPublished' | 'ids'>;

export interface BrokerSurroundings {
  readonly random: Random;
  readonly log: Log;
  readonly durable: DurableState | undefined;
  /** The next deadline has come nearer. */
  readonly wake: () => void;
  /** As of BrokerPorts. */
  readonly published: ((message: BrokerMessage, clientId: string | undefined, now: Millis) => void) | undefined;
}

/** What the server says of itself below this is said anew by the next process. */
const SYSTEM_TOPICS = '$SYS/';

export class BrokerState {
  readonly counters = newCounters();
  readonly timers = new TimerQueue<Due>();
  readonly turn = new Turn(() => this.settle());
  readonly routes = new Routes();
  readonly retained: RetainedStore;
  readonly sessions: SessionRegistry;
  readonly wills: Wills;
  /** Undefined: nothing outlives the process, and nothing waits. */
  readonly gate: CommitGate | undefined;
  /** Those that are not closed. */
  readonly connections = new Set<Connection>();
  /** Of these, those past their CONNECT. */
  openConnections = 0;
  connects: RateLimit | undefined;
  isStopped = false;
  /** The next deadline, as it was at the end of the last turn. */
  private knownDue = Number.POSITIVE_INFINITY;

  constructor(
    readonly config: BrokerConfig,
    readonly around: BrokerSurroundings,
  ) {
    const { durable } = around;
    this.retained = new RetainedStore(config);
    this.sessions = new SessionRegistry(this, durable);
    this.wills = new Wills(this, durable);
    this.gate = durable && new CommitGate(durable, (job, now) => this.later(job, now));
  }

  get random(): Random {
    return this.around.random;
  }

  get log(): Log {
    return this.around.log;
  }

  /** Something that comes by itself, and not from an adapter's call: an answer of a port. */
  later(job: (now: Millis) => void, now: Millis): void {
    this.turn.run(() => job(now));
  }

  /** The end of each turn. */
  private settle(): void {
    this.gate?.settle();
    const due = this.timers.nextDue();
    if (due < this.knownDue) this.around.wake();
    this.knownDue = due;
  }

  /** Takes up what another process has left. */
  restore(durable: DurableState, now: Millis): void {
    const { sessions, retained, wills } = durable.load();
    this.sessions.restore(sessions, durable, now);
    for (const message of retained) {
      if (this.retained.set(message)) continue;
      // Were its record left, it would come back some day, whatever has become of the topic by then.
      durable.deleteRetained(message.topic);
      this.counters.retainRefused++;
    }
    this.counters.retainedNow = this.retained.size;
    this.wills.restore(wills, (clientId) => this.sessions.get(clientId) !== undefined, now);
    const { size } = this.sessions;
    if (size + this.retained.size > 0) this.log('info', 'restored', { sessions: size, retained: this.retained.size });
  }

  /**
   * Publishes a message that is valid and allowed: retains it if it asks for that, and passes it on. `publisher`: the
   * session it comes from. How many it was passed on to.
   */
  publish(
    message: BrokerMessage,
    publisher: Session | undefined,
    now: Millis,
    levels = topicLevels(message.topic),
  ): number {
    if (levels > this.config.topicLevelsMax) {
      this.counters.droppedTooDeep++;
      return 0;
    }
    if (message.retain) this.retain(message, now);
    this.around.published?.(message, publisher?.clientId, now);
    const routes = this.routes.match(message.topic);
    if (routes.length === 0) return 0;
    const publication = new Publication(message);
    for (const route of routes) {
      const { first } = route;
      if (first === undefined) this.share(publication, route.group!, now);
      else {
        const way = first.session === publisher ? route.forPublisher() : route;
        if (way !== undefined) this.pass(publication, first.session, way, now);
      }
    }
    return routes.length;
  }

  private share(publication: Publication, group: ShareGroup, now: Millis): void {
    const { topic, qos } = publication.message;
    const member = group.pick(topic, qos);
    if (member === undefined) this.counters.droppedNobody++;
    else this.pass(publication, member.session, member, now, member.filter);
  }

  /** A session has ended and leaves these messages: those of shared subscriptions go to another that shares [section 4.8.2]. */
  inherit(messages: readonly PublishPacket[], now: Millis): void {
    for (const packet of messages) {
      const group = packet.share === undefined ? undefined : this.routes.group(packet.share);
      const isBegun = packet.qos === 2 && packet.messageId !== 0; // [MQTT-4.8.2-5]
      if (group === undefined || isBegun) this.counters.droppedSessionEnd++;
      else this.share(new Publication(packet), group, now);
    }
  }

  private pass(publication: Publication, session: Session, way: Way, now: Millis, share?: string): void {
    const { message } = publication;
    const qos = Math.min(message.qos, way.qos) as Qos; // [MQTT-3.8.4-8]
    // RETAIN is 0 for a subscription that was there before, unless it asks for it [MQTT-3.3.1-12], [MQTT-3.3.1-13].
    session.deliver(publication, qos, message.retain && way.retainAsPublished, way.ids, now, share);
  }

  private retain(message: BrokerMessage, now: Millis): void {
    const { topic, payload } = message;
    const durable = topic.startsWith(SYSTEM_TOPICS) ? undefined : this.around.durable;
    if (payload.length === 0) {
      if (this.retained.clear(topic)) durable?.deleteRetained(topic); // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    } else {
      const kept = {
        topic,
        payload,
        qos: message.qos,
        retain: true,
        properties: message.properties,
        expiresAt: message.expiresAt,
      };
      if (this.retained.set(kept) || (this.sweep(now) && this.retained.set(kept))) durable?.putRetained(kept);
      else {
        durable?.deleteRetained(topic);
        this.counters.retainRefused++;
      }
    }
    this.counters.retainedNow = this.retained.size;
  }

  /** Makes room among retained messages. True: some have gone. */
  private sweep(now: Millis): boolean {
    const expired = this.retained.expired(now);
    for (const { topic } of expired) {
      this.retained.clear(topic);
      this.around.durable?.deleteRetained(topic);
    }
    return expired.length > 0;
  }
}
