// The MQTT 3.1.1 broker: a state machine. Packets and time come in; packets, the next deadline and counters come out.
// Sessions live in memory. Messages of one publisher reach a subscriber in their order, for each QoS of delivery; a
// client with overlapping subscriptions gets one copy, at the highest QoS granted to any that matches [MQTT-3.3.5-1].
import { isValidTopicName } from '../core/topics.js';
import type { Log, Message, Millis, Random } from '../ports.js';
import { BROKER_DEFAULTS, type BrokerConfig } from './config.js';
import { Connection, type Sink } from './connection.js';
import type { Counters } from './counters.js';
import { BrokerError } from './errors.js';
import { PACKET_ID_MAX } from './packets.js';
import { BrokerState } from './state.js';

export interface BrokerPorts {
  /** For the identifiers of clients that bring none. */
  readonly random: Random;
  readonly log?: Log;
}

export class Broker {
  private readonly state: BrokerState;

  /** Throws `ERR_BROKER_CONFIG`. What `config` leaves out is taken from BROKER_DEFAULTS. */
  constructor(config: Partial<BrokerConfig>, ports: BrokerPorts) {
    const full = { ...BROKER_DEFAULTS, ...config };
    check(full);
    this.state = new BrokerState(full, ports.random, ports.log ?? (() => {}));
  }

  get counters(): Readonly<Counters> {
    return this.state.counters;
  }

  /** A network connection was opened. `peer` is what the adapter knows of the other end, for `Access`. */
  accept(sink: Sink, now: Millis, peer?: unknown): Connection {
    const connection = new Connection(this.state, sink, peer, now);
    if (this.state.isStopped) this.state.turn.run(() => connection.stop(now));
    return connection;
  }

  /** When `poll` wants to be called; Infinity: not before something else happens. */
  nextDue(): Millis {
    return this.state.timers.nextDue();
  }

  /** Does what is due at `now`. */
  poll(now: Millis): void {
    this.state.turn.run(() => {
      for (let due = this.state.timers.popDue(now); due !== undefined; due = this.state.timers.popDue(now))
        due.due(now);
    });
  }

  /** Publishes in the host's name, also below `$SYS`. Throws `ERR_BROKER_MESSAGE` for a topic that is no topic name. */
  publish(message: Message, now: Millis): void {
    if (!isValidTopicName(message.topic)) {
      const topic = JSON.stringify(message.topic);
      throw new BrokerError(
        'ERR_BROKER_MESSAGE',
        `${topic} is no topic to publish to: it is empty, too long or has wildcards`,
      );
    }
    this.state.turn.run(() => this.state.publish(message, now));
  }

  /** Closes every connection, publishing the wills, and from now on each new one at once. */
  stop(now: Millis): void {
    this.state.turn.run(() => {
      this.state.isStopped = true;
      for (const connection of [...this.state.connections]) connection.stop(now);
    });
  }
}

function check(config: BrokerConfig): void {
  const { access: _, ...limits } = config;
  for (const [name, value] of Object.entries(limits)) {
    const isLimit = Number.isInteger(value) || value === Number.POSITIVE_INFINITY;
    if (isLimit && value >= 0) continue;
    throw new BrokerError('ERR_BROKER_CONFIG', `${name} is ${value}; it must be an integer of 0 or more, or Infinity`);
  }
  if (config.inflightMax < 1 || config.inflightMax > PACKET_ID_MAX) {
    throw new BrokerError(
      'ERR_BROKER_CONFIG',
      `inflightMax is ${config.inflightMax}; it must be 1 to ${PACKET_ID_MAX}`,
    );
  }
}
