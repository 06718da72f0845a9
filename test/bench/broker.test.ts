import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatDocument, limitOf, trafficTables } from '../../bench/broker/document.js';
import type { Result } from '../../bench/broker/main.js';
import { losses } from '../../bench/broker/outcome.js';
import { figureOf, Rounds, type TrafficRow } from '../../bench/broker/rows.js';
import { QOS_ALL, select } from '../../bench/broker/tasks.js';
import { formatRate } from '../../bench/document.js';

const MAIN = fileURLToPath(new URL('../../build/bench/broker/main.js', import.meta.url));

function run(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
}

// No figure is looked at: they depend on the machine, and on who else is busy on it.
describe('The bench of brokers', () => {
  const { status, stdout, stderr } = run('--quick', '--json', '--brokers', 'thimble,aedes');
  expect(status, stderr).toBe(0);
  const result = JSON.parse(stdout) as Result;
  const names = ['thimble', 'aedes'];

  it('says where, with what, and how hard it has measured', () => {
    const about = ['machine', 'node', 'pinned', 'loadAverage', 'effort', 'brokers', 'missing'];
    expect(Object.keys(result)).toEqual([...about, 'traffic', 'connections', 'memory', 'abuse']);
    expect(result.brokers.map(({ name }) => name)).toEqual(names);
    for (const { version } of result.brokers) expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(result.missing).toEqual([]);
  });

  it('gives every task to every broker, and every delivery arrives', () => {
    const shapes = ['one-to-one 1 1', 'fan-in 5 1', 'fan-out 1 10'];
    const expected = shapes.flatMap((shape) =>
      QOS_ALL.flatMap((qos) => names.map((name) => `${shape} ${qos} ${name}`)),
    );
    const titleOf = ({ kind, publishers, subscribers, qos, broker }: TrafficRow): string =>
      [kind, publishers, subscribers, qos, broker].join(' ');
    expect(result.traffic.map(titleOf)).toEqual(expected);
    for (const row of result.traffic) {
      expect(row.failure, titleOf(row)).toBeUndefined();
      expect(row.received, titleOf(row)).toBe(row.expected);
      expect(row.received).toBeGreaterThan(0);
      expect(row.rounds).toBe(1);
      expect(row.deliveriesPerSecond!.median).toBeGreaterThanOrEqual(0);
      expect(row.p99Ms!.median).toBeGreaterThanOrEqual(row.p50Ms!.median);
      expect(row.p50Ms!.median).toBeGreaterThan(0);
    }
  });

  it('lets clients come and go, and weighs those that stay', () => {
    expect(result.connections.map(({ broker }) => broker)).toEqual(names);
    for (const row of result.connections) {
      expect(row).toMatchObject({ rounds: 1, connections: result.effort.connections });
      expect(row.connectionsPerSecond!.median).toBeGreaterThan(0);
    }
    expect(result.memory.map(({ broker }) => broker)).toEqual(names);
    for (const row of result.memory) {
      expect(row).toMatchObject({ rounds: 1, connections: result.effort.idleConnections });
    }
  });

  it('abuses our own broker, and loses no message of those who do nothing wrong', () => {
    expect(result.abuse).toHaveLength(result.effort.attacksMax);
    for (const { failure, attack, sent, received, ...row } of result.abuse) {
      expect(failure, attack).toBeUndefined();
      expect(sent).toBeGreaterThan(0);
      expect(received, attack).toBe(sent);
      expect(row.with!.p99Ms).toBeGreaterThanOrEqual(row.with!.p50Ms);
      expect(row.heapAfterBytes).toBeGreaterThan(0);
    }
  });

  it('makes a document with every row, the versions, the settings and the command', () => {
    const document = formatDocument(result, '2026-01-02');
    for (const row of result.traffic) expect(document).toContain(`| ${formatRate(row.deliveriesPerSecond!.median)} |`);
    for (const { attack } of result.abuse) expect(document).toContain(`- **${attack}**: `);
    for (const { name, version } of result.brokers) {
      expect(document).toContain(`${name} ${version}`);
      expect(document).toContain(`- **${name}**: `);
    }
    expect(document).not.toContain('- **mosquitto**');
    expect(document).toContain('| commit of | 2026-01-02 |');
    expect(document).toContain('npm run bench:broker -- --write');
    for (const line of losses(result)) expect(document).toContain(`- ${line}\n`);
  });

  it('warns in the document when the machine had something else to do', () => {
    expect(formatDocument({ ...result, loadAverage: 0.1 }, undefined)).not.toContain('beware');
    expect(formatDocument({ ...result, loadAverage: 3.14 }, undefined)).toContain('load average 3.1');
  });
});

describe('The options of the bench', () => {
  it('that cannot be are refused with what is allowed', () => {
    const refusals = [
      [
        ['--brokers', 'thimble,emqx'],
        '--brokers: "emqx" is not possible; allowed: thimble, aedes, mosquitto, nats-server',
      ],
      [['--only', 'fan-in,0to1'], '--only: "0to1" is not possible; allowed: one-to-one, fan-in'],
      [['--qos', '3'], '--qos: "3" is not possible; allowed: 0, 1, 2'],
      [['--rounds', '0'], '--rounds: "0" is not possible; allowed: 1 to 100'],
    ] as const;
    for (const [args, message] of refusals) {
      const { status, stdout, stderr } = run(...args);
      expect(stderr).toContain(message);
      expect([status, stdout]).toEqual([2, '']);
    }
  });

  it('are all in the help', () => {
    const { stdout } = run('--help');
    for (const option of ['json', 'write', 'quick', 'brokers', 'only', 'qos', 'rounds']) {
      expect(stdout).toContain(`  --${option} `);
    }
  });

  it('select shapes of their own, and no more than was asked for', () => {
    const found = select(['4to1', 'memory'], [2], false);
    if ('unknown' in found) throw new Error(found.unknown);
    expect(found.traffic.map(({ kind, shape }) => ({ kind, ...shape }))).toEqual([
      { kind: 'fan-in', publishers: 4, subscribers: 1, qos: 2 },
    ]);
    expect([found.connections, found.memory]).toEqual([false, true]);
  });

  it('reach from one subscriber to a thousand when nothing is asked for', () => {
    const found = select(undefined, [0], false);
    if ('unknown' in found) throw new Error(found.unknown);
    const sizes = found.traffic.map(({ shape }) => `${shape.publishers}to${shape.subscribers}`);
    expect(sizes).toEqual(['1to1', '20to1', '1to50', '1to1000']);
  });
});

describe('A figure', () => {
  it('is the median of all rounds, with half of the way between the ends', () => {
    expect(figureOf([30, 10, 20])).toEqual({ median: 20, spreadPercent: 50 });
    expect(figureOf([10, 30])).toEqual({ median: 20, spreadPercent: 50 });
    expect(figureOf([7])).toEqual({ median: 7, spreadPercent: 0 });
  });

  it('is of the rounds that gave one, and the first failure is kept', async () => {
    const rounds = new Rounds<number>();
    await rounds.add(() => Promise.reject(new Error('first')));
    await rounds.add(() => Promise.resolve(4));
    await rounds.add(() => Promise.reject(new Error('second')));
    expect(rounds.base('aedes')).toEqual({ broker: 'aedes', rounds: 1, failure: 'first' });
    expect(rounds.figure((value) => value)).toEqual({ median: 4, spreadPercent: 0 });
    expect(rounds.figure(() => undefined)).toBeUndefined();
  });
});

describe('The page', () => {
  const figure = (median: number) => ({ median, spreadPercent: 1 });
  const row = (broker: TrafficRow['broker'], more: Partial<TrafficRow>): TrafficRow => ({
    broker,
    rounds: 3,
    kind: 'one-to-one',
    publishers: 1,
    subscribers: 1,
    qos: 0,
    messagesPerSecond: 2_000,
    expected: 1_000,
    received: 1_000,
    ...more,
  });
  const cellsOf = (of: TrafficRow): readonly string[] => trafficTables([of])[0]!.cells.rows[0]!;

  it('marks what is missing, what came twice, and what failed', () => {
    expect(cellsOf(row('aedes', {})).at(-1)).toBe('all 1,000');
    expect(cellsOf(row('aedes', { received: 990 })).at(-1)).toBe('10 MISSING');
    expect(cellsOf(row('aedes', { received: 1_001 })).at(-1)).toBe('1 TOO MANY');
    expect(cellsOf(row('aedes', { failure: 'pub-0: gone\nmore' })).at(-1)).toBe('failed: pub-0: gone');
  });

  it('says who had no more to give', () => {
    expect(limitOf({ brokerCpuPercent: 99, generatorCpuPercent: 95 })).toBe('broker');
    expect(limitOf({ brokerCpuPercent: 50, generatorCpuPercent: 95 })).toBe('load');
    expect(limitOf({ brokerCpuPercent: 50, generatorCpuPercent: 50 })).toBe('window');
    expect(limitOf({ generatorCpuPercent: 50 })).toBe('?');
  });

  it('names every contest that another broker wins, by how much, and none that Thimble wins', () => {
    const traffic = [
      row('thimble', { deliveriesPerSecond: figure(100), p50Ms: figure(2), p99Ms: figure(3) }),
      row('nats-server', { deliveriesPerSecond: figure(250), p50Ms: figure(1), p99Ms: figure(9) }),
      row('thimble', { qos: 1, failure: 'gone' }),
      row('aedes', { qos: 1, deliveriesPerSecond: figure(9) }),
      row('aedes', { qos: 2, deliveriesPerSecond: figure(9) }),
    ];
    const connections = [
      { broker: 'thimble', rounds: 1, connections: 1, connectionsPerSecond: figure(20) },
      { broker: 'aedes', rounds: 1, connections: 1, connectionsPerSecond: figure(10) },
    ] as const;
    const memory = [
      { broker: 'thimble', rounds: 1, connections: 1, bytesPerConnection: figure(4_000) },
      { broker: 'mosquitto', rounds: 1, connections: 1, bytesPerConnection: figure(1_000) },
    ] as const;
    expect(losses({ traffic, connections, memory })).toEqual([
      'one-to-one 1 → 1, QoS 0, deliveries per second: nats-server has 2.50 times as many',
      'one-to-one 1 → 1, QoS 0, p50 of latency: nats-server needs 0.50 times as much',
      'one-to-one 1 → 1, QoS 1, deliveries per second: no figure of ours',
      'one-to-one 1 → 1, QoS 1, p50 of latency: no figure of ours',
      'one-to-one 1 → 1, QoS 1, p99 of latency: no figure of ours',
      'memory of an idle connection: mosquitto needs 0.25 times as much',
    ]);
  });
});
