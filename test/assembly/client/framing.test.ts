// Datagrams as octets: both forms of Length, and what is no packet (5.2.1).
import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, PacketType } from '../../../assembly/protocol/index.js';
import { Harness, Link, octetsOf, only, regAck } from '../harness.js';

const CONNACK = [PacketType.ConnAck, 0] as const;
const PUBLISH = [PacketType.Publish, 0x02, 0x61, 0x62, 0, 0, 0x78] as const;
const brief = (packet: readonly number[]) => Uint8Array.of(1 + packet.length, ...packet);
const long = (packet: readonly number[]) => Uint8Array.of(1, 0, 3 + packet.length, ...packet);

function connecting(): Harness {
  const h = new Harness();
  h.identify();
  h.connect();
  h.take();
  return h;
}

describe('Length', () => {
  it('of three octets is taken for short packets, too', () => {
    const h = connecting();
    expect(h.hearOctets(long(CONNACK))).toBe(0);
    expect(h.link).toBe(Link.Active);
    h.verb('short', 0x6162);
    h.events();
    expect(h.hearOctets(long(PUBLISH))).toBe(0);
    expect(h.events()).toMatchObject([{ name: 'ab', data: octetsOf('x') }]);
    expect(h.counter(Counter.Malformed)).toBe(0);
  });

  it.each([
    ['an octet is missing', brief(CONNACK).subarray(0, 2), ErrorCode.LengthMismatch],
    ['there is an octet too many', Uint8Array.of(...brief(CONNACK), 0), ErrorCode.LengthMismatch],
    ['there is an octet too many behind the long form', Uint8Array.of(...long(CONNACK), 0), ErrorCode.LengthMismatch],
    ['the long form is not all there', Uint8Array.of(1, 0), ErrorCode.Truncated],
    ['there is nothing', new Uint8Array(), ErrorCode.Truncated],
  ])('is held to the datagram: where %s, it is dropped and counted', (_what, datagram, code) => {
    const h = connecting();
    expect(h.hearOctets(datagram)).toBe(code);
    expect(h.counter(Counter.Malformed)).toBe(1);
    expect([h.link, h.take(), h.kinds()]).toEqual([Link.Connecting, [], []]);
    h.hearOctets(brief(CONNACK));
    expect(h.link).toBe(Link.Active);
  });
});

describe("the client's REGISTER", () => {
  it('is one at a time: the next topic waits for REGACK', () => {
    const h = new Harness().online();
    for (const name of ['t/1', 't/2', 't/3']) h.publish(h.topic(name), name);
    for (const [i, name] of ['t/1', 't/2', 't/3'].entries()) {
      const sent = h.take();
      const register = only(
        sent.filter(({ type }) => type === PacketType.Register),
        PacketType.Register,
      );
      expect(register.topicName).toBe(name);
      h.hear(regAck(i + 5, register.msgId));
    }
    expect(only(h.take(), PacketType.Publish).data).toEqual(octetsOf('t/3'));
  });
});
