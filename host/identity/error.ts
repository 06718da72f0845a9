// What of an identity's configuration cannot work, in words that stay.

export type IdentityErrorCode =
  /** The configuration contradicts itself, or names what is not there. */
  | 'ERR_IDENTITY_CONFIG'
  /** A file that the configuration names cannot be read, or holds something else. */
  | 'ERR_IDENTITY_FILE'
  /** A policy document that cannot be kept to. */
  | 'ERR_IDENTITY_POLICY';

/** `place` begins the message: the key of the configuration, or the file and what it is for. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';

  constructor(
    readonly code: IdentityErrorCode,
    place: string,
    what: string,
    options?: ErrorOptions,
  ) {
    super(`${place}: ${what}`, options);
  }
}
