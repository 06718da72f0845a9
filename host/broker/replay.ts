// The retained messages for one new subscription, found and given out one by one, so that nothing is kept for those to come.
// One that was set after the subscription is left out: it has gone the way of any message, and must come only once.
import type { Millis, Qos } from '../ports.js';
import type { BrokerMessage } from './packets.js';
import type { RetainedStore } from './retained.js';
import type { RetainedWalk } from './retained-walk.js';
import type { Subscription } from './routes.js';

export class Replay {
  readonly filter: string;
  readonly ids: readonly number[] | undefined;
  private readonly qosMax: Qos;
  private readonly walk: RetainedWalk;

  constructor(
    subscription: Subscription,
    private readonly retained: RetainedStore,
  ) {
    this.walk = retained.walk(subscription.filter);
    this.filter = subscription.filter;
    this.ids = subscription.ids;
    this.qosMax = subscription.qos;
  }

  /** There are no more. */
  get isOver(): boolean {
    return this.walk.isOver;
  }

  /**
   * The next message, given out again until `next`. Undefined: there are no more or, unless `isOver`, as much has been looked
   * for at `now` as may be.
   */
  peek(now: Millis): BrokerMessage | undefined {
    const { walk, retained } = this;
    while (walk.found === undefined && !walk.isOver && retained.takeStep(now)) walk.step();
    return walk.found;
  }

  next(): void {
    this.walk.leave();
  }

  qosOf(message: BrokerMessage): Qos {
    return Math.min(message.qos, this.qosMax) as Qos;
  }
}
