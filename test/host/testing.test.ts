import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../../host/sim/scenario.js';
import { simulate } from '../../host/testing.js';
import { temporaryFile } from './cli/command.js';

const SCENARIO: Scenario = {
  name: 'one',
  seed: 3,
  durationS: 120,
  devices: [{ class: 'meter', app: 'heartbeat', count: 2 }],
  clients: [{ name: 'hall', measures: true, subscribe: [{ filter: 'home/#', qos: 0 }] }],
};

describe('thimble/testing', () => {
  it('is what the package exports', async () => {
    const path = import.meta.resolve('thimble/testing');
    expect(path).toMatch(/\/build\/host\/testing\.js$/);
    expect(Object.keys((await import(path)) as object)).toEqual(['simulate']);
  });

  it('tells every message that has arrived, when and where', async () => {
    const { report, messages } = await simulate(SCENARIO);
    expect(report.violations).toEqual([]);
    const inTime = messages.filter(({ atMs }) => atMs <= report.virtualMs);
    expect(inTime.length).toBe(report.qos['0'].delivered);
    expect(messages.length).toBeGreaterThan(15);
    for (const { node, topic, text, payload } of messages) {
      expect(node).toBe('hall');
      expect(topic).toMatch(/^home\/meter-[0-9a-f]{8}\/beat$/);
      expect(text).toMatch(/^\{"seq":\d+\}$/);
      expect(new TextDecoder().decode(payload)).toBe(text);
    }
    const times = messages.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(new Set(messages.map(({ text }) => text)).size).toBeGreaterThan(5);
  });

  it('takes a file, and another seed for another day', async () => {
    const file = temporaryFile('s.json', SCENARIO);
    const [first, again, other] = [await simulate(file), await simulate(file), await simulate(file, { seed: 4 })];
    expect(again.report.digest).toBe(first.report.digest);
    expect(again.messages).toEqual(first.messages);
    expect(other.report).toMatchObject({ seed: 4 });
    expect(other.report.digest).not.toBe(first.report.digest);
  });

  it('says what is wrong with a scenario as the command does', async () => {
    await expect(simulate(temporaryFile('s.json', { name: 'x' }))).rejects.toMatchObject({ code: 'ERR_SCENARIO' });
    await expect(simulate(join('no', 'where.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
