// MQTT 3.1.1, sections 3.3 to 3.7: PUBLISH with its flags, its topic and its answers, and what is retained.
import { describe, expect, it } from 'vitest';
import { frame, fromHex, string, World } from './client.js';

/** First bytes of PUBLISH at each QoS. */
const AT_QOS = [0x30, 0x32, 0x34] as const;
const RETAIN = 0x01;
const DUP = 0x08;
const ALL_QOS = [0, 1, 2] as const;

describe('DUP', () => {
  it('is 1 on what is sent again, and was 0 the first time [MQTT-3.3.1-1]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    for (const qos of [1, 2] as const) publisher.deliver('t', 'x', { qos });
    expect(before.take()).toMatchObject([
      { qos: 1, dup: false },
      { qos: 2, dup: false },
    ]);
    for (let times = 0; times < 2; times++) {
      const again = world.connect('s', { clean: false });
      expect(again.take()).toMatchObject([
        { qos: 1, dup: true },
        { qos: 2, dup: true },
      ]);
    }
  });

  it('is 0 on what waited and is sent for the first time [MQTT-3.3.1-1]', () => {
    const world = new World();
    world.subscriber('s', 't', 1, { clean: false }).drop();
    world.connect('p').deliver('t', 'x', { qos: 1 });
    expect(world.connect('s', { clean: false }).messages()).toMatchObject([{ dup: false }]);
  });

  it('is 0 at QoS 0, whatever became of the message before [MQTT-3.3.1-2]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 0);
    const publisher = world.connect('p');
    for (const qos of ALL_QOS) {
      publisher.publish('t', '', { qos, dup: qos > 0 });
      expect(subscriber.messages()).toMatchObject([{ qos: 0, dup: false }]);
    }
  });

  it('at QoS 0 ends the connection of a client that says it [MQTT-3.3.1-2]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    for (const first of [0x38, 0x39]) world.connect('a').sayBytes(frame(first, '00 01 74')).hearsClose();
    watcher.hearsNothing();
  });

  it.each([1, 2] as const)('of the publisher does not reach the subscriber, at QoS %i [MQTT-3.3.1-3]', (qos) => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    const publisher = world.connect('p');
    publisher.publish('t', '', { qos, dup: true });
    expect(subscriber.messages()).toMatchObject([{ qos, dup: false }]);
    publisher.publish('kept', '', { qos, dup: true, retain: true });
    publisher.publish('kept', 'x', { qos, dup: true, retain: true });
    expect(world.subscriber('later', 'kept', 2).messages()).toMatchObject([{ qos, dup: false }]);
  });
});

describe('Both bits of QoS', () => {
  it.each([0x36, 0x37, 0x3e, 0x3f])('in %i end the connection [MQTT-3.3.1-4]', (first) => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    world.connect('a').sayBytes(frame(first, '00 01 74 00 01')).hearsClose();
    watcher.hearsNothing();
  });
});

describe('A retained message', () => {
  it('is kept with its QoS for subscribers to come [MQTT-3.3.1-5] [MQTT-3.3.1-8]', () => {
    const world = new World();
    const publisher = world.connect('p');
    const payload = fromHex('00 ff c3 28');
    for (const qos of ALL_QOS) publisher.deliver(`t/${qos}`, payload, { qos, retain: true });
    publisher.disconnect();
    for (const qos of ALL_QOS) {
      const message = { topic: `t/${qos}`, qos, payload, retain: true, dup: false };
      expect(world.subscriber(`s${qos}`, `t/${qos}`, 2).messages()).toMatchObject([message]);
    }
  });

  it('takes the place of the one before [MQTT-3.3.1-5]', () => {
    const world = new World();
    const publisher = world.connect('p');
    for (const payload of ['one', 'two', 'three']) publisher.deliver('t', payload, { qos: 1, retain: true });
    expect(world.subscriber('s', 't', 1).texts()).toEqual(['three']);
  });

  it('is sent for each matching topic, to every new subscription [MQTT-3.3.1-6]', () => {
    const world = new World();
    const publisher = world.connect('p');
    for (const topic of ['a', 'a/b', 'a/b/c', 'b', 'b/b']) publisher.publish(topic, topic, { retain: true });
    const brings = (filter: string): string[] => world.subscriber('s', filter).texts().sort();
    expect(brings('a')).toEqual(['a']);
    expect(brings('a/#')).toEqual(['a', 'a/b', 'a/b/c']);
    expect(brings('+/b')).toEqual(['a/b', 'b/b']);
    expect(brings('+')).toEqual(['a', 'b']);
    expect(brings('#')).toEqual(['a', 'a/b', 'a/b/c', 'b', 'b/b']);
    expect(brings('a/b/c/d')).toEqual([]);
  });

  it('of QoS 0 takes the place of one of QoS 2 [MQTT-3.3.1-7]', () => {
    const world = new World();
    const publisher = world.connect('p');
    publisher.deliver('t', 'two', { qos: 2, retain: true });
    publisher.publish('t', 'zero', { retain: true });
    expect(world.subscriber('s', 't', 2).texts()).not.toContain('two');
  });

  it('comes with RETAIN 1 to a subscription that is made again [MQTT-3.3.1-8]', () => {
    const world = new World();
    world.connect('p').publish('t', 'x', { retain: true });
    const subscriber = world.subscriber('s', 't');
    subscriber.take();
    subscriber.subscribe('t');
    subscriber.hears('suback');
    expect(subscriber.messages()).toMatchObject([{ retain: true }]);
  });

  it.each(ALL_QOS)(
    'comes with RETAIN 0 to a subscription that was there before it, at QoS %i [MQTT-3.3.1-9]',
    (qos) => {
      const world = new World();
      const [there, away] = ['there', 'away'].map((id) => world.subscriber(id, 't', qos, { clean: false }));
      away!.drop();
      world.connect('p').deliver('t', 'x', { qos, retain: true });
      expect(there!.messages()).toMatchObject([{ retain: false }]);
      const messages = world.connect('away', { clean: false }).messages();
      expect(messages).toMatchObject(qos === 0 ? [] : [{ retain: false }]);
    },
  );

  it.each(ALL_QOS)('that is empty is passed on, and takes the one before away, at QoS %i [MQTT-3.3.1-10]', (qos) => {
    const world = new World();
    const publisher = world.connect('p');
    const subscriber = world.subscriber('s', 't', 2);
    publisher.deliver('t', 'x', { qos: 2, retain: true });
    publisher.deliver('other', 'y', { qos: 2, retain: true });
    subscriber.take();
    publisher.deliver('t', '', { qos, retain: true });
    expect(subscriber.messages()).toMatchObject([{ payload: Buffer.alloc(0), qos, retain: false }]);
    expect(world.subscriber('later', '#', 2).texts()).toEqual(['y']);
  });

  it('that is empty is not kept itself [MQTT-3.3.1-11]', () => {
    const world = new World();
    const publisher = world.connect('p');
    for (const topic of ['t', 't', 'u']) publisher.deliver(topic, '', { qos: 1, retain: true });
    world.subscriber('later', '#', 2).hearsNothing();
  });

  it('is not made, replaced or taken away by a message with RETAIN 0 [MQTT-3.3.1-12]', () => {
    const world = new World();
    const publisher = world.connect('p');
    publisher.publish('t', 'kept', { retain: true });
    for (const qos of ALL_QOS) {
      publisher.deliver('t', 'passing', { qos });
      publisher.deliver('t', '', { qos });
      publisher.deliver('u', 'passing', { qos });
    }
    expect(world.subscriber('later', '#', 2).texts()).toEqual(['kept']);
  });
});

describe('The topic name', () => {
  it('is the first field, in UTF-8, of what a subscriber gets [MQTT-3.3.2-1]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', '#', 1);
    const publisher = world.connect('p');
    publisher.sayBytes(frame(AT_QOS[1], Buffer.concat([string('tü'), fromHex('12 34 ff')]))).hears('puback');
    expect(subscriber.takeBytes()).toEqual(['32 08 00 03 74 c3 bc 00 01 ff']);
  });

  it('is the first field of a PUBLISH, or the connection ends [MQTT-3.3.2-1]', () => {
    for (const body of ['', '00', '00 05 74', 'ff ff 74'])
      new World().connect('a').sayBytes(frame(0x30, body)).hearsClose();
  });

  it.each(['#', '+', 'a/#', 'a/+', '+/a', 'a+', '#a', 'a/#/b'])(
    'with wildcards ends the connection: %s [MQTT-3.3.2-2] [MQTT-4.7.1-1]',
    (topic) => {
      for (const first of [AT_QOS[0], AT_QOS[0] | RETAIN]) {
        const world = new World();
        const watcher = world.subscriber('w', '#');
        world
          .connect('a')
          .sayBytes(frame(first, string(topic)))
          .hearsClose();
        watcher.hearsNothing();
        world.subscriber('later', '#').hearsNothing();
      }
    },
  );

  it('of what a subscriber gets matches its filter [MQTT-3.3.2-3]', () => {
    const cases: readonly [string, readonly string[]][] = [
      ['a', ['a']],
      ['a/b', ['a/b']],
      ['a/', ['a/']],
      ['/a', ['/a']],
      ['+', ['a', 'b']],
      ['a/+', ['a/b', 'a/']],
      ['+/b', ['a/b', 'b/b']],
      ['+/+', ['a/b', 'b/b', 'a/', '/a']],
      ['/+', ['/a']],
      ['a/#', ['a', 'a/b', 'a/', 'a/b/c']],
      ['a/b/#', ['a/b', 'a/b/c']],
      ['+/#', ['a', 'b', 'a/b', 'b/b', 'a/', '/a', 'a/b/c']],
      ['+/b/#', ['a/b', 'b/b', 'a/b/c']],
      ['#', ['a', 'b', 'a/b', 'b/b', 'a/', '/a', 'a/b/c']],
      ['b/#', ['b', 'b/b']],
      ['c', []],
    ];
    const names = ['a', 'b', 'a/b', 'b/b', 'a/', '/a', 'a/b/c'];
    for (const [filter, matching] of cases) {
      const world = new World();
      const subscriber = world.subscriber('s', filter);
      const publisher = world.connect('p');
      for (const name of names) publisher.publish(name);
      expect(
        subscriber.messages().map(({ topic }) => topic),
        filter,
      ).toEqual(names.filter((n) => matching.includes(n)));
    }
  });
});

describe('The answer to a PUBLISH', () => {
  it('is none at QoS 0, PUBACK at QoS 1 and PUBREC at QoS 2 [MQTT-3.3.4-1]', () => {
    const client = new World().connect('a');
    const says = (first: number, id: string): string[] => client.sayBytes(frame(first, `00 01 74 ${id}`)).takeBytes();
    expect(says(AT_QOS[0], '')).toEqual([]);
    expect(says(AT_QOS[1], '12 34')).toEqual(['40 02 12 34']);
    expect(says(AT_QOS[2], '12 35')).toEqual(['50 02 12 35']);
    expect(says(AT_QOS[1] | RETAIN, '12 36')).toEqual(['40 02 12 36']);
    expect(says(AT_QOS[1] | DUP, '12 37')).toEqual(['40 02 12 37']);
    expect(says(AT_QOS[2] | DUP, '12 38')).toEqual(['50 02 12 38']);
  });

  it('comes whoever subscribes, or nobody [MQTT-3.3.4-1]', () => {
    const world = new World();
    const client = world.subscriber('a', 'mine', 0);
    client.publish('mine', 'x', { qos: 1 });
    expect(client.take().map(({ cmd }) => cmd)).toEqual(['publish', 'puback']);
    client.publish('of nobody', 'x', { qos: 1 });
    client.hears('puback');
  });

  it('is the same for what the client may not publish, which reaches nobody [MQTT-3.3.5-2]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '$SYS/#', 2);
    const client = world.connect('a');
    for (const qos of ALL_QOS) client.deliver('$SYS/broker', 'mine', { qos, retain: true });
    watcher.hearsNothing();
    world.subscriber('later', '$SYS/#', 2).hearsNothing();
  });
});

describe('Overlapping subscriptions', () => {
  it('bring a message at the highest QoS of those that match [MQTT-3.3.5-1]', () => {
    for (const [low, high] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      for (const filters of [
        ['a/#', 'a/b'],
        ['a/b', 'a/#'],
        ['a/+', '+/b'],
      ]) {
        const world = new World();
        const subscriber = world.subscriber('s', filters[0]!, low);
        subscriber.subscribe(filters[1]!, high);
        subscriber.subscribe('other', 2);
        subscriber.take();
        world.connect('p').publish('a/b', 'x', { qos: 2 });
        const received = subscriber.messages().map(({ qos }) => qos);
        expect(Math.max(...received), filters.join(' ')).toBe(high);
        expect(received.length).toBe(1); // more would be allowed, and are not wanted
      }
    }
  });
});

describe('PUBREL', () => {
  it('has the flags 0010, or the connection ends [MQTT-3.6.1-1]', () => {
    for (let flags = 0; flags < 16; flags++) {
      const client = new World().connect('a');
      client.publish('t', '', { qos: 2, messageId: 1 });
      client.hears('pubrec');
      client.sayBytes(frame(0x60 | flags, '00 01'));
      if (flags === 0b0010) expect(client.takeBytes()).toEqual(['70 02 00 01']);
      else client.hearsClose();
    }
  });

  it('has the flags 0010 when the broker says it [MQTT-3.6.1-1]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    world.connect('p').publish('t', '', { qos: 2 });
    const { messageId } = subscriber.hears('publish');
    subscriber.ack('pubrec', messageId!);
    expect(subscriber.takeBytes()).toEqual(['62 02 00 01']);
  });
});
