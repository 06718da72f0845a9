// Where clients find a listener.
import { type ListenerKind, type Listening, PATH_DEFAULT } from '../net/listeners.js';

const SCHEMES: Readonly<Record<ListenerKind, string>> = {
  mqtt: 'mqtt',
  mqtts: 'mqtts',
  ws: 'ws',
  wss: 'wss',
  alpn: 'mqtts',
};

/** For clients of this machine where it listens at every address. `path`: of WebSocket. */
export function urlOf({ kind, host, port }: Pick<Listening, 'kind' | 'host' | 'port'>, path = PATH_DEFAULT): string {
  const name = reachable(host);
  const place = name.includes(':') ? `[${name}]` : name;
  const isWeb = kind === 'ws' || kind === 'wss';
  return `${SCHEMES[kind]}://${place}:${port}${isWeb ? path : ''}`;
}

/** Where this machine reaches what listens at `host`. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
