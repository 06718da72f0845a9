import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketType, TopicType } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import {
  decode,
  encode,
  isFault,
  nameBytes,
  publishBytes,
  registerBytes,
  WireEncodeError,
} from '../../../host/wire/index.js';
import { fromHex, loadVectors, toHex } from '../../vectors/load.js';
import { anyPacket } from './arbitraries.js';

const { good } = loadVectors();

describe('decode', () => {
  it('refuses every vector cut off at every length', () => {
    for (const { hex, name } of good) {
      const octets = fromHex(hex);
      for (let size = 0; size < octets.length; size++) {
        const decoded = decode(octets.subarray(0, size));
        // An envelope does not count what is inside (5.5): cut there, it is still an envelope, with less inside.
        if (decoded.type === PacketType.Forwarded) expect(octets[1] === 0xfe || octets[3] === 0xfe, name).toBe(true);
        else expect(isFault(decoded), `${name} cut to ${size}`).toBe(true);
      }
    }
  });

  it('takes a vector whose Length was corrected after the cut for the same type, or refuses it', () => {
    for (const { hex } of good) {
      const octets = fromHex(hex);
      for (let size = 2; size < Math.min(octets.length, 255); size++) {
        if (octets[0] === 1) continue;
        const cut = octets.slice(0, size);
        cut[0] = size;
        const decoded = decode(cut);
        if (!isFault(decoded)) expect(decoded.type).toBe(octets[1]);
      }
    }
  });

  it('refuses every vector with an octet too many', () => {
    for (const { hex, packet } of good) {
      if (packet.type === PacketType.Forwarded) continue;
      expect(decode(fromHex(`${hex}00`))).toMatchObject({ code: 'length-mismatch' });
    }
  });

  it('says what is wrong by a stable code', () => {
    const codes: Record<string, string> = {
      '': 'truncated',
      '0318': 'length-mismatch',
      '0211': 'unknown-type',
      '031801': 'truncated',
      '05180001ff': 'trailing-octets',
      '080c030001000021': 'reserved-topic-type',
      '061260000161': 'bad-qos',
      '0316ff': 'bad-name',
    };
    for (const [hex, code] of Object.entries(codes)) expect(decode(fromHex(hex))).toMatchObject({ code });
  });

  it('ignores bits of Flags that the packet type does not use', () => {
    expect(decode(fromHex('0704f301000061'))).toEqual(decode(fromHex('07040001000061')));
    expect(decode(fromHex('08139f0003000100'))).toEqual(decode(fromHex('0813000003000100')));
    expect(decode(fromHex('0814fc0001612f62'))).toEqual(decode(fromHex('081400 0001612f62'.replace(' ', ''))));
  });

  it('never throws, whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
        decode(octets);
        if (octets.length > 0) octets[0] = octets.length;
        decode(octets);
      }),
      { numRuns: 20_000 },
    );
  });

  it('reads long names like short ones', () => {
    for (const name of ['é'.repeat(40), 'a'.repeat(40), `${'a'.repeat(39)}€`]) {
      const octets = encode({ type: PacketType.Register, topicId: 0, msgId: 1, topicName: name });
      expect(decode(octets)).toMatchObject({ topicName: name });
      octets[octets.length - 20] = 0;
      expect(decode(octets)).toMatchObject({ code: 'bad-name' });
    }
  });
});

describe('encode', () => {
  it('round-trips every packet', () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        expect(decode(encode(packet))).toEqual(packet);
      }),
      { numRuns: 3_000 },
    );
  });

  it('refuses fields out of their range as our own mistake', () => {
    const nothing = new Uint8Array();
    const short = { kind: TopicType.Short, name: 'a' } as const;
    const normal = { kind: TopicType.Normal, id: 1 } as const;
    const publish = { type: PacketType.Publish, dup: false, retain: false, msgId: 1, data: nothing } as const;
    const wrong: Packet[] = [
      { type: PacketType.Advertise, gwId: 256, duration: 0 },
      { type: PacketType.Advertise, gwId: 0, duration: 65_536 },
      { type: PacketType.SearchGw, radius: -1 },
      { type: PacketType.ConnAck, returnCode: 0.5 },
      { type: PacketType.PubRec, msgId: 65_536 },
      { ...publish, qos: 3 as 2, topic: normal },
      { ...publish, qos: 0, topic: short },
      { ...publish, qos: 0, topic: { kind: TopicType.Predefined, id: 65_536 } },
      { ...publish, qos: 0, topic: normal, data: new Uint8Array(65_535) },
      { type: PacketType.Subscribe, dup: false, qos: 0, msgId: 1, topic: { ...short, name: 'abc' } },
      { type: PacketType.Subscribe, dup: false, qos: -1 as 0, msgId: 1, topic: short },
      { type: PacketType.Unsubscribe, msgId: 1, topic: { kind: TopicType.Predefined, id: -1 } },
      { type: PacketType.Register, topicId: 0, msgId: 1, topicName: 'a\0' },
      { type: PacketType.Register, topicId: 0, msgId: 1, topicName: '\ud800' },
      { type: PacketType.Forwarded, ctrl: 0, wirelessNodeId: nothing, inner: Uint8Array.of(2, 22) },
      { type: PacketType.Forwarded, ctrl: 0, wirelessNodeId: Uint8Array.of(1), inner: nothing },
    ];
    for (const packet of wrong) expect(() => encode(packet), JSON.stringify(packet)).toThrow(WireEncodeError);
  });

  it('fills a packet of 65535 octets', () => {
    const data = new Uint8Array(65_535 - 9);
    const topic = { kind: TopicType.Predefined, id: 1 } as const;
    const packet: Packet = { type: PacketType.Publish, dup: false, qos: 0, retain: false, topic, msgId: 0, data };
    expect(toHex(encode(packet).subarray(0, 4))).toBe('01ffff0c');
    expect(decode(encode(packet))).toEqual(packet);
  });
});

describe('sizes', () => {
  it('are those of the packets that encode writes', () => {
    const topic = { kind: TopicType.Predefined, id: 1 } as const;
    for (const size of [0, 247, 248, 249, 300]) {
      const data = new Uint8Array(size);
      const publish = encode({ type: PacketType.Publish, dup: false, qos: 0, retain: false, topic, msgId: 0, data });
      const register = encode({ type: PacketType.Register, topicId: 1, msgId: 1, topicName: 'a'.repeat(size) });
      expect([publishBytes(size), registerBytes(size)]).toEqual([publish.length, register.length]);
    }
  });

  it('of names count octets of UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => nameBytes(name) === new TextEncoder().encode(name).length),
    );
  });
});
