// Wills whose client is gone and whose time has not come: MQTT 5.0, 3.1.3.2.2. Those of clients that are connected are their
// connections'.
import type { Timer } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import type { DurableState, WillRecord } from './durable.js';
import type { BrokerMessage, Will } from './packets.js';
import type { Due } from './session.js';
import type { BrokerState } from './state.js';

const MS_PER_SECOND = 1_000;

/** A will, from its CONNECT to its publication or its end. */
export interface HeldWill {
  readonly message: BrokerMessage;
  /** Of the message once it is published; Infinity: for ever. */
  readonly expiryMs: Millis;
  readonly delayMs: Millis;
}

export function heldWill({ topic, payload, qos = 0, retain = false, properties, expiryS, delayS = 0 }: Will): HeldWill {
  return {
    message: { topic, payload, qos: qos as 0 | 1 | 2, retain, properties, expiresAt: Number.POSITIVE_INFINITY },
    expiryMs: expiryS === undefined ? Number.POSITIVE_INFINITY : expiryS * MS_PER_SECOND,
    delayMs: delayS * MS_PER_SECOND,
  };
}

interface Pending {
  readonly will: HeldWill;
  readonly timer: Timer<Due>;
}

export class Wills {
  private readonly pending = new Map<string, Pending>();

  constructor(
    private readonly state: BrokerState,
    private readonly durable: DurableState | undefined,
  ) {}

  /** A client has come in with a will. */
  made(clientId: string, will: HeldWill): void {
    this.durable?.putWill({ clientId, ...will, dueAt: undefined });
  }

  /** It has taken it back. */
  takenBack(clientId: string): void {
    this.durable?.deleteWill(clientId);
  }

  /** The client is gone: its will is published now or, where it has a delay and the session stays, later. */
  left(clientId: string, will: HeldWill, sessionStays: boolean, now: Millis): void {
    if (will.delayMs === 0 || !sessionStays) this.publish(clientId, will, now);
    else this.delay(clientId, will, now + will.delayMs);
  }

  /** The client is there again. In time, and in its old session: then its will is not published [MQTT-3.1.3-9]. */
  returned(clientId: string, sessionStayed: boolean, now: Millis): void {
    const pending = this.take(clientId);
    if (pending === undefined) return;
    if (sessionStayed && pending.timer.dueMs > now) this.durable?.deleteWill(clientId);
    else this.publish(clientId, pending.will, now);
  }

  /** The client's session has ended: its will waits no longer. */
  sessionEnded(clientId: string, now: Millis): void {
    const pending = this.take(clientId);
    if (pending !== undefined) this.publish(clientId, pending.will, now);
  }

  /** What another process has left. Clients that were connected to it have left with it. */
  restore(records: readonly WillRecord[], hasSession: (clientId: string) => boolean, now: Millis): void {
    for (const { clientId, dueAt, ...will } of records) {
      const stays = hasSession(clientId);
      this.delay(clientId, will, stays ? (dueAt ?? now + will.delayMs) : now);
    }
  }

  private delay(clientId: string, will: HeldWill, dueAt: Millis): void {
    this.durable?.putWill({ clientId, ...will, dueAt });
    const due = (now: Millis): void => this.sessionEnded(clientId, now);
    this.pending.set(clientId, { will, timer: this.state.timers.set(dueAt, { due }) });
  }

  private take(clientId: string): Pending | undefined {
    const pending = this.pending.get(clientId);
    if (pending === undefined) return undefined;
    this.pending.delete(clientId);
    this.state.timers.cancel(pending.timer);
    return pending;
  }

  private publish(clientId: string, { message, expiryMs }: HeldWill, now: Millis): void {
    this.durable?.deleteWill(clientId);
    this.state.counters.willsPublished++;
    const publisher = this.state.sessions.get(clientId); // whose No Local it is [MQTT-3.8.3-3]
    this.state.publish({ ...message, expiresAt: now + expiryMs }, publisher, now);
  }
}
