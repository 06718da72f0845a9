// Shared subscriptions: MQTT 5.0, section 4.8.2. Of all who share one, one gets each message.

import type { Subscription } from './routes.js';
import type { Session } from './session.js';

/** What begins a shared subscription, with a name and a filter behind it. */
export const SHARE_PREFIX = '$share/';

/** The name and the filter in `$share/{name}/{filter}`; undefined for any other. The filter is valid. */
export function sharedParts(filter: string): { readonly name: string; readonly filter: string } | undefined {
  if (!filter.startsWith(SHARE_PREFIX)) return undefined;
  const slash = filter.indexOf('/', SHARE_PREFIX.length);
  return slash < 0 ? undefined : { name: filter.slice(SHARE_PREFIX.length, slash), filter: filter.slice(slash + 1) };
}

/** What a filter matches by: without the share that it may have. */
export const topicFilterOf = (filter: string): string => sharedParts(filter)?.filter ?? filter;

export class ShareGroup {
  private readonly members: Subscription[] = [];
  /** Whose turn it is. */
  private turn = 0;

  get size(): number {
    return this.members.length;
  }

  /** Adds a member, or replaces its subscription. */
  add(subscription: Subscription): void {
    const at = this.indexOf(subscription.session);
    if (at < 0) this.members.push(subscription);
    else this.members[at] = subscription;
  }

  remove(session: Session): void {
    const at = this.indexOf(session);
    if (at < 0) return;
    this.members.splice(at, 1);
    if (this.turn > at) this.turn--;
  }

  /**
   * Who gets the next message: in turn, those first that take it at once, then those that are connected, then those that will come
   * back. Undefined: nobody is left.
   */
  pick(topic: string, qos: number): Subscription | undefined {
    let best: Subscription | undefined;
    let bestRank = Rank.Never;
    let bestAt = 0;
    for (let i = 0; i < this.members.length && bestRank !== Rank.AtOnce; i++) {
      const at = (this.turn + i) % this.members.length;
      const member = this.members[at]!;
      const rank = rankOf(member, topic, qos);
      if (rank <= bestRank) continue;
      best = member;
      bestRank = rank;
      bestAt = at;
    }
    if (best !== undefined) this.turn = (bestAt + 1) % this.members.length;
    return best;
  }

  private indexOf(session: Session): number {
    return this.members.findIndex((member) => member.session === session);
  }
}

enum Rank {
  Never,
  Later,
  Connected,
  AtOnce,
}

function rankOf({ session, qos: granted }: Subscription, topic: string, qos: number): Rank {
  const { wire, outbound } = session;
  if (wire === undefined) return Math.min(qos, granted) > 0 ? Rank.Later : Rank.Never;
  if (!wire.mayReceive(topic)) return Rank.Never;
  return outbound.isOpen(Math.min(qos, granted)) && !wire.isCongested() ? Rank.AtOnce : Rank.Connected;
}
