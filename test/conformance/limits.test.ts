// The broker's limits, one by one: what is inside is done, and who goes beyond hears what config.ts promises.
import { describe, expect, it } from 'vitest';
import { Broker } from '../../host/broker/broker.js';
import type { BrokerConfig } from '../../host/broker/config.js';
import { BrokerError } from '../../host/broker/errors.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { ACCEPTED, allowing, Door } from './mqtt-5.0-access.js';
import { FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import { connect, PINGREQ, publish, subscribe } from './mqtt-5.0-wire.js';

const SECOND_MS = 1_000;
const FOUR = { level: 4 } as const;
const PERSISTENT = { clean: false } as const;
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

describe('connectionsMax', () => {
  it('refuses one more with Server busy, and lets the next in when one has gone', () => {
    const world = new World5({ connectionsMax: 2 });
    const first = world.join('a');
    world.join('b');
    world.open().connect('c').refused(0x89);
    first.drop();
    world.join('c');
  });

  it('refuses one more of an older version with return code 3', () => {
    const world = new World5({ connectionsMax: 1 });
    world.join('a');
    const old = world.dial(FOUR).connect('b');
    expect(old.takeBytes()).toEqual(['20 02 00 03']);
    expect(old.isClosed).toBe(true);
  });

  it('counts connections that say nothing', () => {
    const world = new World5({ connectionsMax: 1 });
    const silent = world.open();
    world.open().connect('a').refused(0x89);
    silent.drop();
    world.join('a');
  });
});

describe('connectionsMax and a client that is there', () => {
  it('lets it come again in the place of its own connection', () => {
    const world = new World5({ connectionsMax: 1 });
    const first = world.join('a', FOR_AN_HOUR);
    expect(world.join('a', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
    first.ended(0x8e);
  });
});

describe('connectsPerSecondMax', () => {
  it('refuses what comes faster with Connection rate exceeded, and lets in as many again after a second', () => {
    const world = new World5({ connectsPerSecondMax: 5 });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) world.join(`${round}-${i}`);
      world.open().connect('late').refused(0x9f);
      world.pass(1 * SECOND_MS);
    }
  });

  it('refuses an older version with return code 3', () => {
    const world = new World5({ connectsPerSecondMax: 1 });
    world.join('a');
    expect(world.dial(FOUR).connect('b').takeBytes()).toEqual(['20 02 00 03']);
  });

  it('lets in evenly what comes evenly', () => {
    const world = new World5({ connectsPerSecondMax: 10 });
    for (let i = 0; i < 50; i++) {
      world.join(`${i}`);
      world.pass(100);
    }
  });
});

describe('connectTimeoutMs', () => {
  it.each([4, 5] as const)('closes a connection without CONNECT at level %i', () => {
    const world = new World5({ connectTimeoutMs: 500 });
    const client = world.open();
    client.say(connect('c').subarray(0, 5));
    world.pass(499);
    expect(client.isClosed).toBe(false);
    world.pass(1);
    client.isOver();
  });

  it('of Infinity waits for ever', () => {
    const world = new World5({ connectTimeoutMs: Number.POSITIVE_INFINITY });
    const client = world.open();
    world.pass(1e9);
    client.connect('c').accepted();
  });

  it('is again the time for the answer to the CONNECT', () => {
    const door = new Door('later');
    const world = new World5({ access: door, connectTimeoutMs: 500 });
    const client = world.open();
    world.pass(400);
    client.connect('c');
    world.pass(499);
    expect(client.isClosed).toBe(false);
    world.pass(1);
    expect(client.isClosed).toBe(true);
    door.waiting[0]!(ACCEPTED, world.now);
    expect(client.take().filter((packet) => packet.type === 'connack' && packet.reason === 0)).toEqual([]);
  });
});

describe('keepAliveSMax', () => {
  it.each([0, 60])('holds a client of an older version to it that asked for %i', (keepalive) => {
    const world = new World5({ keepAliveSMax: 10 });
    const old = world.connect('old', { keepalive }, FOUR);
    world.pass(15 * SECOND_MS - 1);
    expect(old.isClosed).toBe(false);
    world.pass(1);
    old.hearsClose();
  });

  it('leaves shorter ones as they are', () => {
    const world = new World5({ keepAliveSMax: 10 });
    const client = world.join('c', { keepAliveS: 4 });
    world.pass(6 * SECOND_MS);
    client.ended(0x8d);
  });
});

describe('packetBytesMax', () => {
  it('closes the connection of an older version without a word', () => {
    const world = new World5({ packetBytesMax: 50 });
    const old = world.connect('old', {}, FOUR);
    old.publish('t', 'x'.repeat(45));
    old.ping().hears('pingresp');
    old.publish('t', 'x'.repeat(46));
    old.hearsClose();
  });

  it('turns a CONNECT away that is too large', () => {
    const world = new World5({ packetBytesMax: 50 });
    world
      .open()
      .connect('c', { password: 'x'.repeat(50) })
      .turnedAway(0x95);
  });
});

describe('bytesPerSecondMax', () => {
  const bytes = (count: number): Uint8Array => publish('t', 'x'.repeat(count - 6));

  it('reads on at once what is within it', () => {
    const world = new World5({ bytesPerSecondMax: 1_000 });
    const client = world.join('c');
    for (let i = 0; i < 5; i++) {
      world.pass(1 * SECOND_MS);
      expect(client.say(bytes(100), bytes(100)).resumeAt).toBeLessThanOrEqual(world.now);
    }
  });

  it('does not read on before the time of what is beyond it, loses nothing, and closes nothing', () => {
    const world = new World5({ bytesPerSecondMax: 1_000 });
    const reader = world.reader('reader', 't');
    const client = world.join('c');
    world.pass(10 * SECOND_MS);
    client.say(...Array.from({ length: 30 }, () => bytes(100)));
    // 3,000 bytes are three seconds' worth, of which one may come at once.
    expect(client.resumeAt).toBeGreaterThanOrEqual(world.now + 1 * SECOND_MS);
    expect(client.resumeAt).toBeLessThanOrEqual(world.now + 3 * SECOND_MS);
    expect(reader.messages().length).toBe(30);
    world.pass(4 * SECOND_MS);
    expect(client.say(bytes(100)).resumeAt).toBeLessThanOrEqual(world.now);
  });

  it('is each client’s own', () => {
    const world = new World5({ bytesPerSecondMax: 1_000 });
    const greedy = world.join('greedy');
    greedy.say(...Array.from({ length: 30 }, () => bytes(100)));
    expect(greedy.resumeAt).toBeGreaterThan(world.now);
    expect(world.join('modest').say(PINGREQ).resumeAt).toBeLessThanOrEqual(world.now);
  });

  it('does not count the time in which a client is not read against its keep-alive', () => {
    const world = new World5({ bytesPerSecondMax: 1_000 });
    const greedy = world.join('greedy', { keepAliveS: 2 });
    greedy.say(publish('t', 'x'.repeat(30_000)));
    const { resumeAt } = greedy;
    world.pass(resumeAt - world.now + 3 * SECOND_MS - 1);
    greedy.isWell();
    world.pass(3 * SECOND_MS);
    greedy.ended(0x8d);
  });

  it('of Infinity never waits', () => {
    const world = new World5();
    expect(world.join('c').say(publish('t', 'x'.repeat(500_000))).resumeAt).toBe(0);
  });
});

describe('receiveMax', () => {
  it('does not bound a client of an older version', () => {
    const world = new World5({ receiveMax: 2 });
    const old = world.connect('old', {}, FOUR);
    for (let i = 0; i < 20; i++) old.publish('t', '', { qos: 2 });
    expect(old.take().length).toBe(20);
    expect(old.isClosed).toBe(false);
  });
});

describe('qosMax', () => {
  it.each([
    [0, 1],
    [0, 2],
    [1, 2],
  ] as const)('of %i ends the connection of who publishes at %i', (qosMax, qos) => {
    const world = new World5({ qosMax });
    const reader = world.reader('reader', '#');
    world
      .join('c')
      .say(publish('t', 'x', { qos, id: 1 }))
      .ended(0x9b);
    const old = world.connect('old', {}, FOUR);
    old.publish('t', 'x', { qos });
    old.hearsClose();
    reader.isWell();
  });

  it.each([0, 1] as const)('of %i grants no more, also to older versions', (qosMax) => {
    const world = new World5({ qosMax });
    const old = world.connect('old', {}, FOUR);
    old.subscribe([0, 1, 2].map((qos) => ({ topic: `t${qos}`, qos: qos as 0 | 1 | 2 })));
    expect(old.hears('suback').granted).toEqual([0, 1, 2].map((qos) => Math.min(qos, qosMax)));
  });
});

describe('inflightMax', () => {
  it.each([4, 5] as const)('is how many messages are on their way to a client of level %i', (level) => {
    const world = new World5({ inflightMax: 3 });
    const reader = world.subscriber('reader', 't', 1, {}, { level });
    const publisher = world.join('p');
    for (const payload of numbers(8)) publisher.publish('t', payload, { qos: 1 });
    const first = reader.messages();
    expect(first.length).toBe(3);
    for (const { messageId } of first) reader.ack('puback', messageId!);
    expect(reader.messages().length).toBe(3);
  });

  it('is bounded further by what the client takes, not widened', () => {
    const world = new World5({ inflightMax: 3 });
    const publisher = world.join('p');
    const readers = [2, 10].map((receiveMaximum) =>
      world.reader(`r${receiveMaximum}`, 't', 1, { properties: { receiveMaximum } }),
    );
    for (const payload of numbers(8)) publisher.publish('t', payload, { qos: 1 });
    expect(readers.map((reader) => reader.messages().length)).toEqual([2, 3]);
  });
});

describe('queueMessagesMax', () => {
  it('drops what is newest', () => {
    const world = new World5({ queueMessagesMax: 3 });
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    for (const payload of numbers(6)) publisher.publish('t', payload, { qos: 1 });
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual(['0', '1', '2']);
  });

  it('of 0 lets none wait behind those on their way', () => {
    const world = new World5({ queueMessagesMax: 0, inflightMax: 2 });
    const reader = world.reader('c', 't', 1);
    const publisher = world.join('p');
    for (const payload of numbers(5)) publisher.publish('t', payload, { qos: 1 });
    expect(reader.payloads()).toEqual(['0', '1']);
  });

  it('has room again for what expires', () => {
    const world = new World5({ queueMessagesMax: 2 });
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    for (const payload of ['a', 'b']) publisher.publish('t', payload, { qos: 1, properties: { messageExpiryS: 10 } });
    world.pass(11 * SECOND_MS);
    for (const payload of ['c', 'd']) publisher.publish('t', payload, { qos: 1 });
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual(['c', 'd']);
  });
});

describe('queueMessagesMax and retained messages', () => {
  it('does not keep them from a new subscription: they come as the client acknowledges', () => {
    const world = new World5({ queueMessagesMax: 1, inflightMax: 2 });
    const publisher = world.join('p');
    for (const topic of numbers(20)) publisher.publish(`t/${topic}`, topic, { qos: 1, retain: true });
    const reader = world.reader('c', 't/+', 1);
    expect(reader.payloads().sort((a, b) => Number(a) - Number(b))).toEqual(numbers(20));
  });
});

describe('queueBytesMax', () => {
  it('drops what has no room', () => {
    const world = new World5({ queueBytesMax: 1_000 });
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    for (const size of [600, 600, 300]) publisher.publish('t', `${size}`.padEnd(size), { qos: 1 });
    const sizes = world
      .join('c', FOR_AN_HOUR)
      .payloads()
      .map((payload) => payload.length);
    expect(sizes).toEqual([600, 300]);
  });

  it('has room again for what expires', () => {
    const world = new World5({ queueBytesMax: 1_000 });
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    const large = 'x'.repeat(900);
    for (let i = 0; i < 3; i++) {
      publisher.publish('t', large, { qos: 1, properties: { messageExpiryS: 10 } });
      world.pass(11 * SECOND_MS);
    }
    publisher.publish('t', large, { qos: 1 });
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual([large]);
  });

  it('drops QoS 0 first, the oldest before the others', () => {
    const world = new World5({ queueBytesMax: 1_000 });
    const reader = world.reader('c', 't', 1);
    reader.isCongested = true;
    const publisher = world.join('p');
    for (const payload of ['a', 'b', 'c']) publisher.publish('t', payload.repeat(300));
    publisher.publish('t', 'd'.repeat(500), { qos: 1 });
    reader.drained();
    expect(
      reader
        .payloads()
        .map((payload) => payload[0])
        .sort(),
    ).toEqual(['c', 'd']);
  });

  it('counts properties', () => {
    const world = new World5({ queueBytesMax: 1_000 });
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    const userProperties = [['n', 'v'.repeat(550)]] as const;
    for (const payload of ['1', '2']) publisher.publish('t', payload, { qos: 1, properties: { userProperties } });
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual(['1']);
  });
});

describe('sessionsMax', () => {
  it('refuses a client that would need one more with Quota exceeded, not one that has its session', () => {
    const world = new World5({ sessionsMax: 2 });
    world.join('a', FOR_AN_HOUR).drop();
    world.join('b', FOR_AN_HOUR).drop();
    world.open().connect('c').refused(0x97);
    const old = world.dial(FOUR).connect('c');
    expect(old.takeBytes()).toEqual(['20 02 00 03']);
    expect(world.join('a', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
    world.join('b', { clean: true }).drop();
    world.join('c');
  });
});

describe('subscriptionsPerSessionMax', () => {
  it('refuses one more filter, and replaces the others as ever', () => {
    const world = new World5({ subscriptionsPerSessionMax: 2 });
    const client = world.join('c');
    expect(client.subscribe([{ filter: 'a' }, { filter: '$share/g/b' }, { filter: 'c' }])).toEqual([0, 0, 0x97]);
    expect(client.subscribe({ filter: 'a', qos: 1 })).toEqual([1]);
    client.unsubscribe('a');
    expect(client.subscribe({ filter: 'c' })).toEqual([0]);
    const old = world.connect('old', {}, FOUR);
    old.subscribe(['a', 'b', 'c'].map((topic) => ({ topic, qos: 0 as const })));
    expect(old.hears('suback').granted).toEqual([0, 0, 0x80]);
  });
});

describe('subscriptionBytesPerSessionMax', () => {
  const deep = (name: string): string => `${name}/b/c`; // 5 bytes and three levels: 773

  it('refuses one more filter, has room again for what is unsubscribed, and takes the same filter as often as wanted', () => {
    const world = new World5({ subscriptionBytesPerSessionMax: 1_600 });
    const client = world.join('c');
    expect(client.subscribe(['1', '2', '3'].map((name) => ({ filter: deep(name) })))).toEqual([0, 0, 0x97]);
    for (const qos of [1, 2]) expect(client.subscribe({ filter: deep('1'), qos })).toEqual([qos]);
    expect(client.unsubscribe(deep('1'), deep('3'))).toEqual([0, 0x11]);
    expect(client.subscribe([{ filter: deep('3') }, { filter: deep('4') }])).toEqual([0, 0x97]);
    expect(world.join('other').subscribe({ filter: deep('5') })).toEqual([0]);
  });

  it('refuses clients of older versions with 0x80', () => {
    const old = new World5({ subscriptionBytesPerSessionMax: 1_000 }).connect('old', {}, FOUR);
    old.subscribe(['1', '2'].map((name) => ({ topic: deep(name), qos: 0 as const })));
    expect(old.hears('suback').granted).toEqual([0, 0x80]);
  });
});

describe('retainedMessagesMax', () => {
  it('passes one more on and does not retain it; the others are replaced and removed as ever', () => {
    const world = new World5({ retainedMessagesMax: 2 });
    const reader = world.reader('reader', '#');
    const publisher = world.join('p');
    for (const topic of ['a', 'b', 'c']) publisher.publish(topic, 'x', { qos: 1, retain: true });
    expect(reader.payloads().length).toBe(3);
    const topics = (): string[] => {
      const late = world.reader('late', '#', 0, { clean: true });
      return late
        .messages()
        .map(({ topic, payload }) => `${topic}=${payload}`)
        .sort();
    };
    expect(topics()).toEqual(['a=x', 'b=x']);
    publisher.publish('a', 'y', { retain: true });
    expect(topics()).toEqual(['a=y', 'b=x']);
    publisher.publish('b', '', { retain: true });
    publisher.publish('c', 'z', { retain: true });
    expect(topics()).toEqual(['a=y', 'c=z']);
  });

  it('has room again for what expires', () => {
    const world = new World5({ retainedMessagesMax: 1 });
    const publisher = world.join('p');
    publisher.publish('a', 'x', { retain: true, properties: { messageExpiryS: 5 } });
    world.pass(6 * SECOND_MS);
    publisher.publish('b', 'y', { retain: true });
    expect(world.reader('late', '#').payloads()).toEqual(['y']);
  });
});

describe('retainedBytesMax', () => {
  it('counts topics, payloads and properties', () => {
    const world = new World5({ retainedBytesMax: 1_000 });
    const publisher = world.join('p');
    publisher.publish('a', 'x'.repeat(600), { retain: true });
    publisher.publish('b', 'y'.repeat(600), { retain: true });
    publisher.publish('c', 'z', { retain: true, properties: { contentType: 'c'.repeat(600) } });
    publisher.publish('d', 'w'.repeat(100), { retain: true });
    const topics = world
      .reader('late', '#')
      .messages()
      .map(({ topic }) => topic);
    expect(topics.sort()).toEqual(['a', 'd']);
  });

  it('counts levels that no other topic shares, all but one', () => {
    const world = new World5({ retainedBytesMax: 1_000 });
    const publisher = world.join('p');
    // Seven bytes of topic, one of payload, and 256 for each of three levels: 776; the third one has a level of its own, which is free.
    for (const topic of ['a/b/c/d', 'x/b/c/d', 'a/b/c/e']) publisher.publish(topic, 'x', { retain: true });
    const topics = world
      .reader('late', '#')
      .messages()
      .map(({ topic }) => topic);
    expect(topics.sort()).toEqual(['a/b/c/d', 'a/b/c/e']);
  });
});

describe('topicLevelsMax', () => {
  it('refuses deeper filters with Topic Filter invalid', () => {
    const client = new World5({ topicLevelsMax: 3 }).join('c');
    expect(client.subscribe([{ filter: 'a/b/c' }, { filter: 'a/b/c/d' }, { filter: 'a/b/#' }])).toEqual([0, 0x8f, 0]);
  });

  it('refuses deeper names with Topic Name invalid, and passes nothing on', () => {
    const world = new World5({ topicLevelsMax: 3 });
    const reader = world.reader('reader', '#');
    const client = world.join('c');
    expect(client.publish('a/b/c', 'x', { qos: 1 })).toBe(0);
    expect(client.publish('a/b/c/d', 'x', { qos: 1 })).toBe(0x90);
    expect(client.publish('a/b/c/d', 'x', { qos: 2, retain: true })).toBe(0x90);
    expect(reader.payloads()).toEqual(['x']);
  });

  it('acknowledges and drops those of older versions', () => {
    const world = new World5({ topicLevelsMax: 3 });
    const reader = world.reader('reader', '#');
    const old = world.connect('old', {}, FOUR);
    old.deliver('a/b/c/d', 'x', { qos: 1 });
    old.deliver('a/b/c/d', 'x', { qos: 2 });
    old.subscribe('a/b/c/d');
    expect(old.hears('suback').granted).toEqual([0x80]);
    reader.hearsNothing();
  });

  it('counts the filter of a shared subscription without what is before it', () => {
    const client = new World5({ topicLevelsMax: 2 }).join('c');
    expect(client.subscribe([{ filter: '$share/g/a/b' }, { filter: '$share/g/a/b/c' }])).toEqual([0, 0x8f]);
  });

  it('holds for wills', () => {
    const world = new World5({ topicLevelsMax: 2 });
    const client = world.open().connect('c', { will: { topic: 'a/b/c', payload: '' } });
    client.refused(0x90);
  });
});

describe('offlineSessionMsMax', () => {
  it('ends sessions of older versions too', () => {
    const world = new World5({ offlineSessionMsMax: 10_000 });
    for (const [away, isThere] of [
      [10_000 - 1, true],
      [10_000 + 1, false],
    ] as const) {
      world.connect('old', { clean: true }, FOUR).drop();
      world.connect('old', PERSISTENT, FOUR).drop();
      world.pass(away);
      expect(world.connect('old', PERSISTENT, FOUR).connack.sessionPresent).toBe(isThere);
    }
  });
});

describe('deniedPublish', () => {
  const config = (deniedPublish: 'drop' | 'disconnect'): Partial<BrokerConfig> => ({
    deniedPublish,
    access: new Door(allowing({ publish: (topic) => topic !== 'no' })),
  });

  it.each([0, 1, 2])('drop: a message of QoS %i goes nowhere, and the connection stays', (qos) => {
    const world = new World5(config('drop'));
    const reader = world.reader('reader', '#');
    const client = world.join('c');
    expect(client.publish('no', 'x', { qos })).toBe(qos === 0 ? 0 : 0x87);
    client.isWell();
    const old = world.connect('old', {}, FOUR);
    old.deliver('no', 'x', { qos: qos as 0 | 1 | 2 });
    old.ping().hears('pingresp');
    reader.isWell();
  });

  it.each([0, 1, 2])('disconnect: a message of QoS %i ends the connection', (qos) => {
    const world = new World5(config('disconnect'));
    const reader = world.reader('reader', '#');
    world
      .join('c')
      .say(publish('no', 'x', { qos, id: 1 }), PINGREQ)
      .ended(0x87);
    const old = world.connect('old', {}, FOUR);
    old.publish('no', 'x', { qos: qos as 0 | 1 | 2 });
    old.hearsClose();
    reader.isWell();
  });

  it('does not matter for wills, which are refused with the client', () => {
    for (const deniedPublish of ['drop', 'disconnect'] as const) {
      const world = new World5(config(deniedPublish));
      world
        .open()
        .connect('c', { will: { topic: 'no', payload: '' } })
        .refused(0x87);
    }
  });
});

describe('checksPayloadFormat', () => {
  const wrong = Uint8Array.of(0x61, 0xff);
  const right = 'ünïcode';

  it.each([1, 2])('refuses at QoS %i what claims to be UTF-8 and is not', (qos) => {
    const world = new World5({ checksPayloadFormat: true });
    const reader = world.reader('reader', '#');
    const client = world.join('c');
    const properties = { payloadFormat: 1 };
    expect(client.publish('t', wrong, { qos, properties, retain: true })).toBe(0x99);
    expect(client.publish('t', wrong, { qos, properties: { payloadFormat: 0 } })).toBe(0);
    expect(client.publish('t', wrong, { qos })).toBe(0);
    expect(client.publish('t', right, { qos, properties })).toBe(0);
    expect(reader.messages().length).toBe(3);
    world.reader('late', '#').hearsNothing();
  });

  it('passes nothing of it on at QoS 0', () => {
    const world = new World5({ checksPayloadFormat: true });
    const reader = world.reader('reader', '#');
    const client = world.join('c');
    client.say(publish('t', wrong, { properties: { payloadFormat: 1 } }));
    for (const packet of client.take()) expect(packet).toMatchObject({ type: 'disconnect', reason: 0x99 });
    reader.isWell();
  });

  it('refuses such a will', () => {
    const world = new World5({ checksPayloadFormat: true });
    const will = { topic: 't', payload: wrong, properties: { payloadFormat: 1 } };
    world.open().connect('c', { will }).refused(0x99);
    world.join('c', { will: { ...will, payload: right } });
  });

  it('does not look where it is false', () => {
    const world = new World5({ checksPayloadFormat: false });
    const client = world.reader('c', 't');
    expect(client.publish('t', wrong, { qos: 1, properties: { payloadFormat: 1 } })).toBe(0);
    expect(client.messages().length).toBe(1);
  });
});

describe('a configuration', () => {
  const WRONG: readonly Partial<Record<keyof BrokerConfig, unknown>>[] = [
    { connectionsMax: -1 },
    { connectsPerSecondMax: Number.NaN },
    { connectTimeoutMs: -5 },
    { keepAliveSMax: 0 },
    { keepAliveSMax: 65_536 },
    { packetBytesMax: 1.5 },
    { packetBytesMax: 15 },
    { packetBytesMaximum: 100 } as Partial<Record<keyof BrokerConfig, unknown>>,
    { receiveMax: 0 },
    { receiveMax: 65_536 },
    { qosMax: 3 },
    { topicAliasMax: 65_536 },
    { inflightMax: 0 },
    { inflightMax: 65_536 },
    { queueMessagesMax: -1 },
    { queueBytesMax: '7' },
    { sessionsMax: null },
    { deniedPublish: 'ignore' },
    { checksPayloadFormat: 'yes' },
    { responseTopicPrefix: 'a/#' },
  ];
  it.each(WRONG.map((config) => [JSON.stringify(config), config] as const))(
    'of %s is refused with its name',
    (_, config) => {
      const [name] = Object.keys(config);
      const make = (): unknown => new Broker(config as Partial<BrokerConfig>, { random: new Xoshiro128(1) });
      expect(make).toThrow(BrokerError);
      expect(make).toThrow(name);
      expect(make).toThrow(expect.objectContaining({ code: 'ERR_BROKER_CONFIG' }));
    },
  );

  it('of the lowest and highest limits is taken', () => {
    const lowest = { receiveMax: 1, inflightMax: 1, topicAliasMax: 0, qosMax: 0 as const, queueMessagesMax: 0 };
    const client = new World5({ ...lowest, keepAliveSMax: 1 }).join('c');
    expect(client.connack.properties).toMatchObject({ receiveMaximum: 1, serverKeepAliveS: 1 });
    new World5({ receiveMax: 65_535, inflightMax: 65_535, topicAliasMax: 65_535, keepAliveSMax: 65_535 }).join('c');
  });

  it('keeps each client within its own limits: one who fills his leaves the others theirs', () => {
    const world = new World5({ queueMessagesMax: 2, subscriptionsPerSessionMax: 1 });
    const greedy = world.join('greedy', FOR_AN_HOUR);
    greedy.say(subscribe(1, [{ filter: 't', qos: 1 }, { filter: 'u' }]));
    greedy.drop();
    const modest = world.reader('modest', 't', 1);
    const publisher = world.join('p');
    for (const payload of numbers(5)) publisher.publish('t', payload, { qos: 1 });
    expect(modest.payloads()).toEqual(numbers(5));
  });
});
