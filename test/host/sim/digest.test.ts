import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Digest } from '../../../host/sim/digest.js';

type Step =
  | { kind: 'datagram'; now: number; node: string; direction: 'up' | 'down'; bytes: Uint8Array }
  | { kind: 'delivered'; now: number; node: string; topic: string; payload: Uint8Array };

const now = fc.oneof(fc.nat(1_000), fc.nat(Number.MAX_SAFE_INTEGER));
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('datagram' as const),
    now,
    node: text,
    direction: fc.constantFrom('up' as const, 'down' as const),
    bytes: fc.uint8Array({ maxLength: 20 }),
  }),
  fc.record({
    kind: fc.constant('delivered' as const),
    now,
    node: text,
    topic: text,
    payload: fc.uint8Array({ maxLength: 20 }),
  }),
);

function feed(digest: Digest, s: Step): void {
  if (s.kind === 'datagram') digest.datagram(s.now, s.node, s.direction, s.bytes);
  else digest.delivered(s.now, s.node, s.topic, s.payload);
}

function digestOf(steps: readonly Step[]): string {
  const digest = new Digest();
  for (const s of steps) feed(digest, s);
  return digest.hex();
}

/** The documented framing, written a second time without a buffer. */
function naive(steps: readonly Step[]): string {
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const u64 = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  const sized = (bytes: Uint8Array): Buffer => Buffer.concat([u32(bytes.length), bytes]);
  const parts = steps.flatMap((s) =>
    s.kind === 'datagram'
      ? [Buffer.of(1), u64(s.now), sized(Buffer.from(s.node)), Buffer.of(s.direction === 'up' ? 1 : 2), sized(s.bytes)]
      : [Buffer.of(2), u64(s.now), sized(Buffer.from(s.node)), sized(Buffer.from(s.topic)), sized(s.payload)],
  );
  return createHash('sha256').update(Buffer.concat(parts)).digest('hex');
}

const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('the digest', () => {
  it('is SHA-256 of nothing when nothing happened', () => {
    expect(new Digest().hex()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('is SHA-256 of the documented framing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        expect(digestOf(steps)).toBe(naive(steps));
      }),
    );
  });

  it('does not depend on where its buffer ends', () => {
    for (const size of [65_535, 65_536, 65_537, 200_000]) {
      const bytes = new Uint8Array(size).fill(7);
      const steps: Step[] = [
        { kind: 'datagram', now: 1, node: 'a', direction: 'up', bytes },
        { kind: 'delivered', now: 2, node: 'é'.repeat(size), topic: 't'.repeat(size), payload: bytes },
        ...Array.from({ length: 5_000 }, (_, i): Step => {
          return { kind: 'datagram', now: i, node: `node-${i}`, direction: 'down', bytes: bytes.subarray(0, i % 97) };
        }),
      ];
      expect(digestOf(steps)).toBe(naive(steps));
    }
  });

  it('can be asked along the way without changing the end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const digest = new Digest();
        for (const [i, s] of steps.entries()) {
          expect(digest.hex()).toBe(digestOf(steps.slice(0, i)));
          feed(digest, s);
        }
        expect(digest.hex()).toBe(digestOf(steps));
      }),
    );
  });

  it('changes when a byte moves across a boundary', () => {
    const of = (node: string, topic: string, payload: string): string =>
      digestOf([{ kind: 'delivered', now: 1, node, topic, payload: utf8(payload) }]);
    const digests = [
      of('ab', 'cd', 'ef'),
      of('a', 'bcd', 'ef'),
      of('abc', 'd', 'ef'),
      of('ab', 'c', 'def'),
      of('abcdef', '', ''),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    const split = (...datagrams: string[]): string =>
      digestOf(datagrams.map((d) => ({ kind: 'datagram', now: 1, node: 'n', direction: 'up', bytes: utf8(d) })));
    expect(new Set([split('abcd'), split('ab', 'cd'), split('abc', 'd'), split('', 'abcd')]).size).toBe(4);
  });

  it('tells moment, node, direction, kind and order apart', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), fc.array(step, { maxLength: 4 }), (a, b) => {
        expect(digestOf(a) === digestOf(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    const base = { kind: 'datagram', now: 1, node: 'n', direction: 'up', bytes: utf8('x') } as const;
    const others: Step[] = [
      { ...base, now: 2 },
      { ...base, now: 2 ** 32 + 1 },
      { ...base, node: 'm' },
      { ...base, direction: 'down' },
    ];
    for (const other of others) {
      expect(digestOf([other])).not.toBe(digestOf([base]));
      expect(digestOf([base, other])).not.toBe(digestOf([other, base]));
    }
  });
});
