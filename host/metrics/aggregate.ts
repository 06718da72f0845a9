// How an aggregating upstream stands, under the names of docs/METRICS.md.
import type { AggregatingGauges } from '../gateway/aggregating.js';
import { fromTable, type MetricRow } from './table.js';
import type { MetricFamily } from './text.js';

/** An aggregating upstream, as far as its metrics go. */
export interface MeasuredAggregate {
  readonly gauges: AggregatingGauges;
}

const ROWS: readonly MetricRow<keyof AggregatingGauges>[] = [
  { name: 'connected', help: 'Whether the shared connection stands: 1 or 0.', type: 'gauge', of: { isConnected: {} } },
  { name: 'sessions', help: 'Sessions of clients, connected and remembered.', type: 'gauge', of: { sessions: {} } },
  { name: 'sessions_away', help: 'Of these, those without a connection.', type: 'gauge', of: { away: {} } },
  { name: 'filters', help: 'Filters that the shared session has subscribed to.', type: 'gauge', of: { filters: {} } },
  {
    name: 'outstanding_messages',
    help: 'Messages that the broker has no acknowledgement for yet.',
    type: 'gauge',
    of: { outstanding: {} },
  },
  {
    name: 'held_messages',
    help: 'Of these, those that wait for sessions that are away.',
    type: 'gauge',
    of: { held: {} },
  },
  {
    name: 'publishing_messages',
    help: 'Messages of QoS 1 and 2 whose handshake with the broker is not over.',
    type: 'gauge',
    of: { publishing: {} },
  },
  {
    name: 'sessions_overrun_total',
    help: 'Sessions ended because too much waited for them, or too many were away.',
    type: 'counter',
    of: { overrun: {} },
  },
];

/** Its metrics at this moment. */
export function aggregateMetrics(aggregate: MeasuredAggregate): MetricFamily[] {
  return fromTable('thimble_aggregate_', ROWS, aggregate.gauges);
}
