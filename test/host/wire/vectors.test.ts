import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { decode, encode, isFault } from '../../../host/wire/index.js';
import { flatOf, fromHex, loadVectors, packetOf, toHex } from '../../vectors/load.js';

const { good, malformed } = loadVectors();
const plain = (value: unknown) => JSON.parse(JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? toHex(v) : v)));

describe('the vectors', () => {
  it('cover every packet type, and every type that has a body also malformed', () => {
    // A const enum cannot be enumerated, so its source is.
    const source = readFileSync(new URL('../../../assembly/protocol/packet-type.ts', import.meta.url), 'utf8');
    const types = [...source.matchAll(/^ {2}\w+ = (0x\w\w),/gm)].map((match) => Number(match[1]));
    expect(types.length).toBe(28);
    expect([...new Set(good.map((vector) => vector.packet.type))].sort((a, b) => a - b)).toEqual(types);
    const refused = new Set(malformed.map((vector) => fromHex(vector.hex)[1]));
    const anyLengthGoes: number[] = [PacketType.WillMsg, PacketType.WillMsgUpd];
    expect(types.filter((type) => !refused.has(type) && !anyLengthGoes.includes(type))).toEqual([]);
  });

  it('have names of their own', () => {
    const names = [...good, ...malformed].map((vector) => vector.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('survive the way from the flat form to a packet and back', () => {
    for (const { packet } of good) expect(flatOf(packetOf(packet))).toEqual(packet);
  });
});

describe('decode', () => {
  it.each(good)('reads $name ($section)', ({ hex, packet }) => {
    expect(plain(decode(fromHex(hex)))).toEqual(plain(packetOf(packet)));
  });

  it.each(malformed)('refuses $name: $why', ({ hex }) => {
    expect(isFault(decode(fromHex(hex)))).toBe(true);
  });
});

describe('encode', () => {
  it.each(good.filter((vector) => !vector.decodeOnly))('writes $name ($section)', ({ hex, packet }) => {
    expect(toHex(encode(packetOf(packet)))).toBe(hex);
  });

  it('writes the short form of what was read in the long form', () => {
    for (const { hex, packet } of good.filter((vector) => vector.decodeOnly)) {
      const octets = encode(packetOf(packet));
      expect(octets.length).toBeLessThan(hex.length / 2);
      expect(plain(decode(octets))).toEqual(plain(packetOf(packet)));
    }
  });
});
