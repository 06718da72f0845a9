import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newCounters as newBrokerCounters } from '../../../host/broker/counters.js';
import { newCounters as newGatewayCounters } from '../../../host/gateway/counters.js';
import type { GatewayGauges } from '../../../host/gateway/gauges.js';
import { aggregateMetrics, type MeasuredAggregate } from '../../../host/metrics/aggregate.js';
import { brokerMetrics } from '../../../host/metrics/broker.js';
import { gatewayMetrics } from '../../../host/metrics/gateway.js';
import { journalMetrics, listenerMetrics } from '../../../host/metrics/server.js';
import { type MetricFamily, renderMetrics } from '../../../host/metrics/text.js';
import { processMetrics } from '../../../host/net/process-metrics.js';
import { type Family, parseExposition } from './exposition.js';

/** The same record with a number of its own in each field, from `first`. */
function numbered<T extends object>(record: T, first: number): T {
  return Object.fromEntries(Object.keys(record).map((key, i) => [key, first + i])) as T;
}

const GAUGES: GatewayGauges = {
  active: 1,
  asleep: 2,
  awake: 3,
  connecting: 4,
  offline: 5,
  stalled: 6,
  bufferedMessages: 7,
  bufferedBytes: 8,
  bufferedBytesMaxOfOneClient: 9,
  inflight: 10,
  topics: 11,
  subscriptions: 12,
  namesBytes: 13,
  upstreamUp: true,
  qosMax: 2,
};

const gateway = { counters: numbered(newGatewayCounters(), 1_000), gauges: () => GAUGES };
const broker = { counters: numbered(newBrokerCounters(), 2_000) };
const aggregate: MeasuredAggregate = {
  gauges: {
    isConnected: true,
    sessions: 2,
    away: 3,
    filters: 4,
    outstanding: 5,
    held: 6,
    publishing: 7,
    overrun: 8,
  },
};
const KINDS = ['mqtt', 'mqtts', 'ws', 'wss', 'alpn'];
const listeners = KINDS.map((kind, i) => ({ name: kind, kind, port: i, connections: i }));
const journal = { commits: 1, records: 2, bytes: 3, waitingNow: 4 };
const everything = (): MetricFamily[] => [
  ...gatewayMetrics(gateway),
  ...brokerMetrics(broker),
  ...listenerMetrics(listeners),
  ...journalMetrics(journal),
  ...aggregateMetrics(aggregate),
  ...processMetrics(),
];

const valuesOf = (families: ReadonlyMap<string, Family>): number[] =>
  [...families.values()].flatMap(({ samples }) => [...samples.values()]);

describe('the text', () => {
  it('is of the format, with every metric that there is', () => {
    expect(parseExposition(renderMetrics(everything())).size).toBe(everything().length);
  });

  it('gives every label, help and number back as it was', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
    const value = fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constantFrom(2 ** 53, 1e21, 1e-9));
    const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '{', '}', ',', '=', ' ', 'ü', '#') });
    fc.assert(
      fc.property(name, text, text, name, value, (metric, help, label, labelName, number) => {
        const labels = { [labelName]: label, [`${labelName}_2`]: '' };
        const family: MetricFamily = { name: metric, help, type: 'gauge', samples: [{ labels, value: number }] };
        const found = parseExposition(renderMetrics([family])).get(metric)!;
        expect(found.help).toBe(help);
        expect([...found.samples.keys()]).toEqual([`${labelName}=${label},${labelName}_2=`]);
        expect([...found.samples.values()][0] === number, `${number}`).toBe(true); // 0 and -0 are the same
      }),
    );
  });
});

describe('the metrics', () => {
  it('of a gateway have every counter and every gauge once', () => {
    const values = valuesOf(parseExposition(renderMetrics(gatewayMetrics(gateway))));
    const all = [...Object.values(gateway.counters), ...Object.values(GAUGES).map(Number)];
    expect(values.sort()).toEqual(all.sort());
  });

  it('of a broker have every counter once', () => {
    const values = valuesOf(parseExposition(renderMetrics(brokerMetrics(broker))));
    expect(values.sort()).toEqual(Object.values(broker.counters).sort());
  });

  it('of a journal have every value once', () => {
    const values = valuesOf(parseExposition(renderMetrics(journalMetrics(journal))));
    expect(values.sort()).toEqual(Object.values(journal).sort());
  });

  it('of a listener without a name say its kind and port instead', () => {
    const [family] = listenerMetrics([{ name: undefined, kind: 'ws', port: 8080, connections: 2 }]);
    expect(family!.samples).toEqual([{ labels: { listener: 'ws:8080', kind: 'ws' }, value: 2 }]);
  });

  it('of listeners with one name are their sum: a series is there once', () => {
    const one = { name: 'field', kind: 'mqtt', port: 1, connections: 2 };
    const [family] = listenerMetrics([one, { ...one, port: 2, connections: 3 }, { ...one, kind: 'ws' }]);
    expect(family!.samples).toEqual([
      { labels: { listener: 'field', kind: 'mqtt' }, value: 5 },
      { labels: { listener: 'field', kind: 'ws' }, value: 2 },
    ]);
  });

  it('of an aggregated connection have every gauge once', () => {
    const values = valuesOf(parseExposition(renderMetrics(aggregateMetrics(aggregate))));
    expect(values.sort()).toEqual(Object.values(aggregate.gauges).map(Number).sort());
  });

  it('tell apart what has the same name', () => {
    const families = parseExposition(renderMetrics(gatewayMetrics(gateway)));
    expect(families.get('thimble_gateway_clients')!.samples).toEqual(
      new Map([
        ['state=active', 1],
        ['state=asleep', 2],
        ['state=awake', 3],
        ['state=connecting', 4],
        ['state=offline', 5],
      ]),
    );
    const { publishesInQosMinus1, publishesOutQos2 } = gateway.counters;
    const messages = families.get('thimble_gateway_messages_total')!.samples;
    expect(messages.get('direction=in,qos=-1')).toBe(publishesInQosMinus1);
    expect(messages.get('direction=out,qos=2')).toBe(publishesOutQos2);
  });

  it('call counters what only grows, and gauges what does not', () => {
    const families = parseExposition(renderMetrics(brokerMetrics(broker)));
    const gauges = Object.entries(broker.counters).filter(([key]) => key.endsWith('Now'));
    const found = [...families.values()].filter(({ type }) => type === 'gauge').flatMap((f) => [...f.samples.values()]);
    expect(found.sort()).toEqual(gauges.map(([, value]) => value).sort());
  });

  it('of the process are believable', () => {
    const value = (name: string): number =>
      [...parseExposition(renderMetrics(processMetrics())).get(`process_${name}`)!.samples.values()][0]!;
    expect(value('cpu_seconds_total')).toBeGreaterThan(0);
    expect(value('resident_memory_bytes')).toBeGreaterThan(value('heap_bytes'));
    expect(value('heap_bytes')).toBeGreaterThan(1_000_000);
    const ageS = Date.now() / 1_000 - value('start_time_seconds');
    expect(ageS).toBeGreaterThan(0);
    expect(ageS).toBeLessThan(process.uptime() + 1);
  });
});

describe('docs/METRICS.md', () => {
  const text = readFileSync(new URL('../../../docs/METRICS.md', import.meta.url), 'utf8');
  /** Rows: name, type, labels with their values. */
  const documented = [...text.matchAll(/^\| `([a-z_]+)` \| (counter|gauge) \| ([^|]*)\|/gm)].map(
    ([, name, type, labels]) => [name, type, [...labels!.matchAll(/`([^`]+)`/g)].map((match) => match[1])] as const,
  );

  it('names the same metrics as the page, with their types and labels', () => {
    const page = [...parseExposition(renderMetrics(everything()))].map(([name, { type, samples }]) => {
      const labels = [...samples.keys()].flatMap((key) => (key === '' ? [] : key.split(',')));
      return [name, type, [...new Set(labels.flatMap((label) => label.split('=')))].sort()] as const;
    });
    const inOrder = (rows: readonly (readonly unknown[])[]): unknown[] => rows.map((row) => JSON.stringify(row)).sort();
    const sorted = documented.map(([name, type, labels]) => [name, type, [...labels].sort()] as const);
    expect(inOrder(sorted)).toEqual(inOrder(page));
  });
});
