// Clients whose WebSocket has a URL signed with an access key of AWS.
import { timingSafeEqual } from 'node:crypto';
import { Ajv } from 'ajv';
import type { ConnectRequest, Peer } from '../broker/access.js';
import { explainSchemaError } from '../core/schema-error.js';
import { type Authenticator, earliest, isForPeer, type Judgement, lifetimeOf, unwanted } from './authenticator.js';
import type { AccessKey, SignedUrlsConfig } from './config.js';
import { IdentityError } from './error.js';
import type { PolicyBook } from './policies.js';
import { PolicySet } from './policy/permissions.js';
import type { IdentityPorts } from './ports.js';
import { ACCESS_KEYS_SCHEMA } from './schema.js';
import { isSignedUrl, parseSignedUrl, type SignedQuery, signatureOf } from './sigv4.js';
import { WatchedFile } from './watched-file.js';

const KEY = 'identity.signedUrls';
const MS_PER_S = 1_000;
/** As AWS has it for connections with signed URLs: a day. */
const CONNECTION_MS_MAX = 86_400_000;
const EXPIRES_S_MAX = 86_400;
/** For a URL that does not say how long it is good, as the clients of AWS's first SDK make them. */
const EXPIRES_S_DEFAULT = 900;
const CLOCK_SKEW_S_DEFAULT = 300;
const NO_SECRET = 'a key that nobody has, which is compared all the same';

interface Key extends AccessKey {
  readonly set: PolicySet;
  readonly expiresMs: number;
}

const validate = new Ajv({ strict: false, verbose: true }).compile<readonly AccessKey[]>(ACCESS_KEYS_SCHEMA);

export class SignedUrls implements Authenticator {
  readonly kind = 'signed-url';
  private readonly file: WatchedFile<ReadonlyMap<string, Key>>;
  private readonly skewMs: number;

  /** Throws an IdentityError. */
  constructor(
    private readonly config: SignedUrlsConfig,
    book: PolicyBook,
    private readonly ports: IdentityPorts,
  ) {
    const all = book.resolve(config.policies, `${KEY}.policies`);
    this.skewMs = (config.clockSkewS ?? CLOCK_SKEW_S_DEFAULT) * MS_PER_S;
    this.file = new WatchedFile(ports, `${KEY}.keysFile`, config.keysFile, (content, place) => {
      const keys = parseKeys(content, place).map((key, index): Key => {
        const set = new PolicySet([...all, ...book.resolve(key.policies, `${place}: [${index}].policies`)]);
        return {
          ...key,
          set,
          expiresMs: key.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(key.expires),
        };
      });
      return new Map(keys.map((key) => [key.accessKeyId, key]));
    });
  }

  isFor(peer: Peer): boolean {
    return isForPeer(this.config.listeners, peer);
  }

  hasCredentials({ peer }: ConnectRequest): boolean {
    return isSignedUrl(peer.url);
  }

  judge({ peer, why: occasion }: ConnectRequest): Judgement {
    const signed = parseSignedUrl(peer.url!);
    if (signed === undefined) return unwanted('url-malformed');
    const principal = signed.accessKeyId;
    const key = this.file.value.get(principal);
    const host = peer.headers?.host;
    // First what takes the same time for every key.
    const isSigned = host !== undefined && isSignedFor(signed, host, key?.secretAccessKey ?? NO_SECRET);
    if (key === undefined || !isSigned) return unwanted('url-signature', { accessKeyId: principal.slice(0, 128) });
    const why = this.objection(signed, key, host) ?? (occasion === 'connect' ? this.untimely(signed) : undefined);
    if (why !== undefined) return unwanted(why, { accessKeyId: principal });
    const { disconnectAfterMs = CONNECTION_MS_MAX, refreshAfterMs } = lifetimeOf(this.config);
    return {
      isGranted: true,
      principal,
      policies: key.set,
      disconnectAfterMs: earliest(disconnectAfterMs, CONNECTION_MS_MAX, key.expiresMs - this.ports.epochMs()),
      refreshAfterMs,
    };
  }

  /** What is wrong with a URL that somebody has signed who may. */
  private objection(signed: SignedQuery, key: Key, host: string): string | undefined {
    const { hosts, region } = this.config;
    if (!isSame(signed.sessionToken ?? '', key.sessionToken ?? '')) return 'url-session-token';
    if (key.expiresMs <= this.ports.epochMs()) return 'url-key-expired';
    if (hosts?.some((name) => name.toLowerCase() === withoutPort(host).toLowerCase()) === false) return 'url-host';
    return region !== undefined && region !== signed.region ? 'url-region' : undefined;
  }

  /** The time of a URL is that in which a connection may begin: one that has begun is not held to it. */
  private untimely(signed: SignedQuery): string | undefined {
    const now = this.ports.epochMs();
    const lastsMs = (signed.expiresS ?? EXPIRES_S_DEFAULT) * MS_PER_S;
    if (lastsMs > EXPIRES_S_MAX * MS_PER_S) return 'url-lasts-too-long';
    if (signed.epochMs > now + this.skewMs) return 'url-not-yet';
    return signed.epochMs + lastsMs + this.skewMs < now ? 'url-expired' : undefined;
  }
}

/** Clients sign the name with the port or without it, whatever they send. */
function isSignedFor(signed: SignedQuery, host: string, secret: string): boolean {
  const matches = [host, withoutPort(host)].map((name) => isSame(signatureOf(signed, name, secret), signed.signature));
  return matches.some((isMatch) => isMatch);
}

const withoutPort = (host: string): string => host.replace(/:\d+$/, '');

/** How long it takes tells how long they are, and no more. */
function isSame(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

function parseKeys(content: Uint8Array, place: string): readonly AccessKey[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content).toString('utf8'));
  } catch {
    // The parser's own words would show a part of the file.
    throw new IdentityError('ERR_IDENTITY_FILE', place, 'not JSON');
  }
  if (validate(value)) return value;
  // A value that is wrong may be a secret all the same: the place has to do.
  const [error] = validate.errors!.slice(-1);
  const what = error!.instancePath.includes('secretAccessKey')
    ? `${error!.instancePath.slice(1)} is no secret of 16 to 1024 characters`
    : explainSchemaError(validate.errors!, 'the file');
  throw new IdentityError('ERR_IDENTITY_FILE', place, what);
}
