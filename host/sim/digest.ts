// A fingerprint of a run: SHA-256 over every datagram on the air and every message delivered, in order. Two runs with the
// same digest did the same, byte for byte.
import { sha256 } from '@noble/hashes/sha2.js';
import type { Millis } from '../ports.js';

/** `up` from a device, `down` to it. */
export type Direction = 'up' | 'down';

// What is hashed is a sequence of records. All integers are little-endian; every part of variable size follows its length,
// so that no two sequences of records have the same bytes.
//
//   datagram:   +---+--------+--------------+------+-----+---------------+---------+
//               | 1 | now, 8 | node bytes, 4 | node | dir | bytes in it, 4 | bytes |
//               +---+--------+--------------+------+-----+---------------+---------+
//   delivered:  +---+--------+--------------+------+---------------+-------+------------------+---------+
//               | 2 | now, 8 | node bytes, 4 | node | topic bytes, 4 | topic | payload bytes, 4 | payload |
//               +---+--------+--------------+------+---------------+-------+------------------+---------+
//
// The kind (1 or 2) and dir (1 up, 2 down) are one byte each; now is in ms; node and topic are UTF-8.
const KIND_DATAGRAM = 1;
const KIND_DELIVERED = 2;
const DIRECTION_UP = 1;
const DIRECTION_DOWN = 2;

/** Records are collected and hashed by the buffer, not field by field. */
const BUFFER_BYTES = 65_536;
/** The largest UTF-8 form of one UTF-16 code unit. */
const UTF8_BYTES_PER_UNIT_MAX = 3;
const ASCII_MAX = 0x7f;
const U32_SPAN = 0x1_0000_0000;

export class Digest {
  private readonly hash = sha256.create();
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private readonly view = new DataView(this.buffer.buffer);
  private readonly encoder = new TextEncoder();
  private used = 0;

  /** A datagram that was sent, lost or not. `now` is a whole number of ms from 0 up. */
  datagram(now: Millis, node: string, direction: Direction, bytes: Uint8Array): void {
    this.u8(KIND_DATAGRAM);
    this.u64(now);
    this.text(node);
    this.u8(direction === 'up' ? DIRECTION_UP : DIRECTION_DOWN);
    this.bytes(bytes);
  }

  /** An application message that reached the application at `node`. */
  delivered(now: Millis, node: string, topic: string, payload: Uint8Array): void {
    this.u8(KIND_DELIVERED);
    this.u64(now);
    this.text(node);
    this.text(topic);
    this.bytes(payload);
  }

  /** Of everything so far, 64 lower-case digits. More may follow. */
  hex(): string {
    this.flush();
    let hex = '';
    for (const byte of this.hash.clone().digest()) hex += byte.toString(16).padStart(2, '0');
    return hex;
  }

  private u8(value: number): void {
    this.reserve(1);
    this.buffer[this.used++] = value;
  }

  private u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.used, value, true);
    this.used += 4;
  }

  private u64(value: number): void {
    this.u32(value % U32_SPAN);
    this.u32(Math.floor(value / U32_SPAN));
  }

  private text(text: string): void {
    if (text.length * UTF8_BYTES_PER_UNIT_MAX + 4 > BUFFER_BYTES) {
      this.bytes(this.encoder.encode(text));
      return;
    }
    this.reserve(4 + text.length * UTF8_BYTES_PER_UNIT_MAX);
    const lengthAt = this.used;
    const textAt = lengthAt + 4;
    this.used = textAt;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > ASCII_MAX) {
        this.used = textAt + this.encoder.encodeInto(text, this.buffer.subarray(textAt)).written;
        break;
      }
      this.buffer[this.used++] = unit;
    }
    this.view.setUint32(lengthAt, this.used - textAt, true);
  }

  private bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    if (bytes.length > BUFFER_BYTES) {
      this.flush();
      this.hash.update(bytes);
      return;
    }
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.used);
    this.used += bytes.length;
  }

  private reserve(count: number): void {
    if (this.used + count > BUFFER_BYTES) this.flush();
  }

  private flush(): void {
    this.hash.update(this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}
