// MQTT 5.0, sections 3.4 to 3.7, 4.3, 4.6 and 4.9: the handshakes, their reason codes, order, and how much may be on its way.
import { describe, expect, it } from 'vitest';
import { allowing, Door } from './mqtt-5.0-access.js';
import { type Client5, FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import { ack, type ConnectIn, join, PINGREQ, publish, subscribe, unsubscribe } from './mqtt-5.0-wire.js';

const NOT_FOUND = 0x92;

function pair(qos: number, options: ConnectIn = {}): { world: World5; reader: Client5; publisher: Client5 } {
  const world = new World5();
  const reader = world.reader('reader', 't', qos, options);
  return { world, reader, publisher: world.join('publisher') };
}

describe('a message to the broker', () => {
  it('is answered as its QoS wants [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8]', () => {
    const client = new World5().join('c');
    client.say(publish('t', 'x'));
    client.isWell();
    client.say(publish('t', 'x', { qos: 1, id: 3 }));
    expect(client.take()).toMatchObject([{ type: 'puback', id: 3 }]);
    client.say(publish('t', 'x', { qos: 2, id: 4 }));
    expect(client.take()).toMatchObject([{ type: 'pubrec', id: 4 }]);
  });

  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)(
    'of QoS %i is answered with No matching subscribers or Success where nobody wanted it (3.4.2.1) [MQTT-3.4.2-1] [MQTT-3.5.2-1]',
    (qos, type) => {
      const client = new World5().join('c');
      client.say(publish('t', 'x', { qos, id: 1 }));
      expect([0x00, 0x10]).toContain(client.next(type).reason);
    },
  );

  it.each([1, 2])(
    'of QoS %i is answered with Success where somebody gets it (3.4.2.1) [MQTT-3.4.2-1] [MQTT-3.5.2-1]',
    (qos) => {
      const { reader, publisher } = pair(2);
      expect(publisher.publish('t', 'x', { qos })).toBe(0x00);
      expect(reader.payloads()).toEqual(['x']);
    },
  );

  it.each([1, 2])(
    'of QoS %i that may not be published is answered with Not authorized, and goes nowhere [MQTT-3.4.2-1] [MQTT-3.5.2-1]',
    (qos) => {
      const world = new World5({ access: new Door(allowing({ publish: (topic) => topic !== 'no' })) });
      const reader = world.reader('reader', '#');
      const client = world.join('c');
      expect(client.publish('no', 'x', { qos, retain: true })).toBe(0x87);
      client.isWell();
      expect(client.publish('yes', 'y', { qos })).toBe(0x00);
      expect(reader.payloads()).toEqual(['y']);
      world.reader('late', '#').hearsNothing();
    },
  );

  it('of QoS 1 is new each time after PUBACK, DUP or not [MQTT-4.3.2-5]', () => {
    const { reader, publisher } = pair(1);
    for (const dup of [false, true, true]) publisher.publish('t', 'x', { qos: 1, id: 5, dup });
    expect(reader.payloads()).toEqual(['x', 'x', 'x']);
  });

  it('of QoS 2 is passed on once until PUBREL, DUP or not [MQTT-4.3.3-10]', () => {
    const { reader, publisher } = pair(2);
    for (const dup of [false, true, false]) {
      publisher.say(publish('t', 'x', { qos: 2, id: 5, dup }));
      expect(publisher.next('pubrec')).toMatchObject({ id: 5 });
    }
    publisher.say(ack('pubrel', 5));
    expect(publisher.next('pubcomp')).toMatchObject({ id: 5, reason: 0 });
    expect(reader.payloads()).toEqual(['x']);
  });

  it('of QoS 2 is new after PUBCOMP [MQTT-4.3.3-12] [MQTT-4.3.3-11]', () => {
    const { reader, publisher } = pair(2);
    for (const payload of ['x', 'y']) publisher.publish('t', payload, { qos: 2, id: 5 });
    expect(reader.payloads()).toEqual(['x', 'y']);
  });

  it('of QoS 2 is new after it was refused [MQTT-4.3.3-9]', () => {
    let allowed = false;
    const world = new World5({ access: new Door(allowing({ publish: () => allowed })) });
    const reader = world.reader('reader', 't', 2);
    const client = world.join('c');
    expect(client.publish('t', 'first', { qos: 2, id: 5 })).toBe(0x87);
    allowed = true;
    expect(client.publish('t', 'second', { qos: 2, id: 5 })).toBe(0x00);
    expect(reader.payloads()).toEqual(['second']);
  });

  it('of QoS 2 that is repeated while it is not released is not judged again [MQTT-4.3.3-10]', () => {
    let allowed = true;
    const world = new World5({ access: new Door(allowing({ publish: () => allowed })) });
    const reader = world.reader('reader', 't', 2);
    const client = world.join('c');
    client.say(publish('t', 'x', { qos: 2, id: 5 }));
    client.next('pubrec');
    allowed = false;
    client.say(publish('t', 'x', { qos: 2, id: 5, dup: true }));
    expect(client.next('pubrec').id).toBe(5);
    client.say(ack('pubrel', 5));
    expect(client.next('pubcomp')).toMatchObject({ id: 5, reason: 0 });
    expect(reader.payloads()).toEqual(['x']);
  });

  it('of QoS 1 and one of QoS 2 do not share an identifier on their way (2.2.1)', () => {
    const { reader, publisher } = pair(2);
    publisher.say(publish('t', 'two', { qos: 2, id: 5 }));
    publisher.next('pubrec');
    publisher.say(publish('t', 'one', { qos: 1, id: 5 }));
    // Identifier in use, or taken as the client meant it: but the handshake of the first is whole.
    const answer = publisher.next('puback');
    expect([0x00, 0x91]).toContain(answer.reason);
    publisher.say(ack('pubrel', 5));
    expect(publisher.next('pubcomp')).toMatchObject({ id: 5, reason: 0 });
    expect(reader.payloads()[0]).toBe('two');
  });
});

describe('PUBREL', () => {
  it('of an identifier that is not known is answered with that reason, and the connection stays (3.7.2.1) [MQTT-3.7.2-1] [MQTT-4.3.3-11]', () => {
    const client = new World5().join('c');
    client.say(ack('pubrel', 77));
    expect(client.next('pubcomp')).toMatchObject({ id: 77, reason: NOT_FOUND });
    client.isWell();
  });

  it('that comes twice is answered twice (4.3.3) [MQTT-4.3.3-11]', () => {
    const client = new World5().join('c');
    client.publish('t', 'x', { qos: 2, id: 5 });
    client.say(ack('pubrel', 5));
    expect(client.next('pubcomp')).toMatchObject({ id: 5, reason: NOT_FOUND });
  });

  it('that says the identifier is not known is answered, and frees it (3.6.2.1)', () => {
    const { reader, publisher } = pair(2);
    publisher.say(publish('t', 'x', { qos: 2, id: 5 }));
    publisher.next('pubrec');
    publisher.say(ack('pubrel', 5, NOT_FOUND));
    expect(publisher.next('pubcomp').id).toBe(5);
    expect(reader.payloads()).toEqual(['x']);
    publisher.publish('t', 'y', { qos: 2, id: 5 });
    expect(reader.payloads()).toEqual(['y']);
  });

  it.each([0x01, 0x10, 0x80, 0x87])('of a reason that there is not ends the connection: %i (3.6.2.1)', (reason) => {
    const client = new World5().join('c');
    client.say(publish('t', 'x', { qos: 2, id: 5 }));
    client.next('pubrec');
    client.say(ack('pubrel', 5, reason)).ended(0x81, 0x82);
  });
});

describe('a message from the broker', () => {
  it('of QoS 1 is done with PUBACK [MQTT-4.3.2-3]', () => {
    const { world, reader, publisher } = pair(1, FOR_AN_HOUR);
    publisher.publish('t', 'x', { qos: 1 });
    const { id, qos } = reader.message();
    expect(qos).toBe(1);
    reader.ack('puback', id).isWell();
    reader.drop();
    world.join('reader', FOR_AN_HOUR).hearsNothing();
  });

  it('of QoS 2 goes PUBREC, PUBREL, PUBCOMP, each with its identifier [MQTT-4.3.3-4] [MQTT-3.6.2-1]', () => {
    const { reader, publisher } = pair(2);
    publisher.publish('t', 'x', { qos: 2 });
    const { id } = reader.message();
    reader.ack('pubrec', id);
    expect(reader.take()).toMatchObject([{ type: 'pubrel', id, reason: 0 }]);
    reader.ack('pubcomp', id).isWell();
  });

  it.each([0x10, 0x00])('of QoS 2 goes on where PUBREC has a reason below 0x80: %i [MQTT-4.3.3-4]', (reason) => {
    const { reader, publisher } = pair(2);
    publisher.publish('t', 'x', { qos: 2 });
    const { id } = reader.message();
    expect(reader.ack('pubrec', id, reason).next('pubrel').id).toBe(id);
  });

  it.each([0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])(
    'of QoS 2 ends where PUBREC has reason %i: its identifier is free, without PUBREL [MQTT-4.3.3-4] [MQTT-4.4.0-2]',
    (reason) => {
      const { reader, publisher } = pair(2, { properties: { receiveMaximum: 1 } });
      publisher.publish('t', 'x', { qos: 2 });
      publisher.publish('t', 'y', { qos: 2 });
      const { id } = reader.message();
      reader.ack('pubrec', id, reason);
      expect(reader.take()).toMatchObject([{ type: 'publish', payload: 'y' }]);
    },
  );

  it('that PUBREC does not name is answered with PUBREL of that reason (3.6.2.1) [MQTT-3.6.2-1]', () => {
    const client = new World5().join('c');
    client.ack('pubrec', 99);
    expect(client.next('pubrel')).toMatchObject({ id: 99, reason: NOT_FOUND });
    client.isWell();
  });

  it('that PUBREC refuses and does not name is not answered (4.3.3) [MQTT-4.3.3-4]', () => {
    const client = new World5().join('c');
    client.ack('pubrec', 99, 0x97).isWell();
  });

  it('that PUBREC names twice is released twice [MQTT-4.3.3-4] [MQTT-4.3.3-6]', () => {
    const { reader, publisher } = pair(2);
    publisher.publish('t', 'x', { qos: 2 });
    const { id } = reader.message();
    for (let i = 0; i < 2; i++) expect(reader.ack('pubrec', id).next('pubrel')).toMatchObject({ id, reason: 0 });
    reader.ack('pubcomp', id).isWell();
  });

  it.each(['puback', 'pubcomp'] as const)('that %s does not name leaves the connection open (4.3)', (type) => {
    new World5().join('c').ack(type, 99).isWell();
  });

  it('of QoS 1 is not done by PUBCOMP, nor one of QoS 2 by PUBACK [MQTT-4.3.2-3] [MQTT-4.3.3-3]', () => {
    const { world, reader, publisher } = pair(2, FOR_AN_HOUR);
    publisher.publish('t', 'one', { qos: 1 });
    publisher.publish('t', 'two', { qos: 2 });
    const [one, two] = reader.messages();
    reader.say(ack('pubcomp', one!.id), ack('puback', two!.id));
    reader.drop();
    const again = world.join('reader', FOR_AN_HOUR).messages();
    expect(again.map(({ payload }) => payload)).toEqual(['one', 'two']);
  });

  it.each([
    ['PUBACK', ack('puback', 1, 0x01)],
    ['PUBREC', ack('pubrec', 1, 0x92)],
    ['PUBCOMP', ack('pubcomp', 1, 0x80)],
  ])('must not be acknowledged with a reason that there is not: %s (3.4.2.1)', (_, wrong) => {
    const { reader, publisher } = pair(2);
    publisher.publish('t', 'x', { qos: 1 });
    reader.take();
    reader.say(wrong).ended(0x81, 0x82);
  });

  it('may be acknowledged with a reason string and user properties (3.4.2.2)', () => {
    const { reader, publisher } = pair(2);
    publisher.publish('t', 'x', { qos: 2 });
    const { id } = reader.message();
    const properties = { reasonString: 'well', userProperties: [['a', 'b']] } as const;
    reader.ack('pubrec', id, 0, properties).next('pubrel');
    reader.ack('pubcomp', id, 0, properties).isWell();
  });

  it('may be acknowledged in any order (4.6)', () => {
    const { reader, publisher } = pair(1, FOR_AN_HOUR);
    for (let i = 0; i < 4; i++) publisher.publish('t', `${i}`, { qos: 1 });
    for (const { id } of reader.messages().reverse()) reader.ack('puback', id);
    reader.isWell();
  });
});

describe('order', () => {
  it.each([0, 1, 2])(
    'of the messages of one client is kept for each topic at QoS %i [MQTT-4.6.0-5] [MQTT-4.6.0-6]',
    (qos) => {
      const { reader, publisher } = pair(qos);
      const payloads = Array.from({ length: 100 }, (_, i) => `${i}`);
      for (const payload of payloads) publisher.publish('t', payload, { qos });
      expect(reader.payloads()).toEqual(payloads);
    },
  );

  it('of what waits for a slow reader is kept [MQTT-4.6.0-5]', () => {
    const { reader, publisher } = pair(2, { properties: { receiveMaximum: 3 } });
    const payloads = Array.from({ length: 50 }, (_, i) => `${i}`);
    for (const payload of payloads) publisher.publish('t', payload, { qos: 2 });
    expect(reader.payloads()).toEqual(payloads);
  });

  it.each([0, 1, 2])(
    'of what waits for a client that does not read is kept at QoS %i, and all of it comes [MQTT-4.6.0-5]',
    (qos) => {
      const { reader, publisher } = pair(qos);
      reader.isCongested = true;
      const payloads = Array.from({ length: 50 }, (_, i) => `${i}`);
      for (const payload of payloads) publisher.publish('t', payload, { qos });
      reader.hearsNothing();
      reader.drained();
      expect(reader.payloads()).toEqual(payloads);
    },
  );

  it('of answers is that of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4]', () => {
    const client = new World5().join('c');
    const ids = [9, 3, 7, 1];
    client.say(...ids.map((id) => publish('t', '', { qos: 1, id })));
    expect(client.take()).toMatchObject(ids.map((id) => ({ type: 'puback', id })));
    client.say(...ids.map((id) => publish('t', '', { qos: 2, id })));
    expect(client.take()).toMatchObject(ids.map((id) => ({ type: 'pubrec', id })));
    client.say(...ids.map((id) => ack('pubrel', id)));
    expect(client.take()).toMatchObject(ids.map((id) => ({ type: 'pubcomp', id })));
  });

  it('of PUBRELs is that of the PUBRECs, also when they come again [MQTT-4.6.0-4] [MQTT-4.4.0-1]', () => {
    const { world, reader, publisher } = pair(2, FOR_AN_HOUR);
    for (let i = 0; i < 4; i++) publisher.publish('t', `${i}`, { qos: 2 });
    const ids = reader.messages().map(({ id }) => id);
    const order = [ids[2]!, ids[0]!, ids[3]!];
    for (const id of order) reader.ack('pubrec', id);
    expect(reader.take()).toMatchObject(order.map((id) => ({ type: 'pubrel', id })));
    reader.drop();
    const again = world.join('reader', FOR_AN_HOUR).take();
    const released = again.filter(({ type }) => type === 'pubrel').map((packet) => ('id' in packet ? packet.id : 0));
    expect(released).toEqual(order);
    expect(again.filter(({ type }) => type === 'publish')).toMatchObject([{ id: ids[1], dup: true, payload: '1' }]);
  });
});

describe('the receive maximum of a client', () => {
  const takes = (receiveMaximum: number): ConnectIn => ({ properties: { receiveMaximum, sessionExpiryS: 3_600 } });

  it.each([1, 2, 10])('of %i is not exceeded [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]', (receiveMaximum) => {
    const { reader, publisher } = pair(2, takes(receiveMaximum));
    for (let i = 0; i < 20; i++) publisher.publish('t', `${i}`, { qos: 1 + (i % 2) });
    expect(reader.messages().length).toBe(receiveMaximum);
  });

  it('frees a place with PUBACK, with PUBCOMP, and with a PUBREC that refuses; not with PUBREC [MQTT-4.9.0-2]', () => {
    const { reader, publisher } = pair(2, takes(1));
    for (const qos of [1, 2, 2, 1]) publisher.publish('t', `${qos}`, { qos });
    reader.ack('puback', reader.message().id);
    const second = reader.message();
    reader.ack('pubrec', second.id);
    expect(reader.take()).toMatchObject([{ type: 'pubrel', id: second.id }]);
    reader.ack('pubcomp', second.id);
    const third = reader.message();
    reader.ack('pubrec', third.id, 0x97);
    expect(reader.message()).toMatchObject({ qos: 1 });
    reader.hearsNothing();
  });

  it('frees no place by an acknowledgement of nothing [MQTT-4.9.0-2] [MQTT-3.3.4-9]', () => {
    const { reader, publisher } = pair(2, takes(1));
    for (let i = 0; i < 3; i++) publisher.publish('t', `${i}`, { qos: 1 });
    const { id } = reader.message();
    reader.say(ack('puback', id + 1), ack('puback', id + 2), ack('pubcomp', id + 1), ack('pubrec', id + 9, 0x80));
    reader.hearsNothing();
    reader.ack('puback', id);
    reader.say(ack('puback', id)); // twice
    expect(reader.messages().length).toBe(1);
  });

  it('that is used up holds back neither QoS 0 nor anything else [MQTT-3.3.4-10] [MQTT-4.9.0-3]', () => {
    const { reader, publisher } = pair(2, takes(1));
    reader.subscribe({ filter: 'zero', qos: 0 });
    publisher.publish('t', 'a', { qos: 1 });
    publisher.publish('t', 'b', { qos: 1 });
    reader.message();
    publisher.publish('zero', 'z', { qos: 0 });
    expect(reader.message().payload).toBe('z');
    reader.say(publish('u', '', { qos: 2, id: 1 }), subscribe(2, [{ filter: 'v' }]), unsubscribe(3, ['v']), PINGREQ);
    const answers = reader.take().map(({ type }) => type);
    expect(answers).toEqual(['pubrec', 'suback', 'unsuback', 'pingresp']);
  });

  it('is full again for each connection [MQTT-4.9.0-1]', () => {
    const { world, reader, publisher } = pair(2, takes(2));
    for (let i = 0; i < 5; i++) publisher.publish('t', `${i}`, { qos: 1 });
    expect(reader.messages().length).toBe(2);
    reader.drop();
    expect(world.join('reader', takes(4)).messages().length).toBe(4);
  });

  it('is 65,535 where the client says nothing, within what the broker does (3.1.2.11.3)', () => {
    const world = new World5({ inflightMax: 200 });
    const reader = world.reader('reader', 't', 1);
    const publisher = world.join('p');
    for (let i = 0; i < 200; i++) publisher.publish('t', `${i}`, { qos: 1 });
    expect(reader.messages().length).toBe(200);
  });
});

describe('the receive maximum of the broker', () => {
  const qos2 = (count: number): Uint8Array =>
    join(...Array.from({ length: count }, (_, i) => publish('t', '', { qos: 2, id: i + 1 })));

  it('may be used to the last message (3.3.4)', () => {
    const client = new World5({ receiveMax: 5 }).join('c');
    client.say(qos2(5));
    expect(client.take().length).toBe(5);
    client.isWell();
  });

  it('may not be exceeded (3.3.4) [MQTT-4.13.2-1]', () => {
    const world = new World5({ receiveMax: 5 });
    const other = world.reader('other', 't');
    const client = world.join('c');
    client.say(qos2(6));
    expect(client.take().map(({ type }) => type)).toEqual([...Array(5).fill('pubrec'), 'disconnect']);
    expect(client.isClosed).toBe(true);
    expect(other.payloads().length).toBe(5);
  });

  it('that is exceeded is named as the reason (3.3.4)', () => {
    const client = new World5({ receiveMax: 5 }).join('c');
    client.say(qos2(5));
    client.take();
    client.say(publish('t', '', { qos: 2, id: 6 })).ended(0x93);
  });

  it('is freed by PUBCOMP, by PUBACK and by a PUBREC that refuses (4.9)', () => {
    const world = new World5({ receiveMax: 2, access: new Door(allowing({ publish: (topic) => topic !== 'no' })) });
    const client = world.join('c');
    for (let i = 0; i < 5; i++) {
      client.publish('t', '', { qos: 2 });
      client.publish('t', '', { qos: 1 });
      expect(client.publish('no', '', { qos: 2 })).toBe(0x87);
    }
    client.isWell();
  });

  it('counts a message that is repeated once (4.9) [MQTT-4.3.3-10]', () => {
    const client = new World5({ receiveMax: 2 }).join('c');
    for (let i = 0; i < 5; i++) client.say(publish('t', '', { qos: 2, id: 1, dup: i > 0 }));
    expect(client.take().length).toBe(5);
    client.isWell();
  });

  it('is not freed by the release of what is not there, nor of what the connection before has left (4.9)', () => {
    const world = new World5({ receiveMax: 2 });
    const before = world.join('c', FOR_AN_HOUR);
    before.say(publish('t', '', { qos: 2, id: 90 }), publish('t', '', { qos: 2, id: 91 }));
    before.take();
    before.drop();
    const client = world.join('c', FOR_AN_HOUR);
    client.say(qos2(2), ack('pubrel', 77), ack('pubrel', 78), ack('pubrel', 90));
    expect(client.take().length).toBe(5);
    client.say(publish('t', '', { qos: 2, id: 6 })).ended(0x93);
  });

  it('is not touched by QoS 0 (4.9)', () => {
    const client = new World5({ receiveMax: 1 }).join('c');
    client.say(publish('t', '', { qos: 2, id: 1 }));
    client.next('pubrec');
    for (let i = 0; i < 5; i++) client.publish('t');
    client.isWell();
  });
});
