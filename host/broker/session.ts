// What the broker remembers of one client, connected or not: section 4.1, session state.

import { SmallMap } from '../core/small-map.js';
import type { Timer } from '../core/timer-queue.js';
import type { Millis, Qos } from '../ports.js';
import type { Counters } from './counters.js';
import type { LoadedSession } from './durable.js';
import { type Gatekeeper, Outbound, type OutboundLimits } from './outbound.js';
import { type AckPacket, type BrokerMessage, type PublishPacket, publishPacket } from './packets.js';
import type { Replay } from './replay.js';
import type { Subscription } from './routes.js';
import { Publication, type SessionJournal } from './session-journal.js';

/** The way to the client while there is one. */
export interface Wire extends Gatekeeper {
  send(packet: PublishPacket | AckPacket, now: Millis): void;
  isCongested(): boolean;
  /** Whether the client may have messages of that topic. */
  mayReceive(topic: string): boolean;
  takeOver(now: Millis): void;
  /** Calls `pump` a little later. */
  pumpLater(now: Millis): void;
}

/** Something with a timer in the broker's queue. */
export interface Due {
  due(now: Millis): void;
}

export class Session {
  readonly subscriptions = new SmallMap<string, Subscription>();
  /** What the filters of these take, as `filterBytesOf` has it. */
  subscriptionBytes = 0;
  readonly outbound: Outbound;
  /**
   * QoS 2 messages from the client that are published and owed a PUBREL; a PUBLISH of these is a repetition. By their
   * identifiers, the number of the connection on which they came.
   */
  readonly received = new SmallMap<number, number>();
  /** Connections that the session has had. */
  connections = 0;
  wire: Wire | undefined;
  /** While it has no connection: the timer that ends it. */
  expiry: Timer<Due> | undefined;
  /** Retained messages that are on their way to new subscriptions, one subscription after another: by filter. */
  private replays: Map<string, Replay> | undefined;

  constructor(
    readonly clientId: string,
    /** How long it outlives its connection, ms. 0: it ends with it. Infinity: for ever. */
    public expiryMs: Millis,
    limits: OutboundLimits,
    private readonly counters: Counters,
    /** Where it is written down. Undefined: nowhere. */
    readonly journal: SessionJournal | undefined,
  ) {
    this.outbound = new Outbound(limits, counters, journal);
  }

  /** Sends, queues or drops a message. */
  deliver(
    publication: Publication,
    qos: Qos,
    retain: boolean,
    ids: readonly number[] | undefined,
    now: Millis,
    share?: string,
  ): void {
    const { wire, outbound } = this;
    if (qos === 0 && wire === undefined) {
      this.counters.droppedOffline++;
      return;
    }
    const packet = packetFor(publication, qos, retain, ids);
    if (share !== undefined && qos > 0) packet.share = share;
    if (wire === undefined || !outbound.isOpen(qos) || wire.isCongested()) {
      outbound.hold(qos === 0 ? publication.keepable(packet) : packet, publication, now);
      return;
    }
    if (!wire.admits(packet, false, now)) return;
    if (qos > 0) outbound.launch(packet, publication);
    wire.send(packet, now);
  }

  /** Retained messages for a new subscription: sent as fast as the client takes them, so that none is dropped for want of room. */
  replay(replay: Replay, now: Millis): void {
    this.replays ??= new Map();
    this.replays.set(replay.filter, replay);
    this.pump(now);
  }

  /** The subscription is gone: what is retained is of no more interest to it. */
  cancelReplay(filter: string): void {
    this.replays?.delete(filter);
  }

  /** Sends what waits, as far as window and network allow. */
  pump(now: Millis): void {
    while (this.wire !== undefined && this.outbound.queued > 0 && !this.wire.isCongested()) {
      const packet = this.outbound.next(this.wire, now);
      if (packet === undefined) break; // all that waited came too late, or the window is full
      if (packet.dup) this.counters.redelivered++;
      this.wire.send(packet, now);
    }
    if (this.replays !== undefined) this.pumpReplays(now);
  }

  /** Sends again what the last connection left open, then what waits. */
  resume(now: Millis): void {
    if (this.wire === undefined) return;
    for (const packet of this.outbound.resume(this.wire, now)) this.wire.send(packet, now);
    this.pump(now);
  }

  /** The connection is gone, the session stays. What was retained and has not been sent waits for the next one. */
  goOffline(): void {
    this.outbound.goOffline();
  }

  /** What another process has left of it, but for the subscriptions. */
  restore({ received, entries }: LoadedSession): void {
    for (const id of received) this.received.set(id, 0);
    this.outbound.restore(entries);
  }

  private pumpReplays(now: Millis): void {
    for (const replay of this.replays?.values() ?? []) {
      if (!this.goOn(replay, now)) return;
      this.replays?.delete(replay.filter);
    }
    this.replays = undefined;
  }

  /** Sends as much of it as may be now. True: all. */
  private goOn(replay: Replay, now: Millis): boolean {
    const { outbound } = this;
    for (;;) {
      const { wire } = this;
      if (wire === undefined || wire.isCongested()) return false;
      const message = replay.peek(now);
      if (message === undefined) {
        if (!replay.isOver) wire.pumpLater(now);
        return replay.isOver;
      }
      const qos = replay.qosOf(message);
      if (!outbound.isOpen(qos)) return false;
      replay.next();
      this.deliver(new Publication(message), qos, true, replay.ids, now);
    }
  }
}

/** It came at QoS 0 with nothing of its own in it, as it leaves. */
const isPlain = (message: BrokerMessage): message is PublishPacket =>
  'cmd' in message && message.qos === 0 && !message.retain;

function packetFor(
  publication: Publication,
  qos: Qos,
  retain: boolean,
  ids: readonly number[] | undefined,
): PublishPacket {
  const { message } = publication;
  if (qos > 0 || retain || ids !== undefined) return publishPacket(message, qos, retain, 0, false, ids);
  publication.plain ??= isPlain(message) ? message : publishPacket(message, 0, false);
  return publication.plain;
}
