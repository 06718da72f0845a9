// Who may connect, publish and subscribe, by the client ids that devices give. Who a device really is, MQTT-SN 1.2 cannot tell.
import { matches } from '../core/topics.js';

/** What one client may do. Topic filters; `{clientId}` in one stands for the client's id. Default: nothing. */
export interface ClientPermissions {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
}

/** Client id, or `*` for everybody without an entry of their own, to what it may do. An own entry replaces `*`. */
export type PermissionsConfig = Readonly<Record<string, ClientPermissions>>;

const EVERYBODY = '*';
const CLIENT_ID = '{clientId}';

/**
 * Ids that would make another filter of one with `{clientId}` than its author meant: with a wildcard, with a level more, or
 * one of the server's own topics.
 */
const AMBIGUOUS_ID = /[+#/\0]|^\$/;

interface Rules {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** Some filter has `{clientId}`. */
  readonly isPersonal: boolean;
}

/** Without a configuration everybody may do everything. The filters in it must be valid (host/core/permissions-schema.ts). */
export class Permissions {
  private readonly rules: ReadonlyMap<string, Rules> | undefined;

  constructor(config: PermissionsConfig | undefined) {
    this.rules = config && new Map(Object.entries(config).map(([clientId, entry]) => [clientId, rulesOf(entry)]));
  }

  /**
   * False where there is neither an entry of its own nor one for everybody; and where `{clientId}` in its entry would
   * have to stand for an id with `+`, `#` or `/`, or that begins with `$`.
   */
  mayConnect(clientId: string): boolean {
    if (this.rules === undefined) return true;
    const rules = this.rulesFor(clientId);
    return rules !== undefined && !(rules.isPersonal && AMBIGUOUS_ID.test(clientId));
  }

  /** `clientId` is undefined for a sender without a session (6.8): to it applies `*`, without what has `{clientId}`. */
  mayPublish(clientId: string | undefined, topicName: string): boolean {
    return this.someAllowed(clientId, 'publish', (allowed) => matches(allowed, topicName));
  }

  /** Only where one allowed filter takes in every topic that `filter` can match. */
  maySubscribe(clientId: string, filter: string): boolean {
    return this.someAllowed(clientId, 'subscribe', (allowed) => covers(allowed, filter));
  }

  /** For a message of a subscription that may be older than these permissions: a broker keeps it with the session. */
  mayReceive(clientId: string, topicName: string): boolean {
    return this.someAllowed(clientId, 'subscribe', (allowed) => matches(allowed, topicName));
  }

  private someAllowed(
    clientId: string | undefined,
    what: 'publish' | 'subscribe',
    allows: (filter: string) => boolean,
  ): boolean {
    if (this.rules === undefined) return true;
    const rules = this.rulesFor(clientId);
    if (rules === undefined) return false;
    const id = clientId === undefined || AMBIGUOUS_ID.test(clientId) ? undefined : clientId;
    return rules[what].some((filter) => {
      if (!filter.includes(CLIENT_ID)) return allows(filter);
      return id !== undefined && allows(filter.replaceAll(CLIENT_ID, () => id));
    });
  }

  private rulesFor(clientId: string | undefined): Rules | undefined {
    return (clientId === undefined ? undefined : this.rules?.get(clientId)) ?? this.rules?.get(EVERYBODY);
  }
}

function rulesOf({ publish = [], subscribe = [] }: ClientPermissions): Rules {
  return { publish, subscribe, isPersonal: [...publish, ...subscribe].some((filter) => filter.includes(CLIENT_ID)) };
}

/** True when every topic name that `filter` matches is matched by `allowed` too. Both must be valid. */
export function covers(allowed: string, filter: string): boolean {
  // No topic is empty: `#` sees no less than `+/#`, nor `/#` than `/+/#`.
  const narrow = (filter === '#' || filter === '/#' ? filter.replace('#', '+/#') : filter).split('/');
  const wide = allowed.split('/');
  // Leading wildcards do not see the server's own topics [MQTT-4.7.2-1].
  if (isWildcard(wide[0]!) && narrow[0]!.startsWith('$')) return false;
  for (const [i, level] of wide.entries()) {
    if (level === '#') return true; // also for the level above it (4.7.1.2)
    const other = narrow[i];
    if (other === undefined || other === '#') return false;
    if (level !== '+' && level !== other) return false;
  }
  return wide.length === narrow.length;
}

function isWildcard(level: string): boolean {
  return level === '+' || level === '#';
}
