// Records in a folder, with LMDB.
//
// Each put is a transaction of its own, handed to the operating system and not waited for on the disk: what was put is safe
// from the end of the process, at some microseconds each.
import type { Log, Store } from '../ports.js';
import { type FolderDatabase, openFolderDatabase } from './folder-database.js';
import { databaseKeyOf, encodeRecord } from './record.js';

export interface DiskStoreOptions {
  /** Told `store-recovered` or `store-lost` where the machine had stopped while the store was in use. */
  readonly log?: Log;
}

/**
 * Opens the store in a folder, which is made where there is none. Rejects with StoreError: `ERR_STORE_FOLDER`,
 * `ERR_STORE_FOREIGN`, `ERR_STORE_VERSION`, `ERR_STORE_DAMAGED`, `ERR_STORE_IN_USE`.
 */
export async function openDiskStore(folder: string, options: DiskStoreOptions = {}): Promise<DiskStore> {
  const log = options.log ?? (() => {});
  return new DiskStore(await openFolderDatabase(folder, { kind: 'store', durability: 'process', log }));
}

export class DiskStore implements Store {
  /** Use `openDiskStore`. */
  constructor(private readonly folder: FolderDatabase) {}

  /** As they are at the moment of the call. Throws ERR_STORE_DAMAGED. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.folder.records();
  }

  /** Throws ERR_STORE_WRITE: the disk is full or fails, or the store is closed. */
  put(key: string, value: Uint8Array): void {
    this.folder.throwIfClosed();
    const { databaseKey, databaseValue } = encodeRecord(key, value);
    this.write(() => this.folder.database.putSync(databaseKey, databaseValue));
  }

  /** Throws ERR_STORE_WRITE. */
  delete(key: string): void {
    this.folder.throwIfClosed();
    this.write(() => this.folder.database.removeSync(databaseKeyOf(key)));
  }

  /** After it the records are safe from the end of the machine too. Does nothing the second time. */
  close(): Promise<void> {
    return this.folder.close();
  }

  private write(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.folder.writeError(error as Error);
    }
  }
}
