// The JSON schema of IdentityConfig, to stand under `identity` in a configuration.
import { POLICY_SCHEMA } from './policy/document.js';

const whole = (minimum: number, maximum: number): object => ({ type: 'integer', minimum, maximum });
const TEXT = { type: 'string', minLength: 1, maxLength: 1_024 };
const TEXTS = { type: 'array', minItems: 1, items: TEXT };

/** As AWS allows them of custom authorizers. */
export const LIFETIME_S_MIN = 300;
export const LIFETIME_S_MAX = 86_400;
const LIFETIME_S = whole(LIFETIME_S_MIN, LIFETIME_S_MAX);

const FINGERPRINT = '^([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$';
const FINGERPRINT_IN_WORDS = 'the SHA-256 of a certificate: 64 hexadecimal digits, colons allowed';

const REFERENCE = { if: { type: 'string' }, else: POLICY_SCHEMA };
const REFERENCES = { type: 'array', items: REFERENCE };

const SHARED = { policies: REFERENCES, refreshAfterS: LIFETIME_S, disconnectAfterS: LIFETIME_S };

const wayIn = (properties: object = {}, required: readonly string[] = []): object => ({
  type: 'object',
  properties: { listeners: TEXTS, ...SHARED, ...properties },
  required,
  additionalProperties: false,
});

const FINGERPRINTS = {
  type: 'array',
  items: { type: 'string', pattern: FINGERPRINT, description: FINGERPRINT_IN_WORDS },
};

const CERTIFICATES = wayIn({
  allow: FINGERPRINTS,
  deny: FINGERPRINTS,
  denyFile: TEXT,
  byFingerprint: {
    type: 'object',
    propertyNames: { pattern: FINGERPRINT },
    description: FINGERPRINT_IN_WORDS,
    additionalProperties: REFERENCES,
  },
});

/** Signed with a private key: whoever can check them cannot make them. */
export const PUBLIC_KEY_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];

const TOKENS = wayIn({
  name: { type: 'string', pattern: '^[\\w=,@-]{1,128}$', description: 'a name of 1 to 128 letters, digits and _=,@-' },
  keyFile: TEXT,
  jwksUrl: TEXT,
  secretFile: TEXT,
  algorithms: { type: 'array', minItems: 1, items: { enum: [...PUBLIC_KEY_ALGORITHMS, ...SECRET_ALGORITHMS] } },
  issuers: TEXTS,
  audiences: TEXTS,
  clockToleranceS: whole(0, 300),
  places: {
    type: 'array',
    minItems: 1,
    items: { enum: ['username', 'username-query', 'password', 'query', 'header'] },
  },
  tokenKey: { type: 'string', pattern: '^[\\w-]{1,128}$', description: 'a name of 1 to 128 letters, digits, _ and -' },
  principalClaim: TEXT,
  policyClaim: TEXT,
  refreshAfterClaim: TEXT,
  disconnectAfterClaim: TEXT,
  jwksCacheS: whole(10, 86_400),
  jwksStaleS: whole(0, 604_800),
  jwksTimeoutMs: whole(100, 60_000),
});

const SIGNED_URLS = wayIn({ keysFile: TEXT, hosts: TEXTS, region: TEXT, clockSkewS: whole(0, 900) }, ['keysFile']);

const PASSWORDS = wayIn({ file: TEXT, users: { type: 'object', additionalProperties: REFERENCES } }, ['file']);

/** Of the file of `signedUrls.keysFile`. */
export const ACCESS_KEYS_SCHEMA = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      accessKeyId: { type: 'string', pattern: '^\\w{1,128}$', description: 'a text of 1 to 128 letters and digits' },
      secretAccessKey: { type: 'string', minLength: 16, maxLength: 1_024 },
      sessionToken: { type: 'string', minLength: 1, maxLength: 16_384 },
      expires: {
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$',
        description: 'a moment such as 2030-01-31T12:00:00Z',
      },
      policies: REFERENCES,
    },
    required: ['accessKeyId', 'secretAccessKey'],
    additionalProperties: false,
  },
};

export const IDENTITY_SCHEMA = {
  type: 'object',
  properties: {
    policies: { type: 'object', additionalProperties: POLICY_SCHEMA },
    certificates: CERTIFICATES,
    tokens: { type: 'array', minItems: 1, items: TOKENS },
    signedUrls: SIGNED_URLS,
    passwords: PASSWORDS,
    anonymous: wayIn(),
    local: { type: 'object', properties: SHARED, additionalProperties: false },
    redirect: {
      type: 'object',
      properties: { to: TEXT, permanent: { type: 'boolean' } },
      required: ['to'],
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};
