// The sessions by client identifier: which one a CONNECT gets, and when one ends.
import type { Millis } from '../ports.js';
import type { DurableState, LoadedSession } from './durable.js';
import { filterBytesOf } from './routes.js';
import { Session } from './session.js';
import { SessionJournal } from './session-journal.js';
import type { BrokerState } from './state.js';

export class SessionRegistry {
  private readonly sessions = new Map<string, Session>();

  constructor(
    private readonly state: BrokerState,
    private readonly durable: DurableState | undefined,
  ) {}

  get size(): number {
    return this.sessions.size;
  }

  get(clientId: string): Session | undefined {
    return this.sessions.get(clientId);
  }

  all(): Iterable<Session> {
    return this.sessions.values();
  }

  /** True when one more session may be made, or the client has one. */
  hasRoomFor(clientId: string): boolean {
    return this.sessions.size < this.state.config.sessionsMax || this.sessions.has(clientId);
  }

  /**
   * The session for a CONNECT whose client has no other connection any more, and whether it was there before. A clean
   * start ends the old one [MQTT-3.1.2-4]; others go on [MQTT-3.1.2-5].
   */
  open(clientId: string, clean: boolean, expiryMs: Millis, now: Millis): { session: Session; present: boolean } {
    const stored = this.sessions.get(clientId);
    if (stored !== undefined && !clean) {
      this.cancelExpiry(stored);
      stored.expiryMs = expiryMs;
      this.write(stored, undefined);
      this.state.counters.sessionsResumed++;
      return { session: stored, present: true };
    }
    if (stored !== undefined) this.end(stored, now);
    // One that ends with its connection has nothing that could outlive the process.
    const journal =
      this.durable === undefined || expiryMs === 0 ? undefined : new SessionJournal(this.durable, clientId);
    const session = new Session(clientId, expiryMs, this.state.config, this.state.counters, journal);
    this.add(session);
    this.write(session, undefined);
    return { session, present: false };
  }

  /** The session's connection is gone. True: the session stays. */
  detach(session: Session, now: Millis): boolean {
    session.wire = undefined;
    if (session.expiryMs === 0) {
      this.end(session, now);
      return false;
    }
    session.goOffline();
    this.endAt(session, now + session.expiryMs);
    return true;
  }

  /** Ends a session that has no connection. */
  end(session: Session, now: Millis): void {
    const { clientId } = session;
    this.cancelExpiry(session);
    for (const subscription of session.subscriptions.values()) this.state.routes.remove(subscription);
    const { messages, entries } = session.outbound.discard();
    session.journal?.state.deleteSession(clientId, session.subscriptions.keys(), session.received.keys(), entries);
    this.sessions.delete(clientId);
    this.state.counters.subscriptionsNow = this.state.routes.size;
    this.state.counters.sessionsNow = this.sessions.size;
    this.state.inherit(messages, now);
    this.state.wills.sessionEnded(clientId, now); // [MQTT-3.1.3-9]: at the latest then
  }

  /** What another process has left: sessions without connections. Those that were connected to it have lost it now. */
  restore(loaded: readonly LoadedSession[], durable: DurableState, now: Millis): void {
    for (const one of loaded) {
      const { clientId, expiryMs, endsAt, subscriptions, entries } = one;
      const journal = new SessionJournal(durable, clientId, entries);
      const session = new Session(clientId, expiryMs, this.state.config, this.state.counters, journal);
      session.restore(one);
      this.add(session);
      for (const { identifier, ...record } of subscriptions) {
        const subscription = { ...record, session, ids: identifier === 0 ? undefined : [identifier] };
        session.subscriptions.set(record.filter, subscription);
        session.subscriptionBytes += filterBytesOf(record.filter);
        this.state.routes.add(subscription, true);
      }
      if (endsAt === undefined) this.endAt(session, now + expiryMs);
      else this.arm(session, endsAt);
    }
    this.state.counters.subscriptionsNow = this.state.routes.size;
  }

  private add(session: Session): void {
    this.sessions.set(session.clientId, session);
    this.state.counters.sessionsNow = this.sessions.size;
  }

  private endAt(session: Session, endsAt: Millis): void {
    this.write(session, endsAt);
    this.arm(session, endsAt);
  }

  private arm(session: Session, endsAt: Millis): void {
    if (endsAt === Number.POSITIVE_INFINITY) return;
    session.expiry = this.state.timers.set(endsAt, { due: (now) => this.expire(session, now) });
  }

  private write({ clientId, expiryMs, journal }: Session, endsAt: Millis | undefined): void {
    journal?.state.putSession({ clientId, expiryMs, endsAt });
  }

  private expire(session: Session, now: Millis): void {
    session.expiry = undefined;
    this.state.counters.sessionsExpired++;
    this.state.log('info', 'session-expired', { clientId: session.clientId });
    this.end(session, now);
  }

  private cancelExpiry(session: Session): void {
    if (session.expiry !== undefined) this.state.timers.cancel(session.expiry);
    session.expiry = undefined;
  }
}
