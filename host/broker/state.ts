// What all connections of one broker share, and the one way by which a message reaches its subscribers.

import { SubscriptionTree } from '../core/subscriptions.js';
import { TimerQueue } from '../core/timer-queue.js';
import { topicLevels } from '../core/topics.js';
import type { Log, Message, Millis, Qos, Random } from '../ports.js';
import type { BrokerConfig } from './config.js';
import type { Connection } from './connection.js';
import { newCounters } from './counters.js';
import { type PublishPacket, publishPacket } from './packets.js';
import { RetainedStore } from './retained.js';
import type { Due, Session } from './session.js';
import { SessionRegistry } from './session-registry.js';
import { Turn } from './turn.js';

export class BrokerState {
  readonly counters = newCounters();
  readonly timers = new TimerQueue<Due>();
  readonly turn = new Turn();
  readonly subscriptions = new SubscriptionTree<Session>();
  readonly retained: RetainedStore;
  readonly sessions: SessionRegistry;
  /** Those that are not closed. */
  readonly connections = new Set<Connection>();
  isStopped = false;

  constructor(
    readonly config: BrokerConfig,
    readonly random: Random,
    readonly log: Log,
  ) {
    this.retained = new RetainedStore(config);
    this.sessions = new SessionRegistry(this);
  }

  /** Publishes a message that is valid and allowed: retains it if it asks for that, and passes it on. */
  publish(message: Message, now: Millis): void {
    if (topicLevels(message.topic) > this.config.topicLevelsMax) {
      this.counters.droppedTooDeep++;
      return;
    }
    if (message.retain) this.retain(message);
    let shared: PublishPacket | undefined;
    for (const session of this.subscriptions.match(message.topic)) {
      const qos = Math.min(message.qos, session.matchQos) as Qos; // [MQTT-3.8.4-6]
      // RETAIN is 0 for a subscription that was there before [MQTT-3.3.1-9].
      if (qos > 0) session.deliver(message, qos, false, undefined, now);
      else {
        shared ??= publishPacket(message, 0, false);
        session.deliver(message, 0, false, shared, now);
      }
    }
  }

  private retain(message: Message): void {
    const { topic, payload, qos } = message;
    if (payload.length === 0)
      this.retained.clear(topic); // [MQTT-3.3.1-10], [MQTT-3.3.1-11]
    else if (!this.retained.set({ topic, payload, qos, retain: true })) this.counters.retainRefused++;
    this.counters.retainedNow = this.retained.size;
  }
}
