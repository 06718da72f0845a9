// MQTT 5.0, sections 3.8 to 3.12: subscribing, unsubscribing, and what a subscription is answered with.
import { describe, expect, it } from 'vitest';
import { allowing, Door } from './mqtt-5.0-access.js';
import { FOR_AN_HOUR, UNLIMITED, World5 } from './mqtt-5.0-client.js';
import { bytes, join, PINGREQ, packet, publish, subscribe, u8, u16, unsubscribe } from './mqtt-5.0-wire.js';

describe('SUBSCRIBE', () => {
  it('is answered, whatever comes of it [MQTT-3.8.4-1] [MQTT-3.8.4-2]', () => {
    const client = new World5().join('c');
    client.say(subscribe(41, [{ filter: 'a' }]), subscribe(42, [{ filter: 'a', qos: 1 }]));
    expect(client.take()).toMatchObject([
      { type: 'suback', id: 41, reasons: [0] },
      { type: 'suback', id: 42, reasons: [1] },
    ]);
  });

  it('has at least one filter [MQTT-3.8.3-2]', () => {
    const client = new World5().join('c');
    client.say(packet(0x82, u16(1), u8(0))).ended(0x82, 0x81);
  });

  it.each([
    ['bit 6', 0x40],
    ['bit 7', 0x80],
    ['all', 0xc0],
  ])('with reserved options is malformed: %s [MQTT-3.8.3-5]', (_, options) => {
    const client = new World5().join('c');
    client.say(subscribe(1, [{ filter: 'a', options }])).ended(0x81);
  });

  it('of QoS 3 is refused (3.8.3.1)', () => {
    new World5()
      .join('c')
      .say(subscribe(1, [{ filter: 'a', options: 3 }]))
      .ended(0x82, 0x81);
  });

  it('of retain handling 3 is refused (3.8.3.1)', () => {
    new World5()
      .join('c')
      .say(subscribe(1, [{ filter: 'a', options: 0x30 }]))
      .ended(0x82, 0x81);
  });

  it('that is wrong in one place does nothing in the others [MQTT-3.8.3-5]', () => {
    const world = new World5();
    const client = world.join('c', FOR_AN_HOUR);
    client
      .say(
        subscribe(1, [
          { filter: 'a', qos: 1 },
          { filter: 'b', options: 0xc0 },
        ]),
      )
      .ended(0x81);
    world.join('p').publish('a', 'x', { qos: 1 });
    world.join('c', FOR_AN_HOUR).hearsNothing();
  });

  it('of many filters is as many SUBSCRIBEs, with one answer in their order [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2]', () => {
    const world = new World5({ access: new Door(allowing({ subscribe: (filter) => !filter.startsWith('no') })) });
    const client = world.join('c');
    const filters = [
      { filter: 'a', qos: 2 },
      { filter: 'no/1', qos: 1 },
      { filter: 'b', qos: 0 },
      { filter: 'no/2', qos: 0 },
      { filter: 'c', qos: 1 },
    ];
    expect(client.subscribe(filters)).toEqual([0x02, 0x87, 0x00, 0x87, 0x01]);
    const publisher = world.join('p');
    for (const topic of ['a', 'no/1', 'b', 'no/2', 'c']) publisher.publish(topic, topic, { qos: 2 });
    expect(client.collect().map(({ topic, qos }) => [topic, qos])).toEqual([
      ['a', 2],
      ['b', 0],
      ['c', 1],
    ]);
  });

  it('of the same filter twice ends as the last says [MQTT-3.8.4-5] [MQTT-3.8.4-3]', () => {
    const world = new World5();
    const client = world.join('c');
    expect(
      client.subscribe([
        { filter: 'a', qos: 2 },
        { filter: 'a', qos: 0 },
      ]),
    ).toEqual([2, 0]);
    world.join('p').publish('a', 'x', { qos: 2 });
    expect(client.messages()).toMatchObject([{ qos: 0 }]);
  });

  it.each(['', 'a/#/b', 'a#', 'a+', '+a/b', '#/a', 'a/b+', '##', 'a/#b'])(
    'of the filter "%s" is refused [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1]',
    (filter) => {
      const world = new World5();
      const client = world.join('c');
      client.say(subscribe(1, [{ filter }, { filter: 'good' }]));
      const [first, ...rest] = client.take();
      expect(rest).toEqual([]);
      if (first?.type === 'suback') {
        expect(first.reasons).toEqual([0x8f, 0x00]);
        client.isWell();
      } else {
        expect(first).toMatchObject({ type: 'disconnect' });
        expect([0x81, 0x82, 0x8f]).toContain(first?.type === 'disconnect' ? first.reason : 0);
        expect(client.isClosed).toBe(true);
      }
    },
  );

  it('of the same filter replaces the subscription, options and all [MQTT-3.8.4-3]', () => {
    const world = new World5();
    const client = world.join('c');
    client.subscribe({ filter: 'a', qos: 2, noLocal: true, retainAsPublished: true });
    client.subscribe({ filter: 'a', qos: 1 });
    client.publish('a', 'x', { qos: 2, retain: true });
    expect(client.messages()).toMatchObject([{ qos: 1, retain: false }]);
    client.unsubscribe('a');
    client.publish('a', 'y', { qos: 0 });
    client.hearsNothing();
  });

  it('of the same filter loses no message [MQTT-3.8.4-4]', () => {
    const world = new World5();
    const client = world.reader('c', 'a', 1, { properties: { receiveMaximum: 1 } });
    const publisher = world.join('p');
    for (let i = 0; i < 5; i++) {
      publisher.publish('a', `${i}`, { qos: 1 });
      client.subscribe({ filter: 'a', qos: 1 + (i % 2) });
    }
    expect(client.payloads()).toEqual(['0', '1', '2', '3', '4']);
  });

  it.each([0, 1, 2])(
    'granted QoS %i gets messages at the lower of the two [MQTT-3.8.4-8] [MQTT-3.8.4-7]',
    (granted) => {
      const world = new World5();
      const client = world.join('c');
      expect(client.subscribe({ filter: 'a', qos: granted })).toEqual([granted]);
      const publisher = world.join('p');
      for (const qos of [0, 1, 2]) publisher.publish('a', '', { qos });
      expect(client.collect().map(({ qos }) => qos)).toEqual([0, 1, 2].map((qos) => Math.min(qos, granted)));
    },
  );

  it('that is granted holds from SUBACK on (3.8.4) [MQTT-3.8.4-1]', () => {
    const world = new World5();
    const client = world.join('c');
    client.say(subscribe(1, [{ filter: 'a' }]), publish('a', 'x'));
    expect(client.take().map(({ type }) => type)).toEqual(['suback', 'publish']);
  });

  it('has an answer that fits the client, without reasons where there is no room [MQTT-3.9.2-1] [MQTT-3.9.2-2]', () => {
    const world = new World5({ ...UNLIMITED, access: new Door(allowing({ subscribe: () => false })) });
    const client = world.join('c', { properties: { maximumPacketSize: 8 } });
    expect(client.subscribe([{ filter: 'a' }, { filter: 'b' }])).toEqual([0x87, 0x87]);
  });
});

describe('no local', () => {
  it('keeps a client’s own messages from it, and no others [MQTT-3.8.3-3]', () => {
    const world = new World5();
    const client = world.reader('c', { filter: 'a', qos: 1, noLocal: true });
    for (const qos of [0, 1, 2]) client.publish('a', 'own', { qos });
    client.hearsNothing();
    world.join('p').publish('a', 'other');
    expect(client.payloads()).toEqual(['other']);
  });

  it('absent gives a client its own messages [MQTT-3.8.3-3]', () => {
    const client = new World5().reader('c', 'a', 1);
    client.publish('a', 'own', { qos: 1 });
    expect(client.payloads()).toEqual(['own']);
  });

  it('is by client identifier: the next connection is the same client [MQTT-3.8.3-3]', () => {
    const world = new World5();
    world.reader('c', { filter: 'a', qos: 1, noLocal: true }, 1, FOR_AN_HOUR).drop();
    const back = world.join('c', FOR_AN_HOUR);
    back.publish('a', 'own', { qos: 1 });
    back.hearsNothing();
  });

  it('holds for its subscription only, where another one matches too [MQTT-3.8.3-3]', () => {
    const world = new World5();
    const client = world.join('c');
    client.subscribe({ filter: 'a/+', qos: 2, noLocal: true }, { subscriptionIds: [1] });
    client.subscribe({ filter: 'a/b', qos: 0 }, { subscriptionIds: [2] });
    client.publish('a/b', 'own', { qos: 2 });
    expect(client.messages()).toMatchObject([{ qos: 0, properties: { subscriptionIds: [2] } }]);
  });

  it('holds for the client’s will, which is heard by its session if at all later [MQTT-3.8.3-3]', () => {
    const world = new World5();
    const will = { topic: 'a', payload: 'w', qos: 1 };
    const client = world.reader('c', { filter: 'a', qos: 1, noLocal: true }, 1, { ...FOR_AN_HOUR, will });
    client.drop();
    world.join('c', FOR_AN_HOUR).hearsNothing();
  });

  it('does not hold back retained messages of the client (3.8.3.1) [MQTT-3.3.1-9]', () => {
    const world = new World5();
    const client = world.join('c');
    client.publish('a', 'kept', { retain: true });
    client.subscribe({ filter: 'a', noLocal: true });
    const messages = client.messages();
    // The standard leaves it open; what comes must be the retained message.
    for (const message of messages) expect(message).toMatchObject({ payload: 'kept', retain: true });
    expect(messages.length).toBeLessThanOrEqual(1);
  });
});

describe('UNSUBSCRIBE', () => {
  it('is answered for each filter in order: gone, or never there [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2]', () => {
    const client = new World5().join('c');
    client.subscribe([{ filter: 'a' }, { filter: 'b/+' }]);
    client.say(unsubscribe(99, ['x', 'b/+', 'a', 'a']));
    expect(client.take()).toMatchObject([{ type: 'unsuback', id: 99, reasons: [0x11, 0x00, 0x00, 0x11] }]);
  });

  it('has at least one filter [MQTT-3.10.3-2]', () => {
    new World5()
      .join('c')
      .say(packet(0xa2, u16(1), u8(0)))
      .ended(0x82, 0x81);
  });

  it('compares character by character [MQTT-3.10.4-1]', () => {
    const world = new World5();
    const client = world.reader('c', 'a/+');
    for (const filter of ['a/b', 'a/#', '#', 'A/+', 'a/+/', '/a/+']) expect(client.unsubscribe(filter)).toEqual([0x11]);
    const publisher = world.join('p');
    publisher.publish('a/b', 'x');
    expect(client.payloads()).toEqual(['x']);
    expect(client.unsubscribe('a/+')).toEqual([0x00]);
    publisher.publish('a/b', 'y');
    client.hearsNothing();
  });

  it('stops messages at once [MQTT-3.10.4-2]', () => {
    const client = new World5().reader('c', 'a', 1);
    client.say(unsubscribe(1, ['a']), publish('a', 'x', { qos: 1, id: 1 }));
    expect(client.take().map(({ type }) => type)).toEqual(['unsuback', 'puback']);
  });

  it('leaves other subscriptions that match [MQTT-3.10.4-1]', () => {
    const client = new World5().reader('c', 'a');
    client.subscribe({ filter: '#' });
    client.unsubscribe('a');
    client.publish('a', 'x');
    expect(client.payloads()).toEqual(['x']);
  });

  it.each([1, 2])('leaves messages of QoS %i on their way to be completed [MQTT-3.10.4-3]', (qos) => {
    const world = new World5();
    const client = world.reader('c', 'a', 2, FOR_AN_HOUR);
    world.join('p').publish('a', 'x', { qos });
    const { id } = client.message();
    client.unsubscribe('a');
    client.drop();
    const back = world.join('c', FOR_AN_HOUR);
    expect(back.message()).toMatchObject({ id, dup: true });
    if (qos === 2) expect(back.ack('pubrec', id).next('pubrel').id).toBe(id);
    back.ack(qos === 1 ? 'puback' : 'pubcomp', id).isWell();
  });

  it.each(['', 'a/#/b', 'a+'])(
    'of the filter "%s", which there cannot be, is refused [MQTT-4.7.1-1] [MQTT-4.7.3-1]',
    (filter) => {
      const client = new World5().join('c');
      client.say(unsubscribe(1, [filter]));
      const [answer] = client.take();
      if (answer?.type === 'unsuback') expect([0x11, 0x8f]).toContain(answer.reasons[0]);
      else expect(answer).toMatchObject({ type: 'disconnect' });
    },
  );

  it('has an answer that fits the client, without reasons where there is no room [MQTT-3.11.2-1] [MQTT-3.11.2-2]', () => {
    const client = new World5(UNLIMITED).join('c', { properties: { maximumPacketSize: 8 } });
    expect(client.unsubscribe('a', 'b')).toEqual([0x11, 0x11]);
  });
});

describe('answers to a client with little room', () => {
  it('have no reason strings or user properties that do not fit [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3]', () => {
    const world = new World5({ ...UNLIMITED, access: new Door(allowing({ publish: () => false })) });
    const client = world.join('c', { properties: { maximumPacketSize: 6 } });
    client.say(publish('a', '', { qos: 1, id: 1 }), publish('a', '', { qos: 2, id: 2 }));
    client.say(join(bytes('62 02 00 09'), bytes('50 02 00 08'), PINGREQ));
    expect(client.take()).toMatchObject([
      { type: 'puback', reason: 0x87, properties: {} },
      { type: 'pubrec', reason: 0x87, properties: {} },
      { type: 'pubcomp', reason: 0x92, properties: {} },
      { type: 'pubrel', reason: 0x92, properties: {} },
      { type: 'pingresp' },
    ]);
  });
});

describe('PINGREQ', () => {
  it('is answered, each [MQTT-3.12.4-1]', () => {
    const client = new World5().join('c');
    client.say(PINGREQ, PINGREQ, PINGREQ);
    expect(client.take().map(({ type }) => type)).toEqual(['pingresp', 'pingresp', 'pingresp']);
  });
});
