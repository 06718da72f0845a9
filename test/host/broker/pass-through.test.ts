// A PUBLISH of QoS 0 that leaves in the bytes in which it came, and what is kept of these bytes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import { encode } from '../../../host/broker/codec.js';
import { newCounters } from '../../../host/broker/counters.js';
import { type Level, type PublishPacket, publishPacket } from '../../../host/broker/packets.js';
import { Session } from '../../../host/broker/session.js';
import { Publication } from '../../../host/broker/session-journal.js';
import { PacketStream } from '../../../host/broker/stream.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { bytesOf, generated, hexOf, LEVELS, packetIn, publishes } from './codec-packets.js';

const read = (bytes: Uint8Array, level: Level): PublishPacket => packetIn(bytes, level) as PublishPacket;

const anew = (packet: PublishPacket): PublishPacket =>
  publishPacket(packet, packet.qos, packet.retain, packet.messageId, packet.dup);

const publish = (topic: string, level: Level, payload = 'x'.repeat(40)): Buffer =>
  generated({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }, level);

describe.each(LEVELS)('a PUBLISH from a client of level %i', (level) => {
  it('leaves, for every level, in the bytes that would be written for it', () => {
    fc.assert(
      fc.property(publishes(level), fc.constantFrom(...LEVELS), (sent, to) => {
        const packet = read(generated(sent, level), level);
        expect(hexOf(encode(packet, to, 0))).toBe(hexOf(encode(anew(packet), to, 0)));
      }),
      { numRuns: 300 },
    );
  });

  it('of QoS 0 with nothing of its own in it leaves in a copy of what came', () => {
    const bytes = publish('pass/on', level);
    const packet = read(bytes, level);
    const came = hexOf(bytes);
    bytes.fill(0);
    expect(hexOf((level === 5 ? packet.encoded5 : packet.encoded)!)).toBe(came);
    expect(level === 5 ? packet.encoded : packet.encoded5).toBeUndefined();
    expect(Buffer.from(packet.payload).toString()).toBe('x'.repeat(40));
  });
});

describe('a PUBLISH is written anew', () => {
  it.each([
    ['retained', 4, '31 06 0003 612f62 78'],
    ['of QoS 1', 4, '32 08 0003 612f62 0001 78'],
    ['whose length is longer than it need be', 4, '30 8600 0003 612f62 78'],
    ['with properties', 5, '30 09 0003 612f62 02 01 01 78'],
  ] as const)('%s', (_, level, hex) => {
    expect(read(bytesOf(hex), level)).toMatchObject({ encoded: undefined, encoded5: undefined });
  });

  it('retained, without RETAIN for a subscription that was there before [MQTT-3.3.1-9]', () => {
    const heard: string[] = [];
    const sink = { write: (bytes: Uint8Array) => heard.push(hexOf(bytes)), close: () => {} };
    const stream = new PacketStream(new Broker({}, { random: new Xoshiro128(1) }), sink, 0);
    stream.receive(generated({ cmd: 'connect', clientId: 'c', keepalive: 0 } as never, 4), 0);
    stream.receive(bytesOf('82 06 0001 0001 61 00'), 0);
    stream.receive(bytesOf('31 04 0001 61 78'), 0);
    expect(heard.at(-1)).toBe('30040001' + '6178');
  });

  it('for a client of another form of the protocol', () => {
    const packet = read(bytesOf('30 06 0003 612f62 78'), 4);
    expect(hexOf(encode(packet, 5, 0))).toBe('3007' + '0003612f62' + '00' + '78');
    expect(hexOf(encode(packet, 3, 0))).toBe('3006' + '0003612f62' + '78');
  });
});

describe('a queue', () => {
  const bufferBytesOf = ({ payload }: PublishPacket): number => payload.buffer.byteLength;

  it('keeps the payload in a buffer of its own', () => {
    const packet = read(publish('t', 4), 4);
    expect(bufferBytesOf(packet)).toBeGreaterThan(1_000);
    const kept = new Publication(packet).keepable(packet);
    expect(kept).toEqual({ ...anew(packet), payload: packet.payload });
    expect(bufferBytesOf(kept)).toBe(40);
  });

  it('keeps one packet, for all who get the same, and one payload for all others', () => {
    const packet = read(publish('t', 4), 4);
    const publication = new Publication(packet);
    publication.plain = packet;
    const kept = publication.keepable(packet);
    expect(publication.keepable(packet)).toBe(kept);
    const other = publication.keepable(publishPacket(packet, 0, true, 0, false, [7]));
    expect(other).toMatchObject({ retain: true, subscriptionIds: [7] });
    expect(other.payload).toBe(kept.payload);
  });

  it('keeps what lies in a buffer of its own as it is', () => {
    const packet = read(publish('t', 4, 'x'.repeat(10_000)), 4);
    expect(new Publication(packet).keepable(packet)).toBe(packet);
  });

  it('is filled with such packets by a session', () => {
    const heard: PublishPacket[] = [];
    let isCongested = true;
    const limits = { inflightMax: 1, queueMessagesMax: 10, queueBytesMax: 1_000 };
    const session = new Session('s', 0, limits, newCounters(), undefined);
    session.wire = {
      send: (packet) => heard.push(packet as PublishPacket),
      isCongested: () => isCongested,
      mayReceive: () => true,
      takeOver: () => {},
      pumpLater: () => {},
      admits: () => true,
    };
    session.deliver(new Publication(read(publish('t', 4), 4)), 0, false, undefined, 0);
    isCongested = false;
    session.pump(0);
    expect(heard.map(bufferBytesOf)).toEqual([40]);
  });

  it('gives a slow client, in the end, the bytes that others had at once', () => {
    const broker = new Broker({}, { random: new Xoshiro128(1) });
    const open = (clientId: string, level: Level) => {
      const client = { heard: [] as string[], isCongested: false };
      const sink = {
        write: (bytes: Uint8Array) => client.heard.push(hexOf(bytes)),
        close: () => {},
        isCongested: () => client.isCongested,
      };
      const stream = new PacketStream(broker, sink, 0);
      stream.receive(generated({ cmd: 'connect', clientId, protocolVersion: level, keepalive: 0 } as never, level), 0);
      const subscriptions = [{ topic: 'pass/#', qos: 0 as const }];
      stream.receive(generated({ cmd: 'subscribe', messageId: 1, subscriptions } as never, level), 0);
      client.heard.length = 0;
      return { client, stream };
    };
    for (const level of [4, 5] as const) {
      const fast = open('fast', level);
      const slow = open('slow', level);
      slow.client.isCongested = true;
      const sent = ['a', 'b', 'c'].map((name) => publish(`pass/${name}`, level));
      for (const bytes of sent) {
        fast.stream.receive(bytes, 0);
        bytes.fill(0, 2); // the caller's again
      }
      expect(slow.client.heard).toEqual([]);
      slow.client.isCongested = false;
      slow.stream.drained(0);
      expect(slow.client.heard).toEqual(['a', 'b', 'c'].map((name) => hexOf(publish(`pass/${name}`, level))));
      expect(slow.client.heard).toEqual(fast.client.heard);
      fast.stream.closed(0);
      slow.stream.closed(0);
    }
  });
});
