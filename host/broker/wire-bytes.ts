// Numbers as MQTT writes them: two and four bytes with the highest first (1.5.2, 1.5.3), and variable byte integers (1.5.5).
// Those that read trust their bytes: wellformed.ts has looked at them.

export const U16_BYTES = 2;
export const U32_BYTES = 4;
/** 1.5.5: and no more than 28 bits. */
export const VARINT_BYTES_MAX = 4;

const BYTE_SHIFT = 8;
const BYTE = 0xff;
/** A byte of a variable byte integer: seven bits, and whether more follow. */
export const VARINT_MORE = 0x80;
const VARINT_SHIFT = 7;
const VARINT_BITS = 0x7f;

export function u16At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << BYTE_SHIFT) | bytes[at + 1]!;
}

export function u32At(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at) * 0x1_0000 + u16At(bytes, at + U16_BYTES);
}

export function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = bytes[at + i]!;
    value |= (byte & VARINT_BITS) << (VARINT_SHIFT * i);
    if ((byte & VARINT_MORE) === 0) break;
  }
  return value;
}

/** How many bytes the number has: the fewest possible [MQTT-1.5.5-1]. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> VARINT_SHIFT; rest > 0; rest >>>= VARINT_SHIFT) bytes++;
  return bytes;
}

// Each of these writes at `at` and returns where the next field begins.

export function writeU16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >> BYTE_SHIFT;
  bytes[at + 1] = value & BYTE;
  return at + U16_BYTES;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): number {
  return writeU16(bytes, writeU16(bytes, at, value >>> 16), value & 0xffff);
}

export function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest >= VARINT_MORE; rest >>>= VARINT_SHIFT) bytes[at++] = (rest & VARINT_BITS) | VARINT_MORE;
  bytes[at++] = rest;
  return at;
}
