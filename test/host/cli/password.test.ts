// The command that writes the broker's file of passwords: what it changes, what it leaves alone, and that nobody sees a secret.
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { promptSecret, readAll } from '../../../host/cli/secret-input.js';
import { parsePasswords } from '../../../host/identity/password-file.js';
import { isPassword } from '../../../host/identity/password-hash.js';
import { Exit, expectRefusal, type Result, temporaryFile, temporaryFolder, thimbleWithin } from './command.js';

/** Runs `thimble password ARGS` with this on stdin. */
async function password(args: readonly string[], stdin: string | Buffer): Promise<Result> {
  const input = Object.assign(new PassThrough(), { isTTY: false });
  input.end(stdin);
  const spy = vi.spyOn(process, 'stdin', 'get').mockReturnValue(input as never);
  try {
    return await thimbleWithin(['password', ...args]);
  } finally {
    spy.mockRestore();
  }
}

const users = (file: string) => parsePasswords(readFileSync(file), file);
const isRight = (file: string, user: string, secret: string): Promise<boolean> =>
  isPassword(Buffer.from(secret), users(file).get(user)!);

describe('thimble password', () => {
  it('makes the file, for its owner alone, and adds, changes and deletes users', async () => {
    const file = join(temporaryFolder(), 'passwords');
    expect(await password([file, 'ada'], 'first\n')).toEqual({
      exit: Exit.Done,
      stdout: `ada: added in ${file}\n`,
      stderr: '',
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await isRight(file, 'ada', 'first')).toBe(true);
    await password([file, 'bob'], 'of bob');
    const { stdout } = await password([file, 'ada', '--json'], 'second\r\n');
    expect(JSON.parse(stdout)).toEqual({ file, user: 'ada', done: 'changed' });
    expect(await isRight(file, 'ada', 'first')).toBe(false);
    expect(await isRight(file, 'ada', 'second')).toBe(true);
    expect(await isRight(file, 'bob', 'of bob')).toBe(true);
    expect(await password([file, 'ada', '--delete'], '')).toEqual({
      exit: Exit.Done,
      stdout: `ada: deleted in ${file}\n`,
      stderr: '',
    });
    expect([...users(file).keys()]).toEqual(['bob']);
    expect(readFileSync(file, 'utf8')).not.toMatch(/first|second|of bob/);
  });

  it('takes all of stdin but one line end: what else is there belongs to the password', async () => {
    const file = join(temporaryFolder(), 'passwords');
    for (const [stdin, secret] of [
      ['a b\n', 'a b'],
      ['two\nlines\n', 'two\nlines'],
      ['x\n\n', 'x\n'],
      ['pässwörd', 'pässwörd'],
    ] as const) {
      await password([file, 'ada'], stdin);
      expect(await isRight(file, 'ada', secret), JSON.stringify(stdin)).toBe(true);
    }
  });

  it('keeps comments, makes an open file private, and follows a link', async () => {
    const file = temporaryFile('passwords', '# ours\n\n');
    chmodSync(file, 0o644);
    const link = join(temporaryFolder(), 'link');
    symlinkSync(file, link);
    await password([link, 'ada'], 'secret');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(file, 'utf8')).toMatch(/^# ours\n\nada:\$scrypt\$ln=15,r=8,p=1\$\S+\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, '..'))).toEqual(['passwords']);
  });

  const folder = temporaryFolder();
  const nowhere = join(folder, 'nowhere', 'passwords');
  const broken = temporaryFile('broken', 'ada:plain text\n');
  const refused: [args: readonly string[], stdin: string, code: string, mentions: readonly string[]][] = [
    [[join(folder, 'p'), 'a:b'], 'x', 'ERR_USAGE_USER', ['USER "a:b"', 'without :']],
    [[join(folder, 'p'), ''], 'x', 'ERR_USAGE_USER', ['USER ""', '1 to 256 characters']],
    [[join(folder, 'p'), 'ada'], '', 'ERR_USAGE_PASSWORD', ['none came']],
    [[join(folder, 'p'), 'ada'], '\n', 'ERR_USAGE_PASSWORD', ['none came']],
    [[join(folder, 'p'), 'ada'], 'x'.repeat(65_536), 'ERR_USAGE_PASSWORD', ['too long']],
    [[join(folder, 'p'), 'ada', '--delete'], '', 'ERR_USAGE_USER', ['has no user "ada"']],
    [[nowhere, 'ada'], 'x', 'ERR_USAGE_FILE', [nowhere, 'there is no such folder']],
    [[folder, 'ada'], 'x', 'ERR_USAGE_FILE', [folder, 'a folder, where a file is needed']],
    [[broken, 'ada'], 'x', 'ERR_USAGE_FILE', [`FILE ${broken}: line 1: allowed is USER:$scrypt$`]],
  ];
  it.each(refused)('refuses %j and changes nothing', async (args, stdin, code, mentions) => {
    const { exit, stdout, stderr } = await password(args, stdin);
    expect({ exit, stdout }).toEqual({ exit: Exit.Usage, stdout: '' });
    for (const mention of [code, ...mentions]) expect(stderr).toContain(mention);
    expect(stderr).not.toContain('plain text');
    expect(existsSync(join(folder, 'p'))).toBe(false);
    expect(readFileSync(broken, 'utf8')).toBe('ada:plain text\n');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('wants a file and a user', () => expectRefusal(['password', 'file'], 'ERR_USAGE_OPTION', ['<FILE> <USER>']));
});

/** A terminal on which somebody types. */
function terminal() {
  const raw: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (mode: boolean) => raw.push(mode) });
  let shown = '';
  const output = { write: (text: string) => (shown += text) };
  return { input, raw, shown: () => shown, ask: () => promptSecret('Password: ', input as never, output as never) };
}

describe('a secret that is typed', () => {
  const typed: [keys: readonly (string | Buffer)[], secret: string][] = [
    [['secret\r'], 'secret'],
    [['se', 'cr', 'et', '\n'], 'secret'],
    [['wrong\u007f\u007f\u007f\u007f\u007f\bright\r'], 'right'],
    [['\u007fx\u0004'], 'x'],
    [[Buffer.from('pä').subarray(0, 2), Buffer.from('pä').subarray(2), '😀\u007f\r'], 'pä'],
    [['\r'], ''],
  ];
  it.each(typed)('%j is not shown', async (keys, secret) => {
    const { input, raw, shown, ask } = terminal();
    const asked = ask();
    for (const key of keys) input.write(key);
    expect(await asked).toBe(secret);
    expect(shown()).toBe('Password: \n');
    expect(raw).toEqual([true, false]);
    expect(input.listenerCount('data')).toBe(0);
  });

  it('may be broken off, and the terminal is as before', async () => {
    const { input, raw, ask } = terminal();
    const asked = ask();
    input.write('half\u0003');
    await expect(asked).rejects.toMatchObject({ code: 'ERR_USAGE_PASSWORD' });
    expect(raw).toEqual([true, false]);
  });
});

describe('a secret from a pipe', () => {
  it('is read no further than allowed', async () => {
    let made = 0;
    async function* endless() {
      for (; ; made++) yield Buffer.alloc(100);
    }
    expect(await readAll(endless(), 250)).toHaveLength(300);
    expect(made).toBeLessThan(5);
  });
});

describe('thimble password at a terminal', () => {
  async function typing(first: string, second: string): Promise<Result & { readonly file: string }> {
    const file = join(temporaryFolder(), 'passwords');
    const { input } = terminal();
    const spy = vi.spyOn(process, 'stdin', 'get').mockReturnValue(input as never);
    try {
      const done = thimbleWithin(['password', file, 'ada']);
      // A key typed between the two questions would be lost, as at any terminal that is not listened to.
      await vi.waitFor(() => expect(input.listenerCount('data')).toBe(1));
      input.write(`${first}\r`);
      await vi.waitFor(() => expect(input.readableFlowing && input.listenerCount('data')).toBe(1));
      input.write(`${second}\r`);
      return { ...(await done), file };
    } finally {
      spy.mockRestore();
    }
  }

  it('asks twice', async () => {
    const { exit, stderr, file } = await typing('secret', 'secret');
    expect(exit).toBe(Exit.Done);
    expect(stderr).toBe('Password of ada: \nOnce more: \n');
    expect(await isRight(file, 'ada', 'secret')).toBe(true);
  });

  it('changes nothing where the two differ', async () => {
    const { exit, stderr, file } = await typing('secret', 'Secret');
    expect(exit).toBe(Exit.Usage);
    expect(stderr).toContain('two different passwords');
    expect(stderr).not.toContain('ecret');
    expect(existsSync(file)).toBe(false);
  });
});
