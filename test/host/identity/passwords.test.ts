// Clients with user names and passwords, and the file that has them.
import { describe, expect, it, vi } from 'vitest';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import type { PasswordsConfig } from '../../../host/identity/config.js';
import { isUserName, parsePasswords, withPassword } from '../../../host/identity/password-file.js';
import * as hashes from '../../../host/identity/password-hash.js';
import { ALL, World } from './world.js';

/** The cheapest that is allowed: tests make many. */
const COSTS = { ln: 10, r: 8, p: 1 };
const hash = await hashes.hashPassword(Buffer.from('secret of Ada'), COSTS);
const FILE = `# for people\n\nada:${hashes.formatHash(hash)}\nbob:${hashes.formatHash(await hashes.hashPassword(Buffer.from('pw:of$Bob'), COSTS))}\n`;

const world = (config: Partial<PasswordsConfig> = {}): World =>
  new World({ passwords: { file: 'users', policies: [ALL], ...config } }, { users: FILE });

describe('a client with a user name and a password', () => {
  it('comes in with the right one, as this user', async () => {
    const { principal } = await world().accepted({ username: 'ada', password: 'secret of Ada' });
    expect(principal).toBe('ada');
    await world().accepted({ username: 'bob', password: 'pw:of$Bob' });
  });

  const wrong: [username: string | undefined, password: string | undefined][] = [
    ['ada', 'secret of ada'],
    ['ada', ''],
    ['ada', undefined],
    ['Ada', 'secret of Ada'],
    ['bob', 'secret of Ada'],
    ['nobody', 'secret of Ada'],
    ['', 'secret of Ada'],
    [undefined, 'secret of Ada'],
    ['ada', hashes.formatHash(hash)],
    ['# for people', ''],
    ['__proto__', 'x'],
  ];
  it.each(wrong)('is refused as %j with %j, and hears no more than that', async (username, password) => {
    const w = world();
    const asked = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
    expect(await w.refused(asked)).toEqual(['password', ReasonCode.BadUserNameOrPassword]);
    w.expectSecret('secret of', hashes.formatHash(hash));
  });

  it('that nobody knows is compared with a hash as costly as the others', async () => {
    const derived: unknown[] = [];
    const spy = vi.spyOn(hashes, 'isPassword').mockImplementation(async (_, { ln, r, p, hash }) => {
      derived.push({ ln, r, p, bytes: hash.length });
      return true;
    });
    try {
      const w = world();
      // Even if the comparison came out well by some chance.
      expect(await w.refused({ username: 'nobody', password: 'x' })).toEqual([
        'password',
        ReasonCode.BadUserNameOrPassword,
      ]);
      await w.accepted({ username: 'ada', password: 'x' });
      expect(derived).toEqual([
        { ...COSTS, bytes: 32 },
        { ...COSTS, bytes: 32 },
      ]);
    } finally {
      spy.mockRestore();
    }
  });

  it('has policies of its own besides those of all, with its name as a variable', async () => {
    const connect = {
      Statement: { Effect: 'Allow', Action: 'iot:Connect', Resource: `client/\${thimble:Username}-*` },
    } as const;
    const w = world({ policies: [connect], users: { bob: [ALL] } });
    const ada = { username: 'ada', password: 'secret of Ada' };
    await w.accepted({ ...ada, clientId: 'ada-1' });
    expect(await w.refused({ ...ada, clientId: 'bob-1' })).toEqual(['policy', ReasonCode.NotAuthorized]);
    await w.accepted({ username: 'bob', password: 'pw:of$Bob', clientId: 'ada-1' });
  });

  it('is refused when it is judged anew after it was taken out of the file', async () => {
    const w = world({ refreshAfterS: 300 });
    const ada = { username: 'ada', password: 'secret of Ada' };
    expect((await w.accepted(ada)).refreshAfterMs).toBe(300_000);
    w.files.set('users', withPassword(Buffer.from(FILE), 'ada', undefined));
    w.nowMs += 300_000;
    expect(await w.refused({ ...ada, why: 'refresh' })).toEqual(['password', ReasonCode.BadUserNameOrPassword]);
    expect(w.audited.at(-1)!.fields).toMatchObject({ request: 'refresh', username: 'ada' });
  });

  it('waits with a bounded number of others, beyond which the server is busy', async () => {
    const w = world();
    const asked = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].flatMap((address) =>
      Array.from({ length: 17 }, () => w.ask({ username: 'ada', password: 'x', peer: { address } })),
    );
    const reasons = (await Promise.all(asked)).map((verdict) => verdict.outcome === 'refused' && verdict.reason);
    expect(reasons.filter((reason) => reason === ReasonCode.ServerBusy)).toHaveLength(19);
    expect(reasons.filter((reason) => reason === ReasonCode.BadUserNameOrPassword)).toHaveLength(32);
    await w.accepted({ username: 'ada', password: 'secret of Ada' });
  });
});

describe('a hash', () => {
  it('of scrypt is that of RFC 7914, section 12', async () => {
    // N = 1024, r = 8, p = 16, the password "password", the salt "NaCl"; its first 64 octets.
    const hex =
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640';
    const known = { ln: 10, r: 8, p: 16, salt: Buffer.from('NaCl'), hash: Buffer.from(hex, 'hex') };
    expect(await hashes.isPassword(Buffer.from('password'), known)).toBe(true);
    expect(await hashes.isPassword(Buffer.from('Password'), known)).toBe(false);
  });

  it('survives being written and read', () => {
    expect(hashes.parseHash(hashes.formatHash(hash))).toEqual(hash);
  });

  it('has another salt each time, and no password in it', async () => {
    const again = await hashes.hashPassword(Buffer.from('secret of Ada'), COSTS);
    expect(Buffer.from(again.salt)).not.toEqual(Buffer.from(hash.salt));
    expect(Buffer.from(again.hash)).not.toEqual(Buffer.from(hash.hash));
  });

  const bad = [
    '',
    'secret',
    '$scrypt$ln=9,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
    '$scrypt$ln=21,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
    '$scrypt$ln=20,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
    '$scrypt$ln=15,r=0,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
    '$scrypt$ln=15,r=8,p=0$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA',
    '$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaGhhc2hoYXNoaGFzaA',
    '$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$aGFzaA',
    '$2b$10$abcdefghijklmnopqrstuv',
  ];
  it.each(bad)('is none: %s', (text) => {
    expect(hashes.parseHash(text)).toBeUndefined();
    expect(() => parsePasswords(Buffer.from(`# x\nada:${text}\n`), 'identity.passwords.file users')).toThrow(
      expect.objectContaining({
        code: 'ERR_IDENTITY_FILE',
        message: 'identity.passwords.file users: line 2: allowed is USER:$scrypt$…, as thimble password writes it',
      }),
    );
  });
});

describe('the file of passwords', () => {
  it('keeps what it has when a user is added, changed and taken away', () => {
    const added = withPassword(Buffer.from(FILE), 'eve', hash);
    expect(added).toBe(`${FILE}eve:${hashes.formatHash(hash)}\n`);
    const changed = withPassword(Buffer.from(added), 'bob', hash);
    expect(changed.split('\n')).toEqual(added.split('\n').with(3, `bob:${hashes.formatHash(hash)}`));
    expect(withPassword(Buffer.from(added), 'eve', undefined)).toBe(FILE);
    expect(withPassword(Buffer.from(''), 'eve', hash)).toBe(`eve:${hashes.formatHash(hash)}\n`);
    expect(withPassword(Buffer.from('# no line end'), 'eve', hash)).toBe(
      `# no line end\neve:${hashes.formatHash(hash)}\n`,
    );
  });

  it('has no user twice', () => {
    expect(() => parsePasswords(Buffer.from(`${FILE}ada:${hashes.formatHash(hash)}`), 'p')).toThrow(
      'p: line 5: the user "ada" has a line already',
    );
  });

  it('has no names that its lines could not hold', () => {
    for (const name of ['ada', 'ada@example.com', 'Ada L', 'ä😀', 'a#b']) expect(isUserName(name), name).toBe(true);
    for (const name of ['', ' a', 'a ', '#a', 'a:b', 'a\nb', 'a\0', '\ta', 'x'.repeat(257)])
      expect(isUserName(name), JSON.stringify(name)).toBe(false);
  });
});
