// What a session owes its client: the window of messages sent and not yet acknowledged, and the queues behind it. Pure
// bookkeeping; whoever calls sends what it gives out.
//
// What is kept and what is dropped: QoS 1 and 2 wait in order, for as long as the session lives, until the queue is
// full; then the newest is dropped, so that what arrives is a prefix without gaps. QoS 0 waits only for a client that is
// connected and reads too slowly, in its own queue: one more finds no room, one of QoS 1 or 2 takes the room of the oldest,
// and none outlives the connection.
import { SmallMap } from '../core/small-map.js';
import type { Millis } from '../ports.js';
import type { Counters } from './counters.js';
import type { LoadedEntry, QueueEntry } from './durable.js';
import { Fifo } from './fifo.js';
import {
  type AckPacket,
  ackPacket,
  type BrokerMessage,
  PACKET_ID_MAX,
  type PublishPacket,
  publishPacket,
} from './packets.js';
import type { Publication, SessionJournal } from './session-journal.js';

export interface OutboundLimits {
  readonly inflightMax: number;
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
}

/** What an acknowledgement came to. */
export enum AckResult {
  /** It was owed, and has been taken. */
  Taken,
  /** Nothing of that identifier is in flight: late, or from another life of the client. */
  Unknown,
  /** Something is, and it is owed another kind of acknowledgement. */
  Mismatch,
}

/** Whoever knows what may go to the client that is there now. */
export interface Gatekeeper {
  /** False, and counted: it is too late for it, it is too large or forbidden. `isAgain`: it was sent before, and is in time. */
  admits(packet: PublishPacket, isAgain: boolean, now: Millis): boolean;
}

export const bytesOf = ({ topic, payload, properties }: BrokerMessage): number =>
  topic.length + payload.length + (properties === undefined ? 0 : properties.length);

/** A message of thousands of overlapping subscriptions has as many identifiers, which may be more than itself. */
const SUBSCRIPTION_ID_BYTES = 4;

const waitingBytesOf = (packet: PublishPacket): number =>
  bytesOf(packet) + (packet.subscriptionIds === undefined ? 0 : SUBSCRIPTION_ID_BYTES * packet.subscriptionIds.length);

export class Outbound {
  /** Messages in flight at most: what the broker allows, or less if the client asks for less (Receive Maximum). */
  windowMax: number;
  /** Sent, and owed PUBACK or PUBREC, in the order of sending. */
  private readonly window = new SmallMap<number, PublishPacket>();
  /** PUBREL sent, and owed PUBCOMP, in the order of the PUBRECs [MQTT-4.6.0-4]. */
  private readonly released = new SmallMap<number, QueueEntry | undefined>();
  /** Of the window: to be sent again, when the client that came back has room for them. */
  private repeats: PublishPacket[] | undefined;
  private readonly waiting = new Fifo<PublishPacket>();
  private readonly waitingQos0 = new Fifo<PublishPacket>();
  private waitingBytes = 0;
  /** None of those that wait expires before this. */
  private soonestExpiry = Number.POSITIVE_INFINITY;
  private lastId = 0;

  constructor(
    private readonly limits: OutboundLimits,
    private readonly counters: Counters,
    private readonly journal: SessionJournal | undefined,
  ) {
    this.windowMax = limits.inflightMax;
  }

  /** Messages in flight: owed PUBACK, PUBREC or PUBCOMP. */
  get inflight(): number {
    return this.window.size + this.released.size;
  }

  /** Messages that wait to be sent, or to be sent again. */
  get queued(): number {
    return this.waiting.size + this.waitingQos0.size + (this.repeats?.length ?? 0);
  }

  /** True when a message of that QoS may be sent at once without overtaking another. */
  isOpen(qos: number): boolean {
    if (qos === 0) return this.waitingQos0.size === 0;
    return this.waiting.size === 0 && this.repeats === undefined && this.hasRoomInWindow;
  }

  private get hasRoomInWindow(): boolean {
    return this.inflight - (this.repeats?.length ?? 0) < this.windowMax;
  }

  /** Gives a message of QoS 1 or 2 its identifier and its place in the window. */
  launch(packet: PublishPacket, publication?: Publication): void {
    do this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    while (this.window.has(this.lastId) || this.released.has(this.lastId)); // [MQTT-2.3.1-2], [MQTT-2.3.1-3]
    packet.messageId = this.lastId;
    this.window.set(this.lastId, packet);
    this.journal?.sent(packet, publication);
  }

  /** Queues a message, or drops it, or drops others for it. */
  hold(packet: PublishPacket, publication: Publication, now: Millis): void {
    const bytes = waitingBytesOf(packet);
    if (!this.hasRoom(bytes) && this.soonestExpiry <= now) this.dropExpired(now);
    const mayFit = packet.qos > 0 && bytes <= this.limits.queueBytesMax; // else others would go for nothing
    if (mayFit) while (!this.hasRoom(bytes) && this.waitingQos0.size > 0) this.dropOldestQos0();
    if (!this.hasRoom(bytes)) {
      if (packet.qos === 0) this.counters.droppedSlow++;
      else this.counters.droppedQueueFull++;
      return;
    }
    this.waitingBytes += bytes;
    if (packet.expiresAt < this.soonestExpiry) this.soonestExpiry = packet.expiresAt;
    if (packet.qos === 0) this.waitingQos0.push(packet);
    else {
      this.waiting.push(packet);
      this.journal?.waiting(packet, publication);
    }
  }

  /** The next queued message that may be sent now, with its place in the window; undefined when there is none. */
  next(gatekeeper: Gatekeeper, now: Millis): PublishPacket | undefined {
    for (;;) {
      const open = this.hasRoomInWindow;
      if (open && this.repeats !== undefined) return this.nextRepeat(this.repeats);
      const packet = (open ? this.waiting.shift() : undefined) ?? this.waitingQos0.shift();
      if (packet === undefined) return undefined;
      this.waitingBytes -= waitingBytesOf(packet);
      if (!gatekeeper.admits(packet, false, now)) {
        this.journal?.done(packet.entry);
        continue;
      }
      if (packet.qos > 0) this.launch(packet);
      return packet;
    }
  }

  puback(id: number): AckResult {
    const packet = this.window.get(id);
    if (packet === undefined) return this.released.has(id) ? AckResult.Mismatch : AckResult.Unknown;
    if (packet.qos !== 1) return AckResult.Mismatch;
    this.settle(packet);
    return AckResult.Taken;
  }

  /**
   * Whoever calls answers PUBREL, unless the result is a mismatch; also to a repeated PUBREC. Not to one that has
   * `failed`: that ends the handshake.
   */
  pubrec(id: number, failed: boolean): AckResult {
    const packet = this.window.get(id);
    if (packet === undefined) return this.released.has(id) ? AckResult.Taken : AckResult.Unknown;
    if (packet.qos !== 2) return AckResult.Mismatch;
    if (failed) {
      this.settle(packet);
      return AckResult.Taken;
    }
    this.leaveWindow(packet);
    this.journal?.released(packet);
    this.released.set(id, packet.entry);
    return AckResult.Taken;
  }

  pubcomp(id: number): AckResult {
    const entry = this.released.get(id);
    if (!this.released.delete(id)) return this.window.has(id) ? AckResult.Mismatch : AckResult.Unknown;
    this.journal?.done(entry);
    return AckResult.Taken;
  }

  /**
   * A client comes back. What it is sent again: the PUBRELs in the order of the PUBRECs, which are given out here, then the
   * PUBLISHes in the order in which they were sent first, with DUP and their identifiers, as far as its window goes;
   * `next` gives them out [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1].
   */
  resume(gatekeeper: Gatekeeper, now: Millis): AckPacket[] {
    const repeats: PublishPacket[] = [];
    for (const [id, packet] of [...this.window]) {
      if (!gatekeeper.admits(packet, true, now)) {
        this.settle(packet);
        continue;
      }
      // A copy, since whoever sent the first may still hold it. Setting an existing key keeps its place.
      const repeated = publishPacket(packet, packet.qos, packet.retain, id, true, packet.subscriptionIds);
      repeated.entry = packet.entry;
      repeated.share = packet.share;
      this.window.set(id, repeated);
      repeats.push(repeated);
    }
    this.repeats = repeats.length > 0 ? repeats : undefined;
    return [...this.released.keys()].map((id) => ackPacket('pubrel', id));
  }

  /** What another process has left, in the order of its numbers. Once, before anything else. */
  restore(entries: readonly LoadedEntry[]): void {
    const released: { readonly order: number; readonly id: number; readonly entry: QueueEntry }[] = [];
    for (const entry of entries) {
      const { state, content, qos, retain, subscriptionIds, share } = entry;
      if (state.step === 'released') released.push({ order: state.order, id: state.packetId, entry });
      if (state.step === 'released' || content === undefined) continue;
      const id = state.step === 'sent' ? state.packetId : 0;
      const packet = publishPacket(content, qos, retain, id, false, subscriptionIds);
      packet.entry = entry;
      packet.share = share;
      if (id > 0) this.window.set(id, packet);
      else {
        this.waiting.push(packet);
        this.waitingBytes += waitingBytesOf(packet);
        this.soonestExpiry = Math.min(this.soonestExpiry, packet.expiresAt);
      }
    }
    released.sort((a, b) => a.order - b.order);
    for (const { id, entry } of released) this.released.set(id, entry);
  }

  /** The connection is gone, the session stays. */
  goOffline(): void {
    this.repeats = undefined; // all of the window, next time
    while (this.waitingQos0.size > 0) {
      this.waitingBytes -= waitingBytesOf(this.waitingQos0.shift()!);
      this.counters.droppedOffline++;
    }
  }

  /** The session ends: the messages that it still owes, and the places that it had in the durable queue. */
  discard(): { readonly messages: readonly PublishPacket[]; readonly entries: readonly QueueEntry[] } {
    this.goOffline();
    const messages = [...this.window.values()];
    for (let packet = this.waiting.shift(); packet !== undefined; packet = this.waiting.shift()) messages.push(packet);
    const entries = [...this.released.values(), ...messages.map(({ entry }) => entry)];
    this.window.clear();
    this.released.clear();
    this.waitingBytes = 0;
    return { messages, entries: entries.filter((entry) => entry !== undefined) };
  }

  private nextRepeat(repeats: PublishPacket[]): PublishPacket {
    const packet = repeats.shift()!;
    if (repeats.length === 0) this.repeats = undefined;
    return packet;
  }

  /** Makes room: what is too late goes before what is new. */
  private dropExpired(now: Millis): void {
    this.soonestExpiry = Number.POSITIVE_INFINITY;
    const isInTime = (packet: PublishPacket): boolean => {
      if (packet.expiresAt > now) {
        this.soonestExpiry = Math.min(this.soonestExpiry, packet.expiresAt);
        return true;
      }
      this.waitingBytes -= waitingBytesOf(packet);
      this.counters.droppedExpired++;
      this.journal?.done(packet.entry);
      return false;
    };
    this.waiting.keep(isInTime);
    this.waitingQos0.keep(isInTime);
  }

  /** The handshake is over without PUBREL and PUBCOMP. */
  private settle(packet: PublishPacket): void {
    this.leaveWindow(packet);
    this.journal?.done(packet.entry);
  }

  /** It may be acknowledged before it was sent again: then it is not. */
  private leaveWindow(packet: PublishPacket): void {
    this.window.delete(packet.messageId);
    if (this.repeats?.includes(packet)) {
      const others = this.repeats.filter((other) => other !== packet);
      this.repeats = others.length > 0 ? others : undefined;
    }
  }

  private hasRoom(bytes: number): boolean {
    return (
      this.waiting.size + this.waitingQos0.size < this.limits.queueMessagesMax &&
      this.waitingBytes + bytes <= this.limits.queueBytesMax
    );
  }

  private dropOldestQos0(): void {
    this.waitingBytes -= waitingBytesOf(this.waitingQos0.shift()!);
    this.counters.droppedSlow++;
  }
}
