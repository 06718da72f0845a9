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
  private readonly ring: (Recent | undefined)[];
  private next = 0;
  /**
   * Some clients give every request the same MsgId: to them, two equal datagrams are two requests. Whoever is seen to
   * use a MsgId for two different requests gets no suppression from then on.
   */
  private reusesIds = false;

  constructor(
    recentMax: number,
    private readonly lateDuplicateMs: number,
  ) {
    this.ring = new Array<Recent | undefined>(recentMax).fill(undefined);
  }

  /** The earlier request that this one is a copy of; it is not to be executed again. */
  copyOf(msgId: number, fingerprint: number, now: Millis): Recent | undefined {
    let copy: Recent | undefined;
    for (const recent of this.ring) {
      if (recent?.msgId !== msgId) continue;
      if (recent.fingerprint !== fingerprint) this.reusesIds = true;
      else if (recent.answer === undefined || now - recent.answeredAt <= this.lateDuplicateMs) copy = recent;
    }
    // A request that the broker has not answered is not repeated on its behalf, whoever the client is.
    return this.reusesIds && copy?.answer !== undefined ? undefined : copy;
  }

  /** Remembers a request that is about to be executed; the oldest is forgotten. */
  add(msgId: number, fingerprint: number): Recent {
    const recent: Recent = { msgId, fingerprint, answer: undefined, answeredAt: 0 };
    this.ring[this.next] = recent;
    this.next = (this.next + 1) % this.ring.length;
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
    const index = this.ring.indexOf(recent);
    if (index >= 0) this.ring[index] = undefined;
  }

  /** The broker that was asked is gone: what it has not answered, it never will. */
  forgetUnanswered(): void {
    for (const [index, recent] of this.ring.entries()) {
      if (recent !== undefined && recent.answer === undefined) this.ring[index] = undefined;
    }
  }
}
