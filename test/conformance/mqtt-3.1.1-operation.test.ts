// MQTT 3.1.1, section 4: sessions, the handshakes of QoS 1 and 2, sending again, and order.

import type { IPublishPacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { fromHex, type TestClient, textOf, World } from './client.js';

const idsOf = (messages: readonly IPublishPacket[]): number[] => messages.map(({ messageId }) => messageId!);

/** A client of a session that stays, back again. */
const back = (world: World, clientId: string): TestClient => world.connect(clientId, { clean: false });

describe('The state of a session', () => {
  it('is kept for the whole of it: subscriptions, and every handshake where it was [MQTT-4.1.0-1]', () => {
    const world = new World({ inflightMax: 3 });
    const watcher = world.subscriber('w', 'from/s', 2);
    const before = world.subscriber('s', 't', 2, { clean: false });
    before.publish('from/s', 'once', { qos: 2, messageId: 77 });
    const publisher = world.connect('p');
    for (const [payload, qos] of [
      ['one', 1],
      ['two', 2],
      ['released', 2],
      ['waits', 1],
    ] as const) {
      publisher.deliver('t', payload, { qos });
    }
    before.hears('pubrec');
    const [one, two, released] = idsOf(before.messages());
    before.ack('pubrec', released!).hears('pubrel');
    before.drop();
    world.pass(86_400_000);

    const again = back(world, 's');
    again.publish('from/s', 'once', { qos: 2, messageId: 77, dup: true });
    expect(again.take()).toMatchObject([
      { cmd: 'pubrel', messageId: released },
      { cmd: 'publish', messageId: one, payload: Buffer.from('one') },
      { cmd: 'publish', messageId: two, payload: Buffer.from('two') },
      { cmd: 'pubrec', messageId: 77 },
    ]);
    again.ack('puback', one!);
    expect(again.texts()).toEqual(['waits']);
    publisher.publish('t', 'new');
    expect(again.texts()).toEqual(['new']);
    expect(watcher.texts()).toEqual(['once']);
  });

  it('lasts as long as the connection at least, however long that is [MQTT-4.1.0-2]', () => {
    const world = new World({ offlineSessionMsMax: 1_000 });
    const clients = [true, false].map((clean) => world.subscriber(`${clean}`, 't', 1, { clean }));
    world.pass(365 * 86_400_000);
    world.connect('p').publish('t', 'x', { qos: 1 });
    for (const client of clients) expect(client.texts()).toEqual(['x']);
  });

  it('gets every message that was taken and matches, wherever its client is [MQTT-4.5.0-1]', () => {
    const world = new World();
    const ids = ['here', 'away', 'slow'];
    const [here, away, slow] = ids.map((id) => world.subscriber(id, 't/#', 2, { clean: false }));
    away!.drop();
    slow!.isCongested = true;
    const publisher = world.connect('p');
    for (const qos of [1, 2] as const) publisher.deliver('t/x', `${qos}`, { qos });
    publisher.drop();
    slow!.hearsNothing();
    slow!.drained();
    for (const client of [here!, slow!, back(world, 'away')]) expect(client.texts()).toEqual(['1', '2']);
  });
});

describe('QoS 0', () => {
  it('is one PUBLISH with DUP 0, and none again [MQTT-4.3.1-1]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    world.connect('p').sayBytes('30 05 00 01 74 61 62');
    expect(before.takeBytes()).toEqual(['30 05 00 01 74 61 62']);
    world.pass(86_400_000);
    before.hearsNothing();
    before.drop();
    back(world, 's').hearsNothing();
  });
});

describe('QoS 1', () => {
  it('is sent under a free identifier, with DUP 0, and is open until PUBACK [MQTT-4.3.2-1]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 1, { clean: false });
    const publisher = world.connect('p');
    for (const payload of ['a', 'b', 'c']) publisher.deliver('t', payload, { qos: 1 });
    const sent = before.messages();
    expect(sent).toMatchObject([1, 2, 3].map(() => ({ qos: 1, dup: false })));
    const ids = idsOf(sent);
    expect(new Set(ids).size).toBe(3);
    before.ack('puback', ids[1]!);
    before.drop();
    const again = back(world, 's');
    expect(again.messages().map((message) => [message.messageId, textOf(message)])).toEqual([
      [ids[0], 'a'],
      [ids[2], 'c'],
    ]);
    again.ack('puback', ids[0]!).ack('puback', ids[2]!).drop();
    back(world, 's').hearsNothing();
  });

  it('that is received is acknowledged, and is another message under the same identifier then [MQTT-4.3.2-2]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 0);
    const client = world.connect('p');
    for (const [payload, dup] of [
      ['a', false],
      ['b', true],
      ['b', false],
    ] as const) {
      client.publish('t', payload, { qos: 1, messageId: 7, dup });
      expect(client.takeBytes()).toEqual(['40 02 00 07']);
    }
    expect(subscriber.texts()).toEqual(['a', 'b', 'b']);
  });
});

describe('QoS 2', () => {
  it('is PUBLISH with DUP 0 until PUBREC [MQTT-4.3.3-1]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    world.connect('p').deliver('t', 'x', { qos: 2 });
    const [sent] = before.messages();
    expect(sent).toMatchObject({ qos: 2, dup: false });
    before.drop();
    const again = back(world, 's');
    expect(again.take()).toMatchObject([{ cmd: 'publish', qos: 2, messageId: sent!.messageId }]);
  });

  it('is PUBREL until PUBCOMP, and never PUBLISH again [MQTT-4.3.3-1]', () => {
    const world = new World();
    let client = world.subscriber('s', 't', 2, { clean: false });
    world.connect('p').deliver('t', 'x', { qos: 2 });
    const [id] = idsOf(client.messages());
    for (let times = 0; times < 3; times++) {
      client.ack('pubrec', id!);
      expect(client.take()).toMatchObject([{ cmd: 'pubrel', messageId: id }]);
      client.drop();
      client = back(world, 's');
      expect(client.take()).toMatchObject([{ cmd: 'pubrel', messageId: id }]);
    }
    client.ack('pubcomp', id!).hearsNothing();
    client.drop();
    back(world, 's').hearsNothing();
  });

  it('has an identifier of its own until PUBCOMP [MQTT-4.3.3-1]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    const publisher = world.connect('p');
    const used = new Set<number>();
    for (let count = 1; count <= 10; count++) {
      publisher.deliver('t', '', { qos: 2 });
      const [id] = idsOf(subscriber.messages());
      used.add(id!);
      expect(used.size).toBe(count);
      if (count % 2 === 0) subscriber.ack('pubrec', id!).hears('pubrel');
    }
  });

  it('that is received is passed on once until PUBREL, whatever DUP says, and acknowledged each time [MQTT-4.3.3-2]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 0);
    const client = world.connect('p');
    for (const dup of [false, true, false]) {
      client.publish('t', 'one', { qos: 2, messageId: 7, dup });
      expect(client.takeBytes()).toEqual(['50 02 00 07']);
    }
    client.publish('t', 'another', { qos: 2, messageId: 8 });
    client.hears('pubrec');
    client.ack('pubrel', 7);
    expect(client.takeBytes()).toEqual(['70 02 00 07']);
    client.publish('t', 'two', { qos: 2, messageId: 7, dup: true });
    client.hears('pubrec');
    expect(subscriber.texts()).toEqual(['one', 'another', 'two']);
  });

  it('has PUBCOMP for a PUBREL that comes again [MQTT-4.3.3-2]', () => {
    const world = new World();
    const client = world.connect('p', { clean: false });
    client.deliver('t', 'x', { qos: 2, messageId: 7 });
    client.ack('pubrel', 7).hears('pubcomp');
    client.drop();
    expect(back(world, 'p').ack('pubrel', 7).takeBytes()).toEqual(['70 02 00 07']);
  });

  it('is passed on once over any number of reconnections [MQTT-4.3.3-2]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    let client = world.connect('p', { clean: false });
    for (let times = 0; times < 3; times++) {
      client.publish('t', 'x', { qos: 2, messageId: 7, dup: times > 0 });
      client.drop();
      client = back(world, 'p');
    }
    expect(subscriber.texts()).toEqual(['x']);
  });
});

describe('A client that comes back', () => {
  it('is sent again all that is open, under the same identifiers [MQTT-4.4.0-1]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    const payload = fromHex('00 ff 61');
    for (const qos of [1, 2, 2] as const) publisher.deliver('t', payload, { qos });
    const ids = idsOf(before.messages());
    before.ack('pubrec', ids[2]!).hears('pubrel');
    before.drop();
    for (let times = 0; times < 3; times++) {
      const again = back(world, 's');
      expect(again.take()).toMatchObject([
        { cmd: 'pubrel', messageId: ids[2] },
        { cmd: 'publish', topic: 't', messageId: ids[0], qos: 1, payload, dup: true },
        { cmd: 'publish', topic: 't', messageId: ids[1], qos: 2, payload, dup: true },
      ]);
      if (times === 1) again.drop();
    }
  });

  it('is sent nothing again while it stays [MQTT-4.4.0-1]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    world.connect('p').deliver('t', 'x', { qos: 2 });
    subscriber.hears('publish');
    world.pass(86_400_000);
    subscriber.hearsNothing();
  });

  it('is sent PUBLISHes again in the order of the first time [MQTT-4.6.0-1]', () => {
    const world = new World({ inflightMax: 5 });
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    const send = (...numbers: number[]): void => {
      for (const number of numbers) publisher.deliver('t', `${number}`, { qos: number % 2 === 0 ? 2 : 1 });
    };
    send(0, 1, 2, 3, 4, 5, 6, 7);
    const ids = idsOf(before.messages());
    before.ack('puback', ids[1]!).ack('puback', ids[3]!);
    expect(before.texts()).toEqual(['5', '6']);
    before.drop();
    for (let times = 0; times < 2; times++) {
      const again = back(world, 's');
      expect(again.texts()).toEqual(['0', '2', '4', '5', '6']);
      again.drop();
    }
  });
});

describe('The order', () => {
  const NUMBERS = Array.from({ length: 30 }, (_, number) => number);

  it('of PUBACKs is that of the PUBLISHes [MQTT-4.6.0-2]', () => {
    const client = new World().connect('p');
    const ids = [9, 3, 7, 1];
    for (const messageId of ids) client.publish('t', '', { qos: 1, messageId });
    expect(client.take().map(({ cmd, messageId }) => [cmd, messageId])).toEqual(ids.map((id) => ['puback', id]));
  });

  it('of PUBRECs is that of the PUBLISHes [MQTT-4.6.0-3]', () => {
    const client = new World().connect('p');
    const ids = [9, 3, 7, 1];
    for (const messageId of ids) client.publish('t', '', { qos: 2, messageId });
    expect(client.take().map(({ cmd, messageId }) => [cmd, messageId])).toEqual(ids.map((id) => ['pubrec', id]));
  });

  it('of PUBRELs is that of the PUBRECs, when they are sent again as well [MQTT-4.6.0-4]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    for (let i = 0; i < 4; i++) publisher.deliver('t', '', { qos: 2 });
    const ids = idsOf(before.messages());
    const received = [ids[2]!, ids[0]!, ids[3]!, ids[1]!];
    for (const id of received) before.ack('pubrec', id);
    expect(before.take()).toMatchObject(received.map((messageId) => ({ cmd: 'pubrel', messageId })));
    before.drop();
    expect(back(world, 's').take()).toMatchObject(received.map((messageId) => ({ cmd: 'pubrel', messageId })));
  });

  it.each([0, 1, 2] as const)(
    'of a publisher’s messages is kept for each subscriber, at QoS %i [MQTT-4.6.0-5] [MQTT-4.6.0-6]',
    (qos) => {
      const world = new World({ inflightMax: 3 });
      const subscribers = ['t', '+', '#', 't/#'].map((filter) => world.subscriber(filter, filter, qos));
      subscribers[3]!.isCongested = true;
      const publisher = world.connect('p');
      const others = world.connect('q');
      for (const number of NUMBERS) {
        publisher.deliver('t', `${number}`, { qos });
        others.deliver('t', 'of another', { qos });
      }
      subscribers[3]!.drained();
      for (const subscriber of subscribers) {
        const texts = subscriber.collect().map(textOf);
        expect(texts.filter((text) => text !== 'of another').map(Number)).toEqual(NUMBERS);
      }
    },
  );

  it('of a publisher’s messages is kept over the absence of the subscriber [MQTT-4.6.0-6]', () => {
    const world = new World({ inflightMax: 4 });
    let subscriber = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    const first = new Map<string, number>();
    for (const number of NUMBERS) {
      publisher.deliver('t', `${number}`, { qos: 2 });
      if (number % 5 !== 0) continue;
      for (const message of subscriber.take()) {
        if (message.cmd !== 'publish') continue;
        first.set(textOf(message), message.messageId!);
        subscriber.ack('pubrec', message.messageId!);
      }
      subscriber.drop();
      if (number % 2 === 0) subscriber = back(world, 's');
    }
    subscriber = back(world, 's');
    for (const message of subscriber.collect()) first.set(textOf(message), message.messageId!);
    expect([...first.keys()].map(Number)).toEqual(NUMBERS);
  });
});
