// By which ways a message reaches its subscribers: all subscriptions by their filters, and for topics that were asked for
// lately the answer.
import { TopicTree } from '../core/topic-tree.js';
import { topicLevels } from '../core/topics.js';
import type { Qos } from '../ports.js';
import type { Session } from './session.js';
import { ShareGroup, sharedParts } from './shared.js';

export interface Subscription {
  /** As the client gave it, `$share/…` included. */
  readonly filter: string;
  readonly session: Session;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** Its identifier in a list of its own; undefined: none. */
  readonly ids: readonly number[] | undefined;
}

/** What a level of a filter takes in the tree, about: a node, a Map, a string. */
const FILTER_LEVEL_BYTES = 256;

/** What a filter takes that shares no level with others. A message passes by all levels that match, so this bounds time too. */
export const filterBytesOf = (filter: string): number => filter.length + topicLevels(filter) * FILTER_LEVEL_BYTES;

/** What one session, or one of those that share a subscription, gets of a message. */
export class Route {
  qos: Qos;
  retainAsPublished: boolean;
  /** Of all subscriptions that match [MQTT-3.3.4-3], [MQTT-3.3.4-4]. */
  ids: readonly number[] | undefined;
  /** These, once they are of more than one subscription: a list of the route's own. */
  private ownIds: number[] | undefined;
  /** Subscriptions besides the first. */
  private others: Subscription[] | undefined;

  constructor(
    /** Undefined: a shared subscription. */
    readonly first: Subscription | undefined,
    readonly group: ShareGroup | undefined,
  ) {
    this.qos = first?.qos ?? 0;
    this.retainAsPublished = first?.retainAsPublished ?? false;
    this.ids = first?.ids;
  }

  /** One more subscription of the same session: one copy goes out, at the highest QoS [MQTT-3.3.4-2]. */
  merge(subscription: Subscription): void {
    this.others ??= [];
    this.others.push(subscription);
    if (subscription.qos > this.qos) this.qos = subscription.qos;
    this.retainAsPublished ||= subscription.retainAsPublished;
    if (subscription.ids !== undefined) this.addIds(subscription.ids);
  }

  /** What is left of it for the client that has published the message [MQTT-3.8.3-3]. */
  forPublisher(): Route | undefined {
    const all = [this.first!, ...(this.others ?? [])];
    const left = all.filter((subscription) => !subscription.noLocal);
    if (left.length === all.length) return this;
    if (left.length === 0) return undefined;
    const route = new Route(left[0], undefined);
    for (const subscription of left.slice(1)) route.merge(subscription);
    return route;
  }

  /** Thousands of subscriptions of one session may match: the list grows, and is not made anew for each. */
  private addIds(ids: readonly number[]): void {
    this.ownIds ??= [...(this.ids ?? [])];
    for (const id of ids) this.ownIds.push(id);
    this.ids = this.ownIds;
  }
}

/** Ways of this many are remembered; beyond that all are forgotten. */
const REMEMBERED_ROUTES_MAX = 65_536;
/** Longer topics are not remembered: of the longest ones, so many would take gigabytes. */
const REMEMBERED_TOPIC_CHARS_MAX = 256;

export class Routes {
  private readonly tree = new TopicTree<Session | ShareGroup, Subscription | ShareGroup>();
  /** By `$share/{name}/{filter}`. */
  private readonly groups = new Map<string, ShareGroup>();
  private readonly remembered = new Map<string, readonly Route[]>();
  private rememberedRoutes = 0;
  private count = 0;

  /** Subscriptions. */
  get size(): number {
    return this.count;
  }

  /** Adds the subscription or, where it is not new, replaces the session's one with the same filter. */
  add(subscription: Subscription, isNew: boolean): void {
    this.forget();
    if (isNew) this.count++;
    const shared = sharedParts(subscription.filter);
    if (shared === undefined) {
      this.tree.add(subscription.filter, subscription.session, subscription);
      return;
    }
    let group = this.groups.get(subscription.filter);
    if (group === undefined) {
      group = new ShareGroup();
      this.groups.set(subscription.filter, group);
      this.tree.add(shared.filter, group, group);
    }
    group.add(subscription);
  }

  /** Takes out a subscription that is there. */
  remove({ filter, session }: Subscription): void {
    this.forget();
    this.count--;
    const shared = sharedParts(filter);
    if (shared === undefined) {
      this.tree.remove(filter, session);
      return;
    }
    const group = this.groups.get(filter)!;
    group.remove(session);
    if (group.size > 0) return;
    this.groups.delete(filter);
    this.tree.remove(shared.filter, group);
  }

  /** Those who share a subscription, `$share/…` included in the filter. */
  group(filter: string): ShareGroup | undefined {
    return this.groups.get(filter);
  }

  /** To everyone who gets a message of that topic: each session once, and each shared subscription. */
  match(topic: string): readonly Route[] {
    const known = this.remembered.get(topic);
    if (known !== undefined) return known;
    const routes = this.find(topic);
    if (topic.length > REMEMBERED_TOPIC_CHARS_MAX) return routes;
    if (this.rememberedRoutes + routes.length >= REMEMBERED_ROUTES_MAX) this.forget();
    this.remembered.set(topic, routes);
    this.rememberedRoutes += routes.length + 1;
    return routes;
  }

  private find(topic: string): readonly Route[] {
    const routes: Route[] = [];
    const bySession = new Map<Session, Route>();
    for (const value of this.tree.match(topic)) {
      if (value instanceof ShareGroup) {
        routes.push(new Route(undefined, value));
        continue;
      }
      const route = bySession.get(value.session);
      if (route !== undefined) route.merge(value);
      else {
        const fresh = new Route(value, undefined);
        bySession.set(value.session, fresh);
        routes.push(fresh);
      }
    }
    return routes;
  }

  private forget(): void {
    if (this.remembered.size === 0) return;
    this.remembered.clear();
    this.rememberedRoutes = 0;
  }
}
