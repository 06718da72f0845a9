// Who decides on a client, in which order; what becomes of it then; and the hooks of programs that embed the broker.
import { describe, expect, it } from 'vitest';
import type { Challenge, Verdict } from '../../../host/broker/access.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { IdentityConfig } from '../../../host/identity/config.js';
import { formatHash, hashPassword } from '../../../host/identity/password-hash.js';
import type { Authorizer, AuthorizerAnswer, EnhancedMethod, EnhancedStep } from '../../../host/identity/ports.js';
import { ALL, type Asked, World } from './world.js';

const USERS = { users: `ada:${formatHash(await hashPassword(Buffer.from('secret'), { ln: 10, r: 8, p: 1 }))}\n` };
const NO = ReasonCode.NotAuthorized;
const BAD = ReasonCode.BadUserNameOrPassword;

describe('a broker', () => {
  it('without any way in lets everybody in, who may do everything', async () => {
    expect(await new World({}).ask({ username: 'x', password: 'y' })).toEqual({ outcome: 'accepted' });
    expect(await new World({}).ask({ peer: { transport: 'local' } })).toEqual({ outcome: 'accepted' });
  });

  it('with one way in lets nobody in by another, not even from the same process', async () => {
    const w = new World({ passwords: { file: 'users', policies: [ALL] } }, USERS);
    await w.accepted({ username: 'ada', password: 'secret' });
    expect(await w.refused({})).toEqual(['no-credentials', NO]);
    expect(await w.refused({ peer: { transport: 'local' } })).toEqual(['no-credentials', NO]);
    expect(await w.refused({ peer: { transport: 'local' }, username: 'ada', password: 'secret' })).toEqual([
      'credentials-unknown',
      BAD,
    ]);
  });

  it('lets in anonymous clients only where it is told to, and only those without any credentials', async () => {
    const w = new World({ passwords: { file: 'users', policies: [ALL] }, anonymous: { policies: [ALL] } }, USERS);
    expect((await w.accepted({})).principal).toBeUndefined();
    for (const asked of [
      { username: 'ada', password: 'wrong' },
      { username: 'ada' },
      { password: 'secret' },
      { username: '' },
    ]) {
      expect(await w.refused(asked)).toEqual(['password', BAD]);
    }
    const only = new World({ anonymous: { policies: [ALL] } });
    expect(await only.refused({ username: 'ada', password: 'secret' })).toEqual(['credentials-unknown', BAD]);
    const urls = ['/mqtt?X-Amz-Signature=0', '/mqtt?x=1&X-Amz-Credential=0', '/mqtt?x-amz-customauthorizer-name=a'];
    for (const url of urls)
      expect(await only.refused({ peer: { transport: 'ws', url } })).toEqual(['no-credentials', NO]);
    expect(
      await only.refused({ peer: { transport: 'ws', url: '/mqtt', headers: { authorization: 'Basic eA==' } } }),
    ).toEqual(['no-credentials', NO]);
  });

  it('gives clients of the same process the policies that are theirs', async () => {
    const own = {
      Statement: {
        Effect: 'Allow',
        Action: ['iot:Connect', 'iot:Publish'],
        Resource: ['client/*', `topic/\${iot:ClientId}`],
      },
    } as const;
    const w = new World({ local: { policies: [own] } });
    const { permit } = await w.accepted({ peer: { transport: 'local' }, clientId: 'sensor' });
    expect(permit!.publish('sensor', 0, false)).toBe(true);
    expect(permit!.publish('other', 0, false)).toBe(false);
    expect(await w.refused({})).toEqual(['no-credentials', NO]);
  });

  it('asks a way in only about the listeners that it is for, by name or by transport', async () => {
    const w = new World({ anonymous: { policies: [ALL], listeners: ['lab', 'wss'] } });
    await w.accepted({ peer: { transport: 'tcp', listener: 'lab' } });
    await w.accepted({ peer: { transport: 'wss', listener: 'public' } });
    await w.accepted({ peer: { transport: 'wss' } });
    for (const peer of [{ transport: 'ws' as const, listener: 'public' }, { transport: 'tcp' as const }]) {
      expect(await w.refused({ peer })).toEqual(['no-credentials', NO]);
    }
    const local = new World({ anonymous: { policies: [ALL], listeners: ['local'] } });
    expect(await local.refused({ peer: { transport: 'local' } })).toEqual(['no-credentials', NO]);
  });

  it('refuses who may not connect by the policies, and says so in another way than of wrong credentials', async () => {
    const only = { Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource: 'client/a' } } as const;
    const w = new World({ anonymous: { policies: [only] } });
    await w.accepted({ clientId: 'a' });
    expect(await w.refused({ clientId: 'b' })).toEqual(['policy', NO]);
  });

  it('knows address, name and principal of a client as variables', async () => {
    const values: [variable: string, value: string, asked: Asked][] = [
      ['aws:SourceIp', '192.0.2.7', {}],
      ['iot:DomainName', 'mqtt.example', { peer: { serverName: 'mqtt.example', headers: { host: 'other' } } }],
      ['iot:DomainName', 'ws.example', { peer: { transport: 'ws', headers: { host: 'ws.example:8080' } } }],
      ['iot:Connection.Thing.ThingName', 'lamp', { clientId: 'lamp' }],
      ['iot:ClientId', 'lamp', { clientId: 'lamp' }],
    ];
    for (const [variable, value, asked] of values) {
      const Statement = [
        ALL.Statement,
        { Effect: 'Deny', Action: 'iot:Publish', Resource: `topic/\${${variable}}` },
      ] as const;
      const { permit } = await new World({ anonymous: { policies: [{ Statement }] } }).accepted(asked);
      expect([variable, permit!.publish(value, 0, false), permit!.publish(`${value}x`, 0, false)]).toEqual([
        variable,
        false,
        true,
      ]);
    }
    // A user name that nobody has checked is nobody's.
    const Statement = { Effect: 'Allow', Action: 'iot:Connect', Resource: `client/\${thimble:Username}` } as const;
    const w = new World({ certificates: {}, passwords: { file: 'users', policies: [{ Statement }] } }, USERS);
    await w.accepted({ username: 'ada', password: 'secret', clientId: 'ada' });
    const hook = new World(
      {},
      {},
      { authorizer: async () => ({ isAuthenticated: true, principalId: 'x', policyDocuments: [{ Statement }] }) },
    );
    expect(await hook.refused({ username: 'ada', clientId: 'ada' })).toEqual(['policy', NO]);
  });

  it('tells the auditor who was refused, where and by whom, in few characters', async () => {
    const w = new World({ anonymous: {} });
    await w.refused({ clientId: 'x'.repeat(60_000), peer: { transport: 'wss', listener: 'public' } });
    expect(w.audited).toEqual([
      {
        event: 'connect-refused',
        fields: {
          clientId: 'x'.repeat(128),
          address: '192.0.2.7',
          listener: 'public',
          transport: 'wss',
          by: 'anonymous',
          why: 'policy',
          principal: undefined,
        },
      },
    ]);
  });

  it('answers at once where nobody has to be waited for', () => {
    const w = new World({ anonymous: { policies: [ALL] } });
    let verdict: Verdict | undefined;
    const packet = { cmd: 'connect', clientId: 'a' } as const;
    w.access.connect({ packet, clientId: 'a', peer: { transport: 'tcp' }, why: 'connect' }, (v) => (verdict = v), 0);
    expect(verdict?.outcome).toBe('accepted');
  });

  const configs: [config: unknown, message: string][] = [
    [
      { pasword: {} },
      'identity: the configuration has no option "pasword"; allowed are policies, certificates, tokens',
    ],
    [{ passwords: {} }, 'passwords lacks "file"'],
    [
      { anonymous: { policies: ['a'] } },
      'identity.anonymous.policies[0]: there is no policy "a"; identity.policies has none',
    ],
    [{ anonymous: { policies: ['a'] }, policies: { b: ALL, c: ALL } }, 'identity.policies has b, c'],
    [{ anonymous: { policies: ['toString'] }, policies: { b: ALL } }, 'there is no policy "toString"'],
    [{ policies: { b: ALL } }, 'identity.policies: nobody has them'],
    [
      { policies: { b: { Statement: [{ ...ALL.Statement, Condition: {} }] } } },
      'policies.b.Statement[0] has no option "Condition"; allowed are Sid, Effect, Action, Resource',
    ],
    [
      { anonymous: { policies: [{ Statement: [{ Effect: 'Allow' }] }] } },
      'anonymous.policies[0].Statement[0] lacks "Action"',
    ],
    [
      { anonymous: { refreshAfterS: 299 } },
      'anonymous.refreshAfterS is 299; allowed is a whole number from 300 up to 86400',
    ],
    [{ anonymous: { disconnectAfterS: 86_401 } }, 'up to 86400'],
    [{ certificates: { deny: ['xyz'] } }, 'certificates.deny[0] is "xyz"; allowed is the SHA-256 of a certificate'],
    [
      { certificates: { byFingerprint: { xyz: [] } } },
      'certificates.byFingerprint has an entry "xyz"; allowed are the SHA-256',
    ],
    [{ redirect: {} }, 'redirect lacks "to"'],
    [{ local: { listeners: ['tcp'] } }, 'local has no option "listeners"'],
  ];
  it.each(configs)('does not begin with %j', (config, message) => {
    expect(() => new World(config as IdentityConfig)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^ERR_IDENTITY_(CONFIG|POLICY)$/),
        message: expect.stringContaining(message),
      }),
    );
  });
});

describe('a client that may come in', () => {
  it('is sent elsewhere where the configuration says so, for now or for good', async () => {
    const to = 'b.example:8883';
    const moved = (permanent: boolean) => new World({ anonymous: { policies: [ALL] }, redirect: { to, permanent } });
    expect(await moved(false).ask()).toEqual({
      outcome: 'refused',
      reason: ReasonCode.UseAnotherServer,
      serverReference: to,
    });
    expect(await moved(true).ask()).toEqual({
      outcome: 'refused',
      reason: ReasonCode.ServerMoved,
      serverReference: to,
    });
    expect(await new World({ redirect: { to } }).ask()).toMatchObject({ reason: ReasonCode.UseAnotherServer });
  });

  it('is not moved while it is connected, nor where it is of the same process', async () => {
    const w = new World({ anonymous: { policies: [ALL] }, local: { policies: [ALL] }, redirect: { to: 'b' } });
    await w.accepted({ why: 'refresh' });
    await w.accepted({ peer: { transport: 'local' } });
  });

  it('alone learns where the others are', async () => {
    const w = new World({ passwords: { file: 'users', policies: [ALL] }, redirect: { to: 'b' } }, USERS);
    expect(await w.refused({ username: 'ada', password: 'wrong' })).toEqual(['password', BAD]);
    expect(await w.ask({ username: 'ada', password: 'secret' })).toMatchObject({ serverReference: 'b' });
  });

  it('may be sent elsewhere by a hook, each to its own place', async () => {
    const redirect = ({ clientId }: { clientId: string }) =>
      clientId === 'a' ? { serverReference: 'c', permanent: true } : undefined;
    const w = new World({ redirect: { to: 'b' } }, {}, { redirect });
    expect(await w.ask({ clientId: 'a' })).toMatchObject({ reason: ReasonCode.ServerMoved, serverReference: 'c' });
    expect(await w.ask({ clientId: 'x' })).toMatchObject({ reason: ReasonCode.UseAnotherServer, serverReference: 'b' });
    const failing = new World(
      {},
      {},
      {
        redirect: () => {
          throw new Error('secret');
        },
      },
    );
    expect(await failing.refused()).toEqual(['failure', ReasonCode.ServerUnavailable]);
    failing.expectSecret('secret');
  });
});

describe('an authorizer of the embedding program', () => {
  const answering = (answer: unknown): World =>
    new World({}, {}, { authorizer: async () => answer as AuthorizerAnswer });
  const asked: Asked = { username: 'ada', password: 'secret' };

  it('lets in with its policies, its principal and its times', async () => {
    const policyDocuments = [
      JSON.stringify({ Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' } }),
      { Statement: { Effect: 'Allow', Action: 'iot:Publish', Resource: `topic/\${iot:ClientId}` } },
    ];
    const w = answering({
      isAuthenticated: true,
      principalId: 'Ada1',
      policyDocuments,
      disconnectAfterInSeconds: 86_400,
      refreshAfterInSeconds: 300,
      context: {},
    });
    const { permit, ...rest } = await w.accepted({ ...asked, clientId: 'lamp' });
    expect(rest).toEqual({
      outcome: 'accepted',
      principal: 'Ada1',
      disconnectAfterMs: 86_400_000,
      refreshAfterMs: 300_000,
    });
    expect(permit!.publish('lamp', 0, false)).toBe(true);
    expect(permit!.publish('other', 0, false)).toBe(false);
  });

  it("is told what AWS's is told", async () => {
    const told: Parameters<Authorizer>[0][] = [];
    const authorizer: Authorizer = async (request) => {
      told.push(request);
      return { isAuthenticated: false };
    };
    const w = new World({}, {}, { authorizer });
    await w.refused({
      username: 'ada?token=t&x=y',
      password: 'secret',
      clientId: 'lamp',
      peer: { transport: 'tls', serverName: 'mqtt.example' },
    });
    await w.refused({ peer: { transport: 'ws', url: '/mqtt?token=u', headers: { host: 'h' } }, why: 'refresh' });
    expect(told).toEqual([
      {
        token: 't',
        protocols: ['tls', 'mqtt'],
        protocolData: {
          tls: { serverName: 'mqtt.example' },
          mqtt: { username: 'ada?token=t&x=y', password: 'c2VjcmV0', clientId: 'lamp' },
        },
        why: 'connect',
      },
      {
        token: 'u',
        protocols: ['http', 'mqtt'],
        protocolData: { http: { headers: { host: 'h' }, queryString: '?token=u' }, mqtt: { clientId: 'client' } },
        why: 'refresh',
      },
    ]);
  });

  const bad: [answer: unknown, why: string][] = [
    [{ isAuthenticated: false, principalId: 'a', policyDocuments: [ALL] }, 'authorizer-refused'],
    [{ isAuthenticated: true, principalId: 'a' }, 'policy'],
    [undefined, 'authorizer-answer'],
    [{}, 'authorizer-answer'],
    [{ isAuthenticated: 'true', principalId: 'a', policyDocuments: [ALL] }, 'authorizer-answer'],
    [{ isAuthenticated: true, policyDocuments: [ALL] }, 'authorizer-answer'],
    [{ isAuthenticated: true, principalId: 'a-b', policyDocuments: [ALL] }, 'authorizer-answer'],
    [{ isAuthenticated: true, principalId: 'a'.repeat(129), policyDocuments: [ALL] }, 'authorizer-answer'],
    [{ isAuthenticated: true, principalId: 'a', policyDocuments: ['{'] }, 'authorizer-answer'],
    [{ isAuthenticated: true, principalId: 'a', policyDocuments: Array(11).fill(ALL) }, 'authorizer-answer'],
    [
      { isAuthenticated: true, principalId: 'a', policyDocuments: [ALL], refreshAfterInSeconds: 299 },
      'authorizer-answer',
    ],
    [
      { isAuthenticated: true, principalId: 'a', policyDocuments: [ALL], disconnectAfterInSeconds: 86_401 },
      'authorizer-answer',
    ],
  ];
  it.each(bad)('that answers %j lets nobody in', async (answer, why) => {
    expect(await answering(answer).refused(asked)).toEqual([why, why === 'policy' ? NO : BAD]);
  });

  it('that fails lets nobody in, and what it says is told to nobody', async () => {
    for (const authorizer of [
      async () => Promise.reject(new Error('secret')),
      () => {
        throw new Error('secret');
      },
    ]) {
      const w = new World({}, {}, { authorizer: authorizer as Authorizer });
      expect(await w.refused(asked)).toEqual(['authorizer-failed', ReasonCode.ServerUnavailable]);
      w.expectSecret('secret');
    }
  });

  it('decides before passwords do, and leaves those without credentials to others', async () => {
    const w = new World({ passwords: { file: 'users', policies: [ALL] }, anonymous: { policies: [ALL] } }, USERS, {
      authorizer: async () => ({ isAuthenticated: false }),
    });
    expect(await w.refused({ username: 'ada', password: 'secret' })).toEqual(['authorizer-refused', BAD]);
    expect(await w.refused({ peer: { transport: 'ws', url: '/mqtt?x-amz-customauthorizer-name=a' } })).toEqual([
      'authorizer-refused',
      BAD,
    ]);
    await w.accepted({});
  });
});

describe('enhanced authentication', () => {
  const text = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString();

  /** The client says its name, and then what the server has said, backwards. */
  const backwards: EnhancedMethod = {
    start: (name) => ({
      outcome: 'continue',
      data: Buffer.from('drawer'),
      next: async (data): Promise<EnhancedStep> => {
        if (text(data) !== 'reward') return { outcome: 'refused' };
        return {
          outcome: 'accepted',
          principal: text(name),
          policies: ['all'],
          data: Buffer.from('well done'),
          refreshAfterMs: 1_000,
        };
      },
    }),
  };
  const endless: EnhancedMethod = { start: () => endlessStep };
  const endlessStep: EnhancedStep = { outcome: 'continue', next: () => endlessStep };
  const failing: EnhancedMethod = {
    start: () => {
      throw new Error('secret');
    },
  };
  const wrongPolicies: EnhancedMethod = { start: () => ({ outcome: 'accepted', principal: 'x', policies: ['nope'] }) };
  const methods = { backwards, endless, failing, wrongPolicies };
  const world = (): World => new World({ policies: { all: ALL } }, {}, { methods });
  const by = (authenticationMethod: string, data = 'ada'): Asked => ({
    properties: { authenticationMethod, authenticationData: Buffer.from(data) },
  });
  const goOn = (challenge: Verdict, data: string | undefined): Promise<Verdict> =>
    new Promise((resolve) =>
      (challenge as Challenge).next(data === undefined ? undefined : Buffer.from(data), resolve),
    );

  it('takes as many rounds as its method wants, and ends with its last word', async () => {
    const challenge = await world().ask(by('backwards'));
    expect(challenge.outcome).toBe('continue');
    expect(text((challenge as Challenge).authenticationData)).toBe('drawer');
    const verdict = await goOn(challenge, 'reward');
    expect(verdict).toMatchObject({ outcome: 'accepted', principal: 'ada', refreshAfterMs: 1_000 });
    expect(verdict.outcome === 'accepted' && text(verdict.authenticationData)).toBe('well done');
    expect(verdict.outcome === 'accepted' && verdict.permit!.publish('a', 0, false)).toBe(true);
  });

  it('may be done anew by a connected client', async () => {
    const challenge = await world().ask({ ...by('backwards'), why: 'reauthenticate' });
    expect(await goOn(challenge, 'reward')).toMatchObject({ outcome: 'accepted' });
  });

  it.each(['drawer', '', undefined])('ends in a refusal where the client answers %j', async (answer) => {
    const w = world();
    expect(await goOn(await w.ask(by('backwards')), answer)).toEqual({ outcome: 'refused', reason: NO });
    expect(w.audited.at(-1)!.fields).toMatchObject({ by: 'method', why: 'method-refused' });
  });

  it.each(['SCRAM-SHA-1', '', 'constructor', '__proto__'])('by the unknown method %j is refused', async (method) => {
    const refusal = ['method-unknown', ReasonCode.BadAuthenticationMethod];
    expect(await world().refused(by(method))).toEqual(refusal);
    expect(await new World({}).refused(by(method))).toEqual(refusal);
    expect(await new World({ anonymous: { policies: [ALL] } }).refused(by(method))).toEqual(refusal);
  });

  it('that fails, or gives policies that there are not, lets nobody in', async () => {
    for (const method of ['failing', 'wrongPolicies']) {
      const w = world();
      expect(await w.refused(by(method))).toEqual(['method-failed', ReasonCode.ServerUnavailable]);
      w.expectSecret('secret');
    }
  });

  it('that never comes to an end is ended', async () => {
    let verdict = await world().ask(by('endless'));
    let rounds = 1;
    for (; verdict.outcome === 'continue' && rounds < 100; rounds++) verdict = await goOn(verdict, 'x');
    expect(verdict).toEqual({ outcome: 'refused', reason: NO });
    expect(rounds).toBe(16);
  });

  it('that would have to ask the client ends when a connected client is judged anew', async () => {
    expect(await world().refused({ ...by('backwards'), why: 'refresh' })).toEqual(['method-wants-client', NO]);
  });

  it('is the only way in where there is no other', async () => {
    expect(await world().refused({})).toEqual(['no-credentials', NO]);
  });
});
