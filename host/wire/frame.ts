// Length and MsgType, the header of every packet (5.2), and a writer that allocates a packet exactly.
//
//   short form                     long form
// ┌────────┬─────────┬────────┐  ┌──────┬────────────┬─────────┬────────┐
// │ Length │ MsgType │ fields │  │ 0x01 │ Length, 16 │ MsgType │ fields │
// └────────┴─────────┴────────┘  └──────┴────────────┴─────────┴────────┘

import type { PacketType } from '../../assembly/protocol/index.js';
import { LENGTH_LONG_MARK, PACKET_BYTES_MAX, SHORT_PACKET_BYTES_MAX } from '../../assembly/protocol/index.js';
import { WireEncodeError } from './fault.js';

/** Octets of Length and MsgType in either form. */
export const SHORT_HEADER_BYTES = 2;
export const LONG_HEADER_BYTES = 4;

const U8_MAX = 0xff;
const U16_MAX = 0xffff;

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Octets of the header at the start of `bytes`: 2, 4, or 0 where they do not hold one. */
export function headerBytes(bytes: Uint8Array): 0 | 2 | 4 {
  const long = bytes[0] === LENGTH_LONG_MARK;
  const size = long ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  return bytes.length < size ? 0 : size;
}

/** The value of Length; `header` is what `headerBytes` said and not 0. */
export function lengthField(bytes: Uint8Array, header: 2 | 4): number {
  return header === LONG_HEADER_BYTES ? u16(bytes, 1) : bytes[0]!;
}

/** Octets of a whole packet with `fieldBytes` of fields, in the form that this size calls for. */
export function packetBytes(fieldBytes: number): number {
  const short = SHORT_HEADER_BYTES + fieldBytes;
  return short <= SHORT_PACKET_BYTES_MAX ? short : LONG_HEADER_BYTES + fieldBytes;
}

/** Puts one packet together. The caller says beforehand how many octets its fields take. */
export class PacketWriter {
  private readonly bytes: Uint8Array;
  private at: number;

  /** `tailBytes` follow the packet and are not counted by Length: what a forwarder encapsulates (5.5). */
  constructor(
    private readonly type: PacketType,
    fieldBytes: number,
    tailBytes = 0,
  ) {
    const total = packetBytes(fieldBytes);
    if (total > PACKET_BYTES_MAX) {
      throw new WireEncodeError(type, 'packet', `takes ${total} octets, more than ${PACKET_BYTES_MAX}`);
    }
    this.bytes = new Uint8Array(total + tailBytes);
    this.at = 0;
    if (total <= SHORT_PACKET_BYTES_MAX) {
      this.put(total);
    } else {
      this.put(LENGTH_LONG_MARK);
      this.put(total >> 8);
      this.put(total & U8_MAX);
    }
    this.put(type);
  }

  u8(field: string, value: number): this {
    this.check(field, value, U8_MAX);
    this.put(value);
    return this;
  }

  u16(field: string, value: number): this {
    this.check(field, value, U16_MAX);
    this.put(value >> 8);
    this.put(value & U8_MAX);
    return this;
  }

  raw(value: Uint8Array): this {
    this.bytes.set(value, this.at);
    this.at += value.length;
    return this;
  }

  done(): Uint8Array {
    return this.bytes;
  }

  private put(octet: number): void {
    this.bytes[this.at++] = octet;
  }

  private check(field: string, value: number, max: number): void {
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new WireEncodeError(this.type, field, `is ${value}, not an integer from 0 to ${max}`);
    }
  }
}
