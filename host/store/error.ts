// Why a folder cannot be, or stay, the place of a store.

export type StoreErrorCode =
  /** It cannot be made, read or written. */
  | 'ERR_STORE_FOLDER'
  /** It holds something else. */
  | 'ERR_STORE_FOREIGN'
  /** It was written by a version of Thimble with another format. */
  | 'ERR_STORE_VERSION'
  /** What it holds is not what was written. */
  | 'ERR_STORE_DAMAGED'
  /** A living process has it. */
  | 'ERR_STORE_IN_USE'
  /** A record could not be written: the disk is full, or the store is closed. */
  | 'ERR_STORE_WRITE';

/** `folder` begins the message, which says what is wrong and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    readonly code: StoreErrorCode,
    folder: string,
    what: string,
    cause?: unknown,
  ) {
    super(`${folder}: ${what}`, { cause });
  }
}
