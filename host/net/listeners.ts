// The broker's doors to the network, opened, renewed and closed together.
import type { Broker } from '../broker/broker.js';
import type { Log, Millis } from '../ports.js';
import { BrokerTimer } from './broker-timer.js';
import { monotonicNow } from './clock.js';
import { LISTENER_LIMITS, Listener, type ListenerKind, type ListenerLimits, type ListenerSpec } from './listener.js';
import { Flusher } from './mqtt-socket.js';

export type { ListenerKind, ListenerLimits, ListenerSpec } from './listener.js';
export { LISTENER_LIMITS, PATH_DEFAULT } from './listener.js';
export type { TlsSpec } from './tls-listener.js';

export interface ListenersOptions {
  /** For each listener by itself. */
  readonly limits?: Partial<ListenerLimits>;
  readonly log?: Log;
  /** Default: the process's own. */
  readonly clock?: () => Millis;
  /** The broker's, where others wake it too; who made it stops it. Default: one of the listeners' own. */
  readonly timer?: BrokerTimer;
}

export interface Listening {
  readonly name: string | undefined;
  readonly kind: ListenerKind;
  readonly host: string;
  /** The one asked for, or the one that was free. */
  readonly port: number;
  /** Connections now, those included that have not come as far as MQTT. */
  readonly connections: number;
}

export interface Listeners {
  /** In the order of the specs. */
  readonly listening: readonly Listening[];
  /**
   * Takes the `tls` of the same listeners in the same order, for connections to come: keys, certificates, authorities, lists of
   * revoked certificates. All or none: throws TlsListenError or ListenerSpecError, and everything is as before.
   */
  reload(specs: readonly Pick<ListenerSpec, 'tls'>[]): void;
  /**
   * Listens no more and ends all connections, whose wills are published; the broker itself goes on. After `Broker.stop` the
   * clients have been told, and what they were sent last still goes out. What is left after `graceMs` (default: the limit
   * `closeGraceMs`) is cut off.
   */
  close(options?: { readonly graceMs?: Millis }): Promise<void>;
}

/** Opens all, or none. Rejects with TcpListenError, TlsListenError, ListenerSpecError. */
export async function openListeners(
  broker: Broker,
  specs: readonly ListenerSpec[],
  options: ListenersOptions = {},
): Promise<Listeners> {
  const { clock = monotonicNow, log = () => {} } = options;
  const limits = { ...LISTENER_LIMITS, ...options.limits };
  const timer = options.timer ?? new BrokerTimer(broker, clock);
  const context = { broker, clock, log, limits, timer, flusher: new Flusher() };
  const listeners = specs.map((spec) => new Listener(spec, context));
  const close = async ({ graceMs = limits.closeGraceMs }: { readonly graceMs?: Millis } = {}): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close(graceMs)));
    if (options.timer === undefined) timer.stop();
  };
  try {
    for (const listener of listeners) await listener.listen();
  } catch (error) {
    await close();
    throw error;
  }
  return { listening: listeners.map(view), reload: (renewed) => reload(listeners, renewed), close };
}

const view = (listener: Listener): Listening => ({
  name: listener.spec.name,
  kind: listener.spec.kind,
  host: listener.spec.host,
  port: listener.port,
  get connections() {
    return listener.connections;
  },
});

function reload(listeners: readonly Listener[], specs: readonly Pick<ListenerSpec, 'tls'>[]): void {
  const servers = listeners.map((listener, i) => listener.newTls(specs[i]?.tls));
  for (const [i, listener] of listeners.entries()) listener.useTls(servers[i]);
}
