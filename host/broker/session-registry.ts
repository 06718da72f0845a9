// The sessions by client identifier: which one a CONNECT gets, and when one ends.
import type { Millis } from '../ports.js';
import { Session } from './session.js';
import type { BrokerState } from './state.js';

export class SessionRegistry {
  private readonly sessions = new Map<string, Session>();

  constructor(private readonly state: BrokerState) {}

  get size(): number {
    return this.sessions.size;
  }

  get(clientId: string): Session | undefined {
    return this.sessions.get(clientId);
  }

  /** True when one more session may be made, or the client has one. */
  hasRoomFor(clientId: string): boolean {
    return this.sessions.size < this.state.config.sessionsMax || this.sessions.has(clientId);
  }

  /**
   * The session for a CONNECT whose client has no other connection any more, and whether it was there before. A clean
   * session starts empty and leaves nothing [MQTT-3.1.2-6]; others go on [MQTT-3.1.2-4].
   */
  open(clientId: string, clean: boolean): { session: Session; present: boolean } {
    const stored = this.sessions.get(clientId);
    if (stored !== undefined && !clean) {
      this.cancelExpiry(stored);
      this.state.counters.sessionsResumed++;
      return { session: stored, present: true };
    }
    if (stored !== undefined) this.end(stored);
    const session = new Session(clientId, clean, this.state.config, this.state.counters);
    this.sessions.set(clientId, session);
    this.state.counters.sessionsNow = this.sessions.size;
    return { session, present: false };
  }

  /** The session's connection is gone. */
  detach(session: Session, now: Millis): void {
    session.wire = undefined;
    if (session.isClean) {
      this.end(session);
      return;
    }
    session.outbound.goOffline();
    const { offlineSessionMsMax } = this.state.config;
    if (offlineSessionMsMax === Number.POSITIVE_INFINITY) return;
    session.expiry = this.state.timers.set(now + offlineSessionMsMax, { due: () => this.expire(session) });
  }

  private expire(session: Session): void {
    session.expiry = undefined;
    this.state.counters.sessionsExpired++;
    this.state.log('info', 'session-expired', { clientId: session.clientId });
    this.end(session);
  }

  private end(session: Session): void {
    this.cancelExpiry(session);
    for (const filter of session.subscriptions.keys()) this.state.subscriptions.remove(filter, session);
    session.outbound.discard();
    this.sessions.delete(session.clientId);
    this.state.counters.subscriptionsNow = this.state.subscriptions.size;
    this.state.counters.sessionsNow = this.sessions.size;
  }

  private cancelExpiry(session: Session): void {
    if (session.expiry !== undefined) this.state.timers.cancel(session.expiry);
    session.expiry = undefined;
  }
}
