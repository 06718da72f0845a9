// What somebody may try who wants more than he is given: each of these was open once.
import { connect as dial, type Socket } from 'node:net';
import { setImmediate as aMoment } from 'node:timers/promises';
import { generate } from 'mqtt-packet';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { WatchedFile } from '../../host/identity/watched-file.js';
import { type Accepted, createBroker } from '../../host/server/index.js';
import { allow, deny, EVERYTHING, goodbye, HOST, World } from './broker-identity-world.js';

const world = new World();
const NOBODY = { anonymous: { policies: [EVERYTHING] } };

async function socket(): Promise<Socket> {
  const one = dial({ host: HOST, port: world.port(), noDelay: true });
  one.on('error', () => {});
  world.later(() => one.destroy());
  await new Promise((resolve) => one.once('connect', resolve));
  return one;
}

const CONNECT = {
  cmd: 'connect',
  clientId: 'a',
  protocolId: 'MQTT',
  protocolVersion: 5,
  clean: true,
  keepalive: 0,
} as const;

describe('A will', () => {
  const will = (topic: string) => ({ topic, payload: Buffer.from('x'), qos: 0, retain: true }) as const;

  it.each([undefined, NOBODY])('is not for the topics of the server itself: identity %j', async (identity) => {
    await world.open(identity);
    for (const topic of ['$SYS', '$SYS/broker/uptime']) {
      expect(await world.refusal({ clientId: 'a', will: will(topic) })).toBe(0x87);
      expect(await world.told('publish-denied', { topic })).toMatchObject({ level: 'warn', clientId: 'a' });
    }
    expect(await world.refusal({ will: will('$SYS/x'), protocolVersion: 4 })).toBe(5);
    await world.join({ will: will('$SYSTEM') });
  });

  it('that a policy refuses is told to the auditor', async () => {
    await world.open({ anonymous: { policies: [EVERYTHING, deny(['Publish', 'topic/w'])] } });
    expect(await world.refusal({ clientId: 'a', will: will('w') })).toBe(0x87);
    expect(await world.told('publish-denied')).toMatchObject({ level: 'warn', clientId: 'a', topic: 'w' });
  });
});

describe('Before it is known who it is, a client', () => {
  /** Nobody is ever judged. */
  const access = { connect: () => {} };

  it.each<[what: string, packet: object]>([
    [
      'filters',
      { cmd: 'subscribe', subscriptions: Array.from({ length: 50_000 }, (_, i) => ({ topic: `${i}`, qos: 0 })) },
    ],
    [
      'long filters',
      { cmd: 'subscribe', subscriptions: [1, 2, 3, 4, 5].map((i) => ({ topic: `${i}`.repeat(60_000), qos: 0 })) },
    ],
    ['filters to be rid of', { cmd: 'unsubscribe', unsubscriptions: Array.from({ length: 50_000 }, (_, i) => `${i}`) }],
    [
      'user properties',
      {
        cmd: 'subscribe',
        subscriptions: [{ topic: 'a', qos: 0 }],
        properties: { userProperties: { k: Array.from({ length: 5 }, () => 'v'.repeat(60_000)) } },
      },
    ],
    ['topics', { cmd: 'publish', topic: 't'.repeat(60_000), payload: '', qos: 0, dup: false, retain: false }],
  ])('has no room for many %s', async (_, packet) => {
    await world.open(undefined, undefined, { access, limits: { packetBytesMax: 1024 * 1024 } });
    const one = await socket();
    const over = new Promise((resolve) => one.once('close', resolve));
    one.resume();
    one.write(generate(CONNECT));
    const bytes = generate({ messageId: 1, ...packet } as never, { protocolVersion: 5 });
    for (let i = 0; i < 30; i++) one.write(bytes);
    await over;
    expect(await world.told('connection-violation')).toMatchObject({ clause: 'MQTT-3.1.4-6' });
  });

  it('may send on, in bounds', async () => {
    await world.open(undefined, undefined, { access });
    const one = await socket();
    one.write(generate(CONNECT));
    const subscriptions = Array.from({ length: 500 }, (_, i) => ({ topic: `${i}`, qos: 0 as const }));
    for (let i = 0; i < 10; i++)
      one.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }, { protocolVersion: 5 }));
    await expect.poll(() => world.running.counters.connections).toBe(1);
    for (let i = 0; i < 20; i++) await aMoment();
    expect(world.log.filter(({ event }) => event === 'connection-violation')).toEqual([]);
    expect(one.destroyed).toBe(false);
  });

  it('is cut off where it sends more pings than it reads', async () => {
    await world.open(undefined, [{ kind: 'ws' }], { access });
    const webSocket = new WebSocket(`ws://${HOST}:${world.port()}/mqtt`, ['mqtt']);
    webSocket.on('error', () => {});
    world.later(() => webSocket.terminate());
    await new Promise((resolve) => webSocket.once('open', resolve));
    const { _socket: raw } = webSocket as unknown as { readonly _socket: Socket };
    // More than the network holds in both directions, in frames whose mask is zero.
    const frame = Buffer.concat([Buffer.of(0x89, 0x80 | 125, 0, 0, 0, 0), Buffer.alloc(125, 'x')]);
    raw.pause();
    raw.write(Buffer.alloc(frame.length * 300_000, frame));
    await expect.poll(() => world.running.listening[0]!.connections, { timeout: 20_000 }).toBe(0);
  });
});

describe('A session that waits', () => {
  const away = { clientId: 'a', clean: false, properties: { sessionExpiryInterval: 3_600 } };

  it('does not go on hearing what the one who takes it up may not subscribe to', async () => {
    await world.open(NOBODY);
    const first = await world.join(away);
    await first.subscribeAsync(['open/#', 'secret/#', '$share/g/secret/#'], { qos: 1 });
    await first.endAsync();
    const policies = [EVERYTHING, deny(['Subscribe', 'topicfilter/secret/*'])];
    world.running.reload({ identity: { anonymous: { policies } } });
    const { ears, connack } = await world.meet(away);
    expect(connack.sessionPresent).toBe(true);
    world.running.publish('secret/x', 'x', { qos: 1 });
    world.running.publish('open/x', 'last', { qos: 1 });
    expect(await ears.until('open/x last')).toHaveLength(1);
    expect(world.client('a')!.subscriptions).toEqual(['open/#']);
    expect(world.running.counters.subscriptionsNow).toBe(1);
    for (const filter of ['secret/#', '$share/g/secret/#']) {
      expect(await world.told('subscribe-denied', { filter, why: 'resumed' })).toMatchObject({
        level: 'warn',
        clientId: 'a',
      });
    }
  });
});

describe('A connection', () => {
  it('does not change hands: judged anew, it belongs to whom it belonged', async () => {
    let principal = 'ada';
    const accepted = (): Accepted => ({ outcome: 'accepted', principal, refreshAfterMs: 1_000 });
    await world.open(undefined, undefined, { access: { connect: (_, answer, now) => answer(accepted(), now) } });
    const client = await world.join({ clientId: 'a' });
    world.leap(1_001);
    await client.publishAsync('x', '', { qos: 1 });
    principal = 'eve';
    const said = goodbye(client);
    world.leap(1_001);
    expect(await said).toBe(0x87);
    await world.told('authorization-ended', { clientId: 'a' });
  });
});

describe('The log', () => {
  it('tells of who is refused by a limit as of who is refused by a policy', async () => {
    await world.open({ anonymous: { policies: [allow(['Connect', '*'])] } }, undefined, { limits: { sessionsMax: 1 } });
    await world.join({ clientId: 'first' });
    expect(await world.refusal({ clientId: 'second' })).toBe(0x97);
    expect(await world.told('connection-refused')).toMatchObject({ level: 'warn', address: HOST, reasonCode: 0x97 });
  });

  it('is not filled with names as long as a client likes', async () => {
    const names = 'x'.repeat(60_000);
    await world.open({ anonymous: { policies: [allow(['Connect', '*'])] } });
    const client = await world.join({ clientId: names });
    await expect(client.subscribeAsync(names)).rejects.toThrow();
    await expect(client.publishAsync(names, '', { qos: 1 })).rejects.toThrow();
    await world.told('publish-denied');
    await world.told('subscribe-denied');
    expect(Math.max(...world.log.map((entry) => JSON.stringify(entry).length))).toBeLessThan(1_000);
  });

  it('has no token of a user name that nobody could make sense of', async () => {
    world.write('passwords', '');
    await world.open({ passwords: { file: 'passwords', policies: [allow(['*', '*'])] } });
    for (const username of ['ada?token=opaque-secret', '?opaque-secret', 'eyJopaque-secret.x.y']) {
      expect(await world.refusal({ username, password: 'p' })).toBe(0x86);
    }
    expect(world.log.filter(({ why }) => why === 'password').map(({ username }) => username)).toEqual([
      'ada?…',
      '?…',
      'eyJ…',
    ]);
    world.keepsSecret('opaque-secret');
  });
});

describe('A list of what is denied', () => {
  it('that cannot be read for a moment counts as soon as it can', async () => {
    const print = '0'.repeat(64);
    let isReadable = true;
    let version = 1;
    let reads = 0;
    const ports = {
      readFile: () => {
        reads++;
        if (!isReadable) throw Object.assign(new Error('no'), { code: 'EACCES' });
        return Buffer.from(print);
      },
      fileVersion: () => `${version}`,
      epochMs: Date.now,
      clock: () => 0,
    };
    const file = new WatchedFile(ports, 'key', 'path', () => reads);
    isReadable = false;
    version = 2;
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2_000);
    expect(file.value).toBe(1);
    isReadable = true;
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2_000);
    expect(file.value).toBe(3);
  });
});

describe('A Deny of shared filters', () => {
  it('is no policy: it would deny nothing', async () => {
    const identity = { anonymous: { policies: [deny(['Subscribe', 'topicfilter/$share/group/secret/#'])] } };
    await expect(createBroker({ identity })).rejects.toMatchObject({ code: 'ERR_IDENTITY_POLICY' });
    await world.open({ anonymous: { policies: [allow(['Subscribe', 'topicfilter/$share/group/open'])] } });
  });
});

describe('A method that makes a mistake', () => {
  it('costs its client the connection, and the broker nothing', async () => {
    const methods = { M: { start: () => ({ outcome: 'continue' }) as never } };
    await world.open(undefined, undefined, { hooks: { methods } });
    const properties = { authenticationMethod: 'M' };
    expect(await world.refusal({ properties })).toBe(0x88);
    await world.told('connect-refused', { why: 'method-failed' });
  });
});
