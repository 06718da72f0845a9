// thimble password: the broker's users and their passwords, in a file that only its owner can read.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { IdentityError } from '../identity/error.js';
import { isUserName, parsePasswords, USER_NAME_IN_WORDS, withPassword } from '../identity/password-file.js';
import { hashPassword } from '../identity/password-hash.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';
import { print, printJson } from './output.js';
import { promptSecret, readAll } from './secret-input.js';

export interface PasswordCommandOptions {
  readonly delete?: boolean;
  readonly json?: boolean;
}

type Done = 'added' | 'changed' | 'deleted';

/** Nobody else may read it, or offer hashes of his own. */
const MODE = 0o600;
const PASSWORD_BYTES_MAX = 65_535;

export async function runPassword(file: string, user: string, options: PasswordCommandOptions): Promise<void> {
  if (!isUserName(user))
    throw new UsageError('ERR_USAGE_USER', `USER ${JSON.stringify(user)}: allowed are ${USER_NAME_IN_WORDS}`);
  const isThere = existsSync(file);
  const content = isThere ? readInput('FILE', file) : Buffer.alloc(0);
  const isKnown = usersIn(file, content).has(user);
  if (options.delete === true) {
    if (!isKnown) throw new UsageError('ERR_USAGE_USER', `${file} has no user "${user}"`);
    replace(file, withPassword(content, user, undefined));
    say('deleted', file, user, options);
    return;
  }
  const hash = await hashPassword(await askPassword(user));
  // Somebody may have changed it while the password was typed.
  const now = isThere ? readFileSync(file) : content;
  replace(file, withPassword(now, user, hash));
  say(isKnown ? 'changed' : 'added', file, user, options);
}

function usersIn(file: string, content: Uint8Array): ReadonlyMap<string, unknown> {
  try {
    return parsePasswords(content, file);
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
    throw new UsageError('ERR_USAGE_FILE', `FILE ${error.message}`);
  }
}

async function askPassword(user: string): Promise<Uint8Array> {
  const { stdin } = process;
  const password = stdin.isTTY ? await promptTwice(user) : withoutLineEnd(await readAll(stdin, PASSWORD_BYTES_MAX + 2));
  if (password.length >= 1 && password.length <= PASSWORD_BYTES_MAX) return password;
  const what = password.length === 0 ? 'none came' : 'it is too long';
  throw new UsageError(
    'ERR_USAGE_PASSWORD',
    `a password of 1 to ${PASSWORD_BYTES_MAX} octets on stdin or typed: ${what}`,
  );
}

async function promptTwice(user: string): Promise<Uint8Array> {
  const first = await promptSecret(`Password of ${user}: `);
  const second = await promptSecret('Once more: ');
  if (first !== second)
    throw new UsageError('ERR_USAGE_PASSWORD', 'these were two different passwords; nothing has changed');
  return Buffer.from(first);
}

/** As `echo` and editors add it. */
function withoutLineEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end--;
  if (bytes[end - 1] === 0x0d && end < bytes.length) end--;
  return bytes.subarray(0, end);
}

/** Whoever reads it meanwhile finds the old file or the new one. */
function replace(file: string, text: string): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  const beside = `${target}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(beside, text, { mode: MODE, flag: 'wx' });
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such folder' : message;
    throw new UsageError('ERR_USAGE_FILE', `FILE ${file}: cannot be written: ${why}`);
  }
}

function say(done: Done, file: string, user: string, { json }: PasswordCommandOptions): void {
  if (json === true) printJson({ file, user, done });
  else print(`${user}: ${done} in ${file}`);
}
