// MQTT 5.0, section 3.3: what a message carries, how it is retained, and in what form it reaches its subscribers.
import { describe, expect, it } from 'vitest';
import { allowing, Door } from './mqtt-5.0-access.js';
import { FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import { type ConnectIn, type Properties, type PublishIn, publish, type SubscriptionIn } from './mqtt-5.0-wire.js';

const SECOND_MS = 1_000;
const ALL: SubscriptionIn = { filter: '#', qos: 2, retainAsPublished: true };
const RETAIN: PublishIn = { retain: true };

describe('DUP', () => {
  it('at QoS 0 is a protocol error [MQTT-3.3.1-2]', () => {
    const world = new World5();
    const other = world.reader('other', '#');
    world
      .join('c')
      .say(publish('t', 'x', { dup: true }))
      .ended(0x81, 0x82);
    other.isWell();
  });

  it.each([1, 2])('of the publisher is not passed on at QoS %i [MQTT-3.3.1-3] [MQTT-4.3.2-2] [MQTT-4.3.3-2]', (qos) => {
    const world = new World5();
    const reader = world.reader('reader', ALL);
    world.join('c').publish('t', 'x', { qos, dup: true });
    expect(reader.message()).toMatchObject({ qos, dup: false });
  });

  it('is not set in any message of QoS 0 [MQTT-4.3.1-1] [MQTT-3.3.1-2]', () => {
    const world = new World5();
    const reader = world.reader('reader', 't', 0);
    world.join('c').publish('t', 'x', { qos: 2, dup: true });
    expect(reader.message()).toMatchObject({ qos: 0, dup: false });
  });
});

describe('a retained message', () => {
  it('is kept, and replaced by the next of its topic [MQTT-3.3.1-5] [MQTT-3.3.1-9]', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('t', 'first', { ...RETAIN, qos: 1 });
    publisher.publish('t', 'second', { ...RETAIN, qos: 2 });
    publisher.publish('u', 'other', RETAIN);
    expect(world.reader('late', 't', 2).messages()).toMatchObject([{ payload: 'second', qos: 2, retain: true }]);
  });

  it('is kept with its properties, which go with the message before them (3.3.2.3) [MQTT-3.3.1-5]', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('t', 'first', { ...RETAIN, properties: { contentType: 'old', responseTopic: 'r' } });
    publisher.publish('t', 'second', { ...RETAIN, properties: { contentType: 'new' } });
    expect(world.reader('late', 't').message().properties).toEqual({ contentType: 'new' });
  });

  it('is removed by one without content, which is passed on and not kept [MQTT-3.3.1-6] [MQTT-3.3.1-7]', () => {
    const world = new World5();
    const reader = world.reader('reader', ALL);
    const publisher = world.join('p');
    publisher.publish('t', 'x', RETAIN);
    publisher.publish('t', '', { ...RETAIN, properties: { contentType: 'nothing' } });
    expect(reader.payloads()).toEqual(['x', '']);
    world.reader('late', '#').hearsNothing();
  });

  it('is neither kept, replaced nor removed without RETAIN [MQTT-3.3.1-8]', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('t', 'kept', RETAIN);
    publisher.publish('t', 'passing');
    publisher.publish('t', '');
    publisher.publish('u', 'passing');
    expect(world.reader('late', '#').payloads()).toEqual(['kept']);
  });

  it.each([1, 2])('is kept of QoS %i, and sent at the lower QoS of the two [MQTT-3.3.1-5] [MQTT-3.8.4-8]', (qos) => {
    const world = new World5();
    world.join('p').publish('t', 'x', { ...RETAIN, qos });
    expect([0, 1, 2].map((granted) => world.reader(`late${granted}`, 't', granted).message().qos)).toEqual(
      [0, 1, 2].map((granted) => Math.min(granted, qos)),
    );
  });

  it('stays when the session of its publisher ends (4.1)', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('t', 'x', RETAIN);
    publisher.drop();
    world.join('p', { clean: true });
    expect(world.reader('late', 't').payloads()).toEqual(['x']);
  });
});

describe('retain handling', () => {
  function retained(): World5 {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('a/1', 'one', { ...RETAIN, qos: 1 });
    publisher.publish('a/2', 'two', { ...RETAIN, qos: 1 });
    publisher.publish('b', 'other', RETAIN);
    return world;
  }
  const sub = (retainHandling: number): SubscriptionIn => ({ filter: 'a/+', qos: 1, retainHandling });

  it('0 sends all that match, with RETAIN, each time [MQTT-3.3.1-9] [MQTT-3.8.4-4]', () => {
    const client = retained().join('c');
    for (let i = 0; i < 2; i++) {
      client.subscribe(sub(0));
      const messages = client.collect();
      expect(messages.map(({ payload }) => payload).sort()).toEqual(['one', 'two']);
      expect(messages.every(({ retain }) => retain)).toBe(true);
    }
  });

  it('1 sends them where the subscription is new [MQTT-3.3.1-10]', () => {
    const client = retained().join('c');
    client.subscribe(sub(1));
    expect(client.payloads().sort()).toEqual(['one', 'two']);
    client.subscribe(sub(1));
    client.hearsNothing();
    client.unsubscribe('a/+');
    client.subscribe(sub(1));
    expect(client.payloads().sort()).toEqual(['one', 'two']);
  });

  it('1 knows a subscription of another QoS, and one from before the reconnection [MQTT-3.3.1-10]', () => {
    const world = retained();
    const client = world.join('c', FOR_AN_HOUR);
    client.subscribe({ ...sub(2), qos: 0 });
    client.subscribe(sub(1));
    client.hearsNothing();
    client.drop();
    const back = world.join('c', FOR_AN_HOUR);
    back.subscribe(sub(1));
    back.hearsNothing();
  });

  it('1 does not take another filter for the same subscription [MQTT-3.3.1-10]', () => {
    const client = retained().join('c');
    client.subscribe({ filter: 'a/1', retainHandling: 2 });
    client.subscribe(sub(1));
    expect(client.payloads().sort()).toEqual(['one', 'two']);
  });

  it('2 sends none [MQTT-3.3.1-11]', () => {
    const world = retained();
    const client = world.join('c');
    client.subscribe(sub(2));
    client.hearsNothing();
    world.join('q').publish('a/1', 'new', RETAIN);
    expect(client.payloads()).toEqual(['new']);
  });

  it('0 sends the rest after a reconnection, where the client went before it had all [MQTT-3.3.1-9] [MQTT-3.3.4-3]', () => {
    const world = new World5({ inflightMax: 1 });
    const publisher = world.join('p');
    const topics = ['a/1', 'a/2', 'a/3', 'a/4'];
    for (const topic of topics) publisher.publish(topic, topic, { ...RETAIN, qos: 1 });
    const client = world.join('c', FOR_AN_HOUR);
    client.subscribe(sub(0), { subscriptionIds: [5] });
    client.ack('puback', client.message().id);
    client.drop();
    const rest = world.join('c', FOR_AN_HOUR).collect();
    const messages = new Map(rest.map((message) => [message.topic, message]));
    expect(messages.size).toBe(3);
    for (const message of messages.values()) {
      expect(message).toMatchObject({ retain: true, properties: { subscriptionIds: [5] } });
    }
  });

  it('is looked at for each filter of a SUBSCRIBE [MQTT-3.8.4-5]', () => {
    const client = retained().join('c');
    client.subscribe([
      { filter: 'a/1', retainHandling: 2 },
      { filter: 'a/2', retainHandling: 0 },
      { filter: 'b', retainHandling: 1 },
    ]);
    expect(client.payloads().sort()).toEqual(['other', 'two']);
  });
});

describe('RETAIN of what is passed on', () => {
  it('is 0 without Retain As Published [MQTT-3.3.1-12]', () => {
    const world = new World5();
    const reader = world.reader('reader', { filter: 't', qos: 1 });
    const publisher = world.join('p');
    publisher.publish('t', 'x', { retain: true });
    publisher.publish('t', 'y', { retain: true, qos: 1 });
    publisher.publish('t', 'z', { retain: false });
    expect(reader.messages().map(({ retain }) => retain)).toEqual([false, false, false]);
  });

  it('is that of the publisher with Retain As Published [MQTT-3.3.1-13]', () => {
    const world = new World5();
    const reader = world.reader('reader', { filter: 't', qos: 1, retainAsPublished: true });
    const publisher = world.join('p');
    publisher.publish('t', 'x', { retain: true });
    publisher.publish('t', 'y', { retain: true, qos: 1 });
    publisher.publish('t', 'z', { retain: false });
    publisher.publish('t', 'w', { retain: false, qos: 1 });
    expect(reader.messages().map(({ retain }) => retain)).toEqual([true, true, false, false]);
  });

  it('is that of the publisher where one of the subscriptions that match has Retain As Published (3.3.1.3)', () => {
    for (const wanted of ['a', '#']) {
      const world = new World5();
      const reader = world.join('reader');
      for (const filter of ['a', '#']) reader.subscribe({ filter, retainAsPublished: filter === wanted });
      world.join('p').publish('a', 'x', RETAIN);
      expect(reader.messages().map(({ retain }) => retain)).toEqual([true]);
    }
  });

  it('is kept for messages that wait for a client with Retain As Published [MQTT-3.3.1-13]', () => {
    const world = new World5();
    world.reader('c', { filter: 't', qos: 1, retainAsPublished: true }, 1, FOR_AN_HOUR).drop();
    world.reader('d', { filter: 't', qos: 1 }, 1, FOR_AN_HOUR).drop();
    world.join('p').publish('t', 'x', { retain: true, qos: 1 });
    expect(world.join('c', FOR_AN_HOUR).message().retain).toBe(true);
    expect(world.join('d', FOR_AN_HOUR).message().retain).toBe(false);
  });

  it('is 1 for what was retained, whatever the option [MQTT-3.3.1-9]', () => {
    const world = new World5();
    world.join('p').publish('t', 'x', RETAIN);
    for (const retainAsPublished of [false, true]) {
      expect(world.reader(`${retainAsPublished}`, { filter: 't', retainAsPublished }).message().retain).toBe(true);
    }
  });
});

describe('a topic name', () => {
  it.each(['a/+', '#', 'a/#', '+', 'a+b', ''])('is not "%s" [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT-4.7.3-1]', (topic) => {
    const world = new World5();
    const other = world.reader('other', '#');
    world.join('c').say(publish(topic, 'x')).ended(0x90, 0x81, 0x82);
    other.isWell();
  });

  it('that is sent matches the filter of its subscriber [MQTT-3.3.2-3]', () => {
    const world = new World5();
    const reader = world.reader('reader', 'a/+/c');
    const publisher = world.join('p');
    for (const topic of ['a/b/c', 'a/b', 'a/b/c/d', 'b/b/c', 'a//c', 'a/b/C']) publisher.publish(topic);
    expect(reader.messages().map(({ topic }) => topic)).toEqual(['a/b/c', 'a//c']);
  });
});

const UNALTERED: readonly (readonly [string, Properties])[] = [
  ['payload format indicator 0', { payloadFormat: 0 }],
  ['payload format indicator 1', { payloadFormat: 1 }],
  ['response topic', { responseTopic: 'answers/ü' }],
  ['correlation data', { correlationData: 'a\0b ü' }],
  ['empty correlation data', { correlationData: '' }],
  ['content type', { contentType: 'application/x; charset=ü' }],
  ['empty content type', { contentType: '' }],
  ['user property', { userProperties: [['name', 'value']] }],
  ['user property that is empty', { userProperties: [['', '']] }],
  [
    'user properties, in order',
    {
      userProperties: [
        ['z', '1'],
        ['a', '2'],
        ['z', '3'],
        ['a', '2'],
        ['1', 'n'],
        ['0', 'n'],
      ],
    },
  ],
  [
    'many user properties, in order',
    { userProperties: Array.from({ length: 40 }, (_, i) => [`n${i % 7}`, `${i}`] as const) },
  ],
];

describe('of a message', () => {
  for (const qos of [0, 1, 2]) {
    it.each(UNALTERED)(
      `is passed on unaltered at QoS ${qos}: %s [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]`,
      (_, properties) => {
        const world = new World5();
        const readers = [0, 1, 2].map((granted) => world.reader(`r${granted}`, 't', granted));
        world.join('p').publish('t', 'x', { qos, properties });
        for (const reader of readers) expect(reader.message().properties).toEqual(properties);
      },
    );
  }

  it.each(UNALTERED)(
    'is passed on unaltered where it was retained: %s [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]',
    (_, properties) => {
      const world = new World5();
      world.join('p').publish('t', 'x', { retain: true, properties });
      expect(world.reader('late', 't').message().properties).toEqual(properties);
    },
  );

  it('that was sent and comes again is the same (4.4) [MQTT-3.3.2-17]', () => {
    const world = new World5();
    const properties: Properties = { contentType: 'c', userProperties: [['a', 'b']] };
    const reader = world.reader('r', 't', 1, FOR_AN_HOUR);
    world.join('p').publish('t', 'x', { qos: 1, properties });
    expect(reader.message().properties).toEqual(properties);
    reader.drop();
    expect(world.join('r', FOR_AN_HOUR).message()).toMatchObject({ dup: true, properties });
  });

  it.each(['a/#', '+', 'a/+/b'])('a response topic may not be "%s" [MQTT-3.3.2-14]', (responseTopic) => {
    const world = new World5();
    const other = world.reader('other', '#');
    world
      .join('c')
      .say(publish('t', 'x', { properties: { responseTopic } }))
      .ended(0x81, 0x82, 0x90);
    other.isWell();
  });

  it('a payload format is 0 or 1 (3.3.2.3.2)', () => {
    const world = new World5();
    world
      .join('c')
      .say(publish('t', 'x', { properties: { payloadFormat: 2 } }))
      .ended(0x81, 0x82);
  });

  it('a payload that claims to be UTF-8 and is not is passed on where the broker does not look (3.3.2.3.2)', () => {
    const world = new World5();
    const reader = world.reader('r', 't');
    world.join('p').publish('t', Uint8Array.of(0xff), { properties: { payloadFormat: 1 } });
    expect(reader.message().properties.payloadFormat).toBe(1);
  });

  it('request and response find each other (4.10) [MQTT-3.3.2-15] [MQTT-3.3.2-16]', () => {
    const world = new World5({ responseTopicPrefix: 'answers/' });
    const asking: ConnectIn = { properties: { requestResponseInformation: 1 } };
    const asker = world.join('asker', asking);
    const responseTopic = `${asker.connack.properties.responseInformation}/1`;
    asker.subscribe({ filter: responseTopic });
    const server = world.reader('server', 'ask');
    asker.publish('ask', '6*7', { properties: { responseTopic, correlationData: 'q1' } });
    const { properties } = server.message();
    server.publish(properties.responseTopic!, '42', { properties: { correlationData: properties.correlationData! } });
    expect(asker.message()).toMatchObject({ payload: '42', properties: { correlationData: 'q1' } });
  });
});

describe('message expiry', () => {
  const expiring = (messageExpiryS: number, qos = 1): PublishIn => ({ qos, properties: { messageExpiryS } });

  it('is passed on as it came where the message did not wait [MQTT-3.3.2-6]', () => {
    const world = new World5();
    const readers = [0, 1, 2].map((qos) => world.reader(`r${qos}`, 't', qos));
    world.join('p').publish('t', 'x', expiring(60, 2));
    for (const reader of readers) expect(reader.message().properties).toEqual({ messageExpiryS: 60 });
  });

  it('is what is left when the message has waited [MQTT-3.3.2-6]', () => {
    const world = new World5();
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('t', 'x', expiring(60));
    world.pass(25 * SECOND_MS);
    expect(world.join('c', FOR_AN_HOUR).message().properties).toEqual({ messageExpiryS: 35 });
  });

  it('deletes what waits for a client that is away [MQTT-3.3.2-5]', () => {
    const world = new World5();
    world.reader('c', 't', 2, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    publisher.publish('t', 'short', expiring(10));
    publisher.publish('t', 'long', expiring(100, 2));
    publisher.publish('t', 'for ever', { qos: 1 });
    world.pass(11 * SECOND_MS);
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual(['long', 'for ever']);
  });

  it('has passed at its last moment, and not before [MQTT-3.3.2-5] [MQTT-3.3.2-6]', () => {
    const world = new World5();
    for (const id of ['c', 'd']) world.reader(id, 't', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('t', 'x', { ...expiring(10), retain: true });
    world.pass(10 * SECOND_MS - 1);
    const last = { payload: 'x', properties: { messageExpiryS: 1 } };
    expect(world.join('c', FOR_AN_HOUR).message()).toMatchObject(last);
    expect(world.reader('e', 't').message()).toMatchObject(last);
    world.pass(1);
    world.join('d', FOR_AN_HOUR).hearsNothing();
    world.reader('f', 't').hearsNothing();
  });

  it('deletes what waits behind messages that a client does not acknowledge [MQTT-3.3.2-5]', () => {
    const world = new World5();
    const reader = world.reader('c', 't', 1, { properties: { receiveMaximum: 1 } });
    const publisher = world.join('p');
    publisher.publish('t', 'first', { qos: 1 });
    publisher.publish('t', 'short', expiring(10));
    publisher.publish('t', 'last', expiring(100));
    const { id } = reader.message();
    world.pass(20 * SECOND_MS);
    reader.ack('puback', id);
    expect(reader.message()).toMatchObject({ payload: 'last', properties: { messageExpiryS: 80 } });
  });

  it('deletes what waits for a client that does not read [MQTT-3.3.2-5]', () => {
    const world = new World5();
    const reader = world.reader('c', 't', 1);
    const publisher = world.join('p');
    reader.isCongested = true;
    publisher.publish('t', 'short', expiring(10));
    publisher.publish('t', 'last', expiring(100));
    world.pass(20 * SECOND_MS);
    reader.drained();
    expect(reader.payloads()).toEqual(['last']);
  });

  it.each([0, 1])(
    'is for each reader what is left when it is sent to it: one of QoS %i that does not read has less [MQTT-3.3.2-6]',
    (qos) => {
      const world = new World5();
      const quick = world.reader('quick', 't', qos);
      const slow = world.reader('slow', 't', qos);
      slow.isCongested = true;
      world.join('p').publish('t', 'x', expiring(60, qos));
      expect(quick.message().properties).toEqual({ messageExpiryS: 60 });
      world.pass(20 * SECOND_MS);
      slow.drained();
      expect(slow.message().properties).toEqual({ messageExpiryS: 40 });
    },
  );

  it('of retained messages goes on [MQTT-3.3.2-5] [MQTT-3.3.2-6]', () => {
    const world = new World5();
    world.join('p').publish('t', 'x', { ...expiring(60), retain: true });
    world.pass(20 * SECOND_MS);
    expect(world.reader('a', 't').message().properties).toEqual({ messageExpiryS: 40 });
    world.pass(39 * SECOND_MS);
    expect(world.reader('b', 't').message().properties).toEqual({ messageExpiryS: 1 });
    world.pass(2 * SECOND_MS);
    world.reader('c', 't').hearsNothing();
  });

  it('does not end what has been sent already [MQTT-4.3.3-7] [MQTT-4.3.3-13]', () => {
    const world = new World5();
    const reader = world.reader('c', 't', 2, FOR_AN_HOUR);
    world.join('p').publish('t', 'x', expiring(10, 2));
    const { id } = reader.message();
    world.pass(20 * SECOND_MS);
    reader.ack('pubrec', id);
    expect(reader.next('pubrel')).toMatchObject({ id, reason: 0 });
    reader.ack('pubcomp', id).isWell();
  });

  it('does not end what was sent at QoS 2 and comes again [MQTT-4.3.3-7]', () => {
    const world = new World5();
    const reader = world.reader('c', 't', 2, FOR_AN_HOUR);
    world.join('p').publish('t', 'x', expiring(10, 2));
    const { id } = reader.message();
    reader.drop();
    world.pass(20 * SECOND_MS);
    const properties = { messageExpiryS: 0 };
    expect(world.join('c', FOR_AN_HOUR).message()).toMatchObject({ id, dup: true, payload: 'x', properties });
  });

  it('of 0 reaches nobody later [MQTT-3.3.2-5]', () => {
    const world = new World5();
    world.reader('away', 't', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    publisher.publish('t', 'x', { ...expiring(0), retain: true });
    world.pass(1 * SECOND_MS);
    world.join('away', FOR_AN_HOUR).hearsNothing();
    world.reader('late', 't').hearsNothing();
  });

  it('is absent where the publisher gave none, however long it waited [MQTT-3.3.2-6]', () => {
    const world = new World5();
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('t', 'x', { qos: 1 });
    world.pass(100 * SECOND_MS);
    expect(world.join('c', FOR_AN_HOUR).message().properties).toEqual({});
  });

  it('as long as there is is taken (3.3.2.3.3)', () => {
    const world = new World5();
    world.reader('c', 't', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('t', 'x', expiring(0xffff_ffff));
    world.pass(5 * SECOND_MS);
    expect(world.join('c', FOR_AN_HOUR).message().properties).toEqual({ messageExpiryS: 0xffff_ffff - 5 });
  });
});

describe('a topic alias of a client', () => {
  const aliased = (topicAlias: number): PublishIn => ({ properties: { topicAlias } });

  it('stands for its topic from then on, and is not passed on [MQTT-3.3.2-12]', () => {
    const world = new World5();
    const reader = world.reader('reader', '#');
    const publisher = world.join('p');
    publisher.publish('long/topic', '1', aliased(1));
    publisher.publish('', '2', aliased(1));
    publisher.publish('', '3', { qos: 1, ...aliased(1) });
    expect(reader.messages()).toMatchObject(
      ['1', '2', '3'].map((payload) => ({ payload, topic: 'long/topic', properties: {} })),
    );
  });

  it('may be any up to the maximum [MQTT-3.3.2-12]', () => {
    const world = new World5({ topicAliasMax: 10 });
    const reader = world.reader('reader', '#');
    const publisher = world.join('p');
    for (let alias = 10; alias >= 1; alias--) publisher.publish(`t/${alias}`, '', aliased(alias));
    for (let alias = 1; alias <= 10; alias++) publisher.publish('', '', aliased(alias));
    const topics = reader.messages().map(({ topic }) => topic);
    expect(topics.slice(10)).toEqual(Array.from({ length: 10 }, (_, i) => `t/${i + 1}`));
  });

  it('may stand in a message of QoS 2 that is repeated [MQTT-3.3.2-12] [MQTT-4.3.3-10]', () => {
    const world = new World5();
    const reader = world.reader('reader', '#', 2);
    const publisher = world.join('p');
    publisher.publish('a', 'x', { qos: 2, id: 7, ...aliased(1) });
    for (const dup of [false, true]) publisher.say(publish('', 'y', { qos: 2, id: 8, dup, ...aliased(1) }));
    expect(publisher.take().map(({ type }) => type)).toEqual(['pubrec', 'pubrec']);
    expect(reader.messages()).toMatchObject(['x', 'y'].map((payload) => ({ topic: 'a', payload })));
  });

  it('may get another topic (3.3.2.3.4)', () => {
    const world = new World5();
    const reader = world.reader('reader', '#');
    const publisher = world.join('p');
    publisher.publish('a', '', aliased(1));
    publisher.publish('b', '', aliased(1));
    publisher.publish('', '', aliased(1));
    expect(reader.messages().map(({ topic }) => topic)).toEqual(['a', 'b', 'b']);
  });

  it('is set also by a message of the same topic that nobody may publish, since the alias is the connection’s (3.3.2.3.4)', () => {
    const world = new World5({ access: new Door(allowing({ publish: (_, qos) => qos === 0 })) });
    const reader = world.reader('reader', '#');
    const publisher = world.join('p');
    expect(publisher.publish('a', '', { qos: 1, ...aliased(1) })).toBe(0x87);
    publisher.publish('', 'x', aliased(1));
    expect(reader.message()).toMatchObject({ topic: 'a', payload: 'x' });
  });

  it('is the retained message’s topic too (3.3.2.3.4)', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('a', 'old', aliased(1));
    publisher.publish('', 'x', { retain: true, ...aliased(1) });
    expect(world.reader('late', '#').messages()).toMatchObject([{ topic: 'a', payload: 'x', properties: {} }]);
  });

  it.each([
    ['0', { topicAlias: 0 }, 't'],
    ['one above the maximum', { topicAlias: 65 }, 't'],
    ['65,535', { topicAlias: 65_535 }, 't'],
  ])('is refused where it is %s [MQTT-3.3.2-8] [MQTT-3.3.2-9]', (_, properties, topic) => {
    const world = new World5({ topicAliasMax: 64 });
    const other = world.reader('other', '#');
    world
      .join('c')
      .say(publish(topic, 'x', { properties }))
      .ended(0x94);
    other.isWell();
  });

  it('is refused where there are none [MQTT-3.2.2-18]', () => {
    const world = new World5({ topicAliasMax: 0 });
    world
      .join('c')
      .say(publish('t', 'x', aliased(1)))
      .ended(0x94);
  });

  it('that stands for nothing yet is a protocol error (3.3.4)', () => {
    const world = new World5();
    const other = world.reader('other', '#');
    world
      .join('c')
      .say(publish('', 'x', aliased(1)))
      .ended(0x82);
    other.isWell();
  });

  it('is the connection’s: neither the next one nor another client has it [MQTT-3.3.2-7]', () => {
    const world = new World5();
    const publisher = world.join('p', FOR_AN_HOUR);
    publisher.publish('t', '', aliased(1));
    world
      .join('q')
      .say(publish('', 'x', aliased(1)))
      .ended(0x82);
    publisher.drop();
    const back = world.join('p', FOR_AN_HOUR);
    back.say(publish('', 'x', aliased(1))).ended(0x82);
  });
});

describe('a topic alias of the broker', () => {
  const wanting = (topicAliasMaximum: number): ConnectIn => ({
    properties: { topicAliasMaximum, sessionExpiryS: 3_600 },
  });

  it.each([undefined, 0])('is not used where the client takes %s [MQTT-3.1.2-27]', (topicAliasMaximum) => {
    const world = new World5();
    const properties = topicAliasMaximum === undefined ? {} : { topicAliasMaximum };
    const reader = world.reader('reader', '#', 0, { properties });
    const publisher = world.join('p');
    for (let i = 0; i < 5; i++) publisher.publish('a/rather/long/topic');
    const messages = reader.messages();
    expect(messages.map(({ topic }) => topic)).toEqual(Array(5).fill('a/rather/long/topic'));
    expect(messages.map(({ properties: p }) => p.topicAlias)).toEqual(Array(5).fill(undefined));
  });

  it('takes the place of the topic in what is sent again, too [MQTT-3.1.2-26] [MQTT-4.4.0-1]', () => {
    const world = new World5();
    const reader = world.reader('reader', '#', 1, FOR_AN_HOUR);
    const publisher = world.join('p');
    const topics = ['a/long/topic', 'another/long/topic', 'a/long/topic'];
    for (const topic of topics) publisher.publish(topic, '', { qos: 1 });
    reader.messages();
    reader.drop();
    const back = world.join('reader', wanting(1));
    const again = back.messages();
    expect(again.map((message) => back.topicOf(message))).toEqual(topics);
    expect(again.every(({ dup }) => dup)).toBe(true);
  });

  it('is used where the client takes some: the topic is sent once [MQTT-3.1.2-26] [MQTT-3.3.2-11]', () => {
    const world = new World5();
    const reader = world.reader('reader', '#', 1, wanting(1));
    const publisher = world.join('p');
    for (let i = 0; i < 5; i++) publisher.publish('a/rather/long/topic', `${i}`, { qos: i % 2 });
    const messages = reader.messages();
    expect(messages.map((message) => reader.topicOf(message))).toEqual(Array(5).fill('a/rather/long/topic'));
    expect(messages.filter(({ topic }) => topic === '').length).toBeGreaterThan(0);
  });

  it('is never above what the client takes, however many topics there are [MQTT-3.1.2-26] [MQTT-3.3.2-11]', () => {
    const world = new World5();
    const reader = world.reader('reader', '#', 0, wanting(3));
    const publisher = world.join('p');
    const topics = Array.from({ length: 60 }, (_, i) => `a/rather/long/topic/${(i * i) % 7}`);
    for (const topic of topics) publisher.publish(topic);
    // Client5 fails for aliases above 3, and for those that stand for nothing.
    expect(reader.messages().map((message) => reader.topicOf(message))).toEqual(topics);
  });

  it('is not the one of the connection before [MQTT-3.3.2-7]', () => {
    const world = new World5();
    const reader = world.reader('reader', '#', 1, wanting(5));
    const publisher = world.join('p');
    publisher.publish('a/rather/long/topic', '', { qos: 1 });
    publisher.publish('a/rather/long/topic', '', { qos: 1 });
    reader.messages();
    reader.drop();
    const back = world.join('reader', wanting(5));
    const again = back.messages();
    expect(again.map((message) => back.topicOf(message))).toEqual(Array(2).fill('a/rather/long/topic'));
    back.drop();
    const without = world.join('reader', FOR_AN_HOUR);
    expect(without.messages().map(({ topic }) => topic)).toEqual(Array(2).fill('a/rather/long/topic'));
  });

  it('is counted in the size of the packet [MQTT-3.1.2-24] [MQTT-3.1.2-26]', () => {
    const world = new World5();
    const options: ConnectIn = { properties: { topicAliasMaximum: 5, maximumPacketSize: 30 } };
    const reader = world.reader('reader', '#', 0, options);
    const publisher = world.join('p');
    // 2 fixed header, 12 topic, 1 properties: 15 bytes are left for the payload, or 12 behind an alias.
    for (let length = 10; length <= 15; length++) {
      publisher.publish(`topic/${length}/x`.slice(0, 10), 'x'.repeat(length));
    }
    expect(reader.messages().map(({ payload }) => payload.length)).toEqual([10, 11, 12, 13, 14, 15]);
  });
});

describe('a subscription identifier', () => {
  it('is with each message of its subscription [MQTT-3.3.4-3]', () => {
    const world = new World5();
    const reader = world.join('reader');
    reader.subscribe({ filter: 'a' }, { subscriptionIds: [10] });
    reader.subscribe({ filter: 'b' }, { subscriptionIds: [20] });
    reader.subscribe({ filter: 'c' });
    const publisher = world.join('p');
    for (const topic of ['a', 'b', 'c']) publisher.publish(topic);
    expect(reader.messages().map(({ properties }) => properties.subscriptionIds)).toEqual([[10], [20], undefined]);
  });

  it('belongs to every filter of its SUBSCRIBE (3.8.2.1.2)', () => {
    const world = new World5();
    const reader = world.join('reader');
    reader.subscribe([{ filter: 'a' }, { filter: 'b' }], { subscriptionIds: [10] });
    const publisher = world.join('p');
    for (const topic of ['a', 'b']) publisher.publish(topic);
    expect(reader.messages().map(({ properties }) => properties.subscriptionIds)).toEqual([[10], [10]]);
  });

  it('of all subscriptions that match are in the one message [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]', () => {
    const world = new World5();
    const reader = world.join('reader');
    reader.subscribe({ filter: 'a/b', qos: 0 }, { subscriptionIds: [1] });
    reader.subscribe({ filter: 'a/+', qos: 2 }, { subscriptionIds: [2] });
    reader.subscribe({ filter: 'a/#', qos: 1 });
    reader.subscribe({ filter: '#', qos: 1 }, { subscriptionIds: [3] });
    reader.subscribe({ filter: 'b', qos: 1 }, { subscriptionIds: [4] });
    world.join('p').publish('a/b', 'x', { qos: 2 });
    const messages = reader.messages();
    expect(messages.length).toBe(1);
    expect(messages[0]!.qos).toBe(2);
    expect([...messages[0]!.properties.subscriptionIds!].sort()).toEqual([1, 2, 3]);
  });

  it('is there as often as subscriptions with it match (3.3.4) [MQTT-3.3.4-4]', () => {
    const world = new World5();
    const reader = world.join('reader');
    reader.subscribe([{ filter: 'a/b' }, { filter: 'a/+' }], { subscriptionIds: [9] });
    world.join('p').publish('a/b');
    expect(reader.message().properties.subscriptionIds).toEqual([9, 9]);
  });

  it('is with messages that were retained, that waited and that come again [MQTT-3.3.4-3]', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('a', 'kept', { retain: true });
    const reader = world.join('reader', FOR_AN_HOUR);
    reader.subscribe({ filter: 'a', qos: 1 }, { subscriptionIds: [300] });
    expect(reader.message().properties.subscriptionIds).toEqual([300]);
    reader.drop();
    publisher.publish('a', 'queued', { qos: 1 });
    for (let i = 0; i < 2; i++) {
      const back = world.join('reader', FOR_AN_HOUR);
      expect(back.message().properties.subscriptionIds).toEqual([300]);
      back.drop();
    }
  });

  it('of a retained message is that of the SUBSCRIBE, not of others that match [MQTT-3.3.4-3]', () => {
    const world = new World5();
    world.join('p').publish('a', 'kept', { retain: true });
    const reader = world.join('reader');
    reader.subscribe({ filter: '#', retainHandling: 2 }, { subscriptionIds: [1] });
    reader.subscribe({ filter: 'a' }, { subscriptionIds: [2] });
    expect(reader.message().properties.subscriptionIds).toEqual([2]);
  });

  it('is replaced, or removed, by a new SUBSCRIBE of the same filter (3.8.4) [MQTT-3.8.4-3]', () => {
    const world = new World5();
    const reader = world.join('reader');
    const publisher = world.join('p');
    for (const subscriptionIds of [[1], [2], undefined]) {
      reader.subscribe({ filter: 'a' }, subscriptionIds === undefined ? {} : { subscriptionIds });
      publisher.publish('a');
      expect(reader.message().properties.subscriptionIds).toEqual(subscriptionIds);
    }
  });

  it('is the subscriber’s own [MQTT-3.3.4-3]', () => {
    const world = new World5();
    const readers = [1, 2].map((id) => {
      const reader = world.join(`r${id}`);
      reader.subscribe({ filter: 'a' }, { subscriptionIds: [id] });
      return reader;
    });
    const plain = world.reader('plain', 'a');
    world.join('p').publish('a', 'x');
    expect(readers.map((reader) => reader.message().properties.subscriptionIds)).toEqual([[1], [2]]);
    expect(plain.message().properties.subscriptionIds).toBeUndefined();
  });

  it('is not 0 (3.8.2.1.2)', () => {
    const world = new World5();
    const client = world.join('c');
    client.say(Uint8Array.of(0x82, 0x09, 0, 1, 2, 0x0b, 0, 0, 1, 0x74, 0)).ended(0x82, 0x81);
  });

  it('is not in a PUBLISH of a client [MQTT-3.3.4-6]', () => {
    const world = new World5();
    const other = world.reader('other', '#');
    world
      .join('c')
      .say(publish('t', 'x', { properties: { subscriptionIds: [1] } }))
      .ended(0x82, 0x81);
    other.isWell();
  });
});
