// What policies allow, case by case; that no value of a variable can make another policy of one; and that the fast paths answer
// as the plain reading does.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PolicyDocument, parsePolicy } from '../../../../host/identity/policy/document.js';
import { type Permissions, PolicySet } from '../../../../host/identity/policy/permissions.js';
import { isAllowed } from './reference.js';

type Values = Readonly<Record<string, string>>;

function permissions(documents: readonly PolicyDocument[], values: Values = {}): Permissions {
  const policies = documents.map((document, index) => parsePolicy(document, `policies[${index}]`));
  return new PolicySet(policies).for((name) => values[name]);
}

const statement = (Effect: 'Allow' | 'Deny', Action: string | string[], Resource: string | string[]) => ({
  Effect,
  Action,
  Resource,
});
const allow = (action: string | string[], resource: string | string[]) => statement('Allow', action, resource);
const deny = (action: string | string[], resource: string | string[]) => statement('Deny', action, resource);
const policy = (...Statement: ReturnType<typeof statement>[]): PolicyDocument => ({ Version: '2012-10-17', Statement });

const ARN = 'arn:aws:iot:eu-central-1:123456789012:';

describe('a resource', () => {
  type Row = [resource: string, topic: string, allowed: boolean];
  const rows: Row[] = [
    ['topic/a/b', 'a/b', true],
    ['topic/a/b', 'a/b/c', false],
    ['topic/a/b', 'A/b', false],
    ['topic/a/*', 'a/b', true],
    ['topic/a/*', 'a/b/c/d', true],
    ['topic/a/*', 'a/', true],
    ['topic/a/*', 'a', false],
    ['topic/a*', 'ab', true],
    ['topic/*/b', 'a/x/b', true],
    ['topic/*/b', '/b', true],
    ['topic/*/b', 'a/b/c', false],
    ['topic/a/?/b', 'a/x/b', true],
    ['topic/a/?/b', 'a//b', false],
    ['topic/a/?/b', 'a/xy/b', false],
    ['topic/a/?/b', 'a/😀/b', true],
    ['topic/a?b', 'a/b', true],
    ['topic/*a*a*b', 'aaaab', true],
    ['topic/*a*a*b', 'aaaabc', false],
    ['topic/*', 'anything/at/all', true],
    ['*', 'anything/at/all', true],
    ['t*', 'a', true],
    ['topi?/a', 'a', true],
    ['*/a', 'b/a', true],
    ['*/a', 'b/c', false],
    // MQTT's wildcards are characters like any other here.
    ['topic/a/+', 'a/b', false],
    ['topic/#', 'a', false],
    [`${ARN}topic/a`, 'a', true],
    ['arn:aws-cn:iot:*:*:topic/a/*', 'a/b', true],
    ['arn:aws:iot:eu-central-1:123456789012:*', 'a', true],
    ['arn:aws:iot:*', 'a', true],
    ['arn:aws:*:*:*:topic/a:b', 'a:b', true],
    // Characters that would be wildcards otherwise.
    [`topic/a/\${*}`, 'a/*', true],
    [`topic/a/\${*}`, 'a/b', false],
    [`topic/a/\${?}`, 'a/?', true],
    [`topic/a/\${?}`, 'a/b', false],
    [`topic/\${$}{iot:ClientId}`, `\${iot:ClientId}`, true],
    [`topic/\${$}{iot:ClientId}`, 'me', false],
    ['topic/$aws/things', '$aws/things', true],
    // Regular expressions have no say.
    ['topic/a.b', 'axb', false],
    ['topic/(a|b)', 'a', false],
  ];
  it.each(rows)('%s lets publish to %s: %s', (resource, topic, allowed) => {
    expect(
      permissions([policy(allow('iot:Publish', resource))], { 'iot:ClientId': 'me' }).publish(topic, 0, false),
    ).toBe(allowed);
  });

  it('that is no topic does not let publish, and one that is none lets nothing else', () => {
    const document = policy(allow(['iot:*'], ['topic/t', 'topicfilter/f', 'client/c']));
    const may = permissions([document]);
    expect([may.publish('t', 0, false), may.receive('t'), may.subscribe('f'), may.connect('c')]).toEqual(
      Array(4).fill(true),
    );
    for (const name of ['f', 'c']) expect([may.publish(name, 0, false), may.receive(name)]).toEqual([false, false]);
    for (const name of ['t', 'c']) expect(may.subscribe(name)).toBe(false);
    for (const name of ['t', 'f']) expect(may.connect(name)).toBe(false);
  });

  it('with MQTT wildcards allows the filter that is written so, and not what it would match', () => {
    const may = permissions([
      policy(allow('iot:Subscribe', ['topicfilter/a/+/c', 'topicfilter/b/#', 'topicfilter/d/*'])),
    ]);
    for (const filter of ['a/+/c', 'b/#', 'd/+', 'd/#', 'd/e']) expect(may.subscribe(filter)).toBe(true);
    for (const filter of ['a/b/c', 'b/c', 'b', 'a/#', '#', '+/+']) expect(may.subscribe(filter)).toBe(false);
  });
});

describe('an action', () => {
  const names = ['iot:Connect', 'iot:Publish', 'iot:RetainPublish', 'iot:Subscribe', 'iot:Receive'];
  const asked = (may: Permissions): Record<string, boolean> => ({
    'iot:Connect': may.connect('x'),
    'iot:Publish': may.publish('x', 1, false),
    'iot:RetainPublish': may.publish('x', 1, true),
    'iot:Subscribe': may.subscribe('x'),
    'iot:Receive': may.receive('x'),
  });
  const only = (...allowed: string[]): Record<string, boolean> =>
    Object.fromEntries(names.map((name) => [name, allowed.includes(name)]));
  const rows: [action: string | string[], expected: Record<string, boolean>][] = [
    ['iot:Connect', only('iot:Connect')],
    ['iot:Publish', only('iot:Publish')],
    [['iot:Publish', 'iot:RetainPublish'], only('iot:Publish', 'iot:RetainPublish')],
    // To retain is to publish, too: one without the other allows neither.
    ['iot:RetainPublish', only()],
    ['iot:Subscribe', only('iot:Subscribe')],
    ['iot:Receive', only('iot:Receive')],
    ['iot:*', only(...names)],
    ['*', only(...names)],
    ['iot:*Publish', only('iot:Publish', 'iot:RetainPublish')],
    ['IOT:PUBLISH', only('iot:Publish')],
    ['iot:?eceive', only('iot:Receive')],
    ['iot:GetThingShadow', only()],
  ];
  it.each(rows)('%j allows what it names', (action, expected) => {
    expect(asked(permissions([policy(allow(action, '*'))]))).toEqual(expected);
  });

  it('is denied where nobody allows it, and where there is no policy', () => {
    expect(asked(permissions([]))).toEqual(only());
    expect(asked(permissions([policy(deny('iot:Publish', 'topic/y'))]))).toEqual(only());
  });

  it('is denied where one statement denies it, whatever the others allow, in whatever order and document', () => {
    const everything = policy(allow('*', '*'));
    const no = policy(deny('iot:Publish', 'topic/secret/*'));
    const documents = [
      [everything, no],
      [no, everything],
      [{ Statement: [...[no.Statement].flat(), ...[everything.Statement].flat()] }],
    ];
    for (const set of documents as PolicyDocument[][]) {
      const may = permissions(set);
      expect(may.publish('secret/x', 0, false)).toBe(false);
      expect(may.publish('open', 0, false)).toBe(true);
      expect(may.receive('secret/x')).toBe(true);
    }
  });
});

describe('a variable', () => {
  const own = policy(
    allow('iot:Connect', `client/\${iot:ClientId}`),
    allow('iot:Publish', `topic/devices/\${iot:ClientId}/*`),
    allow('iot:Subscribe', `topicfilter/devices/\${iot:ClientId}/#`),
    allow('iot:Receive', `topic/devices/\${iot:ClientId}/*`),
  );

  it('stands for its value', () => {
    const may = permissions([own], { 'iot:ClientId': 'lamp' });
    expect(may.connect('lamp')).toBe(true);
    expect(may.connect('other')).toBe(false);
    expect(may.publish('devices/lamp/state', 0, false)).toBe(true);
    expect(may.publish('devices/other/state', 0, false)).toBe(false);
    expect(may.subscribe('devices/lamp/#')).toBe(true);
    expect(may.subscribe('devices/#')).toBe(false);
  });

  const attacks = [
    '+',
    '#',
    '*',
    '?',
    'a/b',
    'lam?',
    'l*',
    '/',
    '+/+',
    '$aws',
    `\${iot:ClientId}`,
    `\${*}`,
    '\0',
    '',
    'x'.repeat(513),
  ];
  it.each(attacks)('whose value is %j lets nobody at what belongs to others', (id) => {
    const may = permissions([own, policy(allow('iot:Subscribe', `topicfilter/\${iot:ClientId}/x`))], {
      'iot:ClientId': id,
    });
    for (const victim of ['lamp', 'me', 'a', 'b', 'x', 'a/b', 'SYS']) {
      expect(may.publish(`devices/${victim}/state`, 0, false)).toBe(false);
      expect(may.receive(`devices/${victim}/state`)).toBe(false);
      expect(may.subscribe(`devices/${victim}/#`)).toBe(false);
      if (id !== victim) expect(may.connect(victim)).toBe(false);
    }
    // As filters these would match the topics of everybody.
    for (const filter of ['devices/+/#', 'devices/#/#', 'devices/#', '+/x', '#/x', '$aws/x'])
      expect(may.subscribe(filter)).toBe(false);
  });

  it('whose value has a wildcard of policies stands for exactly this value', () => {
    const may = permissions([own], { 'iot:ClientId': 'l*' });
    expect(may.connect('l*')).toBe(true);
    expect(may.connect('lamp')).toBe(false);
    expect(may.publish('devices/l*/state', 0, false)).toBe(true);
    expect(may.publish('devices/lamp/state', 0, false)).toBe(false);
  });

  it('may have any value in the identifier of a client', () => {
    const values = { 'iot:ClientId': 'x', 'thimble:Claim.sub': '$a/+#' };
    expect(permissions([policy(allow('iot:Connect', `client/\${thimble:Claim.sub}`))], values).connect('$a/+#')).toBe(
      true,
    );
  });

  it('without a value allows nothing, and denies whatever its value could have been', () => {
    const document = policy(
      allow('iot:Publish', ['topic/a/*', `topic/\${thimble:Claim.sub}/x`]),
      deny('iot:Publish', `topic/a/\${thimble:Claim.site}/x`),
    );
    const may = permissions([document]);
    expect(may.publish('b/x', 0, false)).toBe(false);
    expect(may.publish('a/anything/x', 0, false)).toBe(false);
    expect(may.publish('a/anything/y', 0, false)).toBe(true);
    const bad = permissions([document], { 'thimble:Claim.site': 'b/+' });
    expect(bad.publish('a/anything/x', 0, false)).toBe(false);
    const good = permissions([document], { 'thimble:Claim.site': 'b' });
    expect(good.publish('a/b/x', 0, false)).toBe(false);
    expect(good.publish('a/anything/x', 0, false)).toBe(true);
  });
});

describe('a document that cannot be kept to is refused, and the message says where', () => {
  const good = allow('iot:Publish', 'topic/a');
  const rows: [document: unknown, message: string][] = [
    [[], 'p: the policy is an empty list; allowed is an object'],
    [{}, 'p: the policy lacks "Statement"'],
    [{ Statement: [] }, 'p: Statement is an empty list; allowed is a list with at least 1 entry'],
    [{ Statement: 'x' }, 'p: Statement is "x"; allowed is an object'],
    [{ Version: '2008-10-17', Statement: good }, 'p: Version is "2008-10-17"; allowed is "2012-10-17"'],
    [
      { Statement: [good, { ...good, Condition: {} }] },
      'p: Statement[1] has no option "Condition"; allowed are Sid, Effect, Action, Resource',
    ],
    [{ Statement: [{ ...good, Principal: '*' }] }, 'p: Statement[0] has no option "Principal"'],
    [{ Statement: [{ ...good, NotResource: 'x' }] }, 'p: Statement[0] has no option "NotResource"'],
    [{ Statement: { Action: 'iot:Publish', NotAction: 'x', Effect: 'Deny' } }, 'p: Statement lacks "Resource"'],
    [{ Statement: [{ ...good, Effect: 'allow' }] }, 'p: Statement[0].Effect must be one of Allow, Deny'],
    [{ Statement: [{ ...good, Action: [] }] }, 'p: Statement[0].Action is an empty list; allowed is an action such as'],
    [{ Statement: [{ ...good, Resource: 5 }] }, 'p: Statement[0].Resource is 5; allowed is a resource such as'],
    [policy(allow('iot:Pubish', 'topic/a')), 'p: Statement[0].Action: "iot:Pubish" is none; allowed are iot:Connect'],
    [policy(allow('s3:*', 'topic/a')), '"s3:*" is none'],
    [policy(allow(`\${iot:ClientId}`, 'topic/a')), 'only resources may have such'],
    [
      policy(deny('iot:Subscribe', 'topic/a')),
      'p: Statement[0].Resource: "topic/a" is nothing that iot:Subscribe could be about; allowed is topicfilter/…, or *',
    ],
    [policy(allow('iot:Publish', 'topics/a')), '"topics/a" is nothing that iot:Publish could be about'],
    [policy(allow('iot:Publish', 'a/b')), 'allowed is topic/…, or *'],
    [policy(allow('iot:Publish', 'arn:aws:s3:::bucket')), '"arn:aws:s3:::bucket" is no resource of AWS IoT'],
    [policy(allow('iot:Publish', `arn:aws:iot:\${a}:b:topic/x`)), 'is no resource of AWS IoT'],
    [policy(allow('iot:Publish', `topic/\${iot:ClientID}`)), `there is no variable \${iot:ClientID}; there are`],
    [policy(allow('iot:Publish', `topic/\${iot:Connection.Thing.Attributes[a]}`)), 'there is no variable'],
    [policy(allow('iot:Publish', `topic/\${thimble:Claim.}`)), 'there is no variable'],
    [policy(allow('iot:Publish', `topic/\${iot:ClientId`)), 'a variable that does not end'],
    [policy(allow('iot:Publish', `\${iot:ClientId}/a`)), 'has a variable where the type of a resource belongs'],
    [policy(allow('iot:Publish', `t?\${iot:ClientId}/a`)), 'has a variable where the type of a resource belongs'],
  ];
  it.each(rows)('%j', (document, message) => {
    const refusal = expect.objectContaining({ code: 'ERR_IDENTITY_POLICY', message: expect.stringContaining(message) });
    expect(() => parsePolicy(document, 'p')).toThrow(refusal);
  });

  it('but what AWS has for other services may stand there', () => {
    const document = policy(
      allow(['iot:GetThingShadow', 'iot:Publish'], [`${ARN}thing/lamp`, `${ARN}topic/a`]),
      allow('iot:UpdateThingShadow', `${ARN}thing/lamp`),
    );
    const may = permissions([document]);
    expect(may.publish('a', 0, false)).toBe(true);
    expect(may.publish('lamp', 0, false)).toBe(false);
  });

  it('and every variable of AWS that there is may stand there', () => {
    const names = [
      ...['Subject', 'Issuer'].flatMap((of) =>
        'CommonName Country DistinguishedNameQualifier GenerationQualifier GivenName Initials Organization OrganizationalUnit Pseudonym SerialNumber State Surname Title'
          .split(' ')
          .flatMap((name) => [`iot:Certificate.${of}.${name}`, `iot:Certificate.${of}.${name}.1`]),
      ),
      ...'DNSName IPAddress RFC822Name UniformResourceIdentifier'
        .split(' ')
        .map((name) => `iot:Certificate.Subject.AlternativeName.${name}`),
      ...['iot:Certificate.SerialNumber', 'iot:DomainName', 'iot:Connection.Thing.ThingName', 'aws:SourceIp'],
    ];
    for (const name of names) {
      const may = permissions([policy(allow('iot:Publish', `topic/\${${name}}`))], { [name]: 'value' });
      expect(may.publish('value', 0, false), name).toBe(true);
    }
  });
});

/** Few characters, so that wildcards and names meet often. */
const name = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '+', '#', '*', '?', '😀', '$'),
  minLength: 1,
  maxLength: 6,
});
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', '/', '+', '#', '😀', 'a/') },
  { weight: 3, arbitrary: fc.constantFrom('*', '?') },
  { weight: 2, arbitrary: fc.constantFrom(`\${iot:ClientId}`, `\${thimble:Claim.sub}`, `\${*}`, `\${?}`, `\${$}`) },
);
const ending = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
const type = fc.constantFrom('topic/', 'topicfilter/', 'client/', 't*/', 'topi?/', '*', `${ARN}topic/`, `${ARN}*`);
const anyStatement = fc.record({
  Effect: fc.constantFrom('Allow' as const, 'Allow' as const, 'Deny' as const),
  Action: fc.uniqueArray(
    fc.constantFrom(
      'iot:Publish',
      'iot:RetainPublish',
      'iot:Subscribe',
      'iot:Receive',
      'iot:Connect',
      'iot:*',
      'iot:*e',
    ),
    { minLength: 1, maxLength: 3 },
  ),
  Resource: fc.array(
    fc.tuple(type, ending).map((parts) => parts.join('')),
    { minLength: 1, maxLength: 6 },
  ),
});
const values = fc.record({ 'iot:ClientId': name, 'thimble:Claim.sub': name }, { requiredKeys: [] });

function isParsed(document: PolicyDocument): boolean {
  try {
    parsePolicy(document, 'p');
    return true;
  } catch {
    return false;
  }
}

describe('permissions made ready for a connection', () => {
  it('answer as a plain reading of the documents does, at the first question and at later ones', () => {
    let allowed = 0;
    let denied = 0;
    fc.assert(
      fc.property(
        fc.array(anyStatement, { minLength: 1, maxLength: 5 }),
        values,
        fc.array(name, { minLength: 1, maxLength: 8 }),
        (statements, values, names) => {
          const documents = statements.map((s): PolicyDocument => ({ Statement: s })).filter(isParsed);
          const may = permissions(documents, values as Values);
          const plain = (action: string, resource: string): boolean =>
            isAllowed(documents, action, resource, values as Values);
          for (const n of [...names, ...names]) {
            const publish = plain('iot:Publish', `topic/${n}`);
            expect(may.publish(n, 0, false)).toBe(publish);
            expect(may.publish(n, 0, true)).toBe(publish && plain('iot:RetainPublish', `topic/${n}`));
            expect(may.receive(n)).toBe(plain('iot:Receive', `topic/${n}`));
            expect(may.subscribe(n)).toBe(plain('iot:Subscribe', `topicfilter/${n}`));
            expect(may.connect(n)).toBe(plain('iot:Connect', `client/${n}`));
            if (publish) allowed++;
            else denied++;
          }
        },
      ),
      { numRuns: 1_000, seed: 1 },
    );
    expect(allowed).toBeGreaterThan(1_000);
    expect(denied).toBeGreaterThan(1_000);
  });

  it('keep answers for a bounded number of names, and none for long ones', () => {
    const may = permissions([policy(allow('iot:Publish', 'topic/*/x/*'))]);
    for (let i = 0; i < 1_000; i++) {
      expect(may.publish(`${i}/x/`, 0, false)).toBe(true);
      expect(may.publish(`${i}/y/`, 0, false)).toBe(false);
      expect(may.publish(`${i}${'z'.repeat(1_000)}/x/`, 0, false)).toBe(true);
    }
    const { kept } = (may as unknown as { publishing: { kept: Map<string, boolean> } }).publishing;
    expect(kept.size).toBeLessThanOrEqual(64);
    expect(kept.size).toBeGreaterThan(0);
    for (const key of kept.keys()) expect(key.length).toBeLessThanOrEqual(256);
  });
});

describe('the engine of policies', () => {
  it("knows nothing of Node's", () => {
    const folder = join(import.meta.dirname, '../../../../host/identity/policy');
    const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources)
      expect(source).not.toMatch(/['"]node:|\bprocess\.|Math\.random|Date\.now|new Date|setTimeout/);
  });
});
