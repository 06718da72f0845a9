// A broker that runs: what a program can do with it.
import type { Broker, ClientInfo } from '../broker/broker.js';
import type { Counters } from '../broker/counters.js';
import { BrokerError } from '../broker/errors.js';
import { BrokerUpstream } from '../broker/upstream.js';
import { brokerMetrics } from '../metrics/broker.js';
import { journalMetrics, listenerMetrics } from '../metrics/server.js';
import type { MetricFamily } from '../metrics/text.js';
import { monotonicNow } from '../net/clock.js';
import type { Listeners, Listening } from '../net/listeners.js';
import type { Millis, Upstream } from '../ports.js';
import { IdentityDoor } from './doors.js';
import type { Kept } from './kept.js';
import { messageOf, type Payload, type PublishOptions } from './message.js';
import type { MessageListener, Observers } from './observers.js';
import type { ReloadOptions } from './options.js';
import { urlOf } from './urls.js';

export interface BrokerListening extends Listening {
  /** Where clients of this machine find it. */
  readonly url: string;
}

/** What a broker is made of; `createBroker` puts it together. */
export interface Parts {
  readonly broker: Broker;
  readonly listeners: Listeners;
  /** Of each listener: the path of WebSocket. */
  readonly paths: readonly (string | undefined)[];
  readonly observers: Observers;
  readonly kept: Kept | undefined;
  /** Called once the clients are gone, before the journal is closed. */
  readonly stopped: () => void;
}

export class RunningBroker {
  private closing: Promise<void> | undefined;

  /** Use `createBroker`. */
  constructor(private readonly parts: Parts) {}

  /** In the order of the options. */
  get listening(): readonly BrokerListening[] {
    const { listeners, paths } = this.parts;
    return listeners.listening.map((one, i) => ({ ...one, url: urlOf(one, paths[i]) }));
  }

  /** Of the first listener. Throws where there is none. */
  get url(): string {
    const [first] = this.listening;
    if (first === undefined) throw new BrokerError('ERR_BROKER_CONFIG', 'there is no url: the broker has no listeners');
    return first.url;
  }

  /**
   * Publishes in the program's own name: nothing is asked of `identity`. Text goes as UTF-8, octets as they are, and everything
   * else as JSON. Throws ERR_BROKER_MESSAGE for what MQTT cannot carry.
   */
  publish(topic: string, payload?: Payload, options: PublishOptions = {}): void {
    const now = monotonicNow();
    this.parts.broker.publish(messageOf(topic, payload, options, now), now);
  }

  /**
   * Tells of every message from now on whose topic the filter takes in, whoever publishes it, and whether or not it is on the disk
   * yet. Nothing is queued: a listener that throws ends the process as any event of Node does. Returns what ends it. Throws
   * ERR_BROKER_MESSAGE for what is no filter.
   */
  onMessage(filter: string, listener: MessageListener): () => void {
    return this.parts.observers.add(filter, listener);
  }

  /** Everyone with a session, connected or not. */
  clients(): ClientInfo[] {
    return this.parts.broker.clients();
  }

  /** Ends a client's connection, and publishes its will; false: it has none. */
  disconnect(clientId: string): boolean {
    return this.parts.broker.disconnect(clientId, monotonicNow());
  }

  /** What was counted since the start; those that end in `Now` go up and down. */
  get counters(): Readonly<Counters> {
    return this.parts.broker.counters;
  }

  /** For `renderMetrics`, which makes a page for Prometheus of it: docs/METRICS.md. */
  metrics(): MetricFamily[] {
    const { broker, listeners, kept } = this.parts;
    return [
      ...brokerMetrics(broker),
      ...listenerMetrics(listeners.listening),
      ...(kept === undefined ? [] : journalMetrics(kept.counters)),
    ];
  }

  /**
   * Takes new keys, certificates and lists of revoked ones for connections to come, and reads the files of `identity` anew.
   * Connections that stand are left alone. All or nothing: throws TlsListenError, ListenerSpecError, IdentityError.
   */
  reload(options: ReloadOptions = {}): void {
    const { listeners, broker } = this.parts;
    const { access } = broker.config;
    if (options.identity !== undefined && !(access instanceof IdentityDoor)) {
      throw new BrokerError('ERR_BROKER_CONFIG', 'the broker was started without identity; start it anew to have it');
    }
    if (options.listeners !== undefined && options.listeners.length !== listeners.listening.length) {
      const what = `there are ${listeners.listening.length} listeners, not ${options.listeners.length}; start the broker anew`;
      throw new BrokerError('ERR_BROKER_CONFIG', what);
    }
    const use = access instanceof IdentityDoor ? access.prepare(options.identity) : undefined;
    if (options.listeners !== undefined) listeners.reload(options.listeners);
    use?.();
  }

  /** For what speaks with the broker in this process, such as the MQTT-SN gateway. */
  upstream(): Upstream {
    return new BrokerUpstream(this.parts.broker);
  }

  /**
   * The end: clients are told (MQTT 5.0: Server shutting down), wills are published, and what was acknowledged is on the disk.
   * Connections that have not taken their last octets after `graceMs` (default: `closeGraceMs` of the listeners) are cut off. Rejects with
   * ERR_STORE_WRITE.
   */
  close(options: { readonly graceMs?: Millis } = {}): Promise<void> {
    this.closing ??= this.end(options);
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async end(options: { readonly graceMs?: Millis }): Promise<void> {
    const { broker, listeners, kept, stopped } = this.parts;
    broker.stop(monotonicNow());
    await listeners.close(options);
    stopped();
    await kept?.close();
  }
}
