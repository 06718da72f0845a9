// One question to `Access`, with as much of a conversation as its answer takes.
import type { Millis } from '../ports.js';
import type { Access, Challenge, ConnectRequest, Verdict } from './access.js';
import type { BrokerState } from './state.js';

export class Dialogue {
  private challenge: Challenge | undefined;
  /** Counts questions: an answer to one that is no longer open is ignored. */
  private asked = 0;

  /** `hear` is told each verdict, as a turn of the broker. */
  constructor(
    private readonly state: BrokerState,
    private readonly access: Access,
    private readonly hear: (verdict: Verdict, now: Millis) => void,
  ) {}

  ask(request: ConnectRequest, now: Millis): void {
    const answer = this.answer();
    this.access.connect(request, answer, now);
  }

  /** The client's answer to a challenge; false: there was none. */
  goOn(data: Uint8Array | undefined): boolean {
    const { challenge } = this;
    if (challenge === undefined) return false;
    this.challenge = undefined;
    challenge.next(data, this.answer());
    return true;
  }

  /** Nothing is heard any more. */
  end(): void {
    this.asked++;
    this.challenge = undefined;
  }

  private answer(): (verdict: Verdict, now: Millis) => void {
    const question = ++this.asked;
    return (verdict, now) => this.state.later((at) => this.take(question, verdict, at), now);
  }

  private take(question: number, verdict: Verdict, now: Millis): void {
    if (question !== this.asked) return;
    this.asked++; // a second answer is none
    if (verdict.outcome === 'continue') this.challenge = verdict;
    this.hear(verdict, now);
  }
}
