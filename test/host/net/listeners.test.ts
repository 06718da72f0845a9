import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListenerKind, type ListenerSpec, openListeners } from '../../../host/net/listeners.js';
import { describeWithTools } from '../../tools.js';
import {
  Authority,
  answerOf,
  CONNACK,
  connectBytes,
  Ears,
  HOST,
  type Identity,
  publishBytes,
  subscribeBytes,
  World,
} from './listeners-world.js';

const world = new World();

const chunksOf = (all: readonly string[], size: number): string[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

describeWithTools(['openssl'], 'Over every kind of listener, MQTT.js', () => {
  let authority: Authority;
  let server: Identity;
  beforeAll(() => {
    authority = new Authority();
    server = authority.issue('server', 'server');
  });
  afterAll(() => authority.remove());

  const kinds: readonly (readonly [ListenerKind, object])[] = [
    ['mqtt', { protocol: 'mqtt' }],
    ['mqtts', { protocol: 'mqtts' }],
    ['ws', { protocol: 'ws' }],
    ['wss', { protocol: 'wss' }],
    ['alpn', { protocol: 'mqtts', ALPNProtocols: ['mqtt'] }],
    ['alpn', { protocol: 'wss' }],
  ];

  const open = (kind: ListenerKind): Promise<void> =>
    world.open({ kind, ...(kind !== 'mqtt' && kind !== 'ws' && { tls: server }) });

  describe.each(kinds)('%s %o', (kind, how) => {
    it('publishes and hears small and large messages, in order', async () => {
      await open(kind);
      const options = { ...how, ca: authority.ca };
      const subscriber = await world.join('s', options);
      const ears = new Ears(subscriber);
      await subscriber.subscribeAsync('t', { qos: 1 });
      const publisher = await world.join('p', options);
      // Of every size below, at and above the one from which a piece is no longer copied.
      const texts = Array.from({ length: 3_000 }, (_, i) => `${i} ${'x'.repeat(i % 100 === 0 ? 4_000 + i : i % 7)}`);
      for (const qos of [0, 1] as const) {
        for (const some of chunksOf(texts, 500)) {
          await Promise.all(some.map((text) => publisher.publishAsync('t', text, { qos })));
        }
        expect(await ears.next(texts.length)).toEqual(texts);
      }
    });

    it('takes and sends a message of hundreds of kilobytes', async () => {
      await open(kind);
      const client = await world.join('c', { ...how, ca: authority.ca });
      const ears = new Ears(client);
      await client.subscribeAsync('t');
      const text = Array.from({ length: 100_000 }, (_, i) => i).join();
      await client.publishAsync('t', text);
      expect(await ears.next(1)).toEqual([text]);
    });
  });

  it('is known by the way it came', async () => {
    const specs: ListenerSpec[] = [
      { kind: 'mqtt', host: HOST, port: 0 },
      { kind: 'mqtts', name: 'secure', host: HOST, port: 0, tls: server },
      { kind: 'ws', host: HOST, port: 0, path: '/elsewhere' },
    ];
    await world.openAll(specs);
    const ports = world.listeners.listening.map(({ port }) => port) as [number, number, number];
    const tcp = await world.join('tcp', { protocol: 'mqtt', port: ports[0] });
    await world.join('tls', { protocol: 'mqtts', host: 'localhost', port: ports[1], ca: authority.ca });
    await world.join('ws', {
      protocol: 'ws',
      port: ports[2],
      path: '/elsewhere?a=b',
      wsOptions: { headers: { X: 'y' } },
    });
    const { localPort: port } = tcp.stream as unknown as { localPort: number };
    expect(world.peers[0]).toEqual({ transport: 'tcp', address: HOST, port });
    expect(world.peers[1]).toMatchObject({ transport: 'tls', listener: 'secure', serverName: 'localhost' });
    expect(world.peers[2]).toMatchObject({
      transport: 'ws',
      url: '/elsewhere?a=b',
      headers: { x: 'y', 'sec-websocket-protocol': 'mqtt' },
    });
    expect(world.peers.map(({ certificate }) => certificate)).toEqual([undefined, undefined, undefined]);
  });
});

describe('Listeners', () => {
  it('are opened all or none', async () => {
    await world.open({});
    const taken = { kind: 'mqtt', host: HOST, port: world.port } as const;
    const passing = await openListeners(world.broker, [{ ...taken, port: 0 }]);
    const free = { ...taken, port: passing.listening[0]!.port };
    await passing.close();
    const opened = openListeners(world.broker, [free, taken]);
    await expect(opened).rejects.toMatchObject({ code: 'ERR_TCP_LISTEN' });
    const again = await openListeners(world.broker, [free]);
    await again.close();
  });

  it.each([
    [{ kind: 'mqtts' }, 'mqtts needs tls'],
    [{ kind: 'ws', tls: { key: '', cert: '' } }, 'ws has no tls'],
    [{ kind: 'mqtt', path: '/mqtt' }, 'no path'],
    [{ kind: 'mqtt', origins: [] }, 'no origins'],
    [{ kind: 'ws', path: 'mqtt' }, 'path is "mqtt"'],
    [{ kind: 'alpn', tls: { key: '', cert: '', requestCert: 'optional' } }, 'no tls.requestCert'],
  ] as const)('that make no sense are refused: %o', async (spec, words) => {
    const opened = world.open({ ...spec, name: 'front' });
    await expect(opened).rejects.toMatchObject({ code: 'ERR_LISTEN_OPTION' });
    await expect(opened).rejects.toThrow(`listener front: `);
    await expect(opened).rejects.toThrow(words);
  });

  it('count their connections, and close those beyond the limit, saying so once', async () => {
    await world.open({}, { connectionsMax: 2 });
    const kept = [await world.tcp(connectBytes('a')), await world.tcp(connectBytes('b'))];
    expect(await Promise.all(kept.map(answerOf))).toEqual([CONNACK, CONNACK]);
    for (let i = 0; i < 3; i++) expect(await answerOf(await world.tcp())).toBeUndefined();
    expect(world.log.filter(({ event }) => event === 'listener-full')).toHaveLength(1);
    expect(world.listeners.listening[0]!.connections).toBe(2);
    expect(world.peers).toHaveLength(2);
  });

  it('let a broker that stops say its last words', async () => {
    await world.open({});
    const socket = await world.tcp(connectBytes('a'), subscribeBytes('t'));
    const heard: Buffer[] = [];
    socket.on('data', (chunk) => heard.push(chunk));
    await once(socket, 'data');
    const last = publishBytes('t', 'x'.repeat(1_000));
    const { broker, listeners } = world;
    for (let i = 0; i < 500; i++) {
      broker.publish({ topic: 't', payload: Buffer.alloc(1_000, 'x'), qos: 0, retain: false }, 0);
    }
    broker.stop(0);
    await Promise.all([listeners.close(), once(socket, 'close')]);
    expect(Buffer.concat(heard).length).toBe(CONNACK.length + 5 + 500 * last.length);
    expect(broker.counters.connectionsNow).toBe(0);
  });

  it.each(['mqtt', 'ws'] as const)('let a broker that stops say so to clients of MQTT 5: %s', async (kind) => {
    await world.open({ kind });
    const client = await world.join('c', { protocol: kind, protocolVersion: 5 });
    const said = new Promise((resolve) => client.once('disconnect', resolve));
    world.broker.stop(0);
    await world.listeners.close();
    expect(await said).toMatchObject({ reasonCode: 0x8b });
  });

  it('cut off, after the time of grace, who does not go', async () => {
    await world.open({}, { closeGraceMs: 60_000 });
    const socket = await world.tcp(connectBytes('a'), subscribeBytes('t'));
    await once(socket, 'readable'); // and never reads on
    const payload = Buffer.alloc(100_000);
    for (let i = 0; i < 200; i++) world.broker.publish({ topic: 't', payload, qos: 0, retain: false }, 0);
    world.broker.stop(0);
    await world.listeners.close({ graceMs: 20 });
    expect(world.listeners.listening[0]!.connections).toBe(0);
  });
});

describe('A connection', () => {
  it('whose client says no more is over, and what it was owed goes out', async () => {
    await world.open({});
    const socket = await world.tcp(connectBytes('a'));
    socket.end();
    expect(await answerOf(socket)).toEqual(CONNACK);
    await once(socket, 'close');
    expect(world.broker.counters.connectionsNow).toBe(0);
  });

  it('whose client says no more, and does not read, is cut off', async () => {
    await world.open({}, { closeGraceMs: 20 });
    const socket = await world.tcp(connectBytes('a'), subscribeBytes('t'));
    await once(socket, 'readable');
    const payload = Buffer.alloc(100_000);
    for (let i = 0; i < 100; i++) world.broker.publish({ topic: 't', payload, qos: 0, retain: false }, 0);
    socket.end();
    await world.isEmpty();
  });
});
