// What can go wrong with an update on the host's side, before any device has seen it.

export type UpdateErrorCode =
  /** A version, name or board that the header of an update cannot hold. */
  | 'ERR_UPDATE_HEADER'
  /** Chunks of a size, or more of them, than there can be. */
  | 'ERR_UPDATE_CHUNK';

export class UpdateError extends Error {
  override readonly name = 'UpdateError';

  constructor(
    readonly code: UpdateErrorCode,
    message: string,
  ) {
    super(message);
  }
}
