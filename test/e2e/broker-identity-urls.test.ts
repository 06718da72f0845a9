// WebSocket URLs signed as AWS wants it, by a signer of the test's own that shares nothing with the broker's check.
import { createHash, createHmac } from 'node:crypto';
import type { IClientOptions } from 'mqtt';
import { describe, expect, it } from 'vitest';
import type { SignedUrlsConfig } from '../../host/identity/config.js';
import { allow, EVERYTHING, goodbye, HOST, World } from './broker-identity-world.js';

const world = new World();

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const TOKEN = 'FwoGZXIvYXdzEBYaD+/=='; // its characters have to be escaped
const KEYS = [
  { accessKeyId: 'AKIDPLAIN', secretAccessKey: SECRET },
  { accessKeyId: 'ASIDSESSION', secretAccessKey: SECRET, sessionToken: TOKEN },
];
const UNRESERVED = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~';

interface Signing {
  readonly host: string;
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly sessionToken?: string;
  readonly expiresS?: number;
  readonly ageS?: number;
  readonly region?: string;
}

/** As the documentation of Signature Version 4 tells it, step by step. */
function signed(signing: Signing): string {
  const {
    host,
    accessKeyId = 'AKIDPLAIN',
    secret = SECRET,
    expiresS = 300,
    ageS = 0,
    region = 'eu-central-1',
  } = signing;
  const stamp = new Date(Date.now() - ageS * 1_000).toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${stamp.slice(0, 8)}/${region}/iotdevicegateway/aws4_request`;
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${escaped(`${accessKeyId}/${scope}`)}`,
    `X-Amz-Date=${stamp}`,
    `X-Amz-Expires=${expiresS}`,
    'X-Amz-SignedHeaders=host',
  ].join('&');
  const canonical = `GET\n/mqtt\n${query}\nhost:${host}\n\nhost\n${sha256('')}`;
  const text = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${sha256(canonical)}`;
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  const signature = createHmac('sha256', key).update(text).digest('hex');
  const token = signing.sessionToken === undefined ? '' : `&X-Amz-Security-Token=${escaped(signing.sessionToken)}`;
  return `/mqtt?${query}&X-Amz-Signature=${signature}${token}`;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const escaped = (text: string): string =>
  [...text].map((c) => (UNRESERVED.includes(c) ? c : `%${c.charCodeAt(0).toString(16).toUpperCase()}`)).join('');

async function open(config: Partial<SignedUrlsConfig> = {}): Promise<void> {
  world.write('keys.json', JSON.stringify(KEYS));
  await world.open({ signedUrls: { keysFile: 'keys.json', policies: [EVERYTHING], ...config } }, [{ kind: 'ws' }]);
}

/** With its port, as a WebSocket sends it. */
const host = (): string => `${HOST}:${world.port()}`;

const by = (path: string, Host?: string): IClientOptions => ({
  protocol: 'ws',
  path,
  ...(Host !== undefined && { wsOptions: { headers: { Host } } }),
});

async function refused(path: string, why: string, Host?: string): Promise<void> {
  expect(await world.refusal(by(path, Host))).toBe(0x87);
  await world.told('connect-refused', { why, by: 'signed-url', level: 'warn' });
}

describe('A signed URL', () => {
  it('lets in, for the host with its port or without', async () => {
    await open();
    for (const name of [host(), HOST]) await world.join({ ...by(signed({ host: name })), clientId: name });
    expect(world.client(HOST)!.principal).toBe('AKIDPLAIN');
    await world.join({ ...by(signed({ host: HOST })), protocolVersion: 4 });
  });

  it('has the session token behind what is signed, and lets nobody in without or with another', async () => {
    await open();
    const signing = { host: host(), accessKeyId: 'ASIDSESSION' };
    await world.join(by(signed({ ...signing, sessionToken: TOKEN })));
    await refused(signed(signing), 'url-session-token');
    expect(await world.refusal(by(signed({ ...signing, sessionToken: `${TOKEN}x` })))).toBe(0x87);
    expect(await world.refusal(by(signed({ host: host(), sessionToken: TOKEN })))).toBe(0x87);
    expect(world.log.filter(({ why }) => why === 'url-session-token')).toHaveLength(3);
    world.keepsSecret(TOKEN, escaped(TOKEN), SECRET, 'X-Amz-Signature');
  });

  it.each<[what: string, change: (url: string) => string, why: string]>([
    ['another region', (url) => url.replace('eu-central-1', 'us-east-1'), 'url-signature'],
    ['a longer life', (url) => url.replace('X-Amz-Expires=300', 'X-Amz-Expires=3000'), 'url-signature'],
    ['another key', (url) => url.replace('AKIDPLAIN', 'ASIDSESSION'), 'url-signature'],
    ['a key that nobody has', (url) => url.replace('AKIDPLAIN', 'AKIDNOBODY'), 'url-signature'],
    ['one digit of the signature', (url) => url.replace(/.$/, (c) => (c === '0' ? '1' : '0')), 'url-signature'],
    ['something more', (url) => `${url}&x=1`, 'url-signature'],
    ['a second life', (url) => `${url}&X-Amz-Expires=3000`, 'url-malformed'],
    ['a second life, in disguise', (url) => `${url}&X%2DAmz-Expires=3000`, 'url-malformed'],
    ['no signature', (url) => url.replace(/&X-Amz-Signature=.*/, ''), 'url-malformed'],
    ['other capitals', (url) => url.replace('X-Amz-Signature', 'x-amz-signature'), 'url-malformed'],
    ['a signature that is no text', (url) => url.replace(/Signature=../, 'Signature=%ff'), 'url-malformed'],
    ['other headers', (url) => url.replace('SignedHeaders=host', 'SignedHeaders=host%3Bx'), 'url-malformed'],
  ])('in which somebody has put %s lets nobody in', async (_, change, why) => {
    await open();
    await refused(change(signed({ host: host() })), why);
  });

  it('is good for its time', async () => {
    await open();
    await refused(signed({ host: host(), ageS: 601 }), 'url-expired');
    await refused(signed({ host: host(), ageS: -301 }), 'url-not-yet');
    await refused(signed({ host: host(), expiresS: 86_401 }), 'url-lasts-too-long');
    await world.join(by(signed({ host: host(), ageS: 590 })));
  });

  it('is good for one host, one region and one secret', async () => {
    await open({ hosts: ['mqtt.example'], region: 'eu-central-1' });
    await refused(signed({ host: host() }), 'url-host');
    await refused(signed({ host: 'mqtt.example' }), 'url-signature'); // for one that was not asked for
    await refused(signed({ host: 'other.example' }), 'url-host', 'other.example');
    await refused(signed({ host: 'mqtt.example', region: 'us-east-1' }), 'url-region', 'mqtt.example');
    await refused(signed({ host: 'mqtt.example', secret: `${SECRET}x` }), 'url-signature', 'mqtt.example');
    await world.join(by(signed({ host: 'mqtt.example' }), 'mqtt.example'));
    await world.join(by(signed({ host: 'mqtt.example' }), 'mqtt.example:443'));
  });

  it('is a signed URL also for who comes with a password', async () => {
    await open();
    const url = signed({ host: host(), secret: 'another secret of somebody' });
    expect(await world.refusal({ ...by(url), username: 'ada', password: 'x' })).toBe(0x87);
  });

  it('keeps its client for a day at most', async () => {
    await open();
    const client = await world.join({ ...by(signed({ host: host() })), clientId: 'a' });
    const said = goodbye(client);
    world.leap(86_399_000 - 1_000);
    expect(world.client('a')!.isConnected).toBe(true);
    world.leap(2_001);
    expect(await said).toBe(0xa0);
  });

  it('may have run out when its client is judged anew, but not its key', async () => {
    await open({ refreshAfterS: 1_200 });
    const client = await world.join({ ...by(signed({ host: host(), expiresS: 60 })), clientId: 'a' });
    await world.leapAndJudge(1_200_001);
    await client.publishAsync('x', '', { qos: 1 });
    world.write('keys.json', '[]');
    const said = goodbye(client);
    world.leap(1_200_001);
    expect(await said).toBe(0x87);
    await world.told('connect-refused', { why: 'url-signature', request: 'refresh' });
  });

  it('holds its client to the policies of its key', async () => {
    const policies = [allow(['Publish', 'topic/own/*'])];
    world.write('keys.json', JSON.stringify([{ ...KEYS[0], policies }]));
    const signedUrls = { keysFile: 'keys.json', policies: [allow(['Connect', `client/\${thimble:Principal}`])] };
    await world.open({ signedUrls }, [{ kind: 'ws' }]);
    const client = await world.join({ ...by(signed({ host: host() })), clientId: 'AKIDPLAIN' });
    await client.publishAsync('own/x', '', { qos: 1 });
    await expect(client.publishAsync('x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    expect(await world.refusal({ ...by(signed({ host: host() })), clientId: 'other' })).toBe(0x87);
  });
});
