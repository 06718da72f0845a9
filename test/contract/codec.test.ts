// One contract for both codecs, the device's and the host's: the vectors from the specification, cut at every length, and
// hundreds of thousands of random datagrams on which the two must agree.
import { main as compile } from 'assemblyscript/asc';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { PacketType } from '../../assembly/protocol/index.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { datagrams } from '../fuzz/datagrams.js';
import { anyPacket } from '../host/wire/arbitraries.js';
import { type FlatPacket, flatOf, fromHex, loadVectors, toHex } from '../vectors/load.js';
import { type Codec, DeviceCodec, hostCodec } from './codecs.js';

const { good, malformed } = loadVectors();
const device = new DeviceCodec();
const codecs: readonly Codec[] = [device, hostCodec];
const isFault = (decoded: object): decoded is { fault: string | number } => 'fault' in decoded;

/** True where the octets are not a name as text: UTF-8 without U+0000. */
function isNoText(hex: string): boolean {
  const octets = Buffer.from(hex, 'hex');
  return octets.includes(0) || Buffer.compare(Buffer.from(octets.toString('utf8')), octets) !== 0;
}

/** The octets of a packet that are a name. */
function nameIn(packet: FlatPacket): string | undefined {
  const { type, flags = 0, topicId = 0, data } = packet;
  const isShort = (flags & 3) === 2;
  if (type === PacketType.Publish) return isShort ? topicId.toString(16).padStart(4, '0') : undefined;
  if (type === PacketType.GwInfo || type === PacketType.WillMsg || type === PacketType.WillMsgUpd) return undefined;
  const filters: number[] = [PacketType.Subscribe, PacketType.Unsubscribe];
  return filters.includes(type) && isShort ? topicId.toString(16).padStart(4, '0') : data;
}

/** What both make of a datagram, which must be the same; undefined where they refuse it. */
function decodeByBoth(datagram: Uint8Array): FlatPacket | undefined {
  const ours = device.decode(datagram, 0x00);
  expect(device.decode(datagram, 0xff), `octets behind ${toHex(datagram)} were read`).toEqual(ours);
  const theirs = hostCodec.decode(datagram);
  if (isFault(theirs) && theirs.fault === 'bad-name' && !isFault(ours)) {
    expect(isNoText(nameIn(ours) ?? ''), `the host alone refuses ${toHex(datagram)}`).toBe(true);
    return undefined;
  }
  if (isFault(theirs) || isFault(ours)) {
    expect(isFault(theirs) && isFault(ours), `only one refuses ${toHex(datagram)}`).toBe(true);
    return undefined;
  }
  expect(ours, toHex(datagram)).toEqual(theirs);
  return ours;
}

describe.each(codecs)('$name', (codec) => {
  it.each(good)('reads $name ($section)', ({ hex, packet }) => {
    expect(codec.decode(fromHex(hex))).toEqual(packet);
  });

  it.each(good.filter((vector) => !vector.decodeOnly))('writes $name ($section)', ({ hex, packet }) => {
    expect(toHex(codec.encode(packet))).toBe(hex);
  });

  it('writes the short form of what it read in the long form', () => {
    for (const { hex, packet } of good.filter((vector) => vector.decodeOnly)) {
      const octets = codec.encode(packet);
      expect(octets.length).toBeLessThan(hex.length / 2);
      expect(codec.decode(octets)).toEqual(packet);
    }
  });

  it.each(malformed.filter((v) => codec.names === 'text' || !v.text))('refuses $name: $why', ({ hex }) => {
    expect(codec.decode(fromHex(hex))).toHaveProperty('fault');
  });
});

describe('the device, to which names are octets,', () => {
  it.each(malformed.filter((vector) => vector.text))('keeps every octet of $name', ({ hex }) => {
    const packet = device.decode(fromHex(hex)) as FlatPacket;
    expect(isFault(packet)).toBe(false);
    expect(isNoText(nameIn(packet)!)).toBe(true);
    expect(toHex(device.encode(packet))).toBe(hex);
  });
});

describe('both', () => {
  it('refuse every vector cut off at every length, but for what an envelope does not count', () => {
    for (const { hex, packet, name } of good) {
      const octets = fromHex(hex);
      for (let size = 0; size < octets.length; size++) {
        const decoded = decodeByBoth(octets.subarray(0, size));
        // Forwarder encapsulation counts up to the node id only (5.5): cut behind it, there is less inside.
        if (packet.type === PacketType.Forwarded && decoded !== undefined) {
          expect({ ...decoded, inner: '' }).toEqual({ ...packet, inner: '' });
        } else expect(decoded, `${name} cut to ${size}`).toBeUndefined();
      }
    }
  });

  it('refuse every vector with an octet too many, but for what an envelope does not count', () => {
    for (const { hex, packet } of good) {
      for (const extra of ['00', '61', 'ff']) {
        const decoded = decodeByBoth(fromHex(hex + extra).subarray(0, device.capacity));
        if (packet.type === PacketType.Forwarded) expect(decoded).toEqual({ ...packet, inner: packet.inner + extra });
        else if (hex.length / 2 < device.capacity) expect(decoded).toBeUndefined();
      }
    }
  });

  it('agree on every vector that was cut or extended and whose Length was made to match', () => {
    let accepted = 0;
    for (const { hex } of good) {
      const octets = fromHex(hex);
      if (octets[0] === 1) continue;
      for (let size = 2; size <= Math.min(octets.length + 3, 255); size++) {
        const other = new Uint8Array(size).fill(0x61);
        other.set(octets.subarray(0, size));
        other[0] = size;
        if (decodeByBoth(other) !== undefined) accepted++;
      }
    }
    expect(accepted).toBeGreaterThan(good.length);
  });

  it('write the same octets for every packet', () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const flat = flatOf(packet);
        expect(toHex(device.encode(flat))).toBe(toHex(hostCodec.encode(flat)));
      }),
      { numRuns: 5_000 },
    );
  });

  it('agree on 200,000 random and mutated datagrams', () => {
    const seed = 20_260_101;
    const next = datagrams(new Xoshiro128(seed), good);
    let accepted = 0;
    for (let i = 0; i < 200_000; i++) {
      const datagram = next();
      if (agreesFast(datagram) ? !isFault(hostCodec.decode(datagram)) : agrees(datagram, `seed ${seed}, datagram ${i}`))
        accepted++;
    }
    // Else the generator makes nothing but noise.
    expect(accepted).toBeGreaterThan(40_000);
    expect(accepted).toBeLessThan(160_000);
  });
});

/** Comparing strings is ten times faster than `expect`, which then says what differs. */
function agreesFast(datagram: Uint8Array): boolean {
  const ours = device.decode(datagram, 0x00);
  const again = device.decode(datagram, 0xff);
  const theirs = hostCodec.decode(datagram);
  if (JSON.stringify(again) !== JSON.stringify(ours)) return false;
  if (isFault(ours) || isFault(theirs)) return isFault(ours) && isFault(theirs);
  return JSON.stringify(sorted(ours)) === JSON.stringify(sorted(theirs));
}

/** True where both accept it. Throws where they differ in more than whether a name is text. */
function agrees(datagram: Uint8Array, which: string): boolean {
  try {
    return decodeByBoth(datagram) !== undefined;
  } catch (error) {
    throw new Error(`${which}: ${(error as Error).message}`, { cause: error });
  }
}

const sorted = (packet: object) => Object.entries(packet).sort(([a], [b]) => (a < b ? -1 : 1));

describe('the device at the very end of memory', () => {
  /** The same sources, reading where the caller says: one octet further is a trap. */
  const SOURCE = `
    import { decode as decodePacket } from './assembly/codec/decode';
    import { encodeWhole } from './assembly/codec/encode';
    import { Packet } from './assembly/codec/packet';
    const PACKET = memory.data(offsetof<Packet>(), 8);
    export function record(): usize { return PACKET; }
    export function decode(at: usize, bytes: i32): i32 {
      return decodePacket(changetype<Packet>(PACKET), at, bytes);
    }
    export function encode(at: usize, capacity: i32): i32 {
      return encodeWhole(changetype<Packet>(PACKET), at, capacity);
    }`;
  let exports: {
    memory: WebAssembly.Memory;
    record(): number;
    decode(at: number, bytes: number): number;
    encode(at: number, capacity: number): number;
  };

  beforeAll(async () => {
    let wasm: Uint8Array | undefined;
    const { readFileSync, existsSync } = await import('node:fs');
    const { error, stderr } = await compile(
      ['edge.ts', '--outFile', 'edge.wasm', '--runtime', 'stub', '--use', 'abort=', '--noAssert', '-O2'],
      {
        readFile: (name) => (name === 'edge.ts' ? SOURCE : existsSync(name) ? readFileSync(name, 'utf8') : null),
        writeFile: (_name, contents) => {
          wasm = contents as Uint8Array;
        },
        listFiles: () => null,
      },
    );
    expect(error, stderr.toString()).toBeNull();
    exports = new WebAssembly.Instance(new WebAssembly.Module(wasm!), {}).exports as unknown as typeof exports;
  });

  it('never reads behind a datagram, however it is cut', () => {
    const memory = new Uint8Array(exports.memory.buffer);
    for (const { hex } of [...good, ...malformed]) {
      const octets = fromHex(hex);
      for (let size = 0; size <= octets.length; size++) {
        memory.set(octets.subarray(0, size), memory.length - size);
        exports.decode(memory.length - size, size);
        if (size < 2) continue;
        memory[memory.length - size] = size & 0xff;
        exports.decode(memory.length - size, size);
      }
    }
  });

  it('never writes behind the room it is given', () => {
    const memory = new Uint8Array(exports.memory.buffer);
    for (const { hex } of good.filter((vector) => !vector.decodeOnly)) {
      const octets = fromHex(hex);
      // What was decoded is what is encoded; the name or data stay where they were read.
      memory.set(octets, 16_384);
      expect(exports.decode(16_384, octets.length)).toBe(0);
      for (let room = 0; room <= octets.length + 2; room++) {
        const at = memory.length - room;
        memory.fill(0xa5, at - 4);
        const result = exports.encode(at, room);
        expect(memory.subarray(at - 4, at)).toEqual(new Uint8Array(4).fill(0xa5));
        if (result > 0) expect(toHex(memory.subarray(at, at + result)).slice(-8)).toBe(hex.slice(-8));
        else expect(result, `${hex} into ${room}`).toBe(-16);
      }
    }
  });
});
