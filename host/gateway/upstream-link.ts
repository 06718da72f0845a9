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

export class UpstreamLink {
  /** Requests that the broker has not answered. Their answers never come once the link is over. */
  pending = 0;
  over = false;
  isConnected = false;
  isStarted = false;
  private session: UpstreamSession | undefined;
  /** What happened inside `open`. */
  private early: Action[] = [];
  private waiting: ((session: UpstreamSession, now: Millis) => void)[] = [];

  constructor(
    readonly options: UpstreamOptions,
    private readonly owner: LinkOwner,
  ) {}

  start(upstream: Upstream, now: Millis): void {
    this.isStarted = true;
    const { owner } = this;
    const events: UpstreamEvents = {
      connected: (present, at) => this.hear((then) => this.onConnected(present, then), at),
      message: (message, id, dup, at) => this.hear((then) => owner.message(message, id, dup, then), at),
      released: (id, at) => this.hear((then) => owner.released(id, then), at),
      closed: (reason, at) => this.hear((then) => this.onClosed(reason, then), at),
    };
    this.session = upstream.open(this.options, events, now);
    const early = this.early;
    this.early = [];
    for (const action of early) if (!this.over) action(now);
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
    else this.waiting.push((session, at) => make(session, at, answered));
  }

  private hear(action: Action, now: Millis): void {
    if (this.over) return;
    if (this.session === undefined) this.early.push(action);
    else action(now);
  }

  private onConnected(sessionPresent: boolean, now: Millis): void {
    this.isConnected = true;
    this.owner.connected(sessionPresent, now);
    const waiting = this.waiting;
    this.waiting = [];
    for (const make of waiting) if (!this.over) make(this.session!, now);
  }

  private onClosed(reason: string, now: Millis): void {
    this.over = true;
    this.owner.closed(reason, now);
  }
}
