// Passwords as a file keeps them: scrypt with its costs and its salt, in the notation of PHC strings.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

export interface PasswordHash {
  /** Logarithm of the cost; memory is 128 * 2^ln * r octets. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

type Costs = Pick<PasswordHash, 'ln' | 'r' | 'p'>;

/** 32 MiB and some 0.1 s for one password: dear for who tries many, bearable for a fleet that comes back. */
const COSTS_DEFAULT: Costs = { ln: 15, r: 8, p: 1 };
const LN_MIN = 10;
const LN_MAX = 20;
const R_MAX = 32;
const P_MAX = 16;
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;
const SALT_BYTES = 16;
const SALT_BYTES_MIN = 8;
const HASH_BYTES = 32;
const BYTES_MAX = 64;

export async function hashPassword(password: Uint8Array, costs = COSTS_DEFAULT): Promise<PasswordHash> {
  const salt = randomBytes(SALT_BYTES);
  return { ...costs, salt, hash: await derive(password, salt, costs, HASH_BYTES) };
}

/** Takes as long for a wrong password as for the right one. */
export async function isPassword(password: Uint8Array, known: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, known.salt, known, known.hash.length), known.hash);
}

/** A hash that no password has, and that takes as long to compare as one with these costs. */
export function hashOfNobody({ ln, r, p }: Costs = COSTS_DEFAULT): PasswordHash {
  return { ln, r, p, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
}

function derive(password: Uint8Array, salt: Uint8Array, { ln, r, p }: Costs, bytes: number): Promise<Buffer> {
  const N = 2 ** ln;
  // Node refuses what takes more than this, and counts some blocks besides.
  const maxmem = 128 * r * (N + p + 2);
  return new Promise((resolve, reject) => {
    scrypt(password, salt, bytes, { N, r, p, maxmem }, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replaceAll('=', '');

export function formatHash({ ln, r, p, salt, hash }: PasswordHash): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

const HASH = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Undefined for what is none, or costs more or less than is sensible. */
export function parseHash(text: string): PasswordHash | undefined {
  const match = HASH.exec(text);
  if (match === null) return undefined;
  const [ln, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  const [salt, hash] = match.slice(4).map((bytes) => Buffer.from(bytes, 'base64')) as [Buffer, Buffer];
  const isSensible =
    ln >= LN_MIN &&
    ln <= LN_MAX &&
    r >= 1 &&
    r <= R_MAX &&
    p >= 1 &&
    p <= P_MAX &&
    128 * r * 2 ** ln <= MEMORY_BYTES_MAX;
  const areSensible = [salt, hash].every(({ length }) => length >= SALT_BYTES_MIN && length <= BYTES_MAX);
  return isSensible && areSensible && hash.length >= SALT_BYTES ? { ln, r, p, salt, hash } : undefined;
}
