// Who is waiting for retained messages. The broker sends them for every SUBSCRIBE, to the shared session; they are meant for
// the client that asked.
//
// A client waits from its SUBSCRIBE on, once for each topic: until the first message of that topic, or until nothing has come
// for RETAINED_WAIT_MS. A copy goes to everybody who still waits for its topic, whosever SUBSCRIBE it answers: brokers send
// one copy a SUBSCRIBE, the same to all, and those that come later find nobody waiting. A live message of the topic ends the
// wait as well, since it is newer than what is retained; so a client does not get a second copy that another's SUBSCRIBE
// brings about.
import { SubscriptionTree } from '../core/subscriptions.js';
import type { Millis, Qos } from '../ports.js';
import type { VirtualClient } from './aggregating-client.js';

/** Silence after which no retained message is expected any more. A broker sends them at once, as its window allows. */
export const RETAINED_WAIT_MS = 60_000;
/** Topics that are remembered of one wait; of more, the first are forgotten and might be sent twice. */
const TOPICS_MAX = 10_000;

class Waiter {
  matchMark = 0;
  matchQos: Qos = 0;
  readonly seen = new Set<string>();

  constructor(
    readonly client: VirtualClient,
    readonly filter: string,
    readonly qos: Qos,
    public untilMs: Millis,
  ) {}

  see(topic: string): void {
    this.seen.add(topic);
    if (this.seen.size <= TOPICS_MAX) return;
    const [first] = this.seen;
    this.seen.delete(first!);
  }
}

export class RetainedWaiters {
  private readonly tree = new SubscriptionTree<Waiter>();
  /** The one that asked first, first. */
  private readonly all = new Set<Waiter>();
  private readonly byClient = new Map<VirtualClient, Map<string, Waiter>>();

  get size(): number {
    return this.all.size;
  }

  /** A SUBSCRIBE goes out for the client. */
  add(client: VirtualClient, filter: string, qos: Qos, now: Millis): void {
    this.expire(now);
    this.remove(client, filter);
    const waiter = new Waiter(client, filter, qos, now + RETAINED_WAIT_MS);
    this.all.add(waiter);
    this.tree.add(filter, waiter, qos);
    const own = this.byClient.get(client) ?? new Map<string, Waiter>();
    this.byClient.set(client, own.set(filter, waiter));
  }

  remove(client: VirtualClient, filter: string): void {
    const own = this.byClient.get(client);
    const waiter = own?.get(filter);
    if (own === undefined || waiter === undefined) return;
    this.all.delete(waiter);
    this.tree.remove(filter, waiter);
    own.delete(filter);
    if (own.size === 0) this.byClient.delete(client);
  }

  forget(client: VirtualClient): void {
    for (const filter of [...(this.byClient.get(client)?.keys() ?? [])]) this.remove(client, filter);
  }

  /** Who gets this retained copy, and up to which QoS. A client with several waits for the topic gets one copy for each. */
  take(topic: string, now: Millis): Map<VirtualClient, Qos> {
    this.expire(now);
    const takers = new Map<VirtualClient, Qos>();
    for (const waiter of this.tree.match(topic)) {
      if (now >= waiter.untilMs || waiter.seen.has(topic) || takers.has(waiter.client)) continue;
      waiter.see(topic);
      waiter.untilMs = now + RETAINED_WAIT_MS;
      takers.set(waiter.client, waiter.qos);
    }
    return takers;
  }

  /** The clients have a newer message of the topic. */
  saw(topic: string, clients: ReadonlySet<VirtualClient>): void {
    for (const waiter of this.tree.match(topic)) if (clients.has(waiter.client)) waiter.see(topic);
  }

  private expire(now: Millis): void {
    for (const waiter of this.all) {
      if (now < waiter.untilMs) return;
      this.remove(waiter.client, waiter.filter);
    }
  }
}
