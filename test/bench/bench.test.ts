import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatCount, formatDocument, formatRate } from '../../bench/document.js';
import type { Result } from '../../bench/main.js';

const MAIN = fileURLToPath(new URL('../../build/bench/main.js', import.meta.url));

const UDP = 'gateway, UDP loopback';

function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return stdout;
}

// No figure is looked at: they depend on the machine, and on who else is busy on it.
describe('the benches', () => {
  const result = JSON.parse(run('--quick', '--json')) as Result;

  it('measure every group, and say where', () => {
    expect(Object.keys(result)).toEqual(['machine', 'versions', 'rows', 'memory', 'instructions']);
    expect(Object.keys(result.machine)).toEqual(['cpu', 'cores', 'os']);
    expect(Object.keys(result.versions)).toEqual(['node', 'v8', 'thimble', 'mqttPacket']);
    const groups = ['codec', 'fleet', 'image', 'gateway', UDP];
    expect([...new Set(result.rows.map(({ group }) => group))]).toEqual(groups);
    for (const row of result.rows) {
      const { load, ...rest } = row;
      expect(load !== undefined).toBe(row.group === UDP);
      expect(Object.keys(rest)).toEqual(['group', 'task', 'subject', 'unit', 'perSecond', 'errorPercent', 'samples']);
      expect(row.perSecond).toBeGreaterThan(0);
      expect(row.samples).toBeGreaterThan(0);
    }
  });

  it('measure every codec both ways with every packet that it has', () => {
    const codecs = result.rows.filter(({ group }) => group === 'codec');
    const subjectsOf = (task: string): string[] => codecs.filter((row) => row.task === task).map((row) => row.subject);
    for (const verb of ['encode', 'decode']) {
      for (const packet of ['CONNECT', 'PUBLISH, QoS 1, 32 B', 'SUBACK']) {
        expect(subjectsOf(`${verb} ${packet}`)).toEqual(['device (WASM)', 'host', 'mqtt-packet']);
      }
      expect(subjectsOf(`${verb} REGISTER`)).toEqual(['device (WASM)', 'host']);
    }
  });

  it('load a gateway on a socket in both directions at both QoS, and say what that costs both sides', () => {
    const rows = result.rows.filter(({ group }) => group === UDP);
    const tasks = [0, 1].flatMap((qos) => ['from', 'to'].map((way) => `${way} devices, QoS ${qos}`));
    expect(rows.map(({ task }) => task)).toEqual(tasks);
    for (const { load } of rows) {
      expect(Object.keys(load!)).toEqual(['messages', 'cpuUsPerMessage', 'cpuPercent', 'loadCpuPercent']);
      for (const figure of Object.values(load!)) expect(figure).toBeGreaterThan(0);
    }
  });

  it('weigh clients that are connected and that sleep, without and with the broker', () => {
    const parts = ['gateway', 'gateway and broker'];
    const expected = parts.flatMap((part) => ['connected', 'asleep'].map((state) => [part, state]));
    expect(result.memory.map(({ part, state }) => [part, state])).toEqual(expected);
    for (const { clients, bytesPerClient } of result.memory) {
      expect(clients).toBeGreaterThan(0);
      expect(bytesPerClient).toBeGreaterThan(0);
    }
  });

  it('count the instructions of a message on every board whose tools are here, more of them at QoS 1', () => {
    const { instructions } = result;
    const count = (board: string, qos: number): number =>
      instructions.find((row) => row.board === board && row.qos === qos)!.instructions;
    for (const board of new Set(instructions.map((row) => row.board))) {
      expect(count(board, 0)).toBeGreaterThan(100);
      expect(count(board, 1)).toBeGreaterThan(count(board, 0));
    }
  });

  it('make a document with every row, the machine and the command', () => {
    const document = formatDocument(result, '2026-01-02');
    for (const { task, subject, perSecond } of result.rows) {
      expect(document).toContain(`| ${task} | ${subject} | ${formatRate(perSecond)} |`);
    }
    for (const { bytesPerClient } of result.memory) expect(document).toContain(formatRate(bytesPerClient));
    for (const { core, instructions } of result.instructions) {
      expect(document).toMatch(new RegExp(`\\| ${core} \\|.* ${formatCount(instructions)} \\|`));
    }
    for (const word of [result.machine.cpu, result.versions.v8, '2026-01-02', 'npm run bench']) {
      expect(document).toContain(word);
    }
    expect(formatDocument(result, undefined)).not.toContain('commit');
  });

  it('say what can be asked of them', () => {
    for (const option of ['--json', '--write', '--quick']) expect(run('--help')).toContain(option);
  });
});
