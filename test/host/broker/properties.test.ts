import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { PacketType } from '../../../host/broker/packet-types.js';
import {
  claimsUtf8,
  decodeMessageProperties,
  encodeMessageProperties,
  type MessageProperties,
  responseTopicOf,
} from '../../../host/broker/properties.js';
import { PROPERTIES, PROPERTY_BY_ID, PropertyType, Values, WILL } from '../../../host/broker/property-table.js';
import { bytesOf, hexOf } from './codec-packets.js';

/** mqtt-packet's own table, which has no types. */
const constants = createRequire(import.meta.url)('mqtt-packet/constants.js') as { properties: Record<string, number> };

describe('the table of properties', () => {
  // Table 2-4, typed in once more: identifier, type, and the packets, "will" among them.
  const TABLE = `
    01 Byte PUBLISH WILL
    02 U32 PUBLISH WILL
    03 Text PUBLISH WILL
    08 Text PUBLISH WILL
    09 Binary PUBLISH WILL
    0b Varint PUBLISH SUBSCRIBE
    11 U32 CONNECT CONNACK DISCONNECT
    12 Text CONNACK
    13 U16 CONNACK
    15 Text CONNECT CONNACK AUTH
    16 Binary CONNECT CONNACK AUTH
    17 Byte CONNECT
    18 U32 WILL
    19 Byte CONNECT
    1a Text CONNACK
    1c Text CONNACK DISCONNECT
    1f Text CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH
    21 U16 CONNECT CONNACK
    22 U16 CONNECT CONNACK
    23 U16 PUBLISH
    24 Byte CONNACK
    25 Byte CONNACK
    26 TextPair CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT AUTH
    27 U32 CONNECT CONNACK
    28 Byte CONNACK
    29 Byte CONNACK
    2a Byte CONNACK`;

  it('is that of the standard', () => {
    const rows = PROPERTIES.map(({ id, type, packets }) => {
      const places = [...Array(16).keys()].filter((place) => (packets & (1 << place)) !== 0);
      const names = places.map((place) => (place === WILL ? 'WILL' : PacketType[place]!.toUpperCase()));
      return [id.toString(16).padStart(2, '0'), PropertyType[type], ...names.sort()];
    });
    const expected = TABLE.trim()
      .split('\n')
      .map((line) => line.trim().split(' '))
      .map(([id, type, ...names]) => [id, type, ...names.sort()]);
    expect(rows).toEqual(expected);
  });

  it('has the names of mqtt-packet', () => {
    const names = Object.fromEntries(PROPERTIES.map(({ id, name }) => [name, id]));
    expect(names).toEqual(constants.properties);
  });

  it('finds each by its identifier, and nothing else', () => {
    expect(PROPERTY_BY_ID.filter((rule) => rule !== undefined)).toEqual(PROPERTIES);
    for (const rule of PROPERTIES) expect(PROPERTY_BY_ID[rule.id]).toBe(rule);
    expect(new Set(PROPERTIES.map(({ bit }) => bit)).size).toBe(PROPERTIES.length);
  });

  it('lets only user properties be there twice, and subscription identifiers in PUBLISH', () => {
    const repeatable = PROPERTIES.filter((rule) => rule.repeatable !== 0);
    expect(repeatable.map(({ name }) => name)).toEqual(['subscriptionIdentifier', 'userProperties']);
    expect(repeatable[0]!.repeatable).toBe(1 << PacketType.Publish);
    expect(repeatable[1]!.repeatable).toBe(repeatable[1]!.packets);
  });

  it('knows which may not be zero, and takes every byte for a flag', () => {
    const named = (values: Values): string[] => PROPERTIES.filter((p) => p.values === values).map((p) => p.name);
    expect(named(Values.NonZero).sort()).toEqual([
      'maximumPacketSize',
      'receiveMaximum',
      'subscriptionIdentifier',
      'topicAlias',
    ]);
    expect(named(Values.Flag)).toEqual(PROPERTIES.filter((p) => p.type === PropertyType.Byte).map((p) => p.name));
  });
});

const ALL: MessageProperties = {
  payloadFormat: 1,
  contentType: 'text/plain',
  responseTopic: 'ü/answers',
  correlationData: Uint8Array.of(0, 0xff),
  userProperties: [
    ['b', '\ufeff2'],
    ['a', '1'],
    ['b', '1'],
    ['', ''],
  ],
};

describe('the properties of a message', () => {
  it('come back from their bytes, user properties in their order and as often as they are there', () => {
    expect(decodeMessageProperties(encodeMessageProperties(ALL))).toEqual(ALL);
    expect(decodeMessageProperties(encodeMessageProperties({ payloadFormat: 0 }))).toEqual({ payloadFormat: 0 });
  });

  it('have the bytes of the standard', () => {
    const properties: MessageProperties = {
      ...ALL,
      contentType: 'c',
      responseTopic: 'r',
      userProperties: [['a', 'b']],
    };
    expect(hexOf(encodeMessageProperties(properties)!)).toBe(
      '01 01 03 000163 08 000172 09 000200ff 26 000161 000162'.replaceAll(' ', ''),
    );
  });

  it('are no bytes where there are none', () => {
    expect(encodeMessageProperties({})).toBeUndefined();
    expect(encodeMessageProperties({ userProperties: [] })).toBeUndefined();
    expect(decodeMessageProperties(undefined)).toEqual({});
  });

  it('may claim that the payload is UTF-8', () => {
    expect(claimsUtf8(encodeMessageProperties(ALL))).toBe(true);
    expect(claimsUtf8(encodeMessageProperties({ ...ALL, payloadFormat: 0 }))).toBe(false);
    expect(claimsUtf8(encodeMessageProperties({ contentType: 'x' }))).toBe(false);
    expect(claimsUtf8(undefined)).toBe(false);
  });

  it('may name a topic for answers, wherever it stands among them', () => {
    expect(responseTopicOf(encodeMessageProperties(ALL)!)).toBe('ü/answers');
    expect(responseTopicOf(bytesOf('26 0001 08 0001 08 09 0000 08 0001 72'))).toBe('r');
    expect(responseTopicOf(bytesOf('26 0001 08 0001 08'))).toBeUndefined();
  });

  it('are copies', () => {
    const bytes = encodeMessageProperties(ALL)!;
    const { correlationData } = decodeMessageProperties(bytes);
    bytes.fill(7);
    expect(correlationData).toEqual(Uint8Array.of(0, 0xff));
  });

  it('end where bytes are none of them', () => {
    expect(decodeMessageProperties(bytesOf('01 01 ff 03 0001 63'))).toEqual({ payloadFormat: 1 });
  });

  const LONG = 'x'.repeat(65_536);

  it.each([
    ['U+0000', { contentType: '\0' }, 'content type'],
    ['half a surrogate pair', { userProperties: [['a', '\ud800']] }, '"a"'],
    ['a name with U+0000', { userProperties: [['\0', '']] }, 'name of a user property'],
    ['a wildcard', { responseTopic: 'a/#' }, 'response topic'],
    ['an empty topic', { responseTopic: '' }, 'response topic'],
    ['a long text', { contentType: LONG }, '65536'],
    ['much data', { correlationData: new Uint8Array(65_536) }, 'correlation data'],
  ] as const)('that MQTT cannot say are refused by name: %s', (_, properties, word) => {
    expect(() => encodeMessageProperties(properties)).toThrow(
      expect.objectContaining({ code: 'ERR_BROKER_MESSAGE', message: expect.stringContaining(word) }),
    );
  });
});
