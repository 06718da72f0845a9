// Invariant 2: whatever comes, what the gateway keeps stays within what it was configured to keep.
import type { Checker, Event, Limits, Upper } from './arbitrary-events.js';
import { violated } from './arbitrary-events.js';

export class BoundsChecker implements Checker {
  /** Requests that the broker has not answered, by session. */
  private readonly pending = new Map<Upper, number>();

  /** Requests that had waited for a session to be opened; undefined while none is. */
  private waited: number | undefined;

  constructor(private readonly limits: Limits) {}

  see(event: Event): void {
    if (event.what === 'news' && event.news.news === 'connected') this.waited = 0;
    else if (event.what === 'in' || event.what === 'step') this.waited = undefined;
    if (event.what === 'call') this.count(event);
    else if (event.what === 'news' && event.news.news === 'answer') {
      this.pending.set(event.on, (this.pending.get(event.on) ?? 0) - 1);
    } else if (event.what === 'restart') this.pending.clear();
    else if (event.what === 'state') this.checkState(event);
  }

  /** Subscriptions that are made again after a loss are as many as there are. */
  private count({ on, call: { call } }: Extract<Event, { what: 'call' }>): void {
    if (call === 'close' || call === 'abort') this.pending.delete(on);
    if (call !== 'publish' && call !== 'subscribe' && call !== 'unsubscribe' && call !== 'release') return;
    const pending = (this.pending.get(on) ?? 0) + 1;
    this.pending.set(on, pending);
    if (this.waited !== undefined) this.waited++;
    const max = this.limits.requestsMax + this.limits.subscriptionsMax;
    if ((this.waited ?? 0) > max) violated(`${this.waited} requests had waited for the broker, more than ${max}`);
    if (pending > max) violated(`${pending} requests wait for the broker, more than ${max}`);
  }

  private checkState({ gauges, sessions, records }: Extract<Event, { what: 'state' }>): void {
    const { limits } = this;
    const atMost = (what: string, value: number, max: number) => {
      if (value > max) violated(`${value} ${what}, more than ${max}`);
    };
    const held = gauges.active + gauges.asleep + gauges.awake + gauges.offline;
    atMost('sessions', sessions, limits.sessionsMax);
    atMost('sessions in states', held, limits.sessionsMax);
    atMost('sessions and dialogs', gauges.connecting, limits.sessionsMax + limits.dialogsMax);
    atMost('records', records, limits.sessionsMax);
    atMost('topics', gauges.topics, sessions * limits.topicsMax);
    atMost('octets of names', gauges.namesBytes, sessions * 2 * limits.namesBytesMax);
    atMost('subscriptions', gauges.subscriptions, sessions * limits.subscriptionsMax);
    atMost('octets for one client', gauges.bufferedBytesMaxOfOneClient, limits.bufferBytesMax);
    atMost('octets', gauges.bufferedBytes, sessions * limits.bufferBytesMax);
    atMost('messages', gauges.bufferedMessages, sessions * limits.bufferMessagesMax);
    atMost('messages in flight', gauges.inflight, sessions);
    for (const [name, value] of Object.entries(gauges)) if (Number(value) < 0) violated(`${name} is ${value}`);
  }
}
