// MQTT 5.0, chapters 1 and 2 and section 4.13: how packets are built, and what becomes of those that are not.
import { describe, expect, it } from 'vitest';
import { type Client5, FOR_AN_HOUR, World5 } from './mqtt-5.0-client.js';
import {
  ack,
  auth,
  binary,
  bytes,
  connect,
  disconnect,
  join,
  PINGREQ,
  type PublishHeard,
  packet,
  propertyBytes,
  publish,
  subscribe,
  text,
  u8,
  u16,
  unsubscribe,
  utf8,
  varint,
} from './mqtt-5.0-wire.js';

const MALFORMED = 0x81;
const PROTOCOL_ERROR = 0x82;

function pair(): { world: World5; client: Client5; other: Client5 } {
  const world = new World5();
  const other = world.reader('other', '#');
  return { world, client: world.join('client'), other };
}

const ILL_FORMED: readonly (readonly [string, string])[] = [
  ['a surrogate', '61 ed a0 80'],
  ['a pair of surrogates', 'ed a0 bd ed b8 80'],
  ['an overlong slash', 'c0 af'],
  ['an overlong NUL', 'c0 80'],
  ['a sequence cut short', '61 e2 82'],
  ['a continuation without a start', '80 61'],
  ['a code point above U+10FFFF', 'f4 90 80 80'],
  ['0xFF', 'ff'],
];
const WITH_NUL: readonly (readonly [string, string])[] = [['U+0000', '61 00 62']];

/** Each place for a string in a packet of an open connection. */
const STRINGS: readonly (readonly [string, (content: Uint8Array) => Uint8Array])[] = [
  ['a topic name', (s) => publish(s)],
  ['a content type', (s) => publish('t', '', { properties: join(u8(3), binary(s)) })],
  ['a response topic', (s) => publish('t', '', { properties: join(u8(8), binary(s)) })],
  ['the name of a user property', (s) => publish('t', '', { properties: join(u8(0x26), binary(s), text('v')) })],
  ['the value of a user property', (s) => publish('t', '', { properties: join(u8(0x26), text('n'), binary(s)) })],
  ['a filter to subscribe to', (s) => subscribe(1, [{ filter: s }])],
  ['a filter to unsubscribe from', (s) => packet(0xa2, u16(1), u8(0), binary(s))],
  ['the reason of a DISCONNECT', (s) => disconnect(0, join(u8(0x1f), binary(s)))],
  ['a user property of SUBSCRIBE', (s) => subscribe(1, [{ filter: 't' }], join(u8(0x26), text('n'), binary(s)))],
];

/** Each place for a string in a CONNECT. */
const CONNECT_STRINGS: readonly (readonly [string, (content: Uint8Array) => Uint8Array])[] = [
  ['the client identifier', (s) => connect(s)],
  ['the user name', (s) => connect('c', { username: s })],
  ['the will topic', (s) => connect('c', { will: { topic: s, payload: '' } })],
  [
    'a user property of the will',
    (s) => connect('c', { will: { topic: 't', payload: '', properties: join(u8(0x26), text('n'), binary(s)) } }),
  ],
  ['a user property', (s) => connect('c', { properties: join(u8(0x26), text('n'), binary(s)) })],
  ['the authentication method', (s) => connect('c', { properties: join(u8(0x15), binary(s)) })],
];

describe('a string', () => {
  for (const [where, say] of STRINGS) {
    it.each(ILL_FORMED)(
      `that is ill-formed is refused in ${where}: %s [MQTT-1.5.4-1] [MQTT-1.5.7-1] [MQTT-3.3.2-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19] [MQTT-3.8.3-1] [MQTT-3.10.3-1]`,
      (_, content) => {
        const { client, other } = pair();
        client.say(say(bytes(content))).ended(MALFORMED);
        other.isWell();
      },
    );
    it.each(WITH_NUL)(`is refused as malformed in ${where} with %s [MQTT-1.5.4-2] [MQTT-4.7.3-2]`, (_, content) => {
      const { client, other } = pair();
      client.say(say(bytes(content))).ended(MALFORMED);
      other.isWell();
    });
  }

  for (const [where, say] of CONNECT_STRINGS) {
    it.each([...ILL_FORMED, ...WITH_NUL])(
      `is refused in ${where} of CONNECT with %s [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12]`,
      (_, content) => {
        const { world } = pair();
        world
          .open()
          .say(say(bytes(content)))
          .turnedAway(MALFORMED);
      },
    );
  }

  it.each([
    ['a two-byte character', 'é'],
    ['a three-byte character', '温'],
    ['a character outside the basic plane', '😀'],
    ['a lone combining mark', '\u0301'],
    ['the last code point before the surrogates', '\ud7ff'],
    ['the highest code point but two', '\u{10fffd}'],
  ])('may hold %s, byte for byte [MQTT-1.5.4-1] [MQTT-4.7.3-4]', (_, character) => {
    const { client, other } = pair();
    client.publish(`a${character}b`, 'x', { properties: { contentType: character } });
    expect(other.message()).toMatchObject({ topic: `a${character}b`, properties: { contentType: character } });
  });

  it('keeps U+FEFF wherever it stands [MQTT-1.5.4-3]', () => {
    const { world, client } = pair();
    const plain = world.reader('plain', 't');
    const marked = world.reader('marked', '\ufefft');
    client.publish('\ufefft', 'x', { properties: { contentType: '\ufeffa\ufeff' } });
    plain.hearsNothing();
    expect(marked.message()).toMatchObject({ topic: '\ufefft', properties: { contentType: '\ufeffa\ufeff' } });
  });
});

describe('a variable byte integer', () => {
  it.each([
    ['a property length of 0 in two bytes', packet(0x30, text('t'), bytes('80 00'))],
    ['a property length of 2 in three bytes', packet(0x30, text('t'), bytes('82 80 00'), bytes('01 00'))],
    ['a property length in five bytes', packet(0x30, text('t'), bytes('80 80 80 80 00'))],
    ['a subscription identifier of 1 in two bytes', subscribe(1, [{ filter: 't' }], bytes('0b 81 00'))],
    ['a remaining length in five bytes', bytes('30 80 80 80 80 01')],
    ['a remaining length of 0 in two bytes', bytes('c0 80 00')],
  ])('of more bytes than it needs is malformed: %s [MQTT-1.5.5-1]', (_, wrong) => {
    const { client, other } = pair();
    client.say(wrong).ended(MALFORMED);
    other.isWell();
  });

  it.each([127, 128, 16_383, 16_384, 268_435_455])(
    'of %i is understood as subscription identifier, and said in the fewest bytes (1.5.5) [MQTT-1.5.5-1]',
    (id) => {
      const { world, client } = pair();
      const reader = world.join('reader');
      reader.subscribe({ filter: 't' }, { subscriptionIds: [id] });
      client.publish('t');
      expect(reader.message()).toMatchObject({
        properties: { subscriptionIds: [id] },
        bytes: 2 + 3 + 1 + 1 + varint(id).length,
      });
    },
  );
});

describe('the flags of a fixed header', () => {
  it.each([
    ['PUBACK', bytes('41 02 00 01')],
    ['PUBREC', bytes('52 02 00 01')],
    ['PUBCOMP', bytes('78 02 00 01')],
    ['PINGREQ', bytes('c1 00')],
    ['UNSUBSCRIBE', bytes('a0 06 00 01 00 00 01 74')],
    ['SUBSCRIBE', bytes('80 07 00 01 00 00 01 74 00')],
    ['PUBREL', bytes('60 02 00 01')],
    ['PUBLISH, with both QoS bits', bytes('36 06 00 01 74 00 01 00')],
  ])(
    'that are reserved end the connection where they are wrong: %s [MQTT-2.1.3-1] [MQTT-3.3.1-4] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]',
    (_, wrong) => {
      const { client, other } = pair();
      client.say(wrong).ended(MALFORMED);
      other.isWell();
    },
  );

  it('of a DISCONNECT are checked, and the will is published [MQTT-3.14.1-1]', () => {
    const { world, other } = pair();
    const client = world.join('client', { will: { topic: 'will', payload: 'w' } });
    client.say(bytes('e1 00')).ended(MALFORMED);
    expect(other.message().payload).toBe('w');
  });

  it('of an AUTH are checked [MQTT-3.15.1-1]', () => {
    const { client } = pair();
    client.say(bytes('f1 02 18 00')).ended(MALFORMED);
  });

  it('of a CONNECT are checked [MQTT-2.1.3-1]', () => {
    const { world } = pair();
    const right = connect('c');
    world
      .open()
      .say(join(u8(0x11), right.subarray(1)))
      .turnedAway(MALFORMED);
  });
});

describe('a packet identifier', () => {
  it('is not in a message of QoS 0, neither to nor from the server [MQTT-2.2.1-2]', () => {
    const { client, other } = pair();
    client.say(bytes('30 06 00 01 74 00 00 07'));
    expect(other.message()).toMatchObject({ topic: 't', payload: '\0\u0007', bytes: 8 });
  });

  it.each([
    ['PUBLISH', publish('t', '', { qos: 1, id: 0 })],
    ['PUBLISH of QoS 2', publish('t', '', { qos: 2, id: 0 })],
    ['SUBSCRIBE', subscribe(0, [{ filter: 't' }])],
    ['UNSUBSCRIBE', unsubscribe(0, ['t'])],
    ['PUBREL', ack('pubrel', 0)],
    ['PUBACK', ack('puback', 0)],
  ])('of 0 is refused in %s [MQTT-2.2.1-3]', (_, wrong) => {
    const { client, other } = pair();
    client.say(wrong).ended(MALFORMED, PROTOCOL_ERROR);
    other.isWell();
  });

  it('of the server is neither 0 nor in use [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]', () => {
    const { world, client } = pair();
    const reader = world.reader('reader', '#', 2);
    for (let i = 0; i < 15; i++) client.publish('t', `${i}`, { qos: 1 + (i % 2) });
    const ids = reader.messages().map(({ id }) => id);
    expect(new Set(ids).size).toBe(15);
    expect(ids).not.toContain(0);
  });

  it('of the server may be that of a client’s own message on its way (2.2.1)', () => {
    const { world, client } = pair();
    const reader = world.reader('reader', 't', 1);
    client.publish('t', 'x', { qos: 1 });
    const { id } = reader.message();
    expect(reader.publish('u', 'y', { qos: 1, id })).toBe(0x00);
    reader.ack('puback', id).isWell();
  });

  it('comes back in each answer [MQTT-2.2.1-5] [MQTT-2.2.1-6]', () => {
    const { client } = pair();
    client.say(publish('t', '', { qos: 1, id: 0xffff }));
    expect(client.next('puback').id).toBe(0xffff);
    client.say(publish('t', '', { qos: 2, id: 0x1234 }));
    expect(client.next('pubrec').id).toBe(0x1234);
    client.say(ack('pubrel', 0x1234));
    expect(client.next('pubcomp').id).toBe(0x1234);
    client.say(subscribe(0x4321, [{ filter: 'u' }]));
    expect(client.next('suback').id).toBe(0x4321);
    client.say(unsubscribe(0x00ff, ['u']));
    expect(client.next('unsuback').id).toBe(0x00ff);
  });
});

describe('properties', () => {
  it('that are none are a length of zero [MQTT-2.2.2-1]', () => {
    const { client, other } = pair();
    client.publish('t');
    expect(other.message()).toMatchObject({ properties: {}, bytes: 6 });
    client.say(subscribe(1, [{ filter: 'u' }]));
    expect(client.next('suback')).toMatchObject({ properties: {}, bytes: 6 });
  });

  const SINGLE_OF_PUBLISH = {
    payloadFormat: 0,
    messageExpiryS: 1,
    contentType: 'a',
    responseTopic: 'r',
    correlationData: 'c',
    topicAlias: 1,
  };
  it.each(Object.entries(SINGLE_OF_PUBLISH))('of PUBLISH are there once: %s (3.3.2.3)', (name, value) => {
    const { client, other } = pair();
    const once = propertyBytes({ [name]: value });
    client.say(publish('t', '', { properties: join(once, once) })).ended(MALFORMED, PROTOCOL_ERROR);
    other.isWell();
  });

  const SINGLE_OF_CONNECT = {
    sessionExpiryS: 1,
    receiveMaximum: 1,
    maximumPacketSize: 100,
    topicAliasMaximum: 1,
    requestResponseInformation: 1,
    requestProblemInformation: 1,
    authenticationMethod: 'm',
  };
  it.each(Object.entries(SINGLE_OF_CONNECT))('of CONNECT are there once: %s (3.1.2.11)', (name, value) => {
    const { world } = pair();
    const once = propertyBytes({ [name]: value });
    world
      .open()
      .say(connect('c', { properties: join(once, once) }))
      .turnedAway(MALFORMED, PROTOCOL_ERROR);
  });

  const SINGLE_OF_WILL = {
    willDelayS: 1,
    payloadFormat: 0,
    messageExpiryS: 1,
    contentType: 'a',
    responseTopic: 'r',
    correlationData: 'c',
  };
  it.each(Object.entries(SINGLE_OF_WILL))('of a will are there once: %s (3.1.3.2)', (name, value) => {
    const { world } = pair();
    const once = propertyBytes({ [name]: value });
    const will = { topic: 't', payload: '', properties: join(once, once) };
    world.open().say(connect('c', { will })).turnedAway(MALFORMED, PROTOCOL_ERROR);
  });

  it('of SUBSCRIBE have one subscription identifier (3.8.2.1.2)', () => {
    const { client } = pair();
    client.say(subscribe(1, [{ filter: 't' }], bytes('0b 01 0b 02'))).ended(MALFORMED, PROTOCOL_ERROR);
  });

  it('of DISCONNECT have one session expiry interval (3.14.2.2.2)', () => {
    const { world } = pair();
    const client = world.join('c', FOR_AN_HOUR);
    const once = propertyBytes({ sessionExpiryS: 1 });
    client.say(disconnect(0, join(once, once))).ended(MALFORMED, PROTOCOL_ERROR);
  });

  it.each([
    ['no such property, in PUBLISH', publish('t', '', { properties: bytes('7f 00') })],
    ['one of CONNECT in PUBLISH', publish('t', '', { properties: { receiveMaximum: 1 } })],
    ['one of PUBLISH in SUBSCRIBE', subscribe(1, [{ filter: 't' }], { contentType: 'a' })],
    ['one of SUBSCRIBE in UNSUBSCRIBE', unsubscribe(1, ['t'], { subscriptionIds: [1] })],
    ['one of CONNACK in PUBLISH', publish('t', '', { properties: { assignedClientId: 'a' } })],
    ['a will delay in PUBLISH', publish('t', '', { properties: { willDelayS: 1 } })],
    ['one of PUBLISH in DISCONNECT', disconnect(0, { messageExpiryS: 1 })],
    ['one of PUBLISH in PUBREL', ack('pubrel', 1, 0, { payloadFormat: 1 })],
    ['properties longer than the packet', packet(0x30, text('t'), bytes('05 01 00'))],
    ['half a property', publish('t', '', { properties: bytes('02 00 00') })],
    ['a string over the end of the properties', packet(0x30, text('t'), bytes('04 03 00 09 61'), utf8('bcdefghijk'))],
  ])('that are wrong end the connection: %s (2.2.2.2)', (_, wrong) => {
    const { client, other } = pair();
    client.say(wrong).ended(MALFORMED, PROTOCOL_ERROR);
    other.isWell();
  });

  it.each([
    ['no such property', bytes('7f 00')],
    ['one of PUBLISH', propertyBytes({ topicAlias: 1 })],
    ['one of the will', propertyBytes({ willDelayS: 1 })],
    ['one of CONNACK', propertyBytes({ maximumQos: 1 })],
    ['receive maximum 0 (3.1.2.11.3)', propertyBytes({ receiveMaximum: 0 })],
    ['maximum packet size 0 (3.1.2.11.4)', propertyBytes({ maximumPacketSize: 0 })],
    ['request response information 2 (3.1.2.11.6)', propertyBytes({ requestResponseInformation: 2 })],
    ['request problem information 2 (3.1.2.11.7)', propertyBytes({ requestProblemInformation: 2 })],
    ['authentication data without a method (3.1.2.11.10)', propertyBytes({ authenticationData: 'd' })],
  ])('that are wrong turn a CONNECT away: %s [MQTT-3.1.4-1]', (_, properties) => {
    const { world } = pair();
    world.open().say(connect('c', { properties })).turnedAway(MALFORMED, PROTOCOL_ERROR);
  });

  it.each([
    ['a payload format of 2 (3.3.2.3.2)', propertyBytes({ payloadFormat: 2 })],
    ['an alias (3.1.3.2)', propertyBytes({ topicAlias: 1 })],
    ['a session expiry interval (3.1.3.2)', propertyBytes({ sessionExpiryS: 1 })],
  ])('of a will that are wrong turn a CONNECT away: %s', (_, properties) => {
    const { world } = pair();
    const will = { topic: 't', payload: '', properties };
    world.open().say(connect('c', { will })).turnedAway(MALFORMED, PROTOCOL_ERROR);
  });

  it('may carry user properties in every packet of a client (2.2.2.2)', () => {
    const { world } = pair();
    const userProperties = [
      ['a', '1'],
      ['a', '2'],
    ] as const;
    const properties = { userProperties };
    const client = world.join('c2', { properties: { ...FOR_AN_HOUR.properties, userProperties } });
    client.say(subscribe(1, [{ filter: 'own', qos: 2 }], properties));
    client.next('suback');
    client.say(unsubscribe(2, ['none'], properties));
    client.next('unsuback');
    client.say(publish('own', '', { qos: 2, id: 3, properties }));
    const both = client.take();
    expect(both.map(({ type }) => type).sort()).toEqual(['publish', 'pubrec']);
    client.say(ack('pubrel', 3, 0, properties));
    client.next('pubcomp');
    const { id } = both.find(({ type }) => type === 'publish') as PublishHeard;
    client.ack('pubrec', id, 0, properties).next('pubrel');
    client.ack('pubcomp', id, 0, properties).isWell();
    client.say(disconnect(0, properties));
    client.isOver();
  });

  it('may be left out at the end of acknowledgements, as the reason may (3.4.2.1)', () => {
    const { world, client } = pair();
    const reader = world.reader('reader', 't', 2);
    const forms: readonly (readonly (number | undefined)[])[] = [[undefined], [0]];
    for (const [reason] of forms) {
      client.publish('t', 'x', { qos: 2 });
      const { id } = reader.message();
      reader.ack('pubrec', id, reason);
      expect(reader.next('pubrel').id).toBe(id);
      reader.ack('pubcomp', id, reason).isWell();
    }
    client.say(disconnect(0));
    client.isOver();
  });
});

describe('a packet that is wrong', () => {
  const TRUNCATED: readonly (readonly [string, Uint8Array])[] = [
    ['PUBLISH without a topic', packet(0x30)],
    ['PUBLISH whose topic is longer than the packet', packet(0x30, bytes('00 05 61'))],
    ['PUBLISH without properties', packet(0x30, text('t'))],
    ['PUBLISH of QoS 1 without an identifier', packet(0x32, text('t'))],
    ['SUBSCRIBE without options', packet(0x82, u16(1), u8(0), text('t'))],
    ['SUBSCRIBE with half an identifier', packet(0x82, u8(1))],
    ['UNSUBSCRIBE with half a filter', packet(0xa2, u16(1), u8(0), bytes('00 04 61'))],
    ['PUBACK without an identifier', packet(0x40)],
    ['PUBACK with something behind its end', packet(0x40, u16(1), bytes('00 00 00'))],
    ['PINGREQ with a body', packet(0xc0, u8(0))],
    ['DISCONNECT with something behind its end', packet(0xe0, bytes('00 00 00'))],
    ['of type 0', packet(0x00)],
  ];
  it.each(TRUNCATED)('ends its own connection, and no other: %s [MQTT-4.13.1-1] [MQTT-4.13.2-1]', (_, wrong) => {
    const { client, other } = pair();
    client.say(wrong).ended(MALFORMED);
    other.isWell();
  });

  it.each([
    ['CONNACK', bytes('20 03 00 00 00')],
    ['SUBACK', bytes('90 04 00 01 00 00')],
    ['UNSUBACK', bytes('b0 04 00 01 00 00')],
    ['PINGRESP', bytes('d0 00')],
  ])('since only servers say it ends the connection: %s [MQTT-4.13.1-1]', (_, wrong) => {
    const { client } = pair();
    client.say(wrong).ended(MALFORMED, PROTOCOL_ERROR);
  });

  it('stops what stands behind it in the same piece of bytes (4.13)', () => {
    const { client, other } = pair();
    client.say(publish('t', 'before'), bytes('30 00'), publish('t', 'behind'));
    client.ended(MALFORMED);
    expect(other.payloads()).toEqual(['before']);
  });
});

describe('a connection of bytes', () => {
  const CONVERSATION = join(
    connect('pieces', FOR_AN_HOUR),
    subscribe(1, [{ filter: 't', qos: 2 }]),
    publish('t', 'payload', { qos: 2, id: 2, properties: { userProperties: [['a', 'b']] } }),
    ack('pubrel', 2, 0x00, {}),
    PINGREQ,
    disconnect(0x00),
  );

  it('may be cut anywhere [MQTT-4.2.0-1]', () => {
    const world = new World5();
    const whole = world.open().say(CONVERSATION);
    const pieces = new World5().open();
    for (const byte of CONVERSATION) pieces.say(Uint8Array.of(byte));
    const types = whole.take().map(({ type }) => type);
    expect(types.filter((type) => type !== 'publish')).toEqual(['connack', 'suback', 'pubrec', 'pubcomp', 'pingresp']);
    expect(types).toContain('publish');
    expect(pieces.take().map(({ type }) => type)).toEqual(types);
    expect([whole.isClosed, pieces.isClosed]).toEqual([true, true]);
  });

  it('takes AUTH only from a client that began with it (3.15) [MQTT-4.12.0-7]', () => {
    const { client } = pair();
    client.say(auth(0x19, { authenticationMethod: 'm' })).ended(PROTOCOL_ERROR);
  });
});
