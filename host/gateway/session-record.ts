// What of a session outlives the gateway's process: who the client is and where, what its topic ids mean, what it has
// subscribed to. Only sessions that the client wants kept (CleanSession=0) are recorded. Messages and their handshakes
// are not: the broker and the client hold those.
//
// A record is JSON; `version` goes up whenever its meaning changes.
import type { Message, Millis, Qos } from '../ports.js';
import type { Subscription } from './session.js';
import type { RegisteredTopic } from './topic-table.js';

const VERSION = 1;
/** Before the client id in a record's key. */
const KEY = 'session/';

export interface SessionRecord {
  readonly clientId: string;
  /** Where the client was last, if it was connected. */
  readonly peer: { readonly address: string; readonly node: Uint8Array | undefined } | undefined;
  readonly isAsleep: boolean;
  readonly keepAliveMs: Millis;
  readonly sleepMs: Millis;
  readonly will: Message | undefined;
  readonly topics: readonly RegisteredTopic[];
  readonly subscriptions: readonly (readonly [filter: string, subscription: Subscription])[];
}

export const keyOf = (clientId: string): string => KEY + clientId;
export const isSessionKey = (key: string): boolean => key.startsWith(KEY);

export function encodeRecord({ peer, will, ...rest }: SessionRecord): Uint8Array {
  const plain = {
    version: VERSION,
    ...rest,
    ...(peer && { peer: { address: peer.address, ...(peer.node && { node: hexOf(peer.node) }) } }),
    ...(will && { will: { ...will, payload: hexOf(will.payload) } }),
  };
  return new TextEncoder().encode(JSON.stringify(plain));
}

interface PlainRecord extends Omit<SessionRecord, 'peer' | 'will'> {
  readonly version: number;
  readonly peer?: { readonly address: string; readonly node?: string };
  readonly will?: { readonly topic: string; readonly payload: string; readonly qos: Qos; readonly retain: boolean };
}

/** Undefined for a record of another version, or none at all: the store is ours, but its file may have been harmed. */
export function decodeRecord(bytes: Uint8Array): SessionRecord | undefined {
  let plain: PlainRecord;
  try {
    plain = JSON.parse(new TextDecoder().decode(bytes)) as PlainRecord;
  } catch {
    return undefined;
  }
  if (plain?.version !== VERSION) return undefined;
  const { peer, will, version: _, ...rest } = plain;
  return {
    ...rest,
    peer: peer && { address: peer.address, node: peer.node === undefined ? undefined : octetsOf(peer.node) },
    will: will && { ...will, payload: octetsOf(will.payload) },
  };
}

function hexOf(octets: Uint8Array): string {
  let hex = '';
  for (const octet of octets) hex += octet.toString(16).padStart(2, '0');
  return hex;
}

function octetsOf(hex: string): Uint8Array {
  const octets = new Uint8Array(hex.length / 2);
  for (let i = 0; i < octets.length; i++) octets[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return octets;
}
