// One record as it lies in the database.
//
//   0         4          8            8 + keyBytes
//  ┌─────────┬──────────┬────────────┬───────┐
//  │ CRC-32  │ keyBytes │ key, UTF-8 │ value │   numbers are little-endian; the sum is over all that follows it
//  └─────────┴──────────┴────────────┴───────┘
//
// The database's own keys are bounded, ours are not: a long one is found by its hash.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const HEAD_BYTES = 8;
const KEY_BYTES_AT = 4;
/** Less than what LMDB takes with its smallest pages. */
const PLAIN_KEY_BYTES_MAX = 1_000;

export interface EncodedRecord {
  readonly databaseKey: Buffer;
  readonly databaseValue: Buffer;
}

/** Where the database has the record of a key. */
export function databaseKeyOf(key: string): Buffer {
  const bytes = Buffer.from(key);
  if (bytes.length <= PLAIN_KEY_BYTES_MAX) return Buffer.concat([Buffer.from('k'), bytes]);
  return Buffer.concat([Buffer.from('h'), createHash('sha256').update(bytes).digest()]);
}

export function encodeRecord(key: string, value: Uint8Array): EncodedRecord {
  const keyBytes = Buffer.byteLength(key);
  const record = Buffer.allocUnsafe(HEAD_BYTES + keyBytes + value.length);
  record.writeUInt32LE(keyBytes, KEY_BYTES_AT);
  record.write(key, HEAD_BYTES);
  record.set(value, HEAD_BYTES + keyBytes);
  record.writeUInt32LE(crc32(record.subarray(KEY_BYTES_AT)));
  return { databaseKey: databaseKeyOf(key), databaseValue: record };
}

/** undefined where it is not what was written. The value is a copy. */
export function decodeRecord(record: Buffer): readonly [key: string, value: Uint8Array] | undefined {
  if (record.length < HEAD_BYTES || crc32(record.subarray(KEY_BYTES_AT)) !== record.readUInt32LE()) return undefined;
  const valueAt = HEAD_BYTES + record.readUInt32LE(KEY_BYTES_AT);
  return [record.toString('utf8', HEAD_BYTES, valueAt), new Uint8Array(record.subarray(valueAt))];
}
