import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import { applicationTarget, build } from '../../../host/firmware/build.js';
import { decode } from '../../../host/wire/index.js';
import { appText, buildApp, scratch } from './modules.js';

const modem = { name: 'modem-mqttsn', entry: 'modem-mqttsn', contract: true };
const buildModem = (limits: Record<string, number>) => build({ ...modem, out: join(scratch(), 'm.wasm'), limits });

/** What an application sends first. */
function firstPacket(file: string): unknown {
  const sent: unknown[] = [];
  const module = new DeviceModule(readFileSync(file));
  const device = module.create({ send: (datagram) => sent.push(decode(datagram.slice())) && datagram.length });
  device.start(0, 0xbeef);
  device.poll(0);
  return sent[0];
}

describe('an application outside of the repository', () => {
  it('imports the library as "thimble", builds and runs', async () => {
    const { out } = await buildApp({ 'my-app.ts': appText() });
    expect(firstPacket(out)).toMatchObject({ type: PacketType.Connect, clientId: 'app-0000beef' });
  });

  it('may have files beside it and below, which may import the library, too', async () => {
    const { out, linearBytes, stateBytes } = await buildApp({
      'main.ts': `
        import { client, EventKind } from 'thimble';
        import { begin } from './lib/begin';
        export function setup(seed: i32): void { begin(seed); }
        export function tick(): i32 { while (client.next().kind !== EventKind.None) {} return 1000; }`,
      'lib/begin.ts': `
        import { client, text } from "thimble";
        import { NAME } from '../name';
        export function begin(seed: i32): void {
          text.clear().add(NAME).addInt(seed);
          client.identify();
          client.connect(10, false);
        }`,
      'name.ts': `export const NAME: string = 'far-away-';`,
    });
    expect(firstPacket(out)).toMatchObject({ type: PacketType.Connect, clientId: `far-away-${0xbeef}` });
    // Reached by two paths, the library would be there twice, and have two states.
    expect(linearBytes).toBeLessThan(stateBytes + 1_000);
  });

  it('that is missing is ERR_APP_NOT_FOUND', async () => {
    const target = applicationTarget(join(scratch(), 'nothing.ts'), join(scratch(), 'out.wasm'));
    await expect(build(target)).rejects.toMatchObject({ code: 'ERR_APP_NOT_FOUND' });
  });

  it('that does not compile is ERR_COMPILE, with its own file and line', async () => {
    await expect(buildApp({ 'faulty.ts': appText('', 'const n: i32 = "text";') })).rejects.toMatchObject({
      code: 'ERR_COMPILE',
      message: expect.stringMatching(/faulty\.ts\S*\(11,\d+\)|faulty\.ts:11/),
    });
  });

  it('that imports the library as an example does is told how to, in its own words', async () => {
    const failure = buildApp({ 'copy.ts': appText().replace("'thimble'", "'../index'") });
    await expect(failure).rejects.toMatchObject({
      code: 'ERR_COMPILE',
      message: expect.stringMatching(/from '\.\.\/index'[\s\S]*The library is imported from 'thimble'\.$/),
    });
    const { message } = (await failure.catch((error: unknown) => error)) as Error;
    expect(message).not.toContain('outside');
  });

  it('whose file beside it does not compile is told which', async () => {
    const files = {
      'main.ts': appText("import { f } from './other';", 'f();'),
      'other.ts': 'export function f(): void { g(); }',
    };
    await expect(buildApp(files)).rejects.toMatchObject({
      code: 'ERR_COMPILE',
      message: expect.stringContaining('other.ts'),
    });
  });

  it.each<[string, string, string[], RegExp]>([
    ['tick', 'export function setup(seed: i32): void {}', ['tick(): i32'], /setup/],
    ['setup', 'export function tick(): i32 { return 1; }', ['setup(seed: i32): void'], /tick/],
    ['either', 'export const x = 1;', ['setup(seed: i32): void', 'tick(): i32'], /FAILURE/],
    ['a tick that returns', appText().replace('tick(): i32', 'tick(): void'), ['tick(): i32'], /setup/],
    [
      'a setup that takes a seed',
      appText().replace('seed: i32', '').replace('seed', '1'),
      ['setup(seed: i32)'],
      /tick/,
    ],
  ])('without %s is told what to export, and of no file but its own', async (_what, app, wanted, unsaid) => {
    const failure = buildApp({ 'bell.ts': app });
    await expect(failure).rejects.toMatchObject({ code: 'ERR_COMPILE' });
    const { message } = (await failure.catch((error: unknown) => error)) as Error;
    expect(message).not.toContain('application.ts');
    expect(message).not.toMatch(unsaid);
    for (const line of message.split('\n')) expect(line).toContain('bell.ts');
    for (const signature of wanted) expect(message).toContain(`\`export function ${signature}`);
  });

  it('is told of its other faults, too, where it exports too little', async () => {
    await expect(buildApp({ 'bell.ts': 'export function setup(seed: i32): void { nope(); }' })).rejects.toMatchObject({
      message: expect.stringMatching(/bell\.ts does not export tick;[^\n]*\n.*'nope'.*bell\.ts\(1,/s),
    });
  });

  it('that does not build leaves what was there', async () => {
    const folder = scratch();
    const out = join(folder, 'out.wasm');
    writeFileSync(join(folder, 'app.ts'), appText('let n = 0;', 'n++; if (n > 3) return n;'));
    await expect(build(applicationTarget(join(folder, 'app.ts'), out))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
    });
    expect(existsSync(out)).toBe(false);
  });

  it('whose state is too large is told so', async () => {
    const fields = Array.from({ length: 33 }, (_, i) => `f${i}: i32;`).join(' ');
    const app = appText(`@unmanaged class Big { ${fields} }`, 'client.state<Big>().f0 = 1;');
    await expect(buildApp({ 'big.ts': app })).rejects.toMatchObject({
      code: 'ERR_COMPILE',
      message: expect.stringContaining('THIMBLE_APP_BYTES'),
    });
    expect((await buildApp({ 'big.ts': app }, { limits: { APP_BYTES: 136 } })).stateBytes).toBeGreaterThan(0);
  });
});

describe('limits', () => {
  it('change the state by exactly what they are about', async () => {
    const plain = await buildModem({});
    const more = await buildModem({ TOPICS_MAX: 24 });
    expect(more.stateBytes - plain.stateBytes).toBe(12 * 64);
    expect(more.linearBytes - plain.linearBytes).toBe(12 * 64);
    const wide = await buildModem({ RX_BYTES: 1_024, TX_BYTES: 600 });
    expect(wide.stateBytes - plain.stateBytes).toBe(512 + 88);
  });

  it('reach the device', async () => {
    const { out } = await buildModem({ TOPICS_MAX: 3, RX_BYTES: 128, T_RETRY_MS: 250 });
    const module = new DeviceModule(readFileSync(out));
    expect(module.rxBytes).toBe(128);
    const device = module.create({ send: (datagram) => datagram.length });
    device.start(0, 1);
    expect([1, 2, 3, 4].map((id) => device.call('predefined', id))).toEqual([0, 1, 2, -17]);
    device.call('identify', device.write(Uint8Array.of(0x61)));
    device.call('connect', 0, 0, 0);
    expect(device.poll(0)).toBe(250);
  });

  it('may be as small or as large as their range', async () => {
    const least = await buildModem({
      TOPICS_MAX: 1,
      TOPIC_NAME_BYTES_MAX: 4,
      RX_BYTES: 64,
      TX_BYTES: 64,
      OUTBOUND_BYTES: 64,
      INBOUND_QOS2_MAX: 2,
      EVENTS_MAX: 4,
      WILL_MESSAGE_BYTES_MAX: 0,
      APP_BYTES: 0,
      TEXT_BYTES: 0,
    });
    expect(least.stateBytes).toBeLessThan(800);
    const most = await buildModem({
      TOPICS_MAX: 254,
      TOPIC_NAME_BYTES_MAX: 56,
      WILL_MESSAGE_BYTES_MAX: 246,
      EVENTS_MAX: 128,
      APP_BYTES: 32_768,
      T_RETRY_MS: 2 ** 30,
      T_WAIT_MS: 2 ** 30,
      RECONNECT_MS_MAX: 2 ** 30,
      LATE_DUPLICATE_MS: 2 ** 30,
    });
    expect(most.stateBytes).toBeGreaterThan(48_000);
    const shortest = { T_RETRY_MS: 2, T_WAIT_MS: 1, RECONNECT_MS_MAX: 2, LATE_DUPLICATE_MS: 1 };
    expect((await buildModem(shortest)).stateBytes).toBeGreaterThan(0);
    expect((await buildModem({ TEXT_BYTES: 32_768 })).stateBytes).toBeGreaterThan(32_768);
  });

  it('may make a state of one page, and not an octet more', async () => {
    const { stateBytes } = await buildModem({ APP_BYTES: 0 });
    const rest = 65_536 - stateBytes - 32_768;
    const rxBytes = 512 + rest;
    expect((await buildModem({ APP_BYTES: 32_768, RX_BYTES: rxBytes })).stateBytes).toBe(65_536);
    await expect(buildModem({ APP_BYTES: 32_768, RX_BYTES: rxBytes + 1 })).rejects.toMatchObject({
      code: 'ERR_COMPILE',
      message: expect.stringContaining('65536 octets'),
    });
  });

  it('leave no text out of bounds: without a buffer, what needs one does not compile', async () => {
    const silent = `import { client } from 'thimble';
      export function setup(seed: i32): void { client.predefined(1); }
      export function tick(): i32 { client.next(); return 1000; }`;
    const limits = { TEXT_BYTES: 0 };
    expect((await buildApp({ 'silent.ts': silent }, { limits })).stateBytes).toBeGreaterThan(0);
    for (const use of ['text.clear();', "client.topic('a');", 'client.identify();', 'client.publish(0, 0, false);']) {
      const app = silent.replace('client.next();', use).replace('{ client }', '{ client, text }');
      await expect(buildApp({ 'app.ts': app }, { limits }), use).rejects.toMatchObject({
        code: 'ERR_COMPILE',
        message: expect.stringContaining('THIMBLE_TEXT_BYTES: 16 or more'),
      });
      expect((await buildApp({ 'app.ts': app }, { limits: { TEXT_BYTES: 16 } })).stateBytes, use).toBeGreaterThan(0);
    }
  });

  it.each([
    ['that does not exist', { TOPICS: 4 }, 'ERR_LIMIT'],
    ['with the suffix of its default', { TOPICS_MAX_DEFAULT: 4 }, 'ERR_LIMIT'],
    ['that is no whole number', { TOPICS_MAX: 1.5 }, 'ERR_LIMIT'],
    ['that is no number', { TOPICS_MAX: Number.NaN }, 'ERR_LIMIT'],
    ['below its range', { TOPICS_MAX: 0 }, 'ERR_COMPILE'],
    ['above its range', { TOPICS_MAX: 255 }, 'ERR_COMPILE'],
    ['too small for another', { OUTBOUND_BYTES: 511 }, 'ERR_COMPILE'],
    ['too small for a REGISTER', { TX_BYTES: 64, TOPIC_NAME_BYTES_MAX: 60 }, 'ERR_COMPILE'],
    ['too small for WILLMSG', { TX_BYTES: 64, OUTBOUND_BYTES: 64, WILL_MESSAGE_BYTES_MAX: 64 }, 'ERR_COMPILE'],
    ['that leaves no time', { T_RETRY_MS: 1 }, 'ERR_COMPILE'],
    ['below T_retry', { RECONNECT_MS_MAX: 9_999 }, 'ERR_COMPILE'],
    ['that an octet cannot count', { N_RETRY: 256 }, 'ERR_COMPILE'],
    ['that is no power of two', { EVENTS_MAX: 12 }, 'ERR_COMPILE'],
    ['that leaves the state unaligned', { APP_BYTES: 12 }, 'ERR_COMPILE'],
    ['below nothing', { APP_BYTES: -8 }, 'ERR_COMPILE'],
    ['that no device has', { APP_BYTES: 32_776 }, 'ERR_COMPILE'],
    ['smaller than its overhead', { TEXT_BYTES: 8 }, 'ERR_COMPILE'],
    ['that leaves the text unaligned', { TEXT_BYTES: 20 }, 'ERR_COMPILE'],
    ['that no text needs', { TEXT_BYTES: 32_776 }, 'ERR_COMPILE'],
    ['that waits for nothing', { T_WAIT_MS: 0 }, 'ERR_COMPILE'],
    ['that remembers nothing', { LATE_DUPLICATE_MS: 0 }, 'ERR_COMPILE'],
    ['that a wrapping clock takes for the past', { T_WAIT_MS: 2 ** 30 + 1 }, 'ERR_COMPILE'],
    ['that never ends', { T_RETRY_MS: 2 ** 30 + 1, RECONNECT_MS_MAX: 2 ** 30 }, 'ERR_COMPILE'],
    ['that remembers for ever', { LATE_DUPLICATE_MS: 2 ** 30 + 1 }, 'ERR_COMPILE'],
  ])('a limit %s is refused', async (_what, limits, code) => {
    await expect(buildModem(limits as unknown as Record<string, number>)).rejects.toMatchObject({ code });
  });
});

describe('a debug build', () => {
  it('keeps the rules, runs, and has names', async () => {
    const { out } = await buildApp({ 'app.ts': appText() }, { debug: true });
    expect(firstPacket(out)).toMatchObject({ type: PacketType.Connect });
    expect(readFileSync(out).includes('client/connection/')).toBe(true);
    expect(readFileSync((await buildApp({ 'app.ts': appText() })).out).includes('client/connection/')).toBe(false);
  });
});
