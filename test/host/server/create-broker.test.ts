// The broker in a program: what it is started with, what a program hears and says, and how it ends.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { formatHash, hashPassword } from '../../../host/identity/password-hash.js';
import { monotonicNow } from '../../../host/net/clock.js';
import type { BrokerOptions, ReceivedMessage, RunningBroker } from '../../../host/server/index.js';
import { createBroker, ReasonCode, renderMetrics } from '../../../host/server/index.js';
import { parseExposition } from '../metrics/exposition.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function broker(options: BrokerOptions = {}): Promise<RunningBroker> {
  const running = await createBroker(options);
  closing.push(() => running.close({ graceMs: 0 }));
  return running;
}

async function client(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const connected = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options });
  closing.push(() => connected.endAsync(true));
  return connected;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'thimble-server-'));
  closing.unshift(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The next message that the filter takes in. */
const next = (running: RunningBroker, filter: string): Promise<ReceivedMessage> =>
  new Promise((resolve) => {
    const stop = running.onMessage(filter, (message) => {
      stop();
      resolve(message);
    });
  });

describe('a broker without options', () => {
  it('listens at a free port of this machine, and says where', async () => {
    const running = await broker();
    expect(running.listening).toEqual([
      {
        name: undefined,
        kind: 'mqtt',
        host: '127.0.0.1',
        port: expect.any(Number),
        connections: 0,
        url: running.url,
      },
    ]);
    expect(running.url).toMatch(/^mqtt:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const one = await client(running.url, { clientId: 'one', protocolVersion: 5 });
    expect(running.clients().map(({ clientId, isConnected }) => [clientId, isConnected])).toEqual([['one', true]]);
    const closed = new Promise((resolve) => one.once('close', () => resolve(undefined)));
    expect([running.disconnect('one'), running.disconnect('two')]).toEqual([true, false]);
    await closed;
  });

  it('has listeners of every kind, each with its URL', async () => {
    const running = await broker({
      listeners: [
        { kind: 'ws', path: '/x' },
        { kind: 'mqtt', name: 'plain', host: '0.0.0.0' },
      ],
    });
    const [ws, plain] = running.listening.map(({ url }) => url);
    expect(ws).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/x$/);
    expect(plain).toMatch(/^mqtt:\/\/127\.0\.0\.1:\d+$/);
    for (const url of [ws!, plain!]) await client(url);
    expect(running.counters.connectionsNow).toBe(2);
  });

  it('needs no listener where only the program itself has to do with it', async () => {
    const running = await broker({ listeners: [] });
    const heard = next(running, 'a');
    running.publish('a', 'x');
    expect((await heard).text).toBe('x');
    expect(() => running.url).toThrow(expect.objectContaining({ code: 'ERR_BROKER_CONFIG' }));
  });
});

describe('what the program publishes', () => {
  it('reaches clients with all that it says of itself', async () => {
    const running = await broker();
    const one = await client(running.url, { protocolVersion: 5 });
    await one.subscribeAsync('#', { qos: 1 });
    const arrived = new Promise<mqtt.IPublishPacket>((resolve) =>
      one.once('message', (_t, _p, packet) => resolve(packet)),
    );
    running.publish(
      'a/b',
      { on: true },
      {
        qos: 1,
        expiryS: 60,
        payloadFormat: 1,
        contentType: 'application/json',
        responseTopic: 'a/r',
        correlationData: Uint8Array.of(1, 2),
        userProperties: { unit: 'C', tag: ['x', 'y'] },
      },
    );
    const { topic, payload, qos, properties } = await arrived;
    expect([topic, payload.toString(), qos]).toEqual(['a/b', '{"on":true}', 1]);
    expect(properties).toMatchObject({
      messageExpiryInterval: 60,
      payloadFormatIndicator: true,
      contentType: 'application/json',
      responseTopic: 'a/r',
      correlationData: Buffer.of(1, 2),
      userProperties: { unit: 'C', tag: ['x', 'y'] },
    });
  });

  it('is text, octets, JSON, or nothing', async () => {
    const running = await broker({ listeners: [] });
    const heard: Uint8Array[] = [];
    running.onMessage('a', ({ payload }) => heard.push(payload));
    const octets = Uint8Array.of(1, 2);
    for (const payload of ['ü', octets, [1], 21.5, false, null, undefined]) running.publish('a', payload);
    octets[0] = 9; // the broker has its own copy
    await Promise.resolve();
    const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
    expect(heard.map(text)).toEqual(['ü', '\x01\x02', '[1]', '21.5', 'false', 'null', '']);
  });

  it('is kept for later where it is retained, and taken away with an empty one', async () => {
    const running = await broker();
    running.publish('kept', 'x', { retain: true });
    expect(running.counters.retainedNow).toBeGreaterThan(0);
    const one = await client(running.url);
    const arrived = new Promise((resolve) => one.once('message', (topic, payload) => resolve(`${topic} ${payload}`)));
    await one.subscribeAsync('+');
    expect(await arrived).toBe('kept x');
    const before = running.counters.retainedNow;
    running.publish('kept', undefined, { retain: true });
    expect(running.counters.retainedNow).toBe(before - 1);
  });

  it.each<[string, unknown, object, string]>([
    ['a/#', 'x', {}, 'wildcards'],
    ['', 'x', {}, 'no topic'],
    ['a', () => {}, {}, 'function'],
    ['a', 'x', { qos: 3 }, 'qos is 3; it must be 0, 1 or 2'],
    ['a', 'x', { expiryS: -1 }, 'expiryS is -1'],
    ['a', 'x', { expiryS: 0.5 }, 'whole number'],
    ['a', 'x', { responseTopic: '+' }, 'response topic'],
    ['a', 'x', { contentType: '\0' }, 'content type'],
    ['a', 'x', { userProperties: { a: '\ud800' } }, 'user property "a"'],
  ])('is refused as %j %j %j', async (topic, payload, options, words) => {
    const running = await broker({ listeners: [] });
    const publish = (): void => running.publish(topic, payload as string, options);
    expect(publish).toThrow(
      expect.objectContaining({ code: 'ERR_BROKER_MESSAGE', message: expect.stringContaining(words) }),
    );
  });
});

describe('what the program listens to', () => {
  it('comes with its topic, its properties and who has published it, once for each listener', async () => {
    const running = await broker();
    const heard: string[] = [];
    running.onMessage('home/+/state', ({ topic, text, qos, retain, clientId }) =>
      heard.push(`${topic} ${text} ${qos} ${retain} ${clientId}`),
    );
    const all = next(running, '#');
    const lamp = await client(running.url, { clientId: 'lamp', protocolVersion: 5 });
    await lamp.publishAsync('home/x/state', '{"on":1}', {
      qos: 2,
      retain: true,
      properties: { contentType: 'application/json', userProperties: { a: 'b' } },
    });
    const message = await all;
    expect(heard).toEqual(['home/x/state {"on":1} 2 true lamp']);
    expect(message.json()).toEqual({ on: 1 });
    expect(message.properties).toEqual({ contentType: 'application/json', userProperties: [['a', 'b']] });
  });

  it('are also wills, and what the program itself says', async () => {
    const running = await broker();
    const heard: (string | undefined)[] = [];
    running.onMessage('#', ({ text, clientId }) => heard.push(text, clientId));
    const dying = await client(running.url, {
      will: { topic: 'w', payload: Buffer.from('gone'), qos: 0, retain: false },
    });
    const will = next(running, 'w');
    dying.stream.destroy();
    await will;
    running.publish('own', 'word');
    await Promise.resolve();
    expect(heard).toEqual(['gone', undefined, 'word', undefined]);
  });

  it('is nothing any more once it has said so, also of what is on its way', async () => {
    const running = await broker({ listeners: [] });
    const heard: string[] = [];
    const stop = running.onMessage('a', ({ text }) => {
      heard.push(text);
      stop();
    });
    running.publish('a', '1');
    running.publish('a', '2');
    await Promise.resolve();
    running.publish('a', '3');
    await Promise.resolve();
    expect(heard).toEqual(['1']);
  });

  it('can be answered from within', async () => {
    const running = await broker({ listeners: [] });
    const heard: string[] = [];
    running.onMessage('n', (message) => {
      const n = message.json() as number;
      heard.push(message.text);
      if (n < 3) running.publish('n', n + 1);
    });
    const end = next(running, 'end');
    running.publish('n', 1);
    setImmediate(() => running.publish('end'));
    await end;
    expect(heard).toEqual(['1', '2', '3']);
  });

  it('has $SYS only where the filter says so', async () => {
    const running = await broker({ listeners: [], sysIntervalMs: 100 });
    const topics: string[] = [];
    running.onMessage('#', ({ topic }) => topics.push(topic));
    expect((await next(running, '$SYS/broker/uptime')).text).toMatch(/^\d+ seconds$/);
    expect(topics).toEqual([]);
  });

  it.each(['', 'a/#/b', 'a#', '$share/g/a'])('is no filter %j', async (filter) => {
    const running = await broker({ listeners: [] });
    expect(() => running.onMessage(filter, () => {})).toThrow(expect.objectContaining({ code: 'ERR_BROKER_MESSAGE' }));
  });
});

describe('options that cannot work', () => {
  it.each<[BrokerOptions, string, string]>([
    [{ limits: { inflightMax: 0 } }, 'ERR_BROKER_CONFIG', 'inflightMax is 0'],
    [{ sysIntervalMs: 50 }, 'ERR_BROKER_CONFIG', 'sysIntervalMs is 50'],
    [{ durability: 'disk' }, 'ERR_BROKER_CONFIG', 'without data'],
    [{ access: { connect: () => {} }, identity: {} }, 'ERR_BROKER_CONFIG', 'instead of identity'],
    [{ identity: { passwords: { file: '/nowhere/passwords' } } }, 'ERR_IDENTITY_FILE', '/nowhere/passwords'],
    [{ listeners: [{ kind: 'mqtts' }] }, 'ERR_LISTEN_OPTION', 'needs tls'],
    [{ listeners: [{ kind: 'mqtt', host: 'host.invalid' }] }, 'ERR_TCP_LISTEN', 'host.invalid'],
    [{ data: '' }, 'ERR_BROKER_CONFIG', 'data is empty'],
    [{ identity: { anonymous: { listeners: ['lab'] } } }, 'ERR_IDENTITY_CONFIG', 'no listener has a name'],
    [
      {
        identity: { tokens: [{ jwksUrl: 'https://issuer.example/keys', listeners: ['tls', 'lap'] }] },
        listeners: [{ kind: 'ws', name: 'lab' }],
      },
      'ERR_IDENTITY_CONFIG',
      'identity.tokens[0].listeners: there is no listener "lap"; listeners are lab',
    ],
    [{ data: '/dev/null/x' }, 'ERR_STORE_FOLDER', '/dev/null/x'],
  ])('are refused: %j', async (options, code, words) => {
    await expect(createBroker(options)).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it('leave nothing open: the folder is free again', async () => {
    const data = folder();
    const taken = await broker();
    const { port } = taken.listening[0]!;
    await expect(createBroker({ data, listeners: [{ kind: 'mqtt', port }] })).rejects.toMatchObject({
      code: 'ERR_TCP_LISTEN',
    });
    await broker({ data });
  });
});

describe('a broker with a folder', () => {
  it('has what it had before: sessions, what waits for them, and what is retained; but nothing below $SYS', async () => {
    const data = folder();
    const first = await createBroker({ data });
    const away = await mqtt.connectAsync(first.url, { clientId: 'away', clean: false });
    await away.subscribeAsync('a/#', { qos: 1 });
    await away.endAsync();
    const sender = await mqtt.connectAsync(first.url);
    await sender.publishAsync('a/b', 'waits', { qos: 1 });
    await sender.publishAsync('kept', 'retained', { qos: 1, retain: true });
    await sender.endAsync();
    expect(parseExposition(renderMetrics(first.metrics())).get('thimble_journal_commits_total')).toBeDefined();
    await first.close();

    const second = await broker({ data, sysIntervalMs: 0 });
    expect(second.clients()).toMatchObject([
      { clientId: 'away', isConnected: false, queued: 1, subscriptions: ['a/#'] },
    ]);
    expect(second.counters.retainedNow).toBe(1);
    const back = mqtt.connect(second.url, { clientId: 'away', clean: false, reconnectPeriod: 0 });
    closing.push(() => back.endAsync(true));
    const message = await new Promise((resolve) =>
      back.once('message', (topic, payload) => resolve(`${topic} ${payload}`)),
    );
    expect(message).toBe('a/b waits');
  });
});

describe('the end', () => {
  it('is told to clients of MQTT 5.0 in words, comes once, and leaves no port', async () => {
    const running = await createBroker();
    const one = await client(running.url, { protocolVersion: 5 });
    const said = new Promise((resolve) => one.once('disconnect', ({ reasonCode }) => resolve(reasonCode)));
    await Promise.all([running.close(), running[Symbol.asyncDispose]()]);
    expect(await said).toBe(0x8b);
    await expect(mqtt.connectAsync(running.url, { reconnectPeriod: 0 })).rejects.toThrow();
  });
});

describe('identity', () => {
  const passwords = async (password: string): Promise<string> =>
    `ann:${formatHash(await hashPassword(Buffer.from(password)))}\n`;

  it('is read anew on reload, for clients to come', async () => {
    const baseFolder = folder();
    const file = join(baseFolder, 'passwords');
    writeFileSync(file, await passwords('old'));
    const policies = [{ Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }] as never;
    const lines: unknown[][] = [];
    const running = await broker({
      baseFolder,
      identity: { passwords: { file: 'passwords', policies } },
      log: (...line) => void lines.push(line),
    });
    const ann = (password: string): Promise<MqttClient> => client(running.url, { username: 'ann', password });
    const old = await ann('old');
    writeFileSync(file, await passwords('new'));
    running.reload();
    await expect(ann('old')).rejects.toMatchObject({ code: 4 });
    await ann('new');
    expect(old.connected).toBe(true);
    expect(lines.filter(([level]) => level === 'warn').map(([, event]) => event)).toEqual(['connect-refused']);
    expect(JSON.stringify(lines)).not.toMatch(/"old"|"new"/);
  });

  it('that is damaged changes nothing', async () => {
    const running = await broker({ identity: { anonymous: { policies: [] } } });
    expect(() => running.reload({ identity: { passwords: { file: '/nowhere' } } })).toThrow(
      expect.objectContaining({ code: 'ERR_IDENTITY_FILE' }),
    );
    expect(() => running.reload({ listeners: [] })).toThrow(expect.objectContaining({ code: 'ERR_BROKER_CONFIG' }));
  });

  it('cannot be added later', async () => {
    const running = await broker();
    expect(() => running.reload({ identity: {} })).toThrow(/started without identity/);
    running.reload();
  });
});

describe('a program that decides itself who comes in', () => {
  it('does so by a hook, with the policies that it answers with', async () => {
    const running = await broker({
      hooks: {
        authorizer: async ({ protocolData }) => ({
          isAuthenticated: protocolData.mqtt.username === 'ann',
          principalId: 'ann1',
          policyDocuments: [
            { Statement: [{ Effect: 'Allow', Action: ['iot:Connect', 'iot:Publish'], Resource: '*' }] },
          ],
        }),
      },
    });
    const ann = await client(running.url, { username: 'ann', password: 'x', protocolVersion: 5 });
    expect(running.clients()).toMatchObject([{ principal: 'ann1', username: 'ann' }]);
    await ann.publishAsync('a', 'x', { qos: 1 });
    await expect(ann.subscribeAsync('a')).rejects.toMatchObject({ packet: { granted: [0x87] } });
    await expect(client(running.url, { username: 'bob', password: 'x' })).rejects.toMatchObject({ code: 4 });
    await expect(client(running.url)).rejects.toMatchObject({ code: 5 });
  });

  it('does so wholly, and a refusal is a warning', async () => {
    const lines: unknown[] = [];
    const running = await broker({
      access: { connect: (_request, answer, now) => answer({ outcome: 'refused', reason: ReasonCode.Banned }, now) },
      log: (level, event) => lines.push(`${level} ${event}`),
    });
    await expect(client(running.url, { protocolVersion: 5 })).rejects.toMatchObject({ code: ReasonCode.Banned });
    expect(lines).toContain('warn connection-refused');
  });
});

describe('an answer that comes later', () => {
  it('sets deadlines that are kept, though nothing else happens', async () => {
    const running = await broker({
      access: {
        connect: (_request, answer) => void setImmediate(() => answer({ outcome: 'accepted' }, monotonicNow())),
      },
      limits: { connectTimeoutMs: Number.POSITIVE_INFINITY },
      sysIntervalMs: 3_600_000,
    });
    const socket = dial(running.listening[0]!.port, '127.0.0.1');
    socket.write(
      generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'silent', keepalive: 1 }),
    );
    socket.resume();
    await once(socket, 'close');
    expect(running.counters.keepAliveTimeouts).toBe(1);
  });
});

describe('the metrics', () => {
  it('have the connections of each listener', async () => {
    const running = await broker({ listeners: [{ kind: 'mqtt', name: 'a' }, { kind: 'ws' }] });
    await client(running.listening[1]!.url);
    const families = parseExposition(renderMetrics(running.metrics()));
    const { port } = running.listening[1]!;
    expect([...families.get('thimble_listener_connections')!.samples]).toEqual(
      [
        ['kind=mqtt,listener=a', 0],
        [`kind=ws,listener=ws:${port}`, 1],
      ].map(([key, value]) => [expect.stringContaining(String(key).split(',')[1]!), value]),
    );
    expect(families.has('thimble_journal_commits_total')).toBe(false);
  });
});
