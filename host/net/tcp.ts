// The broker on one plain TCP port.
import type { Broker } from '../broker/broker.js';
import type { Log, Millis } from '../ports.js';
import { type ListenerLimits, openListeners } from './listeners.js';

export { BrokerTimer } from './broker-timer.js';

export interface TcpOptions {
  /** Address to listen at. */
  readonly host: string;
  /** 0: one that is free, to be read from the listener. */
  readonly port: number;
  readonly limits?: Partial<TcpLimits>;
  readonly log?: Log;
  /** Default: the process's own. */
  readonly clock?: () => Millis;
}

export type TcpLimits = ListenerLimits;

export interface TcpListener {
  readonly host: string;
  readonly port: number;
  /** Ends all sockets, whose wills are published, and listens no more. The broker itself goes on. */
  close(): Promise<void>;
}

/** Listens for MQTT clients. Rejects with TcpListenError. */
export async function listenTcp(broker: Broker, { host, port, ...options }: TcpOptions): Promise<TcpListener> {
  const { listening, close } = await openListeners(broker, [{ kind: 'mqtt', host, port }], options);
  return { host, port: listening[0]!.port, close: () => close() };
}
