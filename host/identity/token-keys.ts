// The keys that tokens are checked with: a secret, the public keys of a file, or those of the web.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { TokensConfig } from './config.js';
import { IdentityError } from './error.js';
import { remoteKeys } from './jwks.js';
import type { IdentityPorts } from './ports.js';
import { PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS } from './schema.js';
import { WatchedFile } from './watched-file.js';

export interface TokenKeys {
  readonly algorithms: readonly string[];
  /** Of this moment. */
  current(): KeyObject | Uint8Array | JWTVerifyGetKey;
}

const ALGORITHMS_DEFAULT = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const SECRET_ALGORITHMS_DEFAULT = ['HS256'];
/** RFC 7518, 3.2: no shorter than what the hash gives. */
const SECRET_BYTES_MIN = 32;
const MS_PER_S = 1_000;
const CACHE_S_DEFAULT = 600;
const STALE_S_DEFAULT = 3_600;
const TIMEOUT_MS_DEFAULT = 5_000;

/** `place`: of the configuration. Throws an IdentityError. */
export function tokenKeys(config: TokensConfig, place: string, ports: IdentityPorts): TokenKeys {
  const sources = [config.keyFile, config.jwksUrl, config.secretFile].filter((source) => source !== undefined);
  if (sources.length !== 1) {
    throw new IdentityError('ERR_IDENTITY_CONFIG', place, 'allowed is exactly one of keyFile, jwksUrl and secretFile');
  }
  const algorithms = checkedAlgorithms(config, place);
  if (config.jwksUrl !== undefined) {
    const keys = remoteKeys(
      {
        key: `${place}.jwksUrl`,
        url: config.jwksUrl,
        cacheMs: (config.jwksCacheS ?? CACHE_S_DEFAULT) * MS_PER_S,
        staleMs: (config.jwksStaleS ?? STALE_S_DEFAULT) * MS_PER_S,
        timeoutMs: config.jwksTimeoutMs ?? TIMEOUT_MS_DEFAULT,
      },
      ports,
    );
    return { algorithms, current: () => keys };
  }
  const [name, path, parse] =
    config.keyFile !== undefined
      ? (['keyFile', config.keyFile, parsePublicKeys] as const)
      : (['secretFile', config.secretFile!, parseSecret] as const);
  const file = new WatchedFile<ReturnType<TokenKeys['current']>>(ports, `${place}.${name}`, path, parse);
  return { algorithms, current: () => file.value };
}

/** A public key is no secret: were it taken for one, everybody could sign (RFC 8725, 2.1). */
function checkedAlgorithms(config: TokensConfig, place: string): readonly string[] {
  const isSecret = config.secretFile !== undefined;
  const algorithms = config.algorithms ?? (isSecret ? SECRET_ALGORITHMS_DEFAULT : ALGORITHMS_DEFAULT);
  const allowed = isSecret ? SECRET_ALGORITHMS : PUBLIC_KEY_ALGORITHMS;
  const stray = algorithms.find((algorithm) => !allowed.includes(algorithm));
  if (stray === undefined) return algorithms;
  const what = `${stray} does not go with ${isSecret ? 'a secret' : 'a public key'}; allowed are ${allowed.join(', ')}`;
  throw new IdentityError('ERR_IDENTITY_CONFIG', `${place}.algorithms`, what);
}

function parseSecret(content: Uint8Array, place: string): Uint8Array {
  let end = content.length;
  while (end > 0 && (content[end - 1] === 0x0a || content[end - 1] === 0x0d)) end--;
  if (end >= SECRET_BYTES_MIN) return content.slice(0, end);
  throw new IdentityError(
    'ERR_IDENTITY_FILE',
    place,
    `a secret of ${end} octets; allowed are ${SECRET_BYTES_MIN} or more`,
  );
}

/** PEM, or JSON. */
function parsePublicKeys(content: Uint8Array, place: string): KeyObject | JWTVerifyGetKey {
  const text = Buffer.from(content).toString('utf8');
  try {
    if (text.includes('PRIVATE KEY')) throw new Error('it has a private key, which only the signer should have');
    return text.trimStart().startsWith('{') ? fromJson(JSON.parse(text)) : createPublicKey(text);
  } catch (error) {
    const what = `no public key in PEM, no JWK and no JWKS: ${(error as Error).message}`;
    throw new IdentityError('ERR_IDENTITY_FILE', place, what);
  }
}

function fromJson(value: { readonly keys?: unknown }): JWTVerifyGetKey {
  const set = (value.keys === undefined ? { keys: [value] } : value) as JSONWebKeySet;
  if (!Array.isArray(set.keys) || set.keys.length === 0) throw new Error('it has no keys');
  for (const key of set.keys) {
    if (key.d !== undefined) throw new Error('it has a private key, which only the signer should have');
    if (key.kty === 'oct') throw new Error('it has a secret; that belongs into secretFile');
    createPublicKey({ key: key as object as JsonWebKey, format: 'jwk' });
  }
  return createLocalJWKSet(set);
}
