// How a gateway stands at this moment. What it has counted since its start is in counters.ts.
import type { Qos } from '../ports.js';
import { nameBytes } from '../wire/index.js';
import type { ClientSession } from './session.js';
import { SessionState } from './session.js';

export interface GatewayGauges {
  /** Clients whose session is active (6.14). */
  readonly active: number;
  readonly asleep: number;
  /** Clients that are taking what was kept for them while they slept. */
  readonly awake: number;
  /** Clients whose session the broker has not accepted yet, or that are being asked for their will. */
  readonly connecting: number;
  /** Sessions that are remembered for clients that have gone. */
  readonly offline: number;
  /** Of the active and awake clients those that have used up all retries, and are sent nothing until they are heard. */
  readonly stalled: number;
  /** Messages that wait for clients, begun ones included. */
  readonly bufferedMessages: number;
  /** Octets of topic and payload of these. */
  readonly bufferedBytes: number;
  /** Of these, those of the client for whom the most wait. */
  readonly bufferedBytesMaxOfOneClient: number;
  /** Messages that were sent to clients and are not acknowledged yet. */
  readonly inflight: number;
  /** Topic ids that clients and gateway have agreed on. */
  readonly topics: number;
  readonly subscriptions: number;
  /** Octets of topic names and filters. */
  readonly namesBytes: number;
  /** The broker can be reached, as far as is known. */
  readonly upstreamUp: boolean;
  /** The highest QoS that the broker can do. */
  readonly qosMax: Qos;
}

const STATES = {
  [SessionState.Offline]: 'offline',
  [SessionState.Connecting]: 'connecting',
  [SessionState.Active]: 'active',
  [SessionState.Asleep]: 'asleep',
  [SessionState.Awake]: 'awake',
} as const;

/** What the sessions add up to. `dialogs`: clients that are being asked for their will, some of which have no session yet. */
export function measure(
  sessions: Iterable<ClientSession>,
  dialogs: number,
): Omit<GatewayGauges, 'upstreamUp' | 'qosMax'> {
  const sums = {
    active: 0,
    asleep: 0,
    awake: 0,
    connecting: dialogs,
    offline: 0,
    stalled: 0,
    bufferedMessages: 0,
    bufferedBytes: 0,
    bufferedBytesMaxOfOneClient: 0,
    inflight: 0,
    topics: 0,
    subscriptions: 0,
    namesBytes: 0,
  };
  for (const { state, stalled, delivery, topics, subscriptions } of sessions) {
    sums[STATES[state]]++;
    if (stalled) sums.stalled++;
    sums.bufferedMessages += delivery.waiting;
    sums.bufferedBytes += delivery.waitingBytes;
    sums.bufferedBytesMaxOfOneClient = Math.max(sums.bufferedBytesMaxOfOneClient, delivery.waitingBytes);
    if (delivery.isInFlight) sums.inflight++;
    sums.topics += topics.size;
    sums.subscriptions += subscriptions.size;
    sums.namesBytes += topics.bytes;
    for (const filter of subscriptions.keys()) sums.namesBytes += nameBytes(filter);
  }
  return sums;
}
