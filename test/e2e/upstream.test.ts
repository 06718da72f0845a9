// MqttUpstream before brokers of other people's making: mosquitto with 3.1.1 and 5, over TCP, TLS, WebSocket and both, and
// nats-server over TCP and WebSocket.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MqttUpstream } from '../../host/net/mqtt-upstream.js';
import type { Qos } from '../../host/ports.js';
import { makeUpstream, type OpenOptions, type Owner, open } from '../host/net/mqtt-upstream-world.js';
import { describeWithTools } from '../tools.js';
import {
  type Certificates,
  makeCertificates,
  type Server,
  startMosquitto,
  startNats,
  Tap,
  untilSo,
} from './brokers.js';
import { HOST, until } from './world.js';

/** A way to a broker. */
interface Way {
  readonly url: string;
  readonly protocolVersion: 4 | 5;
  readonly ca?: string;
}

let upstreams: MqttUpstream[] = [];

afterEach(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  upstreams = [];
});

function upstreamTo({ url, protocolVersion, ca }: Way): MqttUpstream {
  const upstream = makeUpstream(url, { protocolVersion, ...(ca && { tls: { ca } }) });
  upstreams.push(upstream);
  return upstream;
}

/** A session that is open. The broker may need a moment after its start. */
async function join(upstream: MqttUpstream, options: OpenOptions): Promise<{ owner: Owner; sessionPresent: boolean }> {
  let owner!: Owner;
  let event = '';
  await untilSo('a session', async () => {
    owner = open(upstream, options);
    event = await owner.events.next();
    return event.startsWith('connected');
  });
  return { owner, sessionPresent: event.endsWith('true') };
}

async function subscribed(owner: Owner, filter: string, qos: Qos, granted = qos): Promise<void> {
  owner.subscribe(filter, qos);
  expect(await owner.answers.next()).toBe(`${filter} ${granted}`);
}

/** Publishes at this QoS with all its steps, under this identifier. */
async function send(owner: Owner, text: string, qos: Qos, id: number): Promise<void> {
  owner.publish(text, qos, id);
  expect(await owner.answers.next()).toBe(`${id} taken`);
  if (qos < 2) return;
  owner.release(id);
  expect(await owner.answers.next()).toBe(`${id} complete`);
}

/** The identifier of the next message, which must be this one. */
async function hear(owner: Owner, text: string, qos: Qos, flags = ''): Promise<number> {
  const event = await owner.events.next();
  const [, id] = /id(\d+)/.exec(event) ?? [];
  expect(event).toBe(`message ${text} qos${qos} id${id}${flags}`);
  return Number(id);
}

let serial = 0;
/** Names that no other test has used. */
const fresh = (name: string): string => `${name}${++serial}`;

/** What holds over each way to each broker. */
function promises(way: () => Way, qosMax: Qos): void {
  it('carries all QoS both ways, step by step', async () => {
    const upstream = upstreamTo(way());
    const { owner: publisher } = await join(upstream, { clientId: fresh('pub') });
    const { owner: subscriber } = await join(upstream, { clientId: fresh('sub') });
    expect(upstream.qosMax).toBe(qosMax);
    const topic = fresh('t');
    await subscribed(subscriber, topic, 2, qosMax);
    for (const qos of [0, 1, 2] as const) {
      if (qos > qosMax) continue;
      await send(publisher, `${topic} at-${qos}`, qos, qos === 0 ? 0 : 700 + qos);
      const id = await hear(subscriber, `${topic} at-${qos}`, qos);
      if (qos > 0) subscriber.acknowledge(id);
      if (qos < 2) continue;
      expect(await subscriber.events.next()).toBe(`released ${id}`);
      subscriber.complete(id);
    }
    if (qosMax < 2) {
      publisher.publish(`${topic} at-2`, 2, 9);
      expect(await publisher.answers.next()).toBe('9 refused');
      await send(publisher, `${topic} still-there`, 1, 10);
    }
    subscriber.unsubscribe(topic);
    expect(await subscriber.answers.next()).toBe(`${topic} gone`);
  });

  it('keeps a session, and sends again under the same identifier what was not acknowledged', async () => {
    const upstream = upstreamTo(way());
    const { owner: publisher } = await join(upstream, { clientId: fresh('pub') });
    const options = { clientId: fresh('sub'), clean: false };
    const { owner: first, sessionPresent } = await join(upstream, options);
    expect(sessionPresent).toBe(false);
    const topic = fresh('t');
    await subscribed(first, topic, 1);
    await send(publisher, `${topic} one`, 1, 1);
    const id = await hear(first, `${topic} one`, 1);
    first.abort();
    await send(publisher, `${topic} two`, 1, 2);
    const { owner: second, sessionPresent: isKept } = await join(upstream, options);
    expect(isKept).toBe(true);
    const heard = new Map<string, string>();
    while (heard.size < 2) {
      const event = await second.events.next();
      heard.set(event.split(' ')[2]!, event);
      second.acknowledge(Number(/id(\d+)/.exec(event)?.[1]));
    }
    expect(heard.get('one')).toBe(`message ${topic} one qos1 id${id} dup`);
  });

  it('publishes the will after abort and not after close', async () => {
    const upstream = upstreamTo(way());
    const topic = fresh('w');
    const { owner: watcher } = await join(upstream, { clientId: fresh('watcher') });
    await subscribed(watcher, topic, 1);
    for (const end of ['close', 'abort'] as const) {
      const will = { topic, payload: Buffer.from(`will-of-${end}`), qos: 1 as Qos, retain: false };
      const clientId = fresh('mortal');
      const { owner } = await join(upstream, { clientId, will });
      owner[end]();
      // Whoever comes back at once does not undo how it went.
      if (end === 'close') await join(upstream, { clientId, will });
    }
    watcher.acknowledge(await hear(watcher, `${topic} will-of-abort`, 1));
    await send(watcher, `${topic} the-end`, 1, 1);
    await hear(watcher, `${topic} the-end`, 1);
  });
}

/** What is seen between the upstream and a broker. */
function identifiers(target: () => number, protocolVersion: 4 | 5, qosMax: Qos): void {
  it('has the identifiers of its owner on the wire', async () => {
    const tap = await new Tap(target(), protocolVersion).listen();
    const upstream = upstreamTo({ url: `mqtt://${HOST}:${tap.port}`, protocolVersion });
    const { owner } = await join(upstream, { clientId: fresh('watched'), clean: false });
    const topic = fresh('t');
    await subscribed(owner, topic, 1);
    owner.publish(`${topic} x`, 1, 4711, { dup: true });
    expect(await owner.answers.next()).toBe('4711 taken');
    const id = await hear(owner, `${topic} x`, 1);
    owner.acknowledge(id);
    const lines = ['client publish 4711 dup', 'broker puback 4711', `broker publish ${id}`, `client puback ${id}`];
    if (qosMax === 2) {
      await send(owner, 'elsewhere y', 2, 815);
      owner.release(60_000);
      expect(await owner.answers.next()).toBe('60000 complete');
      for (const step of ['client publish', 'broker pubrec', 'client pubrel', 'broker pubcomp'])
        lines.push(`${step} 815`);
      lines.push('client pubrel 60000', 'broker pubcomp 60000');
    }
    owner.close();
    const seen = () => tap.lines('publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'disconnect');
    await until('DISCONNECT', () => seen().some((line) => line.startsWith('client disconnect')));
    // PUBACK and PUBLISH may come in either order.
    expect(seen().slice(0, -1).sort()).toEqual(lines.sort());
    tap.close();
  });
}

/** A broker that dies and comes back. */
function death(server: () => Server, way: () => Way): void {
  it('closes sessions when the broker is killed, and opens them when it is back', async () => {
    const upstream = upstreamTo(way());
    const { owner } = await join(upstream, { clientId: fresh('survivor') });
    await server().kill();
    expect(await owner.events.next()).toMatch(/^closed /);
    const refused = open(upstream, { clientId: fresh('survivor') });
    expect(await refused.events.next()).toMatch(/^closed /);
    await server().start();
    const { owner: again } = await join(upstream, { clientId: fresh('survivor') });
    const topic = fresh('t');
    await subscribed(again, topic, 1);
    await send(again, `${topic} back`, 1, 1);
    await hear(again, `${topic} back`, 1);
  });
}

describeWithTools(['mosquitto', 'openssl'], 'mosquitto', () => {
  let certificates: Certificates;
  let server: Server;
  const ports = { mqtt: 0, mqtts: 0, ws: 0, wss: 0 };

  beforeAll(async () => {
    certificates = makeCertificates();
    const mosquitto = await startMosquitto(certificates);
    server = mosquitto.server;
    Object.assign(ports, {
      mqtt: mosquitto.port,
      mqtts: mosquitto.tlsPort,
      ws: mosquitto.wsPort,
      wss: mosquitto.wssPort,
    });
  });

  for (const protocolVersion of [4, 5] as const) {
    for (const scheme of ['mqtt', 'mqtts', 'ws', 'wss'] as const) {
      describe(`${scheme}, MQTT ${protocolVersion}`, () => {
        promises(() => ({ url: `${scheme}://${HOST}:${ports[scheme]}`, protocolVersion, ca: certificates.ca }), 2);
      });
    }
    describe(`on the wire, MQTT ${protocolVersion}`, () => identifiers(() => ports.mqtt, protocolVersion, 2));
    describe(`killed, MQTT ${protocolVersion}`, () => {
      death(
        () => server,
        () => ({ url: `mqtt://${HOST}:${ports.mqtt}`, protocolVersion }),
      );
    });
  }

  it.each(['mqtts', 'wss'] as const)(
    'is not believed over %s without its authority, but where told to',
    async (scheme) => {
      const url = `${scheme}://${HOST}:${ports[scheme]}`;
      const stranger = open(upstreamTo({ url, protocolVersion: 4 }));
      expect(await stranger.events.next()).toBe('closed UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      const trusting = makeUpstream(url, { tls: { insecure: true } });
      upstreams.push(trusting);
      expect(await open(trusting).events.next()).toBe('connected false');
    },
  );

  it.each([4, 5] as const)('with max_qos 1 is known to do no more, MQTT %s', async (protocolVersion) => {
    const limited = await startMosquitto(certificates, 'max_qos 1');
    const upstream = upstreamTo({ url: `mqtt://${HOST}:${limited.port}`, protocolVersion });
    const will = { topic: fresh('w'), payload: Buffer.from('dead'), qos: 2 as Qos, retain: false };
    const { owner } = await join(upstream, { clientId: fresh('dev'), will });
    expect(upstream.qosMax).toBe(1);
    owner.publish('a x', 2, 1);
    expect(await owner.answers.next()).toBe('1 refused');
    await send(owner, 'a x', 1, 2);
    const { owner: watcher } = await join(upstream, { clientId: fresh('watcher') });
    await subscribed(watcher, will.topic, 1);
    owner.abort();
    await hear(watcher, `${will.topic} dead`, 1);
  });
});

describeWithTools(['nats-server'], 'nats-server', () => {
  let server: Server;
  let port = 0;
  let wsPort = 0;

  beforeAll(async () => {
    ({ server, port, wsPort } = await startNats());
  });

  describe('mqtt', () => promises(() => ({ url: `mqtt://${HOST}:${port}`, protocolVersion: 4 }), 1));
  describe('ws', () => promises(() => ({ url: `ws://${HOST}:${wsPort}/mqtt`, protocolVersion: 4 }), 1));
  describe('on the wire', () => identifiers(() => port, 4, 1));
  describe('killed', () => {
    death(
      () => server,
      () => ({ url: `mqtt://${HOST}:${port}`, protocolVersion: 4 }),
    );
  });

  it('refuses MQTT 5 in words', async () => {
    const owner = open(upstreamTo({ url: `mqtt://${HOST}:${port}`, protocolVersion: 5 }));
    expect(await owner.events.next()).toMatch(/^closed /);
  });

  it('has a will of QoS 2 at 1', async () => {
    const upstream = upstreamTo({ url: `mqtt://${HOST}:${port}`, protocolVersion: 4 });
    const will = { topic: fresh('w'), payload: Buffer.from('dead'), qos: 2 as Qos, retain: false };
    const { owner } = await join(upstream, { clientId: fresh('mortal'), will });
    const { owner: watcher } = await join(upstream, { clientId: fresh('watcher') });
    await subscribed(watcher, will.topic, 1);
    owner.abort();
    await hear(watcher, `${will.topic} dead`, 1);
  });

  it('keeps retained messages', async () => {
    const upstream = upstreamTo({ url: `mqtt://${HOST}:${port}`, protocolVersion: 4 });
    const { owner } = await join(upstream, { clientId: fresh('dev') });
    const topic = fresh('r');
    owner.publish(`${topic} kept`, 1, 1, { retain: true });
    expect(await owner.answers.next()).toBe('1 taken');
    await subscribed(owner, topic, 1);
    await hear(owner, `${topic} kept`, 1, ' retain');
  });
});
