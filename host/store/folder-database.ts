// An LMDB database alone in its folder: one process has it, it is of one kind and format, and what it gives is what was
// written.
//
// Where the machine itself stopped while a database was in use that was not waited for on the disk, the disk may
// hold half of what was written: the records that are whole are then moved to a new database.
import { accessSync, closeSync, constants, existsSync, openSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { Log } from '../ports.js';
import { StoreError } from './error.js';
import { makeFolder, syncFile, syncFolder } from './folder.js';
import { bootId, type Durability, readMarker, type StoreKind, writeMarker } from './marker.js';
import { probe } from './probe.js';
import { databaseKeyOf, decodeRecord, encodeRecord } from './record.js';

export type Database = RootDatabase<Buffer, Uint8Array>;

export type StoredRecord = readonly [key: string, value: Uint8Array];

export interface FolderOptions {
  readonly kind: StoreKind;
  /** Of each write from its confirmation on. */
  readonly durability: Durability;
  /** Told `store-recovered` or `store-lost` where the machine had stopped while the database was in use. */
  readonly log: Log;
}

const DATA = 'data.mdb';
const LOCK = 'lock.mdb';
/** What the machine's stop left of a database that cannot be read any more. */
const SET_ASIDE = 'data.mdb.unreadable';
/** The database that takes the place of one that is not to be trusted, until it is whole. */
const REBUILT = 'data.mdb.new';

/** Folders that this process has open: LMDB's own register is by process. */
const openFolders = new Set<string>();

/**
 * Opens the database in a folder, which is made where there is none. Rejects with StoreError: `ERR_STORE_FOLDER`,
 * `ERR_STORE_FOREIGN`, `ERR_STORE_VERSION`, `ERR_STORE_DAMAGED`, `ERR_STORE_IN_USE`.
 */
export async function openFolderDatabase(folder: string, options: FolderOptions): Promise<FolderDatabase> {
  try {
    makeFolder(folder);
    return await openAlone(realpathSync(folder), options);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const what = `cannot hold a store (${(error as Error).message}); name a folder that can be written`;
    throw new StoreError('ERR_STORE_FOLDER', folder, what, error);
  }
}

async function openAlone(folder: string, options: FolderOptions): Promise<FolderDatabase> {
  if (openFolders.has(folder)) throw inUse(folder, process.pid);
  openFolders.add(folder);
  try {
    return await openSound(folder, options);
  } catch (error) {
    openFolders.delete(folder);
    throw error;
  }
}

async function openSound(folder: string, options: FolderOptions): Promise<FolderDatabase> {
  checkPermission(folder);
  const marker = readMarker(folder, options.kind);
  const boot = bootId();
  const isInUse = typeof marker?.inUseSinceBoot === 'string';
  const wasCut = isInUse && marker.inUseSinceBoot !== boot && marker.durability === 'process';
  const wasRecovered = wasCut || (isInUse && marker.wasRecovered);
  const says = { kind: options.kind, durability: options.durability, inUseSinceBoot: boot, wasRecovered };
  // The folder is ours from now on: an end in the middle leaves nothing that would later look like somebody else's.
  if (marker === undefined) writeMarker(folder, says);
  const finding = existsSync(join(folder, DATA)) ? await probe(folder) : 'sound';
  if (typeof finding === 'object') throw inUse(folder, finding.inUse);
  if (finding === 'damaged') {
    if (!wasCut) throw damaged(folder);
    renameSync(join(folder, DATA), join(folder, SET_ASIDE));
    options.log('warn', 'store-lost', { folder, kept: SET_ASIDE });
  }
  let database = openDatabase(folder, options.durability);
  try {
    // From here on this process is in LMDB's register, and whoever looks later gives way.
    const other = otherUser(database);
    if (other !== undefined) throw inUse(folder, other);
    const records = readAll(database);
    const isRecovering = wasCut && finding === 'sound';
    if (!isRecovering && records.damaged > 0) throw damaged(folder);
    if (isRecovering) {
      database = await rebuild(folder, database, records.whole, options.durability);
      options.log('warn', 'store-recovered', { folder, records: records.whole.length, damaged: records.damaged });
    }
    // What an earlier process wrote in this run of the machine may not be on the disk yet, nor the database's own name.
    if (options.durability === 'disk') syncFile(join(folder, DATA));
    writeMarker(folder, says);
    return new FolderDatabase(folder, options, database, records.whole, wasRecovered);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Throws Node's error. What this user may not read and write is not damaged, and must be taken for neither that nor new. */
function checkPermission(folder: string): void {
  const { R_OK, W_OK, X_OK } = constants;
  accessSync(folder, R_OK | W_OK | X_OK);
  if (existsSync(join(folder, LOCK))) accessSync(join(folder, LOCK), R_OK | W_OK); // to open and close it would end locks
  if (existsSync(join(folder, DATA))) closeSync(openSync(join(folder, DATA), 'r+'));
}

/**
 * Without overlapping syncs, which confirm before the disk has what they confirm: a commit's promise is kept only once all of it
 * is as durable as it will be. One transaction at a time would gain nothing from them.
 */
function openDatabase(folder: string, durability: Durability, file?: string): Database {
  return open<Buffer, Uint8Array>({
    path: file === undefined ? folder : join(folder, file),
    noSubdir: file !== undefined, // whatever the folder's name looks like
    noSync: durability === 'process',
    overlappingSync: false,
    eventTurnBatching: false, // transactions are made by `batch` or at once
    encoding: 'binary',
    keyEncoding: 'binary',
  });
}

/** The id of a living process that has the database open. */
function otherUser(database: Database): number | undefined {
  database.getBinary(databaseKeyOf('')); // who has read is in the register, until its process ends
  database.readerCheck();
  const pids = database
    .readerList()
    .split('\n')
    .map((line) => Number.parseInt(line, 10));
  return pids.find((pid) => pid > 0 && pid !== process.pid);
}

interface Records {
  readonly whole: readonly StoredRecord[];
  readonly damaged: number;
}

function readAll(database: Database): Records {
  const all = [...database.getRange({})].map(({ value }) => decodeRecord(value));
  const whole = all.filter((record) => record !== undefined);
  return { whole, damaged: all.length - whole.length };
}

/**
 * A new database with these records; the old one's inner order is not to be trusted. Until the new one is whole and on the disk,
 * the old one stays.
 */
async function rebuild(
  folder: string,
  old: Database,
  records: Records['whole'],
  durability: Durability,
): Promise<Database> {
  await old.close();
  rmSync(join(folder, REBUILT), { force: true }); // of an attempt that did not come to its end
  const fresh = openDatabase(folder, 'process', REBUILT);
  fresh.transactionSync(() => {
    for (const [key, value] of records) {
      const { databaseKey, databaseValue } = encodeRecord(key, value);
      fresh.putSync(databaseKey, databaseValue);
    }
  });
  await fresh.close();
  syncFile(join(folder, REBUILT));
  rmSync(join(folder, `${REBUILT}-lock`), { force: true });
  renameSync(join(folder, REBUILT), join(folder, DATA));
  syncFolder(folder);
  return openDatabase(folder, durability);
}

const inUse = (folder: string, pid: number): StoreError =>
  new StoreError('ERR_STORE_IN_USE', folder, `in use by process ${pid}; end that first, or name another folder`);

const damaged = (folder: string): StoreError =>
  new StoreError(
    'ERR_STORE_DAMAGED',
    folder,
    'what it holds is damaged; restore a copy, or remove the folder to begin anew',
  );

export class FolderDatabase {
  private isClosed = false;

  /** Use `openFolderDatabase`. */
  constructor(
    private readonly folder: string,
    private readonly options: FolderOptions,
    readonly database: Database,
    /** What was there when it was opened. */
    readonly found: readonly StoredRecord[],
    /** The machine had stopped and the disk had no promise to keep: what is here may be of different moments. */
    readonly wasRecovered: boolean,
  ) {}

  /** As they are at the moment of the call. Throws ERR_STORE_DAMAGED. */
  records(): readonly StoredRecord[] {
    const { whole, damaged: count } = readAll(this.database);
    if (count > 0) throw damaged(this.folder);
    return whole;
  }

  /**
   * After it the records are safe from the end of the machine too. Does nothing the second time. Rejects with ERR_STORE_WRITE
   * where the disk fails.
   */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      await this.database.close();
      syncFile(join(this.folder, DATA));
      const { kind, durability } = this.options;
      writeMarker(this.folder, { kind, durability, inUseSinceBoot: null, wasRecovered: false });
    } catch (error) {
      throw this.writeError(error as Error);
    } finally {
      openFolders.delete(this.folder);
    }
  }

  /** ERR_STORE_WRITE: the disk is full, which LMDB may call an error of input and output, or fails. */
  writeError(cause: Error): StoreError {
    const what = `cannot be written (${cause.message}); make room on its disk, or name another folder`;
    return new StoreError('ERR_STORE_WRITE', this.folder, what, cause);
  }

  /** ERR_STORE_WRITE: `close` was called. */
  closedError(): StoreError {
    return new StoreError('ERR_STORE_WRITE', this.folder, 'cannot be written: it is closed');
  }

  /** Throws ERR_STORE_WRITE once `close` was called. */
  throwIfClosed(): void {
    if (this.isClosed) throw this.closedError();
  }
}
