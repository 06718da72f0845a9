// Clients of MQTT 5.0 and of older versions on one broker: what a version has no word for is left out on its way, and nothing else.
import { describe, expect, it } from 'vitest';
import { toHex } from './client.js';
import { ACCEPTED, Door, refused } from './mqtt-5.0-access.js';
import { FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import { type Properties, publish } from './mqtt-5.0-wire.js';

const SECOND_MS = 1_000;
const FOUR = { level: 4 } as const;
const PERSISTENT = { clean: false } as const;

const EVERYTHING: Properties = {
  payloadFormat: 1,
  contentType: 'text/plain',
  responseTopic: 'r',
  correlationData: 'c',
  userProperties: [['a', 'b']],
};

describe('from 5.0 to 3.1.1', () => {
  it.each([3, 4] as const)(
    'a message loses its properties and nothing else, to the byte, at level %i (2.2.2)',
    (level) => {
      const world = new World5();
      const old = world.subscriber('old', 't', 1, {}, { level });
      const publisher = world.join('p');
      publisher.publish('t', 'x', { properties: { ...EVERYTHING, messageExpiryS: 60, topicAlias: 1 } });
      publisher.publish('', 'y', { qos: 1, properties: { topicAlias: 1 } });
      const [zero, one] = old.takeBytes();
      expect(zero).toBe('30 04 00 01 74 78');
      expect(one).toMatch(/^32 06 00 01 74 .. .. 79$/);
    },
  );

  it('a retained message has no properties either, and one that waited neither (2.2.2)', () => {
    const world = new World5();
    world.subscriber('old', 't', 1, PERSISTENT, FOUR).drop();
    world.join('p').publish('t', 'x', { qos: 1, retain: true, properties: EVERYTHING });
    const back = world.connect('old', PERSISTENT, FOUR);
    expect(back.takeBytes()[0]).toMatch(/^32 06 00 01 74 .. .. 78$/);
    const late = world.subscriber('late', 't', 0, {}, FOUR);
    expect(late.takeBytes()).toEqual(['31 04 00 01 74 78']);
  });

  it('a message still expires (3.3.2.3.3)', () => {
    const world = new World5();
    world.subscriber('old', 't', 1, PERSISTENT, FOUR).drop();
    const publisher = world.join('p');
    publisher.publish('t', 'short', { qos: 1, properties: { messageExpiryS: 10 } });
    publisher.publish('t', 'long', { qos: 1, properties: { messageExpiryS: 100 } });
    world.pass(11 * SECOND_MS);
    expect(world.connect('old', PERSISTENT, FOUR).texts()).toEqual(['long']);
  });

  it('a will loses its properties and keeps its delay (3.1.3.2)', () => {
    const world = new World5();
    const old = world.subscriber('old', 'will', 0, {}, FOUR);
    const will = { topic: 'will', payload: 'w', properties: { ...EVERYTHING, willDelayS: 5 } };
    world.join('c', { ...FOR_AN_HOUR, will }).drop();
    old.hearsNothing();
    world.pass(5 * SECOND_MS);
    expect(old.takeBytes()).toEqual(['30 07 00 04 77 69 6c 6c 77']);
  });

  it('an old client has one copy of what matches twice, without identifiers, and RETAIN 0 (3.3.4)', () => {
    const world = new World5();
    const old = world.subscriber('old', '#', 0, {}, FOUR);
    old.subscribe('t', 0);
    old.hears('suback');
    world.join('p').publish('t', 'x', { retain: true });
    expect(old.takeBytes()).toEqual(['30 04 00 01 74 78']);
  });

  it('answers of an old client have no reason codes, and neither have those to it (3.4)', () => {
    const world = new World5();
    const old = world.connect('old', {}, FOUR);
    old.publish('t', 'x', { qos: 1, messageId: 7 });
    expect(old.takeBytes()).toEqual(['40 02 00 07']);
    old.publish('t', 'x', { qos: 2, messageId: 8 });
    expect(old.takeBytes()).toEqual(['50 02 00 08']);
    old.ack('pubrel', 8);
    expect(old.takeBytes()).toEqual(['70 02 00 08']);
    old.ack('pubrel', 9);
    expect(old.takeBytes()).toEqual(['70 02 00 09']);
    old.sayBytes('a2 05 00 0a 00 01 74');
    expect(old.takeBytes()).toEqual(['b0 02 00 0a']);
    old.sayBytes('82 06 00 0b 00 01 74 01');
    expect(old.takeBytes()).toEqual(['90 03 00 0b 01']);
  });

  it('an old client hears no DISCONNECT (3.14)', () => {
    const world = new World5();
    const old = world.connect('old', {}, FOUR);
    old.sayBytes('36 00');
    old.hearsClose();
    const taken = world.connect('taken', {}, FOUR);
    world.join('taken');
    taken.hearsClose();
    const silent = world.connect('silent', { keepalive: 1 }, FOUR);
    world.pass(2 * SECOND_MS);
    silent.hearsClose();
    const last = world.connect('last', {}, FOUR);
    world.broker.stop(world.now);
    last.hearsClose();
  });

  it.each([
    [0x84, 1],
    [0x85, 2],
    [0x88, 3],
    [0x86, 4],
    [0x87, 5],
    [0x8a, 5],
    [0x97, 3],
  ])('reason %i of a refusal is return code %i (3.2.2.2)', (reason, returnCode) => {
    const world = new World5({ access: new Door(refused(reason, { reasonString: 'why', serverReference: 'there' })) });
    const client = world.dial(FOUR).connect('c');
    expect(client.takeBytes()).toEqual([`20 02 00 0${returnCode}`]);
    expect(client.isClosed).toBe(true);
  });
});

describe('from 3.1.1 to 5.0', () => {
  it('a message has no properties (2.2.2) [MQTT-2.2.2-1]', () => {
    const world = new World5();
    const reader = world.reader('reader', { filter: 't', qos: 1, retainAsPublished: true });
    const old = world.connect('old', {}, FOUR);
    old.publish('t', 'x', { qos: 1, retain: true });
    expect(reader.message()).toMatchObject({ payload: 'x', retain: true, properties: {} });
    expect(world.reader('late', 't').message().properties).toEqual({});
  });

  it('a will has no properties (2.2.2)', () => {
    const world = new World5();
    const reader = world.reader('reader', 'will');
    world.connect('old', { will: { topic: 'will', payload: Buffer.from('w'), qos: 1, retain: false } }, FOUR).drop();
    expect(reader.message()).toMatchObject({ payload: 'w', properties: {} });
  });

  it('an old client gets the size limit of a new one only for that one (3.1.2.11.4)', () => {
    const world = new World5();
    const old = world.subscriber('old', 't', 0, {}, FOUR);
    const reader = world.reader('reader', 't', 0, { properties: { maximumPacketSize: 20 } });
    world.connect('p', {}, FOUR).publish('t', 'x'.repeat(30));
    reader.hearsNothing();
    expect(old.texts()).toEqual(['x'.repeat(30)]);
  });
});

describe('one session, two versions', () => {
  it('of 5.0 may be gone on with in 3.1.1 (4.1)', () => {
    const world = new World5();
    const client = world.join('c', FOR_AN_HOUR);
    client.subscribe({ filter: 't', qos: 1, retainAsPublished: true }, { subscriptionIds: [5] });
    client.drop();
    world.join('p').publish('t', 'x', { qos: 1, properties: EVERYTHING });
    const old = world.connect('c', PERSISTENT, FOUR);
    expect(old.connack.sessionPresent).toBe(true);
    expect(old.takeBytes()[0]).toMatch(/^32 06 00 01 74 .. .. 78$/);
  });

  it('of 3.1.1 may be gone on with in 5.0, with the properties of what waited (4.1)', () => {
    const world = new World5();
    world.subscriber('c', 't', 1, PERSISTENT, FOUR).drop();
    world.join('p').publish('t', 'x', { qos: 1, properties: EVERYTHING });
    const client = world.join('c', FOR_AN_HOUR);
    expect(client.connack.sessionPresent).toBe(true);
    expect(client.message()).toMatchObject({ payload: 'x', properties: EVERYTHING });
  });

  it('what was sent in one version comes again in the words of the other, with its identifier (4.4)', () => {
    const world = new World5();
    const client = world.reader('c', 't', 1, FOR_AN_HOUR);
    world.join('p').publish('t', 'x', { qos: 1, properties: EVERYTHING });
    const { id } = client.message();
    client.drop();
    const old = world.connect('c', PERSISTENT, FOUR);
    const idHex = toHex(Uint8Array.of(id >> 8, id & 0xff));
    expect(old.takeBytes()).toEqual([`3a 06 00 01 74 ${idHex} 78`]);
    old.drop();
    expect(world.join('c', FOR_AN_HOUR).message()).toMatchObject({ id, dup: true, properties: EVERYTHING });
  });

  it('each takes over from the other (3.1.4)', () => {
    const world = new World5();
    const first = world.join('c', FOR_AN_HOUR);
    const old = world.connect('c', PERSISTENT, FOUR);
    first.ended(0x8e);
    expect(old.connack.sessionPresent).toBe(true);
    const again = world.join('c', FOR_AN_HOUR);
    old.hearsClose();
    expect(again.connack.sessionPresent).toBe(true);
  });

  it('of 3.1.1 stays for ever, of 5.0 as long as it says (3.1.2.11.2)', () => {
    const world = new World5();
    world.connect('old', PERSISTENT, FOUR).drop();
    world.join('new', { properties: { sessionExpiryS: 60 } }).drop();
    world.pass(3_600 * SECOND_MS);
    expect(world.join('old', FOR_AN_HOUR).connack.sessionPresent).toBe(true);
    expect(world.join('new', FOR_AN_HOUR).connack.sessionPresent).toBe(false);
  });
});

describe('a shared subscription', () => {
  it('has members of all versions, each message once (4.8.2)', () => {
    const world = new World5();
    const reader = world.reader('new', '$share/g/t', 1);
    const old = world.subscriber('old', '$share/g/t', 1, {}, FOUR);
    const publisher = world.join('p');
    const payloads = Array.from({ length: 10 }, (_, i) => `${i}`);
    for (const payload of payloads) publisher.publish('t', payload, { qos: 1 });
    const heard = [reader.payloads(), old.collect().map(({ payload }) => payload.toString())];
    expect(heard.flat().sort()).toEqual(payloads);
    expect(Math.min(...heard.map((each) => each.length))).toBeGreaterThan(0);
  });
});

describe('an answer of 5.0', () => {
  it('is never given in the words of 3.1.1, nor the other way round (2.2.2)', () => {
    const world = new World5({ access: new Door(ACCEPTED) });
    const old = world.dial(FOUR).connect('old');
    expect(old.takeBytes()).toEqual(['20 02 00 00']);
    const client = world.open().connect('new');
    expect(client.accepted().connack.bytes).toBeGreaterThanOrEqual(5);
    client.say(publish('t', '', { qos: 1, id: 1 }));
    expect(client.next('puback').id).toBe(1);
  });
});
