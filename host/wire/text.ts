// Names on the wire: UTF-8 without U+0000, not terminated, as long as the packet leaves room (5.3.1, 5.3.12).
import type { PacketType } from '../../assembly/protocol/index.js';
import { WireEncodeError } from './fault.js';

// A byte order mark is a character of the name like any other: taking it off would merge two topics.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

const ASCII_MAX = 0x7f;
/** Up to here, putting characters together one by one beats a call of TextDecoder. */
const BY_HAND_BYTES_MAX = 32;

/** The name in octets `at` to `end` - 1; undefined where they are not UTF-8 or contain U+0000. */
export function decodeName(bytes: Uint8Array, at: number, end: number): string | undefined {
  if (end - at > BY_HAND_BYTES_MAX) return decodeAny(bytes.subarray(at, end));
  let name = '';
  for (let i = at; i < end; i++) {
    const octet = bytes[i]!;
    if (octet > ASCII_MAX) return decodeAny(bytes.subarray(at, end));
    if (octet === 0) return undefined;
    name += String.fromCharCode(octet);
  }
  return name;
}

function decodeAny(octets: Uint8Array): string | undefined {
  if (octets.includes(0)) return undefined;
  try {
    return decoder.decode(octets);
  } catch {
    return undefined;
  }
}

/** `field` of `type` is blamed for a name that has no UTF-8 form (a lone surrogate) or contains U+0000. */
export function encodeName(type: PacketType, field: string, name: string): Uint8Array {
  if (name.includes('\0')) throw new WireEncodeError(type, field, 'contains U+0000');
  if (LONE_SURROGATE.test(name)) throw new WireEncodeError(type, field, 'contains a lone surrogate');
  return encoder.encode(name);
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Octets of `name` in UTF-8. */
export function nameBytes(name: string): number {
  let bytes = 0;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    // Each half of a surrogate pair stands for two of the four octets.
    bytes += unit <= ASCII_MAX ? 1 : unit <= 0x7ff || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return bytes;
}
