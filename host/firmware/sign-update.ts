// An update as it is published: a module behind the header that says what it is, signed.
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { ABI_VERSION } from '../../assembly/protocol/index.js';
import { ANY_BOARD, encodeSigned, encodeUpdate, parseVersion } from '../update/header.js';

export interface UpdateOptions {
  /** The application: only where this runs, the update is taken. */
  readonly name: string;
  /** Such as "1.2.3". */
  readonly version: string;
  /** Default: any. */
  readonly board?: string;
  /** May go back to an older version. Default: false. */
  readonly downgrade?: boolean;
  /** May be tried where it was rolled back before. Default: false. */
  readonly again?: boolean;
}

/** Header and module, as they are cut into chunks. `key`: private, Ed25519. Throws ERR_UPDATE_HEADER. */
export function signUpdate(module: Uint8Array, options: UpdateOptions, key: KeyObject): Uint8Array {
  const signed = encodeSigned({
    ...options,
    board: options.board ?? ANY_BOARD,
    version: parseVersion(options.version),
    abi: ABI_VERSION,
    bytes: module.length,
    digest: createHash('sha256').update(module).digest(),
  });
  return encodeUpdate(signed, sign(null, signed, key), module);
}

/** What a board does with a signature. `key`: public, or the private one that holds it. */
export function verifierOf(key: KeyObject): (signed: Uint8Array, signature: Uint8Array) => boolean {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return (signed, signature) => verify(null, signed, publicKey, signature);
}

/** What stands before the 32 octets of an Ed25519 key in PKCS #8 (RFC 8410, 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key that everybody can have: for devices that are simulated, and no others. */
export function simulationKey(): KeyObject {
  const seed = createHash('sha256').update('thimble sim').digest();
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}
