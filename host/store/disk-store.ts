// Records in a folder, with LMDB.
//
// Each put is a transaction of its own, handed to the operating system and not waited for on the disk: what was put is safe
// from the end of the process, at some microseconds each. Where the machine itself stopped while the store was in
// use, the disk may hold half of what was written: the records that are whole are then moved to a new database.
import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import type { Log, Store } from '../ports.js';
import { StoreError } from './error.js';
import { makeFolder } from './folder.js';
import { bootId, readMarker, writeMarker } from './marker.js';
import { probe } from './probe.js';
import { databaseKeyOf, decodeRecord, encodeRecord } from './record.js';

type Database = RootDatabase<Buffer, Uint8Array>;

export interface DiskStoreOptions {
  /** Told `store-recovered` or `store-lost` where the machine had stopped while the store was in use. */
  readonly log?: Log;
}

const DATA = 'data.mdb';
/** What the machine's stop left of a database that cannot be read any more. */
const SET_ASIDE = 'data.mdb.unreadable';

/** Folders that this process has open: LMDB's own register is by process. */
const openFolders = new Set<string>();

/**
 * Opens the store in a folder, which is made where there is none. Rejects with StoreError: `ERR_STORE_FOLDER`,
 * `ERR_STORE_FOREIGN`, `ERR_STORE_VERSION`, `ERR_STORE_DAMAGED`, `ERR_STORE_IN_USE`.
 */
export async function openDiskStore(folder: string, options: DiskStoreOptions = {}): Promise<DiskStore> {
  try {
    makeFolder(folder);
    return await openAlone(realpathSync(folder), options.log ?? (() => {}));
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const what = `cannot hold a store (${(error as Error).message}); name a folder that can be written`;
    throw new StoreError('ERR_STORE_FOLDER', folder, what, error);
  }
}

async function openAlone(folder: string, log: Log): Promise<DiskStore> {
  if (openFolders.has(folder)) throw inUse(folder, process.pid);
  openFolders.add(folder);
  try {
    return new DiskStore(folder, await openSound(folder, log));
  } catch (error) {
    openFolders.delete(folder);
    throw error;
  }
}

async function openSound(folder: string, log: Log): Promise<Database> {
  const marker = readMarker(folder);
  const boot = bootId();
  const wasCut = typeof marker?.inUseSinceBoot === 'string' && marker.inUseSinceBoot !== boot;
  const finding = existsSync(join(folder, DATA)) ? await probe(folder) : 'sound';
  if (typeof finding === 'object') throw inUse(folder, finding.inUse);
  if (finding === 'damaged') {
    if (!wasCut) throw damaged(folder);
    renameSync(join(folder, DATA), join(folder, SET_ASIDE));
    log('warn', 'store-lost', { folder, kept: SET_ASIDE });
  }
  const database = openDatabase(folder);
  try {
    // From here on this process is in LMDB's register, and whoever looks later gives way.
    const other = otherUser(database);
    if (other !== undefined) throw inUse(folder, other);
    const records = readAll(database);
    const isRecovering = wasCut && finding === 'sound';
    if (!isRecovering && records.damaged > 0) throw damaged(folder);
    writeMarker(folder, boot);
    if (!isRecovering) return database;
    log('warn', 'store-recovered', { folder, records: records.whole.length, damaged: records.damaged });
    return await rebuild(folder, database, records.whole);
  } catch (error) {
    await database.close();
    throw error;
  }
}

function openDatabase(folder: string): Database {
  return open<Buffer, Uint8Array>({
    path: folder,
    noSubdir: false, // whatever the folder's name looks like
    noSync: true,
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
  readonly whole: readonly (readonly [key: string, value: Uint8Array])[];
  readonly damaged: number;
}

function readAll(database: Database): Records {
  const all = [...database.getRange({})].map(({ value }) => decodeRecord(value));
  const whole = all.filter((record) => record !== undefined);
  return { whole, damaged: all.length - whole.length };
}

/** A new database with these records; the old one's inner order is not to be trusted. */
async function rebuild(folder: string, old: Database, records: Records['whole']): Promise<Database> {
  await old.close();
  rmSync(join(folder, DATA));
  const database = openDatabase(folder);
  database.transactionSync(() => {
    for (const record of records) putInto(database, ...record);
  });
  return database;
}

function putInto(database: Database, key: string, value: Uint8Array): void {
  const { databaseKey, databaseValue } = encodeRecord(key, value);
  database.putSync(databaseKey, databaseValue);
}

const inUse = (folder: string, pid: number): StoreError =>
  new StoreError('ERR_STORE_IN_USE', folder, `in use by process ${pid}; end that first, or name another folder`);

const damaged = (folder: string): StoreError =>
  new StoreError(
    'ERR_STORE_DAMAGED',
    folder,
    'what it holds is damaged; restore a copy, or remove the folder to begin anew',
  );

export class DiskStore implements Store {
  private isClosed = false;

  /** Use `openDiskStore`. */
  constructor(
    private readonly folder: string,
    private readonly database: Database,
  ) {}

  /** As they are at the moment of the call. Throws ERR_STORE_DAMAGED. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    const { whole, damaged: count } = readAll(this.database);
    if (count > 0) throw damaged(this.folder);
    return whole;
  }

  /** Throws ERR_STORE_WRITE: the disk is full or fails, or the store is closed. */
  put(key: string, value: Uint8Array): void {
    this.write(() => putInto(this.database, key, value));
  }

  /** Throws ERR_STORE_WRITE. */
  delete(key: string): void {
    this.write(() => this.database.removeSync(databaseKeyOf(key)));
  }

  /** After it the records are safe from the end of the machine too. Does nothing the second time. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.database.close();
    const fd = openSync(join(this.folder, DATA), 'r');
    fsyncSync(fd);
    closeSync(fd);
    writeMarker(this.folder, null);
    openFolders.delete(this.folder);
  }

  private write(action: () => void): void {
    try {
      if (this.isClosed) throw new Error('it is closed');
      action();
    } catch (error) {
      throw new StoreError('ERR_STORE_WRITE', this.folder, `cannot be written: ${(error as Error).message}`, error);
    }
  }
}
