// What can be seen of a gateway from outside, as one list: datagrams in and out, calls to the broker and what the broker
// says, drops that were counted. The checkers know nothing else. Also how that list is printed.
import type { PacketType } from '../../../assembly/protocol/index.js';
import type { GatewayGauges } from '../../../host/gateway/gauges.js';
import type { GatewayConfig } from '../../../host/gateway/index.js';
import type { Message, Millis, PacketId, PublishOutcome, Qos, UpstreamOptions } from '../../../host/ports.js';
import { PACKET_NAMES, type Packet } from '../../../host/wire/index.js';

/** An address, or `address/node` in hex behind a forwarder. */
export type Place = string;

/** One session with the broker; `number` tells two of the same client apart. */
export interface Upper {
  readonly number: number;
  readonly options: UpstreamOptions;
}

/** What the gateway asks of the broker. */
export type Call =
  | { readonly call: 'open' | 'close' | 'abort' }
  | { readonly call: 'publish'; readonly message: Message; readonly id: PacketId; readonly dup: boolean }
  | { readonly call: 'release' | 'acknowledge' | 'complete'; readonly id: PacketId }
  | { readonly call: 'subscribe'; readonly filter: string; readonly qos: Qos }
  | { readonly call: 'unsubscribe'; readonly filter: string };

/** What the broker says. `answer`: to the request that is `request`. */
export type News =
  | { readonly news: 'connected'; readonly present: boolean }
  | { readonly news: 'message'; readonly message: Message; readonly id: PacketId; readonly dup: boolean }
  | { readonly news: 'released'; readonly id: PacketId }
  | { readonly news: 'closed' }
  | { readonly news: 'answer'; readonly request: Call; readonly outcome: PublishOutcome | Qos | 'refused' | 'done' };

export type Event =
  /** `packet` is undefined where the datagram is none. */
  | { readonly what: 'in'; readonly place: Place; readonly packet: Packet | undefined }
  /** `packet` is undefined where the gateway sent what does not decode. */
  | { readonly what: 'out'; readonly place: Place; readonly packet: Packet | undefined; readonly octets: number }
  | { readonly what: 'broadcast'; readonly packet: Packet | undefined }
  | { readonly what: 'call'; readonly on: Upper; readonly call: Call }
  | { readonly what: 'news'; readonly on: Upper; readonly news: News }
  /** A message for a client was dropped and counted. */
  | { readonly what: 'dropped'; readonly clientId: string; readonly topic: string; readonly qos: Qos }
  /** The process was killed and started anew; `remembers`: with its store. */
  | { readonly what: 'restart'; readonly remembers: boolean }
  /** A step of the test begins. */
  | { readonly what: 'step'; readonly text: string; readonly now: Millis }
  /** A step is over. */
  | { readonly what: 'state'; readonly gauges: GatewayGauges; readonly sessions: number; readonly records: number };

/** Watches one invariant: throws `Violation` at the event that breaks it. */
export interface Checker {
  see(event: Event): void;
}

export class Violation extends Error {}

export function violated(rule: string, ...about: unknown[]): never {
  throw new Violation([rule, ...about.map((one) => (typeof one === 'string' ? one : show(one)))].join(' '));
}

/** What checkers need to know of the configuration. */
export type Limits = GatewayConfig;

const TEXT_MAX = 24;

/** Anything, on one line; octets as text. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(new TextDecoder().decode(value).slice(0, TEXT_MAX).trimEnd());
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? '-';
  const { type, ...rest } = value as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, one]) => `${key} ${show(one)}`);
  return [typeof type === 'number' ? PACKET_NAMES[type as PacketType] : '', ...fields]
    .filter((part) => part !== '')
    .join(', ');
}

const packetText = (packet: Packet | undefined): string =>
  packet === undefined ? 'octets that are no packet' : show(packet);

/** One line of a transcript; undefined for what nobody wants to read. */
export function line(event: Event): string | undefined {
  switch (event.what) {
    case 'step':
      return `${event.now} ms: ${event.text}`;
    case 'in':
      return `    ${event.place} → gateway  ${packetText(event.packet)}`;
    case 'out':
      return `    gateway → ${event.place}  ${packetText(event.packet)}`;
    case 'broadcast':
      return `    gateway → everybody  ${packetText(event.packet)}`;
    case 'call':
      return `    gateway → broker  ${event.on.options.clientId}#${event.on.number} ${show(event.call)}`;
    case 'news':
      return `    broker → gateway  ${event.on.options.clientId}#${event.on.number} ${show(event.news)}`;
    case 'dropped':
      return `    dropped for ${event.clientId}: ${event.topic}, QoS ${event.qos}`;
    case 'restart':
      return `    restarted ${event.remembers ? 'with' : 'without'} its store`;
    case 'state':
      return undefined;
  }
}
