// MQTT 5.0, sections 3.1.2.11.2, 4.1, 4.4 and 4.5: how long a session stays, what is in it, and what comes again.
import { describe, expect, it } from 'vitest';
import { type Client5, FOR_AN_HOUR, HOUR_MS, World5 } from './mqtt-5.0-client.js';
import { ack, type ConnectIn, disconnect, publish } from './mqtt-5.0-wire.js';

const SECOND_MS = 1_000;
const NEVER = 0xffff_ffff;
const expiry = (sessionExpiryS: number): ConnectIn => ({ properties: { sessionExpiryS } });

/** Whether there is a session of the client, which makes it the client's again for `sessionExpiryS`. */
function isThere(world: World5, clientId: string, sessionExpiryS = 3_600): boolean {
  const client = world.join(clientId, expiry(sessionExpiryS));
  const { sessionPresent } = client.connack;
  client.drop();
  return sessionPresent;
}

describe('a session', () => {
  it('ends with its connection where no expiry is asked for [MQTT-4.1.0-2]', () => {
    const world = new World5();
    world.reader('c', 'a', 1).drop();
    expect(isThere(world, 'c')).toBe(false);
  });

  it('ends with its connection where the expiry is 0 [MQTT-4.1.0-2]', () => {
    const world = new World5();
    world.reader('c', 'a', 1, expiry(0)).drop();
    expect(isThere(world, 'c')).toBe(false);
  });

  it('stays as long as was asked [MQTT-3.1.2-23] [MQTT-4.1.0-2]', () => {
    const world = new World5();
    world.reader('c', 'a', 1, expiry(10)).drop();
    world.pass(10 * SECOND_MS - 1);
    expect(isThere(world, 'c', 10)).toBe(true);
    world.pass(10 * SECOND_MS + 1);
    expect(isThere(world, 'c', 10)).toBe(false);
  });

  it('takes its expiry from the last CONNECT (3.1.2.11.2)', () => {
    const world = new World5();
    world.reader('c', 'a', 1, expiry(10)).drop();
    world.join('c', expiry(100)).drop();
    world.pass(50 * SECOND_MS);
    expect(isThere(world, 'c', 0)).toBe(true);
    expect(isThere(world, 'c')).toBe(false);
  });

  it('stays for ever where that was asked (3.1.2.11.2)', () => {
    const world = new World5();
    world.reader('c', 'a', 1, expiry(NEVER)).drop();
    world.pass(200 * 366 * 24 * HOUR_MS);
    expect(isThere(world, 'c')).toBe(true);
  });

  it('does not end while its client is connected [MQTT-4.1.0-1]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 1, expiry(1));
    world.pass(HOUR_MS);
    world.join('p').publish('a', 'x', { qos: 1 });
    expect(client.payloads()).toEqual(['x']);
  });

  it('that ended while away takes subscriptions and messages with it [MQTT-4.1.0-2]', () => {
    const world = new World5();
    world.reader('c', 'a', 1, expiry(10)).drop();
    world.join('p').publish('a', 'x', { qos: 1 });
    world.pass(11 * SECOND_MS);
    const back = world.join('c', FOR_AN_HOUR);
    expect(back.connack.sessionPresent).toBe(false);
    world.join('p').publish('a', 'y', { qos: 1 });
    back.hearsNothing();
  });

  it('counts from the end of the connection [MQTT-4.1.0-2]', () => {
    const world = new World5();
    const client = world.join('c', expiry(10));
    world.pass(9 * SECOND_MS);
    client.drop();
    world.pass(9 * SECOND_MS);
    expect(isThere(world, 'c')).toBe(true);
  });

  it('does not outlive what the broker allows, for ever or not (3.2.2.3.2)', () => {
    for (const asked of [3_600, NEVER]) {
      const world = new World5({ offlineSessionMsMax: 20_000 });
      world.join('c', expiry(asked)).drop();
      world.pass(20 * SECOND_MS - 1);
      const back = world.join('c', expiry(asked));
      expect(back.connack.sessionPresent).toBe(true);
      back.drop();
      world.pass(20 * SECOND_MS + 1);
      expect(isThere(world, 'c')).toBe(false);
    }
  });
});

describe('the session expiry of a DISCONNECT', () => {
  it('replaces that of CONNECT (3.14.2.2.2)', () => {
    const world = new World5();
    world
      .join('c', expiry(3_600))
      .say(disconnect(0, { sessionExpiryS: 10 }))
      .isOver();
    world.pass(10 * SECOND_MS + 1);
    expect(isThere(world, 'c')).toBe(false);
  });

  it('may be longer (3.14.2.2.2)', () => {
    const world = new World5();
    world
      .join('c', expiry(10))
      .say(disconnect(0, { sessionExpiryS: 100 }))
      .isOver();
    world.pass(50 * SECOND_MS);
    expect(isThere(world, 'c')).toBe(true);
  });

  it('may be for ever (3.14.2.2.2)', () => {
    const world = new World5();
    world
      .join('c', expiry(10))
      .say(disconnect(0, { sessionExpiryS: NEVER }))
      .isOver();
    world.pass(20 * 366 * 24 * HOUR_MS);
    expect(isThere(world, 'c')).toBe(true);
  });

  it('may end the session at once (3.14.2.2.2)', () => {
    const world = new World5();
    world
      .join('c', expiry(10))
      .say(disconnect(0, { sessionExpiryS: 0 }))
      .isOver();
    expect(isThere(world, 'c')).toBe(false);
  });

  it('absent leaves that of CONNECT (3.14.2.2.2)', () => {
    const world = new World5();
    world.join('c', expiry(10)).say(disconnect(0, {})).isOver();
    world.pass(9 * SECOND_MS);
    expect(isThere(world, 'c')).toBe(true);
  });

  it('may not make a session stay that was to end with its connection (3.14.2.2.2)', () => {
    const world = new World5();
    world
      .join('c', expiry(0))
      .say(disconnect(0, { sessionExpiryS: 10 }))
      .ended(0x82);
    expect(isThere(world, 'c')).toBe(false);
  });

  it('of 0 is allowed where CONNECT had 0 (3.14.2.2.2)', () => {
    const world = new World5();
    world
      .join('c', expiry(0))
      .say(disconnect(0, { sessionExpiryS: 0 }))
      .isOver();
  });

  it('is bounded by what the broker allows (3.2.2.3.2)', () => {
    const world = new World5({ offlineSessionMsMax: 20_000 });
    world
      .join('c', expiry(10))
      .say(disconnect(0, { sessionExpiryS: 3_600 }))
      .isOver();
    world.pass(20 * SECOND_MS + 1);
    expect(isThere(world, 'c')).toBe(false);
  });

  it('breaks no rule where the client had asked for a session, and the broker keeps none (3.14.2.2.2)', () => {
    const world = new World5({ offlineSessionMsMax: 0 });
    const will = world.reader('will', 'w');
    const client = world.join('c', { ...expiry(10), will: { topic: 'w', payload: 'x' } });
    client.say(disconnect(0, { sessionExpiryS: 3_600 })).isOver();
    will.hearsNothing();
    expect(isThere(world, 'c')).toBe(false);
  });
});

describe('what a session keeps', () => {
  it('is its subscriptions, with their options and identifiers [MQTT-3.1.2-23] [MQTT-3.1.2-5]', () => {
    const world = new World5();
    const client = world.join('c', FOR_AN_HOUR);
    client.subscribe({ filter: 'a', qos: 1, retainAsPublished: true, noLocal: true }, { subscriptionIds: [77] });
    client.drop();
    const back = world.join('c', FOR_AN_HOUR);
    back.publish('a', 'own', { qos: 1 });
    world.join('p').publish('a', 'x', { qos: 2, retain: true });
    const message = back.message();
    expect(message).toMatchObject({ payload: 'x', qos: 1, retain: true, properties: { subscriptionIds: [77] } });
    back.ack('puback', message.id).isWell();
  });

  it('is messages of QoS 1 and 2 that came meanwhile, in their order [MQTT-4.5.0-1] [MQTT-3.1.2-23]', () => {
    const world = new World5();
    world.reader('c', 'a', 2, FOR_AN_HOUR).drop();
    const publisher = world.join('p');
    for (let i = 0; i < 9; i++) publisher.publish('a', `${i}`, { qos: 1 + (i % 2) });
    const back = world.join('c', FOR_AN_HOUR);
    expect(back.payloads()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8']);
  });

  it('is for each client with a matching subscription [MQTT-4.5.0-1]', () => {
    const world = new World5();
    for (const id of ['a', 'b', 'c']) world.reader(id, 't/+', 1, FOR_AN_HOUR).drop();
    world.join('p').publish('t/1', 'x', { qos: 1 });
    for (const id of ['a', 'b', 'c']) expect(world.join(id, FOR_AN_HOUR).payloads()).toEqual(['x']);
  });

  it('is the properties of its messages (4.1) [MQTT-4.5.0-1]', () => {
    const world = new World5();
    const client = world.join('c', FOR_AN_HOUR);
    client.subscribe({ filter: 'a', qos: 1 }, { subscriptionIds: [5] });
    client.drop();
    const properties = {
      payloadFormat: 1,
      contentType: 't',
      responseTopic: 'r',
      correlationData: 'd',
      userProperties: [
        ['z', '1'],
        ['a', '2'],
      ],
    } as const;
    world.join('p').publish('a', 'x', { qos: 1, properties });
    expect(world.join('c', FOR_AN_HOUR).message().properties).toEqual({ ...properties, subscriptionIds: [5] });
  });

  it('is the identifiers of QoS 2 messages that the client has not released [MQTT-3.1.2-5] [MQTT-4.3.3-10]', () => {
    const world = new World5();
    const reader = world.reader('reader', 'a', 2);
    const client = world.join('c', FOR_AN_HOUR);
    client.say(publish('a', 'x', { qos: 2, id: 5 }));
    client.next('pubrec');
    client.drop();
    const back = world.join('c', FOR_AN_HOUR);
    back.say(publish('a', 'x', { qos: 2, id: 5, dup: true }));
    expect(back.next('pubrec')).toMatchObject({ id: 5, reason: 0 });
    back.say(ack('pubrel', 5));
    expect(back.next('pubcomp')).toMatchObject({ id: 5, reason: 0 });
    expect(reader.payloads()).toEqual(['x']);
  });

  it('is nothing of the limits of the connection before (4.1)', () => {
    const world = new World5();
    const client = world.join('c', { properties: { sessionExpiryS: 60, maximumPacketSize: 20, receiveMaximum: 1 } });
    client.subscribe({ filter: 'a', qos: 1 });
    client.drop();
    const publisher = world.join('p');
    publisher.publish('a', 'x'.repeat(50), { qos: 1 });
    publisher.publish('a', 'y', { qos: 1 });
    expect(world.join('c', FOR_AN_HOUR).messages().length).toBe(2);
  });
});

/** A subscriber that has heard one message of this QoS and not acknowledged it, away since. */
function interrupted(qos: number): { world: World5; id: number } {
  const world = new World5();
  const client = world.reader('c', 'a', 2, FOR_AN_HOUR);
  world.join('p').publish('a', 'x', { qos });
  const message = client.message();
  expect(message.dup).toBe(false);
  client.drop();
  return { world, id: message.id };
}

const back = (world: World5): Client5 => world.join('c', FOR_AN_HOUR);

describe('what comes again', () => {
  it.each([1, 2])(
    'is a PUBLISH of QoS %i that was not acknowledged, with its identifier and DUP [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3]',
    (qos) => {
      const { world, id } = interrupted(qos);
      expect(back(world).messages()).toMatchObject([{ id, dup: true, qos, payload: 'x' }]);
    },
  );

  it('has the RETAIN and the subscription identifiers that it had [MQTT-4.4.0-1] [MQTT-3.3.1-13] [MQTT-3.3.4-3]', () => {
    const world = new World5();
    const publisher = world.join('p');
    publisher.publish('a', 'kept', { qos: 1, retain: true });
    const client = world.join('c', FOR_AN_HOUR);
    client.subscribe({ filter: 'a', qos: 2, retainAsPublished: true }, { subscriptionIds: [7] });
    publisher.publish('a', 'live', { qos: 2, retain: true });
    publisher.publish('a', 'plain', { qos: 1 });
    const [kept, live, plain] = client.messages();
    expect([kept, live, plain].map((message) => message?.retain)).toEqual([true, true, false]);
    client.drop();
    expect(back(world).messages()).toMatchObject(
      [kept, live, plain].map((message) => ({
        id: message?.id,
        dup: true,
        retain: message?.retain,
        properties: { subscriptionIds: [7] },
      })),
    );
  });

  it('is it as often as the client comes back [MQTT-4.4.0-1]', () => {
    const { world, id } = interrupted(1);
    for (let i = 0; i < 3; i++) {
      const client = back(world);
      expect(client.messages()).toMatchObject([{ id, dup: true }]);
      client.drop();
    }
  });

  it('is not a PUBLISH that was acknowledged [MQTT-4.4.0-1] [MQTT-4.3.2-3]', () => {
    const { world, id } = interrupted(1);
    const client = back(world);
    client.take();
    client.ack('puback', id).drop();
    back(world).hearsNothing();
  });

  it('is a PUBREL that was not answered, and not the PUBLISH any more [MQTT-4.4.0-1] [MQTT-4.3.3-5] [MQTT-4.3.3-6]', () => {
    const { world, id } = interrupted(2);
    const client = back(world);
    client.take();
    client.ack('pubrec', id);
    expect(client.next('pubrel')).toMatchObject({ id, reason: 0 });
    client.drop();
    const again = back(world);
    expect(again.next('pubrel')).toMatchObject({ id, reason: 0 });
    again.hearsNothing();
    again.ack('pubcomp', id).drop();
    back(world).hearsNothing();
  });

  it('is in the order in which it was sent, before what is new [MQTT-4.6.0-5] [MQTT-4.4.0-1]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 2, FOR_AN_HOUR);
    const publisher = world.join('p');
    for (let i = 0; i < 6; i++) publisher.publish('a', `${i}`, { qos: 1 });
    const ids = client.messages().map(({ id }) => id);
    client.ack('puback', ids[2]!).drop();
    publisher.publish('a', 'new', { qos: 1 });
    const again = back(world).messages();
    expect(again.map(({ payload }) => payload)).toEqual(['0', '1', '3', '4', '5', 'new']);
    expect(again.map(({ dup }) => dup)).toEqual([true, true, true, true, true, false]);
    expect(again.slice(0, 5).map(({ id }) => id)).toEqual(ids.filter((_, i) => i !== 2));
  });

  it('does not come while the connection is open, however long [MQTT-4.4.0-1]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 2, FOR_AN_HOUR);
    const publisher = world.join('p');
    publisher.publish('a', 'x', { qos: 1 });
    publisher.publish('a', 'y', { qos: 2 });
    const [, second] = client.messages();
    client.ack('pubrec', second!.id).next('pubrel');
    world.pass(10 * HOUR_MS);
    client.hearsNothing();
  });

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('is not a PUBLISH of QoS %i that the client has refused [MQTT-4.4.0-2]', (qos, type) => {
    for (const reason of [0x80, 0x83, 0x87, 0x90, 0x97, 0x99]) {
      const { world, id } = interrupted(qos);
      const client = back(world);
      client.take();
      client.ack(type, id, reason);
      client.hearsNothing(); // no PUBREL either
      client.drop();
      back(world).hearsNothing();
    }
  });

  it('is nothing where the client begins anew [MQTT-3.1.2-4]', () => {
    const { world } = interrupted(2);
    world.join('c', { clean: true }).hearsNothing();
  });

  it('is not more at a time than the new connection takes [MQTT-4.9.0-1] [MQTT-3.3.4-9]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 2, FOR_AN_HOUR);
    const publisher = world.join('p');
    for (let i = 0; i < 6; i++) publisher.publish('a', `${i}`, { qos: 1 + (i % 2) });
    expect(client.messages().length).toBe(6);
    client.drop();
    const narrow = world.join('c', { properties: { sessionExpiryS: 60, receiveMaximum: 2 } });
    expect(narrow.payloads()).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)(
    'is not a PUBLISH of QoS %i that is acknowledged before its turn has come [MQTT-4.3.2-3] [MQTT-4.3.3-6]',
    (qos, type) => {
      const world = new World5();
      const client = world.reader('c', 'a', 2, FOR_AN_HOUR);
      const publisher = world.join('p');
      for (let i = 0; i < 3; i++) publisher.publish('a', `${i}`, { qos });
      const ids = client.messages().map(({ id }) => id);
      client.drop();
      const narrow = world.join('c', { properties: { sessionExpiryS: 60, receiveMaximum: 1 } });
      expect(narrow.messages()).toMatchObject([{ id: ids[0], dup: true }]);
      // It had the second one already, and says so now.
      narrow.ack(type, ids[1]!);
      if (qos === 2) {
        expect(narrow.next('pubrel').id).toBe(ids[1]);
        narrow.ack('pubcomp', ids[1]!);
      }
      narrow.hearsNothing();
      narrow.ack(type, ids[0]!);
      if (qos === 2) {
        expect(narrow.next('pubrel').id).toBe(ids[0]);
        narrow.ack('pubcomp', ids[0]!);
      }
      expect(narrow.messages()).toMatchObject([{ id: ids[2], dup: true, payload: '2' }]);
      narrow.ack(type, ids[2]!);
      if (qos === 2) narrow.next('pubrel');
      publisher.publish('a', 'new', { qos: 0 });
      expect(narrow.messages()).toMatchObject([{ payload: 'new' }]);
    },
  );

  it('comes before what is new also where the client begins to read just then [MQTT-4.6.0-5]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 1, FOR_AN_HOUR);
    const publisher = world.join('p');
    publisher.publish('a', 'sent', { qos: 1 });
    client.messages();
    client.drop();
    publisher.publish('a', 'queued', { qos: 1 });
    const back = world.open();
    back.isCongested = true;
    back.connect('c', FOR_AN_HOUR).accepted().hearsNothing();
    back.isCongested = false; // and the broker has not been told yet
    publisher.publish('a', 'new', { qos: 1 });
    back.drained();
    expect(back.messages().map(({ payload, dup }) => [payload, dup])).toEqual([
      ['sent', true],
      ['queued', false],
      ['new', false],
    ]);
  });

  it('comes before what is new where nothing else waits [MQTT-4.6.0-5]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 1, FOR_AN_HOUR);
    const publisher = world.join('p');
    publisher.publish('a', 'sent', { qos: 1 });
    client.messages();
    client.drop();
    const back = world.open();
    back.isCongested = true;
    back.connect('c', FOR_AN_HOUR).accepted();
    back.isCongested = false;
    publisher.publish('a', 'new', { qos: 1 });
    back.drained();
    expect(back.messages().map(({ payload }) => payload)).toEqual(['sent', 'new']);
  });
});
