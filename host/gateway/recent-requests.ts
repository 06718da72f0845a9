// Requests that were handled a moment ago. A radio can deliver an exact copy of a datagram after its handshake is over;
// executing it once more would send a QoS 2 message twice, or revive a subscription that has been cancelled since.
import type { Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';

export interface Recent {
  readonly msgId: number;
  readonly fingerprint: number;
  /** Undefined while the broker has not decided. */
  answer: Packet | undefined;
  answeredAt: Millis;
}

export class RecentRequests {
  /** The oldest first. Made anew with each change: an array that grows has room for 16 more, and most clients ask seldom. */
  private requests: readonly Recent[] = [];
  /**
   * Some clients give every request the same MsgId: to them, two equal datagrams are two requests. Whoever is seen to
   * use a MsgId for two different requests gets no suppression from then on.
   */
  private reusesIds = false;

  constructor(
    private readonly recentMax: number,
    private readonly lateDuplicateMs: number,
  ) {}

  /** The earlier request that this one is a copy of; it is not to be executed again. */
  copyOf(msgId: number, fingerprint: number, now: Millis): Recent | undefined {
    let copy: Recent | undefined;
    for (const recent of this.requests) {
      if (recent.msgId !== msgId) continue;
      if (recent.fingerprint !== fingerprint) this.reusesIds = true;
      else if (recent.answer === undefined || now - recent.answeredAt <= this.lateDuplicateMs) copy = recent;
    }
    // A request that the broker has not answered is not repeated on its behalf, whoever the client is.
    return this.reusesIds && copy?.answer !== undefined ? undefined : copy;
  }

  /** Remembers a request that is about to be executed; the oldest is forgotten. */
  add(msgId: number, fingerprint: number): Recent {
    const recent: Recent = { msgId, fingerprint, answer: undefined, answeredAt: 0 };
    const { requests, recentMax } = this;
    this.requests = (requests.length < recentMax ? requests : requests.slice(1)).concat(recent);
    return recent;
  }

  /** The client has just said the same again, or gone on with the handshake: copies of that can be late, too. */
  touch(recent: Recent, now: Millis): void {
    recent.answeredAt = now;
  }

  answered(recent: Recent, answer: Packet, now: Millis): void {
    recent.answer = answer;
    recent.answeredAt = now;
  }

  /** The request did not happen: the client may try the very same again. */
  forget(recent: Recent): void {
    this.requests = this.requests.filter((other) => other !== recent);
  }

  /** The broker that was asked is gone: what it has not answered, it never will. */
  forgetUnanswered(): void {
    this.requests = this.requests.filter(({ answer }) => answer !== undefined);
  }
}
