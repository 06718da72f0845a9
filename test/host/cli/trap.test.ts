// What becomes of a command whose application traps.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Exit, temporaryFile, temporaryFolder, thimble, thimbleWithin } from './command.js';

const FOR_S = '120';

let folder: string;

/** Builds an application that traps in its `tick` where `when` holds. */
async function moduleThatTraps(name: string, when: string): Promise<string> {
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
      if (${when}) unreachable();
      return 200;
    }`,
  );
  const out = join(folder, `${name}.wasm`);
  const { exit, stderr } = await thimbleWithin(['build', source, '--out', out]);
  expect(exit, stderr).toBe(Exit.Done);
  return out;
}

describe('an application that traps', () => {
  let atOnce: string;
  let later: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    atOnce = await moduleThatTraps('at-once', 'upMs >= 0');
    later = await moduleThatTraps('later', 'upMs >= 400');
  });

  it.each([
    ['at power-on', () => atOnce, /^thimble: at-once\.wasm [^\n]* start\b[^\n]*\[ERR_DEVICE_TRAP\]\n$/],
    ['later', () => later, /^thimble: later\.wasm [^\n]* poll\b[^\n]*\[ERR_DEVICE_TRAP\]\n$/],
  ])('%s ends thimble run at once, with one message', async (_when, file, message) => {
    const gateway = createSocket('udp4').bind(0, '127.0.0.1'); // hears, and says nothing
    await once(gateway, 'listening');
    try {
      const address = `127.0.0.1:${gateway.address().port}`;
      const { exit, stderr } = await thimble(['run', file(), '--gateway', address, '--for', FOR_S]);
      expect(stderr).toMatch(message);
      expect(exit).toBe(Exit.Failed);
    } finally {
      gateway.close();
    }
  });

  it('ends thimble sim with one message, which says how to see it again', async () => {
    const fleet = temporaryFile('fleet.json', {
      name: 'fleet',
      seed: 1,
      durationS: 10,
      devices: [{ class: 'device', app: later, count: 2 }],
      clients: [{ name: 'client', measures: true }],
    });
    const { exit, stdout, stderr } = await thimbleWithin(['sim', fleet, '--seed', '7', '--devices', '3']);
    expect(stderr).toMatch(/^thimble: [^\n]*later\.wasm [^\n]* poll\b[^\n]*\[ERR_DEVICE_TRAP\]\n$/);
    expect(stderr).toContain(`repeat it with: thimble sim ${fleet} --seed 7 --devices 3 [`);
    expect(stdout).toBe('');
    expect(exit).toBe(Exit.Failed);
  });
});
