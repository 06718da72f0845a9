// MqttUpstream against a broker that follows a script: every promise of the port, seen on the wire.
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MqttUpstream, MqttUpstreamOptions } from '../../../host/net/mqtt-upstream.js';
import {
  fromBroker,
  HOST,
  makeUpstream,
  type OpenOptions,
  type Owner,
  open,
  Queue,
  ScriptedBroker,
  type Wire,
} from './mqtt-upstream-world.js';

let broker: ScriptedBroker;
let upstreams: MqttUpstream[];
const accidents: unknown[] = [];
const accident = (error: unknown): void => {
  accidents.push(error);
};

beforeEach(async () => {
  broker = await new ScriptedBroker().listen();
  upstreams = [];
  process.on('uncaughtException', accident).on('unhandledRejection', accident);
});

afterEach(async () => {
  await Promise.all([...upstreams.map((upstream) => upstream.close()), broker.stop()]);
  process.off('uncaughtException', accident).off('unhandledRejection', accident);
  expect(accidents.splice(0)).toEqual([]);
});

function upstreamTo(urls: string | string[] = broker.url, options: Partial<MqttUpstreamOptions> = {}): MqttUpstream {
  const upstream = makeUpstream(urls, options);
  upstreams.push(upstream);
  return upstream;
}

/** A session of a 3.1.1 broker that grants QoS 2, up to `connected`. */
async function join(options: OpenOptions = {}, sessionPresent = false): Promise<{ owner: Owner; wire: Wire }> {
  const owner = open(upstreamTo(), options);
  const wire = await broker.wires.next();
  await wire.accept({ sessionPresent });
  await wire.grant();
  expect(await owner.events.next()).toBe(`connected ${sessionPresent}`);
  return { owner, wire };
}

/** A session with MQTT 5. */
async function join5(properties = {}): Promise<{ owner: Owner; wire: Wire; upstream: MqttUpstream }> {
  const upstream = upstreamTo(broker.url, { protocolVersion: 5 });
  const owner = open(upstream);
  const wire = await broker.wires.next();
  await wire.accept({ properties });
  expect(await owner.events.next()).toBe('connected false');
  return { owner, wire, upstream };
}

/** The broker has seen all that the owner did, and nothing but what was taken. */
async function nothingMore(owner: Owner, wire: Wire): Promise<void> {
  owner.publish('the end', 0, 0);
  expect(await wire.packets.next()).toMatchObject({ cmd: 'publish', topic: 'the' });
  expect(await owner.answers.next()).toBe('0 taken');
}

describe('publishing', () => {
  it('sends QoS 1 under the given identifier and DUP, and says taken with PUBACK', async () => {
    const { owner, wire } = await join();
    owner.publish('a x', 1, 7);
    owner.publish('b y', 1, 3, { dup: true, retain: true });
    expect(await wire.take('publish')).toMatchObject({ topic: 'a', messageId: 7, qos: 1, dup: false, retain: false });
    expect(await wire.take('publish')).toMatchObject({ topic: 'b', messageId: 3, qos: 1, dup: true, retain: true });
    wire.send({ cmd: 'puback', messageId: 3 }, { cmd: 'puback', messageId: 7 });
    expect(await owner.answers.next()).toBe('3 taken');
    expect(await owner.answers.next()).toBe('7 taken');
  });

  it('says taken with PUBREC and PUBREL only when released', async () => {
    const { owner, wire } = await join();
    owner.publish('a x', 2, 9);
    expect(await wire.take('publish')).toMatchObject({ messageId: 9, qos: 2 });
    wire.send({ cmd: 'pubrec', messageId: 9 });
    expect(await owner.answers.next()).toBe('9 taken');
    await nothingMore(owner, wire);
    owner.release(9);
    expect(await wire.take('pubrel')).toMatchObject({ messageId: 9 });
    wire.send({ cmd: 'pubcomp', messageId: 9 });
    expect(await owner.answers.next()).toBe('9 complete');
  });

  it('releases what was published on another connection', async () => {
    const { owner, wire } = await join({ clean: false }, true);
    owner.release(1234);
    expect(await wire.take('pubrel')).toMatchObject({ messageId: 1234 });
    wire.send({ cmd: 'pubcomp', messageId: 1234 });
    expect(await owner.answers.next()).toBe('1234 complete');
  });

  it('takes QoS 0 at once', async () => {
    const { owner, wire } = await join();
    await nothingMore(owner, wire);
  });

  it('is not misled by answers to nothing, or of the wrong kind', async () => {
    const { owner, wire } = await join();
    owner.publish('a x', 2, 5);
    await wire.take('publish');
    owner.unsubscribe('f');
    const { messageId } = await wire.take('unsubscribe');
    wire.send({ cmd: 'puback', messageId: 5 }, { cmd: 'pubcomp', messageId: 5 }, { cmd: 'puback', messageId: 6 });
    wire.send({ cmd: 'suback', messageId: 5, granted: [1] }, { cmd: 'unsuback', messageId: 5, granted: [] });
    wire.send({ cmd: 'suback', messageId: messageId!, granted: [1] }, fromBroker('so far', 0, 0));
    expect(await owner.events.next()).toBe('message so far qos0 id0');
    expect(owner.answers.items).toEqual([]);
    wire.send({ cmd: 'pubrec', messageId: 5 }, { cmd: 'pubrec', messageId: 5 });
    wire.send({ cmd: 'unsuback', messageId: messageId!, granted: [] });
    expect(await owner.answers.next()).toBe('5 taken');
    expect(await owner.answers.next()).toBe('f gone');
    await nothingMore(owner, wire);
    expect(owner.answers.items).toEqual([]);
  });

  it('tells what a broken connection leaves open, then that it is closed', async () => {
    const { owner, wire } = await join();
    owner.publish('a x', 1, 1);
    owner.release(2);
    owner.subscribe('f', 1);
    for (const cmd of ['publish', 'pubrel', 'subscribe'] as const) await wire.take(cmd);
    wire.socket.destroy();
    expect(await owner.answers.next()).toBe('1 lost');
    expect(await owner.events.next()).toMatch(/^closed /);
    owner.publish('a x', 1, 1);
    expect(await owner.answers.next()).toBe('1 lost');
    owner.acknowledge(1);
    owner.release(2);
    expect(owner.answers.items).toEqual([]);
  });
});

describe('messages from the broker', () => {
  it('are acknowledged when the owner does, each by its QoS, in any order', async () => {
    const { owner, wire } = await join();
    wire.send(fromBroker('a x', 1, 11), fromBroker('b y', 2, 12, { dup: true }), fromBroker('c z', 0, 0));
    expect(await owner.events.next()).toBe('message a x qos1 id11');
    expect(await owner.events.next()).toBe('message b y qos2 id12 dup');
    expect(await owner.events.next()).toBe('message c z qos0 id0');
    await nothingMore(owner, wire);
    owner.acknowledge(12);
    expect(await wire.take('pubrec')).toMatchObject({ messageId: 12 });
    owner.acknowledge(11);
    expect(await wire.take('puback')).toMatchObject({ messageId: 11 });
    owner.acknowledge(11);
    owner.acknowledge(99);
    await nothingMore(owner, wire);
  });

  it('complete when the owner does, also where the handshake began elsewhere', async () => {
    const { owner, wire } = await join({ clean: false }, true);
    wire.send({ cmd: 'pubrel', messageId: 77 });
    expect(await owner.events.next()).toBe('released 77');
    await nothingMore(owner, wire);
    owner.complete(77);
    expect(await wire.take('pubcomp')).toMatchObject({ messageId: 77 });
  });

  it('do not come before the owner knows of the connection', async () => {
    const owner = open(upstreamTo(), { clean: false });
    const wire = await broker.wires.next();
    await wire.accept({ sessionPresent: true });
    wire.send(fromBroker('a x', 1, 1), { cmd: 'pubrel', messageId: 2 });
    await wire.grant();
    expect(await owner.events.next()).toBe('connected true');
    expect(await owner.events.next()).toBe('message a x qos1 id1');
    expect(await owner.events.next()).toBe('released 2');
    owner.acknowledge(1);
    await wire.take('puback');
  });

  it('keep their octets', async () => {
    const { owner, wire } = await join();
    const payloads: Uint8Array[] = [];
    owner.message = ({ payload }) => {
      payloads.push(payload);
      owner.events.push('message');
    };
    wire.send(fromBroker('a first', 0, 0), fromBroker('a second', 0, 0));
    await owner.events.next();
    await owner.events.next();
    expect(payloads.map((payload) => payload.buffer.byteLength)).toEqual([5, 6]);
    expect(payloads.map((payload) => Buffer.from(payload).toString())).toEqual(['first', 'second']);
  });
});

describe('requests', () => {
  it('subscribe and unsubscribe, with what is granted', async () => {
    const { owner, wire } = await join();
    owner.subscribe('a/#', 2);
    owner.subscribe('b', 1);
    const first = await wire.take('subscribe');
    const second = await wire.take('subscribe');
    expect(first.subscriptions).toMatchObject([{ topic: 'a/#', qos: 2 }]);
    wire.send({ cmd: 'suback', messageId: second.messageId!, granted: [0x80] });
    wire.send({ cmd: 'suback', messageId: first.messageId!, granted: [1] });
    expect(await owner.answers.next()).toBe('b undefined');
    expect(await owner.answers.next()).toBe('a/# 1');
    owner.unsubscribe('a/#');
    const { messageId, unsubscriptions } = await wire.take('unsubscribe');
    expect(unsubscriptions).toEqual(['a/#']);
    wire.send({ cmd: 'unsuback', messageId: messageId!, granted: [] });
    expect(await owner.answers.next()).toBe('a/# gone');
  });

  it('never take an identifier that is in flight', async () => {
    const { owner, wire } = await join();
    owner.unsubscribe('f');
    const { messageId } = await wire.take('unsubscribe');
    wire.send({ cmd: 'unsuback', messageId: messageId!, granted: [] });
    expect(await owner.answers.next()).toBe('f gone');
    owner.publish('a x', 1, 65_535);
    owner.publish('a x', 2, 65_534);
    owner.release(65_533);
    await wire.take('publish');
    await wire.take('publish');
    await wire.take('pubrel');
    wire.send({ cmd: 'pubrec', messageId: 65_534 });
    expect(await owner.answers.next()).toBe('65534 taken');
    owner.subscribe('f', 1);
    expect((await wire.take('subscribe')).messageId).toBe(65_532);
  });

  it('hold back what the owner wants to say under their identifier', async () => {
    const { owner, wire } = await join();
    owner.subscribe('f', 1);
    const { messageId } = await wire.take('subscribe');
    owner.publish('a x', 1, messageId!);
    owner.unsubscribe('g');
    const other = await wire.take('unsubscribe');
    owner.release(other.messageId!);
    await nothingMore(owner, wire);
    wire.send({ cmd: 'suback', messageId: messageId!, granted: [1] });
    expect(await wire.take('publish')).toMatchObject({ topic: 'a', messageId });
    expect(await owner.answers.next()).toBe('f 1');
    wire.send({ cmd: 'unsuback', messageId: other.messageId!, granted: [] });
    expect(await wire.take('pubrel')).toMatchObject({ messageId: other.messageId });
  });

  it('tell a held back PUBLISH that it is lost', async () => {
    const { owner, wire } = await join();
    owner.subscribe('f', 1);
    const { messageId } = await wire.take('subscribe');
    owner.publish('a x', 1, messageId!);
    wire.socket.destroy();
    expect(await owner.answers.next()).toBe(`${messageId} lost`);
  });
});

describe('the end', () => {
  it('close says DISCONNECT and then nothing is told', async () => {
    const { owner, wire } = await join();
    owner.publish('a x', 1, 1);
    await wire.take('publish');
    owner.close();
    wire.send({ cmd: 'puback', messageId: 1 }, fromBroker('m x', 1, 1));
    await wire.take('disconnect');
    await wire.closed;
    await upstreams[0]!.close();
    expect([owner.events.items, owner.answers.items]).toEqual([[], []]);
  });

  it('close before CONNACK says DISCONNECT too, so that no will is published', async () => {
    const owner = open(upstreamTo(), { will: { topic: 'w', payload: Buffer.from('dead'), qos: 1, retain: false } });
    owner.close();
    const wire = await broker.wires.next();
    await wire.take('connect');
    await wire.take('disconnect');
    await wire.closed;
    expect(owner.events.items).toEqual([]);
  });

  it('abort goes without a word', async () => {
    const { owner, wire } = await join();
    owner.abort();
    await wire.closed;
    expect(wire.packets.items).toEqual([]);
    expect(owner.events.items).toEqual([]);
  });

  it('comes before a new beginning: CONNECT does not overtake DISCONNECT', async () => {
    const { owner, wire } = await join();
    owner.close();
    const again = open(upstreams[0]!);
    const left = open(upstreams[0]!);
    left.close();
    await wire.take('disconnect');
    await wire.closed;
    expect(broker.seen.length).toBe(1);
    await (await broker.wires.next()).accept();
    expect(await again.events.next()).toBe('connected false');
    expect(broker.seen.length).toBe(2);
  });

  it('is the end also where it comes from inside of an answer', async () => {
    const { owner, wire } = await join();
    const message = { topic: 'a', payload: new Uint8Array(), qos: 1, retain: false } as const;
    for (const id of [1, 2]) {
      owner.session.publish(message, id, false, 0, (outcome) => {
        owner.answers.push(`${id} ${outcome}`);
        owner.close();
      });
    }
    await wire.take('publish');
    wire.socket.destroy();
    expect(await owner.answers.next()).toBe('1 lost');
    await upstreams[0]!.close();
    expect([owner.events.items, owner.answers.items]).toEqual([[], []]);
  });

  it('does not wait for a broker that never hangs up', async () => {
    await broker.stop();
    const held = new Queue<string>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', () => held.push('data'));
    });
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const upstream = upstreamTo(`mqtt://${HOST}:${(server.address() as { port: number }).port}`);
    const owner = open(upstream);
    await held.next();
    owner.close();
    await upstream.close();
    server.close();
    broker = await new ScriptedBroker().listen();
  });

  it('of the upstream is told to sessions, and to those opened afterwards', async () => {
    const { owner, wire } = await join();
    const upstream = upstreams[0]!;
    const closing = upstream.close();
    await wire.take('disconnect');
    await closing;
    expect(await owner.events.next()).toBe('closed stopped');
    expect(await open(upstream).events.next()).toBe('closed stopped');
    expect(broker.seen.length).toBe(1);
  });
});

describe('the introduction', () => {
  it('keeps a session where asked to, in 3.1.1 by the clean flag', async () => {
    const owner = open(upstreamTo(), { clean: false, clientId: 'me' });
    const wire = await broker.wires.next();
    const connect = await wire.accept({ sessionPresent: true });
    expect(connect).toMatchObject({ clientId: 'me', clean: false, keepalive: 60, protocolVersion: 4 });
    await wire.grant();
    expect(await owner.events.next()).toBe('connected true');
  });

  it.each([
    [true, 0],
    [false, 0xffff_ffff],
  ])('keeps a session in MQTT 5 for ever or not at all (clean %s)', async (clean, sessionExpiryInterval) => {
    open(upstreamTo(broker.url, { protocolVersion: 5 }), { clean });
    const connect = await (await broker.wires.next()).accept();
    expect(connect).toMatchObject({ clean, protocolVersion: 5, properties: { sessionExpiryInterval } });
  });

  it('has the user and the password of the URL, and the keep-alive', async () => {
    open(upstreamTo(`mqtt://us%40er:p%3Ass@${HOST}:${broker.port}`, { keepAliveS: 17 }));
    const connect = await (await broker.wires.next()).accept();
    expect(connect).toMatchObject({ username: 'us@er', keepalive: 17 });
    expect(connect.password?.toString()).toBe('p:ss');
  });

  it('is refused for good', async () => {
    const owner = open(upstreamTo());
    const wire = await broker.wires.next();
    await wire.take('connect');
    wire.send({ cmd: 'connack', sessionPresent: false, returnCode: 5 });
    expect(await owner.events.next()).toBe('closed refused-5');
  });

  it('waits no longer than a moment for a broker that says nothing to it, and pings one that does', async () => {
    const owner = open(upstreamTo(broker.url, { keepAliveS: 1 }));
    const wire = await broker.wires.next();
    await wire.accept();
    await wire.grant(1);
    await owner.events.next();
    await wire.take('pingreq');
    expect(await owner.events.next()).toBe('closed Keepalive timeout');
  });
});

describe('MQTT 5', () => {
  it('hears a refusal in PUBACK and PUBREC', async () => {
    const { owner, wire } = await join5();
    owner.publish('a x', 1, 1);
    owner.publish('a x', 2, 2);
    owner.publish('a x', 1, 3);
    for (let i = 0; i < 3; i++) await wire.take('publish');
    wire.send({ cmd: 'puback', messageId: 1, reasonCode: 0x87 }, { cmd: 'pubrec', messageId: 2, reasonCode: 0x97 });
    wire.send({ cmd: 'puback', messageId: 3, reasonCode: 0x10 });
    expect(await owner.answers.next()).toBe('1 refused');
    expect(await owner.answers.next()).toBe('2 refused');
    expect(await owner.answers.next()).toBe('3 taken');
  });

  it('keeps to Receive Maximum, from PUBLISH to PUBACK or PUBCOMP', async () => {
    const { owner, wire } = await join5({ receiveMaximum: 2 });
    for (const id of [1, 2, 3, 4, 5]) owner.publish('a x', id === 1 ? 2 : 1, id);
    expect((await wire.take('publish')).messageId).toBe(1);
    expect((await wire.take('publish')).messageId).toBe(2);
    wire.send({ cmd: 'pubrec', messageId: 1 });
    expect(await owner.answers.next()).toBe('1 taken');
    await nothingMore(owner, wire);
    wire.send({ cmd: 'puback', messageId: 2 });
    expect((await wire.take('publish')).messageId).toBe(3);
    expect(await owner.answers.next()).toBe('2 taken');
    owner.release(1);
    await wire.take('pubrel');
    wire.send({ cmd: 'pubcomp', messageId: 1 });
    expect((await wire.take('publish')).messageId).toBe(4);
    await owner.answers.next();
    await nothingMore(owner, wire);
    wire.socket.destroy();
    const left = [await owner.answers.next(), await owner.answers.next(), await owner.answers.next()];
    expect(left).toEqual(['3 lost', '4 lost', '5 lost']);
  });

  it('refuses what the broker said it cannot take, and sends nothing of it', async () => {
    const { owner, wire, upstream } = await join5({ maximumQoS: 1, retainAvailable: false, maximumPacketSize: 20 });
    expect(upstream.qosMax).toBe(1);
    owner.publish('a x', 2, 1);
    owner.publish('a x', 1, 2, { retain: true });
    owner.publish(`a ${'x'.repeat(13)}`, 1, 3);
    owner.publish(`a ${'y'.repeat(12)}`, 1, 4);
    for (const id of [1, 2, 3]) expect(await owner.answers.next()).toBe(`${id} refused`);
    expect(await wire.take('publish')).toMatchObject({ messageId: 4, length: 18 });
  });

  it('lowers a will that the broker refused for its QoS', async () => {
    const upstream = upstreamTo(broker.url, { protocolVersion: 5 });
    const owner = open(upstream, { will: { topic: 'w', payload: Buffer.from('dead'), qos: 2, retain: true } });
    const refused = await broker.wires.next();
    expect((await refused.take('connect')).will).toMatchObject({ qos: 2 });
    refused.send({ cmd: 'connack', sessionPresent: false, reasonCode: 0x9b });
    const wire = await broker.wires.next();
    expect((await wire.accept({ properties: { maximumQoS: 1 } })).will).toMatchObject({ qos: 1, retain: true });
    expect(await owner.events.next()).toBe('connected false');
    expect(upstream.qosMax).toBe(1);
  });

  it('passes on why the broker disconnects, and hangs up for it', async () => {
    const { owner, wire } = await join5();
    wire.send({ cmd: 'disconnect', reasonCode: 0x8e });
    expect(await owner.events.next()).toBe('closed disconnected-142');
    await wire.closed;
  });

  it('subscribes without options of its own, and hears refusals of it', async () => {
    const { owner, wire } = await join5();
    owner.subscribe('a', 2);
    const { messageId, subscriptions } = await wire.take('subscribe');
    expect(subscriptions).toEqual([{ topic: 'a', qos: 2, nl: false, rap: false, rh: 0 }]);
    wire.send({ cmd: 'suback', messageId: messageId!, granted: [0x87] });
    expect(await owner.answers.next()).toBe('a undefined');
  });
});
