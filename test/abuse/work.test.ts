// Packets that are small to send and dear to carry out: what one client asks for is done in steps, or refused, and what is
// remembered is bounded.
import { describe, expect, it } from 'vitest';
import { RETAINED_LEVEL_BYTES, RetainedStore } from '../../host/broker/retained.js';
import { filterBytesOf, Routes } from '../../host/broker/routes.js';
import type { Session } from '../../host/broker/session.js';
import { connect, PINGREQ, publish } from '../conformance/mqtt-5.0-wire.js';
import { messageOf } from '../host/broker/scripted.js';
import { Arena, type Attacker, times } from './arena.js';

const MIB = 1024 * 1024;

/** All filters of so many levels, each `+` or `a`: every one of them matches a/a/…/a. */
const explosion = (levels: number, rest = ''): string[] =>
  times(2 ** levels, (i) => times(levels, (bit) => ((i >> bit) & 1 ? '+' : 'a')).join('/') + rest);

function retain(world: Arena, count: number): void {
  const publisher = world.intruder('retaining');
  publisher.say(...times(count, (i) => publish(`r/${i % 100}/${i}`, 'x', { retain: true })));
  expect(world.counters.retainedNow).toBe(count);
  publisher.drop();
}

describe('retained messages for thousands of subscriptions', () => {
  it('are looked for in steps, between which others have their turn', () => {
    const world = new Arena();
    retain(world, 4_000);
    const attacker = world.intruder('attacker');
    // None of them matches anything, and each looks at everything.
    attacker.subscribe(times(50, (i) => ({ filter: `+/+/+/${i}` })));
    expect(attacker.answer().type).toBe('suback');
    expect(world.broker.nextDue()).toBe(world.now + 1);
    let turns = 0;
    for (; world.broker.nextDue() <= world.now + 1; turns++) {
      world.bystandersAreWell();
      world.pass(1);
    }
    expect(turns).toBeGreaterThan(10);
    expect(attacker.closedBy).toBeUndefined();
  });

  it('all come, each once for each subscription, though it takes several turns', () => {
    const world = new Arena();
    retain(world, 4_000);
    const attacker = world.intruder('attacker');
    attacker.subscribe([{ filter: '#' }, { filter: 'r/#' }, { filter: '+/+/+' }, { filter: 'r/7/#' }]);
    world.pass(100);
    expect(attacker.heard().filter(({ type }) => type === 'publish')).toHaveLength(3 * 4_000 + 40);
  });

  it('begin anew where a filter is subscribed to again, so that a packet of one filter a thousand times is as good as one', () => {
    const world = new Arena();
    retain(world, 1_000);
    const attacker = world.intruder('attacker');
    attacker.isCongested = true;
    attacker.subscribe(times(1_000, () => ({ filter: 'r/#' })));
    attacker.heard();
    attacker.drained();
    world.pass(1_000);
    expect(attacker.heard()).toHaveLength(1_000);
  });

  it('do not come faster for a client that says something all the time', () => {
    const world = new Arena();
    retain(world, 4_000);
    const attacker = world.intruder('attacker');
    const filters = times(500, (i) => ({ filter: `+/+/+/${i}` }));
    const dueAt = (): number => {
      attacker.subscribe(filters);
      for (let i = 0; i < 100; i++) attacker.say(PINGREQ).subscribe(filters.slice(0, 1));
      return world.broker.nextDue();
    };
    expect(dueAt()).toBe(world.now + 1);
    world.pass(1);
    expect(world.broker.nextDue()).toBe(world.now + 1); // there is still work for many turns
    world.bystandersAreWell();
  });

  it('that are set, replaced or cleared meanwhile come once, as they are then, or not at all', () => {
    const world = new Arena();
    const client = world.join('c');
    const publisher = world.join('p');
    for (const name of ['a', 'b', 'c/1', 'd']) publisher.publish(`r/${name}`, 'old', { retain: true });
    client.isCongested = true;
    client.subscribe({ filter: 'r/#' });
    publisher.publish('r/b', 'new', { retain: true });
    publisher.publish('r/c/1', '', { retain: true });
    publisher.publish('r/c/1', 'again', { retain: true });
    publisher.publish('r/d', '', { retain: true });
    publisher.publish('r/e', 'first', { retain: true });
    client.drained();
    const heard = client
      .messages()
      .map(({ topic, payload, retain }) => `${topic} ${payload}${retain ? ' (retained)' : ''}`);
    const live = ['r/b new', 'r/c/1 ', 'r/c/1 again', 'r/d ', 'r/e first'];
    expect(heard).toEqual([...live, 'r/a old (retained)']);
  });

  it('go on where others are set and cleared all the time, and end', () => {
    const world = new Arena();
    retain(world, 3_000);
    const attacker = world.intruder('attacker');
    attacker.subscribe([{ filter: 'r/#' }, { filter: 'none/#' }]);
    const flood = world.intruder('flood');
    let turns = 0;
    for (; world.broker.nextDue() <= world.now + 1; turns++) {
      expect(turns).toBeLessThan(100);
      flood.say(...times(50, (i) => publish(`new/${turns}/${i}`, 'x', { retain: true })));
      world.pass(1);
    }
    expect(attacker.heard().filter(({ type }) => type === 'publish')).toHaveLength(3_000);
  });

  it('wait for a client that goes and comes back, and need no room in its queue', () => {
    const world = new Arena({ queueMessagesMax: 10 });
    retain(world, 3_000);
    const stays = { properties: { sessionExpiryS: 60 } };
    const attacker = world.intruder('attacker', stays);
    attacker.isCongested = true;
    attacker.subscribe([{ filter: 'r/#' }]);
    attacker.drop();
    expect(world.info('attacker').queued).toBe(0);
    const back = world.attacker().say(connect('attacker', stays));
    world.pass(10);
    expect(back.heard().filter(({ type }) => type === 'publish')).toHaveLength(3_000);
  });
});

describe('filters that explode', () => {
  it('are refused where they take more than their bytes, so that no message passes by millions of levels', () => {
    const world = new Arena({ subscriptionBytesPerSessionMax: MIB });
    const attacker = world.intruder('attacker');
    const tail = '/+'.repeat(100);
    attacker.subscribe(explosion(10, tail).map((filter) => ({ filter })));
    const { reasons } = attacker.answer();
    const granted = reasons.filter((reason) => reason === 0).length;
    expect(granted).toBe(Math.floor(MIB / filterBytesOf(`${times(10, () => 'a').join('/')}${tail}`)));
    expect(reasons.filter((reason) => reason === 0x97)).toHaveLength(1_024 - granted);
    world.bystandersAreWell();
  });

  it('give back their bytes when they are unsubscribed', () => {
    const world = new Arena({ subscriptionBytesPerSessionMax: filterBytesOf('a/b') });
    const client = world.join('client');
    for (let round = 0; round < 3; round++) {
      expect(client.subscribe([{ filter: 'a/b' }, { filter: 'c' }, { filter: 'a/b' }])).toEqual([0, 0x97, 0]);
      expect(client.unsubscribe('a/b', 'c')).toEqual([0, 0x11]);
    }
  });

  it('bring one copy, with all identifiers, which count as what waits', () => {
    const world = new Arena({ queueBytesMax: 100_000 });
    const attacker = world.intruder('attacker');
    for (const [i, filter] of explosion(12).entries()) {
      attacker.subscribe([{ filter, qos: 1 }], { subscriptionIds: [i + 1] });
    }
    attacker.forget();
    const topic = times(12, () => 'a').join('/');
    attacker.publish(topic);
    const [heard] = attacker.heard();
    expect(new Set(heard?.properties.subscriptionIds)).toEqual(new Set(times(2 ** 12, (i) => i + 1)));
    attacker.isCongested = true;
    attacker.say(...times(100, () => publish(topic)));
    expect(world.info('attacker').queued).toBe(Math.floor(100_000 / (4 * 2 ** 12 + topic.length)));
    world.bystandersAreWell();
  });

  it('leave the identifiers of each subscription its own', () => {
    const world = new Arena();
    const attacker = world.intruder('attacker');
    for (const [i, filter] of ['a/#', 'a/+', '+/b'].entries()) {
      attacker.subscribe([{ filter }], { subscriptionIds: [i + 1] });
    }
    attacker.forget();
    const idsOf = (topic: string): readonly number[] | undefined =>
      attacker.publish(topic).heard()[0]?.properties.subscriptionIds;
    expect(new Set(idsOf('a/b'))).toEqual(new Set([1, 2, 3]));
    expect(idsOf('x/b')).toEqual([3]);
    expect(idsOf('a/c/d')).toEqual([1]);
    expect(new Set(idsOf('a/c'))).toEqual(new Set([1, 2]));
  });
});

describe('ways that are remembered', () => {
  const match = (routes: Routes, topic: string) => routes.match(topic);

  it('are those of short topics only', () => {
    const routes = new Routes();
    const short = 't'.repeat(256);
    const long = 't'.repeat(257);
    expect(match(routes, short)).toBe(match(routes, short));
    expect(match(routes, long)).not.toBe(match(routes, long));
  });

  it('are not more than so many, however many topics there are', () => {
    const routes = new Routes();
    const first = match(routes, 'topic/0');
    expect(match(routes, 'topic/0')).toBe(first);
    for (let i = 1; i <= 70_000; i++) match(routes, `topic/${i}`);
    expect(match(routes, 'topic/0')).not.toBe(first);
  });

  it('count what they lead to', () => {
    const routes = new Routes();
    for (let i = 0; i < 700; i++) {
      const session = { clientId: `${i}` } as Session;
      routes.add({ filter: '#', session, qos: 0, noLocal: false, retainAsPublished: false, ids: undefined }, true);
    }
    const first = match(routes, 'topic/0');
    for (let i = 1; i <= 100; i++) match(routes, `topic/${i}`);
    expect(match(routes, 'topic/0')).not.toBe(first);
  });
});

describe('retained messages with deep topics', () => {
  it('count their levels as bytes, but for those that others share and one a message', () => {
    const levels = times(20, () => 'a').join('/');
    const store = new RetainedStore({ retainedMessagesMax: 100, retainedBytesMax: 25 * RETAINED_LEVEL_BYTES });
    expect(store.set(messageOf(levels, 'x', 0, true))).toBe(true);
    expect(store.set(messageOf(`b/${levels}`, 'x', 0, true))).toBe(false);
    expect(store.set(messageOf(`${levels}/c`, 'x', 0, true))).toBe(true);
    expect(store.set(messageOf('a/b/c/d', 'x', 0, true))).toBe(true);
    expect(store.clear(levels)).toBe(true);
    expect(store.clear(`${levels}/c`)).toBe(true);
    expect(store.set(messageOf(`b/${levels}`, 'x', 0, true))).toBe(true);
  });

  it('leave room for others when they go, to the last byte', () => {
    const store = new RetainedStore({ retainedMessagesMax: 100, retainedBytesMax: 12 * RETAINED_LEVEL_BYTES });
    for (let round = 0; round < 50; round++) {
      const topic = times(12, (i) => `${round % (i + 2)}`).join('/');
      expect(store.set(messageOf(topic, `${round}`, 0, true))).toBe(true);
      expect(store.clear(topic)).toBe(true);
    }
    expect(store.set(messageOf('a', 'x'.repeat(12 * RETAINED_LEVEL_BYTES - 1), 0, true))).toBe(true);
  });

  it('that expire are told once, and not those that were replaced or cleared', () => {
    const store = new RetainedStore({ retainedMessagesMax: 100, retainedBytesMax: 100_000 });
    const set = (topic: string, expiresAt: number) => store.set({ ...messageOf(topic, 'x', 0, true), expiresAt });
    for (let i = 0; i < 1_000; i++) set('replaced', i);
    set('replaced', 5_000);
    set('cleared', 10);
    store.clear('cleared');
    set('$own/a', 20);
    set('a/b', 30);
    const topicsAt = (now: number): string[] => store.expired(now).map(({ topic }) => topic);
    expect([topicsAt(19), topicsAt(20), topicsAt(1_000), topicsAt(1_000)]).toEqual([[], ['$own/a'], ['a/b'], []]);
    expect(topicsAt(5_000)).toEqual(['replaced']);
  });

  it('cannot take more than their bound, and what is there already still comes', () => {
    const world = new Arena({ retainedBytesMax: MIB });
    const attacker = world.intruder('attacker');
    retainDeep(attacker, 2_000);
    expect(world.counters.retainedNow).toBeLessThan(50);
    expect(world.counters.retainRefused).toBeGreaterThan(1_900);
    world.bystandersAreWell();
    const late = world.reader('late', '#');
    world.pass(100);
    expect(late.payloads()).toHaveLength(world.counters.retainedNow);
  });
});

function retainDeep(attacker: Attacker, count: number): void {
  const tail = '/a'.repeat(100);
  for (let i = 0; i < count; i++) attacker.publish(`${i}${tail}`, 'x', { retain: true });
}
