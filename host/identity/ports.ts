// What authenticators need of the world, and what a program that embeds the broker may add of its own.
import type { Accepted, ConnectRequest } from '../broker/access.js';
import type { Millis } from '../ports.js';
import type { PolicyReference } from './config.js';
import type { PolicyDocument } from './policy/document.js';

/** Of the web: as much of `fetch` as a JWKS needs. */
export type Fetch = (url: string, options: FetchOptions) => Promise<Response>;

export interface FetchOptions {
  readonly method: 'GET';
  readonly headers: Headers;
  /** A redirection would lead to a place that nobody has configured. */
  readonly redirect: 'manual';
  readonly signal: AbortSignal;
}

export interface IdentityPorts {
  /** All of a file. Throws where it cannot be read. */
  readFile(path: string): Uint8Array;
  /** Asked at most once a second for each file. Throws as `readFile`. Absent: files are read once. */
  fileVersion?(path: string): string;
  /** The wall clock: ms since 1970. */
  epochMs(): number;
  /** The broker's clock, for its answers. */
  clock(): Millis;
  /** Each client that is refused, and what else an auditor wants to know. Never has secrets in it. */
  audit?(event: AuditEvent, fields: Readonly<Record<string, unknown>>): void;
  /** Default: the `fetch` of the process. */
  readonly fetch?: Fetch;
  /** Judges clients that come with a token or a user name, as a custom authorizer of AWS does; after `tokens` and `signedUrls`, before `passwords`. */
  readonly authorizer?: Authorizer;
  /** Enhanced authentication of MQTT 5.0, by the name of the method. */
  readonly methods?: Readonly<Record<string, EnhancedMethod>>;
  /** Asked for each client that may come in, before it does; goes before `redirect` of the configuration. */
  redirect?(request: ConnectRequest): Redirection | undefined;
}

export type AuditEvent =
  /** `why` has the reason in words that stay. */
  | 'connect-refused'
  /** A file that has changed is none any more: what it held before still holds. */
  | 'identity-file-refused'
  /** A JWKS could not be fetched. `isStale`: its last answer is used instead. */
  | 'jwks-unavailable';

export interface Redirection {
  readonly serverReference: string;
  /** True: Server moved; false: Use another server. */
  readonly permanent: boolean;
}

/** What a custom authorizer is told, in the form that AWS has for it. */
export interface AuthorizerRequest {
  /** Where there is one under the key `token`: in the user name, in the query or among the headers. */
  readonly token?: string;
  readonly protocols: readonly ('tls' | 'http' | 'mqtt')[];
  readonly protocolData: {
    readonly tls?: { readonly serverName: string };
    /** Of a WebSocket. */
    readonly http?: { readonly headers: Readonly<Record<string, string>>; readonly queryString: string };
    readonly mqtt: {
      readonly username?: string;
      /** Base64. */
      readonly password?: string;
      readonly clientId: string;
    };
  };
  /** As of ConnectRequest. */
  readonly why: ConnectRequest['why'];
}

/** In the form that AWS has for it. What is not as described here counts as a refusal. */
export interface AuthorizerAnswer {
  readonly isAuthenticated: boolean;
  /** 1 to 128 letters and digits. Needed where it is authenticated. */
  readonly principalId?: string;
  /** At most 10, each of at most 2,048 characters as JSON. Default: none, so that everything is denied. */
  readonly policyDocuments?: readonly (string | PolicyDocument)[];
  /** 300 to 86,400. Default: never. */
  readonly disconnectAfterInSeconds?: number;
  /** 300 to 86,400. Default: never. */
  readonly refreshAfterInSeconds?: number;
}

export type Authorizer = (request: AuthorizerRequest) => Promise<AuthorizerAnswer>;

/** One method of enhanced authentication (MQTT 5.0, 4.12). */
export interface EnhancedMethod {
  /** `data`: of CONNECT, or of AUTH where the client authenticates itself anew. */
  start(data: Uint8Array | undefined, request: ConnectRequest): EnhancedStep | Promise<EnhancedStep>;
}

export type EnhancedStep =
  /** AUTH with `data`, and `next` with what the client answers. */
  | {
      readonly outcome: 'continue';
      readonly data?: Uint8Array;
      next(data: Uint8Array | undefined): EnhancedStep | Promise<EnhancedStep>;
    }
  | (Pick<Accepted, 'disconnectAfterMs' | 'refreshAfterMs'> & {
      readonly outcome: 'accepted';
      readonly principal: string;
      /** Documents, or names of the configuration's. */
      readonly policies: readonly PolicyReference[];
      /** The server's last word. */
      readonly data?: Uint8Array;
    })
  | { readonly outcome: 'refused' };
