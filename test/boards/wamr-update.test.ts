// Updates over MQTT to WAMR on this machine: `thimble update` on one side, the real gateway and broker between.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { PacketType } from '../../assembly/protocol/index.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { APPS_DIR } from '../../host/firmware/paths.js';
import { HOST, type Ports, Program, startBroker, temporaryFolder, thimble, until } from '../e2e/world.js';
import { describeWithTools } from '../tools.js';
import { UdpRelay } from './udp-relay.js';
import { BUILD_MS, WAMR_TOOLS, wamrProgram } from './wamr.js';

const OLD = join(APPS_DIR, 'updatable.ts');
const NEXT = join(APPS_DIR, 'updatable-next.ts');
const BROKEN = join(import.meta.dirname, 'apps', 'broken.ts');
/** As the applications call their versions. */
const [OLD_VERSION, NEXT_VERSION] = ['1.0.0', '1.1.0'];
/** What the board says of the module that it starts. */
const SHIPPED = 'update: as shipped, 1.0.0, runs\n';
const TRIAL = 'update: slot 1, 1.1.0, on trial\n';

async function build(source: string): Promise<Uint8Array> {
  return link(await compile({ entry: 'application', application: source })).bytes;
}

describeWithTools(WAMR_TOOLS, 'updates of WAMR', () => {
  let ports: Ports;
  let hall: MqttClient;
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name);
  let seed = 0x500;
  let told: string[] = [];
  let device: Program;
  let relay: UdpRelay;

  beforeAll(async () => {
    await wamrProgram();
    writeFileSync(file('broker.json'), '{ "gateway": { "tRetryMs": 500 } }'); // for what a dead device does not answer
    ports = await startBroker('--config', file('broker.json'));
    relay = await UdpRelay.start(ports.sn);
    writeFileSync(file('updatable.wasm'), await build(OLD));
    writeFileSync(file('next.wasm'), await build(NEXT));
    writeFileSync(file('broken.wasm'), await build(BROKEN));
    for (const name of ['key', 'other']) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      writeFileSync(file(`${name}.pem`), pem(privateKey));
      writeFileSync(file(`${name}.pub`), pem(publicKey));
    }
    hall = await connectAsync(`mqtt://${HOST}:${ports.mqtt}`);
    hall.on('message', (topic, payload) => told.push(`${topic} ${payload}`));
    await hall.subscribeAsync('fleet/+/status', { qos: 1 });
  }, BUILD_MS);

  beforeEach(() => {
    seed++;
    told = [];
    relay.judge = () => true;
  });

  afterAll(async () => {
    relay?.close();
    await hall?.endAsync(true);
  });

  const serial = (): string => seed.toString(16).padStart(8, '0');
  const slots = (): string => file(`slots-${serial()}`);
  const start = async (...more: string[]): Promise<Program> =>
    new Program(await wamrProgram(), [
      file('updatable.wasm'),
      ...['--gateway', relay.address, '--seed', `${seed}`, '--state', file(`state-${serial()}`)],
      ...['--slots', slots(), '--key', file('key.pub'), '--app-version', OLD_VERSION, ...more],
    ]);
  const update = (
    module: string,
    key: string,
    version = NEXT_VERSION,
    board = 'linux-wamr',
    ...more: string[]
  ): Program =>
    thimble(
      ...['update', file(module), '--name', 'updatable', '--app-version', version, '--key', file(key)],
      ...['--board', board, ...more],
      ...['--mqtt', `${HOST}:${ports.mqtt}`, '--topic', `fleet/${serial()}/update`, '--wait', '60'],
    );
  const runs = (version: string): Promise<unknown> =>
    until(`version ${version} in ${told}`, () =>
      told.includes(`fleet/${serial()}/status {"version":"${version}","confirmed":true}`),
    );

  it('start on trial, are confirmed, and stay', async () => {
    device = await start();
    await runs(OLD_VERSION);
    const sender = update('next.wasm', 'key.pem');
    expect(await sender.exit(), sender.errors).toBe(0);
    await runs(NEXT_VERSION);
    expect(device.errors).toBe(`${SHIPPED}started: power\n${TRIAL}started: power\n`);
    await device.stop('SIGKILL');
    told = [];
    device = await start();
    await until('it is up', () => device.errors.endsWith('resumed\n'));
    expect(device.errors).toBe('update: slot 1, 1.1.0, runs\nresumed\n'); // the state is the new version's
    // The next one goes to the slot that is free, so that this one can come back.
    const broken = update('broken.wasm', 'key.pem', '1.2.0');
    expect(await broken.exit()).toBe(1);
    expect(broken.errors).toContain('ERR_UPDATE_ROLLED_BACK');
    await runs(NEXT_VERSION);
    await device.stop('SIGKILL');
  });

  it('give way to a newer version that the board is shipped with anew', async () => {
    device = await start();
    await runs(OLD_VERSION);
    const sender = update('next.wasm', 'key.pem');
    expect(await sender.exit(), sender.errors).toBe(0);
    await device.stop('SIGKILL');
    told = [];
    device = await start('--app-version', '2.0.0');
    await runs(OLD_VERSION); // as the module of the command line calls itself
    expect(device.errors).toBe(
      'update: what came before is older than what is shipped now, and is forgotten\n' +
        'update: as shipped, 2.0.0, runs\nstarted: power\n',
    );
    await device.stop('SIGKILL');
  });

  it('are put off where the table cannot be written', async () => {
    device = await start();
    await runs(OLD_VERSION);
    relay.judge = (type) => type !== PacketType.Connect || device.errors.includes('put off');
    const sender = update('next.wasm', 'key.pem');
    await until('the trial', () => device.errors.endsWith('on trial\nstarted: power\n'));
    await device.stop('SIGKILL');
    // As a power cut before the trial would have left it; and a disk that takes nothing for the one copy of the table.
    rmSync(join(slots(), 'table-0'));
    mkdirSync(join(slots(), 'table-0'));
    told = [];
    device = await start();
    await runs(OLD_VERSION);
    // Once, and no start after start.
    expect(device.errors).toMatch(/^update: put off [^\n]*\nupdate: as shipped, 1\.0\.0, runs\n/);
    expect(device.errors.match(/update: /g)).toHaveLength(2);
    await device.stop('SIGKILL');
    rmSync(join(slots(), 'table-0'), { recursive: true });
    relay.judge = () => true;
    device = await start();
    await runs(NEXT_VERSION);
    expect(await sender.exit(), sender.errors).toBe(0);
    await device.stop('SIGKILL');
  });

  it('are taken by thimble run, and kept beside the state', async () => {
    const state = file('run-state');
    const run = (): Program =>
      thimble(
        ...['run', file('updatable.wasm'), '--board', 'linux-wamr', '--update-key', file('key.pem')],
        ...['--gateway', relay.address, '--seed', `${seed}`, '--state', state],
      );
    device = run();
    await runs(OLD_VERSION);
    const sender = update('next.wasm', 'key.pem');
    expect(await sender.exit(), sender.errors).toBe(0);
    await device.stop('SIGTERM');
    expect(existsSync(join(`${state}.slots`, 'slot-1.wasm'))).toBe(true);
    device = run();
    await until('it runs', () => device.errors.includes('update: slot 1, 1.1.0, runs'));
    await device.stop('SIGTERM');
  });

  it('change nothing where another key has signed them', async () => {
    device = await start();
    await runs(OLD_VERSION);
    const before = readdirSync(slots());
    const sender = update('next.wasm', 'other.pem');
    expect(await sender.exit()).toBe(1);
    expect(sender.errors).toContain('ERR_UPDATE_REFUSED');
    expect(readdirSync(slots())).toEqual(before);
    expect(device.errors).toBe(`${SHIPPED}started: power\n`);
    await device.stop('SIGKILL');
  });

  it('change nothing where they are for another board', async () => {
    device = await start();
    await runs(OLD_VERSION);
    const sender = update('next.wasm', 'key.pem', NEXT_VERSION, 'linux');
    expect(await sender.exit()).toBe(1);
    expect(sender.errors).toMatch(/another application, board.*for the board "linux".*\(-51\)/);
    await device.stop('SIGKILL');
  });

  it('are rolled back where they do not confirm in time', async () => {
    device = await start('--trial', '1');
    await runs(OLD_VERSION);
    // The new version finds no way to the broker; the one before does again.
    relay.judge = (type) => type !== PacketType.Connect || device.errors.includes('rolled back');
    const sender = update('next.wasm', 'key.pem');
    expect(await sender.exit()).toBe(1);
    expect(sender.errors).toContain('ERR_UPDATE_ROLLED_BACK');
    expect(device.errors).toBe(
      `${SHIPPED}started: power\n${TRIAL}started: power\nupdate: rolled back\n${SHIPPED}started: power\n`,
    );
    relay.judge = () => true;
    await device.stop('SIGKILL');
  });

  it('are rolled back where they fail, and the version before runs again', async () => {
    device = await start();
    await runs(OLD_VERSION);
    told = [];
    const sender = update('broken.wasm', 'key.pem');
    await runs(OLD_VERSION);
    expect(device.errors).toMatch(
      /, on trial\nstarted: power\ntrapped: Exception: unreachable\nupdate: rolled back\nupdate: as shipped, 1\.0\.0, runs\nstarted: trap/,
    );
    expect(await sender.exit()).toBe(1);
    expect(sender.errors).toContain('ERR_UPDATE_ROLLED_BACK');
    await device.stop('SIGKILL');
  });

  it('are rolled back where the power fails while they are on trial', async () => {
    device = await start();
    await runs(OLD_VERSION);
    relay.judge = (type) => type !== PacketType.Connect; // the new version finds no way to the broker
    const sender = update('next.wasm', 'key.pem');
    await until('the trial', () => device.errors.endsWith('on trial\nstarted: power\n'));
    await device.stop('SIGKILL');
    relay.judge = () => true;
    told = [];
    device = await start();
    await runs(OLD_VERSION);
    expect(device.errors).toBe(`update: rolled back\n${SHIPPED}started: power\n`);
    expect(await sender.exit()).toBe(1);
    expect(sender.errors).toContain('ERR_UPDATE_ROLLED_BACK');
    await device.stop('SIGKILL');
  });

  it('begin anew where the power fails while they come in, and arrive in the end', async () => {
    device = await start();
    await runs(OLD_VERSION);
    let chunks = 0;
    relay.judge = (type, direction) => {
      if (type === PacketType.Publish && direction === 'down') chunks++;
      return true;
    };
    const sender = update('next.wasm', 'key.pem', NEXT_VERSION, 'linux-wamr', '--chunk', '32');
    await until('chunks', () => chunks >= 60);
    await device.stop('SIGKILL');
    device = await start();
    expect(await sender.exit(), sender.errors).toBe(0);
    expect(device.errors).toBe(`${SHIPPED}resumed\n${TRIAL}started: power\n`);
    const told = [...sender.errors.matchAll(/^(\d+) of \d+ chunks there$/gm)].map(([, count]) => Number(count));
    expect(told.some((count, i) => count < (told[i - 1] ?? 0))).toBe(true);
    relay.judge = () => true;
    await device.stop('SIGKILL');
  });

  it('are started where the power fails before the trial, from nothing that the version before has kept', async () => {
    const state = file(`state-${serial()}`);
    device = await start();
    await runs(OLD_VERSION);
    await until('a state', () => existsSync(state));
    copyFileSync(state, `${state}.old`);
    relay.judge = (type) => type !== PacketType.Connect;
    const sender = update('next.wasm', 'key.pem');
    await until('the trial', () => device.errors.endsWith('on trial\nstarted: power\n'));
    await device.stop('SIGKILL');
    relay.judge = () => true;
    // As the power cut would have left it: what is there is the old version's state, and a table that says what is to be tried.
    rmSync(join(slots(), 'table-0'));
    copyFileSync(`${state}.old`, state);
    device = await start();
    await runs(NEXT_VERSION);
    expect(device.errors).toBe(`${TRIAL}started: power\n`);
    expect(await sender.exit(), sender.errors).toBe(0);
    await device.stop('SIGKILL');
  });
});

const pem = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString();
