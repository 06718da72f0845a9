// Clients without credentials: those of the network where the configuration lets them in, and those of the same process.
import type { ConnectRequest, Peer } from '../broker/access.js';
import { type Authenticator, isForPeer, type Judgement, lifetimeOf, wrong } from './authenticator.js';
import type { WayIn } from './config.js';
import type { PolicyBook } from './policies.js';
import { PolicySet } from './policy/permissions.js';
import { isSignedUrl } from './sigv4.js';
import { authorizerAskedFor } from './token-places.js';

abstract class Uncredentialed implements Authenticator {
  abstract readonly kind: string;
  private readonly policies: PolicySet;

  /** Throws an IdentityError. */
  constructor(
    protected readonly config: WayIn,
    book: PolicyBook,
    key: string,
  ) {
    this.policies = new PolicySet(book.resolve(config.policies, `${key}.policies`));
  }

  abstract isFor(peer: Peer): boolean;
  abstract hasCredentials(request: ConnectRequest): boolean;

  judge(): Judgement {
    return { isGranted: true, principal: undefined, policies: this.policies, ...lifetimeOf(this.config) };
  }
}

export class Anonymous extends Uncredentialed {
  readonly kind = 'anonymous';

  constructor(config: WayIn, book: PolicyBook) {
    super(config, book, 'identity.anonymous');
  }

  isFor(peer: Peer): boolean {
    return isForPeer(this.config.listeners, peer);
  }

  /** Whoever shows credentials wants to be known by them, and is not let in without because nobody could make sense of them. */
  hasCredentials(request: ConnectRequest): boolean {
    const { packet, peer } = request;
    if (packet.username !== undefined || packet.password !== undefined) return false;
    if (peer.headers?.authorization !== undefined || isSignedUrl(peer.url)) return false;
    return authorizerAskedFor(request) === undefined;
  }
}

export class Local extends Uncredentialed {
  readonly kind = 'local';

  constructor(config: WayIn, book: PolicyBook) {
    super(config, book, 'identity.local');
  }

  isFor(peer: Peer): boolean {
    return peer.transport === 'local';
  }

  hasCredentials(): boolean {
    return true;
  }
}

/** Clients that ask for an authorizer by a name that there is not. */
export class UnknownAuthorizer implements Authenticator {
  readonly kind = 'token';

  isFor(peer: Peer): boolean {
    return isForPeer(undefined, peer);
  }

  hasCredentials(request: ConnectRequest): boolean {
    return authorizerAskedFor(request) !== undefined;
  }

  judge(): Judgement {
    return wrong('authorizer-unknown');
  }
}
