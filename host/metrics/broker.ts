// What the broker has counted, under the names of docs/METRICS.md.
import type { Counters } from '../broker/counters.js';
import { fromTable, type MetricRow } from './table.js';
import type { MetricFamily } from './text.js';

/** A broker, as far as its metrics go. */
export interface MeasuredBroker {
  readonly counters: Readonly<Counters>;
}

const ROWS: readonly MetricRow<keyof Counters>[] = [
  { name: 'connections', help: 'Connections that are open.', type: 'gauge', of: { connectionsNow: {} } },
  { name: 'sessions', help: 'Sessions, connected and remembered.', type: 'gauge', of: { sessionsNow: {} } },
  { name: 'subscriptions', help: 'Subscriptions of sessions.', type: 'gauge', of: { subscriptionsNow: {} } },
  { name: 'retained_messages', help: 'Retained messages.', type: 'gauge', of: { retainedNow: {} } },
  {
    name: 'messages_total',
    help: 'PUBLISH packets from clients (in, repeated ones of QoS 2 left out) and to clients (out), by QoS.',
    type: 'counter',
    of: {
      messagesInQos0: { direction: 'in', qos: '0' },
      messagesInQos1: { direction: 'in', qos: '1' },
      messagesInQos2: { direction: 'in', qos: '2' },
      messagesOutQos0: { direction: 'out', qos: '0' },
      messagesOutQos1: { direction: 'out', qos: '1' },
      messagesOutQos2: { direction: 'out', qos: '2' },
    },
  },
  {
    name: 'messages_dropped_total',
    help: 'Messages that were given up, by the reason.',
    type: 'counter',
    of: {
      droppedOffline: { reason: 'offline' },
      droppedSlow: { reason: 'slow' },
      droppedQueueFull: { reason: 'queue-full' },
      droppedSessionEnd: { reason: 'session-end' },
      droppedDenied: { reason: 'denied' },
      droppedTooDeep: { reason: 'too-deep' },
      droppedExpired: { reason: 'expired' },
      droppedTooLarge: { reason: 'too-large' },
      droppedNotReceivable: { reason: 'not-receivable' },
      droppedNobody: { reason: 'nobody' },
      droppedRejected: { reason: 'rejected' },
    },
  },
  {
    name: 'duplicates_total',
    help: 'PUBLISH packets of QoS 2 that were there already.',
    type: 'counter',
    of: { duplicatesIn: {} },
  },
  {
    name: 'redelivered_total',
    help: 'PUBLISH packets sent to clients again.',
    type: 'counter',
    of: { redelivered: {} },
  },
  {
    name: 'retained_sent_total',
    help: 'Retained messages sent to new subscriptions.',
    type: 'counter',
    of: { retainedSent: {} },
  },
  {
    name: 'retain_refused_total',
    help: 'Messages passed on but not retained, for want of room.',
    type: 'counter',
    of: { retainRefused: {} },
  },
  { name: 'wills_published_total', help: 'Wills that were published.', type: 'counter', of: { willsPublished: {} } },
  {
    name: 'bytes_total',
    help: 'Octets from clients (in) and to clients (out) on the network.',
    type: 'counter',
    of: { bytesIn: { direction: 'in' }, bytesOut: { direction: 'out' } },
  },
  { name: 'connections_total', help: 'Connections that were opened.', type: 'counter', of: { connections: {} } },
  {
    name: 'connections_refused_total',
    help: 'Connections answered with anything but "accepted".',
    type: 'counter',
    of: { connectionsRefused: {} },
  },
  {
    name: 'denied_total',
    help: 'What was refused because it is not allowed: connections and subscriptions. Messages are among those dropped.',
    type: 'counter',
    of: { connectionsDenied: { what: 'connection' }, subscriptionsDenied: { what: 'subscription' } },
  },
  {
    name: 'timeouts_total',
    help: 'Connections ended because nothing came in time: no CONNECT, or nothing within the keep-alive.',
    type: 'counter',
    of: { connectTimeouts: { reason: 'connect' }, keepAliveTimeouts: { reason: 'keep-alive' } },
  },
  {
    name: 'malformed_total',
    help: 'Connections ended because of octets that are no packet.',
    type: 'counter',
    of: { malformed: {} },
  },
  {
    name: 'violations_total',
    help: 'Packets that break a rule of the protocol.',
    type: 'counter',
    of: { violations: {} },
  },
  {
    name: 'unknown_acknowledgements_total',
    help: 'Acknowledgements of what was never sent or is done.',
    type: 'counter',
    of: { acksUnknown: {} },
  },
  {
    name: 'sessions_taken_over_total',
    help: 'Sessions taken over by another connection of the same client.',
    type: 'counter',
    of: { sessionsTakenOver: {} },
  },
  {
    name: 'sessions_resumed_total',
    help: 'Sessions that were there when their client came back.',
    type: 'counter',
    of: { sessionsResumed: {} },
  },
  {
    name: 'sessions_expired_total',
    help: 'Sessions whose client stayed away too long.',
    type: 'counter',
    of: { sessionsExpired: {} },
  },
];

/** The broker's metrics at this moment. */
export function brokerMetrics(broker: MeasuredBroker): MetricFamily[] {
  return fromTable('thimble_broker_', ROWS, broker.counters);
}
