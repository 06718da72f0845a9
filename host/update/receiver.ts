// The board's end of an update: takes chunks in order, checks what they make, starts it on trial, and keeps it or goes back.
// boards/common/update.c is the same in C, and one suite tests both.
//
// Two slots: one holds the module that works, the other takes the update. Nothing of the former is touched before the latter
// has confirmed that it works, and what is to be started is written down in a table that a power cut cannot tear
// (slot-table.ts). So whatever happens, at whatever moment, there is a module to start.
import { ErrorCode, UPDATE_GAP } from '../../assembly/protocol/index.js';
import type { Millis } from '../ports.js';
import { type Chunk, decodeChunk } from './chunks.js';
import {
  ANY_BOARD,
  compareVersions,
  decodeSigned,
  HEADER_BYTES,
  idOf,
  SIGNED_BYTES,
  type UpdateInfo,
  type Version,
} from './header.js';
import { encodeTable, newestTable, SHIPPED, type SlotTable, Trial } from './slot-table.js';

/** How long an update may take to confirm that it works, before what was there comes back. */
export const TRIAL_MS_DEFAULT = 300_000;

/** The board's memory for updates. What returns a boolean returns false where the memory does not do it. */
export interface Slots {
  /** Octets of a slot. */
  readonly slotBytes: number;
  erase(slot: number): boolean;
  /** `at` begins with 0 and goes up: what is written lies behind what was written before. */
  write(slot: number, at: number, octets: Uint8Array): boolean;
  /** SHA-256 of the slot's first octets. */
  digest(slot: number, bytes: number): Uint8Array;
  /** One of two copies, TABLE_BYTES; anything where none was written. */
  readTable(copy: number): Uint8Array;
  writeTable(copy: number, octets: Uint8Array): boolean;
}

export interface ReceiverOptions {
  /** The application that the board runs, and the version that it is shipped with: started where updates brought older ones. */
  readonly name: string;
  readonly version: Version;
  /** Of the module's contract. */
  readonly abi: number;
  readonly board: string;
  /** Ed25519, with the key that the board trusts. */
  readonly verify: (signed: Uint8Array, signature: Uint8Array) => boolean;
  /** Default TRIAL_MS_DEFAULT. */
  readonly trialMs?: Millis;
}

/** What a board is to start. */
export interface Boot {
  readonly slot: number;
  /** Of the module in it; undefined where no update has been to this slot. */
  readonly bytes: number | undefined;
  readonly isOnTrial: boolean;
  /** An update was given up since the last start. */
  readonly wasRolledBack: boolean;
  /** What updates had brought was older than what the board is shipped with now, and is forgotten. */
  readonly wasOutdated: boolean;
  /** An update waits, and cannot be started until the table can be written: what ran runs on. */
  readonly isPutOff: boolean;
  /** Of the module to be started. */
  readonly version: Version;
}

interface Transfer {
  readonly id: number;
  readonly total: number;
  /** Sequence number of the chunk that comes next. */
  next: number;
  /** Octets so far. */
  bytes: number;
  readonly header: Uint8Array;
  info: UpdateInfo | undefined;
}

export class Receiver {
  private table: SlotTable;
  private transfer: Transfer | undefined;
  private refused: { readonly id: number; readonly code: ErrorCode } | undefined;
  private trialEndsAt: Millis = Number.POSITIVE_INFINITY;
  private isPutOff = false;

  constructor(
    private readonly options: ReceiverOptions,
    private readonly slots: Slots,
  ) {
    this.table = newestTable([slots.readTable(0), slots.readTable(1)]);
  }

  /** At every start of the board: which slot is to run. An update that has not confirmed before is given up here. */
  boot(now: Millis): Boot {
    this.transfer = undefined;
    this.refused = undefined;
    this.trialEndsAt = Number.POSITIVE_INFINITY;
    this.isPutOff = false;
    const wasOutdated = this.forgetOutdated();
    const { active, trial, slots } = this.table;
    const as = (slot: number): Pick<Boot, 'slot' | 'bytes' | 'version'> => {
      const record = slots[slot];
      return { slot, bytes: record?.bytes, version: record?.version ?? this.options.version };
    };
    const how = { isOnTrial: false, wasRolledBack: false, wasOutdated, isPutOff: false };
    const other = slots[1 - active];
    if (trial === Trial.Started) {
      this.change({ trial: Trial.None, failed: other!.digest });
      return { ...as(active), ...how, wasRolledBack: true };
    }
    if (trial === Trial.Pending && this.change({ trial: Trial.Started })) {
      this.trialEndsAt = now + (this.options.trialMs ?? TRIAL_MS_DEFAULT);
      return { ...as(1 - active), ...how, isOnTrial: true };
    }
    // What cannot be written down as begun is not begun: it would never be given up.
    this.isPutOff = trial === Trial.Pending;
    return { ...as(active), ...how, isPutOff: this.isPutOff };
  }

  /** `board.update`: the chunks that are still missing, plus UPDATE_GAP; 0 where all are here and accepted; or an ErrorCode. */
  chunk(octets: Uint8Array): number {
    const chunk = decodeChunk(octets);
    if (chunk === undefined) return ErrorCode.UpdateFormat;
    const { active, trial, slots } = this.table;
    const newest = slots[trial === Trial.None ? active : 1 - active];
    if (newest?.id === chunk.id) return 0; // a late copy of what has been taken
    if (trial !== Trial.None) return ErrorCode.WrongState; // the other slot is what one can go back to
    if (chunk.sequence > 0 && this.refused?.id === chunk.id) return this.refused.code;
    return this.place(chunk);
  }

  /** `board.confirm`: the update works, and stays. */
  confirm(): void {
    // Not where the table says so: what came back may run while that could not be written down.
    if (!this.isOnTrial) return;
    const active = this.table.active === 0 ? 1 : 0;
    if (this.change({ active, trial: Trial.None })) this.trialEndsAt = Number.POSITIVE_INFINITY;
  }

  /**
   * An update waits to be started: the board is to boot once the call is over. Not one that was put off at this start: the board
   * would start again for ever.
   */
  get isAccepted(): boolean {
    return this.table.trial === Trial.Pending && !this.isPutOff;
  }

  /** When the board is to boot because the update on trial has not confirmed. */
  get dueAt(): Millis {
    return this.trialEndsAt;
  }

  /** Of what is active. */
  get version(): Version {
    return this.table.slots[this.table.active]?.version ?? this.options.version;
  }

  /** The board has been shipped anew, with something newer than what updates had brought: these are forgotten. */
  private forgetOutdated(): boolean {
    const slot = this.table.slots[this.table.active];
    if (slot?.isOlder !== false || compareVersions(this.options.version, slot.version) <= 0) return false;
    const { active, trial, slots } = SHIPPED;
    // What cannot be written down is true all the same, and found out again at the next start.
    if (!this.change({ active, trial, slots })) this.table = { ...this.table, active, trial, slots };
    return true;
  }

  /** In order: the next chunk is taken, everything else is answered with what is missing. */
  private place(chunk: Chunk): number {
    const { sequence, total, id, part } = chunk;
    const isOfTransfer = this.transfer?.id === id && this.transfer.total === total;
    if (sequence === 0 && !isOfTransfer) {
      this.refused = undefined;
      this.transfer = { id, total, next: 0, bytes: 0, header: new Uint8Array(HEADER_BYTES), info: undefined };
    } else if (!isOfTransfer) return total + UPDATE_GAP;
    const transfer = this.transfer!;
    if (sequence === transfer.next) {
      const code = this.take(transfer, part);
      if (code !== ErrorCode.None) return this.refuse(id, code);
    }
    return total - transfer.next + (sequence > transfer.next ? UPDATE_GAP : 0);
  }

  private take(transfer: Transfer, part: Uint8Array): ErrorCode {
    const ofHeader = part.subarray(0, Math.max(0, HEADER_BYTES - transfer.bytes));
    transfer.header.set(ofHeader, Math.min(transfer.bytes, HEADER_BYTES - ofHeader.length));
    transfer.bytes += part.length;
    transfer.next++;
    if (transfer.info === undefined && transfer.bytes >= HEADER_BYTES) {
      const code = this.examine(transfer);
      if (code !== ErrorCode.None) return code;
    }
    const isLast = transfer.next === transfer.total;
    const { info, bytes } = transfer;
    if (info === undefined) return isLast ? ErrorCode.UpdateFormat : ErrorCode.None;
    const end = bytes - HEADER_BYTES;
    if (isLast ? end !== info.bytes : end >= info.bytes) return ErrorCode.UpdateFormat;
    const ofModule = part.subarray(ofHeader.length);
    if (ofModule.length > 0 && !this.slots.write(this.idle, end - ofModule.length, ofModule)) {
      return ErrorCode.UpdateStorage;
    }
    return isLast ? this.accept(transfer.id, info) : ErrorCode.None;
  }

  /** The header is whole: may this be installed at all? Nothing is written before. */
  private examine(transfer: Transfer): ErrorCode {
    const { header } = transfer;
    const { name, abi, board, verify } = this.options;
    const info = decodeSigned(header);
    if (info === undefined || idOf(header) !== transfer.id) return ErrorCode.UpdateFormat;
    if (!verify(header.subarray(0, SIGNED_BYTES), header.subarray(SIGNED_BYTES))) return ErrorCode.UpdateSignature;
    const isOurs = info.name === name && info.abi === abi && (info.board === board || info.board === ANY_BOARD);
    if (!isOurs) return ErrorCode.UpdateForeign;
    if (info.bytes === 0 || info.bytes > this.slots.slotBytes) return ErrorCode.TooLong;
    if (info.downgrade !== true && compareVersions(info.version, this.version) <= 0) return ErrorCode.UpdateVersion;
    if (this.hasFailed(info, transfer.id)) return ErrorCode.UpdateFailed;
    transfer.info = info;
    return this.slots.erase(this.idle) ? ErrorCode.None : ErrorCode.UpdateStorage;
  }

  /** The very update that failed is not tried again, whatever it allows: whoever sends it would do so for ever. */
  private hasFailed({ digest, again }: UpdateInfo, id: number): boolean {
    return isSame(digest, this.table.failed) && (again !== true || this.table.slots[this.idle]?.id === id);
  }

  private accept(id: number, { version, bytes, digest }: UpdateInfo): ErrorCode {
    if (!isSame(this.slots.digest(this.idle, bytes), digest)) return ErrorCode.UpdateDamaged;
    const isOlder = compareVersions(version, this.options.version) < 0;
    const record = { id, version, bytes, digest, isOlder };
    const [first, second] = this.table.slots;
    const slots = this.idle === 0 ? ([record, second] as const) : ([first, record] as const);
    return this.change({ trial: Trial.Pending, slots }) ? ErrorCode.None : ErrorCode.UpdateStorage;
  }

  private refuse(id: number, code: ErrorCode): ErrorCode {
    this.transfer = undefined;
    this.refused = { id, code };
    return code;
  }

  private get isOnTrial(): boolean {
    return this.trialEndsAt !== Number.POSITIVE_INFINITY;
  }

  /** The slot that takes updates. */
  private get idle(): number {
    return 1 - this.table.active;
  }

  /** Writes the table with these changes over its older copy. */
  private change(changes: Partial<SlotTable>): boolean {
    const table = { ...this.table, ...changes, generation: this.table.generation + 1 };
    if (!this.slots.writeTable(table.generation & 1, encodeTable(table))) return false;
    this.table = table;
    return true;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
