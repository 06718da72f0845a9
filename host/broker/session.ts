// What the broker remembers of one client, connected or not: section 4.1, session state.

import { SmallMap, SmallSet } from '../core/small-map.js';
import type { Subscriber } from '../core/subscriptions.js';
import type { Timer } from '../core/timer-queue.js';
import type { Message, Millis, Qos } from '../ports.js';
import type { Counters } from './counters.js';
import { Outbound, type OutboundLimits } from './outbound.js';
import { type AckPacket, type PublishPacket, publishPacket } from './packets.js';

/** The way to the client while there is one. */
export interface Wire {
  send(packet: PublishPacket | AckPacket, now: Millis): void;
  isCongested(): boolean;
  takeOver(now: Millis): void;
}

/** Something with a timer in the broker's queue. */
export interface Due {
  due(now: Millis): void;
}

export class Session implements Subscriber {
  matchMark = 0;
  matchQos: Qos = 0;
  readonly subscriptions = new SmallMap<string, Qos>();
  readonly outbound: Outbound;
  /** QoS 2 messages from the client that are published and owed a PUBREL; a PUBLISH of these is a repetition. */
  readonly received = new SmallSet<number>();
  wire: Wire | undefined;
  expiry: Timer<Due> | undefined;

  constructor(
    readonly clientId: string,
    /** A clean session ends with its connection. */
    readonly isClean: boolean,
    limits: OutboundLimits,
    private readonly counters: Counters,
  ) {
    this.outbound = new Outbound(limits, counters);
  }

  /**
   * Sends, queues or drops a message. `shared`, for QoS 0, is the one packet that all receivers get, so that it is
   * encoded once.
   */
  deliver(message: Message, qos: Qos, retain: boolean, shared: PublishPacket | undefined, now: Millis): void {
    const { wire, outbound } = this;
    if (qos === 0 && wire === undefined) {
      this.counters.droppedOffline++;
      return;
    }
    const packet = shared ?? publishPacket(message, qos, retain);
    if (wire === undefined || !outbound.isOpen(qos) || wire.isCongested()) {
      outbound.hold(packet);
      return;
    }
    if (qos > 0) outbound.launch(packet);
    wire.send(packet, now);
  }

  /** Sends what waits, as far as window and network allow. */
  pump(now: Millis): void {
    while (this.wire !== undefined && this.outbound.queued > 0 && !this.wire.isCongested()) {
      const packet = this.outbound.next();
      if (packet === undefined) return;
      this.wire.send(packet, now);
    }
  }

  /** Sends again what the last connection left open, then what waits. */
  resume(now: Millis): void {
    for (const packet of this.outbound.resume()) {
      if (packet.cmd === 'publish') this.counters.redelivered++;
      this.wire?.send(packet, now);
    }
    this.pump(now);
  }
}
