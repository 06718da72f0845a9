// MqttUpstream: which node it goes to, what it finds out about QoS 2 of a 3.1.1 broker, and that nothing from outside breaks it.
import { createServer, type Server } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MqttNodes, parseNode } from '../../../host/net/mqtt-nodes.js';
import type { MqttUpstream, MqttUpstreamOptions } from '../../../host/net/mqtt-upstream.js';
import type { Qos } from '../../../host/ports.js';
import {
  fromBroker,
  HOST,
  makeUpstream,
  type Owner,
  open,
  Queue,
  ScriptedBroker,
  type Wire,
} from './mqtt-upstream-world.js';

let brokers: ScriptedBroker[];
let upstreams: MqttUpstream[];
let servers: Server[];
const accidents: unknown[] = [];
const accident = (error: unknown): void => {
  accidents.push(error);
};

beforeEach(async () => {
  brokers = [await new ScriptedBroker().listen()];
  upstreams = [];
  servers = [];
  process.on('uncaughtException', accident).on('unhandledRejection', accident);
});

afterEach(async () => {
  await Promise.all([...upstreams.map((upstream) => upstream.close()), ...brokers.map((broker) => broker.stop())]);
  for (const server of servers) server.close();
  process.off('uncaughtException', accident).off('unhandledRejection', accident);
  expect(accidents.splice(0)).toEqual([]);
});

function upstreamTo(
  urls: string | string[] = brokers[0]!.url,
  options: Partial<MqttUpstreamOptions> = {},
): MqttUpstream {
  const upstream = makeUpstream(urls, options);
  upstreams.push(upstream);
  return upstream;
}

const nextWire = async (): Promise<Wire> => {
  const wire = await brokers[0]!.wires.next();
  return wire;
};

async function connected(owner: Owner): Promise<void> {
  expect(await owner.events.next()).toBe('connected false');
}

const willOf = (qos: Qos) => ({ topic: 'w', payload: Buffer.from('dead'), qos, retain: false });

describe('URLs', () => {
  it.each([
    ['mqtt://broker', { scheme: 'mqtt', host: 'broker', port: 1883, label: 'mqtt://broker:1883' }],
    ['mqtts://u:p%40@broker', { port: 8883, username: 'u', password: 'p@', label: 'mqtts://broker:8883' }],
    ['ws://[::1]:8080/mqtt?a=b', { host: '::1', port: 8080, path: '/mqtt?a=b', label: 'ws://[::1]:8080' }],
    ['wss://broker', { port: 443, path: '/' }],
    ['mqtt://10.0.0.1:7/', { host: '10.0.0.1', port: 7 }],
  ])('%s is understood', (url, node) => {
    expect(parseNode(url)).toMatchObject(node);
  });

  it.each([
    '',
    'broker:1883',
    'http://broker',
    'mqtt://',
    'mqtt://broker:0',
    'mqtt://broker:65536',
    'mqtt://broker/path',
    'ws://broker/#x',
    'mqtt://u:%zz@broker',
    'constructor://broker',
  ])('"%s" is refused at once, by code', (url) => {
    expect(() => makeUpstream(url)).toThrow(expect.objectContaining({ code: 'ERR_UPSTREAM_URL' }));
  });

  it('are at least one', () => {
    expect(() => makeUpstream([])).toThrow(expect.objectContaining({ code: 'ERR_UPSTREAM_URL' }));
  });

  it('give no password away', () => {
    expect(() => makeUpstream('mqtt://me:secret@broker/x')).toThrow(/^(?!.*secret)/);
    expect(parseNode('mqtt://me:secret@broker').label).not.toContain('secret');
  });

  it('come with certificates that can be read', () => {
    const make = () => makeUpstream('mqtts://broker', { tls: { ca: 'x', key: 'no key' } });
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_UPSTREAM_TLS' }));
  });
});

describe('nodes', () => {
  const nodes = ['a', 'b', 'c'].map((host) => parseNode(`mqtt://${host}`));
  const clients = Array.from({ length: 3_000 }, (_, i) => `device-${i}`);

  it('have an order for each client that is the same at every gateway, and spreads clients', () => {
    const [one, other] = [new MqttNodes(nodes), new MqttNodes([...nodes].reverse())];
    const counts = new Map<string, number>();
    for (const client of clients) {
      const order = one.orderFor(client, 0).map(({ host }) => host);
      expect(other.orderFor(client, 9).map(({ host }) => host)).toEqual(order);
      counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(count).toBeGreaterThan(clients.length / 6 / 1.3);
  });

  it('that failed are asked last, for a while or until they answer', () => {
    const all = new MqttNodes(nodes);
    const [first, second, third] = all.orderFor('x', 0);
    all.failed(first!, 1_000);
    expect(all.orderFor('x', 1_000)).toEqual([second, third, first]);
    expect(all.orderFor('x', 40_000)).toEqual([first, second, third]);
    all.failed(first!, 50_000);
    all.answered(first!);
    expect(all.orderFor('x', 50_000)).toEqual([first, second, third]);
  });

  it('are tried one after another until one answers, and all refusals make an end', async () => {
    const wires = new Queue<Wire>();
    const [one, two, dead] = await Promise.all([1, 2, 3].map(() => new ScriptedBroker(wires).listen()));
    const urls = [dead!.url, one!.url, two!.url];
    await dead!.stop();
    brokers.push(one!, two!);
    const upstream = upstreamTo(urls, { protocolVersion: 5 });
    const owner = open(upstream);
    const busy = await wires.next();
    await busy.take('connect');
    busy.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0x89 });
    const willing = await wires.next();
    await willing.accept();
    await connected(owner);
    expect(willing.port).not.toBe(busy.port);
    // What failed lately is asked last.
    const unlucky = open(upstream);
    const next = await wires.next();
    expect(next.port).toBe(willing.port);
    next.socket.destroy();
    const last = await wires.next();
    expect(last.port).toBe(busy.port);
    last.socket.destroy();
    expect(await unlucky.events.next()).toMatch(/^closed /);
  });

  it('that refuse for good are believed', async () => {
    const wires = new Queue<Wire>();
    const [one, two] = await Promise.all([1, 2].map(() => new ScriptedBroker(wires).listen()));
    brokers.push(one!, two!);
    const owner = open(upstreamTo([one!.url, two!.url]));
    const wire = await wires.next();
    await wire.take('connect');
    wire.send({ cmd: 'connack', sessionPresent: false, returnCode: 4 });
    expect(await owner.events.next()).toBe('closed refused-4');
    expect(one!.seen.length + two!.seen.length).toBe(1);
  });

  it.each([
    [`mqtt://${HOST}:1`, /^closed ECONNREFUSED$/],
    [`ws://${HOST}:1/mqtt`, /^closed ECONNREFUSED$/],
    [`mqtts://${HOST}:1`, /^closed ECONNREFUSED$/],
    [`wss://${HOST}:1`, /^closed ECONNREFUSED$/],
    ['mqtt://no-such-name.invalid', /^closed (ENOTFOUND|EAI_AGAIN)$/],
  ])('%s that cannot be reached is no error but an end', async (url, reason) => {
    const upstream = upstreamTo(url);
    const owner = open(upstream);
    expect(await owner.events.next()).toMatch(reason);
    expect(upstream.qosMax).toBe(2);
  });

  it('can be left while they are being reached', async () => {
    const urls = [brokers[0]!.url, `ws://${HOST}:${brokers[0]!.port}/`, `mqtts://${HOST}:${brokers[0]!.port}`];
    for (const url of [...urls, 'mqtt://no-such-name.invalid', `wss://${HOST}:${brokers[0]!.port}`]) {
      const upstream = upstreamTo(url);
      const [aborted, closed] = [open(upstream), open(upstream, { clientId: 'other' })];
      aborted.abort();
      closed.close();
      await upstream.close();
      expect([...aborted.events.items, ...closed.events.items]).toEqual([]);
    }
  });
});

describe('what a 3.1.1 broker can do', () => {
  it.each([
    [2, 2],
    [1, 1],
    [0, 0],
    [0x80, 2],
  ] as const)('is asked once: granted %s means %s', async (granted, qosMax) => {
    const upstream = upstreamTo();
    const first = open(upstream);
    const wire = await nextWire();
    await wire.accept();
    await wire.grant(granted as Qos);
    await connected(first);
    expect(upstream.qosMax).toBe(qosMax);
    const second = open(upstream, { clientId: 'second' });
    const other = await nextWire();
    await other.accept();
    await connected(second);
    second.subscribe('f', 2);
    expect((await other.take('subscribe')).subscriptions).toMatchObject([{ topic: 'f', qos: qosMax }]);
  });

  it('refuses QoS 2 where it is not known, without a word to the broker', async () => {
    const owner = open(upstreamTo());
    const wire = await nextWire();
    await wire.accept();
    await wire.grant(1);
    await connected(owner);
    owner.publish('a x', 2, 1);
    expect(await owner.answers.next()).toBe('1 refused');
    owner.publish('a x', 1, 2);
    expect((await wire.take('publish')).messageId).toBe(2);
  });

  it('is awaited by all who come meanwhile, and asked by the next where the first is lost', async () => {
    const upstream = upstreamTo();
    const first = open(upstream);
    const firstWire = await nextWire();
    await firstWire.accept();
    const question = await firstWire.take('subscribe');
    expect(question.subscriptions).toMatchObject([{ topic: 'thimble/probe', qos: 2 }]);
    const second = open(upstream, { clientId: 'second' });
    const secondWire = await nextWire();
    await secondWire.accept();
    firstWire.socket.destroy();
    expect(await first.events.next()).toMatch(/^closed /);
    await secondWire.grant(1);
    await connected(second);
    expect(first.events.items).toEqual([]);
  });

  it('is asked by one and told to all', async () => {
    const upstream = upstreamTo();
    const [first, second] = [open(upstream), open(upstream, { clientId: 'second' })];
    const [asking, other] = [await nextWire(), await nextWire()];
    await asking.accept();
    const question = await asking.take('subscribe');
    await other.accept();
    // One more, through all of it: whoever waits has had its CONNACK by now.
    const third = open(upstream, { clientId: 'third' });
    await (await nextWire()).accept();
    asking.send({ cmd: 'suback', messageId: question.messageId!, granted: [1] });
    await Promise.all([first, second, third].map(connected));
    for (const owner of [first, second]) owner.publish('the end', 0, 0);
    expect((await other.packets.next()).cmd).toBe('publish');
  });

  it('is asked by the next where the first is closed by its owner', async () => {
    const upstream = upstreamTo();
    const first = open(upstream);
    await (await nextWire()).accept();
    const second = open(upstream, { clientId: 'second' });
    const wire = await nextWire();
    await wire.accept();
    first.close();
    await wire.grant(2);
    await connected(second);
  });

  it('is QoS 1 where it hangs up on the question twice, or does not answer it', async () => {
    const upstream = upstreamTo();
    for (let i = 0; i < 2; i++) {
      const owner = open(upstream);
      const wire = await nextWire();
      await wire.accept();
      await wire.take('subscribe');
      wire.socket.destroy();
      expect(await owner.events.next()).toMatch(/^closed /);
    }
    expect(upstream.qosMax).toBe(1);
    const owner = open(upstream);
    await (await nextWire()).accept();
    await connected(owner);

    const silent = upstreamTo();
    const waiting = open(silent);
    await (await nextWire()).accept();
    await connected(waiting);
    expect(silent.qosMax).toBe(1);
  });

  it('is asked anew after the last connection was lost, since another broker may stand there', async () => {
    const upstream = upstreamTo();
    const [one, two] = [open(upstream), open(upstream, { clientId: 'two' })];
    const wires = [await nextWire(), await nextWire()];
    const [asking, other] = wires as [Wire, Wire];
    await asking.accept();
    await asking.grant(1);
    await other.accept();
    await Promise.all([connected(one), connected(two)]);
    other.socket.destroy();
    await Promise.race([one.events.next(), two.events.next()]);
    const third = open(upstream, { clientId: 'three' });
    const thirdWire = await nextWire();
    await thirdWire.accept();
    await connected(third);
    asking.socket.destroy();
    thirdWire.socket.destroy();
    expect(await third.events.next()).toMatch(/^closed /);
    expect(upstream.qosMax).toBe(1);
    const fourth = open(upstream, { clientId: 'four' });
    const fourthWire = await nextWire();
    await fourthWire.accept();
    await fourthWire.grant(2);
    await connected(fourth);
    expect(upstream.qosMax).toBe(2);
  });

  it('decides over the will: QoS 1 until it is known, and put right where it is 2', async () => {
    const upstream = upstreamTo();
    const owner = open(upstream, { will: willOf(2), clean: false });
    const wire = await nextWire();
    expect((await wire.accept({ sessionPresent: true })).will).toMatchObject({ topic: 'w', qos: 1 });
    wire.send(fromBroker('kept zero', 0, 0), fromBroker('again one', 1, 5));
    await wire.grant(2);
    await wire.take('disconnect');
    const second = await nextWire();
    const { will } = await second.accept({ sessionPresent: true });
    expect(will).toMatchObject({ topic: 'w', qos: 2, retain: false });
    expect(will?.payload.toString()).toBe('dead');
    second.send(fromBroker('again one', 1, 5, { dup: true }));
    expect(await owner.events.next()).toBe('connected true');
    expect(await owner.events.next()).toBe('message kept zero qos0 id0');
    expect(await owner.events.next()).toBe('message again one qos1 id5 dup');
    const other = open(upstream, { clientId: 'other', will: willOf(2) });
    expect((await (await nextWire()).accept()).will).toMatchObject({ qos: 2 });
    await connected(other);
  });

  it('leaves a will of QoS 2 at 1 where it can do no more', async () => {
    const owner = open(upstreamTo(), { will: willOf(2) });
    const wire = await nextWire();
    expect((await wire.accept()).will).toMatchObject({ qos: 1 });
    await wire.grant(1);
    await connected(owner);
    expect(brokers[0]!.seen.length).toBe(1);
  });
});

describe('whatever comes', () => {
  it('garbage ends the session, and only that', async () => {
    const upstream = upstreamTo();
    const octets = fc.uint8Array({ minLength: 1, maxLength: 64 });
    await fc.assert(
      fc.asyncProperty(octets, fc.boolean(), async (garbage, isFirst) => {
        const owner = open(upstream);
        const wire = await nextWire();
        if (!isFirst) await wire.accept();
        wire.socket.write(garbage);
        wire.socket.end();
        for (;;) {
          const event = await owner.events.next();
          if (event.startsWith('closed ')) break;
        }
      }),
      { numRuns: 300 },
    );
    expect(accidents).toEqual([]);
  });

  it('what is no MQTT is hung up on, though the other side would go on', async () => {
    const upstream = upstreamTo();
    for (const octets of [
      [0x36, 0x00],
      [0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const owner = open(upstream);
      const wire = await nextWire();
      await wire.take('connect');
      wire.socket.write(Uint8Array.from(octets));
      expect(await owner.events.next()).toMatch(/^closed /);
      await wire.closed;
    }
  });

  it('something that speaks no TLS, no WebSocket or HTTP instead is an end', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const { port } = server.address() as { port: number };
    for (const scheme of ['mqtt', 'mqtts', 'ws', 'wss']) {
      const owner = open(upstreamTo(`${scheme}://${HOST}:${port}`));
      expect(await owner.events.next()).toMatch(/^closed /);
    }
  });

  it('two CONNACKs, an alias nobody allowed and packets of clients end the session or mean nothing', async () => {
    const upstream = upstreamTo(brokers[0]!.url, { protocolVersion: 5 });
    const twice = open(upstream);
    const wire = await nextWire();
    await wire.accept();
    await connected(twice);
    wire.send({ cmd: 'connack', sessionPresent: true, reasonCode: 0 });
    expect(await twice.events.next()).toMatch(/^closed /);
    const aliased = open(upstream);
    const other = await nextWire();
    await other.accept();
    await connected(aliased);
    other.send({ cmd: 'pingreq' }, { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] });
    other.send(fromBroker(' x', 0, 0, { properties: { topicAlias: 1 } }));
    expect(await aliased.events.next()).toMatch(/^closed /);
  });
});
