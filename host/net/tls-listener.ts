// What a listener needs for TLS: a key, certificates, whose clients to believe; and who a client has proved to be.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { TlsListenError } from './listen-error.js';

export interface TlsSpec {
  /** Private key, PEM, without a passphrase. */
  readonly key: string;
  /** The listener's certificate, then those between it and its authority, PEM. */
  readonly cert: string;
  /** The authorities that sign clients' certificates, PEM. */
  readonly ca?: string;
  /**
   * Whether clients are asked for a certificate. One that comes must be right, also where it is `optional`. Default: `required`
   * where there is a `ca`, otherwise `no`. Not for the kind `alpn`, where the protocol says it.
   */
  readonly requestCert?: CertificateRequest;
  /** Default `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** OpenSSL's list of ciphers up to TLS 1.2. Default: Node's own. */
  readonly ciphers?: string;
  /**
   * Lists of certificates that have been revoked, PEM: one, still valid, of each authority on the way from a client's certificate
   * to the last, or none of its clients is let in.
   */
  readonly crl?: string;
}

export type CertificateRequest = 'no' | 'optional' | 'required';

/** The names of ALPN by which the kind `alpn` tells its clients apart, the first choice first. */
export const Alpn = {
  /** MQTT, with a client certificate. */
  Certificate: 'x-amzn-mqtt-ca',
  /** MQTT, with whatever the authenticator asks for. */
  Mqtt: 'mqtt',
  /** WebSocket; also where a client names nothing. */
  Http: 'http/1.1',
} as const;

/** Who a client is by TLS, or why it is sent away: a word of ours, or OpenSSL's name of the error. */
export type Proof = { readonly certificate: Uint8Array | undefined } | { readonly refused: string };

/**
 * A TLS server that is given its sockets, rather than listening itself, and leaves the limit of time to who gives them. It can be
 * put in another's place at any moment, which also ends the resumption of older sessions. Throws TlsListenError. `at`: the listener, for messages.
 */
export function tlsServer(at: string, spec: TlsSpec, protocols: readonly string[]): Server {
  const { key, cert, ca, ciphers, crl, minVersion = 'TLSv1.2' } = spec;
  checkOwn(at, spec);
  const authorities = ca === undefined ? undefined : authoritiesOf(at, ca);
  const revoked = crl === undefined ? undefined : listsOf(at, crl);
  if (crl !== undefined && ca === undefined) throw new TlsListenError(at, 'crl', 'it says nothing without a ca');
  const options: TlsOptions = {
    key,
    cert,
    minVersion,
    ...(authorities && { ca: authorities }),
    ...(revoked && { crl: revoked }),
    ...(ciphers !== undefined && { ciphers }),
    ...(protocols.length > 0 && { ALPNProtocols: [...protocols] }),
    // A client that fails is sent away by `proofOf`, which can say why.
    requestCert: requestOf(at, spec) !== 'no',
    rejectUnauthorized: false,
  };
  const parts: readonly [part: string, options: TlsOptions][] = [
    ['minVersion', { minVersion }],
    ['ciphers', { ...(ciphers !== undefined && { ciphers }) }],
    ['key and cert', options],
  ];
  for (const [part, some] of parts) attempt(at, part, () => createSecureContext(some));
  return createServer(options);
}

/** What clients are asked for. Throws TlsListenError where nobody could be believed. */
export function requestOf(at: string, { ca, requestCert }: TlsSpec): CertificateRequest {
  const request = requestCert ?? (ca === undefined ? 'no' : 'required');
  if (request !== 'no' && ca === undefined) {
    throw new TlsListenError(at, 'requestCert', `${request} needs a ca, which signs the clients' certificates`);
  }
  if (request === 'no' && ca !== undefined) {
    throw new TlsListenError(at, 'ca', 'it is for clients\' certificates, and requestCert says "no"');
  }
  return request;
}

/** To be asked after the handshake. `request`: what the client was asked for, or what its protocol asks of it. */
export function proofOf(socket: TLSSocket, request: CertificateRequest): Proof {
  const certificate = socket.getPeerX509Certificate();
  // Not `authorized`: a session that is resumed is that also without any certificate.
  if (certificate === undefined) {
    return request === 'required' ? { refused: 'no-certificate' } : { certificate: undefined };
  }
  if (!socket.authorized) return { refused: String(socket.authorizationError) };
  // A resumed session was verified when it began.
  if (Date.parse(certificate.validTo) < Date.now()) return { refused: 'CERT_HAS_EXPIRED' };
  return { certificate: Uint8Array.from(certificate.raw) };
}

function checkOwn(at: string, { key, cert }: TlsSpec): void {
  const own = attempt(at, 'cert', () => new X509Certificate(cert), 'no certificate in PEM');
  const privateKey = attempt(at, 'key', () => createPrivateKey(key), 'no private key in PEM without a passphrase');
  if (!own.checkPrivateKey(privateKey)) throw new TlsListenError(at, 'key', 'it is not the key of cert');
}

const CERTIFICATES = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END [A-Z0-9 ]*-----/g;
const LISTS = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g;

/** One by one: OpenSSL passes over what it cannot read, and nobody would be believed, or too few. */
function authoritiesOf(at: string, ca: string): string[] {
  const blocks = ca.match(CERTIFICATES) ?? [];
  if (blocks.length === 0) throw new TlsListenError(at, 'ca', 'no certificate in PEM');
  for (const block of blocks) attempt(at, 'ca', () => new X509Certificate(block), 'no certificate in PEM');
  return blocks;
}

/** One by one: OpenSSL reads only the first of a text. */
function listsOf(at: string, crl: string): string[] {
  const blocks = crl.match(LISTS) ?? [];
  if (blocks.length === 0) throw new TlsListenError(at, 'crl', 'no list in PEM (-----BEGIN X509 CRL-----)');
  for (const block of blocks) attempt(at, 'crl', () => createSecureContext({ crl: block }), 'no list in PEM');
  return blocks;
}

/** `what`: what is wrong in our words, before OpenSSL's. */
function attempt<T>(at: string, part: string, make: () => T, what?: string): T {
  try {
    return make();
  } catch (cause) {
    const { reason, message } = cause as Error & { readonly reason?: string };
    const theirs = reason ?? message;
    throw new TlsListenError(at, part, what === undefined ? theirs : `${what} (${theirs})`, { cause });
  }
}
