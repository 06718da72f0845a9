// An update cut into chunks: one MQTT message each, numbered from 0, all but the last of the same length.
import { UpdateError } from './error.js';
import { idOf } from './header.js';

//   0         1          3       5    9
//   ┌─────────┬──────────┬───────┬────┬──────────────────────┐
//   │ version │ sequence │ total │ id │ part of the update   │
//   └─────────┴──────────┴───────┴────┴──────────────────────┘
//    1         from 0     chunks        little-endian
export const CHUNK_VERSION = 1;
export const CHUNK_HEADER_BYTES = 9;
export const SEQUENCE_AT = 1;
export const TOTAL_AT = 3;
export const ID_AT = 5;
/** Octets of a message unless asked otherwise: they fit the smallest device that takes updates. */
export const CHUNK_BYTES_DEFAULT = 128;
export const CHUNK_BYTES_MIN = 32;
/** What still fits one datagram of MQTT-SN over UDP. */
export const CHUNK_BYTES_MAX = 1_400;
const CHUNKS_MAX = 0xffff;

export interface Chunk {
  readonly sequence: number;
  readonly total: number;
  readonly id: number;
  readonly part: Uint8Array;
}

/** `update`: header and module. `chunkBytes`: octets of a message. Throws ERR_UPDATE_CHUNK. */
export function cut(update: Uint8Array, chunkBytes = CHUNK_BYTES_DEFAULT): Uint8Array[] {
  if (!Number.isInteger(chunkBytes) || chunkBytes < CHUNK_BYTES_MIN || chunkBytes > CHUNK_BYTES_MAX) {
    throw new UpdateError(
      'ERR_UPDATE_CHUNK',
      `chunks of ${chunkBytes} octets: ${CHUNK_BYTES_MIN} to ${CHUNK_BYTES_MAX}`,
    );
  }
  const partBytes = chunkBytes - CHUNK_HEADER_BYTES;
  const total = Math.ceil(update.length / partBytes);
  if (total > CHUNKS_MAX) throw new UpdateError('ERR_UPDATE_CHUNK', `${total} chunks: at most ${CHUNKS_MAX}`);
  const id = idOf(update);
  return Array.from({ length: total }, (_, sequence) =>
    encodeChunk({ sequence, total, id, part: update.subarray(sequence * partBytes, (sequence + 1) * partBytes) }),
  );
}

export function encodeChunk({ sequence, total, id, part }: Chunk): Uint8Array {
  const octets = new Uint8Array(CHUNK_HEADER_BYTES + part.length);
  const view = new DataView(octets.buffer);
  view.setUint8(0, CHUNK_VERSION);
  view.setUint16(SEQUENCE_AT, sequence, true);
  view.setUint16(TOTAL_AT, total, true);
  view.setUint32(ID_AT, id, true);
  octets.set(part, CHUNK_HEADER_BYTES);
  return octets;
}

/** Undefined for what is none, or of another version. */
export function decodeChunk(octets: Uint8Array): Chunk | undefined {
  if (octets.length <= CHUNK_HEADER_BYTES || octets[0] !== CHUNK_VERSION) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const sequence = view.getUint16(SEQUENCE_AT, true);
  const total = view.getUint16(TOTAL_AT, true);
  if (sequence >= total) return undefined;
  return { sequence, total, id: view.getUint32(ID_AT, true), part: octets.subarray(CHUNK_HEADER_BYTES) };
}
