// What becomes of a command whose application traps, or does not come back.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SimReport } from '../../../host/sim/report.js';
import { Exit, temporaryFile, temporaryFolder, thimble, thimbleWithin } from './command.js';

/** Two resets: after at most 0.4 s, and a second and 0.4 s after that. */
const FOR_S = '2.6';

let folder: string;

/** Builds an application that traps, or does not return, in its `tick` where `when` holds. */
async function moduleThat(does: 'traps' | 'loops', name: string, when: string): Promise<string> {
  const source = temporaryFile(
    `${name}.ts`,
    `import { client, EventKind, text } from 'thimble';
    @unmanaged class State { bootAt: i32; }
    export function setup(seed: i32): void {
      client.state<State>().bootAt = client.now();
      text.clear().add('trap-').addHex(seed, 8);
      client.identify();
      client.connect(60, true);
    }
    export function tick(): i32 {
      while (client.next().kind !== EventKind.None) {}
      const upMs = client.now() - client.state<State>().bootAt;
      if (${when}) ${does === 'traps' ? 'unreachable();' : 'for (;;) client.now();'}
      return 200;
    }`,
  );
  const out = join(folder, `${name}.wasm`);
  const { exit, stderr } = await thimbleWithin(['build', source, '--out', out]);
  expect(exit, stderr).toBe(Exit.Done);
  return out;
}

describe('an application that traps or never comes back', () => {
  let atOnce: string;
  let later: string;
  let loops: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    atOnce = await moduleThat('traps', 'at-once', 'upMs >= 0');
    later = await moduleThat('traps', 'later', 'upMs >= 400');
    loops = await moduleThat('loops', 'loops', 'upMs >= 400');
  });

  it.each([
    [
      'traps at power-on',
      () => atOnce,
      /^at-once\.wasm [^\n]* start\b[^\n]*\[ERR_DEVICE_TRAP\]; starts again in 1000 ms\n/,
    ],
    ['traps later', () => later, /^later\.wasm [^\n]* poll\b[^\n]*\[ERR_DEVICE_TRAP\]; starts again in 1000 ms\n/],
    [
      'loops for ever',
      () => loops,
      /^loops\.wasm [^\n]* poll\b[^\n]*\[ERR_DEVICE_WATCHDOG\]; starts again in 1000 ms\n/,
    ],
  ])('%s: thimble run says so, starts it again after a while, and counts', async (_when, file, message) => {
    const gateway = createSocket('udp4').bind(0, '127.0.0.1'); // hears, and says nothing
    await once(gateway, 'listening');
    try {
      const address = `127.0.0.1:${gateway.address().port}`;
      const { exit, stdout, stderr } = await thimble(['run', file(), '--gateway', address, '--for', FOR_S, '--json']);
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/\n[^\n]*starts again in 2000 ms\n$/);
      const { resets } = JSON.parse(stdout) as { resets: Record<string, number> };
      expect(resets.trap! + resets.watchdog!).toBe(2);
      expect(exit).toBe(Exit.Done);
    } finally {
      gateway.close();
    }
  });

  it('is reset in thimble sim, whose report says how often and why', async () => {
    const fleet = temporaryFile('fleet.json', {
      name: 'fleet',
      seed: 1,
      durationS: 600,
      devices: [
        { class: 'trapping', app: later, count: 2 },
        { class: 'looping', app: loops, count: 20 },
        { class: 'good', app: 'alarm', count: 2 },
      ],
      clients: [{ name: 'client', measures: true, subscribe: [{ filter: '#', qos: 2 }] }],
    });
    const text = await thimbleWithin(['sim', fleet]);
    expect(text.stderr).toBe('');
    expect(text.stdout).toMatch(/ {2}trapping: reset \d+ times by a trap in its module\n/);
    expect(text.stdout).toMatch(/ {2}looping: reset \d+ times by the watchdog\n/);
    expect(text.stdout).not.toContain('good: reset');
    expect(text.stdout).toContain('every promise of QoS 1 and 2 was kept');
    expect(text.exit).toBe(Exit.Done);
    const { stdout } = await thimbleWithin(['sim', fleet, '--json']);
    const report = JSON.parse(stdout) as SimReport;
    // 1, 2, 4, 8, 16, 32 and then 64 s from one to the next: 14 or 15 a device.
    const resets = report.classes.map((c) => c.resets);
    expect(resets[0]).toEqual({ trap: expect.any(Number), watchdog: 0 });
    expect(resets[0]!.trap / 2).toBeGreaterThanOrEqual(13);
    expect(resets[0]!.trap / 2).toBeLessThanOrEqual(15);
    expect(resets[1]!.watchdog / 20).toBeGreaterThanOrEqual(13);
    expect(resets[2]).toEqual({ trap: 0, watchdog: 0 });
    const again = JSON.parse((await thimbleWithin(['sim', fleet, '--json'])).stdout) as SimReport;
    expect({ ...again, wallMs: 0 }).toEqual({ ...report, wallMs: 0 });
  });
});
