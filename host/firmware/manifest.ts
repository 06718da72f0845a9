// What goes with a module: its name and version, for which board and contract it is, how much it takes, its SHA-256 and,
// with a key, the signature that an update of it carries, too (host/update/header.ts): one signed form for both.
import { createHash, createPrivateKey, type KeyObject, sign, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ANY_BOARD, encodeSigned, parseVersion, type UpdateInfo } from '../update/header.js';
import { FirmwareError } from './error.js';

/** docs/manifest.schema.json says what each key means. */
export interface Manifest {
  readonly format: 1;
  readonly name: string;
  readonly version: string;
  /** Null where the module keeps no contract. */
  readonly abi: number | null;
  readonly board: string;
  readonly sizes: ManifestSizes;
  readonly sha256: string;
  readonly signature?: ManifestSignature;
}

export interface ManifestSizes {
  readonly wasmBytes: number;
  readonly stateBytes: number;
  readonly linearBytes: number;
  readonly operandStackBytes: number;
}

export interface ManifestSignature {
  readonly algorithm: 'Ed25519';
  /** The octets that are signed, and the signature, in base64. */
  readonly signed: string;
  readonly value: string;
}

export interface ManifestInfo {
  readonly name: string;
  readonly version: string;
  readonly abi: number | null;
  /** Undefined: any. */
  readonly board: string | undefined;
  readonly sizes: ManifestSizes;
  readonly key?: KeyObject;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Throws ERR_UPDATE_HEADER where a name is too long to be signed. */
export function makeManifest(module: Uint8Array, { key, board, ...info }: ManifestInfo): Manifest {
  const manifest = { format: 1, ...info, board: board ?? ANY_BOARD, sha256: sha256(module) } as const;
  return key === undefined ? manifest : { ...manifest, signature: signatureOf(manifest, key) };
}

function signatureOf(manifest: Manifest, key: KeyObject): ManifestSignature {
  const signed = encodeSigned(infoOf(manifest));
  return {
    algorithm: 'Ed25519',
    signed: Buffer.from(signed).toString('base64'),
    value: sign(null, signed, key).toString('base64'),
  };
}

/** What the signature vouches for. */
function infoOf(manifest: Manifest): UpdateInfo {
  return {
    name: manifest.name,
    version: parseVersion(manifest.version),
    abi: manifest.abi ?? 0,
    board: manifest.board,
    bytes: manifest.sizes.wasmBytes,
    digest: Buffer.from(manifest.sha256, 'hex'),
  };
}

/** Whether the manifest is signed by the owner of `key`, which may be public, and speaks of this module. */
export function isSignedBy(manifest: Manifest, module: Uint8Array, key: KeyObject): boolean {
  if (manifest.signature === undefined || manifest.sha256 !== sha256(module)) return false;
  if (manifest.sizes.wasmBytes !== module.length) return false;
  const signed = encodeSigned(infoOf(manifest));
  if (Buffer.from(signed).toString('base64') !== manifest.signature.signed) return false;
  return verify(null, signed, key, Buffer.from(manifest.signature.value, 'base64'));
}

/** A private key in PEM, as `openssl genpkey -algorithm ed25519` makes it. Throws ERR_KEY. `file`: for the message. */
export function parseSigningKey(pem: Uint8Array, file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(Buffer.from(pem));
  } catch {
    throw new FirmwareError('ERR_KEY', `${file}: no private key in PEM; ${HOW_TO_MAKE_ONE}`);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new FirmwareError('ERR_KEY', `${file}: a key for ${key.asymmetricKeyType}, not Ed25519; ${HOW_TO_MAKE_ONE}`);
}

const HOW_TO_MAKE_ONE = 'make one by: openssl genpkey -algorithm ed25519 -out key.pem';
const NO_VERSION = '0.0.0';

/** The version in the nearest package.json at or above the folder of `file`, without what follows a - or +; 0.0.0 where there is none. */
export function versionFor(file: string): string {
  for (let folder = dirname(resolve(file)); ; folder = dirname(folder)) {
    const text = readPackage(join(folder, 'package.json'));
    if (text !== undefined) return /^\d+\.\d+\.\d+(?=$|[-+])/.exec(text)?.[0] ?? NO_VERSION;
    if (dirname(folder) === folder) return NO_VERSION;
  }
}

/** Its version; "" where it has none that is a text; undefined where there is no such file. */
function readPackage(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : '';
  } catch {
    return '';
  }
}
