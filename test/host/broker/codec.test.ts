// Both directions, packet by packet, against mqtt-packet: where the codec uses it, that nothing is lost on the way to the
// core; where it does not, that the bytes are the same.
import fc from 'fast-check';
import type { IConnectPacket, IPublishPacket, Packet as WirePacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { decode, encode, publishBytes } from '../../../host/broker/codec.js';
import {
  type AckPacket,
  ackPacket,
  type BrokerMessage,
  type ConnectPacket,
  type Packet,
  type PublishPacket,
  publishPacket,
} from '../../../host/broker/packets.js';
import { decodeMessageProperties } from '../../../host/broker/properties.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import { violationOf } from '../../../host/broker/violations.js';
import type { Qos } from '../../../host/ports.js';
import {
  acks,
  auths,
  bytesOf,
  clientPackets,
  connects,
  decodeBytes,
  disconnects,
  faultIn,
  generated,
  hexOf,
  LEVELS,
  messageProperties,
  packetIn,
  payloads,
  publishes,
  reference,
  subscribes,
  topics,
  unsubscribes,
} from './codec-packets.js';

const NEVER = Number.POSITIVE_INFINITY;
const NOW = 5_000;

/** mqtt-packet's properties of a message in our words; user properties in no order. */
function saidBy(properties: IPublishPacket['properties'] = {}) {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  return {
    payloadFormat: payloadFormatIndicator === undefined ? undefined : Number(payloadFormatIndicator),
    contentType,
    responseTopic,
    correlationData: correlationData && hexOf(correlationData),
    userProperties: Object.entries(userProperties ?? {})
      .flatMap(([name, values]) => [values].flat().map((value) => `${name}=${value}`))
      .sort(),
  };
}

function saidByUs(bytes: Uint8Array | undefined) {
  const {
    payloadFormat,
    contentType,
    responseTopic,
    correlationData,
    userProperties = [],
  } = decodeMessageProperties(bytes);
  return {
    payloadFormat,
    contentType,
    responseTopic,
    correlationData: correlationData && hexOf(correlationData),
    userProperties: userProperties.map(([name, value]) => `${name}=${value}`).sort(),
  };
}

/** Plain objects and hex, so that Buffer and Uint8Array compare, and what is not there is not there. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, function (this: Record<string, unknown>, key, after) {
      const before = this[key];
      return before instanceof Uint8Array ? hexOf(before) : after;
    }),
  );
}

/** The fields that mqtt-packet gives every packet. */
function withoutHeader({ length, ...packet }: WirePacket & { length?: number }): Record<string, unknown> {
  const fields = packet as Record<string, unknown>;
  if (packet.cmd === 'publish') return fields;
  const { qos, dup, retain, topic, payload, ...own } = fields;
  return own;
}

const bodyOf = (bytes: Uint8Array): number => (bytes[1]! < 0x80 ? 2 : bytes[2]! < 0x80 ? 3 : 4);

describe.each(LEVELS)('what a client of level %i sends', (level) => {
  it('PUBLISH has all that mqtt-packet finds in it', () => {
    fc.assert(
      fc.property(publishes(level), (sent) => {
        const bytes = generated(sent, level);
        const expected = reference(bytes, level) as IPublishPacket;
        const packet = packetIn(bytes, level, NOW) as PublishPacket;
        const { topic, payload, qos, retain, dup, messageId } = expected;
        expect(packet).toMatchObject({ cmd: 'publish', topic, qos, retain, dup, messageId: messageId ?? 0 });
        expect(hexOf(packet.payload)).toBe(hexOf(payload as Buffer));
        expect(saidByUs(packet.properties)).toEqual(saidBy(expected.properties));
        const { messageExpiryInterval, topicAlias } = expected.properties ?? {};
        expect(packet.expiresAt).toBe(
          messageExpiryInterval === undefined ? NEVER : NOW + messageExpiryInterval * 1_000,
        );
        expect(packet.topicAlias).toBe(topicAlias ?? 0);
      }),
      { numRuns: 500 },
    );
  });

  it('CONNECT has all that mqtt-packet finds in it', () => {
    fc.assert(
      fc.property(connects(level), (sent) => {
        const bytes = generated(sent, level);
        const { will, ...expected } = withoutHeader(reference(bytes, level)) as unknown as IConnectPacket;
        const { will: ours, ...packet } = packetIn(bytes, undefined) as ConnectPacket;
        expect(plain(packet)).toEqual(plain(expected));
        if (will === undefined) {
          expect(ours).toBeUndefined();
          return;
        }
        const { topic, payload, qos, retain, properties } = will;
        expect(plain(ours)).toMatchObject({ topic, payload: hexOf(payload as Buffer), qos, retain });
        expect(saidByUs(ours!.properties)).toEqual(saidBy(properties));
        expect(ours).toMatchObject({
          ...(properties?.willDelayInterval !== undefined && { delayS: properties.willDelayInterval }),
          ...(properties?.messageExpiryInterval !== undefined && { expiryS: properties.messageExpiryInterval }),
        });
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['SUBSCRIBE', subscribes],
    ['UNSUBSCRIBE', unsubscribes],
    ['DISCONNECT', disconnects],
    ['AUTH', () => auths],
  ] as const)('%s has all that mqtt-packet finds in it', (name, packets) => {
    fc.assert(
      fc.property(packets(level), (sent) => {
        if (name === 'AUTH' && level !== 5) return;
        const bytes = generated(sent, level);
        const expected = plain(withoutHeader(reference(bytes, level))) as Record<string, unknown>;
        if (name === 'DISCONNECT') expected.reasonCode ??= 0;
        if (name === 'UNSUBSCRIBE') delete expected.properties; // of no interest to the core
        expect(plain(packetIn(bytes, level))).toEqual(expected);
      }),
    );
  });

  it('an acknowledgement has its identifier and its reason', () => {
    fc.assert(
      fc.property(acks(level), (sent) => {
        const { cmd, messageId, reasonCode } = sent as AckPacket;
        expect(packetIn(generated(sent, level), level)).toEqual(ackPacket(cmd, messageId, reasonCode ?? 0));
      }),
    );
  });

  it('keeps nothing of the bytes', () => {
    fc.assert(
      fc.property(clientPackets(level), (sent) => {
        const bytes = Uint8Array.from(generated(sent, level));
        const packet = packetIn(bytes, level);
        const before = plain(packet);
        bytes.fill(0xff);
        expect(plain(packet)).toEqual(before);
      }),
    );
  });

  it('breaks no rule as long as mqtt-packet writes it, and DUP stands for something', () => {
    fc.assert(
      fc.property(clientPackets(level), (sent) => {
        const packet = packetIn(generated(sent, level), level);
        if (packet.cmd === 'publish' && packet.qos === 0 && packet.dup) return;
        if (packet.cmd === 'subscribe' && packet.subscriptions.some((s) => s.nl && s.topic.startsWith('$share')))
          return;
        expect(violationOf(packet, level)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('cut off at every length, with a header that fits, is a packet or a fault', () => {
    fc.assert(
      fc.property(clientPackets(level), (sent) => {
        const whole = generated(sent, level);
        const bodyAt = bodyOf(whole);
        for (let bytes = 0; bytes < Math.min(whole.length - bodyAt, 400); bytes++) {
          const header = bytes < 0x80 ? [whole[0]!, bytes] : [whole[0]!, (bytes & 0x7f) | 0x80, bytes >> 7];
          const cut = Buffer.concat([Buffer.from(header), whole.subarray(bodyAt, bodyAt + bytes)]);
          const decoded = decodeBytes(cut, level);
          if ('packet' in decoded) violationOf(decoded.packet, level);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('with any byte changed is a packet or a fault', () => {
    fc.assert(
      fc.property(clientPackets(level), fc.integer({ min: 0, max: 255 }), (sent, value) => {
        const whole = Uint8Array.from(generated(sent, level));
        const bodyAt = bodyOf(whole);
        for (let at = 0; at < Math.min(whole.length, 400); at++) {
          const changed = whole.slice();
          changed[at] = value;
          const decoded = decode(changed, bodyAt, level, NOW);
          if ('packet' in decoded) violationOf(decoded.packet, level);
        }
      }),
      { numRuns: 100 },
    );
  });
});

const MESSAGE = { topic: 'a/b', payload: Uint8Array.of(0xff), qos: 1 as Qos, retain: true };
const plainOf = (message: object): BrokerMessage => ({
  ...MESSAGE,
  properties: undefined,
  expiresAt: NEVER,
  ...message,
});

const outgoing = fc
  .tuple(
    fc.record({
      topic: topics,
      payload: payloads,
      qos: fc.constantFrom<Qos>(0, 1, 2),
      retain: fc.boolean(),
      dup: fc.boolean(),
      messageId: fc.integer({ min: 1, max: 65_535 }),
      subscriptionIds: fc.option(fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 }), {
        nil: undefined,
      }),
      expiresAt: fc.oneof(fc.constant(NEVER), fc.integer({ min: 0, max: 2 ** 42 })),
    }),
    messageProperties,
  )
  .map(([fields, properties]) => {
    // The bytes of the properties come from mqtt-packet, by way of a PUBLISH.
    const { properties: bytes } = packetIn(
      generated({ cmd: 'publish', topic: 't', payload: '', qos: 0, dup: false, retain: false, properties }, 5),
      5,
    ) as PublishPacket;
    const message = { ...fields, properties: bytes };
    const messageId = fields.qos === 0 ? 0 : fields.messageId;
    const packet = publishPacket(message, fields.qos, fields.retain, messageId, fields.dup, fields.subscriptionIds);
    return { packet, properties };
  });

describe('a PUBLISH to a client', () => {
  it.each([3, 4] as const)('of level %i has the bytes that mqtt-packet gives it, and comes back from them', (level) => {
    fc.assert(
      fc.property(outgoing, ({ packet }) => {
        const expected = generated({ ...packet, payload: Buffer.from(packet.payload) } as unknown as WirePacket, level);
        const bytes = encode(packet, level, NOW);
        expect(expected.equals(bytes)).toBe(true);
        expect(publishBytes(packet, level)).toBe(bytes.length);
        const { topic, payload, qos, retain, dup, messageId } = packet;
        const expectedPacket = publishPacket(plainOf({ topic, payload, qos, retain }), qos, retain, messageId, dup);
        const { topicLevels: _, encoded, ...read } = packetIn(bytes, level) as PublishPacket;
        expect(plain({ ...read, topicLevels: 0 })).toEqual(plain(expectedPacket));
        expect(encoded ?? bytes).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('of level 5 says to mqtt-packet and to ourselves what was put into it', () => {
    fc.assert(
      fc.property(outgoing, fc.option(fc.integer({ min: 1, max: 65_535 })), ({ packet, properties }, aliasOrNone) => {
        const alias = aliasOrNone === null ? undefined : { alias: aliasOrNone, isNew: true };
        const bytes = encode(packet, 5, NOW, alias);
        expect(publishBytes(packet, 5)).toBe(encode(packet, 5, NOW).length);
        const read = reference(bytes, 5) as IPublishPacket;
        const { topic, qos, retain, dup, messageId, subscriptionIds, expiresAt } = packet;
        expect(read).toMatchObject({ topic, qos, retain, dup });
        expect(hexOf(read.payload as Buffer)).toBe(hexOf(packet.payload));
        expect(read.messageId ?? 0).toBe(messageId);
        expect(saidBy(read.properties)).toEqual(saidBy(properties as IPublishPacket['properties']));
        expect([read.properties?.subscriptionIdentifier ?? []].flat()).toEqual(subscriptionIds ?? []);
        expect(read.properties?.topicAlias).toBe(alias?.alias);
        const leftS = Math.min(Math.max(Math.ceil((expiresAt - NOW) / 1_000), 0), 0xffff_ffff);
        expect(read.properties?.messageExpiryInterval).toBe(expiresAt === NEVER ? undefined : leftS);
        const again = packetIn(bytes, 5, NOW) as PublishPacket;
        expect(again.properties).toEqual(packet.properties);
        expect(again.subscriptionIds).toEqual(subscriptionIds);
      }),
      { numRuns: 500 },
    );
  });

  it('names its topic by the alias alone where the client knows it', () => {
    const packet = publishPacket(plainOf({ qos: 0, retain: false }), 0, false);
    expect(hexOf(encode(packet, 5, NOW, { alias: 0x102, isNew: true }))).toBe('300a0003612f6203230102ff');
    expect(hexOf(encode(packet, 5, NOW, { alias: 0x102, isNew: false }))).toBe('3007000003230102ff');
  });

  it('says how long it is still of use, in seconds begun, and never less than none', () => {
    const leftOf = (expiresAt: number): string => {
      const packet = publishPacket(plainOf({ expiresAt }), 0, false);
      return hexOf(encode(packet, 5, NOW)).slice(16, 26);
    };
    expect(leftOf(NOW + 1_000)).toBe('0200000001');
    expect(leftOf(NOW + 1_001)).toBe('0200000002');
    expect(leftOf(NOW)).toBe('0200000000');
    expect(leftOf(NOW - 5_000)).toBe('0200000000');
    expect(leftOf(NOW + 0xffff_ffff * 1_000)).toBe('02ffffffff');
  });

  it('keeps its bytes for each form of the protocol at QoS 0, where all receivers get the same', () => {
    const shared = publishPacket(plainOf({}), 0, false);
    expect(encode(shared, 4, NOW)).toBe(encode(shared, 3, NOW + 1));
    expect(encode(shared, 5, NOW)).toBe(encode(shared, 5, NOW + 1));
    expect(encode(shared, 5, NOW)).not.toEqual(encode(shared, 4, NOW));
  });

  it.each([
    ['QoS 1', plainOf({}), 1, undefined, undefined],
    ['an alias', plainOf({}), 0, undefined, { alias: 1, isNew: true }],
    ['subscription identifiers', plainOf({}), 0, [1], undefined],
    ['an expiry', plainOf({ expiresAt: NOW + 5_000 }), 0, undefined, undefined],
  ] as const)('keeps nothing with %s', (_, message, qos, ids, alias) => {
    const packet = publishPacket(message, qos, false, qos, false, ids);
    encode(packet, 5, NOW, alias);
    expect(packet).toMatchObject({ encoded: undefined, encoded5: undefined });
  });
});

describe('an acknowledgement to a client', () => {
  const cmds = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const;

  it.each([3, 4] as const)('of level %i has the bytes that mqtt-packet gives it, whatever the reason', (level) => {
    for (const cmd of cmds) {
      for (const reason of [ReasonCode.Success, ReasonCode.NotAuthorized]) {
        expect(
          generated({ cmd, messageId: 0x1234 }, level).equals(encode(ackPacket(cmd, 0x1234, reason), level, NOW)),
        ).toBe(true);
      }
    }
  });

  it('of level 5 has its reason', () => {
    for (const cmd of cmds) {
      const failure =
        cmd === 'pubrel' || cmd === 'pubcomp' ? ReasonCode.PacketIdentifierNotFound : ReasonCode.NotAuthorized;
      for (const reasonCode of [ReasonCode.Success, failure]) {
        const bytes = encode(ackPacket(cmd, 0x1234, reasonCode), 5, NOW);
        expect(bytes).toHaveLength(reasonCode === ReasonCode.Success ? 4 : 5);
        expect(reference(bytes, 5)).toMatchObject({ cmd, messageId: 0x1234, reasonCode });
      }
    }
  });
});

describe('the other packets of a server', () => {
  // Byte by byte, from sections 3.2 to 3.15 of both standards.
  it.each([
    [4, { cmd: 'connack', reasonCode: 0, sessionPresent: true }, '20020100'],
    [3, { cmd: 'connack', reasonCode: 0, sessionPresent: true }, '20020000'],
    [4, { cmd: 'connack', reasonCode: 0x84, sessionPresent: false }, '20020001'],
    [4, { cmd: 'connack', reasonCode: 0x85, sessionPresent: false }, '20020002'],
    [4, { cmd: 'connack', reasonCode: 0x86, sessionPresent: false }, '20020004'],
    [4, { cmd: 'connack', reasonCode: 0x87, sessionPresent: false }, '20020005'],
    [4, { cmd: 'connack', reasonCode: 0x8a, sessionPresent: false }, '20020005'],
    [4, { cmd: 'connack', reasonCode: 0x8c, sessionPresent: false }, '20020005'],
    [4, { cmd: 'connack', reasonCode: 0x88, sessionPresent: false }, '20020003'],
    [4, { cmd: 'connack', reasonCode: 0x9f, sessionPresent: false }, '20020003'],
    [4, { cmd: 'connack', reasonCode: 0x82, sessionPresent: false }, '20020003'],
    [4, { cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: { receiveMaximum: 9 } }, '20020000'],
    [5, { cmd: 'connack', reasonCode: 0, sessionPresent: true }, '2003010000'],
    [5, { cmd: 'connack', reasonCode: 0x84, sessionPresent: false }, '2003008400'],
    [
      5,
      {
        cmd: 'connack',
        reasonCode: 0,
        sessionPresent: false,
        properties: {
          receiveMaximum: 10,
          retainAvailable: true,
          maximumPacketSize: 0x100000,
          assignedClientIdentifier: 'x1',
          topicAliasMaximum: undefined,
          serverKeepAlive: 60,
          authenticationData: Uint8Array.of(1, 2),
        },
      },
      '201a000017 21000a 2501 2700100000 1200027831 13003c 1600020102',
    ],
    [4, { cmd: 'suback', messageId: 10, granted: [0, 2, 0x80, 0x87, 0x8f] }, '9007000a0002808080'],
    [5, { cmd: 'suback', messageId: 10, granted: [0, 2, 0x80, 0x87, 0x8f] }, '9008000a00000280878f'],
    [4, { cmd: 'unsuback', messageId: 10, granted: [0, 0x11] }, 'b002000a'],
    [5, { cmd: 'unsuback', messageId: 10, granted: [0, 0x11] }, 'b005000a000011'],
    [4, { cmd: 'pingresp' }, 'd000'],
    [5, { cmd: 'pingresp' }, 'd000'],
    [5, { cmd: 'disconnect', reasonCode: 0x8e }, 'e0028e00'],
    [5, { cmd: 'disconnect', reasonCode: 0x9c, properties: { serverReference: 'b' } }, 'e0069c041c000162'],
    [
      5,
      {
        cmd: 'auth',
        reasonCode: 0x18,
        properties: { authenticationMethod: 'm', authenticationData: Uint8Array.of(7) },
      },
      'f00a180815 00016d 16000107',
    ],
  ] as const)('in level %i %j is %s', (level, packet, hex) => {
    expect(hexOf(encode(packet as Packet, level, NOW))).toBe(hex.replaceAll(' ', ''));
  });

  it.each([
    [4, { cmd: 'disconnect', reasonCode: 0x8e }],
    [3, { cmd: 'auth', reasonCode: 0x18 }],
    [5, { cmd: 'pingreq' }],
    [5, { cmd: 'connect', clientId: 'a' }],
  ] as const)('in level %i %j is none: a mistake of ours', (level, packet) => {
    expect(() => encode(packet as Packet, level, NOW)).toThrow(/level/);
  });
});

describe('before a client has said what it speaks', () => {
  it('anything but a CONNECT is a fault', () => {
    fc.assert(
      fc.property(clientPackets(5), (sent) => {
        if (sent.cmd === 'connect') return;
        expect(faultIn(generated(sent, 5), undefined)).toEqual({
          reason: ReasonCode.ProtocolError,
          why: 'MQTT-3.1.0-1',
        });
      }),
    );
  });

  it('the CONNECT of a level that is not spoken is a packet with its protocol, whatever follows', () => {
    for (const level of [0, 2, 6, 0x83, 0xff]) {
      expect(packetIn(bytesOf(`10 07 0004 4d515454 ${level.toString(16).padStart(2, '0')}`), undefined)).toEqual({
        cmd: 'connect',
        clientId: '',
        protocolId: 'MQTT',
        protocolVersion: level,
      });
    }
  });

  it('a CONNECT of another protocol is a fault', () => {
    expect(faultIn(bytesOf('10 0d 0004 4d515458 04 02 003c 0001 61'), undefined)).toEqual({
      reason: ReasonCode.UnsupportedProtocolVersion,
      why: 'MQTT-3.1.2-1',
    });
  });
});

it('one bad packet leaves no trace for the next', () => {
  for (const level of LEVELS) {
    const good = generated({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 1 }] }, level);
    const before = plain(packetIn(good, level));
    // The header says more than there is: the parser would wait for the rest.
    const cut = Uint8Array.from(good);
    cut[1] = cut[1]! + 5;
    expect(decode(cut, 2, level, NOW)).toHaveProperty('fault');
    expect(plain(packetIn(good, level))).toEqual(before);
  }
});
