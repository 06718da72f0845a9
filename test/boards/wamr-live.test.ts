// WAMR on this machine as a device on the network: UDP to the real gateway, an MQTT client of other people's making behind it,
// power cuts by SIGKILL, and what a watchdog makes of a loop without end.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { PacketType } from '../../assembly/protocol/index.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import type { Qos } from '../../host/ports.js';
import { StateFile } from '../../host/store/state-file.js';
import { HOST, type Ports, Program, startBroker, temporaryFolder, until } from '../e2e/world.js';
import { describeWithTools } from '../tools.js';
import { TOUR } from './scenario.js';
import { type Direction, UdpRelay } from './udp-relay.js';
import { BUILD_MS, moduleFile, WAMR_TOOLS, wamrProgram } from './wamr.js';

/** Timers of client and gateway: the tests would otherwise wait for T_retry most of the time. */
const LIMITS = { T_RETRY_MS: 400, N_RETRY: 5, RECONNECT_MS_MAX: 1_000 };

describeWithTools(WAMR_TOOLS, 'WAMR on the network', () => {
  let ports: Ports;
  let tour: string;
  let hall: MqttClient;
  let relay: UdpRelay;
  let seed = 100; // a device of its own for each test
  let heard: string[] = [];

  beforeAll(async () => {
    await wamrProgram();
    const config = join(temporaryFolder(), 'config.json');
    writeFileSync(config, JSON.stringify({ gateway: { tRetryMs: LIMITS.T_RETRY_MS } }));
    ports = await startBroker('--config', config);
    tour = moduleFile(link(await compile({ entry: 'application', application: TOUR, limits: LIMITS })).bytes, 'tour');
    hall = await connectAsync(`mqtt://${HOST}:${ports.mqtt}`);
    hall.on('message', (topic, payload, { qos }) => heard.push(`${qos} ${topic.slice('board/'.length)} ${payload}`));
    await hall.subscribeAsync('board/#', { qos: 2 });
    relay = await UdpRelay.start(ports.sn);
  }, BUILD_MS);

  afterEach(() => {
    relay.judge = () => true;
    heard = [];
    seed += 2;
  });

  afterAll(async () => {
    relay.close();
    await hall.endAsync(true);
  });

  const serial = (): string => seed.toString(16).padStart(8, '0');
  const start = async (...args: string[]): Promise<Program> =>
    new Program(await wamrProgram(), [tour, '--gateway', relay.address, '--seed', `${seed}`, ...args]);
  const order = (what: string, qos: Qos, leaf = 'do'): Promise<unknown> =>
    hall.publishAsync(`board/${serial()}/${leaf}`, what, { qos });
  const hear = (message: string): Promise<unknown> => {
    const [qos, ...rest] = message.split(' ');
    return until(`"${message}" in ${heard.join(', ')}`, () => heard.includes(`${qos} ${serial()}${rest.join(' ')}`));
  };
  const messagesOf = (leaf: string): string[] => heard.filter((message) => message.includes(`${serial()}/${leaf} `));

  it('publishes and receives at every QoS', async () => {
    const device = await start();
    await hear('1 /status here');
    for (const qos of [0, 1, 2] as const) {
      await order(`say ${qos}`, 2);
      await hear(`${qos} /said {"seq":${qos + 1}}`);
      await order(`level ${qos}`, qos, 'in');
      await hear(`1 /heard ${qos} level ${qos}`);
    }
    expect(device.errors).toBe('started: power\n');
    await device.stop('SIGKILL');
  });

  it('sleeps, and gets what was kept for it once it wakes', async () => {
    const device = await start();
    await hear('1 /status here');
    let isAsleep = false;
    relay.judge = (type, direction) => {
      isAsleep ||= type === PacketType.Disconnect && direction === 'down';
      return true;
    };
    await order('sleep 2', 1);
    await until('it sleeps', () => isAsleep);
    await order('while you slept', 1, 'in');
    await order('awake', 1);
    await hear('1 /heard 1 while you slept');
    await device.stop('SIGKILL');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('ends by %s as by a power cut: its will is published', async (signal) => {
    const device = await start();
    await hear('1 /status here');
    await device.stop(signal);
    await hear('1 /status gone');
  });

  it('discovers its gateway', async () => {
    seed++;
    const device = await start();
    await hear('1 /status here');
    await device.stop('SIGKILL');
    seed--;
  });

  it.each([
    ['loop', 'trapped: Exception: instruction limit exceeded\nstarted: watchdog\n'],
    ['trap', 'trapped: Exception: unreachable\nstarted: trap\n'],
  ])('survives an application that ends in a %s: it says so, and starts anew', async (verb, report) => {
    const state = join(temporaryFolder(), 'state');
    const device = await start('--state', state);
    await hear('1 /status here');
    heard = [];
    await order(verb, 0); // at QoS 1 it would come again, and again
    await until('a restart', () => device.errors.endsWith(report));
    expect(device.errors).toBe(`started: power\n${report}`);
    await hear('1 /status here');
    await device.stop('SIGKILL');
  });

  const CUTS: [Direction, PacketType, string][] = [
    ['up', PacketType.Publish, 'before its PUBLISH is out'],
    ['down', PacketType.PubRec, 'before PUBREC is in'],
    ['up', PacketType.PubRel, 'before its PUBREL is out'],
    ['down', PacketType.PubComp, 'before PUBCOMP is in'],
  ];

  it.each(CUTS)('finishes a message of its own exactly once after a power cut (%s %i: %s)', async (direction, type) => {
    const state = join(temporaryFolder(), 'state');
    let device = await start('--state', state);
    await hear('1 /status here');
    let cut: Promise<unknown> | undefined;
    relay.judge = (seen, way) => {
      if (cut !== undefined || seen !== type || way !== direction) return true;
      cut = device.stop('SIGKILL');
      return false;
    };
    await order('say 2', 0);
    await until('the cut', () => cut);
    await cut;
    device = await start('--state', state);
    await hear('2 /said {"seq":1}');
    await order('say 2', 2);
    await hear('2 /said {"seq":2}');
    expect(messagesOf('said')).toEqual([1, 2].map((seq) => `2 ${serial()}/said {"seq":${seq}}`));
    expect(device.errors).toBe('resumed\n');
    await device.stop('SIGKILL');
  });

  it.each([
    ['down', PacketType.Publish],
    ['up', PacketType.PubRec],
    ['down', PacketType.PubRel],
    ['up', PacketType.PubComp],
  ] as const)('obeys an order exactly once after a power cut (%s %i)', async (direction, type) => {
    const state = join(temporaryFolder(), 'state');
    let device = await start('--state', state);
    await hear('1 /status here');
    let cut: Promise<unknown> | undefined;
    relay.judge = (seen, way) => {
      if (cut !== undefined || seen !== type || way !== direction) return true;
      cut = device.stop('SIGKILL');
      return false;
    };
    await order('say 1', 2);
    await until('the cut', () => cut);
    await cut;
    device = await start('--state', state);
    await hear('1 /said {"seq":1}');
    await order('say 1', 2);
    await hear('1 /said {"seq":2}');
    expect(new Set(messagesOf('said')).size).toBe(2);
    await device.stop('SIGKILL');
  });

  it('says nothing before the state that it follows from is kept', async () => {
    const said: PacketType[] = [];
    relay.judge = (type) => said.push(type) < 0;
    const state = join(temporaryFolder(), 'state');
    mkdirSync(`${state}.new`); // where it would be written
    const device = await start('--state', state);
    expect(await device.exit()).toBe(1);
    expect(device.errors).toMatch(/^started: power\nthimble-wamr: the state cannot be kept: .*\n$/);
    relay.probe(Uint8Array.of(2, PacketType.PingReq));
    await until('the probe, which comes after whatever was said', () => said.length > 0);
    expect(said).toEqual([PacketType.PingReq]);
  });

  it('goes on from no state that is damaged, or another module’s', async () => {
    const file = join(temporaryFolder(), 'state');
    const first = await start('--state', file);
    await hear('1 /status here');
    await first.stop('SIGKILL');
    const kept = readFileSync(file);
    const other = new StateFile(file, Uint8Array.of(1)); // the same image, sealed as it should be
    other.keep(kept.subarray(80));
    const others = readFileSync(file);
    const faults: [Uint8Array, string][] = [
      [kept.with(180, kept[180]! ^ 1), 'is damaged'],
      [kept.subarray(0, -1), 'is damaged'],
      [kept.with(8, 99), 'was written by another version of Thimble'],
      [others, 'is of another module'],
    ];
    for (const [content, why] of faults) {
      writeFileSync(file, content);
      const device = await start('--state', file);
      await until('a start', () => device.errors.endsWith('started: power\n'));
      expect(device.errors).toBe(
        `the state in ${file} ${why}: it is now ${file}.old, and the device starts without one\nstarted: power\n`,
      );
      expect(readFileSync(`${file}.old`).equals(content)).toBe(true);
      await device.stop('SIGKILL');
    }
  });

  it('has one format of the state with V8', async () => {
    const file = join(temporaryFolder(), 'state');
    const device = await start('--state', file);
    await hear('1 /status here');
    await device.stop('SIGKILL');
    const kept = readFileSync(file);
    const store = new StateFile(file, readFileSync(tour));
    store.keep(store.load()!);
    expect(readFileSync(file).equals(kept)).toBe(true);
  });

  it('touches no file that is no state, and asks for one where none can be, before anything starts', async () => {
    const folder = temporaryFolder();
    const key = join(folder, 'key.pem');
    writeFileSync(key, '-----BEGIN PRIVATE KEY-----\n');
    for (const [path, why] of [
      [key, 'holds something that is no state of a device; name another file'],
      [folder, 'a folder, where a file is needed'],
      [join(folder, 'nowhere', 'state'), `there is no folder ${join(folder, 'nowhere')}`],
    ] as const) {
      const device = await start('--state', path);
      expect(await device.exit()).toBe(2);
      expect(device.errors).toBe(`thimble-wamr: --state ${path}: ${why}\n`);
    }
    expect(readFileSync(key, 'utf8')).toBe('-----BEGIN PRIVATE KEY-----\n');
    expect(readdirSync(folder)).toEqual(['key.pem']);
  });
});
