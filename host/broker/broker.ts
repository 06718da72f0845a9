// The MQTT broker, 3.1 to 5.0: a state machine. Packets and time come in; packets, the next deadline and counters come out.
// Messages of one publisher reach a subscriber in their order, for each QoS of delivery; a client with overlapping
// subscriptions gets one copy, at the highest QoS granted to any that matches [MQTT-3.3.4-2].
import { RateLimit } from '../core/rate-limit.js';
import { isValidTopicName } from '../core/topics.js';
import type { Log, Message, Millis, Random } from '../ports.js';
import { LOCAL_PEER, type Peer } from './access.js';
import { BROKER_DEFAULTS, type BrokerConfig } from './config.js';
import { Connection, type Sink } from './connection.js';
import type { Counters } from './counters.js';
import type { DurableState } from './durable.js';
import { BrokerError, type CloseReason } from './errors.js';
import { type BrokerMessage, PACKET_ID_MAX, plainMessage } from './packets.js';
import { shortLog } from './short-log.js';
import { BrokerState } from './state.js';

export interface BrokerPorts {
  /** For the identifiers of clients that bring none. */
  readonly random: Random;
  readonly log?: Log;
  /** What outlives the process. Absent: nothing does. `restore` reads it. */
  readonly durable?: DurableState;
  /** Called when the next deadline has come nearer, by whatever it was. */
  readonly wake?: () => void;
  /**
   * Told of each message that is published, allowed and not too deep, whoever subscribes to it: before it is durable, and in the
   * middle of the broker's work. `clientId`: who has published it; undefined: the host, or it is a will.
   */
  readonly published?: (message: BrokerMessage, clientId: string | undefined, now: Millis) => void;
}

/** A client, connected or not. */
export interface ClientInfo {
  readonly clientId: string;
  readonly isConnected: boolean;
  readonly username: string | undefined;
  readonly principal: string | undefined;
  /** Of the connection. */
  readonly peer: Peer | undefined;
  readonly subscriptions: readonly string[];
  /** Messages that are on their way to it, and that wait behind those. */
  readonly inflight: number;
  readonly queued: number;
}

export class Broker {
  private readonly state: BrokerState;

  /** Throws `ERR_BROKER_CONFIG`. What `config` leaves out is taken from BROKER_DEFAULTS. */
  constructor(
    config: Partial<BrokerConfig>,
    private readonly ports: BrokerPorts,
  ) {
    const full = { ...BROKER_DEFAULTS, ...config };
    check(full);
    const { random, log = () => {}, durable, wake = () => {}, published } = ports;
    this.state = new BrokerState(full, { random, log: shortLog(log), durable, wake, published });
  }

  get config(): BrokerConfig {
    return this.state.config;
  }

  get counters(): Readonly<Counters> {
    return this.state.counters;
  }

  /** Clients past their CONNECT. */
  get connectedClients(): number {
    return this.state.openConnections;
  }

  /** Takes up what another process has left. Before anything else; does nothing where nothing is durable. Throws `ERR_BROKER_RECORD`. */
  restore(now: Millis): void {
    const { durable } = this.ports;
    if (durable === undefined) return;
    this.state.turn.run(() => this.state.restore(durable, now));
  }

  /** A network connection was opened. `peer` is what the adapter knows of the other end. */
  accept(sink: Sink, now: Millis, peer: Peer = LOCAL_PEER): Connection {
    const { state } = this;
    if (state.connects === undefined && state.config.connectsPerSecondMax < Number.POSITIVE_INFINITY) {
      state.connects = new RateLimit(state.config.connectsPerSecondMax, now);
    }
    const connection = new Connection(state, sink, peer, now);
    if (state.isStopped) connection.terminate('stopped', now);
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

  /**
   * Publishes in the host's name, also below `$SYS`. What MQTT 5.0 adds may be left out. Throws `ERR_BROKER_MESSAGE` for a
   * topic that is no topic name.
   */
  publish(message: Message & Partial<BrokerMessage>, now: Millis): void {
    if (!isValidTopicName(message.topic)) {
      const topic = JSON.stringify(message.topic);
      throw new BrokerError(
        'ERR_BROKER_MESSAGE',
        `${topic} is no topic to publish to: it is empty, too long or has wildcards`,
      );
    }
    const { properties, expiresAt = Number.POSITIVE_INFINITY } = message;
    const whole = { ...plainMessage(message), properties, expiresAt };
    this.state.turn.run(() => this.state.publish(whole, undefined, now));
  }

  /** Everyone with a session. */
  clients(): ClientInfo[] {
    return [...this.state.sessions.all()].map((session) => {
      const connection = session.wire instanceof Connection ? session.wire : undefined;
      const client = connection?.client;
      return {
        clientId: session.clientId,
        isConnected: connection !== undefined,
        username: client?.username,
        principal: client?.principal,
        peer: client?.peer,
        subscriptions: [...session.subscriptions.keys()],
        inflight: session.outbound.inflight,
        queued: session.outbound.queued,
      };
    });
  }

  /** Ends a client's connection; false: it has none. The will is published. */
  disconnect(clientId: string, now: Millis, reason: CloseReason = 'administrative'): boolean {
    const wire = this.state.sessions.get(clientId)?.wire;
    if (!(wire instanceof Connection)) return false;
    wire.terminate(reason, now);
    return true;
  }

  /** Closes every connection, publishing the wills, and from now on each new one at once. */
  stop(now: Millis): void {
    this.state.turn.run(() => {
      this.state.isStopped = true;
      for (const connection of [...this.state.connections]) connection.end('stopped', now);
    });
  }
}

/** Below it hardly a CONNECT fits. */
export const PACKET_BYTES_MAX_LEAST = 16;

/** What else than a whole number of 0 or more, or Infinity, a limit may be. */
const RANGES: Readonly<Partial<Record<keyof BrokerConfig, readonly [number, number]>>> = {
  packetBytesMax: [PACKET_BYTES_MAX_LEAST, Number.POSITIVE_INFINITY],
  inflightMax: [1, PACKET_ID_MAX],
  receiveMax: [1, PACKET_ID_MAX],
  topicAliasMax: [0, PACKET_ID_MAX],
  qosMax: [0, 2],
  connectsPerSecondMax: [1, Number.POSITIVE_INFINITY],
  bytesPerSecondMax: [1, Number.POSITIVE_INFINITY],
};

const KEEP_ALIVE_S_MAX = 65_535;

function check(config: BrokerConfig): void {
  const stray = Object.keys(config).find((name) => name !== 'access' && !(name in BROKER_DEFAULTS));
  if (stray !== undefined) {
    const allowed = Object.keys(BROKER_DEFAULTS).filter((name) => name !== 'access');
    throw new BrokerError('ERR_BROKER_CONFIG', `there is no limit ${stray}; there are ${allowed.join(', ')}`);
  }
  for (const [name, standard] of Object.entries(BROKER_DEFAULTS)) {
    const value: unknown = config[name as keyof BrokerConfig];
    if (typeof standard === 'number') checkLimit(name as keyof BrokerConfig, value);
    else if (typeof value !== typeof standard) refuse(name, value, `a ${typeof standard}`);
  }
  const { keepAliveSMax, deniedPublish, responseTopicPrefix } = config;
  const isKeepAlive = keepAliveSMax >= 1 && keepAliveSMax <= KEEP_ALIVE_S_MAX;
  if (!isKeepAlive && keepAliveSMax !== Number.POSITIVE_INFINITY) {
    refuse('keepAliveSMax', keepAliveSMax, `1 to ${KEEP_ALIVE_S_MAX}, or Infinity`);
  }
  if (!['drop', 'disconnect'].includes(deniedPublish)) refuse('deniedPublish', deniedPublish, '"drop" or "disconnect"');
  if (responseTopicPrefix !== '' && !isValidTopicName(responseTopicPrefix)) {
    refuse('responseTopicPrefix', responseTopicPrefix, 'the beginning of a topic name, without + and #');
  }
}

function checkLimit(name: keyof BrokerConfig, value: unknown): void {
  const [least, most] = RANGES[name] ?? [0, Number.POSITIVE_INFINITY];
  const isWhole = Number.isInteger(value) || value === Number.POSITIVE_INFINITY;
  if (isWhole && (value as number) >= least && (value as number) <= most) return;
  refuse(
    name,
    value,
    most === Number.POSITIVE_INFINITY ? `a whole number of ${least} or more, or Infinity` : `${least} to ${most}`,
  );
}

function refuse(name: string, value: unknown, allowed: string): never {
  const shown = typeof value === 'number' ? value : JSON.stringify(value);
  throw new BrokerError('ERR_BROKER_CONFIG', `${name} is ${shown}; it must be ${allowed}`);
}
