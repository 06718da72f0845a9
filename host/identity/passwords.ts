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
import { WatchedFile } from './watched-file.js';

const KEY = 'identity.passwords';
/** Passwords that wait to be compared, which takes time and memory. One more client is told that the server is busy. */
const CHECKS_MAX = 256;
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
  private checks = 0;

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

  async judge({ packet }: ConnectRequest): Promise<Judgement> {
    const { username = '', password = NO_PASSWORD } = packet;
    if (this.checks === CHECKS_MAX)
      return { isGranted: false, reason: ReasonCode.ServerBusy, why: 'too-many-passwords' };
    const { hashes, nobody } = this.file.value;
    const known = hashes.get(username);
    this.checks++;
    try {
      const isRight = await isPassword(password, known ?? nobody);
      if (!isRight || known === undefined) return wrong('password', { username: username.slice(0, TOLD_CHARS_MAX) });
    } finally {
      this.checks--;
    }
    return {
      isGranted: true,
      principal: username,
      policies: this.byUser.get(username) ?? this.policies,
      variables: (name) => (name === 'thimble:Username' ? username : undefined),
      ...lifetimeOf(this.config),
    };
  }
}
