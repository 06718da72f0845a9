// The header of an update: what a module is, for which devices, and who says so. It goes before the module, in the same
// ordered chunks. What is signed is everything before the signature, and the module's SHA-256 is part of it: so one
// signature covers both, and a manifest that holds the same fields holds the same signature.
import { UpdateError } from './error.js';

// All integers are little-endian; texts are UTF-8 and filled up with zeros.
//
//   0       4        5       6     8              14    16       40      64      68       100          164
//   ┌───────┬────────┬───────┬─────┬──────────────┬─────┬────────┬───────┬───────┬────────┬───────────┐
//   │ magic │ format │ flags │ abi │ version, 3×2 │  0  │ name   │ board │ bytes │ SHA-256│ signature │
//   └───────┴────────┴───────┴─────┴──────────────┴─────┴────────┴───────┴───────┴────────┴───────────┘
//    "thmu"    1                    major, minor,        of the   or "*"  of the module     Ed25519, over
//                                   patch             application                           all before it
export const HEADER_MAGIC = 0x756d6874;
export const HEADER_FORMAT = 1;
export const HEADER_BYTES = 164;
/** What the signature is over. */
export const SIGNED_BYTES = 100;
export const SIGNATURE_BYTES = 64;
export const NAME_BYTES_MAX = 24;
export const DIGEST_BYTES = 32;
/** The board of a header that any board may take. */
export const ANY_BOARD = '*';

export const FORMAT_AT = 4;
export const FLAGS_AT = 5;
export const ABI_AT = 6;
export const VERSION_AT = 8;
export const NAME_AT = 16;
export const BOARD_AT = 40;
export const BYTES_AT = 64;
export const DIGEST_AT = 68;

export const enum HeaderFlags {
  /** The version may be older than the one that runs, or the same. */
  Downgrade = 1,
  /** It may have been tried and rolled back before. */
  Again = 2,
}

const PART_MAX = 0xffff;
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Major, minor, patch: 0 to 65,535 each. */
export type Version = readonly [major: number, minor: number, patch: number];

/** What the signature vouches for. */
export interface UpdateInfo {
  /** The application: an update goes only where this runs. 1 to 24 octets. */
  readonly name: string;
  readonly version: Version;
  /** Version of the module's contract. */
  readonly abi: number;
  /** A board's name, or ANY_BOARD. 1 to 24 octets. */
  readonly board: string;
  /** Octets of the module. */
  readonly bytes: number;
  /** SHA-256 of the module. */
  readonly digest: Uint8Array;
  /** May go back to an older version. Default: false. */
  readonly downgrade?: boolean;
  /** May be tried where it was rolled back before. Default: false. */
  readonly again?: boolean;
}

/** "1.2.3" as numbers. Throws ERR_UPDATE_HEADER for anything else: there is no room for what follows a "-" or a "+". */
export function parseVersion(text: string): Version {
  const parts = VERSION.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > PART_MAX)) {
    throw new UpdateError('ERR_UPDATE_HEADER', `version "${text}": three numbers from 0 to ${PART_MAX}, such as 1.2.3`);
  }
  return [parts[0]!, parts[1]!, parts[2]!];
}

export function formatVersion(version: Version): string {
  return version.join('.');
}

/** Below 0 where `a` is the older one, 0 where they are the same. */
export function compareVersions(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** The SIGNED_BYTES octets that are to be signed. Throws ERR_UPDATE_HEADER. */
export function encodeSigned(info: UpdateInfo): Uint8Array {
  const octets = new Uint8Array(SIGNED_BYTES);
  const view = new DataView(octets.buffer);
  view.setUint32(0, HEADER_MAGIC, true);
  view.setUint8(FORMAT_AT, HEADER_FORMAT);
  const { downgrade, again } = info;
  view.setUint8(FLAGS_AT, (downgrade === true ? HeaderFlags.Downgrade : 0) | (again === true ? HeaderFlags.Again : 0));
  view.setUint16(ABI_AT, info.abi, true);
  for (const [i, part] of info.version.entries()) view.setUint16(VERSION_AT + 2 * i, part, true);
  octets.set(textOf('name', info.name), NAME_AT);
  octets.set(textOf('board', info.board), BOARD_AT);
  view.setUint32(BYTES_AT, info.bytes, true);
  if (info.digest.length !== DIGEST_BYTES) {
    throw new UpdateError('ERR_UPDATE_HEADER', `the digest has ${info.digest.length} octets, not ${DIGEST_BYTES}`);
  }
  octets.set(info.digest, DIGEST_AT);
  return octets;
}

/** Header and module, as they are cut into chunks. `signature`: Ed25519 over `encodeSigned`. */
export function encodeUpdate(signed: Uint8Array, signature: Uint8Array, module: Uint8Array): Uint8Array {
  if (signed.length !== SIGNED_BYTES || signature.length !== SIGNATURE_BYTES) {
    throw new UpdateError('ERR_UPDATE_HEADER', `an Ed25519 signature has ${SIGNATURE_BYTES} octets`);
  }
  const octets = new Uint8Array(HEADER_BYTES + module.length);
  octets.set(signed);
  octets.set(signature, SIGNED_BYTES);
  octets.set(module, HEADER_BYTES);
  return octets;
}

/**
 * What tells an update from every other: the first four octets of its signature. So a board can see for itself that chunks call
 * themselves by the right one, and nobody can pass one update off as another. 0 for octets that have no signature.
 */
export function idOf(update: Uint8Array): number {
  if (update.length < SIGNED_BYTES + 4) return 0;
  return new DataView(update.buffer, update.byteOffset, update.length).getUint32(SIGNED_BYTES, true);
}

/** Reads the signed part; undefined where it is no header of this format. */
export function decodeSigned(octets: Uint8Array): UpdateInfo | undefined {
  if (octets.length < SIGNED_BYTES) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  if (view.getUint32(0, true) !== HEADER_MAGIC || octets[FORMAT_AT] !== HEADER_FORMAT) return undefined;
  const part = (index: number): number => view.getUint16(VERSION_AT + 2 * index, true);
  return {
    name: readText(octets, NAME_AT),
    version: [part(0), part(1), part(2)],
    abi: view.getUint16(ABI_AT, true),
    board: readText(octets, BOARD_AT),
    bytes: view.getUint32(BYTES_AT, true),
    digest: octets.slice(DIGEST_AT, DIGEST_AT + DIGEST_BYTES),
    downgrade: (octets[FLAGS_AT]! & HeaderFlags.Downgrade) !== 0,
    again: (octets[FLAGS_AT]! & HeaderFlags.Again) !== 0,
  };
}

function textOf(what: string, text: string): Uint8Array {
  const octets = encoder.encode(text);
  if (octets.length > 0 && octets.length <= NAME_BYTES_MAX && !octets.includes(0)) return octets;
  throw new UpdateError('ERR_UPDATE_HEADER', `${what} "${text}": 1 to ${NAME_BYTES_MAX} octets`);
}

function readText(octets: Uint8Array, at: number): string {
  const field = octets.subarray(at, at + NAME_BYTES_MAX);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
}
