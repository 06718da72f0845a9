import { describe, expect, it } from 'vitest';
import { type Level, type Packet, publishPacket, type Will } from '../../../host/broker/packets.js';
import { encodeMessageProperties } from '../../../host/broker/properties.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import { type Violation, violationOf } from '../../../host/broker/violations.js';
import type { Qos } from '../../../host/ports.js';
import { bytesOf, LEVELS } from './codec-packets.js';

const { MalformedPacket, ProtocolError, TopicFilterInvalid, TopicNameInvalid } = ReasonCode;
const BEFORE_5: readonly Level[] = [3, 4];
const FIVE: readonly Level[] = [5];

function publish(fields: object): Packet {
  const message = { topic: 't', payload: new Uint8Array(0), qos: 0 as Qos, retain: false };
  const expiresAt = Number.POSITIVE_INFINITY;
  return { ...publishPacket({ ...message, properties: undefined, expiresAt }, 0, false), ...fields } as Packet;
}

const connect = (fields: object): Packet => ({ cmd: 'connect', clientId: 'c', ...fields });
const connectWith = (will: Partial<Will>): Packet =>
  connect({ will: { topic: 'w', payload: new Uint8Array(0), ...will } });
const subscribe = (topic: string, more: object = {}): Packet => ({
  cmd: 'subscribe',
  messageId: 1,
  subscriptions: [
    { topic: 'good/#', qos: 0 },
    { topic, qos: 1, ...more },
  ],
});
const unsubscribe = (...unsubscriptions: string[]): Packet => ({ cmd: 'unsubscribe', messageId: 1, unsubscriptions });
const answersTo = (responseTopic: string): Uint8Array =>
  responseTopic === '' ? bytesOf('08 0000') : bytesOf(`08 0001 ${Buffer.from(responseTopic).toString('hex')}`);

/** [what, levels, packet, clause, reason] */
type Case = readonly [string, readonly Level[], Packet, Violation['clause'], ReasonCode];

const CASES: readonly Case[] = [
  ['PUBLISH to no topic', BEFORE_5, publish({ topic: '' }), 'MQTT-3.3.2-2', TopicNameInvalid],
  ['PUBLISH to no topic and no alias', FIVE, publish({ topic: '' }), 'MQTT-4.13.1-1', ProtocolError],
  ['PUBLISH to +', LEVELS, publish({ topic: 'a/+' }), 'MQTT-3.3.2-2', TopicNameInvalid],
  ['PUBLISH to # with an alias', FIVE, publish({ topic: '#', topicAlias: 1 }), 'MQTT-3.3.2-2', TopicNameInvalid],
  ['QoS 3', LEVELS, publish({ qos: 3, messageId: 1 }), 'MQTT-3.3.1-4', MalformedPacket],
  ['DUP at QoS 0', LEVELS, publish({ dup: true }), 'MQTT-3.3.1-2', MalformedPacket],
  ['PUBLISH of QoS 1 without identifier', BEFORE_5, publish({ qos: 1 }), 'MQTT-2.3.1-1', ProtocolError],
  ['PUBLISH of QoS 1 without identifier', FIVE, publish({ qos: 1 }), 'MQTT-2.2.1-3', ProtocolError],
  ['PUBLISH with subscription identifiers', FIVE, publish({ subscriptionIds: [1] }), 'MQTT-3.3.4-6', ProtocolError],
  ['answers to #', FIVE, publish({ properties: answersTo('#') }), 'MQTT-3.3.2-14', ProtocolError],
  ['answers to no topic', FIVE, publish({ properties: answersTo('') }), 'MQTT-3.3.2-14', ProtocolError],
  ['a password alone', BEFORE_5, connect({ password: new Uint8Array(1) }), 'MQTT-3.1.2-22', MalformedPacket],
  ['a will to +', LEVELS, connectWith({ topic: '+' }), 'MQTT-3.3.2-2', TopicNameInvalid],
  ['a will to no topic', LEVELS, connectWith({ topic: '' }), 'MQTT-3.3.2-2', TopicNameInvalid],
  ['a will of QoS 3', BEFORE_5, connectWith({ qos: 3 }), 'MQTT-3.1.2-14', MalformedPacket],
  ['a will of QoS 3', FIVE, connectWith({ qos: 3 }), 'MQTT-3.1.2-12', MalformedPacket],
  ['a will with answers to +', FIVE, connectWith({ properties: answersTo('+') }), 'MQTT-3.3.2-14', ProtocolError],
  ['receive maximum 0', FIVE, connect({ properties: { receiveMaximum: 0 } }), 'MQTT-4.13.1-1', ProtocolError],
  ['packets of 0', FIVE, connect({ properties: { maximumPacketSize: 0 } }), 'MQTT-4.13.1-1', ProtocolError],
  [
    'data without a method',
    FIVE,
    connect({ properties: { authenticationData: new Uint8Array(1) } }),
    'MQTT-4.13.1-1',
    ProtocolError,
  ],
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).flatMap((cmd): Case[] => [
    [`${cmd} of 0`, BEFORE_5, { cmd, messageId: 0, reasonCode: 0 }, 'MQTT-2.3.1-1', ProtocolError],
    [`${cmd} of 0`, FIVE, { cmd, messageId: 0, reasonCode: 0 }, 'MQTT-2.2.1-3', ProtocolError],
  ]),
  ['PUBACK with 0x92', FIVE, { cmd: 'puback', messageId: 1, reasonCode: 0x92 }, 'MQTT-3.4.2-1', ProtocolError],
  ['PUBREC with 0x92', FIVE, { cmd: 'pubrec', messageId: 1, reasonCode: 0x92 }, 'MQTT-3.5.2-1', ProtocolError],
  ['PUBREL with 0x80', FIVE, { cmd: 'pubrel', messageId: 1, reasonCode: 0x80 }, 'MQTT-3.6.2-1', ProtocolError],
  ['PUBCOMP with 0x80', FIVE, { cmd: 'pubcomp', messageId: 1, reasonCode: 0x80 }, 'MQTT-3.7.2-1', ProtocolError],
  ['SUBSCRIBE of 0', BEFORE_5, { ...subscribe('a'), messageId: 0 } as Packet, 'MQTT-2.3.1-1', ProtocolError],
  ['SUBSCRIBE of 0', FIVE, { ...subscribe('a'), messageId: 0 } as Packet, 'MQTT-2.2.1-3', ProtocolError],
  [
    'SUBSCRIBE to nothing',
    BEFORE_5,
    { cmd: 'subscribe', messageId: 1, subscriptions: [] },
    'MQTT-3.8.3-3',
    ProtocolError,
  ],
  ['SUBSCRIBE to nothing', FIVE, { cmd: 'subscribe', messageId: 1, subscriptions: [] }, 'MQTT-3.8.3-2', ProtocolError],
  ['SUBSCRIBE with a bad filter', BEFORE_5, subscribe('a/#/b'), 'MQTT-4.7.1-2', TopicFilterInvalid],
  ['SUBSCRIBE with a bad filter', FIVE, subscribe('a+'), 'MQTT-4.7.1-1', TopicFilterInvalid],
  ['SUBSCRIBE with an empty filter', LEVELS, subscribe(''), 'MQTT-4.7.3-1', TopicFilterInvalid],
  ['SUBSCRIBE with QoS 3', BEFORE_5, subscribe('a', { qos: 3 }), 'MQTT-3.8.3-4', ProtocolError],
  ['SUBSCRIBE with QoS 3', FIVE, subscribe('a', { qos: 3 }), 'MQTT-4.13.1-1', ProtocolError],
  ['retain handling 3', FIVE, subscribe('a', { rh: 3 }), 'MQTT-4.13.1-1', ProtocolError],
  [
    'subscription identifier 0',
    FIVE,
    { ...subscribe('a'), properties: { subscriptionIdentifier: 0 } } as Packet,
    'MQTT-4.13.1-1',
    ProtocolError,
  ],
  ['a share without a name', LEVELS, subscribe('$share//a'), 'MQTT-4.8.2-1', TopicFilterInvalid],
  ['a share of nothing at all', LEVELS, subscribe('$share/'), 'MQTT-4.8.2-1', TopicFilterInvalid],
  ['a share of nothing', LEVELS, subscribe('$share/g'), 'MQTT-4.8.2-2', TopicFilterInvalid],
  ['a share of an empty filter', LEVELS, subscribe('$share/g/'), 'MQTT-4.8.2-2', TopicFilterInvalid],
  ['a share by the name of +', LEVELS, subscribe('$share/+/a'), 'MQTT-4.8.2-2', TopicFilterInvalid],
  ['a share by the name of #', LEVELS, subscribe('$share/#'), 'MQTT-4.8.2-2', TopicFilterInvalid],
  ['a share without its own messages', FIVE, subscribe('$share/g/a', { nl: true }), 'MQTT-3.8.3-4', ProtocolError],
  ['UNSUBSCRIBE from nothing', LEVELS, unsubscribe(), 'MQTT-3.10.3-2', ProtocolError],
  ['UNSUBSCRIBE with a bad filter', BEFORE_5, unsubscribe('a', '#/b'), 'MQTT-4.7.1-2', TopicFilterInvalid],
  ['UNSUBSCRIBE with a bad filter', FIVE, unsubscribe('a', '#/b'), 'MQTT-4.7.1-1', TopicFilterInvalid],
  ['UNSUBSCRIBE from a bad share', LEVELS, unsubscribe('$share/g'), 'MQTT-4.8.2-2', TopicFilterInvalid],
  [
    'UNSUBSCRIBE of 0',
    FIVE,
    { cmd: 'unsubscribe', messageId: 0, unsubscriptions: ['a'] },
    'MQTT-2.2.1-3',
    ProtocolError,
  ],
  ["a server's DISCONNECT", FIVE, { cmd: 'disconnect', reasonCode: 0x8e }, 'MQTT-3.14.2-1', ProtocolError],
  ["a server's AUTH", FIVE, authWith(0), 'MQTT-3.15.2-1', ProtocolError],
  ['AUTH without a method', FIVE, { cmd: 'auth', reasonCode: 0x18 }, 'MQTT-4.13.1-1', ProtocolError],
  ['AUTH', BEFORE_5, authWith(0x18), 'MQTT-4.8.0-1', ProtocolError],
  ['CONNACK', BEFORE_5, { cmd: 'connack', reasonCode: 0, sessionPresent: false }, 'MQTT-4.8.0-1', ProtocolError],
  ['PINGRESP', FIVE, { cmd: 'pingresp' }, 'MQTT-4.13.1-1', ProtocolError],
];

function authWith(reasonCode: ReasonCode): Packet {
  return { cmd: 'auth', reasonCode, properties: { authenticationMethod: 'm' } };
}

describe('a violation', () => {
  for (const [what, levels, packet, clause, reason] of CASES) {
    it.each(levels)(`is ${what} in level %i: ${clause}`, (level) => {
      expect(violationOf(packet, level)).toEqual({ clause, reason });
    });
  }
});

describe('the reasons of a client', () => {
  // Tables 3-4 to 3-7, 3-10 and 3-11, without what only servers say.
  it.each([
    ['puback', [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
    ['pubrec', [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
    ['pubrel', [0x00, 0x92]],
    ['pubcomp', [0x00, 0x92]],
    ['disconnect', [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]],
    ['auth', [0x18, 0x19]],
  ] as const)('for %s are those of the standard', (cmd, codes) => {
    const properties = { authenticationMethod: 'm' };
    const allowed = [...Array(256).keys()].filter(
      (reasonCode) => violationOf({ cmd, messageId: 1, reasonCode, properties } as Packet, 5) === undefined,
    );
    expect(allowed).toEqual(codes);
  });
});

describe('no violation', () => {
  it.each([
    ['a PUBLISH', LEVELS, publish({})],
    ['a PUBLISH sent again', LEVELS, publish({ qos: 2, messageId: 65_535, dup: true })],
    ['a PUBLISH by its alias', FIVE, publish({ topic: '', topicAlias: 1 })],
    [
      'a PUBLISH with properties',
      FIVE,
      publish({ properties: encodeMessageProperties({ responseTopic: 'a/b', userProperties: [['#', '+']] }) }),
    ],
    ['a password alone', FIVE, connect({ password: new Uint8Array(1) })],
    ['a login with a will', LEVELS, connectWith({ qos: 2, retain: true })],
    ['a shared subscription', LEVELS, subscribe('$share/g/a/#')],
    ['a shared subscription with an empty first level', LEVELS, subscribe('$share/g//a')],
    ['a shared subscription to all', LEVELS, subscribe('$share/g/+', { nl: false })],
    ['a filter that only looks like one', LEVELS, subscribe('$shared')],
    ['a filter without the slash of one', LEVELS, subscribe('$share')],
    ['a subscription without its own messages', FIVE, subscribe('a', { nl: true, rh: 2, rap: true })],
    ['UNSUBSCRIBE', LEVELS, unsubscribe('a', '$share/g/a')],
    ['PINGREQ', LEVELS, { cmd: 'pingreq' }],
    ['DISCONNECT', LEVELS, { cmd: 'disconnect', reasonCode: 0 }],
    ['DISCONNECT with an expiry', FIVE, { cmd: 'disconnect', reasonCode: 4, properties: { sessionExpiryInterval: 5 } }],
    ['AUTH', FIVE, authWith(0x19)],
    ['PUBREC that refuses', FIVE, { cmd: 'pubrec', messageId: 1, reasonCode: 0x97 }],
    ['PUBREL of one that is not known', FIVE, { cmd: 'pubrel', messageId: 1, reasonCode: 0x92 }],
    [
      'an acknowledgement with a reason that its version does not know',
      BEFORE_5,
      {
        cmd: 'puback',
        messageId: 1,
        reasonCode: 0x55,
      },
    ],
  ] as readonly [string, readonly Level[], Packet][])('is %s', (_, levels, packet) => {
    for (const level of levels) expect(violationOf(packet, level)).toBeUndefined();
  });
});
