// What a gateway has counted and how it stands, under the names of docs/METRICS.md.
import type { Counters } from '../gateway/counters.js';
import type { GatewayGauges } from '../gateway/gauges.js';
import { fromTable, type MetricRow } from './table.js';
import type { MetricFamily } from './text.js';

/** A gateway, as far as its metrics go. */
export interface MeasuredGateway {
  readonly counters: Readonly<Counters>;
  gauges(): GatewayGauges;
}

const PREFIX = 'thimble_gateway_';

const GAUGES: readonly MetricRow<keyof GatewayGauges>[] = [
  {
    name: 'clients',
    help: 'Sessions of clients, by their state.',
    type: 'gauge',
    of: {
      active: { state: 'active' },
      asleep: { state: 'asleep' },
      awake: { state: 'awake' },
      connecting: { state: 'connecting' },
      offline: { state: 'offline' },
    },
  },
  {
    name: 'clients_stalled',
    help: 'Clients that answer nothing and are sent nothing until they are heard.',
    type: 'gauge',
    of: { stalled: {} },
  },
  { name: 'buffered_messages', help: 'Messages that wait for clients.', type: 'gauge', of: { bufferedMessages: {} } },
  {
    name: 'buffered_bytes',
    help: 'Octets of topic and payload that wait for clients.',
    type: 'gauge',
    of: { bufferedBytes: {} },
  },
  {
    name: 'client_buffered_bytes_max',
    help: 'Octets that wait for the client for whom the most wait.',
    type: 'gauge',
    of: { bufferedBytesMaxOfOneClient: {} },
  },
  {
    name: 'inflight_messages',
    help: 'Messages sent to clients and not acknowledged yet.',
    type: 'gauge',
    of: { inflight: {} },
  },
  { name: 'topics', help: 'Topic ids agreed on with clients.', type: 'gauge', of: { topics: {} } },
  { name: 'names_bytes', help: 'Octets of topic names and filters of clients.', type: 'gauge', of: { namesBytes: {} } },
  { name: 'subscriptions', help: 'Subscriptions of clients.', type: 'gauge', of: { subscriptions: {} } },
  { name: 'upstream_up', help: 'Whether the broker can be reached: 1 or 0.', type: 'gauge', of: { upstreamUp: {} } },
  { name: 'upstream_qos_max', help: 'The highest QoS that the broker can do.', type: 'gauge', of: { qosMax: {} } },
];

const COUNTERS: readonly MetricRow<keyof Counters>[] = [
  {
    name: 'messages_total',
    help: 'PUBLISH packets from clients (in) and to clients (out), by QoS.',
    type: 'counter',
    of: {
      publishesInQosMinus1: { direction: 'in', qos: '-1' },
      publishesInQos0: { direction: 'in', qos: '0' },
      publishesInQos1: { direction: 'in', qos: '1' },
      publishesInQos2: { direction: 'in', qos: '2' },
      publishesOutQos0: { direction: 'out', qos: '0' },
      publishesOutQos1: { direction: 'out', qos: '1' },
      publishesOutQos2: { direction: 'out', qos: '2' },
    },
  },
  {
    name: 'messages_dropped_total',
    help: 'Messages that were given up, by the reason.',
    type: 'counter',
    of: {
      droppedQosMinus1: { reason: 'connectionless' },
      droppedTooLong: { reason: 'too-long' },
      droppedBufferFull: { reason: 'buffer-full' },
      droppedRejected: { reason: 'rejected' },
      droppedNoTopicId: { reason: 'no-topic-id' },
      droppedDenied: { reason: 'denied' },
    },
  },
  {
    name: 'messages_left_with_broker_total',
    help: 'Messages of QoS 1 and 2 that found the buffer full and stay with the broker.',
    type: 'counter',
    of: { leftWithBroker: {} },
  },
  {
    name: 'datagrams_total',
    help: 'Datagrams received (in) and sent (out).',
    type: 'counter',
    of: { datagramsIn: { direction: 'in' }, datagramsOut: { direction: 'out' } },
  },
  { name: 'datagrams_malformed_total', help: 'Datagrams that are no packet.', type: 'counter', of: { malformed: {} } },
  {
    name: 'packets_unknown_sender_total',
    help: 'Packets from addresses without a session, answered with DISCONNECT.',
    type: 'counter',
    of: { unknownSender: {} },
  },
  {
    name: 'packets_unexpected_total',
    help: 'Packets that make no sense from that client at that time.',
    type: 'counter',
    of: { unexpected: {} },
  },
  {
    name: 'retransmissions_total',
    help: 'Packets sent again because no answer came.',
    type: 'counter',
    of: { retransmissions: {} },
  },
  {
    name: 'late_duplicates_total',
    help: 'Copies of a request that the network made, answered and not executed again.',
    type: 'counter',
    of: { lateDuplicates: {} },
  },
  {
    name: 'unknown_topic_ids_total',
    help: 'PUBLISH packets from clients whose topic id means nothing.',
    type: 'counter',
    of: { unknownTopicIds: {} },
  },
  {
    name: 'qos_not_supported_total',
    help: 'PUBLISH packets from clients at a QoS that the broker does not know.',
    type: 'counter',
    of: { qosNotSupported: {} },
  },
  {
    name: 'publishes_refused_total',
    help: 'PUBLISH packets from clients that the broker refused for good: too large for it, or not allowed.',
    type: 'counter',
    of: { refusedByBroker: {} },
  },
  {
    name: 'requests_denied_total',
    help: 'Requests that the permissions do not allow.',
    type: 'counter',
    of: { denied: {} },
  },
  { name: 'congestion_total', help: 'Requests answered with "congestion".', type: 'counter', of: { congested: {} } },
  { name: 'connects_total', help: 'CONNECT packets from clients.', type: 'counter', of: { connects: {} } },
  {
    name: 'connects_refused_total',
    help: 'CONNECT packets answered with anything but "accepted".',
    type: 'counter',
    of: { connectsRefused: {} },
  },
  {
    name: 'disconnects_total',
    help: 'Clients that said DISCONNECT, and those that a stopping gateway said it to.',
    type: 'counter',
    of: { disconnects: {} },
  },
  {
    name: 'clients_lost_total',
    help: 'Clients taken for gone, so that their will was published: silent, out of reach without a keep-alive, or their address taken.',
    type: 'counter',
    of: { clientsLost: {} },
  },
  {
    name: 'upstream_sessions_lost_total',
    help: 'Sessions with the broker that the broker or the network ended, failed attempts included.',
    type: 'counter',
    of: { upstreamsLost: {} },
  },
  {
    name: 'sessions_overrun_total',
    help: 'Clean sessions that were ended because more waited for the client than the buffer holds.',
    type: 'counter',
    of: { sessionsOverrun: {} },
  },
  {
    name: 'sessions_restored_total',
    help: 'Sessions taken over from the store at the start.',
    type: 'counter',
    of: { sessionsRestored: {} },
  },
  {
    name: 'sessions_forgotten_total',
    help: 'Remembered sessions that made room for new ones.',
    type: 'counter',
    of: { sessionsForgotten: {} },
  },
];

/** The gateway's metrics at this moment. */
export function gatewayMetrics(gateway: MeasuredGateway): MetricFamily[] {
  const { counters } = gateway;
  return [...fromTable(PREFIX, GAUGES, gateway.gauges()), ...fromTable(PREFIX, COUNTERS, counters)];
}
