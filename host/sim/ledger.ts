// Every application message of a run, from the first moment it was on its way to the last time it arrived: the figures of
// the report, and the promises of MQTT checked one by one.
//
// A message is known by its topic and payload, so the applications of a scenario put a sequence number into each. Where two
// publishers send the same octets to the same topic nobody can tell their messages apart: they are counted, but their order
// is not judged.
import type { Millis } from '../ports.js';
import type { SnQos } from '../wire/index.js';
import type { Direction } from './digest.js';
import { Latencies } from './statistics.js';

interface Entry {
  readonly publisher: string;
  readonly topic: string;
  readonly payload: string;
  readonly qos: SnQos;
  readonly sentMs: Millis;
  /** Place among the publisher's messages. */
  readonly order: number;
  /** The device it comes from or goes to. */
  readonly device: string;
  deliveries: number;
  /** Its device was told that the gateway has it. */
  acknowledged: boolean;
  /** When it arrived for the first time; meaningless before. */
  arrivedMs: Millis;
  /** When it arrived for the last time. */
  repeatedMs: Millis;
  /** Arrivals at a device that had lost its memory of the one before. */
  forgotten: number;
}

/** Figures of one QoS. */
export interface QosFigures {
  readonly sent: number;
  /** Messages that arrived at least once. */
  readonly delivered: number;
  /** Arrivals beyond the first. */
  readonly duplicates: number;
  /** Messages that did not arrive because the device they came from or went to was switched off. */
  readonly orphaned: number;
  /** Null where nothing was delivered. */
  readonly latencyMs: { readonly p50: Millis | null; readonly p99: Millis | null };
}

/** A promise that was not kept. */
export interface Violation {
  readonly kind: 'lost' | 'duplicate' | 'order';
  readonly message: string;
}

export class Ledger {
  private readonly entries: Entry[] = [];
  private readonly byKey = new Map<string, Entry[]>();
  /** Devices that have lost power. */
  private readonly dead = new Set<string>();
  /** Devices that were reset, with the last time, and how many messages there were by then. */
  private readonly resets = new Map<string, { readonly atMs: Millis; readonly entries: number }>();
  /** Keys that more than one publisher has used. */
  private readonly ambiguous = new Set<string>();
  private readonly lastOrder = new Map<string, Entry>();
  private readonly disorder: Violation[] = [];

  /**
   * The message is on its way for the first time, from a device (up) or from an application (down). `device` is the one it
   * comes from or goes to, where that is not the publisher.
   */
  sent(
    direction: Direction,
    publisher: string,
    topic: string,
    payload: Uint8Array,
    qos: SnQos,
    now: Millis,
    device: string = publisher,
  ): void {
    const entry: Entry = {
      publisher,
      topic,
      payload: textOf(payload),
      qos,
      sentMs: now,
      order: this.entries.length,
      device,
      deliveries: 0,
      acknowledged: false,
      arrivedMs: 0,
      repeatedMs: 0,
      forgotten: 0,
    };
    this.entries.push(entry);
    const key = keyOf(direction, topic, entry.payload);
    const twins = this.byKey.get(key);
    if (twins === undefined) this.byKey.set(key, [entry]);
    else {
      if (twins[0]!.publisher !== publisher) this.ambiguous.add(key);
      twins.push(entry);
    }
  }

  /** It arrived where the report is made. Returns false for a message that was not entered as sent. */
  delivered(direction: Direction, topic: string, payload: Uint8Array, now: Millis): boolean {
    const key = keyOf(direction, topic, textOf(payload));
    const twins = this.byKey.get(key);
    if (twins === undefined) return false;
    // A device that was reset begins to count again: what it says now may be what it failed to say then.
    const missing = twins.filter((e) => e.deliveries === 0);
    const entry = missing.find((e) => !this.isOrphan(e)) ?? missing[0] ?? twins.at(-1)!;
    entry.deliveries++;
    if (entry.deliveries === 1) {
      entry.arrivedMs = now;
      if (!this.ambiguous.has(key) && !this.isFromBeforeReset(entry)) this.checkOrder(entry);
    } else if (direction === 'down' && this.wasResetSince(entry)) entry.forgotten++;
    entry.repeatedMs = now;
    return true;
  }

  /** The device was told that its message has been taken: now it must arrive, whatever becomes of the device. */
  acknowledged(device: string, topic: string, payload: Uint8Array): void {
    const twins = this.byKey.get(keyOf('up', topic, textOf(payload)));
    const entry = twins?.findLast(({ publisher }) => publisher === device);
    if (entry !== undefined) entry.acknowledged = true;
  }

  /** The device is dead: what it has not got through stays with it, and what it has not got never will arrive. */
  orphan(device: string): void {
    this.dead.add(device);
  }

  /**
   * The device has lost its memory: what it had not got through is gone, as with one that dies, what it had not got may come or
   * not, and what it had got may come again.
   */
  reset(device: string, now: Millis): void {
    this.resets.set(device, { atMs: now, entries: this.entries.length });
  }

  /** True while a message of QoS 1 or 2 that was sent up to `untilMs` is still owed to somebody. */
  owes(untilMs: Millis): boolean {
    return this.entries.some((entry) => this.isOwed(entry, untilMs));
  }

  /** Figures over the messages sent up to `untilMs`. */
  figures(qos: SnQos, untilMs: Millis): QosFigures {
    const entries = this.entries.filter((e) => e.qos === qos && e.sentMs <= untilMs);
    const latencies = new Latencies();
    for (const { deliveries, sentMs, arrivedMs } of entries) if (deliveries > 0) latencies.add(arrivedMs - sentMs);
    return {
      sent: entries.length,
      delivered: entries.filter((e) => e.deliveries > 0).length,
      duplicates: entries.reduce((sum, e) => sum + Math.max(0, e.deliveries - 1), 0),
      orphaned: entries.filter((e) => this.isOrphan(e)).length,
      latencyMs: { p50: latencies.p50 ?? null, p99: latencies.p99 ?? null },
    };
  }

  /**
   * The promises: QoS 1 at least once, QoS 2 exactly once, and for both the order of a publisher's messages to a topic,
   * by their first arrival. Messages sent after `untilMs` may still be on their way.
   */
  violations(untilMs: Millis): Violation[] {
    const broken: Violation[] = [];
    for (const entry of this.entries) {
      if (entry.qos < 1) continue;
      if (this.isOwed(entry, untilMs)) {
        broken.push({ kind: 'lost', message: `${describe(entry)} never arrived` });
      }
      if (entry.qos === 2 && entry.deliveries - entry.forgotten > 1) {
        broken.push({ kind: 'duplicate', message: `${describe(entry)} arrived ${entry.deliveries} times` });
      }
    }
    return [...broken, ...this.disorder];
  }

  private isOwed(entry: Entry, untilMs: Millis): boolean {
    return entry.qos > 0 && entry.deliveries === 0 && entry.sentMs <= untilMs && !this.isOrphan(entry);
  }

  private isOrphan(entry: Entry): boolean {
    const { device, deliveries, acknowledged } = entry;
    return deliveries === 0 && !acknowledged && (this.dead.has(device) || this.isFromBeforeReset(entry));
  }

  private isFromBeforeReset({ device, order }: Entry): boolean {
    return order < (this.resets.get(device)?.entries ?? 0);
  }

  private wasResetSince({ device, repeatedMs }: Entry): boolean {
    const reset = this.resets.get(device);
    return reset !== undefined && repeatedMs <= reset.atMs;
  }

  private checkOrder(entry: Entry): void {
    if (entry.qos < 1) return;
    const stream = keyOf(String(entry.qos), entry.publisher, entry.topic);
    const last = this.lastOrder.get(stream);
    if (last !== undefined && last.order > entry.order) {
      this.disorder.push({ kind: 'order', message: `${describe(entry)} arrived after ${describe(last)}` });
      return;
    }
    this.lastOrder.set(stream, entry);
  }
}

function describe(entry: Entry): string {
  return `QoS ${entry.qos} ${JSON.stringify(entry.payload)} to ${entry.topic} from ${entry.publisher} at ${entry.sentMs} ms`;
}

/** The last part may be anything; the others have no NUL, since topics have none [MQTT-4.7.3-2]. */
function keyOf(...parts: string[]): string {
  return parts.join('\0');
}

/** One character an octet: fast, and exact for any payload. */
function textOf(payload: Uint8Array): string {
  let text = '';
  for (const octet of payload) text += String.fromCharCode(octet);
  return text;
}
