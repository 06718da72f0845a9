// A million packets of MQTT in all its versions, with bytes changed, cut off, put in and joined, for the broker's codec.
// It must not throw, whatever comes; and what it takes for a packet must be one: free of violations it can be written
// again, and is then the same.
//
// A failure names the seed and the packet; FUZZ_SEED and FUZZ_PACKETS repeat or extend a run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, encode, publishBytes } from '../../host/broker/codec.js';
import { type Level, type Packet, type PublishPacket, publishPacket } from '../../host/broker/packets.js';
import { claimsUtf8, decodeMessageProperties, encodeMessageProperties } from '../../host/broker/properties.js';
import { violationOf } from '../../host/broker/violations.js';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { generated, hexOf, LEVELS, packetKinds } from '../host/broker/codec-packets.js';

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const PACKETS = Number(process.env.FUZZ_PACKETS ?? 1_000_000);
/** Of each kind of packet, in each version. */
const SAMPLES = 60;
/** Longer ones are only slower to change. */
const SAMPLE_BYTES_MAX = 120;
const NOW = 1_000;

interface Sample {
  readonly first: number;
  readonly body: Uint8Array;
}

/** Bodies without the header, which is made anew for what becomes of them. By kind, since kinds differ in their sizes. */
function samplesOf(level: Level): Sample[][] {
  return packetKinds(level).map((kind) =>
    fc
      .sample(kind, { seed: SEED, numRuns: 20 * SAMPLES })
      .map((packet) => generated(packet, level))
      .filter((bytes) => bytes.length <= SAMPLE_BYTES_MAX)
      .slice(0, SAMPLES)
      .map((bytes) => ({ first: bytes[0]!, body: Uint8Array.from(bytes.subarray(2)) })),
  );
}

class Mutations {
  private readonly random = new Xoshiro128(SEED);
  private readonly samples = new Map(LEVELS.map((level) => [level, samplesOf(level)]));
  /** Values that mean something somewhere: ends of ranges, identifiers of properties, wildcards. */
  private readonly telling = [0, 1, 2, 3, 4, 5, 0x0b, 0x11, 0x16, 0x21, 0x23, 0x26, 0x2b, 0x7f, 0x80, 0x81, 0xff];

  next(level: Level): Uint8Array {
    const { first, body } = this.pick(level);
    let changed: Uint8Array = body.slice();
    for (let rounds = between(this.random, 0, 3); rounds > 0; rounds--) changed = this.change(changed, level);
    // Mostly the type stays, for a body of another type seldom gets far.
    return framed(between(this.random, 0, 15) === 0 ? this.byte() : first, changed);
  }

  private pick(level: Level): Sample {
    const kinds = this.samples.get(level)!;
    const samples = kinds[between(this.random, 0, kinds.length - 1)]!;
    return samples[between(this.random, 0, samples.length - 1)]!;
  }

  private byte(): number {
    const { random, telling } = this;
    return random.nextU32() % 2 === 0 ? between(random, 0, 255) : telling[between(random, 0, telling.length - 1)]!;
  }

  private change(body: Uint8Array, level: Level): Uint8Array {
    const at = between(this.random, 0, body.length);
    switch (between(this.random, 0, 5)) {
      case 0:
        return body.slice(0, at);
      case 1:
        return Uint8Array.of(...body.subarray(0, at), this.byte(), ...body.subarray(at));
      case 2:
        return Uint8Array.of(...body.subarray(0, at), ...body.subarray(at + 1));
      case 3:
        return Uint8Array.of(...body.subarray(0, at), ...this.pick(level).body.subarray(at));
      default:
        if (at < body.length) body[at] = this.byte();
        return body;
    }
  }
}

function framed(first: number, body: Uint8Array): Uint8Array {
  const length = body.length < 0x80 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  const frame = new Uint8Array(1 + length.length + body.length);
  frame[0] = first;
  frame.set(length, 1);
  frame.set(body, 1 + length.length);
  return frame;
}

const bodyAtOf = (frame: Uint8Array): number => (frame[1]! < 0x80 ? 2 : 3);

/** What a broker does with it: the same message, to a client of each version. */
function passOn(packet: PublishPacket, level: Level): void {
  const { topic, payload, properties, messageId, expiresAt } = packet;
  if (!(expiresAt >= NOW)) throw new Error(`expires at ${expiresAt}`);
  const said = decodeMessageProperties(properties);
  if (claimsUtf8(properties) !== (said.payloadFormat === 1)) throw new Error('a format indicator out of its place');
  if (
    level === 5 &&
    hexOf(encodeMessageProperties(said) ?? new Uint8Array()).length !== 2 * (properties?.length ?? 0)
  ) {
    throw new Error('properties that are not what they say');
  }
  for (const to of LEVELS) {
    const copy = publishPacket(packet, packet.qos, packet.retain, messageId, packet.dup);
    const bytes = encode(copy, to, NOW);
    if (publishBytes(copy, to) !== bytes.length) throw new Error(`${bytes.length} bytes in level ${to}`);
    const again = decode(bytes, bodyAtOf(bytes), to, NOW);
    if (!('packet' in again) || again.packet.cmd !== 'publish') throw new Error(`not read again in level ${to}`);
    const isSame =
      again.packet.topic === topic &&
      hexOf(again.packet.payload) === hexOf(payload) &&
      (to !== 5 || hexOf(again.packet.properties ?? payload) === hexOf(properties ?? payload));
    if (!isSame) throw new Error(`another message in level ${to}`);
  }
}

describe("the broker's codec under bad packets", () => {
  it(`takes ${PACKETS} of them, in every version, without a word out of turn`, () => {
    const mutations = new Mutations();
    const packets = new Map<Packet['cmd'], number>();
    const faults = new Map<string, number>();
    const clauses = new Map<string, number>();
    const count = <K>(map: Map<K, number>, key: K): unknown => map.set(key, (map.get(key) ?? 0) + 1);
    for (let i = 0; i < PACKETS; i++) {
      const level = LEVELS[i % LEVELS.length]!;
      const frame = mutations.next(level);
      try {
        const decoded = decode(frame, bodyAtOf(frame), level, NOW);
        if ('fault' in decoded) {
          count(faults, decoded.fault.why);
          continue;
        }
        const { packet } = decoded;
        count(packets, packet.cmd);
        const violation = violationOf(packet, level);
        if (violation !== undefined) count(clauses, violation.clause);
        else if (packet.cmd === 'publish' && packet.topic !== '' && i % 4 === 0) passOn(packet, level);
      } catch (error) {
        const repeat = `FUZZ_SEED=${SEED} FUZZ_PACKETS=${PACKETS} npx vitest run test/fuzz/packets.test.ts`;
        const what = `seed ${SEED}, packet ${i}, level ${level}, ${hexOf(frame)}`;
        throw new Error(`${what}: ${(error as Error).message}\n  ${repeat}`, { cause: error });
      }
    }
    if (process.env.FUZZ_SHOW !== undefined) console.log(packets, faults, clauses);
    // The run says something only as long as all kinds of packets come through, and all kinds of faults are found.
    expect([...packets.keys()].sort()).toEqual([
      'auth',
      'connect',
      'disconnect',
      'pingreq',
      'puback',
      'pubcomp',
      'publish',
      'pubrec',
      'pubrel',
      'subscribe',
      'unsubscribe',
    ]);
    expect(faults.size).toBeGreaterThan(20);
    expect(clauses.size).toBeGreaterThan(10);
    // The check of the shape is complete: mqtt-packet never finds more.
    expect(faults.get('unreadable')).toBeUndefined();
  });
});
