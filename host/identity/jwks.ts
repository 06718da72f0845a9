// A JSON Web Key Set of the web: fetched when it is needed, not too often, not too much of it, and for a while remembered where its server
// does not answer.
import { createRemoteJWKSet, customFetch } from 'jose';
import { IdentityError } from './error.js';
import type { Fetch, IdentityPorts } from './ports.js';

export interface JwksOptions {
  /** Where the configuration names it. */
  readonly key: string;
  readonly url: string;
  readonly cacheMs: number;
  readonly staleMs: number;
  readonly timeoutMs: number;
}

export type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** Without keys nobody can judge a token. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Some hundred keys. */
const BYTES_MAX = 256 * 1024;
/** Tokens with keys that nobody knows make it fetch no more often. */
const COOLDOWN_MS = 30_000;
/** Nor does a server that has just failed hear of each token that comes. */
const RETRY_MS = 1_000;
const HTTP_OK = 200;

/** Throws ERR_IDENTITY_CONFIG. */
export function remoteKeys(options: JwksOptions, ports: IdentityPorts): KeySet {
  return createRemoteJWKSet(checkedUrl(options), {
    cacheMaxAge: options.cacheMs,
    cooldownDuration: COOLDOWN_MS,
    timeoutDuration: options.timeoutMs,
    [customFetch]: remembering(options, ports),
  });
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whoever can change what is fetched can make himself whom he likes. */
function checkedUrl({ key, url }: JwksOptions): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isSafe = parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && LOOPBACK.has(parsed.hostname));
  if (parsed !== undefined && isSafe && parsed.username === '' && parsed.password === '') return parsed;
  throw new IdentityError(
    'ERR_IDENTITY_CONFIG',
    key,
    `"${url}" is no place for keys; allowed is https://…, or http:// on this machine, without a user name`,
  );
}

/** The last answer stands in for one that does not come. */
function remembering(options: JwksOptions, ports: IdentityPorts): Fetch {
  const fetch = ports.fetch ?? (globalThis.fetch as Fetch);
  let last: { readonly text: string; readonly atMs: number } | undefined;
  let failed: { readonly error: KeysUnavailable; readonly atMs: number } | undefined;
  return async (url, request) => {
    if (failed !== undefined && Math.abs(ports.epochMs() - failed.atMs) < RETRY_MS) throw failed.error;
    failed = undefined;
    try {
      const response = await fetch(url, request);
      if (response.status !== HTTP_OK) throw new Error(`HTTP status ${response.status}`);
      const text = await readBounded(response);
      if (!Array.isArray((JSON.parse(text) as { readonly keys?: unknown } | null)?.keys))
        throw new Error('no set of keys');
      last = { text, atMs: ports.epochMs() };
    } catch (error) {
      const isStale = last !== undefined && ports.epochMs() - last.atMs <= options.staleMs;
      ports.audit?.('jwks-unavailable', { key: options.key, reason: (error as Error).message, isStale });
      if (!isStale) {
        failed = { error: new KeysUnavailable(options.url, { cause: error }), atMs: ports.epochMs() };
        throw failed.error;
      }
    }
    return new Response(last!.text, { status: HTTP_OK });
  };
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > BYTES_MAX) throw new Error(`longer than ${BYTES_MAX} octets`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}
