// The two slots of a board that exists only here: in the simulator, and where V8 runs the module.
import { sha256 } from '@noble/hashes/sha2.js';
import type { Slots } from './receiver.js';
import { SLOTS, TABLE_BYTES } from './slot-table.js';

const SLOT_BYTES_DEFAULT = 65_536;
/** What erased flash holds. */
const ERASED = 0xff;

export class MemorySlots implements Slots {
  private readonly slots: Uint8Array[];
  private readonly tables = Array.from({ length: 2 }, () => new Uint8Array(TABLE_BYTES));

  /** `shipped`: the module in slot 0. */
  constructor(
    shipped: Uint8Array,
    readonly slotBytes = SLOT_BYTES_DEFAULT,
  ) {
    // Memory is taken when there is something to keep: a fleet is large, and most devices are never updated.
    this.slots = Array.from({ length: SLOTS }, (_, slot) => (slot === 0 ? shipped : new Uint8Array()));
  }

  erase(slot: number): boolean {
    this.slots[slot] = new Uint8Array(this.slotBytes).fill(ERASED);
    return true;
  }

  write(slot: number, at: number, octets: Uint8Array): boolean {
    this.slots[slot]!.set(octets, at);
    return true;
  }

  digest(slot: number, bytes: number): Uint8Array {
    return sha256(this.read(slot, bytes));
  }

  readTable(copy: number): Uint8Array {
    return this.tables[copy]!;
  }

  writeTable(copy: number, octets: Uint8Array): boolean {
    this.tables[copy] = octets.slice();
    return true;
  }

  /** The slot's first octets; all that there are by default. */
  read(slot: number, bytes?: number): Uint8Array {
    return this.slots[slot]!.subarray(0, bytes);
  }
}
