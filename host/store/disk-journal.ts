// Transactions in a folder, with LMDB, written in groups: while one group is on its way to the disk the next one gathers, and
// all the transactions of a group share its one wait. LMDB's own thread does the writing.
import type { Journal, Log, Millis } from '../ports.js';
import type { StoreError } from './error.js';
import { type FolderDatabase, openFolderDatabase, type StoredRecord } from './folder-database.js';
import type { Durability } from './marker.js';
import { databaseKeyOf, encodeRecord } from './record.js';

export interface DiskJournalOptions {
  /** What `done` is given. */
  readonly clock: () => Millis;
  /** Told once, of ERR_STORE_WRITE: the disk is full or fails. Nothing is written and no `done` is called from then on. */
  readonly failed: (error: StoreError) => void;
  /**
   * `disk`: `done` says that the disk has it, and a power cut takes nothing back. `process`: that the operating system has it,
   * which survives kill -9 but no stop of the machine, and is about ten times faster. Default: `disk`.
   */
  readonly durability?: Durability;
  /** Told `store-recovered` or `store-lost` where the machine had stopped while a journal of `process` was in use. */
  readonly log?: Log;
}

/**
 * Opens the journal in a folder, which is made where there is none. Rejects with StoreError: `ERR_STORE_FOLDER`,
 * `ERR_STORE_FOREIGN`, `ERR_STORE_VERSION`, `ERR_STORE_DAMAGED`, `ERR_STORE_IN_USE`.
 */
export async function openDiskJournal(folder: string, options: DiskJournalOptions): Promise<DiskJournal> {
  const { durability = 'disk', log = () => {} } = options;
  return new DiskJournal(await openFolderDatabase(folder, { kind: 'journal', durability, log }), options);
}

/** What becomes of a record; undefined: it goes. The last word on a key counts. */
type Changes = Map<string, Uint8Array | undefined>;

type Done = (now: Millis) => void;

export class DiskJournal implements Journal {
  private found: readonly StoredRecord[] | undefined;
  /** Of the transaction that no `commit` has ended yet. */
  private open: Changes = new Map();
  /** Of the transactions that the next group will hold, and whom to tell then. */
  private gathered: Changes = new Map();
  private waiting: Done[] = [];
  /** A group is on its way, or about to be. */
  private isBusy = false;
  private isFailed = false;
  private isClosed = false;
  /** Told once nothing is on its way. */
  private idle: (() => void)[] = [];

  /** Use `openDiskJournal`. */
  constructor(
    private readonly folder: FolderDatabase,
    private readonly options: DiskJournalOptions,
  ) {
    this.found = folder.found;
  }

  /** The machine stopped while a journal of durability `process` was in use: its transactions may not be whole. */
  get wasRecovered(): boolean {
    return this.folder.wasRecovered;
  }

  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    const found = this.found ?? this.folder.records();
    this.found = undefined; // they have been read at the opening, and need not be kept
    return found;
  }

  /** Throws ERR_STORE_WRITE where the journal is closed. */
  put(key: string, value: Uint8Array): void {
    this.change(key, value);
  }

  /** Throws ERR_STORE_WRITE where the journal is closed. */
  delete(key: string): void {
    this.change(key, undefined);
  }

  /**
   * The commits of one turn of the event loop make up one group; where none is on its way, it starts with the turn's end. Throws
   * ERR_STORE_WRITE where the journal is closed.
   */
  commit(done: Done): void {
    if (this.isClosed) throw this.closed();
    if (this.isFailed) return;
    this.gather();
    this.waiting.push(done);
    if (this.isBusy) return;
    this.isBusy = true;
    setImmediate(() => this.writeGroup());
  }

  /**
   * Waits for all commits, also those that come while it waits. What was put after the last of them is gone. Rejects with
   * ERR_STORE_WRITE where the disk fails. Does nothing the second time.
   */
  async close(): Promise<void> {
    while (this.isBusy) {
      await new Promise<void>((resolve) => {
        this.idle.push(resolve);
      });
    }
    this.isClosed = true;
    try {
      await this.folder.close();
    } catch (error) {
      if (!this.isFailed) throw error; // and otherwise it has been told
    }
  }

  private change(key: string, value: Uint8Array | undefined): void {
    if (this.isClosed) throw this.closed();
    if (!this.isFailed) this.open.set(key, value);
  }

  private gather(): void {
    if (this.gathered.size === 0) {
      [this.gathered, this.open] = [this.open, this.gathered];
      return;
    }
    for (const [key, value] of this.open) this.gathered.set(key, value);
    this.open.clear();
  }

  private writeGroup(): void {
    const { gathered, waiting } = this;
    this.gathered = new Map();
    this.waiting = [];
    this.write(gathered).then(
      () => this.written(waiting),
      (error: Error) => this.fail(error),
    );
  }

  private async write(changes: Changes): Promise<void> {
    if (changes.size === 0) return;
    const { database } = this.folder;
    // One transaction, and one promise: others that LMDB makes of its own accord would be broken with nobody to hear it.
    await database.batch(() => {
      for (const [key, value] of changes) {
        if (value === undefined) {
          database.remove(databaseKeyOf(key));
        } else {
          const { databaseKey, databaseValue } = encodeRecord(key, value);
          database.put(databaseKey, databaseValue);
        }
      }
    });
  }

  private written(waiting: readonly Done[]): void {
    // First the next group: the disk need not wait for what is done with this one.
    if (this.waiting.length > 0) this.writeGroup();
    else this.isBusy = false;
    const now = this.options.clock();
    try {
      for (const done of waiting) done(now);
    } finally {
      this.rest();
    }
  }

  private async fail(error: Error): Promise<void> {
    this.isFailed = true;
    this.gathered.clear();
    this.waiting = [];
    const cause = await causeOf(error);
    this.isBusy = false;
    this.options.failed(this.folder.writeError(cause));
    this.rest();
  }

  private rest(): void {
    if (this.isBusy) return;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  private closed(): StoreError {
    return this.folder.closedError();
  }
}

/** LMDB's own word on why a commit failed comes beside the error, as a promise that is broken. */
async function causeOf(error: Error & { commitError?: Promise<never> }): Promise<Error> {
  try {
    await error.commitError;
  } catch (cause) {
    return cause as Error;
  }
  return error;
}
