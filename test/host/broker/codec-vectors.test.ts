// MQTT 5.0 byte by byte, written by hand from the standard: its examples, every short form, and everything that a packet
// can do wrong in its shape.
import { describe, expect, it } from 'vitest';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import { bytesOf, faultIn, packetIn } from './codec-packets.js';

const NEVER = Number.POSITIVE_INFINITY;
const LEVEL = { MQTT_3_1: 3, MQTT_3_1_1: 4, MQTT_5: 5 } as const;

/** The length of the body is put behind the first byte. */
function packetOf(first: string, body: string): Uint8Array {
  const bytes = bytesOf(body);
  if (bytes.length > 127) throw new Error('too long for one byte of length');
  return Uint8Array.of(Number.parseInt(first, 16), bytes.length, ...bytes);
}

const NAME_5 = '0004 4d515454 05';

describe('a packet of MQTT 5.0', () => {
  it.each([
    // 3.1.2.12: the example of a variable header, with a field of one byte for all that its flags say.
    [
      'CONNECT',
      packetOf('10', `${NAME_5} ce 000a 05 11 0000000a 0001 61 00 0001 77 0001 78 0001 75 0001 70`),
      {
        cmd: 'connect',
        clientId: 'a',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clean: true,
        keepalive: 10,
        username: 'u',
        password: bytesOf('70'),
        will: { topic: 'w', payload: bytesOf('78'), qos: 1, retain: false },
        properties: { sessionExpiryInterval: 10 },
      },
    ],
    [
      'CONNECT with a password alone, as MQTT 5.0 allows',
      packetOf('10', `${NAME_5} 40 0000 00 0000 0001 70`),
      {
        cmd: 'connect',
        clientId: '',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clean: false,
        keepalive: 0,
        password: bytesOf('70'),
      },
    ],
    [
      'CONNECT with every property',
      packetOf(
        '10',
        `${NAME_5} 02 003c 2c 11 ffffffff 21 0001 27 00010000 22 000a 19 01 17 00 26 0001 61 0001 62
         15 0001 6d 16 0003 010203 26 0001 61 0001 63 0000`,
      ),
      {
        cmd: 'connect',
        clientId: '',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clean: true,
        keepalive: 60,
        properties: {
          sessionExpiryInterval: 0xffff_ffff,
          receiveMaximum: 1,
          maximumPacketSize: 0x10000,
          topicAliasMaximum: 10,
          requestResponseInformation: true,
          requestProblemInformation: false,
          userProperties: { a: ['b', 'c'] },
          authenticationMethod: 'm',
          authenticationData: bytesOf('010203'),
        },
      },
    ],
    [
      'CONNECT with every property of a will',
      packetOf(
        '10',
        `${NAME_5} 26 0000 00 0000
         26 26 0001 61 0001 62 18 0000000f 01 01 02 0000003c 03 0001 63 08 0001 72 09 0002 ff00 26 0001 61 0000
         0001 77 0000`,
      ),
      {
        cmd: 'connect',
        clientId: '',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clean: true,
        keepalive: 0,
        will: {
          topic: 'w',
          payload: new Uint8Array(0),
          qos: 0,
          retain: true,
          properties: bytesOf('0101 26 0001 61 0001 62 03 0001 63 08 0001 72 09 0002 ff00 26 0001 61 0000'),
          delayS: 15,
          expiryS: 60,
        },
      },
    ],
    [
      'PUBLISH as in the example of 3.3.2',
      packetOf('32', '0003 612f62 000a 00'),
      {
        cmd: 'publish',
        topic: 'a/b',
        topicLevels: 2,
        payload: new Uint8Array(0),
        qos: 1,
        retain: false,
        dup: false,
        messageId: 10,
        properties: undefined,
        expiresAt: NEVER,
        subscriptionIds: undefined,
        topicAlias: 0,
        entry: undefined,
        encoded: undefined,
        encoded5: undefined,
      },
    ],
    [
      'PUBLISH with every property of a client',
      packetOf(
        '31',
        '0000 24 26 0001 61 0001 62 02 00000002 23 0007 01 00 03 0001 63 08 0001 72 09 0001 ff 26 0001 61 0001 62 aabb',
      ),
      {
        cmd: 'publish',
        topic: '',
        topicLevels: 0,
        payload: bytesOf('aabb'),
        qos: 0,
        retain: true,
        dup: false,
        messageId: 0,
        properties: bytesOf('0100 26 0001 61 0001 62 03 0001 63 08 0001 72 09 0001 ff 26 0001 61 0001 62'),
        expiresAt: 2_500,
        subscriptionIds: undefined,
        topicAlias: 7,
        entry: undefined,
        encoded: undefined,
        encoded5: undefined,
      },
    ],
    [
      'PUBLISH with subscription identifiers',
      packetOf('30', '0001 61 06 0b 01 0b 808001'),
      expect.objectContaining({ topic: 'a', subscriptionIds: [1, 16_384], properties: undefined }),
    ],
    ['PUBACK without a reason', packetOf('40', '000a'), { cmd: 'puback', messageId: 10, reasonCode: 0 }],
    ['PUBREC with a reason', packetOf('50', '000a 97'), { cmd: 'pubrec', messageId: 10, reasonCode: 0x97 }],
    ['PUBREL with no properties', packetOf('62', '000a 92 00'), { cmd: 'pubrel', messageId: 10, reasonCode: 0x92 }],
    [
      'PUBCOMP with properties',
      packetOf('70', '000a 00 0b 1f 0001 72 26 0001 61 0001 62'),
      { cmd: 'pubcomp', messageId: 10, reasonCode: 0 },
    ],
    [
      'SUBSCRIBE as in the example of 3.8',
      packetOf('82', '000a 00 0003 612f62 01 0003 632f64 02'),
      {
        cmd: 'subscribe',
        messageId: 10,
        subscriptions: [
          { topic: 'a/b', qos: 1, nl: false, rap: false, rh: 0 },
          { topic: 'c/d', qos: 2, nl: false, rap: false, rh: 0 },
        ],
      },
    ],
    [
      'SUBSCRIBE with options and an identifier',
      packetOf('82', '0001 02 0b 7f 0001 61 2e'),
      {
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [{ topic: 'a', qos: 2, nl: true, rap: true, rh: 2 }],
        properties: { subscriptionIdentifier: 127 },
      },
    ],
    [
      'UNSUBSCRIBE as in the example of 3.10',
      packetOf('a2', '000a 00 0003 612f62 0003 632f64'),
      { cmd: 'unsubscribe', messageId: 10, unsubscriptions: ['a/b', 'c/d'] },
    ],
    ['PINGREQ', packetOf('c0', ''), { cmd: 'pingreq' }],
    ['DISCONNECT of nothing', packetOf('e0', ''), { cmd: 'disconnect', reasonCode: 0 }],
    ['DISCONNECT with a reason', packetOf('e0', '04'), { cmd: 'disconnect', reasonCode: 4 }],
    [
      'DISCONNECT with an expiry',
      packetOf('e0', '00 05 11 00000000'),
      { cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } },
    ],
    ['AUTH of nothing', packetOf('f0', ''), { cmd: 'auth', reasonCode: 0 }],
    [
      'AUTH with its method and data',
      packetOf('f0', '18 08 15 0001 6d 16 0001 ff'),
      {
        cmd: 'auth',
        reasonCode: 0x18,
        properties: { authenticationMethod: 'm', authenticationData: bytesOf('ff') },
      },
    ],
  ])('%s is read', (_, bytes, packet) => {
    const level = packet.cmd === 'connect' ? undefined : LEVEL.MQTT_5;
    expect(packetIn(bytes, level, 500)).toEqual(packet);
  });
});

describe('MQTT 3.1', () => {
  it('may send SUBSCRIBE, UNSUBSCRIBE and PUBREL again with DUP, later versions may not', () => {
    for (const [first, body] of [
      ['8a', '0001 0001 61 01'],
      ['aa', '0001 0001 61'],
      ['6a', '0001'],
    ] as const) {
      const plain = packetOf((Number.parseInt(first, 16) & 0xf7).toString(16), body);
      expect(packetIn(packetOf(first, body), LEVEL.MQTT_3_1)).toEqual(packetIn(plain, LEVEL.MQTT_3_1));
      expect(faultIn(packetOf(first, body), LEVEL.MQTT_3_1_1)?.why).toBe('header-flags');
    }
  });
});

const { MalformedPacket, ProtocolError, TopicAliasInvalid } = ReasonCode;

describe('a packet with a fault', () => {
  it.each([
    ['a reserved type', '00', '', MalformedPacket, 'packet-type'],
    ['a packet of servers', '20', '00 00 00', ProtocolError, 'packet-type'],
    ['SUBACK', '90', '0001 00 00', ProtocolError, 'packet-type'],
    ['UNSUBACK', 'b0', '0001 00 00', ProtocolError, 'packet-type'],
    ['PINGRESP', 'd0', '', ProtocolError, 'packet-type'],
    ['flags on PINGREQ', 'c1', '', MalformedPacket, 'header-flags'],
    ['flags on DISCONNECT', 'e2', '', MalformedPacket, 'header-flags'],
    ['no flags on SUBSCRIBE', '80', '0001 00 0001 61 00', MalformedPacket, 'header-flags'],
    ['DUP on PUBREL', '6a', '0001', MalformedPacket, 'header-flags'],
    ['QoS 3', '36', '0001 61 0001 00', MalformedPacket, 'MQTT-3.3.1-4'],
    ['PUBLISH without properties', '30', '0001 61', MalformedPacket, 'too-short'],
    ['PUBLISH without its identifier', '32', '0001 61 00', MalformedPacket, 'too-short'],
    ['properties that end outside of the packet', '30', '0001 61 03 01 00', MalformedPacket, 'too-short'],
    ['a property that ends behind the properties', '30', '0001 61 02 02 00000000', MalformedPacket, 'property-length'],
    ['an identifier without a value', '30', '0001 61 01 01', MalformedPacket, 'too-short'],
    ['a property length of five bytes', '30', '0001 61 8080808001', MalformedPacket, 'variable-byte-integer'],
    ['a property length that could be shorter', '30', '0001 61 8000', MalformedPacket, 'MQTT-1.5.5-1'],
    ['a property that is not known', '30', '0001 61 02 7f 00', MalformedPacket, 'property-identifier'],
    ['a property identifier of two bytes', '30', '0001 61 03 8101 00', MalformedPacket, 'property-identifier'],
    ['a property of another packet', '30', '0001 61 05 11 00000000', MalformedPacket, 'property-identifier'],
    ['a property twice', '30', '0001 61 04 0100 0100', ProtocolError, 'property-twice'],
    ['a flag of 2', '30', '0001 61 02 0102', ProtocolError, 'property-value'],
    ['alias 0', '30', '0001 61 03 23 0000', TopicAliasInvalid, 'MQTT-3.3.2-8'],
    ['a property with text that is none', '30', '0001 61 04 03 0001 ff', MalformedPacket, 'utf-8'],
    ['a user property with U+0000', '30', '0001 61 07 26 0001 61 0001 00', MalformedPacket, 'utf-8'],
    ['subscription identifier 0', '82', '0001 02 0b00 0001 61 00', ProtocolError, 'property-value'],
    ['two subscription identifiers', '82', '0001 04 0b010b02 0001 61 00', ProtocolError, 'property-twice'],
    [
      'a subscription identifier that could be shorter',
      '82',
      '0001 03 0b8100 0001 61 00',
      MalformedPacket,
      'MQTT-1.5.5-1',
    ],
    ['a filter without options', '82', '0001 00 0001 61', MalformedPacket, 'too-short'],
    ['reserved options', '82', '0001 00 0001 61 40', MalformedPacket, 'subscription-options'],
    ['subscription with QoS 3', '82', '0001 00 0001 61 03', ProtocolError, 'subscription-options'],
    ['retain handling 3', '82', '0001 00 0001 61 30', ProtocolError, 'subscription-options'],
    ['a filter that ends outside', 'a2', '0001 00 0002 61', MalformedPacket, 'too-short'],
    ['UNSUBSCRIBE with an identifier', 'a2', '0001 02 0b01 0001 61', MalformedPacket, 'property-identifier'],
    ['PUBACK of one byte', '40', '00', MalformedPacket, 'too-short'],
    ['PUBACK with a reason of PUBREL', '40', '0001 92', ProtocolError, 'MQTT-3.4.2-1'],
    ['PUBREC with a reason that is none', '50', '0001 55 00', ProtocolError, 'MQTT-3.5.2-1'],
    ['PUBREL with a reason of PUBACK', '62', '0001 10', ProtocolError, 'MQTT-3.6.2-1'],
    ['PUBCOMP with a reason of PUBACK', '70', '0001 80', ProtocolError, 'MQTT-3.7.2-1'],
    ['PUBACK with more behind its properties', '40', '0001 00 00 00', MalformedPacket, 'too-long'],
    ['PINGREQ with a body', 'c0', '00', MalformedPacket, 'too-long'],
    ['DISCONNECT with a reason of servers', 'e0', '8e 00', ProtocolError, 'MQTT-3.14.2-1'],
    ['DISCONNECT with a reason that is none', 'e0', '55', ProtocolError, 'MQTT-3.14.2-1'],
    ['DISCONNECT with more behind its properties', 'e0', '00 00 00', MalformedPacket, 'too-long'],
    ['AUTH with a reason alone', 'f0', '18', MalformedPacket, 'too-short'],
    ['AUTH with a reason of servers', 'f0', '00 00', ProtocolError, 'MQTT-3.15.2-1'],
    ['AUTH with data and no method', 'f0', '18 03 16 0000', ProtocolError, 'authentication-method'],
    ['CONNECT with its reserved flag', '10', `${NAME_5} 01 0000 00 0000`, MalformedPacket, 'MQTT-3.1.2-3'],
    ['CONNECT with a QoS of no will', '10', `${NAME_5} 08 0000 00 0000`, MalformedPacket, 'will-flags'],
    ['CONNECT that retains no will', '10', `${NAME_5} 20 0000 00 0000`, MalformedPacket, 'will-flags'],
    ['CONNECT without properties', '10', `${NAME_5} 00 0000`, MalformedPacket, 'too-short'],
    ['CONNECT without a client identifier', '10', `${NAME_5} 00 0000 00`, MalformedPacket, 'too-short'],
    ['CONNECT with less than its protocol', '10', '0004 4d51', MalformedPacket, 'too-short'],
    ['CONNECT without a protocol', '10', '', MalformedPacket, 'too-short'],
    ['CONNECT with receive maximum 0', '10', `${NAME_5} 00 0000 03 210000 0000`, ProtocolError, 'property-value'],
    ['CONNECT with packets of 0', '10', `${NAME_5} 00 0000 05 2700000000 0000`, ProtocolError, 'property-value'],
    ['CONNECT with a flag of 2', '10', `${NAME_5} 00 0000 02 1702 0000`, ProtocolError, 'property-value'],
    [
      'CONNECT with data and no method',
      '10',
      `${NAME_5} 00 0000 03 160000 0000`,
      ProtocolError,
      'authentication-method',
    ],
    [
      'CONNECT with a property of the will',
      '10',
      `${NAME_5} 00 0000 05 1800000000 0000`,
      MalformedPacket,
      'property-identifier',
    ],
    [
      'a will with a property of the CONNECT',
      '10',
      `${NAME_5} 04 0000 00 0000 05 1100000000 0001 77 0000`,
      MalformedPacket,
      'property-identifier',
    ],
    ['a will without properties', '10', `${NAME_5} 04 0000 00 0000`, MalformedPacket, 'too-short'],
    ['more behind a CONNECT', '10', `${NAME_5} 00 0000 00 0000 00`, MalformedPacket, 'too-long'],
  ] as const)('%s: why', (_, first, body, reason, why) => {
    expect(faultIn(packetOf(first, body), LEVEL.MQTT_5)).toEqual({ reason, why });
  });

  it('has a remaining length that could be shorter, in MQTT 5.0 only', () => {
    expect(faultIn(bytesOf('c0 80 00'), LEVEL.MQTT_5)).toEqual({ reason: MalformedPacket, why: 'MQTT-1.5.5-1' });
    expect(faultIn(bytesOf('c0 80 00'), LEVEL.MQTT_3_1_1)).toBeUndefined();
  });

  it.each([
    ['AUTH', 'f0', '18 00', 'packet-type'],
    ['a DISCONNECT with a body', 'e0', '00', 'too-long'],
    ['an acknowledgement with a reason', '40', '0001 00', 'too-long'],
    ['subscription options but the QoS', '82', '0001 0001 61 04', 'subscription-options'],
    ['subscription with QoS 3', '82', '0001 0001 61 03', 'subscription-options'],
  ])('has what older versions do not know: %s', (_, first, body, why) => {
    for (const level of [LEVEL.MQTT_3_1, LEVEL.MQTT_3_1_1]) {
      expect(faultIn(packetOf(first, body), level)).toEqual({ reason: MalformedPacket, why });
    }
  });
});
