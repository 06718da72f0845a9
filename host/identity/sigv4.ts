// Signature Version 4 of AWS, as it stands in the query of a WebSocket's URL: what was signed, and what the signature must be.
import { createHash, createHmac } from 'node:crypto';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SERVICE = 'iotdevicegateway';
const TERMINATOR = 'aws4_request';

/** What a URL says of its signature. */
export interface SignedQuery {
  readonly accessKeyId: string;
  /** YYYYMMDD. */
  readonly day: string;
  readonly region: string;
  /** YYYYMMDD'T'HHMMSS'Z'. */
  readonly date: string;
  readonly epochMs: number;
  /** Undefined: it does not say. */
  readonly expiresS: number | undefined;
  readonly sessionToken: string | undefined;
  readonly signature: string;
  /** Path and query in canonical form, as they were signed. */
  readonly path: string;
  readonly query: string;
}

type Parameter = readonly [name: string, value: string];

const SIGNATURE = 'X-Amz-Signature';
const SESSION_TOKEN = 'X-Amz-Security-Token';

/** Whether somebody has meant to sign it. */
export function isSignedUrl(url: string | undefined): boolean {
  return url !== undefined && /[?&]X-Amz-(Signature|Algorithm|Credential)=/i.test(url);
}

/** Undefined for what is not signed as it should be. `url`: path and query, as sent. */
export function parseSignedUrl(url: string): SignedQuery | undefined {
  const [path, search] = [url.replace(/\?.*$/s, ''), url.slice(url.indexOf('?') + 1)];
  const parameters = parseQuery(search);
  if (parameters === undefined) return undefined;
  const values = new Map(parameters);
  // Twice the same: one would be signed, and the other believed.
  if (values.size !== parameters.length) return undefined;
  const [accessKeyId, day, region, service, terminator, ...more] = (values.get('X-Amz-Credential') ?? '').split('/');
  const date = values.get('X-Amz-Date') ?? '';
  const epochMs = parseDate(date);
  const expires = values.get('X-Amz-Expires');
  const signature = values.get(SIGNATURE) ?? '';
  const isWhole =
    values.get('X-Amz-Algorithm') === ALGORITHM &&
    values.get('X-Amz-SignedHeaders') === 'host' &&
    service === SERVICE &&
    terminator === TERMINATOR &&
    more.length === 0 &&
    /^\d{1,6}$/.test(expires ?? '0') &&
    /^[0-9a-f]{64}$/.test(signature);
  if (!isWhole || epochMs === undefined || !date.startsWith(`${day}T`)) return undefined;
  return {
    accessKeyId: accessKeyId!,
    day: day!,
    region: region!,
    date,
    epochMs,
    expiresS: expires === undefined ? undefined : Number(expires),
    sessionToken: values.get(SESSION_TOKEN),
    signature,
    path: path.split('/').map(encode).join('/'),
    query: canonical(parameters),
  };
}

/** What `X-Amz-Signature` must be, in hex. `host`: the header as it was signed. */
export function signatureOf(
  { day, region, date, path, query }: SignedQuery,
  host: string,
  secretAccessKey: string,
  service = SERVICE,
  payloadHash = EMPTY_HASH,
): string {
  const request = ['GET', path, query, `host:${host}`, '', 'host', payloadHash].join('\n');
  const scope = [day, region, service, TERMINATOR];
  const text = [ALGORITHM, date, scope.join('/'), sha256(request)].join('\n');
  return hmac(signingKey(secretAccessKey, scope), text).toString('hex');
}

/** `scope`: day, region, service and what always follows. */
export function signingKey(secretAccessKey: string, scope: readonly string[]): Buffer {
  return scope.reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
/** A GET has no body. */
const EMPTY_HASH = sha256('');

function parseQuery(search: string): Parameter[] | undefined {
  try {
    return search
      .split('&')
      .filter((part) => part !== '')
      .map((part): Parameter => {
        const at = part.indexOf('=');
        const [name, value] = at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
        return [decodeURIComponent(name), decodeURIComponent(value)];
      });
  } catch {
    return undefined;
  }
}

/** The signature is not signed; and AWS IoT wants the session token behind what is. */
function canonical(parameters: readonly Parameter[]): string {
  return parameters
    .filter(([name]) => name !== SIGNATURE && name !== SESSION_TOKEN)
    .map(([name, value]): Parameter => [encode(name), encode(value)])
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** All but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

const DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

function parseDate(text: string): number | undefined {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const epochMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}
