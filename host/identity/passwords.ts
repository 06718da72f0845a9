// Clients with a user name and a password. One that is not known takes as long to be refused as one with a wrong password.
import type { ConnectRequest, Peer } from '../broker/access.js';
import { ReasonCode } from '../broker/reason-codes.js';
import { type Authenticator, isForPeer, type Judgement, lifetimeOf, wrong } from './authenticator.js';
import type { PasswordsConfig } from './config.js';
import { parsePasswords } from './password-file.js';
import { hashOfNobody, isPassword, type PasswordHash } from './password-hash.js';
import type { PolicyBook } from './policies.js';
import { PolicySet } from './policy/permissions.js';
import type { IdentityPorts } from './ports.js';
import { Turnstile, type TurnstileLimits } from './turnstile.js';
import { WatchedFile } from './watched-file.js';

const KEY = 'identity.passwords';
/**
 * To compare a password takes a tenth of a second, memory, and one of the four threads on which Node also looks up names and the
 * journal is written. One that finds no place is told that the server is busy: it would not be answered in time anyhow.
 */
const CHECKS: TurnstileLimits = { runningMax: 3, placesMax: 32, placesEachMax: 16 };
/** Longer names are cut in what is told. */
const TOLD_CHARS_MAX = 64;
const NO_PASSWORD = new Uint8Array();

interface Users {
  readonly hashes: ReadonlyMap<string, PasswordHash>;
  /** What is compared where there is no such user. */
  readonly nobody: PasswordHash;
}

export class Passwords implements Authenticator {
  readonly kind = 'password';
  private readonly file: WatchedFile<Users>;
  private readonly policies: PolicySet;
  private readonly byUser: ReadonlyMap<string, PolicySet>;
  private readonly turnstile = new Turnstile(CHECKS);

  /** Throws an IdentityError. */
  constructor(
    private readonly config: PasswordsConfig,
    book: PolicyBook,
    ports: IdentityPorts,
  ) {
    this.file = new WatchedFile(ports, `${KEY}.file`, config.file, (content, place) => {
      const hashes = parsePasswords(content, place);
      return { hashes, nobody: hashOfNobody([...hashes.values()][0]) };
    });
    const all = book.resolve(config.policies, `${KEY}.policies`);
    this.policies = new PolicySet(all);
    this.byUser = new Map(
      Object.entries(config.users ?? {}).map(([user, references]) => {
        return [user, new PolicySet([...all, ...book.resolve(references, `${KEY}.users.${user}`)])];
      }),
    );
  }

  isFor(peer: Peer): boolean {
    return isForPeer(this.config.listeners, peer);
  }

  hasCredentials({ packet }: ConnectRequest): boolean {
    return packet.username !== undefined || packet.password !== undefined;
  }

  async judge({ packet, peer, why }: ConnectRequest): Promise<Judgement> {
    const { username = '', password = NO_PASSWORD } = packet;
    const { address = '' } = peer;
    // Who is in already is not thrown out for those who are not.
    if (why === 'connect' && !this.turnstile.hasRoomFor(address)) {
      return { isGranted: false, reason: ReasonCode.ServerBusy, why: 'too-many-passwords' };
    }
    const { hashes, nobody } = this.file.value;
    const known = hashes.get(username);
    const isRight = await this.turnstile.pass(address, () => isPassword(password, known ?? nobody));
    if (!isRight || known === undefined) return wrong('password', { username: told(username) });
    return {
      isGranted: true,
      principal: username,
      policies: this.byUser.get(username) ?? this.policies,
      variables: (name) => (name === 'thimble:Username' ? username : undefined),
      ...lifetimeOf(this.config),
    };
  }
}

/** Without what may be a token, that somebody has put where another broker looks for it. */
function told(username: string): string {
  const name = username.replace(/\?.+/s, '?…').replace(/^eyJ.*/s, 'eyJ…');
  return name.slice(0, TOLD_CHARS_MAX);
}
