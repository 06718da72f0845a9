import fc from 'fast-check';
import { generate, parser, type Packet as WirePacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../../host/broker/codec.js';
import { FrameSplitter } from '../../../host/broker/frames.js';
import { ConnackCode, type Packet, type PublishPacket, publishPacket } from '../../../host/broker/packets.js';
import type { Qos } from '../../../host/ports.js';

const acks = fc.record({
  cmd: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
  messageId: fc.integer({ min: 1, max: 65_535 }),
});
const publishes = fc.record({
  topic: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((topic) => !/[\0#+]/u.test(topic)),
  // Sizes on both sides of one, two and three bytes of remaining length.
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 16_300, max: 16_400 }).map((n) => new Uint8Array(n).fill(n)),
  ),
  qos: fc.constantFrom<Qos>(0, 1, 2),
  retain: fc.boolean(),
  dup: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 65_535 }),
});

function reference(bytes: Uint8Array): WirePacket | undefined {
  let found: WirePacket | undefined;
  parser()
    .on('packet', (packet) => {
      found = packet;
    })
    .parse(Buffer.from(bytes));
  return found;
}

function decodeAll(bytes: Uint8Array): Packet[] {
  const packets: Packet[] = [];
  new FrameSplitter(2 ** 28).push(bytes, (frame, bodyAt) => {
    const decoded = decode(frame, bodyAt);
    if ('fault' in decoded) throw new Error(decoded.fault);
    packets.push(decoded.packet);
    return true;
  });
  return packets;
}

describe('the frequent packets', () => {
  it('have the bytes that mqtt-packet gives them, and come back from them', () => {
    fc.assert(
      fc.property(publishes, (fields) => {
        const messageId = fields.qos === 0 ? 0 : fields.messageId;
        const packet = publishPacket(fields, fields.qos, fields.retain, messageId, fields.dup);
        const expected = generate({ ...packet, payload: Buffer.from(packet.payload) });
        const bytes = encode(packet);
        expect(expected.equals(bytes)).toBe(true);
        const [{ payload, ...decoded }] = decodeAll(bytes) as [PublishPacket];
        const { payload: sent, ...others } = packet;
        expect(decoded).toEqual({ ...others, encoded: undefined });
        expect(Buffer.compare(payload, sent)).toBe(0);
        expect(reference(bytes)).toMatchObject({ topic: packet.topic, qos: packet.qos, dup: packet.dup });
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(acks, (ack) => {
        expect(generate(ack).equals(encode(ack))).toBe(true);
        expect(decodeAll(encode(ack))).toEqual([ack]);
      }),
    );
  });

  it('keep their bytes at QoS 0 only, where all receivers get the same', () => {
    const message = { topic: 't', payload: Uint8Array.of(1), qos: 1 as Qos, retain: false };
    const shared = publishPacket(message, 0, false);
    expect(encode(shared)).toBe(encode(shared));
    const own = publishPacket(message, 1, false, 1);
    encode(own);
    expect(own.encoded).toBeUndefined();
  });
});

describe('the packets of a server', () => {
  // Sections 3.2 to 3.13, byte by byte.
  it.each([
    [{ cmd: 'connack', returnCode: ConnackCode.Accepted, sessionPresent: true }, '20020100'],
    [{ cmd: 'connack', returnCode: ConnackCode.NotAuthorized, sessionPresent: false }, '20020005'],
    [{ cmd: 'suback', messageId: 10, granted: [0, 2, 0x80] }, '9005000a000280'],
    [{ cmd: 'unsuback', messageId: 10 }, 'b002000a'],
    [{ cmd: 'pingresp' }, 'd000'],
    [{ cmd: 'pubrel', messageId: 0x1234 }, '62021234'],
    [{ cmd: 'puback', messageId: 0x1234 }, '40021234'],
    [{ cmd: 'pubrec', messageId: 0x1234 }, '50021234'],
    [{ cmd: 'pubcomp', messageId: 0x1234 }, '70021234'],
  ] as const)('%j is %s', (packet, hex) => {
    expect(Buffer.from(encode(packet)).toString('hex')).toBe(hex);
  });

  it('a PUBLISH is as in figure 3.11, with its payload', () => {
    const message = { topic: 'a/b', payload: Uint8Array.of(0xff), qos: 1 as Qos, retain: true };
    expect(Buffer.from(encode(publishPacket(message, 1, true, 10, true))).toString('hex')).toBe('3b080003612f62000aff');
  });
});
