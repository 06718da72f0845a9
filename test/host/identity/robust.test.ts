// Whatever a client sends, it is answered once and, without good credentials, refused; secrets are compared in a time that tells
// nothing; and the ports of Node see files change.
import { generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Verdict } from '../../../host/broker/access.js';
import { createAccess } from '../../../host/identity/access.js';
import { nodeIdentityPorts } from '../../../host/identity/node-ports.js';
import { formatHash, hashPassword } from '../../../host/identity/password-hash.js';
import { ALL, type Asked, requestOf, World } from './world.js';

vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof import('node:crypto')>();
  return { ...actual, timingSafeEqual: vi.fn(actual.timingSafeEqual) };
});

const COSTS = { ln: 10, r: 1, p: 1 };
const { publicKey } = generateKeyPairSync('ed25519');
const SECRET_KEY = 'the secret of an access key';
const FILES = {
  users: `ada:${formatHash(await hashPassword(Buffer.from('secret'), COSTS))}\n`,
  key: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  keys: JSON.stringify([{ accessKeyId: 'AKID', secretAccessKey: SECRET_KEY }]),
};
/** All ways in but the one for clients without credentials. */
const everything = (): World =>
  new World(
    {
      certificates: { policies: [ALL], allow: ['00'.repeat(32)] },
      tokens: [
        {
          name: 'a',
          keyFile: 'key',
          policies: [ALL],
          places: ['username', 'username-query', 'password', 'query', 'header'],
        },
      ],
      signedUrls: { keysFile: 'keys', policies: [ALL] },
      passwords: { file: 'users', policies: [ALL] },
    },
    FILES,
  );

const word = fc.constantFrom(
  ...[
    'eyJhbGciOiJub25lIn0',
    'eyJ',
    '.',
    '..',
    'e30',
    '{}',
    '?',
    '&',
    '=',
    '%',
    '%00',
    '/',
    'a',
    'ada',
    'token=',
    'Bearer ',
    '\0',
    '😀',
  ],
  ...[
    'x-amz-customauthorizer-name=a',
    'x-amz-customauthorizer-name=b',
    'X-Amz-Signature=',
    '0'.repeat(64),
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
  ],
  ...[
    'X-Amz-Credential=AKID%2F20300101%2Fr%2Fiotdevicegateway%2Faws4_request',
    'X-Amz-Date=20300101T120000Z',
    'X-Amz-SignedHeaders=host',
  ],
);
const text = fc.array(word, { maxLength: 12 }).map((words) => words.join(''));
const query = fc.array(word, { maxLength: 8 }).map((words) => `/mqtt?${words.join('&')}`);
const asked: fc.Arbitrary<Asked> = fc.record(
  {
    clientId: text,
    username: text,
    password: fc.oneof(text, fc.uint8Array({ maxLength: 40 })),
    peer: fc.record(
      {
        transport: fc.constantFrom('tcp', 'tls', 'ws', 'wss', 'local'),
        url: fc.oneof(query, text),
        headers: fc.record({ host: text, authorization: text, token: text }, { requiredKeys: [] }),
        certificate: fc.uint8Array({ maxLength: 40 }),
        serverName: text,
      },
      { requiredKeys: [] },
    ),
    why: fc.constantFrom('connect', 'refresh'),
  },
  { requiredKeys: [] },
);

describe('whatever a client sends', () => {
  it('it is refused, once, and hears of nothing that failed', async () => {
    const w = everything();
    const whys = new Set<string>();
    await fc.assert(
      fc.asyncProperty(asked, async (one) => {
        const [why] = await w.refused(one);
        whys.add(why);
      }),
      { numRuns: 1_000, seed: 1 },
    );
    expect(whys).not.toContain('failure');
    for (const why of [
      'password',
      'certificate-malformed',
      'url-malformed',
      'token-malformed',
      'authorizer-unknown',
      'no-credentials',
    ])
      expect(whys).toContain(why);
  });
});

describe('a secret', () => {
  const compared = vi.mocked(timingSafeEqual);
  const lengths = (): number[] => compared.mock.calls.map(([a]) => a.byteLength);

  it('of a user is compared in constant time, that of nobody too', async () => {
    for (const username of ['ada', 'nobody']) {
      compared.mockClear();
      expect((await everything().refused({ username, password: 'wrong' }))[0]).toBe('password');
      expect(lengths()).toEqual([32]);
    }
  });

  it('of an access key makes a signature that is compared in constant time, that of nobody too', async () => {
    for (const id of ['AKID', 'NOBODY']) {
      compared.mockClear();
      const url = `/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${id}%2F20300101%2Fr%2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20300101T120000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=${'0'.repeat(64)}`;
      expect((await everything().refused({ peer: { transport: 'wss', url, headers: { host: 'h' } } }))[0]).toBe(
        'url-signature',
      );
      expect(lengths()).toEqual([64, 64]);
    }
  });
});

describe("Node's ports", () => {
  it('see a file change', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'thimble-identity-'));
    try {
      const file = join(folder, 'users');
      writeFileSync(file, FILES.users);
      let nowMs = 0;
      const access = createAccess(
        { passwords: { file, policies: [ALL] } },
        { ...nodeIdentityPorts(() => 7), epochMs: () => nowMs },
      );
      const ask = (username: string): Promise<[outcome: Verdict['outcome'], now: number]> =>
        new Promise((resolve) => {
          access.connect(
            requestOf({ username, password: 'secret' }),
            (verdict, now) => resolve([verdict.outcome, now]),
            0,
          );
        });
      expect(await ask('ada')).toEqual(['accepted', 7]);
      expect(await ask('augusta')).toEqual(['refused', 7]);
      writeFileSync(file, FILES.users.replace('ada', 'augusta'));
      nowMs += 1_000;
      expect(await ask('augusta')).toEqual(['accepted', 7]);
      expect(await ask('ada')).toEqual(['refused', 7]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tell of a file that there is not', () => {
    const failing = (): unknown =>
      createAccess(
        { passwords: { file: '/nowhere/users' } },
        nodeIdentityPorts(() => 0),
      );
    expect(failing).toThrow(
      expect.objectContaining({
        code: 'ERR_IDENTITY_FILE',
        message: 'identity.passwords.file /nowhere/users: cannot be read: there is no such file',
      }),
    );
  });
});
