// The book of what a broker has promised to its clients, and of what they got. It knows of packets that clients have sent and
// heard, of nothing inside the broker. A moment is a `tick`: the count of entries in the book.
//
// What is promised, over any number of crashes:
//  1. A message whose PUBACK or PUBREC was heard reaches every session that had a matching subscription all the time from its
//     first sending to that answer (SUBACK heard before, UNSUBSCRIBE not sent), at the QoS of both, if the session lasts. Of
//     those that share a subscription it reaches one.
//  2. Published at QoS 2 and delivered at QoS 2 it arrives once; with a shared subscription at one of all its members.
//  3. A copy with DUP 0 is not sent more often than the message came in: once at QoS 2, at QoS 1 once for each sending.
//  4. First copies of one publisher, topic, QoS and QoS of delivery arrive in their order.
//  5. Nobody gets what he has not subscribed to.
//  6. A retained message is the last one acknowledged of its topic, or a later one.
//  7. A session that was acknowledged is there when its client comes back in time.
//  8. A will of a connection that was acknowledged and ended without DISCONNECT is published once; not at all where the client
//     was back before its delay was over.
//  9. A message of QoS 1 that a client has acknowledged is not sent to it again, once something later was answered.
// 10. A message is not sent for the first time when it has expired.
import { matchesFilter } from './matching.js';

export type Tick = number;

export interface Entry {
  readonly text: string;
  readonly publisher: string;
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly isRetained: boolean;
  /** Of a retained message: it has no payload, and takes the topic's away. */
  readonly isClearing: boolean;
  readonly isWill: boolean;
  readonly expiryMs: number;
  readonly order: number;
  firstSentAt: Tick | undefined;
  sendings: number;
  ackedAt: Tick | undefined;
  ackedAtMs: number | undefined;
}

interface Got {
  /** Acknowledged to the broker, which knows for good. */
  isSettled: boolean;
  copies: number;
  atQos2: number;
  qosMax: number;
}

interface Subscribed {
  readonly client: string;
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly sentAt: Tick;
  ackedAt: Tick | undefined;
  doubtedAt: Tick | undefined;
  goneAt: Tick | undefined;
  /** The session has ended, and what waited for it with it. */
  isLost: boolean;
}

/** What must come of a will; `any`: once or not at all, as nobody can know. */
export type Fate = 'any' | 'once' | 'never';

export interface Will {
  readonly entry: Entry;
  readonly delayMs: number;
  fate: Fate;
}

const SHARE = '$share/';
const NEVER = Number.POSITIVE_INFINITY;
/** How much later than decided the broker may write, ms: the journal's slowest commit. */
const GATE_MS = 50;

export class Ledger {
  /** Promises that were not kept, in words. */
  readonly broken: string[] = [];
  readonly entries = new Map<string, Entry>();
  readonly wills: Will[] = [];
  private readonly unchecked = new Set<Entry>();
  private readonly subscribed: Subscribed[] = [];
  private readonly got = new Map<string, Map<string, Got>>();
  private readonly lastOrders = new Map<string, number>();
  private tick = 0;

  get now(): Tick {
    return this.tick;
  }

  /** How often each thing happened, to show that a run was worth something. */
  readonly counts = { acked: 0, deliveries: 0, repetitions: 0, retained: 0, wills: 0 };

  message(publisher: string, topic: string, qos: 0 | 1 | 2, more: Partial<Entry> = {}): Entry {
    const order = this.entries.size;
    const entry: Entry = {
      text: `m${order}`,
      publisher,
      topic,
      qos,
      isRetained: false,
      isClearing: false,
      isWill: false,
      expiryMs: NEVER,
      order,
      firstSentAt: undefined,
      sendings: 0,
      ackedAt: undefined,
      ackedAtMs: undefined,
      ...more,
    };
    this.entries.set(entry.text, entry);
    if (!entry.isWill) this.unchecked.add(entry);
    return entry;
  }

  will(publisher: string, topic: string, delayMs: number): Will {
    const will: Will = { entry: this.message(publisher, topic, 2, { isWill: true }), delayMs, fate: 'any' };
    will.entry.sendings = 1;
    this.wills.push(will);
    return will;
  }

  sent(entry: Entry): void {
    this.tick++;
    entry.firstSentAt ??= this.tick;
    entry.sendings++;
  }

  /** PUBACK or PUBREC was heard. */
  acked(entry: Entry, nowMs: number): void {
    this.tick++;
    if (entry.ackedAt === undefined) this.counts.acked++;
    entry.ackedAt ??= this.tick;
    entry.ackedAtMs ??= nowMs;
  }

  subscribing(client: string, filter: string, qos: 0 | 1 | 2): void {
    this.tick++;
    if (this.openOf(client, filter) !== undefined) return;
    const rest = { ackedAt: undefined, doubtedAt: undefined, goneAt: undefined, isLost: false };
    this.subscribed.push({ client, filter, qos, sentAt: this.tick, ...rest });
  }

  /** SUBACK. */
  subscribedTo(client: string, filter: string): void {
    this.tick++;
    const one = this.openOf(client, filter);
    if (one !== undefined) one.ackedAt ??= this.tick;
  }

  unsubscribing(client: string, filter: string): void {
    this.tick++;
    const one = this.openOf(client, filter);
    if (one !== undefined) one.doubtedAt ??= this.tick;
  }

  /** UNSUBACK. */
  unsubscribedFrom(client: string, filter: string): void {
    this.tick++;
    const one = this.openOf(client, filter);
    if (one !== undefined) one.goneAt = this.tick;
  }

  /** `doubtful`: UNSUBSCRIBE was sent, and not answered. */
  stateOf(client: string, filter: string): 'none' | 'there' | 'doubtful' {
    const one = this.openOf(client, filter);
    if (one === undefined) return 'none';
    return one.doubtedAt === undefined ? 'there' : 'doubtful';
  }

  /** It ended with its connection, or a CONNACK has said that the client has a new one. */
  sessionEnded(client: string): void {
    this.tick++;
    for (const one of this.subscribed) {
      if (one.client !== client) continue;
      one.goneAt ??= this.tick;
      one.isLost = true;
    }
    this.forgetOrder(client);
  }

  /** It may have expired. Whether another is there in its place nobody knows. */
  sessionDoubted(client: string): void {
    this.tick++;
    for (const one of this.subscribed) {
      if (one.client !== client) continue;
      one.doubtedAt ??= this.tick;
      one.isLost = true;
    }
    this.forgetOrder(client);
  }

  private forgetOrder(client: string): void {
    for (const stream of this.lastOrders.keys()) if (stream.startsWith(`${client} `)) this.lastOrders.delete(stream);
  }

  /** A PUBLISH that is no repetition within its QoS 2 handshake. `writtenAtMs`: by the broker. */
  delivered(client: string, topic: string, text: string, qos: number, dup: boolean, writtenAtMs: number): void {
    this.tick++;
    this.counts.deliveries++;
    if (dup) this.counts.repetitions++;
    if (this.entries.get(text)?.isWill) this.counts.wills++;
    const entry = this.entries.get(text);
    if (entry === undefined || entry.topic !== topic) {
      this.breaks(`${client} got ${text} on ${topic}, which nobody has published there`);
      return;
    }
    this.checkWanted(entry, client);
    this.checkCopies(entry, client, qos, dup);
    const isLate = !dup && entry.ackedAtMs !== undefined && writtenAtMs > entry.ackedAtMs + entry.expiryMs + GATE_MS;
    if (isLate) this.breaks(`${client} was sent ${text} for the first time after it had expired`);
  }

  /** The broker has answered something that came after the client's PUBACK. */
  settled(client: string, text: string): void {
    const got = this.got.get(client)?.get(text);
    if (got !== undefined) got.isSettled = true;
  }

  /** What a client that has just subscribed is told of a topic; undefined: nothing. `since`: before it asked. */
  retainedIs(topic: string, text: string | undefined, since: Tick): void {
    this.counts.retained++;
    const all = [...this.entries.values()].filter((it) => it.isRetained && it.topic === topic && it.sendings > 0);
    const acked = all.findLastIndex(({ ackedAt }) => ackedAt !== undefined && ackedAt <= since);
    const possible = all.slice(Math.max(acked, 0));
    const isPossible =
      text === undefined
        ? acked < 0 || possible.some(({ isClearing }) => isClearing)
        : possible.some((it) => it.text === text && !it.isClearing);
    if (isPossible) return;
    const expected = possible.map((it) => (it.isClearing ? `none (${it.text})` : it.text)).join(', ');
    this.breaks(`retained on ${topic} is ${text ?? 'none'}; possible: ${expected}`);
  }

  /** For the end, when all is settled. */
  check(): void {
    this.broken.push(...this.missing());
  }

  /** What clients are still to get. What is not missing once is not looked for again. */
  missing(): string[] {
    const shares = new Set(this.subscribed.map(({ filter }) => filter).filter((filter) => filter.startsWith(SHARE)));
    const missing: string[] = [];
    for (const entry of this.unchecked) {
      const found = entry.ackedAt === undefined ? [] : this.missingOf(entry, shares);
      missing.push(...found);
      if (entry.ackedAt !== undefined && found.length === 0) this.unchecked.delete(entry);
    }
    return [...missing, ...this.wills.flatMap((will) => this.missingWill(will))];
  }

  private missingOf(entry: Entry, shares: Iterable<string>): string[] {
    if (entry.isWill || entry.isClearing || entry.expiryMs < NEVER) return [];
    const owed = this.subscribed.filter((one) => !one.filter.startsWith(SHARE) && isOwed(entry, one));
    const missing = owed.flatMap((one) => this.missingAt(entry, one));
    for (const filter of shares) {
      const members = this.subscribed.filter((it) => it.filter === filter);
      missing.push(...this.missingAmong(entry, filter, members));
    }
    return missing;
  }

  private missingAt(entry: Entry, { client, filter, qos }: Subscribed): string[] {
    const got = this.got.get(client)?.get(entry.text);
    const owed = Math.min(entry.qos, qos);
    if (got !== undefined && got.qosMax >= owed) return [];
    const instead = got === undefined ? 'it never came' : `it came at QoS ${got.qosMax}`;
    return [`${entry.text} (${describe(entry)}) was acknowledged and ${client} subscribed to ${filter}: ${instead}`];
  }

  private missingAmong(entry: Entry, filter: string, members: readonly Subscribed[]): string[] {
    if (members.some(({ isLost }) => isLost) || !members.some((one) => isOwed(entry, one))) return [];
    const total = members.filter(({ client }) => this.got.get(client)?.has(entry.text)).length;
    if (total === 0) return [`${entry.text} (${describe(entry)}) was acknowledged and came to none of ${filter}`];
    return total > 1 && entry.qos === 2 ? [`${entry.text} came to ${total} of ${filter}`] : [];
  }

  private missingWill({ entry, fate }: Will): string[] {
    const count = [...this.got.values()].reduce((sum, texts) => sum + (texts.get(entry.text)?.atQos2 ?? 0), 0);
    const isKept = fate === 'any' ? count <= 1 : count === (fate === 'once' ? 1 : 0);
    return isKept
      ? []
      : [`will ${entry.text} of ${entry.publisher} was to be published ${fate}, and was ${count} times`];
  }

  private checkWanted({ text, topic, firstSentAt }: Entry, client: string): void {
    const since = firstSentAt ?? 0;
    const isWanted = this.subscribed.some(
      (it) => it.client === client && (it.goneAt ?? NEVER) > since && matches(it, topic),
    );
    if (!isWanted) this.breaks(`${client} got ${text} on ${topic}, to which it had no subscription`);
  }

  private checkCopies(entry: Entry, client: string, qos: number, dup: boolean): void {
    const { text } = entry;
    const texts = this.got.get(client) ?? new Map<string, Got>();
    this.got.set(client, texts);
    if (!texts.has(text)) this.checkOrder(entry, client, qos);
    const got = texts.get(text) ?? { isSettled: false, copies: 0, atQos2: 0, qosMax: 0 };
    texts.set(text, got);
    const isAlone = entry.qos === 2 || entry.sendings === 1;
    if (got.isSettled && isAlone) this.breaks(`${client} got ${text} again, which it had acknowledged for good`);
    if (!dup) got.copies++;
    if (qos === 2) got.atQos2++;
    got.qosMax = Math.max(got.qosMax, qos);
    const copiesMax = entry.qos === 2 ? 1 : entry.sendings;
    if (entry.qos === 2 && got.atQos2 > 1) this.breaks(`${client} got ${text} (${describe(entry)}) twice`);
    if (got.copies > copiesMax)
      this.breaks(`${client} got ${got.copies} copies with DUP 0 of ${text} (${describe(entry)})`);
    if (qos > entry.qos) this.breaks(`${client} got ${text} at QoS ${qos}, above its own`);
  }

  private checkOrder(entry: Entry, client: string, deliveryQos: number): void {
    const { publisher, topic, qos, order, text } = entry;
    const stream = [client, publisher, topic, qos, deliveryQos].join(' ');
    const last = this.lastOrders.get(stream) ?? -1;
    this.lastOrders.set(stream, Math.max(order, last));
    if (order > last || this.isExcused(entry, client)) return;
    this.breaks(`${client} got ${text} on ${topic} after m${last}`);
  }

  /**
   * Those that share a subscription may get what another has left. What is sent again may find a subscription that was not there,
   * or may have expired when it came first.
   */
  private isExcused({ topic, sendings, firstSentAt, expiryMs }: Entry, client: string): boolean {
    if (sendings > 1 && expiryMs < NEVER) return true;
    const its = this.subscribed.filter((it) => it.client === client);
    if (its.some(({ filter }) => filter.startsWith(SHARE))) return true;
    const wasThere = ({ goneAt, doubtedAt, ackedAt }: Subscribed): boolean =>
      goneAt === undefined && doubtedAt === undefined && (ackedAt ?? NEVER) < (firstSentAt ?? 0);
    return sendings > 1 && !its.some((it) => wasThere(it) && matches(it, topic));
  }

  private openOf(client: string, filter: string): Subscribed | undefined {
    return this.subscribed.find((it) => it.client === client && it.filter === filter && it.goneAt === undefined);
  }

  breaks(what: string): void {
    this.broken.push(what);
  }
}

const describe = ({ publisher, topic, qos }: Entry): string => `from ${publisher} on ${topic}, QoS ${qos}`;

const matches = ({ filter }: Subscribed, topic: string): boolean =>
  matchesFilter(filter.startsWith(SHARE) ? filter.split('/').slice(2).join('/') : filter, topic);

/** Subscribed before the message was sent first, and still when it was acknowledged. */
function isOwed({ topic, firstSentAt, ackedAt }: Entry, one: Subscribed): boolean {
  if (one.isLost || one.ackedAt === undefined || firstSentAt === undefined || ackedAt === undefined) return false;
  return one.ackedAt < firstSentAt && (one.doubtedAt ?? NEVER) > ackedAt && matches(one, topic);
}
