// Clients with a JSON Web Token: who signed it, whether it is for us and of this hour, and what it allows.
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { ConnectRequest, Peer } from '../broker/access.js';
import {
  type Authenticator,
  earliest,
  type Granted,
  isForPeer,
  type Judgement,
  lifetimeOf,
  unavailable,
  wrong,
} from './authenticator.js';
import type { TokensConfig } from './config.js';
import { IdentityError } from './error.js';
import { KeysUnavailable } from './jwks.js';
import { type PolicyBook, parseForeignPolicies } from './policies.js';
import type { Policy } from './policy/document.js';
import { PolicySet } from './policy/permissions.js';
import { CLAIM, type Variables } from './policy/variables.js';
import type { IdentityPorts } from './ports.js';
import { LIFETIME_S_MAX, LIFETIME_S_MIN } from './schema.js';
import { type TokenKeys, tokenKeys } from './token-keys.js';
import { authorizerAskedFor, findToken, PLACES_DEFAULT, TOKEN_CHARS_MAX, TOKEN_KEY_DEFAULT } from './token-places.js';

const MS_PER_S = 1_000;
const PRINCIPAL_CLAIM_DEFAULT = 'sub';
const PRINCIPAL_CHARS_MAX = 256;

export class Tokens implements Authenticator {
  readonly kind = 'token';
  private readonly keys: TokenKeys;
  private readonly all: readonly Policy[];
  private readonly policies: PolicySet;
  private readonly toleranceS: number;

  /** `place`: of the configuration. Throws an IdentityError. */
  constructor(
    private readonly config: TokensConfig,
    place: string,
    book: PolicyBook,
    private readonly ports: IdentityPorts,
  ) {
    this.keys = tokenKeys(config, place, ports);
    this.all = book.resolve(config.policies, `${place}.policies`);
    this.policies = new PolicySet(this.all);
    this.toleranceS = config.clockToleranceS ?? 0;
  }

  isFor(peer: Peer): boolean {
    return isForPeer(this.config.listeners, peer);
  }

  hasCredentials(request: ConnectRequest): boolean {
    const name = authorizerAskedFor(request);
    return (name === undefined || name === this.config.name) && this.tokenOf(request) !== undefined;
  }

  async judge(request: ConnectRequest): Promise<Judgement> {
    const token = this.tokenOf(request)!;
    if (token.length > TOKEN_CHARS_MAX) return wrong('token-too-long', { chars: token.length });
    try {
      return this.grant(await this.verify(token));
    } catch (error) {
      return refusalFor(error);
    }
  }

  private tokenOf(request: ConnectRequest): string | undefined {
    return findToken(request, this.config.places ?? PLACES_DEFAULT, this.config.tokenKey ?? TOKEN_KEY_DEFAULT);
  }

  private async verify(token: string): Promise<JWTPayload> {
    const { issuers, audiences } = this.config;
    const options: JWTVerifyOptions = {
      algorithms: [...this.keys.algorithms],
      clockTolerance: this.toleranceS,
      currentDate: new Date(this.ports.epochMs()),
      requiredClaims: ['exp'],
      ...(issuers && { issuer: [...issuers] }),
      ...(audiences && { audience: [...audiences] }),
    };
    const key = this.keys.current();
    if (typeof key !== 'function') return (await jwtVerify(token, key, options)).payload;
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return await verifyWithAny(token, error, options);
    }
  }

  private grant(claims: JWTPayload): Judgement {
    const principal = claimOf(claims, this.config.principalClaim ?? PRINCIPAL_CLAIM_DEFAULT);
    if (typeof principal !== 'string' || !isPrincipal(principal)) return wrong('token-principal');
    const leftMs = (claims.exp! + this.toleranceS) * MS_PER_S - this.ports.epochMs();
    const general = lifetimeOf(this.config);
    return {
      isGranted: true,
      principal,
      policies: this.policiesOf(claims),
      variables: claimVariables(claims),
      disconnectAfterMs: earliest(
        this.lifetime(claims, this.config.disconnectAfterClaim) ?? general.disconnectAfterMs,
        leftMs,
      ),
      refreshAfterMs: this.lifetime(claims, this.config.refreshAfterClaim) ?? general.refreshAfterMs,
    } satisfies Granted;
  }

  private policiesOf(claims: JWTPayload): PolicySet {
    const { policyClaim } = this.config;
    if (policyClaim === undefined) return this.policies;
    const own = parseForeignPolicies(claimOf(claims, policyClaim), `the claim ${policyClaim}`);
    return own.length === 0 ? this.policies : new PolicySet([...this.all, ...own]);
  }

  /** What is less or more than AWS allows is taken for the least or most; what is no number, for nothing said. */
  private lifetime(claims: JWTPayload, name: string | undefined): number | undefined {
    const seconds = name === undefined ? undefined : claimOf(claims, name);
    if (typeof seconds !== 'number' || Number.isNaN(seconds)) return undefined;
    return Math.min(LIFETIME_S_MAX, Math.max(LIFETIME_S_MIN, Math.floor(seconds))) * MS_PER_S;
  }
}

/** A token that does not name its key, of a set in which several would do. */
async function verifyWithAny(
  token: string,
  keys: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

const isPrincipal = (text: string): boolean =>
  text.length > 0 && text.length <= PRINCIPAL_CHARS_MAX && !/\p{Cc}/u.test(text);

/** Claims come from a stranger: what objects have anyhow is none. */
function claimOf(claims: JWTPayload, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function claimVariables(claims: JWTPayload): Variables {
  return (name) => {
    if (!name.startsWith(CLAIM)) return undefined;
    const value = claimOf(claims, name.slice(CLAIM.length));
    return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
  };
}

/** By the codes of jose. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'token-expired',
  ERR_JOSE_ALG_NOT_ALLOWED: 'token-algorithm',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'token-signature',
  ERR_JWKS_NO_MATCHING_KEY: 'token-key',
  ERR_JWT_INVALID: 'token-malformed',
  ERR_JWS_INVALID: 'token-malformed',
  ERR_JOSE_NOT_SUPPORTED: 'token-algorithm',
};

function refusalFor(error: unknown): Judgement {
  if (error instanceof KeysUnavailable || error instanceof errors.JWKSInvalid) return unavailable('keys-unavailable');
  if (error instanceof IdentityError) return wrong('token-policies', { reason: error.message });
  if (error instanceof errors.JWTClaimValidationFailed) return wrong('token-claim', { claim: error.claim });
  // A key of another kind than the token's algorithm needs.
  if (error instanceof TypeError) return wrong('token-algorithm');
  return wrong((error instanceof errors.JOSEError && REASONS[error.code]) || 'token-malformed');
}
