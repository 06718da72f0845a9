// Clients with signed URLs. The signer of this test is written after AWS's description and shares nothing with the code under
// test; two intermediate results and one signature are those that AWS has published.
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { AccessKey, SignedUrlsConfig } from '../../../host/identity/config.js';
import { parseSignedUrl, signatureOf, signingKey } from '../../../host/identity/sigv4.js';
import { ALL, type Asked, NOW_MS, World } from './world.js';

const KEY: AccessKey = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const TEMPORARY: AccessKey = {
  accessKeyId: 'ASIATEMP',
  secretAccessKey: 'another secret access key',
  sessionToken: 'a/session+token==',
};
const HOST = 'broker.example';

interface Signing {
  readonly key?: AccessKey;
  readonly host?: string;
  readonly path?: string;
  readonly region?: string;
  readonly service?: string;
  readonly atMs?: number;
  readonly expires?: string | undefined;
  readonly extra?: string;
  readonly signedHeaders?: string;
}

/** Path and query of a presigned WebSocket, as AWS's SDKs make it. */
function presign(signing: Signing = {}): string {
  const {
    key = KEY,
    host = HOST,
    path = '/mqtt',
    region = 'eu-central-1',
    service = 'iotdevicegateway',
    atMs = NOW_MS,
  } = signing;
  const expires = 'expires' in signing ? signing.expires : '300';
  const date = `${new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '')}`;
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(`${key.accessKeyId}/${scope}`)}`,
    `X-Amz-Date=${date}`,
    ...(expires === undefined ? [] : [`X-Amz-Expires=${expires}`]),
    `X-Amz-SignedHeaders=${signing.signedHeaders ?? 'host'}`,
    ...(signing.extra ? [signing.extra] : []),
  ].join('&');
  const digest = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
  const mac = (k: string | Buffer, text: string): Buffer => createHmac('sha256', k).update(text, 'utf8').digest();
  const canonical = `GET\n${path}\n${query}\nhost:${host}\n\nhost\n${digest('')}`;
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${digest(canonical)}`;
  const signer = mac(mac(mac(mac(`AWS4${key.secretAccessKey}`, date.slice(0, 8)), region), service), 'aws4_request');
  const url = `${path}?${query}&X-Amz-Signature=${mac(signer, toSign).toString('hex')}`;
  return key.sessionToken === undefined ? url : `${url}&X-Amz-Security-Token=${encodeURIComponent(key.sessionToken)}`;
}

const world = (config: Partial<SignedUrlsConfig> = {}, keys: readonly AccessKey[] = [KEY, TEMPORARY]): World =>
  new World(
    { signedUrls: { keysFile: 'keys', policies: [ALL], ...config }, anonymous: { policies: [ALL] } },
    { keys: JSON.stringify(keys) },
  );

const ask = (url: string, host: string | undefined = HOST): Asked => ({
  peer: { transport: 'wss', url, headers: host === undefined ? {} : { host } },
});

const NO = ReasonCode.NotAuthorized;
const DAY_MS = 86_400_000;

describe('the algorithm', () => {
  it('derives the key that AWS has published for its example', () => {
    const key = signingKey(KEY.secretAccessKey, ['20150830', 'us-east-1', 'iam', 'aws4_request']);
    expect(key.toString('hex')).toBe('c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9');
  });

  it('finds the signature that AWS has published for its presigned GET of S3', () => {
    const signed = parseSignedUrl(
      '/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fiotdevicegateway%2Faws4_request' +
        `&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=${'0'.repeat(64)}`,
    )!;
    const ofS3 = { ...signed, path: '/test.txt', query: signed.query.replace('iotdevicegateway', 's3') };
    const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
    expect(signatureOf(ofS3, 'examplebucket.s3.amazonaws.com', secret, 's3', 'UNSIGNED-PAYLOAD')).toBe(
      'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    );
  });
});

describe('a client with a signed URL', () => {
  it('comes in as its access key, for a day at most', async () => {
    expect(await world().accepted(ask(presign()))).toMatchObject({
      principal: KEY.accessKeyId,
      disconnectAfterMs: DAY_MS,
    });
    expect(await world({ disconnectAfterS: 300, refreshAfterS: 600 }).accepted(ask(presign()))).toMatchObject({
      disconnectAfterMs: 300_000,
      refreshAfterMs: 600_000,
    });
  });

  it('may have temporary credentials, whose token stands behind what is signed', async () => {
    await world().accepted(ask(presign({ key: TEMPORARY })));
    const expires = new Date(NOW_MS + 1_800_000).toISOString();
    expect(
      (await world({}, [{ ...TEMPORARY, expires }]).accepted(ask(presign({ key: TEMPORARY })))).disconnectAfterMs,
    ).toBe(1_800_000);
  });

  it('may have signed the host with its port or without, further parameters, and parameters in any order', async () => {
    await world().accepted(ask(presign({ host: `${HOST}:8443` }), `${HOST}:8443`));
    await world().accepted(ask(presign(), `${HOST}:8443`));
    await world().accepted(ask(presign({ extra: 'x-more=a%20b%2Fc%21' })));
    const [path, query] = presign().split('?') as [string, string];
    await world().accepted(ask(`${path}?${query.split('&').reverse().join('&')}`));
  });

  it('may have policies of its key, besides those of all', async () => {
    const connect = { Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' } } as const;
    const w = world({ policies: [connect] }, [KEY, { ...TEMPORARY, policies: [ALL] }]);
    expect((await w.accepted(ask(presign()))).permit!.publish('a', 0, false)).toBe(false);
    expect((await w.accepted(ask(presign({ key: TEMPORARY })))).permit!.publish('a', 0, false)).toBe(true);
  });

  const good = presign();
  const change = (from: string | RegExp, to: string): string => {
    const changed = good.replace(from, to);
    if (changed === good) throw new Error(`nothing changed: ${from}`);
    return changed;
  };
  const bad: [what: string, asked: Asked, why: string][] = [
    ['for another host', ask(good, 'other.example'), 'url-signature'],
    ['without a host', { peer: { transport: 'wss', url: good, headers: {} } }, 'url-signature'],
    ['for another path', ask(change('/mqtt?', '/mqtt2?')), 'url-signature'],
    [
      'with another key',
      ask(presign({ key: { ...KEY, secretAccessKey: 'a secret that is not ours' } })),
      'url-signature',
    ],
    ['by somebody else', ask(presign({ key: { ...KEY, accessKeyId: 'AKIDNOBODY' } })), 'url-signature'],
    [
      'by nobody, with the key of nobody',
      ask(
        presign({
          key: { accessKeyId: 'X', secretAccessKey: 'a key that nobody has, which is compared all the same' },
        }),
      ),
      'url-signature',
    ],
    ['and made to last longer', ask(change('Expires=300', 'Expires=3000')), 'url-signature'],
    ['with a parameter more', ask(`${good}&x=1`), 'url-signature'],
    ['with a changed signature', ask(change(/.$/, good.at(-1) === '0' ? '1' : '0')), 'url-signature'],
    ['with half a signature', ask(good.slice(0, -1)), 'url-malformed'],
    ['with an empty signature', ask(change(/Signature=.*/, 'Signature=')), 'url-malformed'],
    ['without a signature', ask(change(/&X-Amz-Signature=.*/, '')), 'url-malformed'],
    ['with two dates', ask(`${good}&X-Amz-Date=20300101T120000Z`), 'url-malformed'],
    ['with two signatures', ask(`${good}&X-Amz-Signature=${'0'.repeat(64)}`), 'url-malformed'],
    ['for another service', ask(presign({ service: 's3' })), 'url-malformed'],
    ['with another algorithm', ask(change('HMAC-SHA256', 'HMAC-SHA1')), 'url-malformed'],
    ['without the host', ask(presign({ signedHeaders: 'date' })), 'url-malformed'],
    ['for another day than its date', ask(change('%2F20300101%2F', '%2F20300102%2F')), 'url-malformed'],
    ['at no date', ask(change('20300101T120000Z', '20300101T250000Z')), 'url-malformed'],
    ['with a parameter that is none', ask(`${good}&%`), 'url-malformed'],
    ['with a number that is none', ask(presign({ expires: '1e3' })), 'url-malformed'],
    ['in the future', ask(presign({ atMs: NOW_MS + 301_000 })), 'url-not-yet'],
    ['too long ago', ask(presign({ atMs: NOW_MS - 601_000 })), 'url-expired'],
    [
      'too long ago without saying how long it is good',
      ask(presign({ atMs: NOW_MS - 1_201_000, expires: undefined })),
      'url-expired',
    ],
    ['for longer than a day', ask(presign({ expires: '86401' })), 'url-lasts-too-long'],
    [
      'without the token of temporary credentials',
      ask(presign({ key: { accessKeyId: TEMPORARY.accessKeyId, secretAccessKey: TEMPORARY.secretAccessKey } })),
      'url-session-token',
    ],
    [
      'with another token',
      ask(presign({ key: { ...TEMPORARY, sessionToken: 'a/session+token=!' } })),
      'url-session-token',
    ],
    ['with a token where there is none', ask(presign({ key: { ...KEY, sessionToken: 'x' } })), 'url-session-token'],
  ];
  it.each(bad)('signed %s is refused, not taken for anonymous, and hears no more than that', async (_, asked, why) => {
    const w = world();
    expect(await w.refused(asked)).toEqual([why, NO]);
    w.expectSecret('session+token', KEY.secretAccessKey, /Signature=(.*)/.exec(good)![1]!);
  });

  it('is let in at the edges of its time', async () => {
    for (const atMs of [NOW_MS + 300_000, NOW_MS - 600_000]) await world().accepted(ask(presign({ atMs })));
    await world({ clockSkewS: 0 }).accepted(ask(presign({ atMs: NOW_MS - 300_000 })));
    expect(await world({ clockSkewS: 0 }).refused(ask(presign({ atMs: NOW_MS - 301_000 })))).toEqual([
      'url-expired',
      NO,
    ]);
    await world().accepted(ask(presign({ atMs: NOW_MS - 1_200_000, expires: undefined })));
  });

  it('is held to the hosts and the region of the configuration', async () => {
    await world({ hosts: ['BROKER.example'], region: 'eu-central-1' }).accepted(ask(presign()));
    expect(await world({ hosts: ['other.example'] }).refused(ask(presign()))).toEqual(['url-host', NO]);
    expect(await world({ region: 'us-east-1' }).refused(ask(presign()))).toEqual(['url-region', NO]);
  });

  it('is refused once its key has ended, and once it is gone from the file', async () => {
    const expires = '2030-01-01T12:00:00Z';
    expect(await world({}, [{ ...KEY, expires }]).refused(ask(presign()))).toEqual(['url-key-expired', NO]);
    const w = world();
    await w.accepted(ask(presign()));
    w.files.set('keys', '[]');
    w.nowMs += 1_000;
    expect(await w.refused(ask(presign()))).toEqual(['url-signature', NO]);
  });
});

describe('the file of access keys', () => {
  const bad: [content: string, message: string][] = [
    ['{ "secretAccessKey": "wJal', 'identity.signedUrls.keysFile keys: not JSON'],
    ['{}', 'the file is an empty object; allowed is a list'],
    ['[{ "accessKeyId": "A" }]', '[0] lacks "secretAccessKey"'],
    ['[{ "accessKeyId": "A", "secretAccessKey": "wJal" }]', '0/secretAccessKey is no secret of 16 to 1024 characters'],
    [
      '[{ "accessKeyId": "A", "secretAccessKey": "0123456789abcdef", "expires": "tomorrow" }]',
      '[0].expires is "tomorrow"; allowed is a moment',
    ],
    [
      '[{ "accessKeyId": "A", "secretAccessKey": "0123456789abcdef", "policies": ["p"] }]',
      'keys: [0].policies[0]: there is no policy "p"',
    ],
  ];
  it.each(bad)('%s is refused, without a secret in the message', (keys, message) => {
    const failing = (): World => new World({ signedUrls: { keysFile: 'keys' } }, { keys });
    expect(failing).toThrow(message);
    expect(failing).not.toThrow('wJal');
  });
});
