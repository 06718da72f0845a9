// Which slot a board starts: a small record, kept twice. Each change writes the copy that is older, so that a power cut at any
// moment leaves one that is whole.
import type { Version } from './header.js';
import { DIGEST_BYTES } from './header.js';

// Integers are little-endian.
//
//   0       4            8        9       12          60          108           140     144
//   ┌───────┬────────────┬────────┬───────┬───────────┬───────────┬─────────────┬───────┐
//   │ magic │ generation │ active │ trial │ slot 0    │ slot 1    │ failed      │ CRC-32│
//   └───────┴────────────┴────────┴───────┴───────────┴───────────┴─────────────┴───────┘
//    "thms"   goes up                 ╲     48 octets:  id 4, known 1, older 1, version 3×2, bytes 4, SHA-256 32
//             with every change        0, 1 or 2        failed: SHA-256 of the last update that was rolled back
export const TABLE_BYTES = 144;
export const SLOTS = 2;
const MAGIC = 0x736d6874;
const GENERATION_AT = 4;
const ACTIVE_AT = 8;
const TRIAL_AT = 9;
const SLOTS_AT = 12;
const SLOT_BYTES = 48;
const FAILED_AT = SLOTS_AT + SLOTS * SLOT_BYTES;
const CRC_AT = FAILED_AT + DIGEST_BYTES;
const POLYNOMIAL = 0xedb88320;

export const enum Trial {
  None = 0,
  /** The slot that is not active holds an update that was accepted and waits for its start. */
  Pending = 1,
  /** It was started, and has to confirm that it works before the next start. */
  Started = 2,
}

export interface SlotRecord {
  /** Of the update that it came by. */
  readonly id: number;
  readonly version: Version;
  readonly bytes: number;
  readonly digest: Uint8Array;
  /** Than what the board was shipped with: somebody wanted that. */
  readonly isOlder: boolean;
}

export interface SlotTable {
  readonly generation: number;
  /** The slot that works. */
  readonly active: 0 | 1;
  readonly trial: Trial;
  /** Undefined for a slot that no update has been to: it holds what the board was shipped with, or nothing. */
  readonly slots: readonly [SlotRecord | undefined, SlotRecord | undefined];
  readonly failed: Uint8Array;
}

/** Of a board that never had an update. */
export const SHIPPED: SlotTable = {
  generation: 0,
  active: 0,
  trial: Trial.None,
  slots: [undefined, undefined],
  failed: new Uint8Array(DIGEST_BYTES),
};

export function encodeTable(table: SlotTable): Uint8Array {
  const octets = new Uint8Array(TABLE_BYTES);
  const view = new DataView(octets.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(GENERATION_AT, table.generation, true);
  view.setUint8(ACTIVE_AT, table.active);
  view.setUint8(TRIAL_AT, table.trial);
  for (const [index, slot] of table.slots.entries()) {
    if (slot === undefined) continue;
    const at = SLOTS_AT + index * SLOT_BYTES;
    view.setUint32(at, slot.id, true);
    view.setUint8(at + 4, 1);
    view.setUint8(at + 5, slot.isOlder ? 1 : 0);
    for (const [i, part] of slot.version.entries()) view.setUint16(at + 6 + 2 * i, part, true);
    view.setUint32(at + 12, slot.bytes, true);
    octets.set(slot.digest, at + 16);
  }
  octets.set(table.failed, FAILED_AT);
  view.setUint32(CRC_AT, crc32(octets.subarray(0, CRC_AT)), true);
  return octets;
}

/** Undefined where the copy is not whole, or was never written. */
export function decodeTable(octets: Uint8Array): SlotTable | undefined {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  if (octets.length !== TABLE_BYTES || view.getUint32(0, true) !== MAGIC) return undefined;
  if (view.getUint32(CRC_AT, true) !== crc32(octets.subarray(0, CRC_AT))) return undefined;
  const slotAt = (at: number): SlotRecord | undefined => {
    if (view.getUint8(at + 4) === 0) return undefined;
    const part = (i: number): number => view.getUint16(at + 6 + 2 * i, true);
    return {
      id: view.getUint32(at, true),
      version: [part(0), part(1), part(2)],
      bytes: view.getUint32(at + 12, true),
      digest: octets.slice(at + 16, at + 16 + DIGEST_BYTES),
      isOlder: view.getUint8(at + 5) !== 0,
    };
  };
  return {
    generation: view.getUint32(GENERATION_AT, true),
    active: view.getUint8(ACTIVE_AT) === 0 ? 0 : 1,
    trial: view.getUint8(TRIAL_AT),
    slots: [slotAt(SLOTS_AT), slotAt(SLOTS_AT + SLOT_BYTES)],
    failed: octets.slice(FAILED_AT, CRC_AT),
  };
}

/** The newer of the copies that are whole; a board that has none starts what it was shipped with. */
export function newestTable(copies: readonly Uint8Array[]): SlotTable {
  return copies
    .map(decodeTable)
    .reduce<SlotTable>(
      (best, table) => (table !== undefined && table.generation > best.generation ? table : best),
      SHIPPED,
    );
}

/** CRC-32, reflected (IEEE 802.3), bit by bit: a table is read once a boot. */
function crc32(octets: Uint8Array): number {
  let crc = 0xffffffff;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return ~crc >>> 0;
}
