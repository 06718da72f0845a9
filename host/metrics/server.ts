// What belongs to a broker that runs: its listeners, and its journal, under the names of docs/METRICS.md.
import { fromTable, type MetricRow } from './table.js';
import type { MetricFamily } from './text.js';

/** A listener, as far as its metrics go. */
export interface MeasuredListener {
  readonly name: string | undefined;
  readonly kind: string;
  readonly port: number;
  readonly connections: number;
}

export interface JournalValues {
  readonly commits: number;
  readonly records: number;
  readonly bytes: number;
  readonly waitingNow: number;
}

export function listenerMetrics(listeners: readonly MeasuredListener[]): MetricFamily[] {
  const samples = new Map<string, { labels: { listener: string; kind: string }; value: number }>();
  for (const { name, kind, port, connections } of listeners) {
    const labels = { listener: name ?? `${kind}:${port}`, kind };
    const key = JSON.stringify(labels); // several may have one name: Prometheus takes a series once
    samples.set(key, { labels, value: (samples.get(key)?.value ?? 0) + connections });
  }
  const help = 'Connections of a listener, those included that have not come as far as MQTT.';
  return [{ name: 'thimble_listener_connections', help, type: 'gauge', samples: [...samples.values()] }];
}

const ROWS: readonly MetricRow<keyof JournalValues>[] = [
  { name: 'commits_total', help: 'Transactions of the journal.', type: 'counter', of: { commits: {} } },
  { name: 'records_total', help: 'Records written and deleted.', type: 'counter', of: { records: {} } },
  { name: 'bytes_total', help: 'Octets of the records written.', type: 'counter', of: { bytes: {} } },
  {
    name: 'commits_waiting',
    help: 'Transactions that are not durable yet.',
    type: 'gauge',
    of: { waitingNow: {} },
  },
];

export function journalMetrics(values: JournalValues): MetricFamily[] {
  return fromTable('thimble_journal_', ROWS, values);
}
