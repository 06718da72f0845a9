// Random datagrams with enough structure to get past the first check: vectors with octets changed, cut, extended, joined;
// packets of a random type with a Length that matches; and noise.
import { between } from '../../host/core/random.js';
import type { Random } from '../../host/ports.js';
import { fromHex } from '../vectors/load.js';

/** The longest datagram that comes out. */
export const FUZZ_BYTES_MAX = 700;

export function datagrams(random: Random, vectors: readonly { readonly hex: string }[]): () => Uint8Array {
  const seeds = vectors.map((vector) => fromHex(vector.hex)).filter((octets) => octets.length <= FUZZ_BYTES_MAX);
  const octet = (): number => between(random, 0, 255);
  const pick = (): Uint8Array => seeds[between(random, 0, seeds.length - 1)]!;
  const withLength = (octets: Uint8Array): Uint8Array => {
    if (octets.length >= 4 && (octets.length > 255 || octets[0] === 1))
      octets.set([1, octets.length >> 8, octets.length & 255]);
    else if (octets.length > 0) octets[0] = octets.length;
    return octets;
  };

  const kinds: (() => Uint8Array)[] = [
    function mutated() {
      const octets = pick().slice();
      for (let i = between(random, 0, 3); i >= 0; i--) octets[between(random, 0, octets.length - 1)] = octet();
      return octets;
    },
    function fieldsChanged() {
      const octets = pick().slice();
      for (let i = between(random, 0, 2); i >= 0; i--) octets[between(random, 2, octets.length - 1)] = octet();
      return octets;
    },
    function resized() {
      const from = pick();
      const octets = new Uint8Array(between(random, 0, Math.min(from.length + 8, FUZZ_BYTES_MAX))).fill(octet());
      octets.set(from.subarray(0, octets.length));
      return chanceOf(3) ? octets : withLength(octets);
    },
    function typed() {
      const octets = Uint8Array.from({ length: between(random, 2, 40) }, octet);
      octets[1] = chanceOf(30) ? 0xfe : between(random, 0, 0x1e);
      return chanceOf(10) ? octets : withLength(octets);
    },
    function long() {
      const octets = new Uint8Array(between(random, 4, FUZZ_BYTES_MAX)).fill(octet());
      octets[0] = 1;
      octets[3] = between(random, 0, 0x1e);
      octets[4] = octet();
      return withLength(octets);
    },
    function noise() {
      return Uint8Array.from({ length: between(random, 0, 24) }, octet);
    },
  ];
  const chanceOf = (n: number): boolean => random.nextU32() % n === 0;
  const weights = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 5];
  return () => kinds[weights[random.nextU32() % weights.length]!]!();
}
