// docs/BROKER-BENCHMARKS.md, written from the figures; and its tables, which the terminal shows as well.
import { formatCount, formatRate } from '../document.js';
import { ABUSE_LIMITS, type AbuseRow } from './abuse.js';
import { ATTACKS } from './attacks.js';
import { BROKERS } from './brokers.js';
import { SILENCE_MS_MAX } from './client.js';
import type { Result } from './main.js';
import { losses } from './outcome.js';
import { PAYLOAD_BYTES } from './packets.js';
import type { ConnectsRow, Figure, IdleRow, TrafficRow } from './rows.js';
import { windowsOf } from './tasks.js';

export interface Cells {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const UNKNOWN = '?';
const MS_PER_S = 1_000;
const BYTES_PER_KIB = 1024;
const BYTES_PER_MIB = BYTES_PER_KIB * BYTES_PER_KIB;
/** From here on, a process has the whole of its core. */
const BUSY_PERCENT = 90;
/** With more than this before the bench begins, somebody else is at work. */
const LOAD_AVERAGE_MAX = 0.5;

const percent = (value: number | undefined): string => (value === undefined ? UNKNOWN : `${Math.round(value)} %`);
const rate = (figure: Figure | undefined): string => (figure === undefined ? '–' : formatRate(figure.median));
const spread = (figure: Figure | undefined): string => (figure === undefined ? '–' : percent(figure.spreadPercent));
const ms = (figure: Figure | undefined): string => (figure === undefined ? '–' : `${formatRate(figure.median)} ms`);
const us = (figure: Figure | undefined): string => (figure === undefined ? '–' : `${formatRate(figure.median)} µs`);

/** Who had no time left; neither: each waits for the other's answers, for no more may be in flight. */
export function limitOf(row: Pick<TrafficRow, 'brokerCpuPercent' | 'generatorCpuPercent'>): string {
  const { brokerCpuPercent, generatorCpuPercent } = row;
  if (brokerCpuPercent === undefined || generatorCpuPercent === undefined) return UNKNOWN;
  if (brokerCpuPercent >= BUSY_PERCENT) return 'broker';
  return generatorCpuPercent >= BUSY_PERCENT ? 'load' : 'window';
}

function arrivedOf({ expected, received, failure }: TrafficRow): string {
  if (received < expected) return `${formatCount(expected - received)} MISSING`;
  if (received > expected) return `${formatCount(received - expected)} TOO MANY`;
  if (failure !== undefined) return `failed: ${failure.split('\n')[0]}`;
  return `all ${formatCount(received)}`;
}

const TRAFFIC_HEAD = [
  'QoS',
  'broker',
  'deliveries/s',
  '±',
  'CPU each',
  'broker busy',
  'load busy',
  'limit',
  'p50',
  'p99',
  'arrived',
];

function trafficCells(row: TrafficRow): string[] {
  return [
    String(row.qos),
    row.broker,
    rate(row.deliveriesPerSecond),
    spread(row.deliveriesPerSecond),
    us(row.brokerUsPerDelivery),
    percent(row.brokerCpuPercent),
    percent(row.generatorCpuPercent),
    limitOf(row),
    ms(row.p50Ms),
    ms(row.p99Ms),
    arrivedOf(row),
  ];
}

const shapeOf = ({ kind, publishers, subscribers }: TrafficRow): string =>
  `${kind[0]!.toUpperCase()}${kind.slice(1)}: ${formatCount(publishers)} → ${formatCount(subscribers)}`;

/** One for each shape. */
export function trafficTables(rows: readonly TrafficRow[]): { readonly title: string; readonly cells: Cells }[] {
  const titles = [...new Set(rows.map(shapeOf))];
  return titles.map((title) => {
    const own = rows.filter((row) => shapeOf(row) === title);
    return { title, cells: { head: TRAFFIC_HEAD, rows: own.map(trafficCells) } };
  });
}

export function connectsTable(rows: readonly ConnectsRow[]): Cells {
  const head = ['broker', 'connections/s', '±', 'broker busy', 'load busy', 'limit', 'connections'];
  const cells = rows.map((row) => [
    row.broker,
    rate(row.connectionsPerSecond),
    spread(row.connectionsPerSecond),
    percent(row.brokerCpuPercent),
    percent(row.generatorCpuPercent),
    limitOf(row),
    row.failure === undefined ? `all ${formatCount(row.connections)}` : `failed: ${row.failure.split('\n')[0]}`,
  ]);
  return { head, rows: cells };
}

export function idleTable(rows: readonly IdleRow[]): Cells {
  const head = ['broker', 'idle connections', 'KiB a connection', 'MiB without any'];
  const cells = rows.map(({ broker, connections, bytesPerConnection, emptyBytes, openFilesMax, failure }) => [
    broker,
    failure?.split('\n')[0] ??
      (openFilesMax === undefined
        ? formatCount(connections)
        : `${formatCount(connections)} (files open at most: ${formatCount(openFilesMax)})`),
    bytesPerConnection === undefined ? '–' : (bytesPerConnection.median / BYTES_PER_KIB).toPrecision(3),
    emptyBytes === undefined ? '–' : (emptyBytes / BYTES_PER_MIB).toPrecision(3),
  ]);
  return { head, rows: cells };
}

const mib = (bytes: number | undefined): string => (bytes === undefined ? UNKNOWN : (bytes / BYTES_PER_MIB).toFixed(0));
const plainMs = (value: number | undefined): string => (value === undefined ? UNKNOWN : `${formatRate(value)} ms`);

export function abuseTable(rows: readonly AbuseRow[]): Cells {
  const head = [
    'attack',
    'p50 without',
    'with',
    'p99 without',
    'with ',
    'RSS before, MiB',
    'peak',
    'after',
    'heap before, MiB',
    'after ',
    'arrived',
  ];
  const cells = rows.map((row) => [
    row.attack,
    plainMs(row.without?.p50Ms),
    plainMs(row.with?.p50Ms),
    plainMs(row.without?.p99Ms),
    plainMs(row.with?.p99Ms),
    ...[row.beforeBytes, row.peakBytes, row.afterBytes, row.heapBeforeBytes, row.heapAfterBytes].map(mib),
    row.failure?.split('\n')[0] ??
      (row.received === row.sent ? `all ${formatCount(row.sent)}` : `${formatCount(row.sent - row.received)} LOST`),
  ]);
  return { head, rows: cells };
}

function abuseSection(rows: readonly AbuseRow[]): string {
  const attacks = ATTACKS.filter(({ name }) => rows.some(({ attack }) => attack === name));
  const limits = Object.entries(ABUSE_LIMITS).map(([name, value]) => `\`${name}: ${value}\``);
  return `## Abuse

What attackers cost those who do nothing wrong. Two bystanders exchange 200 messages a second at QoS 0, at first alone, then beside
attackers, who are a process of their own with the least priority on the load's core; the broker is Thimble's, a new process for
each attack, with ${limits.join(', ')} and otherwise its defaults. *Arrived* are the
bystanders' messages. *RSS* is the process's resident memory, *heap* what is on V8's heap and beside it after a collection of
garbage: what the broker really keeps, of which some is retained messages where an attack leaves any.

${markdown(abuseTable(rows), ['attack', 'arrived'])}
${attacks.map(({ name, does }) => `- **${name}**: ${does}.`).join('\n')}
`;
}

function markdown({ head, rows }: Cells, textColumns: readonly string[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = head.map((name) => (textColumns.includes(name) ? '---' : '---:'));
  return `${[line(head), `|${rule.join('|')}|`, ...rows.map(line)].join('\n')}\n`;
}

const HEADER = `# Benchmarks of the broker

Written by \`npm run bench:broker -- --write\`; do not edit. Brokers side by side, in one run, under the same load, on the
same cores. Figures hold for the machine below; what carries over to others is how brokers compare.
`;

function method({ pinned, effort }: Result): string {
  const [qos0, acked] = [windowsOf(0), windowsOf(1)];
  const cores = pinned
    ? 'Every broker has one core to itself (`taskset`), the load another.'
    : 'Broker and load were not given cores of their own here: where there is no `taskset`, or only one core, they compete.';
  return `## How it is measured

**Who runs where.** Each broker is a process of its own, and so is the load, which is the same program for all.
${cores}
In each of ${effort.rounds} rounds, each task is given to one broker after the other; the others have nothing to do meanwhile. Figures
are medians of the rounds, *±* is half of the way from the lowest to the highest.

**The load** is raw sockets and MQTT 3.1.1, with packets made before the clock runs; payloads have ${PAYLOAD_BYTES} octets. Publishers
write many messages at a time, as busy gateways and bridges do, each to a topic of its own; every subscriber wants all of
them (\`bench/from/+\`). It is a closed loop: not more than ${formatCount(qos0.messagesMax)} messages at QoS 0, ${formatCount(acked.messagesMax)} at QoS 1 and 2, and
not more than ${formatCount(qos0.deliveriesMax)} deliveries are on their way at a time, and at QoS 1 and 2 each publisher has ${acked.inflightMax}
messages open with the broker; a broker has no reason to drop any. Every delivery is counted, also those before and after
the clock runs, until the last has arrived: *arrived* says whether that were as many as there must be. *Missing* is what
had not come when nothing had moved for ${SILENCE_MS_MAX / MS_PER_S} s.

**Deliveries per second** are those to all subscribers, during ${effort.floodMs} ms, after ${effort.warmupMs} ms of the same. *CPU each* is
the broker's CPU time, the system's included, for one delivery with all that belongs to it; *busy* is CPU time in percent
of one core. *Limit* says who had no more to give, with ${BUSY_PERCENT} % or more: where it is *load*, the broker could do more; where
it is *window*, both could, and wait for each other's answers, because no more may be in flight.

**Latency** is measured afterwards, at a moderate rate that is the same for all: 2,000 messages a second, or as many as
make 10,000 deliveries, for ${effort.paceMs} ms. It counts from the moment when a message was due, not when it was sent, to when
a subscriber had it; with many subscribers, the time that the load takes to read so many sockets is in it.

**Connections per second**: CONNECT, CONNACK, DISCONNECT and the end, 50 at a time, ${formatCount(effort.connections)} in a round. **Memory** is what
the resident memory of a fresh process gains by ${formatCount(effort.idleConnections)} connections that have said nothing since, as the system counts it:
garbage is in it, and buffers of the kernel are not.
`;
}

function facts(result: Result, date: string | undefined): string {
  const versions = [...result.brokers.map(({ name, version }) => `${name} ${version}`), `node ${result.node}`];
  const missing = result.missing.map(({ name, install }) => `${name} (\`${install}\`)`);
  const { loadAverage } = result;
  const busy = `the machine was busy with something else (load average ${loadAverage.toFixed(1)}): figures are too low, latencies too high`;
  const rows = [
    ['machine', `${result.machine.cpu}, ${result.machine.cores} cores`],
    ['system', result.machine.os],
    ...(loadAverage > LOAD_AVERAGE_MAX ? [['**beware**', busy]] : []),
    ['versions', versions.join(', ')],
    ...(missing.length === 0 ? [] : [['not installed', missing.join(', ')]]),
    ...(date === undefined ? [] : [['commit of', date]]),
    ['command', '`npm run bench:broker -- --write`'],
  ];
  return `| | |\n|---|---|\n${rows.map(([key, value]) => `| ${key} | ${value} |`).join('\n')}\n`;
}

function settings({ brokers }: Result): string {
  const lines = BROKERS.filter((spec) => brokers.some(({ name }) => name === spec.name)).map(
    (spec) => `- **${spec.name}**: ${spec.settings}.`,
  );
  return `## What each broker is told\n\n${lines.join('\n')}\n`;
}

function outcome(result: Result): string {
  const found = losses(result);
  const lines = found.length === 0 ? ['Nowhere in this run.'] : found.map((line) => `- ${line}`);
  return `## Where Thimble is not first\n\n${lines.join('\n')}\n`;
}

export function formatDocument(result: Result, date: string | undefined): string {
  const text = ['broker', 'limit', 'arrived', 'idle connections'];
  const traffic = trafficTables(result.traffic).map(({ title, cells }) => `## ${title}\n\n${markdown(cells, text)}`);
  return [
    HEADER,
    facts(result, date),
    outcome(result),
    ...traffic,
    ...(result.connections.length > 0
      ? [`## Connections\n\n${markdown(connectsTable(result.connections), text)}`]
      : []),
    ...(result.memory.length > 0 ? [`## Memory\n\n${markdown(idleTable(result.memory), text)}`] : []),
    ...(result.abuse.length > 0 ? [abuseSection(result.abuse)] : []),
    method(result),
    settings(result),
  ].join('\n');
}
