// What a program that runs a broker can tell it.
import type { Access } from '../broker/access.js';
import type { BrokerConfig } from '../broker/config.js';
import type { IdentityConfig, IdentityPorts } from '../identity/index.js';
import type { ListenerLimits, ListenerSpec } from '../net/listeners.js';
import type { Log } from '../ports.js';
import type { StoreError } from '../store/error.js';

/** A listener; where it says nothing of it, at 127.0.0.1 and a port that is free. */
export type BrokerListener = Omit<ListenerSpec, 'host' | 'port'> & Partial<Pick<ListenerSpec, 'host' | 'port'>>;

/** What decides in the program itself, beside `identity`. */
export type IdentityHooks = Pick<IdentityPorts, 'authorizer' | 'methods' | 'redirect'>;

/** `disk`: what is acknowledged survives a power cut. `process`: kill -9, and no stop of the machine; about ten times faster. */
export type Durability = 'disk' | 'process';

export interface BrokerOptions {
  /** Default: one of the kind `mqtt`. None: only the program itself publishes and listens. */
  readonly listeners?: readonly BrokerListener[];
  /** Of each listener by itself; default: LISTENER_LIMITS. */
  readonly listenerLimits?: Partial<ListenerLimits>;
  /** Default: BROKER_DEFAULTS. */
  readonly limits?: Partial<Omit<BrokerConfig, 'access'>>;
  /** How clients are told apart, and what they may do. Default: everybody may do everything. */
  readonly identity?: IdentityConfig;
  /** Authenticators of the program's own, together with `identity` or alone: then nobody comes in whom they do not know. */
  readonly hooks?: IdentityHooks;
  /** Where file names in `identity` begin. Default: the current folder. */
  readonly baseFolder?: string;
  /** Instead of `identity` and `hooks`: who may do what, wholly by the program. */
  readonly access?: Access;
  /** A folder, made where there is none, in which sessions, messages and wills outlive the process. Default: nowhere. */
  readonly data?: string;
  /** Only with `data`. Default: `disk`. */
  readonly durability?: Durability;
  /** How often the topics below `$SYS` are brought up to date, ms, from 100; 0: there are none. Default: 10,000. */
  readonly sysIntervalMs?: number;
  /** Default: nobody is told. `lineLog()` writes to stderr. */
  readonly log?: Log;
  /**
   * The disk is full or fails: nothing is acknowledged from here on, since nothing would be kept. The program should end.
   * Default: an error that nobody catches, which ends it.
   */
  readonly onFailure?: (error: StoreError) => void;
}

/** What `RunningBroker.reload` replaces; what is left out is read again from the files that it names. */
export interface ReloadOptions {
  /** The same listeners in the same order: of these, `tls`. Default: as they are. */
  readonly listeners?: readonly Pick<BrokerListener, 'tls'>[];
  /** Default: as it was. */
  readonly identity?: IdentityConfig;
}
