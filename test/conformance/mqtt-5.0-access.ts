// Doors for the conformance tests: an `Access` that says what a test wants, and notes what it was asked.
import type { Access, Answer, ConnectRequest, Permit, Verdict } from '../../host/broker/access.js';

export class Door implements Access {
  readonly requests: ConnectRequest[] = [];
  /** Those not answered yet, where `verdict` is `later`. */
  readonly waiting: Answer[] = [];

  constructor(public verdict: Verdict | 'later' | ((request: ConnectRequest) => Verdict)) {}

  connect(request: ConnectRequest, answer: Answer, now: number): void {
    this.requests.push(request);
    const { verdict } = this;
    if (verdict === 'later') this.waiting.push(answer);
    else answer(typeof verdict === 'function' ? verdict(request) : verdict, now);
  }
}

export const ACCEPTED: Verdict = { outcome: 'accepted' };
export const refused = (reason: number, more: object = {}): Verdict => ({ outcome: 'refused', reason, ...more });

const EVERYTHING: Permit = { publish: () => true, subscribe: () => true, receive: () => true };

/** Everything but what is said. */
export const allowing = (permit: Partial<Permit>): Verdict => ({
  outcome: 'accepted',
  permit: { ...EVERYTHING, ...permit },
});

export const utf8Of = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');
