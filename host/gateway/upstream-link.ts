// One session with the broker as its owner wants to see it: nothing is heard before `start` has returned from opening it nor
// after it is over, and requests made before the broker said yes wait for it.
import type {
  Message,
  Millis,
  PacketId,
  PublishOutcome,
  Qos,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../ports.js';

export interface LinkOwner extends UpstreamEvents {
  /** The last request has been answered. */
  idle(now: Millis): void;
}

type Action = (now: Millis) => void;

/** Everybody's empty list: there are many links, and they seldom wait. */
const NONE: readonly never[] = [];

/** Its methods `connected`, `message`, `released` and `closed` are for the broker's side alone. */
export class UpstreamLink implements UpstreamEvents {
  /** Requests that the broker has not answered. Their answers never come once the link is over. */
  pending = 0;
  over = false;
  isConnected = false;
  isStarted = false;
  private session: UpstreamSession | undefined;
  /** What happened inside `open`, and while the owner was told of that: in order, so that no message overtakes another. */
  private early: readonly Action[] = NONE;
  private isLive = false;
  /** The next event is one of `early`. */
  private isReplayed = false;
  /** Requests that wait for the broker's yes. */
  private waiting: readonly ((session: UpstreamSession, now: Millis) => void)[] = NONE;

  constructor(
    readonly options: UpstreamOptions,
    private readonly owner: LinkOwner,
  ) {}

  start(upstream: Upstream, now: Millis): void {
    this.isStarted = true;
    this.session = upstream.open(this.options, this, now);
    for (let i = 0; i < this.early.length && !this.over; i++) {
      this.isReplayed = true;
      this.early[i]!(now);
    }
    this.early = NONE;
    this.isLive = true;
  }

  publish(
    message: Message,
    id: PacketId,
    dup: boolean,
    now: Millis,
    done: (outcome: PublishOutcome, now: Millis) => void,
  ): void {
    this.request(now, (session, at, answered) =>
      session.publish(message, id, dup, at, (outcome, later) => answered(later, () => done(outcome, later))),
    );
  }

  release(id: PacketId, now: Millis, done: (now: Millis) => void): void {
    this.request(now, (session, at, answered) =>
      session.release(id, at, (later) => answered(later, () => done(later))),
    );
  }

  /** False where the session is not open: nothing was said. */
  acknowledge(id: PacketId, now: Millis): boolean {
    if (this.over || !this.isConnected) return false;
    this.session?.acknowledge(id, now);
    return true;
  }

  complete(id: PacketId, now: Millis): void {
    if (!this.over && this.isConnected) this.session?.complete(id, now);
  }

  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    this.request(now, (session, at, answered) =>
      session.subscribe(filter, qos, at, (granted, later) => answered(later, () => done(granted, later))),
    );
  }

  unsubscribe(filter: string, now: Millis, done: (now: Millis) => void): void {
    this.request(now, (session, at, answered) =>
      session.unsubscribe(filter, at, (later) => answered(later, () => done(later))),
    );
  }

  close(now: Millis): void {
    if (this.over) return;
    this.over = true;
    this.session?.close(now);
  }

  abort(now: Millis): void {
    if (this.over) return;
    this.over = true;
    this.session?.abort(now);
  }

  private request(
    now: Millis,
    make: (session: UpstreamSession, now: Millis, answered: (now: Millis, tell: () => void) => void) => void,
  ): void {
    if (this.over) return;
    this.pending++;
    let open = true;
    const answered = (at: Millis, tell: () => void) => {
      if (!open || this.over) return;
      open = false;
      this.pending--;
      tell();
      if (this.pending === 0 && !this.over) this.owner.idle(at);
    };
    if (this.isConnected) make(this.session!, now, answered);
    else this.waiting = [...this.waiting, (session, at) => make(session, at, answered)];
  }

  connected(sessionPresent: boolean, now: Millis): void {
    if (!this.hears((at) => this.connected(sessionPresent, at))) return;
    this.isConnected = true;
    this.owner.connected(sessionPresent, now);
    const { waiting } = this;
    this.waiting = NONE;
    for (const make of waiting) if (!this.over) make(this.session!, now);
  }

  message(message: Message, id: PacketId, dup: boolean, now: Millis): void {
    if (this.hears((at) => this.message(message, id, dup, at))) this.owner.message(message, id, dup, now);
  }

  released(id: PacketId, now: Millis): void {
    if (this.hears((at) => this.released(id, at))) this.owner.released(id, now);
  }

  closed(reason: string, now: Millis): void {
    if (!this.hears((at) => this.closed(reason, at))) return;
    this.over = true;
    this.owner.closed(reason, now);
  }

  /** False when the link is over, or the owner is not told yet: `again` is called when it is. */
  private hears(again: Action): boolean {
    if (this.over || this.isLive) return !this.over;
    if (!this.isReplayed) this.early = [...this.early, again];
    const { isReplayed } = this;
    this.isReplayed = false;
    return isReplayed;
  }
}
