// A 53-bit hash that tells requests apart (cyrb53 by bryc, public domain: two multiplicative hashes of 32 bits, mixed as in
// MurmurHash3). Not cryptographic: who forges a collision only fools the gateway about his own requests.
import { Flags } from '../../assembly/protocol/index.js';
import { headerBytes } from '../wire/index.js';

const SEED_A = 0xdeadbeef;
const SEED_B = 0x41c6ce57;
const HIGH_BITS = 0x1fffff;

/** The same for a request and its retransmission: the DUP bit does not count. */
export function fingerprint(datagram: Uint8Array): number {
  const flagsAt = headerBytes(datagram);
  let a = SEED_A;
  let b = SEED_B;
  for (let i = 0; i < datagram.length; i++) {
    const octet = i === flagsAt ? datagram[i]! & ~Flags.Dup : datagram[i]!;
    a = Math.imul(a ^ octet, 0x9e3779b1);
    b = Math.imul(b ^ octet, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b & HIGH_BITS) * 2 ** 32 + (a >>> 0);
}
