// Clients with JSON Web Tokens, over the network as they come: by ALPN with the user name's syntax of AWS, over WebSocket with a
// query or a header, with a password over TCP; and how long they may stay.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { IClientOptions } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokensConfig } from '../../host/identity/config.js';
import type { AuthorizerAnswer, AuthorizerRequest, BrokerListener } from '../../host/server/index.js';
import { describeWithTools } from '../tools.js';
import { allow, type Card, EVERYTHING, goodbye, Issuer, NOT_GRANTED, run, World } from './broker-identity-world.js';

const world = new World();
const ec = await generateKeyPair('ES256');
const ec2 = await generateKeyPair('ES256');
const PEM = await exportSPKI(ec.publicKey);
const HOUR_S = 3_600;
/** As a JWKS has them. */
const first = { ...(await exportJWK(ec.publicKey)), kid: 'first', alg: 'ES256' };
const second = { ...(await exportJWK(ec2.publicKey)), kid: 'second', alg: 'ES256' };

const sign = (claims: JWTPayload = {}, key = ec.privateKey, header: object = {}): Promise<string> =>
  new SignJWT({ sub: 'ada', exp: Math.floor(Date.now() / 1_000) + HOUR_S, ...claims })
    .setProtectedHeader({ alg: 'ES256', ...header })
    .sign(key);

/** A broker that believes in the tokens of `ec`, unless `config` says otherwise. */
async function open(config: Partial<TokensConfig> = {}, listeners?: readonly BrokerListener[]): Promise<void> {
  world.write('key.pem', PEM);
  const key = config.jwksUrl === undefined ? { keyFile: 'key.pem' } : {};
  await world.open({ tokens: [{ name: 'site', ...key, policies: [EVERYTHING], ...config }] }, listeners);
}

/** As AWS's clients write it. */
const userName = (token: string, name = 'site'): string =>
  `ada?x-amz-customauthorizer-name=${name}&x-amz-customauthorizer-signature=c2ln&token=${token}`;

describeWithTools(['openssl', 'mosquitto_pub'], 'A token over TLS', () => {
  let issuer: Issuer;
  let server: Card;
  beforeAll(() => {
    issuer = new Issuer();
    server = issuer.server();
  });
  afterAll(() => issuer.remove());

  const front = (): BrokerListener => ({ kind: 'alpn', tls: { cert: server.cert, key: server.key, ca: issuer.ca } });
  const byAlpn = (): IClientOptions => ({ protocol: 'mqtts', ca: issuer.ca, ALPNProtocols: ['mqtt'] });

  it('comes in the user name by ALPN mqtt, of MQTT.js and of mosquitto', async () => {
    await open({}, [front()]);
    const username = userName(await sign());
    await world.join({ ...byAlpn(), clientId: 'a', username });
    expect(world.client('a')).toMatchObject({ principal: 'ada', peer: { alpn: 'mqtt', transport: 'tls' } });
    const place = ['-h', 'localhost', '-p', `${world.port()}`, '--cafile', issuer.caFile, '--tls-alpn', 'mqtt'];
    const publish = ['-t', 't', '-m', 'x', '-q', '1', '-V', 'mqttv5'];
    expect(await run('mosquitto_pub', [...place, ...publish, '-u', username])).toMatchObject({ code: 0, err: '' });
    expect(await run('mosquitto_pub', [...place, ...publish, '-u', userName('eyJ.x.y')])).toMatchObject({ code: 0x86 });
    expect(await run('mosquitto_pub', [...place, ...publish])).toMatchObject({ code: 0x87 });
  });

  it('comes over a secure WebSocket of the same port', async () => {
    await open({}, [front()]);
    const token = await sign();
    const wss = { protocol: 'wss', ca: issuer.ca } as const;
    await world.join({ ...wss, clientId: 'q', path: `/mqtt?token=${token}` });
    await world.join({ ...wss, clientId: 'h', wsOptions: { ca: issuer.ca, headers: { token } } });
    expect(world.client('q')).toMatchObject({ principal: 'ada', peer: { transport: 'wss' } });
    expect(await world.refusal({ ...wss, path: '/mqtt?token=no' })).toBe(0x86);
  });

  it('does not take the place of a certificate that is refused', async () => {
    world.write('key.pem', PEM);
    const lamp = issuer.issue('/CN=lamp');
    const certificates = { deny: [issuer.fingerprint(lamp)] };
    await world.open({ certificates, tokens: [{ keyFile: 'key.pem', policies: [EVERYTHING] }] }, [front()]);
    const { cert, key } = lamp;
    expect(await world.refusal({ ...byAlpn(), cert, key, username: userName(await sign()) })).toBe(0x87);
    await world.told('connect-refused', { why: 'certificate-denied' });
  });
});

describe('A token', () => {
  const places: [place: string, with_: (token: string) => IClientOptions][] = [
    ['in the query of a WebSocket', (token) => ({ protocol: 'ws', path: `/mqtt?a=b&token=${token}` })],
    ['in a header of a WebSocket', (token) => ({ protocol: 'ws', wsOptions: { headers: { Token: token } } })],
    ['as a Bearer', (token) => ({ protocol: 'ws', wsOptions: { headers: { Authorization: `Bearer ${token}` } } })],
    ['in the user name over TCP', (token) => ({ listener: 'tcp', protocol: 'mqtt', username: userName(token) })],
    ['as the password over TCP', (token) => ({ listener: 'tcp', protocol: 'mqtt', username: 'ada', password: token })],
  ];
  const both: readonly BrokerListener[] = [
    { kind: 'ws', name: 'ws' },
    { kind: 'mqtt', name: 'tcp' },
  ];

  it.each(places)('%s lets its subject in, and nobody with another', async (_, with_) => {
    await open({}, both);
    const token = await sign();
    const bad = await sign({}, ec2.privateKey);
    for (const protocolVersion of [4, 5] as const) {
      const { client, connack } = await world.meet({ ...with_(token), clientId: 'a', protocolVersion });
      expect([connack.reasonCode ?? connack.returnCode, world.client('a')!.principal]).toEqual([0, 'ada']);
      await client.endAsync();
      const code = await world.refusal({ ...with_(bad), protocolVersion });
      expect(code).toBe(protocolVersion === 5 ? 0x86 : 4);
    }
    await world.told('connect-refused', { why: 'token-signature', by: 'token', level: 'warn' });
    world.keepsSecret(...bad.split('.').slice(1), bad.slice(0, 40));
  });

  it('is looked for by the authorizer that the client asks for', async () => {
    await open({}, both);
    const token = await sign();
    expect(await world.refusal({ listener: 'tcp', username: userName(token, 'other') })).toBe(0x86);
    await world.told('connect-refused', { why: 'authorizer-unknown' });
    const path = `/mqtt?x-amz-customauthorizer-name=other&token=${token}`;
    expect(await world.refusal({ protocol: 'ws', path })).toBe(0x86);
    world.keepsSecret(token.slice(0, 40));
  });

  it.each<[what: string, claims: JWTPayload, why: string]>([
    ['that has ended', { exp: 1_000 }, 'token-expired'],
    ['that has no end', { exp: undefined as never }, 'token-claim'],
    ['that is not good yet', { nbf: 4_000_000_000 }, 'token-claim'],
    ['for somebody else', { aud: 'them' }, 'token-claim'],
    ['of another issuer', { iss: 'eve' }, 'token-claim'],
  ])('%s lets nobody in', async (_, claims, why) => {
    await open({ issuers: ['us'], audiences: ['mqtt'] });
    const good = { iss: 'us', aud: 'mqtt' };
    expect(await world.refusal({ username: 'ada', password: await sign({ ...good, ...claims }) })).toBe(0x86);
    await world.told('connect-refused', { why });
    await world.join({ username: 'ada', password: await sign(good) });
  });

  it('is the end of the connection when it ends', async () => {
    await open();
    const client = await world.join({
      clientId: 'a',
      username: 'u',
      password: await sign({ exp: Date.now() / 1_000 + 60 }),
    });
    const said = goodbye(client);
    world.leap(58_000);
    expect(world.client('a')!.isConnected).toBe(true);
    world.leap(2_001);
    expect(await said).toBe(0xa0); // Maximum connect time
  });

  it('keeps its client for as long as disconnectAfter says, and no longer', async () => {
    await open({ disconnectAfterS: 600, disconnectAfterClaim: 'stay' });
    const [a, b] = [await sign(), await sign({ stay: 300 })];
    const long = await world.join({ clientId: 'long', username: 'u', password: a });
    const short = await world.join({ clientId: 'short', username: 'u', password: b });
    const [shortly, later] = [goodbye(short), goodbye(long)];
    world.leap(299_000);
    expect(short.connected).toBe(true);
    world.leap(1_001);
    expect(await shortly).toBe(0xa0);
    expect(world.client('long')!.isConnected).toBe(true);
    world.leap(300_000);
    expect(await later).toBe(0xa0);
  });

  it('keeps it no longer for being judged anew in the meantime', async () => {
    await open({ refreshAfterS: 400, disconnectAfterS: 600 });
    const client = await world.join({ clientId: 'a', username: 'u', password: await sign() });
    await world.leapAndJudge(400_001);
    await client.publishAsync('x', '', { qos: 1 });
    const said = goodbye(client);
    world.leap(200_001);
    expect(await said).toBe(0xa0);
  });

  it('is judged anew after refreshAfter, by the keys of that time', async () => {
    await open({ refreshAfterS: 300 });
    const client = await world.join({ clientId: 'a', username: 'u', password: await sign() });
    await world.leapAndJudge(300_001);
    await client.publishAsync('t', 'x', { qos: 1 });
    world.write('key.pem', await exportSPKI(ec2.publicKey));
    const said = goodbye(client);
    world.leap(300_001);
    expect(await said).toBe(0x87);
    expect(await world.told('authorization-ended', { clientId: 'a' })).toMatchObject({ level: 'warn' });
    expect(await world.told('connect-refused', { clientId: 'a' })).toMatchObject({
      why: 'token-signature',
      request: 'refresh',
    });
  });
});

describe('A set of keys of the web', () => {
  interface Keys {
    keys: object[];
    asked: number;
    status: number;
    readonly url: string;
  }

  async function serve(...keys: object[]): Promise<Keys> {
    const served = { keys, asked: 0, status: 200, url: '' };
    const server = createServer((_, response) => {
      served.asked++;
      response.writeHead(served.status).end(JSON.stringify({ keys: served.keys }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    world.later(() => {
      server.close();
      server.closeAllConnections();
    });
    served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    return served;
  }

  const of = {
    first: () => sign({}, ec.privateKey, { kid: 'first' }),
    second: () => sign({}, ec2.privateKey, { kid: 'second' }),
  };

  it('is fetched once for all, and again when a signer has a new key', async () => {
    const served = await serve(first);
    await open({ jwksUrl: served.url });
    const [one, two] = [await of.first(), await of.second()];
    await Promise.all([1, 2, 3].map(() => world.join({ username: 'u', password: one })));
    expect(served.asked).toBe(1);
    served.keys = [first, second];
    // Not for each token with a key that nobody knows.
    for (let i = 0; i < 3; i++) expect(await world.refusal({ username: 'u', password: two })).toBe(0x86);
    expect(served.asked).toBe(1);
    world.leap(30_001);
    await world.join({ username: 'u', password: two });
    await world.join({ username: 'u', password: one });
    expect(served.asked).toBe(2);
    // What the signer takes back counts no more once the set is fetched anew.
    served.keys = [second];
    world.leap(600_001);
    await world.join({ username: 'u', password: await of.second() });
    expect(await world.refusal({ username: 'u', password: await of.first() })).toBe(0x86);
    await world.told('connect-refused', { why: 'token-key' });
  });

  it('that cannot be had lets nobody in, and says that it may be tried again', async () => {
    const served = await serve(first);
    served.status = 500;
    await open({ jwksUrl: served.url });
    const password = await of.first();
    expect(await world.refusal({ username: 'u', password })).toBe(0x88);
    expect(await world.refusal({ username: 'u', password, protocolVersion: 4 })).toBe(3);
    await world.told('jwks-unavailable', { isStale: false });
    const { asked } = served;
    // Nor does it hear of each client that comes meanwhile.
    for (let i = 0; i < 3; i++) expect(await world.refusal({ username: 'u', password })).toBe(0x88);
    expect(served.asked).toBe(asked);
    served.status = 200;
    world.leap(1_000);
    await world.join({ username: 'u', password });
  });
});

describe('A custom authorizer of the program', () => {
  it('is asked in the words of AWS, and obeyed', async () => {
    const asked: AuthorizerRequest[] = [];
    const answers: AuthorizerAnswer[] = [
      {
        isAuthenticated: true,
        principalId: 'ada1',
        policyDocuments: [allow(['Connect', 'client/ada1'], ['Publish', 'topic/ok'])],
        refreshAfterInSeconds: 300,
        disconnectAfterInSeconds: 900,
      },
    ];
    const authorizer = async (request: AuthorizerRequest): Promise<AuthorizerAnswer> => {
      asked.push(request);
      return answers[0]!;
    };
    await world.open(undefined, [{ kind: 'ws' }], { hooks: { authorizer } });
    const path = '/mqtt?token=opaque&x=1';
    const client = await world.join({ protocol: 'ws', path, clientId: 'ada1', username: 'u', password: 'p' });
    expect(asked[0]).toMatchObject({
      token: 'opaque',
      protocols: ['http', 'mqtt'],
      protocolData: {
        http: { queryString: '?token=opaque&x=1', headers: { upgrade: 'websocket' } },
        mqtt: { username: 'u', password: Buffer.from('p').toString('base64'), clientId: 'ada1' },
      },
      why: 'connect',
    });
    expect(await world.refusal({ protocol: 'ws', path, clientId: 'ada2' })).toBe(0x87);
    await client.publishAsync('ok', '', { qos: 1 });
    answers[0] = { ...answers[0]!, policyDocuments: [allow(['Connect', '*'], ['Publish', 'topic/new'])] };
    await world.leapAndJudge(300_001);
    expect(asked.at(-1)!.why).toBe('refresh');
    // What is allowed has changed.
    await client.publishAsync('new', '', { qos: 1 });
    await expect(client.publishAsync('ok', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    answers[0] = { isAuthenticated: false };
    const said = goodbye(client);
    world.leap(300_001);
    expect(await said).toBe(0x87);
    world.keepsSecret('opaque', '"p"', Buffer.from('p').toString('base64'));
  });
});

describe('The mobile client of a fleet', () => {
  // Its principal is the person, its client identifier the person's with the token's own: two phones are two clients.
  const claim = (name: string): string => `\${thimble:Claim.${name}}`;
  const policy = allow(
    ['Connect', `client/\${thimble:Principal}-${claim('JTI')}`],
    ['Publish', `topic/${claim('PID')}/${claim('AID')}/request/*`],
    ['Subscribe', `topicfilter/${claim('PID')}/${claim('AID')}/answer/${claim('JTI')}/*`],
    ['Receive', `topic/${claim('PID')}/${claim('AID')}/answer/${claim('JTI')}/*`],
  );
  const claims = { PID: 'product', AID: 'account', JTI: 'token-7' };

  it('has the topics that its claims name, and no others', async () => {
    await open({ policies: [policy] }, [{ kind: 'ws' }]);
    const phone = async (own: JWTPayload, clientId: string) => ({
      protocol: 'ws' as const,
      clientId,
      username: userName(await sign(own)),
    });
    const { client, ears } = await world.meet(await phone(claims, 'ada-token-7'));
    await client.subscribeAsync('product/account/answer/token-7/#', { qos: 1 });
    for (const filter of [
      'product/account/answer/#',
      'product/+/answer/token-7/#',
      '$share/g/product/account/answer/#',
      '#',
    ]) {
      await expect(client.subscribeAsync(filter)).rejects.toMatchObject(NOT_GRANTED);
    }
    await client.publishAsync('product/account/request/on', '', { qos: 1 });
    for (const topic of ['product/other/request/on', 'product/account/answer/token-7/x', 'product/account/request']) {
      await expect(client.publishAsync(topic, '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    }
    world.running.publish('product/account/answer/token-8/x', 'not for it');
    world.running.publish('product/account/answer/token-7/x', 'for it');
    expect(await ears.until('product/account/answer/token-7/x for it')).toHaveLength(1);

    for (const name of ['ada', 'ada-token-8', 'bob-token-7', 'ada-token-7-', '']) {
      expect([name, await world.refusal({ ...(await phone(claims, name)), clean: true })]).toEqual([name, 0x87]);
    }
  });

  it.each(['+', '#', 'a/b', '', '$SYS', undefined])('gets nothing for a claim %j', async (PID) => {
    await open({ policies: [policy] }, [{ kind: 'ws' }]);
    const username = userName(await sign({ ...claims, PID }));
    const client = await world.join({ protocol: 'ws', clientId: 'ada-token-7', username });
    for (const product of ['product', '+', 'a/b', '$SYS', 'undefined', '']) {
      const subscribed = client.subscribeAsync(`${product}/account/answer/token-7/#`);
      await expect(subscribed, product).rejects.toMatchObject(NOT_GRANTED);
    }
    await expect(client.publishAsync('product/account/request/on', '', { qos: 1 })).rejects.toMatchObject({
      code: 0x87,
    });
  });
});
