// The subscriptions of the shared session: the union of what the clients asked for.
//
// Every SUBSCRIBE of a client becomes one of the shared session, even where the filter is subscribed already, because the
// broker sends retained messages only then. UNSUBSCRIBE goes out when the last client has left a filter.
//
// All filters are subscribed at the highest QoS that any client has asked for any of them, and a copy is lowered here to
// what its receiver asked for. Filters overlap, and mosquitto 2.0 sends the one copy at the QoS of whichever subscription
// it finds first, not the highest [MQTT-3.3.5-1]: a client of QoS 0 would take another one's QoS 2 away. It is not
// lowered again when the one who asked has left: that would bring every retained message once more, for nobody.
import { SubscriptionTree } from '../core/subscriptions.js';
import type { Millis, Qos } from '../ports.js';
import type { Hub, VirtualClient } from './aggregating-client.js';
import { lowerOf } from './aggregating-client.js';
import type { RetainedWaiters } from './aggregating-retained.js';

interface Filter {
  /** Whose it is, and what each asked for. */
  readonly users: Map<VirtualClient, Qos>;
  /** SUBSCRIBEs without an answer. */
  pending: number;
  /** The newest SUBSCRIBE's; -1 when the broker does not have the subscription. */
  asked: Qos | -1;
  /** The newest answer's; undefined before the first. */
  granted: Qos | undefined;
}

/** A client's SUBSCRIBE without an answer. */
interface Ask {
  readonly client: VirtualClient;
  readonly filter: string;
  readonly qos: Qos;
  isCancelled: boolean;
}

export class SharedFilters {
  /** Who gets what. */
  readonly tree = new SubscriptionTree<VirtualClient>();
  private readonly filters = new Map<string, Filter>();
  private readonly asks = new Set<Ask>();
  /** Filters that the broker may still have though nobody uses them: their last user left while it was out of reach. */
  private readonly strays = new Set<string>();
  private qosAsked: Qos = 0;

  constructor(
    private readonly hub: Hub,
    private readonly waiters: RetainedWaiters,
  ) {}

  get size(): number {
    return this.filters.size;
  }

  /** From the store: the broker is believed to have it. */
  restore(client: VirtualClient, name: string, asked: Qos, granted: Qos): void {
    const filter = this.at(name);
    filter.users.set(client, asked);
    filter.asked = 2; // at least what anybody here has asked for
    filter.granted = granted;
    this.qosAsked = asked > this.qosAsked ? asked : this.qosAsked;
    client.subscriptions.set(name, { asked, granted });
    this.tree.add(name, client, granted);
  }

  /** `done` in the order of the broker's answers; not at all when the session is lost before. */
  subscribe(
    client: VirtualClient,
    name: string,
    qos: Qos,
    now: Millis,
    done: (granted: Qos | undefined, now: Millis) => void,
  ): void {
    this.raise(lowerOf(qos, this.hub.qosMax), now);
    const ask: Ask = { client, filter: name, qos, isCancelled: false };
    this.asks.add(ask);
    this.waiters.add(client, name, qos, now);
    this.request(name, now, (granted, at) => {
      this.asks.delete(ask);
      if (granted === undefined) this.waiters.remove(client, name);
      else if (!ask.isCancelled && !client.isEnded) this.grant(client, name, qos);
      done(granted === undefined ? undefined : lowerOf(qos, granted), at);
    });
  }

  unsubscribe(client: VirtualClient, name: string, now: Millis, done: (now: Millis) => void): void {
    for (const ask of this.asks) if (ask.client === client && ask.filter === name) ask.isCancelled = true;
    this.waiters.remove(client, name);
    if (!client.subscriptions.delete(name)) {
      done(now);
      return;
    }
    this.tree.remove(name, client);
    this.write(client);
    if (!this.leave(client, name, now, done)) done(now);
  }

  /** The client's session is over. */
  forget(client: VirtualClient, now: Millis): void {
    for (const ask of this.asks) if (ask.client === client) ask.isCancelled = true;
    this.waiters.forget(client);
    for (const name of client.subscriptions.keys()) {
      this.tree.remove(name, client);
      this.leave(client, name, now, () => {});
    }
    client.subscriptions.clear();
  }

  /** The shared session is over for now. */
  lost(): void {
    this.asks.clear();
    for (const [name, filter] of this.filters) {
      if (filter.pending === 0) continue;
      filter.pending = 0;
      filter.asked = -1; // whether the broker has it is not known
      if (filter.users.size > 0) continue;
      this.filters.delete(name);
      this.strays.add(name);
    }
  }

  /** The shared session is back. A broker that has lost its part is told everything. */
  connected(sessionPresent: boolean, now: Millis): void {
    if (sessionPresent) for (const name of this.strays) this.hub.link?.unsubscribe(name, now, () => {});
    this.strays.clear();
    for (const [name, filter] of this.filters) {
      if (!sessionPresent) filter.asked = -1;
      if (filter.asked < this.qosAsked) this.again(name, now);
    }
  }

  private at(name: string): Filter {
    const known = this.filters.get(name);
    if (known !== undefined) return known;
    const filter: Filter = { users: new Map(), pending: 0, asked: -1, granted: undefined };
    this.filters.set(name, filter);
    return filter;
  }

  private raise(qos: Qos, now: Millis): void {
    if (qos <= this.qosAsked) return;
    this.qosAsked = qos;
    for (const name of this.filters.keys()) this.again(name, now);
  }

  /** For clients that believe in their subscription already. A refusal changes nothing: it is tried at the next connection. */
  private again(name: string, now: Millis): void {
    this.request(name, now, (granted) => {
      if (granted === undefined) this.hub.warn('subscription-lost', { filter: name });
    });
  }

  private request(name: string, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    const { link } = this.hub;
    const filter = this.at(name);
    filter.pending++;
    filter.asked = this.qosAsked;
    link?.subscribe(name, this.qosAsked, now, (granted, at) =>
      this.hub.step(() => {
        if (this.hub.link !== link) return;
        filter.pending--;
        if (granted !== undefined) this.regrant(name, filter, granted);
        else filter.asked = -1;
        done(granted, at);
        this.drop(name, filter, at, () => {});
      }),
    );
  }

  /** What all get changes with the newest grant. */
  private regrant(name: string, filter: Filter, granted: Qos): void {
    const isOther = filter.granted !== granted;
    filter.granted = granted;
    if (isOther) for (const client of filter.users.keys()) this.set(client, name, filter);
  }

  private grant(client: VirtualClient, name: string, qos: Qos): void {
    const filter = this.at(name);
    filter.users.set(client, qos);
    this.set(client, name, filter);
  }

  private set(client: VirtualClient, name: string, { users, granted }: Filter): void {
    const asked = users.get(client)!;
    const given = lowerOf(asked, granted!);
    client.subscriptions.set(name, { asked, granted: given });
    this.tree.add(name, client, given);
    this.write(client);
  }

  private write(client: VirtualClient): void {
    if (client.isClean) return;
    const subscriptions = [...client.subscriptions].map(
      ([name, { asked, granted }]) => [name, asked, granted] as const,
    );
    this.hub.journal.put('client', client.clientId, { subscriptions });
  }

  /** True when it was the last one's, so that `done` comes with UNSUBACK. */
  private leave(client: VirtualClient, name: string, now: Millis, done: (now: Millis) => void): boolean {
    const filter = this.filters.get(name);
    if (filter === undefined || !filter.users.delete(client)) return false;
    return this.drop(name, filter, now, done);
  }

  private drop(name: string, filter: Filter, now: Millis, done: (now: Millis) => void): boolean {
    if (filter.users.size > 0 || filter.pending > 0 || this.filters.get(name) !== filter) return false;
    this.filters.delete(name);
    const { link } = this.hub;
    if (link === undefined) {
      this.strays.add(name);
      return false;
    }
    if (filter.granted === undefined) return false; // refused: there is nothing to end
    link.unsubscribe(name, now, (at) => this.hub.step(() => done(at)));
    return true;
  }
}
