// Who may come in, exchangeable while the broker runs.
import { resolve } from 'node:path';
import type { Access, Answer, ConnectRequest } from '../broker/access.js';
import { BrokerError } from '../broker/errors.js';
import { IdentityError } from '../identity/error.js';
import type { IdentityConfig, IdentityPorts } from '../identity/index.js';
import { monotonicNow } from '../net/clock.js';
import type { Log, Millis } from '../ports.js';
import type { BrokerOptions } from './options.js';

/** Clients that are connected keep what they were allowed until they are judged anew. */
export class IdentityDoor implements Access {
  private current: Access;

  constructor(
    private readonly make: (config: IdentityConfig) => Access,
    private config: IdentityConfig,
  ) {
    this.current = make(config);
  }

  connect(request: ConnectRequest, answer: Answer, now: Millis): void {
    this.current.connect(request, answer, now);
  }

  /** Reads the files anew. Throws IdentityError, and nothing has changed; otherwise returns what puts it in place. */
  prepare(config: IdentityConfig = this.config): () => void {
    const next = this.make(config);
    return () => {
      this.current = next;
      this.config = config;
    };
  }
}

/** Undefined: everybody may do everything. Throws IdentityError, or ERR_BROKER_CONFIG where there is too much of it. */
export async function openDoor(options: BrokerOptions, log: Log): Promise<Access | undefined> {
  const { identity, hooks, access, baseFolder = '.' } = options;
  const isIdentity = identity !== undefined || hooks !== undefined;
  if (access !== undefined && isIdentity) {
    throw new BrokerError(
      'ERR_BROKER_CONFIG',
      'access stands instead of identity and hooks: leave out one or the other',
    );
  }
  if (!isIdentity) return access;
  const { createAccess, nodeIdentityPorts } = await import('../identity/index.js'); // with jose and ajv: for those who use it
  const node = nodeIdentityPorts(monotonicNow);
  const place = (path: string): string => resolve(baseFolder, path);
  const ports: IdentityPorts = {
    ...node,
    readFile: (path) => node.readFile(place(path)),
    fileVersion: (path) => node.fileVersion!(place(path)),
    audit: (event, fields) => log('warn', event, fields),
    ...hooks,
  };
  const names = (options.listeners ?? []).flatMap(({ name }) => name ?? []);
  const make = (config: IdentityConfig): Access => {
    const made = createAccess(config, ports);
    checkListeners(config, names);
    return made;
  };
  return new IdentityDoor(make, identity ?? {});
}

const TRANSPORTS: readonly string[] = ['tcp', 'tls', 'ws', 'wss'];

/** A name that no listener has would close a way in without a word. Throws ERR_IDENTITY_CONFIG. */
function checkListeners(config: IdentityConfig, names: readonly string[]): void {
  const { certificates, tokens = [], signedUrls, passwords, anonymous } = config;
  const ways = Object.entries({ certificates, signedUrls, passwords, anonymous }).map(
    ([key, way]) => [`identity.${key}`, way] as const,
  );
  for (const [place, way] of [...ways, ...tokens.map((one, i) => [`identity.tokens[${i}]`, one] as const)]) {
    const stray = way?.listeners?.find((name) => !TRANSPORTS.includes(name) && !names.includes(name));
    if (stray === undefined) continue;
    const named = names.length === 0 ? 'no listener has a name' : `listeners are ${names.join(', ')}`;
    const what = `there is no listener "${stray}"; ${named}, and transports tcp, tls, ws, wss`;
    throw new IdentityError('ERR_IDENTITY_CONFIG', `${place}.listeners`, what);
  }
}
