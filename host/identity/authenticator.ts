// One way in: what each kind of authenticator has to answer, and what they have in common.
import type { ConnectRequest, Peer } from '../broker/access.js';
import { ReasonCode } from '../broker/reason-codes.js';
import type { WayIn } from './config.js';
import type { PolicySet } from './policy/permissions.js';
import type { Variables } from './policy/variables.js';

const MS_PER_S = 1_000;

export interface Granted {
  readonly isGranted: true;
  readonly principal: string | undefined;
  readonly policies: PolicySet;
  /** Those that only this kind of credentials has. */
  readonly variables?: Variables;
  readonly disconnectAfterMs?: number | undefined;
  readonly refreshAfterMs?: number | undefined;
}

export interface Denied {
  readonly isGranted: false;
  /** For the client: it does not tell which part of the credentials was wrong. */
  readonly reason: ReasonCode;
  /** For the auditor, in words that stay. */
  readonly why: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export type Judgement = Granted | Denied;

export interface Authenticator {
  readonly kind: string;
  isFor(peer: Peer): boolean;
  /** Whether the client has shown credentials of this kind: then nobody else judges it. */
  hasCredentials(request: ConnectRequest): boolean;
  /** Never throws. */
  judge(request: ConnectRequest): Judgement | Promise<Judgement>;
}

/** The credentials are wrong. */
export function wrong(why: string, fields?: Denied['fields']): Denied {
  return { isGranted: false, reason: ReasonCode.BadUserNameOrPassword, why, ...(fields && { fields }) };
}

/** The credentials may be right, and such clients do not come in. */
export function unwanted(why: string, fields?: Denied['fields']): Denied {
  return { isGranted: false, reason: ReasonCode.NotAuthorized, why, ...(fields && { fields }) };
}

/** Nobody can tell at the moment. */
export function unavailable(why: string, fields?: Denied['fields']): Denied {
  return { isGranted: false, reason: ReasonCode.ServerUnavailable, why, ...(fields && { fields }) };
}

/** Clients of the same process come in by no way of the network's. */
export function isForPeer(listeners: readonly string[] | undefined, peer: Peer): boolean {
  if (peer.transport === 'local') return false;
  if (listeners === undefined) return true;
  return listeners.includes(peer.transport) || (peer.listener !== undefined && listeners.includes(peer.listener));
}

/** What the configuration says of how long connections last. */
export function lifetimeOf({
  disconnectAfterS,
  refreshAfterS,
}: WayIn): Pick<Granted, 'disconnectAfterMs' | 'refreshAfterMs'> {
  return {
    disconnectAfterMs: disconnectAfterS === undefined ? undefined : disconnectAfterS * MS_PER_S,
    refreshAfterMs: refreshAfterS === undefined ? undefined : refreshAfterS * MS_PER_S,
  };
}

/** The least of those that there are. */
export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(1, Math.min(...known));
}
