import { describe, expect, it } from 'vitest';
import type { Access } from '../../../host/broker/access.js';
import { plainMessage } from '../../../host/broker/packets.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { Qos } from '../../../host/ports.js';
import { type ScriptedClient, utf8, World } from './scripted.js';

describe('SUBSCRIBE', () => {
  it('is granted filter by filter, in order', () => {
    const permit = { publish: () => true, subscribe: (filter: string) => filter !== 'no', receive: () => true };
    const access: Access = { connect: (_, answer, now) => answer({ outcome: 'accepted', permit }, now) };
    const world = new World({ access, topicLevelsMax: 3, subscriptionsPerSessionMax: 3 });
    const client = world.connect('a');
    const subscriptions = (['x', 'no', 'a/b/c/d', 'y', 'z', 'full', 'x'] as const).map((topic, i) => ({
      topic,
      qos: i % 3,
    }));
    client.say({ cmd: 'subscribe', messageId: 3, subscriptions });
    const granted = [0, ReasonCode.NotAuthorized, ReasonCode.TopicFilterInvalid, 0, 1, ReasonCode.QuotaExceeded, 0];
    expect(client.take()).toEqual([{ cmd: 'suback', messageId: 3, granted }]);
    expect(world.broker.counters.subscriptionsNow).toBe(3);
  });

  it.each([
    ['without a filter', { cmd: 'subscribe', messageId: 1, subscriptions: [] }],
    ['with an invalid filter', { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a#', qos: 0 }] }],
    ['with an empty filter', { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '', qos: 0 }] }],
    ['with QoS 3', { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 3 }] }],
    ['with identifier 0', { cmd: 'subscribe', messageId: 0, subscriptions: [{ topic: 'a', qos: 0 }] }],
    ['unsubscribe with nothing', { cmd: 'unsubscribe', messageId: 1, unsubscriptions: [] }],
    ['unsubscribe with an invalid filter', { cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['+a'] }],
    ['unsubscribe with identifier 0', { cmd: 'unsubscribe', messageId: 0, unsubscriptions: ['a'] }],
  ] as const)('%s ends the connection', (_, packet) => {
    const client = new World().connect('a');
    client.say(packet);
    expect(client.closedBy).toBe('violation');
    expect(client.take()).toEqual([]);
  });

  it('of a filter that is there replaces its QoS', () => {
    const world = new World();
    const client = world.subscriber('a', 't', 0);
    client.subscribe('t', 2);
    client.take();
    world.publish('t', 'x', 2);
    expect(client.messages()).toMatchObject([{ qos: 2 }]);
    expect(world.broker.counters.subscriptionsNow).toBe(1);
  });

  it('of overlapping filters brings one copy, at the highest QoS of those that match', () => {
    const world = new World();
    const client = world.connect('a');
    for (const [filter, qos] of [
      ['a/#', 0],
      ['a/+', 2],
      ['a/b', 1],
      ['+/c', 2],
    ] as [string, Qos][]) {
      client.subscribe(filter, qos);
    }
    client.take();
    world.publish('a/b', 'x', 2);
    world.publish('a', 'y', 2);
    expect(client.messages()).toMatchObject([
      { topic: 'a/b', qos: 2 },
      { topic: 'a', qos: 0 },
    ]);
  });

  it('with a leading wildcard does not see $-topics', () => {
    const world = new World();
    const wild = world.connect('a');
    for (const filter of ['#', '+/x', '+/#']) wild.subscribe(filter);
    const exact = world.subscriber('b', '$aws/#');
    wild.take();
    world.publish('$aws/x', '1');
    expect(wild.take()).toEqual([]);
    expect(exact.texts()).toEqual(['1']);
  });
});

describe('UNSUBSCRIBE', () => {
  it('is always acknowledged and ends what it names exactly', () => {
    const world = new World();
    const client = world.subscriber('a', 't/+');
    const unsubscribe = (...unsubscriptions: string[]) =>
      client.say({ cmd: 'unsubscribe', messageId: 4, unsubscriptions });
    unsubscribe('t/x', 'nothing');
    const granted = [ReasonCode.NoSubscriptionExisted, ReasonCode.NoSubscriptionExisted];
    expect(client.take()).toEqual([{ cmd: 'unsuback', messageId: 4, granted }]);
    world.publish('t/x', '1');
    expect(client.texts()).toEqual(['1']);
    unsubscribe('t/+');
    client.take();
    world.publish('t/x', '2');
    expect(client.take()).toEqual([]);
    expect(world.broker.counters.subscriptionsNow).toBe(0);
  });

  it('does not take back what is on its way', () => {
    const world = new World({ inflightMax: 1 });
    const client = world.subscriber('a', 't', 1);
    world.publish('t', '1', 1);
    world.publish('t', '2', 1);
    const [first] = client.messages();
    client.say({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['t'] });
    client.ack('puback', first!.messageId);
    expect(client.texts()).toEqual(['2']);
  });
});

describe('retained messages', () => {
  const topics = (client: ScriptedClient) => client.messages().map(({ topic, qos, retain }) => [topic, qos, retain]);

  it('come with RETAIN after the SUBACK, at the lower of both QoS', () => {
    const world = new World();
    world.publish('a/b', 'x', 2, true);
    world.publish('a/c', 'y', 0, true);
    world.publish('b', 'z', 1, true);
    const client = world.connect('s');
    client.subscribe('a/+', 1);
    const heard = client.take();
    expect(heard[0]!.cmd).toBe('suback');
    expect(heard.slice(1)).toMatchObject([
      { topic: 'a/b', qos: 1, retain: true, dup: false },
      { topic: 'a/c', qos: 0, retain: true, dup: false },
    ]);
    expect(world.broker.counters).toMatchObject({ retainedNow: 3, retainedSent: 2 });
  });

  it('are live, without RETAIN, for those who subscribed before', () => {
    const world = new World();
    const client = world.subscriber('s', 'a', 1);
    world.connect('p').publish('a', 'x', 1, 1, true);
    expect(topics(client)).toEqual([['a', 1, false]]);
  });

  it('come again with each SUBSCRIBE, and once for each of its filters', () => {
    const world = new World();
    world.publish('a', 'x', 0, true);
    const client = world.connect('s');
    client.subscribe('a');
    client.subscribe('a');
    expect(topics(client)).toHaveLength(2);
    client.say({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [
        { topic: 'a', qos: 0 },
        { topic: '#', qos: 0 },
      ],
    });
    expect(topics(client)).toHaveLength(2);
  });

  it('do not come when a session is resumed', () => {
    const world = new World();
    world.subscriber('s', 'a', 1, { clean: false }).drop();
    const before = world.connect('p');
    before.publish('a', 'x', 0, 0, true);
    expect(world.connect('s', { clean: false }).take()).toEqual([]);
  });

  it('are cleared by an empty one, which is passed on', () => {
    const world = new World();
    const client = world.subscriber('s', 'a');
    world.publish('a', 'x', 0, true);
    world.publish('a', '', 0, true);
    expect(topics(client)).toEqual([
      ['a', 0, false],
      ['a', 0, false],
    ]);
    client.subscribe('a');
    expect(client.messages()).toEqual([]);
    expect(world.broker.counters.retainedNow).toBe(0);
  });

  it('are replaced by the newest, whatever its QoS, and not touched by what is not to be retained', () => {
    const world = new World();
    world.publish('a', '1', 2, true);
    world.publish('a', '2', 0, true);
    world.publish('a', '3', 0, false);
    const client = world.connect('s');
    client.subscribe('a', 2);
    expect(client.texts()).toEqual(['2']);
  });

  it('below $ are found by name only', () => {
    const world = new World();
    world.publish('$SYS/a', '1', 0, true);
    world.publish('b', '2', 0, true);
    const client = world.connect('s');
    client.subscribe('#');
    expect(client.texts()).toEqual(['2']);
    client.subscribe('$SYS/+');
    expect(client.texts()).toEqual(['1']);
  });

  it('are passed on and not retained where there is no room', () => {
    const world = new World({ retainedMessagesMax: 1 });
    const client = world.subscriber('s', '#');
    world.publish('a', '1', 0, true);
    world.publish('b', '2', 0, true);
    expect(client.texts()).toEqual(['1', '2']);
    expect(world.broker.counters).toMatchObject({ retainedNow: 1, retainRefused: 1 });
  });

  it('come as soon as they can, though nothing is left of what waited before them', () => {
    const world = new World();
    world.publish('kept', 'kept', 0, true);
    const client = world.subscriber('c', 'live');
    client.isCongested = true;
    const late = plainMessage({ topic: 'live', payload: utf8('late'), qos: 0, retain: false });
    world.broker.publish({ ...late, expiresAt: world.now + 1 }, world.now);
    client.subscribe('kept', 0, 2);
    world.now += 1;
    client.drained();
    expect(client.texts()).toEqual(['kept']);
  });
});
