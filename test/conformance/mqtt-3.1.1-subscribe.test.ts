// MQTT 3.1.1, sections 3.8 to 3.14 and 4.7: SUBSCRIBE and UNSUBSCRIBE with their answers, filters and names, PINGREQ and
// DISCONNECT.
import { describe, expect, it } from 'vitest';
import { frame, fromHex, string, World } from './client.js';

const SUBSCRIBE = 0x82;
const UNSUBSCRIBE = 0xa2;
const ID = fromHex('00 0a');

/** A SUBSCRIBE of identifier 10 to these filters, each at QoS 0 unless said otherwise. */
const subscribeTo = (...filters: (Buffer | string)[]): Buffer =>
  frame(SUBSCRIBE, Buffer.concat([ID, ...filters.flatMap((filter) => [string(filter), Uint8Array.of(0)])]));
const unsubscribeFrom = (...filters: (Buffer | string)[]): Buffer =>
  frame(UNSUBSCRIBE, Buffer.concat([ID, ...filters.map((filter) => string(filter))]));

const BAD_TEXTS = [fromHex('c3 28'), fromHex('ed a0 80'), Buffer.from('a\0b')];

describe('SUBSCRIBE', () => {
  it('has the flags 0010, or the connection ends [MQTT-3.8.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) {
      const client = new World().connect('a').sayBytes(frame(0x80 | flags, '00 0a 00 01 74 00'));
      if (flags === 0b0010) expect(client.takeBytes()).toEqual(['90 03 00 0a 00']);
      else client.hearsClose();
    }
  });

  it('has filters in UTF-8, or the connection ends [MQTT-3.8.3-1]', () => {
    new World().connect('a').sayBytes(subscribeTo('ü€😀')).hears('suback');
    for (const text of BAD_TEXTS) new World().connect('a').sayBytes(subscribeTo('t', text)).hearsClose();
  });

  it('may have wildcards, all of which are supported [MQTT-3.8.3-2]', () => {
    for (const filter of ['#', '+', 'a/#', '+/b', 'a/+/c', '+/+/#', '/+', '/#']) {
      const client = new World().connect('a').sayBytes(subscribeTo(filter));
      expect(client.takeBytes(), filter).toEqual(['90 03 00 0a 00']);
    }
  });

  it('has a filter at least, or the connection ends [MQTT-3.8.3-3]', () => {
    new World().connect('a').sayBytes(frame(SUBSCRIBE, ID)).hearsClose();
  });

  it('has no reserved bit and no QoS of 3, or the connection ends, and nothing is subscribed to [MQTT-3.8.3-4]', () => {
    for (let options = 0; options < 256; options++) {
      const world = new World();
      const client = world.connect('a', { clean: false });
      client.sayBytes(frame(SUBSCRIBE, Buffer.from([...ID, 0, 1, 0x74, 0, 0, 1, 0x75, options])));
      if (options < 3) {
        expect(client.takeBytes()).toEqual([`90 04 00 0a 00 0${options}`]);
        continue;
      }
      client.hearsClose();
      const again = world.connect('a', { clean: false });
      world.connect('p').publish('t');
      again.hearsNothing();
    }
  });

  it('is answered with SUBACK under its identifier [MQTT-3.8.4-1] [MQTT-3.8.4-2]', () => {
    const client = new World().connect('a');
    for (const messageId of [1, 0x0a0b, 65_535, 1]) {
      client.say({ cmd: 'subscribe', messageId, subscriptions: [{ topic: 't', qos: 1 }] });
      expect(client.take()).toMatchObject([{ cmd: 'suback', messageId }]);
    }
  });

  it('to a filter that was there replaces the subscription [MQTT-3.8.4-3]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't/+', 2);
    const publisher = world.connect('p');
    for (const qos of [0, 1, 2, 0] as const) {
      subscriber.subscribe('t/+', qos);
      subscriber.hears('suback');
      publisher.deliver('t/x', 'x', { qos: 2 });
      expect(subscriber.collect()).toMatchObject([{ qos }]);
    }
    subscriber.unsubscribe('t/+');
    subscriber.hears('unsuback');
    publisher.publish('t/x');
    subscriber.hearsNothing();
  });

  it('to a filter that was there brings what is retained again [MQTT-3.8.4-3]', () => {
    const world = new World();
    const publisher = world.connect('p');
    for (const topic of ['t/1', 't/2']) publisher.publish(topic, topic, { retain: true });
    const subscriber = world.subscriber('s', 't/+', 0);
    expect(subscriber.texts().sort()).toEqual(['t/1', 't/2']);
    subscriber.subscribe('t/+', 0);
    subscriber.hears('suback');
    expect(subscriber.texts().sort()).toEqual(['t/1', 't/2']);
  });

  it('to a filter that was there loses nothing of what is on its way [MQTT-3.8.4-3]', () => {
    const world = new World({ inflightMax: 1 });
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    for (const payload of ['sent', 'waits', 'waits, too']) publisher.deliver('t', payload, { qos: 2 });
    before.subscribe('t', 0);
    expect(before.take()).toMatchObject([{ cmd: 'publish' }, { cmd: 'suback' }]);
    before.drop();
    const again = world.connect('s', { clean: false }).collect();
    expect(again.map(({ payload, qos }) => [payload.toString(), qos])).toEqual([
      ['sent', 2],
      ['waits', 2],
      ['waits, too', 2],
    ]);
  });

  it('to several filters is as so many SUBSCRIBEs with one answer [MQTT-3.8.4-4]', () => {
    const world = new World();
    const publisher = world.connect('p');
    publisher.deliver('t/1', 'one', { qos: 2, retain: true });
    const client = world.connect('a');
    client.subscribe([
      { topic: 't/1', qos: 1 },
      { topic: 't/#', qos: 2 },
      { topic: 'u', qos: 0 },
      { topic: 'u', qos: 1 },
    ]);
    expect(client.hears('suback').granted).toEqual([1, 2, 0, 1]);
    expect(client.collect().map(({ qos, retain }) => [qos, retain])).toEqual([
      [1, true],
      [2, true],
    ]);
    publisher.deliver('u', 'x', { qos: 2 });
    expect(client.collect()).toMatchObject([{ qos: 1 }]);
  });

  it('is answered for each filter with what was granted, or with 0x80, in their order [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2]', () => {
    const world = new World({ topicLevelsMax: 3 });
    const client = world.connect('a');
    client.say({
      cmd: 'subscribe',
      messageId: 10,
      subscriptions: [
        { topic: 'a', qos: 2 },
        { topic: 'a/b/c/d', qos: 2 },
        { topic: 'b', qos: 0 },
        { topic: 'a/b/c', qos: 1 },
        { topic: '+/+/+/#', qos: 0 },
        { topic: 'c', qos: 2 },
      ],
    });
    expect(client.takeBytes()).toEqual(['90 08 00 0a 02 80 00 01 80 02']);
  });

  it('brings each message at the lower QoS of message and subscription [MQTT-3.8.4-6]', () => {
    for (const granted of [0, 1, 2] as const) {
      for (const published of [0, 1, 2] as const) {
        const world = new World();
        const publisher = world.connect('p');
        publisher.deliver('kept', 'x', { qos: published, retain: true });
        const subscriber = world.subscriber('s', '#', granted);
        publisher.deliver('t', 'x', { qos: published });
        const qos = Math.min(granted, published);
        expect(subscriber.messages(), `${published} to ${granted}`).toMatchObject([{ qos }, { qos }]);
      }
    }
  });
});

describe('UNSUBSCRIBE', () => {
  it('has the flags 0010, or the connection ends [MQTT-3.10.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) {
      const client = new World().connect('a').sayBytes(frame(0xa0 | flags, '00 0a 00 01 74'));
      if (flags === 0b0010) expect(client.takeBytes()).toEqual(['b0 02 00 0a']);
      else client.hearsClose();
    }
  });

  it('has filters in UTF-8, one behind the other, or the connection ends [MQTT-3.10.3-1]', () => {
    new World().connect('a').sayBytes(unsubscribeFrom('ü€😀', 't')).hears('unsuback');
    for (const text of BAD_TEXTS) new World().connect('a').sayBytes(unsubscribeFrom('t', text)).hearsClose();
  });

  it('has a filter at least, or the connection ends [MQTT-3.10.3-2]', () => {
    new World().connect('a').sayBytes(frame(UNSUBSCRIBE, ID)).hearsClose();
  });

  it('ends the subscription to the very same filter, and no other [MQTT-3.10.4-1]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 'a/+', 0);
    const publisher = world.connect('p');
    const isSubscribed = (): boolean => {
      publisher.publish('a/b');
      return subscriber.messages().length === 1;
    };
    for (const other of ['a/b', '#', '+/+', 'a/#', 'a/', 'A/+', 'a/+/', '/a/+']) {
      subscriber.unsubscribe(other);
      subscriber.hears('unsuback');
      expect(isSubscribed(), other).toBe(true);
    }
    subscriber.unsubscribe('a/+');
    subscriber.hears('unsuback');
    expect(isSubscribed()).toBe(false);
  });

  it('stops new messages, also of a session whose client goes away [MQTT-3.10.4-2]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2, { clean: false });
    subscriber.unsubscribe('t');
    subscriber.hears('unsuback');
    const publisher = world.connect('p');
    publisher.deliver('t', 'x', { qos: 2 });
    subscriber.hearsNothing();
    subscriber.drop();
    publisher.deliver('t', 'y', { qos: 2 });
    world.connect('s', { clean: false }).hearsNothing();
  });

  it('lets what was begun come to its end, over a reconnection as well [MQTT-3.10.4-3]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    for (const qos of [1, 2, 2] as const) publisher.deliver('t', `${qos}`, { qos });
    const [, , released] = before.messages();
    before.ack('pubrec', released!.messageId!).hears('pubrel');
    before.unsubscribe('t');
    before.hears('unsuback');
    before.drop();
    const again = world.connect('s', { clean: false });
    expect(again.take()).toMatchObject([
      { cmd: 'pubrel', messageId: released!.messageId },
      { cmd: 'publish', qos: 1 },
      { cmd: 'publish', qos: 2 },
    ]);
  });

  it('is answered with UNSUBACK under its identifier [MQTT-3.10.4-4]', () => {
    const client = new World().subscriber('a', 't');
    for (const messageId of [1, 0x0a0b, 65_535, 1]) {
      client.say({ cmd: 'unsubscribe', messageId, unsubscriptions: ['t'] });
      expect(client.take()).toMatchObject([{ cmd: 'unsuback', messageId }]);
    }
  });

  it('is answered also where there is nothing to end [MQTT-3.10.4-5]', () => {
    const client = new World().connect('a').sayBytes(unsubscribeFrom('of nobody', '#'));
    expect(client.takeBytes()).toEqual(['b0 02 00 0a']);
  });

  it('from several filters is as so many UNSUBSCRIBEs with one answer [MQTT-3.10.4-6]', () => {
    const world = new World();
    const client = world.connect('a');
    client.subscribe(['t', 'u', 'v', 'w/#'].map((topic) => ({ topic, qos: 0 })));
    client.hears('suback');
    client.sayBytes(unsubscribeFrom('t', 'of nobody', 'w/#', 'v', 'v'));
    expect(client.takeBytes()).toEqual(['b0 02 00 0a']);
    const publisher = world.connect('p');
    for (const topic of ['t', 'u', 'v', 'w/x']) publisher.publish(topic);
    expect(client.messages().map(({ topic }) => topic)).toEqual(['u']);
  });
});

describe('PINGREQ', () => {
  it('is answered with PINGRESP, each [MQTT-3.12.4-1]', () => {
    const client = new World().connect('a').ping().ping();
    expect(client.takeBytes()).toEqual(['d0 00', 'd0 00']);
  });
});

describe('DISCONNECT', () => {
  const GONE = { topic: 'gone', payload: '' } as const;

  it('with reserved bits is a violation, and no leave-taking [MQTT-3.14.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) {
      const world = new World();
      const watcher = world.subscriber('w', '#');
      world
        .connect('a', { will: GONE })
        .sayBytes(frame(0xe0 | flags, ''))
        .hearsClose();
      expect(watcher.messages().length, `${flags}`).toBe(flags === 0 ? 0 : 1);
    }
  });

  it('takes the will back and ends the connection, and nothing that follows counts [MQTT-3.14.4-3]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const client = world.connect('a', { will: GONE }).sayBytes(fromHex('e0 00 30 03 00 01 74'));
    client.sayBytes('30 03 00 01 74').hearsClose();
    client.drop();
    watcher.hearsNothing();
  });
});

describe('A filter', () => {
  const endsIt = (filter: Buffer | string): void => {
    new World().connect('a').sayBytes(subscribeTo(filter)).hearsClose();
    new World().connect('a').sayBytes(unsubscribeFrom(filter)).hearsClose();
  };
  const isTaken = (filter: string): void => void new World().subscriber('a', filter);

  it.each(['a#', 'a/b#', '#/', '#/a', 'a/#/b', '##', '/#/', '+#', 'a/#a'])(
    'has # as its whole last level, which %s has not [MQTT-4.7.1-2]',
    (filter) => {
      for (const sound of ['#', 'a/#', '/#', '+/#']) isTaken(sound);
      endsIt(filter);
    },
  );

  it.each(['a+', '+a', 'a/b+', 'a/+b', '++', '+a/b', 'a/++/b', '/+a'])(
    'has + as a whole level, which %s has not [MQTT-4.7.1-3]',
    (filter) => {
      for (const sound of ['+', '+/b', 'a/+', 'a/+/c', '/+', '+/', '+/+']) isTaken(sound);
      endsIt(filter);
    },
  );

  it('that begins with a wildcard matches no name that begins with $, sent or retained [MQTT-4.7.2-1]', () => {
    const names = ['$x', '$x/y', '$', '$SYS'];
    const cases: readonly [string, readonly string[]][] = [
      ['#', []],
      ['+', []],
      ['+/#', []],
      ['+/y', []],
      ['+/+', []],
      ['$x', ['$x']],
      ['$x/#', ['$x', '$x/y']],
      ['$x/+', ['$x/y']],
    ];
    for (const [filter, matching] of cases) {
      const world = new World();
      const early = world.subscriber('early', filter);
      const publisher = world.connect('p');
      for (const name of names) publisher.publish(name, '', {});
      for (const name of names) publisher.publish(name, 'kept', { retain: true });
      publisher.publish('a/$x/y', 'below', { retain: true });
      const topics = (messages: readonly { topic: string }[]): string[] =>
        messages.map(({ topic }) => topic).filter((topic) => topic[0] === '$');
      expect(topics(early.messages()).sort(), filter).toEqual([...matching, ...matching].sort());
      expect(topics(world.subscriber('late', filter).messages()).sort(), filter).toEqual([...matching].sort());
    }
    const world = new World();
    const below = world.subscriber('s', 'a/+/y');
    world.connect('p').publish('a/$x/y');
    expect(below.messages().length).toBe(1);
  });

  it('is not empty, and no name is [MQTT-4.7.3-1]', () => {
    endsIt('');
    new World().connect('a').sayBytes(frame(0x30, '00 00')).hearsClose();
    new World().connect('a').sayBytes(frame(0x32, '00 00 00 01')).hearsClose();
    for (const one of ['/', ' ', 'a']) isTaken(one);
  });

  it('has no U+0000, and no name has [MQTT-4.7.3-2]', () => {
    for (const text of ['\0', 'a/\0', 'a\0b', '\0/#']) {
      endsIt(text);
      new World()
        .connect('a')
        .sayBytes(frame(0x30, string(text)))
        .hearsClose();
    }
  });

  it('may have 65,535 bytes, as a name may [MQTT-4.7.3-3]', () => {
    const longest = `${'ü'.repeat(32_767)}x`;
    for (const filter of [longest, `${longest.slice(0, -2)}/#`, '#']) {
      const world = new World();
      const subscriber = world.subscriber('s', filter, 1);
      const publisher = world.connect('p');
      publisher.deliver(longest, 'x', { qos: 1 });
      publisher.deliver(longest.slice(0, -1), 'y', { qos: 1 });
      const received = subscriber.messages().map(({ topic }) => topic.length);
      expect(received).toEqual(
        filter === '#' ? [longest.length, longest.length - 1] : filter === longest ? [longest.length] : [],
      );
    }
  });

  it('is compared with names as it is: nothing is normalized or left out [MQTT-4.7.3-4]', () => {
    const names = [
      ...['\u00e9', 'e\u0301', '\u00c9', '\u00c5', '\u212b', '\ufeffa', 'a', 'A', 'a ', ' a'],
      ...['a/', '/a', 'a//b', 'a/b', 'a/ /b', 'a/./b', 'a\\b', '%61'],
    ];
    expect(new Set(names).size).toBe(names.length);
    const world = new World();
    const subscribers = names.map((name, index) => world.subscriber(`s${index}`, name));
    const publisher = world.connect('p');
    for (const name of names) publisher.publish(name, '', { retain: true });
    for (const name of names) publisher.publish(name, 'x', { retain: true });
    for (const [index, name] of names.entries()) {
      expect(subscribers[index]!.messages().map(({ topic }) => topic)).toEqual([name, name]);
      expect(
        world
          .subscriber('late', name)
          .messages()
          .map(({ topic }) => topic),
      ).toEqual([name]);
    }
  });

  it('has empty levels that count as levels [MQTT-4.7.3-4]', () => {
    const names = ['a//b', 'a/b', '/a/b', 'a/b/', '//'];
    const cases: readonly [string, readonly string[]][] = [
      ['a/+/b', ['a//b']],
      ['+/a/b', ['/a/b']],
      ['a/b/+', ['a/b/']],
      ['+/+/+', ['a//b', '/a/b', 'a/b/', '//']],
      ['a/b', ['a/b']],
      ['//', ['//']],
    ];
    for (const [filter, matching] of cases) {
      const world = new World();
      const subscriber = world.subscriber('s', filter);
      const publisher = world.connect('p');
      for (const name of names) publisher.publish(name);
      expect(
        subscriber.messages().map(({ topic }) => topic),
        filter,
      ).toEqual(matching);
    }
  });
});
