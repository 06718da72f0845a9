// Those in the program itself who want to hear what is published. They are told after the broker's work, not in the middle of it.
import { BrokerError } from '../broker/errors.js';
import type { BrokerMessage } from '../broker/packets.js';
import { SHARE_PREFIX } from '../broker/shared.js';
import { TopicTree } from '../core/topic-tree.js';
import { isValidTopicFilter } from '../core/topics.js';
import { ReceivedMessage } from './message.js';

export type MessageListener = (message: ReceivedMessage) => void;

interface Observer {
  readonly listener: MessageListener;
}

export class Observers {
  private readonly tree = new TopicTree<Observer, Observer>();
  private waiting: (readonly [observer: Observer, message: ReceivedMessage])[] = [];
  private readonly gone = new WeakSet<Observer>();

  /** Returns what takes the listener out again: it is told nothing from then on. Throws ERR_BROKER_MESSAGE. */
  add(filter: string, listener: MessageListener): () => void {
    if (!isValidTopicFilter(filter) || filter.startsWith(SHARE_PREFIX)) {
      const what = `${JSON.stringify(filter)} is no topic filter: such as home/+/state or home/#; nobody shares it`;
      throw new BrokerError('ERR_BROKER_MESSAGE', what);
    }
    const observer = { listener };
    this.tree.add(filter, observer, observer);
    return () => {
      this.tree.remove(filter, observer);
      this.gone.add(observer);
    };
  }

  /** For `BrokerPorts.published`. */
  take(message: BrokerMessage, clientId: string | undefined): void {
    if (this.tree.size === 0) return;
    const observers = this.tree.match(message.topic);
    if (observers.length === 0) return;
    const received = new ReceivedMessage(message, clientId);
    if (this.waiting.length === 0) queueMicrotask(() => this.tell());
    for (const observer of observers) this.waiting.push([observer, received]);
  }

  private tell(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const [observer, message] of waiting) {
      if (this.gone.has(observer)) continue;
      try {
        observer.listener(message);
      } catch (error) {
        // As of any event: the process hears of it, and the other listeners still hear theirs.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
