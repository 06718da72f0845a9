import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SimReport } from '../../../host/sim/report.js';
import { describeWithFile } from '../../tools.js';
import { Exit, temporaryFile, temporaryFolder, thimble, thimbleJson, thimbleWithin } from './command.js';

/**
 * What the shipped scenario comes to with seed 1, on any machine. It changes whenever the devices, the gateway, the broker
 * or the simulator say something else than before: then read `thimble sim lab --seed 1`, make sure that the change was
 * meant, and put its digest here.
 */
const LAB_DIGEST = '85dda28b2a9f0e038d8047d540ed972f4dce6e75691a1877d4b5ab3353a5991f';
const LAB = { devices: 30, virtualMs: 600_000, classes: 7, dying: 2 };

const KEYS = [
  'scenario',
  'seed',
  'digest',
  'devices',
  'virtualMs',
  'overtimeMs',
  'wallMs',
  'qos',
  'wills',
  'retained',
  'bytesOnAir',
  'retransmissions',
  'gatewayRetransmissions',
  'classes',
  'gateways',
  'moves',
  'violations',
];
const QOS_LEVELS = ['0', '1', '2', '-1'] as const;
const QOS_KEYS = ['sent', 'delivered', 'duplicates', 'orphaned', 'latencyMs'];

/** Everything but the real time, which no seed repeats. */
const repeatable = ({ wallMs: _, ...report }: SimReport): Omit<SimReport, 'wallMs'> => report;

/** A short run of the shipped scenario within the test. */
async function report(...args: string[]): Promise<SimReport> {
  const { exit, stdout, stderr } = await thimbleWithin(['sim', 'lab', '--json', ...args]);
  expect(exit, stderr).toBe(Exit.Done);
  return JSON.parse(stdout) as SimReport;
}

describe('the report as JSON', () => {
  it('is one document with the documented keys, and says what the seed was', async () => {
    const lab = await thimbleJson<SimReport>(['sim', 'lab', '--seed', '7']);
    expect(Object.keys(lab)).toEqual(KEYS);
    expect(lab).toMatchObject({ scenario: 'lab', seed: 7, devices: LAB.devices, virtualMs: LAB.virtualMs });
    expect(lab.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(Object.keys(lab.qos).sort()).toEqual([...QOS_LEVELS].sort());
    for (const level of QOS_LEVELS) {
      const figures = lab.qos[level];
      expect(Object.keys(figures)).toEqual(QOS_KEYS);
      expect(figures.sent).toBeGreaterThan(0);
      expect(figures.delivered).toBeLessThanOrEqual(figures.sent);
      expect(figures.latencyMs.p50).toBeLessThanOrEqual(figures.latencyMs.p99!);
    }
  });

  it('goes to a file as well, and is the same there', async () => {
    const file = join(temporaryFolder(), 'report.json');
    const printed = await thimbleJson<SimReport>(['sim', 'lab', '--report', file]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(printed);
  });
});

describe('a scenario with gateways that crash', () => {
  it('says in words and as JSON how often, and how devices moved', async () => {
    const { gateways, moves, violations } = await thimbleJson<SimReport>(['sim', 'failover']);
    expect(gateways.map(({ gwId }) => gwId)).toEqual([1, 2]);
    for (const { crashes, downMs } of gateways) {
      expect(crashes).toBeGreaterThan(0);
      expect(downMs).toBeGreaterThan(10_000);
    }
    expect(moves).toBeGreaterThan(0);
    expect(violations).toEqual([]);
    const { stdout } = await thimble(['sim', 'failover']);
    expect(stdout).toContain(`gateway 1: ${gateways[0]!.crashes} times down`);
    expect(stdout).toContain(`devices turned to another gateway ${moves} times`);
  });
});

describe('a seed', () => {
  it('decides over every byte, in one process as in another', async () => {
    const runs = [
      await thimbleJson<SimReport>(['sim', 'lab']),
      await thimbleJson<SimReport>(['sim', 'lab', '--seed', '1']),
    ];
    expect(repeatable(runs[0]!)).toEqual(repeatable(runs[1]!));
    expect(runs[0]!.digest).toBe(LAB_DIGEST);
  });

  it('is another run than the next one', async () => {
    const digests = new Set<string>();
    for (const seed of ['1', '2', '3']) digests.add((await report('--seed', seed)).digest);
    expect(digests.size).toBe(3);
  });

  it('does not hang on who watches', async () => {
    const pcap = join(temporaryFolder(), 'lab.pcap');
    expect((await report('--pcap', pcap)).digest).toBe(LAB_DIGEST);
  });
});

describe('the shipped scenario', () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

  it.each(seeds)('keeps its promises with seed %i', async (seed) => {
    const lab = await report('--seed', `${seed}`);
    expect(lab.violations).toEqual([]);
    expect(lab.devices).toBe(LAB.devices);
    expect(lab.virtualMs).toBe(LAB.virtualMs);
    expect(lab.wills).toBeGreaterThanOrEqual(LAB.dying);
    expect(lab.retained).toBeGreaterThan(0);
    for (const level of QOS_LEVELS) expect(lab.qos[level].delivered).toBeGreaterThan(0);
    for (const level of ['1', '2'] as const) {
      const { sent, delivered, orphaned } = lab.qos[level];
      expect(delivered + orphaned).toBe(sent);
    }
    expect(lab.qos['2'].duplicates).toBe(0);
    expect(lab.retransmissions).toBeGreaterThan(0);
  });
});

describe('size and duration', () => {
  it('are changed by --devices and --hours, and the classes keep their shares', async () => {
    const fleet = await report('--devices', '90', '--hours', '0.1');
    expect(fleet.devices).toBe(90);
    expect(fleet.virtualMs).toBe(360_000);
    expect(Object.fromEntries(fleet.classes.map((c) => [c.class, c.devices]))).toEqual({
      sensor: 36,
      light: 21,
      'light-dying': 3,
      alarm: 9,
      'alarm-dying': 3,
      heartbeat: 12,
      beacon: 6,
    });
  });

  it('may be as small as a device of each group', async () => {
    const fleet = await report('--devices', `${LAB.classes}`, '--hours', '0.05');
    for (const { devices } of fleet.classes) expect(devices).toBe(1);
  });
});

describe('measured links', () => {
  // Made up: a good link both ways, and one that loses every fourth packet.
  const madeUp = temporaryFile(
    'links.csv',
    [
      'noise_dbm,tx_node,rx_node,mean_rssi,received_hex',
      '-10,cellar,gateway,7.5,ffffffffffffffff',
      '-10,gateway,cellar,6.0,ffffffffffff7fff',
      '-10,attic,gateway,2.1,eeeeeeeeeeeeeeee',
    ].join('\n'),
  );

  it('take the place of the modelled losses, repeatably', async () => {
    const [modelled, measured, again] = [
      await report(),
      await report('--links', madeUp),
      await report('--links', madeUp),
    ];
    expect(measured.digest).not.toBe(modelled.digest);
    expect(repeatable(measured)).toEqual(repeatable(again));
    expect(measured.violations).toEqual([]);
  });

  const orbit = new URL('../../../../shared/data/orbit-links.csv', import.meta.url);
  describeWithFile(orbit, 'the measured links of the ORBIT testbed (docs/LINKS.md)', 'of a real testbed', () => {
    it.each(['1', '2', '3'])('break no promise with seed %s', async (seed) => {
      const lab = await report('--links', orbit.pathname, '--seed', seed);
      expect(lab.violations).toEqual([]);
      for (const level of QOS_LEVELS) expect(lab.qos[level].delivered).toBeGreaterThan(0);
    });
  });
});

describe('the report for people', () => {
  it('has a row for every QoS and every class, the totals, and the digest', async () => {
    const lab = await report();
    const { exit, stdout, stderr } = await thimble(['sim', 'lab']);
    expect(exit).toBe(Exit.Done);
    expect(stderr).toBe('');
    const grouped = (value: number): string => value.toLocaleString('en-US');
    for (const level of QOS_LEVELS) {
      const { sent, delivered } = lab.qos[level];
      expect(stdout).toMatch(new RegExp(`^ +QoS ${level}, [a-z ]+ +${grouped(sent)} +${grouped(delivered)} `, 'm'));
    }
    for (const c of lab.classes) {
      expect(stdout).toMatch(
        new RegExp(`^ +${c.class} +${c.devices} .* ${grouped(c.bytesUp)} +${grouped(c.bytesDown)} `, 'm'),
      );
    }
    expect(stdout).toMatch(new RegExp(`^ +all +${LAB.devices} .* ${grouped(lab.retransmissions)} *$`, 'm'));
    expect(stdout).toContain(`${lab.wills} wills published, ${lab.retained} retained messages`);
    expect(stdout).toContain('every promise of QoS 1 and 2 was kept');
    expect(stdout).toMatch(new RegExp(`^ +digest ${lab.digest}$`, 'm'));
  });
});
