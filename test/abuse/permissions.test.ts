// Permissions that change after a message was taken in: what waited for a client, what is retained, what is shared and what was
// a will go by what holds when they are delivered or published.
import { describe, expect, it } from 'vitest';
import type { Permit, Verdict } from '../../host/broker/access.js';
import { allowing, Door } from '../conformance/mqtt-5.0-access.js';
import { type ConnectIn, publish } from '../conformance/mqtt-5.0-wire.js';
import { Arena, times } from './arena.js';

const FOR_AN_HOUR: ConnectIn = { properties: { sessionExpiryS: 3_600 } };
const REFRESH_MS = 1_000;

/** A broker that asks anew every second, and a say in what each client may. */
function begin(config = {}) {
  const permits = new Map<string, Partial<Permit>>();
  const door = new Door(({ clientId }): Verdict => {
    const verdict = allowing(permits.get(clientId) ?? {});
    return { ...verdict, refreshAfterMs: REFRESH_MS } as Verdict;
  });
  return { world: new Arena({ access: door, ...config }), permits, door };
}

const NOTHING: Partial<Permit> = { publish: () => false, subscribe: () => false, receive: () => false };
const notSecret = (topic: string): boolean => !topic.startsWith('secret');

describe('what waited for a client', () => {
  it('is not sent to it once it may not have it any more, and the rest is, in its order', () => {
    const { world, permits } = begin();
    world.reader('c', '#', 1, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    for (let i = 0; i < 20; i++) publisher.publish(i % 2 === 0 ? 'secret' : 'open', `${i}`, { qos: 1 });
    permits.set('c', { receive: notSecret });
    expect(world.join('c', FOR_AN_HOUR).payloads()).toEqual(times(10, (i) => `${2 * i + 1}`));
    expect(world.counters.droppedNotReceivable).toBe(10);
    world.bystandersAreWell();
  });

  it('is not sent again either, though it was sent once, and gives back its place in the window', () => {
    const { world, permits } = begin({ inflightMax: 5 });
    const before = world.reader('c', '#', 1, FOR_AN_HOUR);
    const publisher = world.join('p');
    for (let i = 0; i < 20; i++) publisher.publish('secret', `${i}`, { qos: 1 });
    expect(before.messages()).toHaveLength(5);
    before.drop();
    permits.set('c', { receive: notSecret });
    const after = world.join('c', FOR_AN_HOUR);
    after.hearsNothing();
    expect(world.info('c')).toMatchObject({ inflight: 0, queued: 0 });
    publisher.publish('open', 'x', { qos: 1 });
    expect(after.payloads()).toEqual(['x']);
  });

  it('goes by the permission of the moment also while it is connected', () => {
    const { world, permits } = begin();
    const slow = world.reader('c', '#');
    slow.isCongested = true;
    const publisher = world.join('p');
    publisher.publish('secret', '1');
    publisher.publish('open', '2');
    permits.set('c', { receive: notSecret });
    world.pass(REFRESH_MS);
    slow.drained();
    expect(slow.payloads()).toEqual(['2']);
    publisher.publish('secret', '3');
    slow.hearsNothing();
    world.bystandersAreWell();
  });

  it('does not come to a client whose subscription was allowed once, when everything is taken from it', () => {
    const { world, permits } = begin();
    const reader = world.reader('c', '#', 2);
    permits.set('c', NOTHING);
    world.pass(REFRESH_MS);
    const publisher = world.join('p');
    for (const qos of [0, 1, 2]) publisher.publish('t', 'x', { qos });
    reader.hearsNothing();
    expect(reader.publish('t', 'x', { qos: 1 })).toBe(0x87);
    expect(reader.subscribe({ filter: 'u' })).toEqual([0x87]);
    world.bystandersAreWell();
  });
});

describe('retained messages', () => {
  it('are sent as far as the client may have them', () => {
    const { world, permits } = begin();
    const publisher = world.join('p');
    for (let i = 0; i < 10; i++) publisher.publish(i % 2 === 0 ? `secret/${i}` : `open/${i}`, `${i}`, { retain: true });
    permits.set('c', { receive: notSecret });
    expect(world.reader('c', '#').payloads().sort()).toEqual(['1', '3', '5', '7', '9']);
    expect(world.counters.droppedNotReceivable).toBe(5);
  });

  it('that were on their way when the permission went are not sent, in this connection and the next', () => {
    const { world, permits } = begin();
    const publisher = world.intruder('p');
    publisher.say(...times(100, (i) => publish(`secret/${i}`, 'x', { retain: true, qos: 0 })));
    const client = world.join('c', FOR_AN_HOUR);
    client.isCongested = true;
    client.subscribe({ filter: 'secret/#', qos: 1 });
    permits.set('c', { receive: notSecret });
    world.pass(REFRESH_MS);
    client.drop();
    world.join('c', FOR_AN_HOUR).hearsNothing();
    expect(world.counters.droppedNotReceivable).toBe(100);
  });

  it('are not set by a client that may not publish, nor cleared', () => {
    const { world, permits } = begin();
    world.join('p').publish('t', 'kept', { retain: true });
    permits.set('c', { publish: (_, __, retain) => !retain });
    const client = world.join('c');
    expect(client.publish('t', '', { retain: true, qos: 1 })).toBe(0x87);
    expect(client.publish('t', 'other', { retain: true, qos: 2 })).toBe(0x87);
    expect(client.publish('t', 'passed on', { qos: 1 })).toBe(0x10);
    expect(world.reader('late', 't').payloads()).toEqual(['kept']);
  });
});

describe('shared subscriptions', () => {
  it('pass by those who may not have the message', () => {
    const { world, permits } = begin();
    for (let i = 0; i < 3; i++) permits.set(`c${i}`, { receive: notSecret });
    const group = times(4, (i) => world.reader(`c${i}`, '$share/g/#', 1));
    const publisher = world.join('p');
    for (let i = 0; i < 8; i++) publisher.publish('secret', `${i}`, { qos: 1 });
    expect(group.map((one) => one.payloads().length)).toEqual([0, 0, 0, 8]);
    for (let i = 0; i < 8; i++) publisher.publish('open', `${i}`, { qos: 1 });
    expect(group.map((one) => one.payloads().length)).toEqual([2, 2, 2, 2]);
  });

  it('do not hand what a client left behind to one that may not have it', () => {
    const { world, permits } = begin({ inflightMax: 1 });
    const leaving = world.reader('c0', '$share/g/#', 1);
    permits.set('c1', { receive: notSecret });
    const other = world.reader('c1', '$share/g/#', 1);
    const publisher = world.join('p');
    for (let i = 0; i < 4; i++) publisher.publish('secret', `${i}`, { qos: 1 });
    expect(world.info('c0')).toMatchObject({ inflight: 1, queued: 3 });
    leaving.drop();
    other.hearsNothing();
    expect(world.counters.droppedNobody).toBe(4);
  });
});

describe('a will', () => {
  const will = { topic: 'secret/will', payload: 'gone', retain: true };

  it('is refused with its client where that may not publish it', () => {
    const { world, permits } = begin();
    permits.set('c', { publish: notSecret });
    world.open().connect('c', { will }).refused(0x87);
    world.bystandersAreWell();
  });

  it('is not published when the permission went meanwhile', () => {
    const { world, permits } = begin();
    const heir = world.reader('heir', 'secret/#');
    const client = world.join('c', { will });
    permits.set('c', { publish: notSecret });
    world.pass(REFRESH_MS);
    client.drop();
    heir.hearsNothing();
    expect(world.counters).toMatchObject({ willsPublished: 0, retainedNow: 0, droppedDenied: 1 });
  });

  it('that waits for its delay is one that was allowed when the client went', () => {
    const { world, permits } = begin();
    const heir = world.reader('heir', 'secret/#');
    const delayed = { ...will, properties: { willDelayS: 10 } };
    world.join('c', { ...FOR_AN_HOUR, will: delayed }).drop();
    permits.set('c', NOTHING);
    world.pass(10_000);
    expect(heir.payloads()).toEqual(['gone']);
  });

  it('of a client that is thrown out for what it may not do is published as any other', () => {
    const { world, door } = begin();
    const heir = world.reader('heir', 'secret/#');
    world.join('c', { will });
    const verdict = door.verdict as (request: { readonly clientId: string }) => Verdict;
    door.verdict = (request) => (request.clientId === 'c' ? { outcome: 'refused', reason: 0x87 } : verdict(request));
    world.pass(REFRESH_MS);
    expect(heir.payloads()).toEqual(['gone']);
    world.bystandersAreWell();
  });
});
