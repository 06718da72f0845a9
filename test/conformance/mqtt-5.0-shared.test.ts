// MQTT 5.0, section 4.8: subscriptions that several sessions share.
import { describe, expect, it } from 'vitest';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { allowing, Door } from './mqtt-5.0-access.js';
import { type Client5, FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import { disconnect, type PublishHeard, subscribe } from './mqtt-5.0-wire.js';

const GROUP = '$share/group/t';
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);
const sorted = (payloads: readonly string[]): string[] => [...payloads].sort((a, b) => Number(a) - Number(b));

function members(world: World5, qos: number, ...ids: string[]): Client5[] {
  return ids.map((id) => world.reader(id, GROUP, qos, FOR_AN_HOUR));
}

describe('a shared subscription', () => {
  it.each([0, 1, 2])('gives each message of QoS %i to one of its sessions, and each session some (4.8.2)', (qos) => {
    const world = new World5();
    const group = members(world, 2, 'a', 'b', 'c');
    const publisher = world.join('p');
    for (const payload of numbers(30)) publisher.publish('t', payload, { qos });
    const heard = group.map((member) => member.collect());
    expect(sorted(heard.flat().map(({ payload }) => payload))).toEqual(numbers(30));
    for (const messages of heard) {
      expect(messages.length).toBeGreaterThan(0);
      for (const message of messages) expect(message).toMatchObject({ topic: 't', qos });
    }
  });

  it('leaves those who subscribe alone and other groups their own copies (4.8.2)', () => {
    const world = new World5();
    const group = members(world, 0, 'a', 'b');
    const otherGroup = world.reader('c', '$share/other/t');
    const otherFilter = world.reader('d', '$share/group/#');
    const alone = world.reader('e', 't');
    const publisher = world.join('p');
    for (const payload of numbers(10)) publisher.publish('t', payload);
    expect(sorted(group.flatMap((member) => member.payloads()))).toEqual(numbers(10));
    for (const each of [otherGroup, otherFilter, alone]) expect(each.payloads()).toEqual(numbers(10));
  });

  it('is the same for the same name and filter, letter by letter (4.8.2) [MQTT-4.7.3-4]', () => {
    const world = new World5();
    const readers = ['$share/g/t', '$share/G/t', '$share/g/T'].map((filter, i) => world.reader(`r${i}`, filter));
    world.join('p').publish('t', 'x');
    expect(readers.map((reader) => reader.payloads())).toEqual([['x'], ['x'], []]);
  });

  it('matches with wildcards as others do (4.8.2)', () => {
    const world = new World5();
    const reader = world.reader('a', '$share/g/+/x/#');
    const publisher = world.join('p');
    for (const topic of ['1/x', '1/x/y/z', '1/y', '$1/x']) publisher.publish(topic, topic);
    expect(reader.payloads()).toEqual(['1/x', '1/x/y/z']);
  });

  it.each([
    '$share/',
    '$share//t',
    '$share/g',
    '$share/g/',
    '$share/+/t',
    '$share/g+/t',
    '$share/#',
    '$share/#/t',
    '$share/g#/t',
    '$share/g/t#',
  ])('is not "%s" [MQTT-4.8.2-1] [MQTT-4.8.2-2]', (filter) => {
    const world = new World5();
    const client = world.join('c');
    client.say(subscribe(1, [{ filter }]));
    const [answer, ...rest] = client.take();
    expect(rest).toEqual([]);
    if (answer?.type === 'suback') expect(answer.reasons).toEqual([0x8f]);
    else {
      expect(answer).toMatchObject({ type: 'disconnect' });
      expect(client.isClosed).toBe(true);
    }
  });

  it('is not what begins as one: it is a filter as any other [MQTT-4.8.2-1]', () => {
    const world = new World5();
    const reader = world.reader('r', '$shared/g/t');
    const publisher = world.join('p');
    publisher.publish('t', 'x');
    publisher.publish('$shared/g/t', 'y');
    expect(reader.payloads()).toEqual(['y']);
  });

  it('with No Local is a protocol error [MQTT-3.8.3-4]', () => {
    const client = new World5().join('c');
    client.say(subscribe(1, [{ filter: GROUP, noLocal: true }])).ended(0x82, 0x81);
  });

  it.each([0, 1])('gets nothing that was retained, whatever its retain handling: %i (4.8.2)', (retainHandling) => {
    const world = new World5();
    world.join('p').publish('t', 'kept', { retain: true });
    world.reader('a', { filter: GROUP, retainHandling }).hearsNothing();
  });

  it('is no filter for topics of its own name, live or retained (4.8.2)', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish(GROUP, 'kept', { retain: true });
    const reader = world.reader('a', GROUP);
    publisher.publish(GROUP, 'live');
    reader.hearsNothing();
  });

  it('gets retained messages as they come, with Retain As Published (4.8.2) [MQTT-3.3.1-13]', () => {
    const world = new World5();
    const reader = world.reader('a', { filter: GROUP, retainAsPublished: true });
    world.join('p').publish('t', 'x', { retain: true });
    expect(reader.message()).toMatchObject({ payload: 'x', retain: true });
  });

  it('gives each session its granted QoS [MQTT-4.8.2-3]', () => {
    const world = new World5();
    const zero = world.reader('zero', GROUP, 0);
    const one = world.reader('one', GROUP, 1);
    const publisher = world.join('p');
    for (const payload of numbers(12)) publisher.publish('t', payload, { qos: 2 });
    const heard = [zero.collect(), one.collect()];
    expect(heard.flat().length).toBe(12);
    expect(new Set(heard[0]!.map(({ qos }) => qos))).toEqual(new Set([0]));
    expect(new Set(heard[1]!.map(({ qos }) => qos))).toEqual(new Set([1]));
  });

  it('gives only the identifier of the session that gets the message (3.3.4)', () => {
    const world = new World5();
    const group = [1, 2].map((id) => {
      const reader = world.join(`r${id}`);
      reader.subscribe({ filter: GROUP }, { subscriptionIds: [id] });
      return reader;
    });
    const publisher = world.join('p');
    for (const payload of numbers(8)) publisher.publish('t', payload);
    const ids = group.map((reader) => reader.messages().map(({ properties }) => properties.subscriptionIds));
    expect(ids.flat().length).toBe(8);
    for (const [i, each] of ids.entries()) expect(each).toEqual(each.map(() => [i + 1]));
  });

  it('beside an own one of the same session gives its message to somebody of the group (4.8.2)', () => {
    const world = new World5();
    const [a, b] = members(world, 0, 'a', 'b') as [Client5, Client5];
    a.subscribe({ filter: 't' });
    const publisher = world.join('p');
    for (const payload of numbers(10)) publisher.publish('t', payload);
    const own = new Set(a.payloads());
    expect(sorted([...own])).toEqual(numbers(10));
    expect(b.payloads().length).toBeGreaterThan(0);
  });

  it('is judged by its filter alone (4.8.2)', () => {
    const asked: string[] = [];
    const subscribeTo = (filter: string): boolean => asked.push(filter) > 0 && filter === 't';
    const world = new World5({ access: new Door(allowing({ subscribe: subscribeTo })) });
    const client = world.join('c');
    expect(client.subscribe([{ filter: GROUP }, { filter: '$share/group/u' }])).toEqual([0x00, 0x87]);
    expect(asked).toEqual(['t', 'u']);
  });
});

describe('a session of a shared subscription', () => {
  it('that unsubscribes leaves it to the others, who get all from then on (4.8.2)', () => {
    const world = new World5();
    const [a, b] = members(world, 1, 'a', 'b') as [Client5, Client5];
    expect(a.unsubscribe('t')).toEqual([0x11]);
    expect(a.unsubscribe('$share/other/t')).toEqual([0x11]);
    expect(a.unsubscribe(GROUP)).toEqual([0x00]);
    const publisher = world.join('p');
    for (const payload of numbers(6)) publisher.publish('t', payload, { qos: 1 });
    expect(b.payloads()).toEqual(numbers(6));
    a.isWell();
  });

  it('that ends leaves it to the others (4.8.2)', () => {
    const world = new World5();
    const [a, b] = members(world, 1, 'a', 'b') as [Client5, Client5];
    a.say(disconnect(0, { sessionExpiryS: 0 }));
    const publisher = world.join('p');
    for (const payload of numbers(6)) publisher.publish('t', payload, { qos: 1 });
    expect(b.payloads()).toEqual(numbers(6));
  });

  it('that subscribes again is there once (4.8.2)', () => {
    const world = new World5();
    const [a, b] = members(world, 0, 'a', 'b') as [Client5, Client5];
    for (let i = 0; i < 5; i++) a.subscribe({ filter: GROUP });
    const publisher = world.join('p');
    for (const payload of numbers(12)) publisher.publish('t', payload);
    const heard = [a.payloads(), b.payloads()];
    expect(sorted(heard.flat())).toEqual(numbers(12));
    expect(heard[1]!.length).toBeGreaterThanOrEqual(4);
    a.unsubscribe(GROUP);
    publisher.publish('t', 'x');
    expect([a.payloads(), b.payloads()]).toEqual([[], ['x']]);
  });

  it.each([1, 2])(
    'that is away gets its share of QoS %i, or the others do: each message reaches one (4.8.2)',
    (qos) => {
      const world = new World5();
      const [a, b] = members(world, 2, 'a', 'b') as [Client5, Client5];
      a.drop();
      const publisher = world.join('p');
      for (const payload of numbers(10)) publisher.publish('t', payload, { qos });
      const heard = [...b.payloads(), ...world.join('a', FOR_AN_HOUR).payloads()];
      expect(sorted(heard)).toEqual(numbers(10));
    },
  );

  it('that is away misses no message where all others are away too (4.8.2) [MQTT-4.5.0-1]', () => {
    const world = new World5();
    for (const member of members(world, 1, 'a', 'b')) member.drop();
    const publisher = world.join('p');
    for (const payload of numbers(10)) publisher.publish('t', payload, { qos: 1 });
    const heard = ['a', 'b'].flatMap((id) => world.join(id, FOR_AN_HOUR).payloads());
    expect(sorted(heard)).toEqual(numbers(10));
  });

  it('that is away keeps no message of QoS 0 from those who are there (4.8.2)', () => {
    const world = new World5();
    const [a, b] = members(world, 1, 'a', 'b') as [Client5, Client5];
    a.drop();
    const publisher = world.join('p');
    for (const payload of numbers(10)) publisher.publish('t', payload);
    expect(b.payloads()).toEqual(numbers(10));
  });

  it('that lost its connection in the middle of QoS 2 gets the rest when it comes back [MQTT-4.8.2-4]', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 2, FOR_AN_HOUR);
    world.join('p').publish('t', 'x', { qos: 2 });
    const { id } = a.message();
    const b = world.reader('b', GROUP, 2, FOR_AN_HOUR);
    a.drop();
    const back = world.join('a', FOR_AN_HOUR);
    expect(back.message()).toMatchObject({ id, dup: true, payload: 'x' });
    expect(back.ack('pubrec', id).next('pubrel').id).toBe(id);
    b.hearsNothing();
  });

  it('that ends in the middle of QoS 2 takes the message with it [MQTT-4.8.2-5]', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 2);
    world.join('p').publish('t', 'x', { qos: 2 });
    a.message();
    const b = world.reader('b', GROUP, 2);
    a.drop();
    b.hearsNothing();
    const released = world.reader('c', '$share/c/u', 2);
    world.join('q').publish('u', 'y', { qos: 2 });
    released.ack('pubrec', released.message().id).next('pubrel');
    const d = world.reader('d', '$share/c/u', 2);
    released.drop();
    d.hearsNothing();
  });

  it('that ends before it acknowledged QoS 1 leaves the message to another (4.8.2)', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 1);
    world.join('p').publish('t', 'x', { qos: 1 });
    a.message();
    const b = world.reader('b', GROUP, 1);
    a.drop();
    expect(b.payloads()).toEqual(['x']);
  });

  it('that ends leaves what it was never sent to another (4.8.2)', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 2, { properties: { receiveMaximum: 1 } });
    const publisher = world.join('p');
    for (const payload of numbers(4)) publisher.publish('t', payload, { qos: 1 });
    expect(a.message().payload).toBe('0');
    const b = world.reader('b', GROUP, 2);
    a.drop();
    expect(sorted(b.payloads())).toEqual(numbers(4));
  });

  it('that ends while it is away, by its time or by a clean start, leaves its messages to another (4.8.2)', () => {
    for (const end of ['time', 'clean start'] as const) {
      const world = new World5();
      const properties = { sessionExpiryS: 60 };
      const a = world.reader('a', GROUP, 1, { properties });
      a.drop();
      const publisher = world.join('p');
      const message = { contentType: 'c', userProperties: [['n', 'v']] } as const;
      for (const payload of numbers(3)) publisher.publish('t', payload, { qos: 1, properties: message });
      const b = world.reader('b', GROUP, 1);
      b.hearsNothing();
      if (end === 'time') world.pass(60_000);
      else world.join('a', { clean: true }).hearsNothing();
      const heard = b.collect();
      expect(sorted(heard.map(({ payload }) => payload))).toEqual(numbers(3));
      for (const { properties: passed, dup } of heard) {
        expect(passed).toEqual(message);
        expect(dup).toBe(false);
      }
    }
  });

  it('that ends leaves QoS 2 that it was never sent to another, and not what it was sent (4.8.2) [MQTT-4.8.2-5]', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 2, { properties: { receiveMaximum: 1 } });
    const publisher = world.join('p');
    for (const payload of numbers(3)) publisher.publish('t', payload, { qos: 2 });
    expect(a.message().payload).toBe('0');
    const b = world.reader('b', GROUP, 2);
    a.drop();
    expect(sorted(b.payloads())).toEqual(['1', '2']);
  });

  it('that was away in between and then ends leaves what it was sent twice to another (4.8.2)', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 1, { properties: { sessionExpiryS: 60 } });
    world.join('p').publish('t', 'x', { qos: 1 });
    a.message();
    a.drop();
    const again = world.join('a', { properties: { sessionExpiryS: 0 } });
    expect(again.message()).toMatchObject({ payload: 'x', dup: true });
    const b = world.reader('b', GROUP, 1);
    again.drop();
    expect(b.messages()).toMatchObject([{ payload: 'x', dup: false }]);
  });

  it('that may not receive the messages leaves them to the others (4.8.2)', () => {
    const receive = (id: string) => (topic: string) => id !== 'a' || topic !== 't';
    const world = new World5({ access: new Door(({ clientId }) => allowing({ receive: receive(clientId) })) });
    const [a, b] = members(world, 1, 'a', 'b') as [Client5, Client5];
    const publisher = world.join('p');
    for (const payload of numbers(6)) publisher.publish('t', payload, { qos: 1 });
    expect(b.payloads()).toEqual(numbers(6));
    a.isWell();
  });

  it('that has no room leaves messages to one that has (4.8.2)', () => {
    const world = new World5();
    const a = world.reader('a', GROUP, 1, { properties: { receiveMaximum: 1 } });
    const b = world.reader('b', GROUP, 1);
    const c = world.reader('c', GROUP, 1);
    c.isCongested = true;
    const publisher = world.join('p');
    for (const payload of numbers(9)) publisher.publish('t', payload, { qos: 1 });
    expect(a.messages().length).toBe(1);
    expect(b.payloads().length).toBe(8);
    c.drained();
    c.isWell();
  });

  it('that is the last to end takes its messages with it (4.8.2)', () => {
    const world = new World5();
    world.reader('a', GROUP, 1, { properties: { sessionExpiryS: 60 } }).drop();
    world.join('p').publish('t', 'x', { qos: 1 });
    world.pass(60_000);
    world.reader('b', GROUP, 1).hearsNothing();
  });

  it('that ends leaves to nobody what was its own (4.8.2)', () => {
    const world = new World5();
    const a = world.reader('a', 't', 1);
    const b = world.reader('b', GROUP, 1);
    world.join('p').publish('t', 'x', { qos: 1 });
    expect(b.payloads()).toEqual(['x']);
    a.message();
    a.drop();
    b.hearsNothing();
  });

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('that refuses a message of QoS %i ends it: nobody else gets it [MQTT-4.8.2-6]', (qos, type) => {
    const world = new World5();
    const a = world.reader('a', GROUP, 2);
    world.join('p').publish('t', 'x', { qos });
    const { id } = a.message();
    const b = world.reader('b', GROUP, 2);
    a.ack(type, id, 0x97).isWell();
    b.hearsNothing();
    a.drop();
    b.hearsNothing();
  });
});

describe('sessions that share, come and go at random', () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

  it.each(seeds)(
    'get each message above QoS 0 in one of them, and in one only: seed %i (4.8.2) [MQTT-4.8.2-4] [MQTT-4.5.0-1]',
    (seed) => {
      const random = new Xoshiro128(seed);
      const world = new World5({ inflightMax: 3 });
      const ids = ['a', 'b', 'c'];
      const clients = new Map(ids.map((id) => [id, world.reader(id, GROUP, 2, FOR_AN_HOUR)]));
      const publisher = world.join('p');
      const owners = new Map<string, string>();
      const note = (id: string, heard: readonly PublishHeard[]): void => {
        for (const { payload, dup } of heard) {
          if (owners.has(payload)) expect([owners.get(payload), dup]).toEqual([id, true]);
          owners.set(payload, id);
        }
      };
      const leave = (id: string): void => {
        const client = clients.get(id);
        note(id, client?.take().filter((packet) => packet.type === 'publish') ?? []);
        client?.drop();
        clients.delete(id);
      };
      let count = 0;
      for (let step = 0; step < 300; step++) {
        const id = ids[between(random, 0, 2)]!;
        const client = clients.get(id);
        const dice = between(random, 0, 9);
        if (dice < 5) publisher.publish('t', `${count++}`, { qos: between(random, 1, 2) });
        else if (client === undefined) clients.set(id, world.join(id, FOR_AN_HOUR));
        else if (dice < 7) leave(id);
        else note(id, client.collect());
      }
      for (const id of ids) {
        leave(id);
        note(id, world.join(id, FOR_AN_HOUR).collect());
      }
      expect(sorted([...owners.keys()])).toEqual(numbers(count));
    },
  );
});
