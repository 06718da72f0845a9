// Who has subscribed to what: a tree of topic levels in which a topic name finds its subscribers in time that depends
// on its own levels and the wildcards along them, not on how many subscriptions there are. Walks are loops, not
// recursion: a filter may have 65,535 levels.
import type { Qos } from '../ports.js';

const DOLLAR = 0x24;

/** Whoever subscribes. The two fields belong to the tree: its notes during one match. */
export interface Subscriber {
  matchMark: number;
  /** After `match`: the highest QoS granted by any subscription of this one that matches [MQTT-3.3.5-1]. */
  matchQos: Qos;
}

class Node<S> {
  /** Literal levels. Few nodes branch, so a node without children has no map. */
  children: Map<string, Node<S>> | undefined;
  plus: Node<S> | undefined;
  hash: Node<S> | undefined;
  subscribers: Map<S, Qos> | undefined;

  get isEmpty(): boolean {
    return this.children === undefined && this.plus === undefined && this.hash === undefined && !this.subscribers;
  }

  child(level: string): Node<S> | undefined {
    if (level === '+') return this.plus;
    if (level === '#') return this.hash;
    return this.children?.get(level);
  }

  grow(level: string): Node<S> {
    const node = new Node<S>();
    if (level === '+') this.plus = node;
    else if (level === '#') this.hash = node;
    else {
      this.children ??= new Map();
      this.children.set(level, node);
    }
    return node;
  }

  cut(level: string): void {
    if (level === '+') this.plus = undefined;
    else if (level === '#') this.hash = undefined;
    else if (this.children?.delete(level) && this.children.size === 0) this.children = undefined;
  }
}

export class SubscriptionTree<S extends Subscriber> {
  private readonly root = new Node<S>();
  private mark = 0;
  private count = 0;
  /** Kept from match to match, so that a match allocates only its levels. */
  private found: S[] = [];
  private frontier: Node<S>[] = [];
  private ahead: Node<S>[] = [];

  /** Pairs of filter and subscriber. */
  get size(): number {
    return this.count;
  }

  /** Adds the subscription or replaces its QoS. True when it is new. `filter` is valid. */
  add(filter: string, subscriber: S, qos: Qos): boolean {
    let node = this.root;
    for (const level of filter.split('/')) node = node.child(level) ?? node.grow(level);
    node.subscribers ??= new Map();
    const before = node.subscribers.size;
    node.subscribers.set(subscriber, qos);
    if (node.subscribers.size === before) return false;
    this.count++;
    return true;
  }

  /** Takes the subscription out, and every node that only it needed. True when there was one. */
  remove(filter: string, subscriber: S): boolean {
    const levels = filter.split('/');
    const path: Node<S>[] = [this.root];
    for (const level of levels) {
      const next = path.at(-1)!.child(level);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1)!;
    if (!last.subscribers?.delete(subscriber)) return false;
    if (last.subscribers.size === 0) last.subscribers = undefined;
    for (let i = levels.length; i > 0 && path[i]!.isEmpty; i--) path[i - 1]!.cut(levels[i - 1]!);
    this.count--;
    return true;
  }

  /**
   * Everyone with a matching subscription, each once, with `matchQos` set. The array is the tree's own: read it before
   * the next call. Its order depends only on the calls made before.
   */
  match(topic: string): readonly S[] {
    this.mark++;
    this.found.length = 0;
    this.frontier.length = 0;
    this.frontier.push(this.root);
    // A leading wildcard does not see the server's own topics [MQTT-4.7.2-1].
    let wildcards = topic.charCodeAt(0) !== DOLLAR;
    for (const level of topic.split('/')) {
      this.step(level, wildcards);
      if (this.frontier.length === 0) return this.found;
      wildcards = true;
    }
    for (const node of this.frontier) {
      this.collect(node);
      this.collect(node.hash); // `sport/#` includes `sport` itself
    }
    return this.found;
  }

  private step(level: string, wildcards: boolean): void {
    this.ahead.length = 0;
    for (const node of this.frontier) {
      const child = node.children?.get(level);
      if (child !== undefined) this.ahead.push(child);
      if (!wildcards) continue;
      if (node.plus !== undefined) this.ahead.push(node.plus);
      this.collect(node.hash);
    }
    const done = this.frontier;
    this.frontier = this.ahead;
    this.ahead = done;
  }

  private collect(node: Node<S> | undefined): void {
    if (node?.subscribers === undefined) return;
    for (const [subscriber, qos] of node.subscribers) {
      if (subscriber.matchMark !== this.mark) {
        subscriber.matchMark = this.mark;
        subscriber.matchQos = qos;
        this.found.push(subscriber);
      } else if (qos > subscriber.matchQos) subscriber.matchQos = qos;
    }
  }
}
