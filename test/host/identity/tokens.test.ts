// Clients with JSON Web Tokens: good ones, and every way in which one may be bad.
import { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { TokensConfig } from '../../../host/identity/config.js';
import type { Fetch, IdentityPorts } from '../../../host/identity/ports.js';
import { ALL, type Asked, NOW_MS, NOW_S, World } from './world.js';

const ec = await generateKeyPair('ES256');
const ec2 = await generateKeyPair('ES256');
const rsa = await generateKeyPair('RS256', { modulusLength: 2048 });
const EC_PEM = await exportSPKI(ec.publicKey);
const RSA_PEM = await exportSPKI(rsa.publicKey);
const SECRET = 'a secret of more than thirty-two octets';

type Signer = Parameters<SignJWT['sign']>[0];

const sign = (
  claims: JWTPayload = {},
  alg = 'ES256',
  key: Signer = ec.privateKey,
  header: object = {},
): Promise<string> =>
  new SignJWT({ sub: 'ada', exp: NOW_S + 3_600, ...claims }).setProtectedHeader({ alg, ...header }).sign(key);

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const world = (config: Partial<TokensConfig> = {}, ports: Partial<IdentityPorts> = {}): World =>
  new World(
    { tokens: [{ policies: [ALL], ...(config.jwksUrl || config.secretFile ? {} : { keyFile: 'key' }), ...config }] },
    { key: EC_PEM, rsa: RSA_PEM, secret: SECRET },
    ports,
  );

const BAD = ReasonCode.BadUserNameOrPassword;

describe('a client with a token', () => {
  it('comes in as its subject, until the token ends', async () => {
    const { principal, disconnectAfterMs } = await world().accepted({ password: await sign() });
    expect(principal).toBe('ada');
    expect(disconnectAfterMs).toBe(3_600_000);
  });

  it.each(['RS256', 'PS256'])('may have it signed with %s', async (alg) => {
    // Of Node's, which goes with more than one algorithm.
    await world({ keyFile: 'rsa' }).accepted({ password: await sign({}, alg, KeyObject.from(rsa.privateKey)) });
  });

  it('may have it signed with a secret, where the configuration has one', async () => {
    await world({ secretFile: 'secret' }).accepted({ password: await sign({}, 'HS256', Buffer.from(SECRET)) });
    expect(
      await world({ secretFile: 'secret' }).refused({ password: await sign({}, 'HS256', Buffer.from(`${SECRET}.`)) }),
    ).toEqual(['token-signature', BAD]);
  });

  it('whose token is not yet good, or has ended, is refused, give or take the tolerance', async () => {
    expect(await world().refused({ password: await sign({ exp: NOW_S }) })).toEqual(['token-expired', BAD]);
    expect(await world().refused({ password: await sign({ nbf: NOW_S + 1 }) })).toEqual(['token-claim', BAD]);
    const tolerant = world({ clockToleranceS: 10 });
    expect((await tolerant.accepted({ password: await sign({ exp: NOW_S - 9 }) })).disconnectAfterMs).toBe(1_000);
    expect(await tolerant.refused({ password: await sign({ exp: NOW_S - 10 }) })).toEqual(['token-expired', BAD]);
    await tolerant.accepted({ password: await sign({ nbf: NOW_S + 10 }) });
    expect(await tolerant.refused({ password: await sign({ nbf: NOW_S + 11 }) })).toEqual(['token-claim', BAD]);
  });

  const claims: [what: string, claims: JWTPayload, config: Partial<TokensConfig>, why: string | undefined][] = [
    ['of another issuer', { iss: 'b' }, { issuers: ['a'] }, 'token-claim'],
    ['of no issuer', {}, { issuers: ['a'] }, 'token-claim'],
    ['of one of the issuers', { iss: 'b' }, { issuers: ['a', 'b'] }, undefined],
    ['for somebody else', { aud: 'other' }, { audiences: ['us'] }, 'token-claim'],
    ['for nobody', {}, { audiences: ['us'] }, 'token-claim'],
    ['for us among others', { aud: ['other', 'us'] }, { audiences: ['us', 'we'] }, undefined],
    ['that never ends', { exp: undefined as never }, {}, 'token-claim'],
    ['whose end is no number', { exp: '2999' as never }, {}, 'token-claim'],
    ['of nobody', { sub: undefined as never }, {}, 'token-principal'],
    ['of a subject that is no text', { sub: 5 as never }, {}, 'token-principal'],
    ['of a subject with a control character', { sub: 'a\nb' }, {}, 'token-principal'],
    ['of somebody by another claim', { sub: undefined as never, email: 'a@b' }, { principalClaim: 'email' }, undefined],
    ['of what every object has', {}, { principalClaim: 'constructor' }, 'token-principal'],
  ];
  it.each(claims)('%s: %j with %j', async (_, own, config, why) => {
    const password = await sign(own);
    if (why === undefined) await world(config).accepted({ password });
    else expect(await world(config).refused({ password })).toEqual([why, BAD]);
  });

  it('whose token somebody has changed is refused', async () => {
    const [header, payload, signature] = (await sign()).split('.') as [string, string, string];
    const { publicKey: _, privateKey: other } = ec2;
    const bad: [token: string, why: string][] = [
      [`${header}.${base64url({ sub: 'eve', exp: NOW_S + 3_600 })}.${signature}`, 'token-signature'],
      [`${header}.${payload}.${signature.slice(0, -4)}AAAA`, 'token-signature'],
      [`${header}.${payload}.`, 'token-signature'],
      [await sign({}, 'ES256', other), 'token-signature'],
      [`${header}.${payload}`, 'token-malformed'],
      [`${header}.${payload}.${signature}.x`, 'token-malformed'],
      [`eyJ.${payload}.${signature}`, 'token-malformed'],
    ];
    for (const [token, why] of bad) {
      const w = world();
      expect([token, ...(await w.refused({ password: token }))]).toEqual([token, why, BAD]);
      w.expectSecret(signature, payload);
    }
  });

  it('whose token has no signature, or one of another kind than the key is for, is refused', async () => {
    const payload = base64url({ sub: 'eve', exp: NOW_S + 3_600 });
    const none = (alg: string): string => `${base64url({ alg, typ: 'JWT' })}.${payload}.`;
    for (const alg of ['none', 'None', 'NONE', '']) {
      const [why, reason] = await world().refused({ password: none(alg) });
      expect([alg, why === 'token-algorithm' || why === 'token-malformed', reason]).toEqual([alg, true, BAD]);
    }
    // The public key, taken for a secret: everybody has it.
    for (const [keyFile, pem] of [
      ['key', EC_PEM],
      ['rsa', RSA_PEM],
    ] as const) {
      for (const key of [pem, pem.trim(), `${pem}\n`]) {
        expect(await world({ keyFile }).refused({ password: await sign({}, 'HS256', Buffer.from(key)) })).toEqual([
          'token-algorithm',
          BAD,
        ]);
      }
    }
    // A key of one kind, an algorithm of another.
    expect(await world({ keyFile: 'rsa' }).refused({ password: await sign() })).toEqual(['token-algorithm', BAD]);
    expect(
      await world({ keyFile: 'rsa', algorithms: ['PS256'] }).refused({
        password: await sign({}, 'RS256', rsa.privateKey),
      }),
    ).toEqual(['token-algorithm', BAD]);
    // The key that the token itself brings along.
    const own = { jwk: await exportJWK(ec2.publicKey) };
    expect(await world().refused({ password: await sign({}, 'ES256', ec2.privateKey, own) })).toEqual([
      'token-signature',
      BAD,
    ]);
  });

  it('whose token is longer than any is refused without being read', async () => {
    const password = await sign({ filler: 'x'.repeat(16_384) });
    expect(await world().refused({ password })).toEqual(['token-too-long', BAD]);
    await world().accepted({ password: await sign({ filler: 'x'.repeat(11_000) }) });
  });

  it('is judged anew with the same token, which may have ended by then', async () => {
    const w = world({ refreshAfterS: 600 });
    const asked: Asked = { password: await sign({ exp: NOW_S + 900 }) };
    expect(await w.accepted(asked)).toMatchObject({ refreshAfterMs: 600_000, disconnectAfterMs: 900_000 });
    w.nowMs += 600_000;
    expect((await w.accepted({ ...asked, why: 'refresh' })).disconnectAfterMs).toBe(300_000);
    w.nowMs += 600_000;
    expect(await w.refused({ ...asked, why: 'refresh' })).toEqual(['token-expired', BAD]);
  });

  it('is connected no longer than token, claim and configuration say, of which the claim goes before the configuration', async () => {
    const config = { disconnectAfterS: 1_000, disconnectAfterClaim: 'd', refreshAfterS: 900, refreshAfterClaim: 'r' };
    const lifetimes = async (claims: JWTPayload): Promise<unknown> => {
      const { disconnectAfterMs, refreshAfterMs } = await world(config).accepted({ password: await sign(claims) });
      return [disconnectAfterMs! / 1_000, refreshAfterMs! / 1_000];
    };
    expect(await lifetimes({})).toEqual([1_000, 900]);
    expect(await lifetimes({ d: 2_000, r: 500.9 })).toEqual([2_000, 500]);
    expect(await lifetimes({ d: 5_000 })).toEqual([3_600, 900]);
    expect(await lifetimes({ d: 1, r: 1e9 })).toEqual([300, 86_400]);
    expect(await lifetimes({ d: 'soon', r: null })).toEqual([1_000, 900]);
  });
});

describe('the policies of a token', () => {
  const connect = { Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' } } as const;
  const publish = (Resource: string) => ({ Statement: { Effect: 'Allow', Action: 'iot:Publish', Resource } }) as const;

  it('have its claims as variables, texts, numbers and truths', async () => {
    const resource = `topic/\${thimble:Claim.sub}/\${thimble:Claim.site}/\${thimble:Claim.https://example.com/on}`;
    const w = world({ policies: [connect, publish(resource)] });
    const { permit } = await w.accepted({ password: await sign({ site: 7, 'https://example.com/on': true }) });
    expect(permit!.publish('ada/7/true', 0, false)).toBe(true);
    for (const site of [undefined, null, ['7'], { a: 7 }, '+', 'a/b', '']) {
      const { permit: none } = await w.accepted({ password: await sign({ site, 'https://example.com/on': true }) });
      for (const topic of [
        'ada/7/true',
        'ada//true',
        'ada/+/true',
        'ada/a/b/true',
        'ada/null/true',
        'ada/undefined/true',
      ]) {
        expect(none!.publish(topic, 0, false)).toBe(false);
      }
    }
  });

  it('do not take for a claim what every object has', async () => {
    const w = world({ policies: [connect, publish(`topic/\${thimble:Claim.__proto__}\${thimble:Claim.toString}/x`)] });
    const { permit } = await w.accepted({ password: await sign() });
    expect(permit!.publish('/x', 0, false)).toBe(false);
  });

  it('may be in a claim, as objects or as JSON, one or a list of them, besides those of the configuration', async () => {
    const documents = [
      publish('topic/a'),
      JSON.stringify(publish('topic/a')),
      [publish('topic/b'), JSON.stringify(publish(`topic/a`))],
    ];
    for (const policies of documents) {
      const w = world({ policies: [connect], policyClaim: 'policies' });
      const { permit } = await w.accepted({ password: await sign({ policies }) });
      expect(permit!.publish('a', 0, false)).toBe(true);
      expect(permit!.publish('c', 0, false)).toBe(false);
    }
    await world({ policies: [connect], policyClaim: 'policies' }).accepted({ password: await sign() });
  });

  it('are not looked for in what every object has', async () => {
    await world({ policyClaim: 'constructor' }).accepted({ password: await sign() });
  });

  it('in a claim that was not configured count for nothing', async () => {
    const w = world({ policies: [connect] });
    const { permit } = await w.accepted({ password: await sign({ policies: publish('topic/a') }) });
    expect(permit!.publish('a', 0, false)).toBe(false);
  });

  const bad: [what: string, policies: unknown][] = [
    ['a text that is not JSON', '{'],
    ['a number', 5],
    ['an unknown action', { Statement: { Effect: 'Allow', Action: 'iot:Fly', Resource: '*' } }],
    ['a condition', { Statement: { ...ALL.Statement, Condition: {} } }],
    ['eleven documents', Array(11).fill(ALL)],
    ['2,049 characters', `${JSON.stringify(ALL)}${' '.repeat(2_049 - JSON.stringify(ALL).length)}`],
  ];
  it.each(bad)('that are %s let nobody in', async (_, policies) => {
    const w = world({ policyClaim: 'policies' });
    expect(await w.refused({ password: await sign({ policies }) })).toEqual(['token-policies', BAD]);
  });
});

describe('a token', () => {
  const places: [place: string, asked: (token: string) => Asked][] = [
    ['the password', (token) => ({ username: 'whoever', password: token })],
    [
      "the user name's query",
      (token) => ({
        username: `ada?x-amz-customauthorizer-name=a&x-amz-customauthorizer-signature=s%2B&token=${token}`,
      }),
    ],
    ["the URL's query", (token) => ({ peer: { transport: 'wss', url: `/mqtt?x=1&token=${token}` } })],
    [
      "a bearer's header",
      (token) => ({ peer: { transport: 'wss', url: '/mqtt', headers: { authorization: `Bearer ${token}` } } }),
    ],
    ['a header of its own', (token) => ({ peer: { transport: 'wss', url: '/mqtt', headers: { token } } })],
  ];
  it.each(places)('may be in %s', async (_, asked) => {
    expect((await world({ name: 'a' }).accepted(asked(await sign()))).principal).toBe('ada');
    expect((await world({ name: 'a' }).refused(asked(await sign({ exp: 1 }))))[0]).toBe('token-expired');
  });

  it('may be the user name only where the configuration says so', async () => {
    const username = await sign();
    expect(await world().refused({ username })).toEqual(['credentials-unknown', BAD]);
    await world({ places: ['username'] }).accepted({ username });
  });

  it('is looked for only where the configuration says, under the key that it says', async () => {
    const token = await sign();
    const w = world({ places: ['query'], tokenKey: 'jwt' });
    await w.accepted({ peer: { transport: 'ws', url: `/mqtt?jwt=${token}` } });
    for (const asked of [{ password: token }, { username: `a?jwt=${token}` }])
      expect(await w.refused(asked)).toEqual(['credentials-unknown', BAD]);
    expect(await w.refused({ peer: { transport: 'ws', url: `/mqtt?token=${token}` } })).toEqual([
      'no-credentials',
      ReasonCode.NotAuthorized,
    ]);
  });

  it('under its key that does not even look like one is refused, too', async () => {
    const w = new World(
      { tokens: [{ keyFile: 'key', policies: [ALL] }], anonymous: { policies: [ALL] } },
      { key: EC_PEM },
    );
    expect(await w.refused({ peer: { transport: 'ws', url: '/mqtt?token=guess' } })).toEqual(['token-malformed', BAD]);
    await w.accepted({ peer: { transport: 'ws', url: '/mqtt' } });
  });

  it('goes to the authorizer that the client asks for by name, and to none where there is no such', async () => {
    const pem2 = await exportSPKI(ec2.publicKey);
    const tokens = [
      { name: 'one', keyFile: 'key', policies: [ALL] },
      { name: 'two', keyFile: 'key2', policies: [ALL] },
    ];
    const w = new World({ tokens, anonymous: { policies: [ALL] } }, { key: EC_PEM, key2: pem2 });
    const ask = async (name: string | undefined, key: Signer): Promise<Asked> => ({
      username: `u?token=${await sign({}, 'ES256', key)}${name ? `&x-amz-customauthorizer-name=${name}` : ''}`,
    });
    await w.accepted(await ask('one', ec.privateKey));
    await w.accepted(await ask('two', ec2.privateKey));
    await w.accepted(await ask(undefined, ec.privateKey));
    expect(await w.refused(await ask('one', ec2.privateKey))).toEqual(['token-signature', BAD]);
    expect(await w.refused(await ask('three', ec.privateKey))).toEqual(['authorizer-unknown', BAD]);
    expect(await w.refused({ peer: { transport: 'ws', url: '/mqtt?x-amz-customauthorizer-name=three' } })).toEqual([
      'authorizer-unknown',
      BAD,
    ]);
  });
});

describe('keys from the web', () => {
  afterEach(() => vi.useRealTimers());
  const URL_OF_KEYS = 'https://issuer.example/keys';

  const jwk = async (pair: typeof ec, kid?: string): Promise<object> => ({
    ...(await exportJWK(pair.publicKey)),
    ...(kid && { kid }),
    alg: 'ES256',
    use: 'sig',
  });

  /** A world whose clocks, jose's included, are the test's. */
  function web(answer: () => Response | Promise<Response>, config: Partial<TokensConfig> = {}) {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW_MS });
    const fetch = vi.fn<Fetch>(async () => answer());
    const w = world({ jwksUrl: URL_OF_KEYS, ...config }, { fetch, epochMs: Date.now });
    const wait = (ms: number): unknown => vi.setSystemTime(Date.now() + ms);
    return { w, fetch, wait };
  }
  const withKid = (pair: typeof ec, kid: string): Promise<string> =>
    sign({ exp: NOW_S + 1e6 }, 'ES256', pair.privateKey, { kid });

  it('are fetched once for many clients', async () => {
    const keys = [await jwk(ec, 'a'), await jwk(ec2, 'b')];
    const { w, fetch } = web(() => Response.json({ keys }));
    await Promise.all(
      [withKid(ec, 'a'), withKid(ec2, 'b'), withKid(ec, 'a')].map(async (token) =>
        w.accepted({ password: await token }),
      ),
    );
    await w.accepted({ password: await withKid(ec, 'a') });
    expect(fetch).toHaveBeenCalledTimes(1);
    expect(fetch.mock.calls[0]![0]).toBe(URL_OF_KEYS);
    expect(fetch.mock.calls[0]![1]).toMatchObject({ redirect: 'manual', signal: expect.any(AbortSignal) });
  });

  it('are tried one after another where the token does not name its own', async () => {
    const keys = [await jwk(ec2), await jwk(ec)];
    const { w } = web(() => Response.json({ keys }));
    await w.accepted({ password: await sign() });
    const stranger = (await generateKeyPair('ES256')).privateKey;
    expect(await w.refused({ password: await sign({}, 'ES256', stranger) })).toEqual(['token-signature', BAD]);
  });

  it('may change: a new one is fetched when a token has it, though not too often, and an old one is forgotten in time', async () => {
    let keys = [await jwk(ec, 'old')];
    const { w, fetch, wait } = web(() => Response.json({ keys }));
    await w.accepted({ password: await withKid(ec, 'old') });
    keys = [await jwk(ec2, 'new')];
    expect(await w.refused({ password: await withKid(ec2, 'new') })).toEqual(['token-key', BAD]);
    expect(fetch).toHaveBeenCalledTimes(1);
    wait(30_000);
    await w.accepted({ password: await withKid(ec2, 'new') });
    expect(await w.refused({ password: await withKid(ec, 'old') })).toEqual(['token-key', BAD]);
    keys = [];
    await w.accepted({ password: await withKid(ec2, 'new') });
    wait(600_000);
    expect(await w.refused({ password: await withKid(ec2, 'new') })).toEqual(['token-key', BAD]);
  });

  it('that cannot be had let nobody in, who may try again, and let everybody in once they are there', async () => {
    const failures: [what: string, answer: () => Response | Promise<Response>][] = [
      ['no network', () => Promise.reject(new TypeError('fetch failed'))],
      ['an error', () => new Response('no', { status: 500 })],
      ['a redirection', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } })],
      ['no JSON', () => new Response('<html>')],
      ['no set', () => Response.json({})],
      ['null', () => Response.json(null)],
      ['too much', () => new Response(`{"keys":[${' '.repeat(300_000)}]}`)],
    ];
    const keys = [await jwk(ec, 'a')];
    for (const [what, failure] of failures) {
      let answer = failure;
      const { w, wait } = web(() => answer());
      const password = await withKid(ec, 'a');
      expect([what, ...(await w.refused({ password }))]).toEqual([
        what,
        'keys-unavailable',
        ReasonCode.ServerUnavailable,
      ]);
      expect(w.audited[0]).toMatchObject({ event: 'jwks-unavailable', fields: { isStale: false } });
      w.expectSecret(password.split('.')[2]!);
      answer = () => Response.json({ keys });
      wait(1_000); // the server is left alone for so long
      await w.accepted({ password });
    }
  });

  it('that were there go on to hold for a while when their server is gone', async () => {
    const keys = [await jwk(ec, 'a')];
    let isUp = true;
    const { w, wait } = web(() => (isUp ? Response.json({ keys }) : new Response('', { status: 503 })), {
      jwksCacheS: 60,
      jwksStaleS: 120,
    });
    const password = await withKid(ec, 'a');
    await w.accepted({ password });
    isUp = false;
    wait(60_000);
    await w.accepted({ password });
    expect(w.audited.at(-1)).toMatchObject({
      event: 'jwks-unavailable',
      fields: { isStale: true, reason: 'HTTP status 503' },
    });
    wait(61_000);
    expect(await w.refused({ password })).toEqual(['keys-unavailable', ReasonCode.ServerUnavailable]);
    isUp = true;
    wait(1_000);
    await w.accepted({ password });
  });

  it('are not waited for longer than the configuration says', async () => {
    const never: Fetch = (_, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const w = world({ jwksUrl: URL_OF_KEYS, jwksTimeoutMs: 100 }, { fetch: never });
    expect(await w.refused({ password: await sign() })).toEqual(['keys-unavailable', ReasonCode.ServerUnavailable]);
  });

  it('come over a real socket, too', async () => {
    const keys = [await jwk(ec, 'a')];
    const server = createServer((_, response) => response.end(JSON.stringify({ keys }))).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const w = world({ jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
      await w.accepted({ password: await withKid(ec, 'a') });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('the configuration of tokens', () => {
  const pkcs8 = '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n';
  const failing: [what: string, config: Partial<TokensConfig>, code: string, message: string][] = [
    [
      'two kinds of keys',
      { keyFile: 'key', jwksUrl: 'https://x' },
      'ERR_IDENTITY_CONFIG',
      'identity.tokens[0]: allowed is exactly one of',
    ],
    [
      'a public key and HS256',
      { algorithms: ['ES256', 'HS256'] },
      'ERR_IDENTITY_CONFIG',
      'identity.tokens[0].algorithms: HS256 does not go with a public key',
    ],
    [
      'a set of the web and HS256',
      { jwksUrl: 'https://x', algorithms: ['HS256'] },
      'ERR_IDENTITY_CONFIG',
      'HS256 does not go with a public key',
    ],
    [
      'a secret and RS256',
      { secretFile: 'secret', algorithms: ['RS256'] },
      'ERR_IDENTITY_CONFIG',
      'RS256 does not go with a secret',
    ],
    [
      'the algorithm none',
      { algorithms: ['none'] },
      'ERR_IDENTITY_CONFIG',
      'tokens[0].algorithms[0] must be one of RS256',
    ],
    [
      'a set that anybody could change on its way',
      { jwksUrl: 'http://issuer.example/keys' },
      'ERR_IDENTITY_CONFIG',
      'identity.tokens[0].jwksUrl: "http://issuer.example/keys" is no place for keys',
    ],
    ['a file of the web', { jwksUrl: 'file:///etc/passwd' }, 'ERR_IDENTITY_CONFIG', 'is no place for keys'],
    [
      'no file',
      { keyFile: 'nowhere' },
      'ERR_IDENTITY_FILE',
      'identity.tokens[0].keyFile nowhere: cannot be read: there is no such file',
    ],
    [
      'a file without a key',
      { keyFile: 'secret' },
      'ERR_IDENTITY_FILE',
      'identity.tokens[0].keyFile secret: no public key',
    ],
    ['a private key', { keyFile: 'private' }, 'ERR_IDENTITY_FILE', 'it has a private key'],
    ['a private JWK', { keyFile: 'private.jwk' }, 'ERR_IDENTITY_FILE', 'it has a private key'],
    ['a secret JWK', { keyFile: 'oct.jwk' }, 'ERR_IDENTITY_FILE', 'it has a secret; that belongs into secretFile'],
    ['a set without keys', { keyFile: 'empty.jwk' }, 'ERR_IDENTITY_FILE', 'it has no keys'],
    ['a short secret', { secretFile: 'short' }, 'ERR_IDENTITY_FILE', 'a secret of 5 octets; allowed are 32 or more'],
    [
      'a policy that there is not',
      { policies: ['p'] },
      'ERR_IDENTITY_CONFIG',
      'identity.tokens[0].policies[0]: there is no policy "p"',
    ],
  ];
  const files = {
    key: EC_PEM,
    secret: SECRET,
    private: pkcs8,
    short: 'short\n',
    'private.jwk': '{"kty":"EC","d":"x"}',
    'oct.jwk': '{"kty":"oct","k":"x"}',
    'empty.jwk': '{"keys":[]}',
  };
  it.each(failing)('that has %s is refused', (_, config, code, message) => {
    const keys = config.keyFile || config.jwksUrl || config.secretFile ? {} : { keyFile: 'key' };
    expect(() => new World({ tokens: [{ ...keys, ...config }] }, files)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  it('may name a JWK or a JWKS, and takes it anew when it changes', async () => {
    const keyed = async (pair: typeof ec) => ({ ...(await exportJWK(pair.publicKey)), alg: 'ES256' });
    const w = new World({ tokens: [{ keyFile: 'jwk', policies: [ALL] }] }, { jwk: JSON.stringify(await keyed(ec)) });
    await w.accepted({ password: await sign() });
    w.files.set('jwk', JSON.stringify({ keys: [await keyed(ec2)] }));
    w.nowMs += 1_000;
    expect(await w.refused({ password: await sign() })).toEqual(['token-signature', BAD]);
    await w.accepted({ password: await sign({}, 'ES256', ec2.privateKey) });
  });
});
