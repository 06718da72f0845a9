// The retained messages for one new subscription, given out one by one. One that was replaced meanwhile is left out: its
// successor has gone the way of any message, and the older must not arrive behind it.
import type { Qos } from '../ports.js';
import type { BrokerMessage } from './packets.js';
import type { RetainedStore } from './retained.js';
import type { Subscription } from './routes.js';

export class Replay {
  readonly filter: string;
  readonly ids: readonly number[] | undefined;
  private readonly qosMax: Qos;
  private readonly messages: readonly BrokerMessage[];
  private at = 0;

  constructor(
    subscription: Subscription,
    private readonly retained: RetainedStore,
  ) {
    this.messages = retained.match(subscription.filter);
    this.filter = subscription.filter;
    this.ids = subscription.ids;
    this.qosMax = subscription.qos;
  }

  /** The next message; it is given out again until `next`. */
  peek(): BrokerMessage | undefined {
    let message = this.messages[this.at];
    while (message !== undefined && this.retained.get(message.topic) !== message) message = this.messages[++this.at];
    return message;
  }

  next(): BrokerMessage | undefined {
    const message = this.peek();
    this.at++;
    return message;
  }

  qosOf(message: BrokerMessage): Qos {
    return Math.min(message.qos, this.qosMax) as Qos;
  }
}
