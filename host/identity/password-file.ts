// The file of users and their passwords: a line each, `user:$scrypt$…`. Empty lines and such that begin with # are for people.
import { IdentityError } from './error.js';
import { formatHash, type PasswordHash, parseHash } from './password-hash.js';

const USER_CHARS_MAX = 256;

/** A name that a line can hold. */
export function isUserName(name: string): boolean {
  return name.length > 0 && name.length <= USER_CHARS_MAX && !/^[#\s]|[:\p{Cc}]|\s$/u.test(name);
}

export const USER_NAME_IN_WORDS = `1 to ${USER_CHARS_MAX} characters without : and control characters, no space around it, no # in front`;

/** `place` begins messages. Throws ERR_IDENTITY_FILE. */
export function parsePasswords(content: Uint8Array, place: string): ReadonlyMap<string, PasswordHash> {
  const users = new Map<string, PasswordHash>();
  for (const [index, line] of linesOf(content).entries()) {
    if (isForPeople(line)) continue;
    const [name, text] = split(line);
    const hash = parseHash(text);
    // The line itself is not told: it may be a password that somebody has typed there.
    if (!isUserName(name) || hash === undefined)
      fail(place, index, 'allowed is USER:$scrypt$…, as thimble password writes it');
    if (users.has(name)) fail(place, index, `the user "${name}" has a line already`);
    users.set(name, hash);
  }
  return users;
}

/** The file with another password for the user, or without the user where `hash` is undefined. All else stays as it is. */
export function withPassword(content: Uint8Array, name: string, hash: PasswordHash | undefined): string {
  const lines = linesOf(content);
  if (lines.at(-1) === '') lines.pop();
  const at = lines.findIndex((line) => !isForPeople(line) && split(line)[0] === name);
  const entry = hash === undefined ? [] : [`${name}:${formatHash(hash)}`];
  if (at === -1) lines.push(...entry);
  else lines.splice(at, 1, ...entry);
  return lines.map((line) => `${line}\n`).join('');
}

function linesOf(content: Uint8Array): string[] {
  return Buffer.from(content).toString('utf8').split(/\r?\n/);
}

const isForPeople = (line: string): boolean => line.trim() === '' || line.startsWith('#');

function split(line: string): [name: string, rest: string] {
  const colon = line.indexOf(':');
  return colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1)];
}

function fail(place: string, index: number, what: string): never {
  throw new IdentityError('ERR_IDENTITY_FILE', place, `line ${index + 1}: ${what}`);
}
