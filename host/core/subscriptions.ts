// Who has subscribed to what, each subscriber once a match, at the highest QoS that any of its subscriptions grants.
import type { Qos } from '../ports.js';
import { TopicTree } from './topic-tree.js';

/** Whoever subscribes. The two fields belong to the tree: its notes during one match. */
export interface Subscriber {
  matchMark: number;
  /** After `match`: the highest QoS granted by any subscription of this one that matches [MQTT-3.3.5-1]. */
  matchQos: Qos;
}

interface Grant<S> {
  readonly subscriber: S;
  readonly qos: Qos;
}

export class SubscriptionTree<S extends Subscriber> {
  private readonly tree = new TopicTree<S, Grant<S>>();
  private readonly found: S[] = [];
  private mark = 0;

  /** Pairs of filter and subscriber. */
  get size(): number {
    return this.tree.size;
  }

  /** Adds the subscription or replaces its QoS. True when it is new. `filter` is valid. */
  add(filter: string, subscriber: S, qos: Qos): boolean {
    return this.tree.add(filter, subscriber, { subscriber, qos });
  }

  /** True when there was one. */
  remove(filter: string, subscriber: S): boolean {
    return this.tree.remove(filter, subscriber);
  }

  /** Everyone with a matching subscription, each once, with `matchQos` set. The array is the tree's own, as `TopicTree.match`. */
  match(topic: string): readonly S[] {
    this.mark++;
    this.found.length = 0;
    for (const { subscriber, qos } of this.tree.match(topic)) {
      if (subscriber.matchMark !== this.mark) {
        subscriber.matchMark = this.mark;
        subscriber.matchQos = qos;
        this.found.push(subscriber);
      } else if (qos > subscriber.matchQos) subscriber.matchQos = qos;
    }
    return this.found;
  }
}
