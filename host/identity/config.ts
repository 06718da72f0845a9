// How clients are told apart, and what each kind of them may do: what stands under `identity` in the configuration. As soon as one
// way in is configured, nobody comes in by another, and nobody does what no policy allows.
import type { PolicyDocument } from './policy/document.js';

/** A document, or the name of one in `policies`. */
export type PolicyReference = string | PolicyDocument;

/** What all ways in have in common. */
export interface WayIn {
  /** Listeners (by name) and transports (`tcp`, `tls`, `ws`, `wss`) that it is for. Default: all of the network. */
  readonly listeners?: readonly string[];
  /** What everybody may do who comes in by it. Default: nothing. */
  readonly policies?: readonly PolicyReference[];
  /** The client is judged anew after so long, s, 300 to 86,400; refused, it is disconnected. Default: never. */
  readonly refreshAfterS?: number;
  /** The connection is closed after so long, s, 300 to 86,400. Default: never. */
  readonly disconnectAfterS?: number;
}

/** X.509: the client has proved to own a certificate that an authority of the listener's has signed. Principal: its SHA-256. */
export interface CertificatesConfig extends WayIn {
  /** Only these come in: SHA-256 of the certificate in hex, colons allowed. Default: all. */
  readonly allow?: readonly string[];
  /** These do not come in: as `allow`, and goes before it. Default: none. */
  readonly deny?: readonly string[];
  /** A file with one such fingerprint a line, added to `deny`; read again when it changes. */
  readonly denyFile?: string;
  /** Policies of single certificates, besides `policies`, by fingerprint. */
  readonly byFingerprint?: Readonly<Record<string, readonly PolicyReference[]>>;
}

export type TokenPlace = 'username' | 'username-query' | 'password' | 'query' | 'header';

/** JSON Web Tokens, signed by somebody whom the broker trusts. */
export interface TokensConfig extends WayIn {
  /** What clients may ask for as `x-amz-customauthorizer-name`. Default: none, and it judges tokens of those that ask for none. */
  readonly name?: string;
  /** PEM of a public key or certificate, or a JWK or JWKS; read again when it changes. One of the three is needed. */
  readonly keyFile?: string;
  /** Where a JWKS is fetched from: https, or http from this machine. */
  readonly jwksUrl?: string;
  /** A secret of 32 octets or more that the signer has too: only for HS256, HS384, HS512. */
  readonly secretFile?: string;
  /** Default: RS256, PS256, ES256, EdDSA; of a secret HS256. */
  readonly algorithms?: readonly string[];
  /** `iss` must be one of these. Default: whoever. */
  readonly issuers?: readonly string[];
  /** `aud` must have one of these. Default: whoever it is for. */
  readonly audiences?: readonly string[];
  /** How far the clocks may be apart, s, 0 to 300. Default: 0. */
  readonly clockToleranceS?: number;
  /** Where the token may be. Default: all but `username`. */
  readonly places?: readonly TokenPlace[];
  /** Its key in the user name, in the query and among the headers. Default: `token`. */
  readonly tokenKey?: string;
  /** The claim that says who it is. Default: `sub`. */
  readonly principalClaim?: string;
  /** A claim with policy documents, at most 10 of 2,048 characters, besides `policies`. Default: none. */
  readonly policyClaim?: string;
  /** Claims with seconds that go before `refreshAfterS` and `disconnectAfterS`. Default: none. */
  readonly refreshAfterClaim?: string;
  readonly disconnectAfterClaim?: string;
  /** JWKS: how long one is taken to be right, s, 10 to 86,400. Default: 600. */
  readonly jwksCacheS?: number;
  /** JWKS: how long the last one is used where its server does not answer, s, 0 to 604,800. Default: 3,600. */
  readonly jwksStaleS?: number;
  /** JWKS: how long to wait for it, ms, 100 to 60,000. Default: 5,000. */
  readonly jwksTimeoutMs?: number;
}

/** WebSocket URLs signed with an access key of AWS (Signature Version 4). */
export interface SignedUrlsConfig extends WayIn {
  /** JSON: a list of AccessKey. Read again when it changes. */
  readonly keysFile: string;
  /** Names that URLs may be signed for. Default: whichever the client has asked for. */
  readonly hosts?: readonly string[];
  /** The region that URLs must be signed for. Default: any. */
  readonly region?: string;
  /** How far the clocks may be apart, s, 0 to 900. Default: 300. */
  readonly clockSkewS?: number;
}

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Temporary credentials: what `X-Amz-Security-Token` must be. */
  readonly sessionToken?: string;
  /** RFC 3339. Default: never. */
  readonly expires?: string;
  /** Besides those of all. */
  readonly policies?: readonly PolicyReference[];
}

/** User names and passwords. Principal: the user name. */
export interface PasswordsConfig extends WayIn {
  /** As `thimble password` writes it; read again when it changes. */
  readonly file: string;
  /** Policies of single users, besides `policies`. */
  readonly users?: Readonly<Record<string, readonly PolicyReference[]>>;
}

export interface RedirectConfig {
  /** Where clients are sent that may come in: the Server Reference of MQTT 5.0, such as `broker2.example:8883`. */
  readonly to: string;
  /** True: for good (Server moved); false: for now (Use another server). Default: false. */
  readonly permanent?: boolean;
}

/** Ways in are tried in this order; the first that finds credentials of its kind decides. */
export interface IdentityConfig {
  /** Documents by name. */
  readonly policies?: Readonly<Record<string, PolicyDocument>>;
  readonly certificates?: CertificatesConfig;
  readonly tokens?: readonly TokensConfig[];
  readonly signedUrls?: SignedUrlsConfig;
  readonly passwords?: PasswordsConfig;
  /** Clients without any credentials. */
  readonly anonymous?: WayIn;
  /** Clients of the same process, such as the devices of the MQTT-SN gateway. */
  readonly local?: Omit<WayIn, 'listeners'>;
  readonly redirect?: RedirectConfig;
}
