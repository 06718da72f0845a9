// What `thimble broker` says once it runs.
import { METRICS_PATH } from '../net/http.js';
import { formatAddress } from '../net/udp.js';
import type { BrokerListening } from '../server/running-broker.js';
import type { Behind } from './broker-upstream.js';
import { print, printJson } from './output.js';
import { describeLine, type SerialLine } from './serial-lines.js';

export interface AnnouncementOptions {
  readonly host: string;
  readonly store?: string;
  readonly aggregate?: boolean;
  readonly json?: boolean;
}

export interface Announcement {
  readonly behind: Behind;
  /** Undefined: there is no gateway. */
  readonly sn: number | undefined;
  readonly metrics: number | undefined;
  readonly serial: readonly SerialLine[];
  /** The folder of everything that is kept. */
  readonly data: string | undefined;
  readonly durability: string;
}

export function announce(options: AnnouncementOptions, announcement: Announcement): void {
  if (options.json === true) printJson(asJson(options, announcement));
  else print(inWords(options, announcement).join('\n'));
}

/** JSON leaves out what is undefined. */
function asJson({ host, store }: AnnouncementOptions, { behind, sn, metrics, serial, data }: Announcement): object {
  const { own, brokers } = behind;
  const listeners = own?.listening.map(({ name, kind, host: at, port, url }) => ({ name, kind, host: at, port, url }));
  const mqtt = listeners?.find(({ kind }) => kind === 'mqtt')?.port;
  const lines = serial.length > 0 ? serial : undefined;
  return { mqtt, sn, host, listeners, metrics, upstream: brokers, data, store, serial: lines };
}

function inWords(options: AnnouncementOptions, announcement: Announcement): string[] {
  const { behind, sn, metrics, serial } = announcement;
  const { own, brokers } = behind;
  const manner = options.aggregate === true ? 'one connection for all clients' : 'one connection for each client';
  const lines = [
    ...(own?.listening ?? []).map(describeListener),
    sn === undefined ? undefined : `MQTT-SN 1.2 on ${options.host}, UDP port ${sn}`,
    brokers && `The broker is ${brokers.join(' or ')}, ${manner}`,
    ...serial.map(describeLine),
    metrics === undefined ? undefined : `Metrics at http://${formatAddress(options.host, metrics)}${METRICS_PATH}`,
    describeKept(options, announcement),
    'Ctrl-C stops all of it',
  ];
  return lines.filter((line) => line !== undefined);
}

const MANNERS: Readonly<Record<BrokerListening['kind'], string>> = {
  mqtt: 'TCP',
  mqtts: 'TLS',
  ws: 'WebSocket',
  wss: 'WebSocket over TLS',
  alpn: 'TLS, MQTT or WebSocket by ALPN',
};

/** The URL is what this machine's clients use; the address is told where that is another. */
function describeListener({ kind, host, port, url }: BrokerListening): string {
  const at = url.includes(formatAddress(host, port)) ? '' : `, at ${formatAddress(host, port)}`;
  return `MQTT 3.1, 3.1.1 and 5.0 at ${url} (${MANNERS[kind]}${at})`;
}

function describeKept({ store }: AnnouncementOptions, { behind, data, durability }: Announcement): string | undefined {
  const isOwn = behind.own !== undefined;
  if (data !== undefined) {
    const what = isOwn ? 'Sessions and messages are' : "The gateway's sessions are";
    const how = durability === 'disk' && isOwn ? ', on the disk before they are acknowledged' : '';
    return `${what} kept in ${data}${how}`;
  }
  const other = '; those of the broker, and its messages, end with the process (--data keeps all of it)';
  if (store !== undefined) return `The gateway's sessions are kept in ${store}${isOwn ? other : ''}`;
  return isOwn ? 'Sessions and messages end with the process (--data DIR keeps them)' : undefined;
}
