// The broker's side of a random run: one that is scripted, and a recorder that any upstream can be put behind.
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
} from '../../../host/ports.js';
import type { Call, Event, News, Upper } from './arbitrary-events.js';

type Answer = (now: Millis) => void;

interface Kept {
  readonly message: Message;
  readonly id: PacketId;
  sent: boolean;
  /** QoS 2: acknowledged, PUBCOMP is owed. */
  released: boolean;
}

interface Client {
  lastId: PacketId;
  /** Unacknowledged, in order. */
  readonly kept: Kept[];
}

/** Says what the script says, when the script says so; otherwise a broker by the book, that sends without subscriptions. */
export class ScriptedBroker implements Upstream {
  qosMax: Qos = 2;
  /** Answers wait for `letGo`. */
  holds = false;
  /** CONNACKs wait for `letGo`, too. */
  holdsConnect = false;
  refuses = false;
  refusesConnect = false;
  isDown = false;
  private readonly clients = new Map<string, Client>();
  private readonly open_ = new Map<string, ScriptedSession>();
  private waiting: Answer[] = [];

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    const session = new ScriptedSession(this, options, events);
    if (this.isDown || (this.refusesConnect && !options.clientId.startsWith('thimble'))) {
      session.isOver = true;
      events.closed('refused', now);
      return session;
    }
    const accept = (at: Millis) => this.accept(session, at);
    if (this.holdsConnect) this.waiting.push(accept);
    else accept(now);
    return session;
  }

  /** To a client that is there, or whose session is kept; otherwise nothing happens. */
  deliver(clientId: string, message: Message, now: Millis): void {
    const client = this.clients.get(clientId);
    const session = this.open_.get(clientId);
    if (client === undefined) return;
    if (message.qos === 0) {
      if (session !== undefined) session.events.message(message, 0, false, now);
      return;
    }
    do client.lastId = (client.lastId % 7) + 1;
    while (client.kept.some(({ id }) => id === client.lastId) && client.kept.length < 7);
    if (client.kept.length >= 7) return; // the window is full: never sent, never owed
    const entry: Kept = { message, id: client.lastId, sent: false, released: false };
    client.kept.push(entry);
    if (session !== undefined) send(session, entry, now);
  }

  /** Gives the answers that were held back, the oldest first, up to `count`. */
  letGo(now: Millis, count = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count; i++) {
      const answer = this.waiting.shift();
      if (answer === undefined) return;
      answer(now);
    }
  }

  lose(clientId: string, now: Millis): void {
    const session = this.open_.get(clientId);
    if (session === undefined) return;
    this.leave(session);
    session.events.closed('network', now);
  }

  goDown(now: Millis): void {
    this.isDown = true;
    for (const clientId of [...this.open_.keys()]) this.lose(clientId, now);
  }

  /** Messages of QoS 1 and 2 that a kept session still holds. */
  heldFor(clientId: string): readonly Message[] {
    return (this.clients.get(clientId)?.kept ?? []).map(({ message }) => message);
  }

  answer(session: ScriptedSession, now: Millis, tell: Answer): void {
    const answer = (at: Millis) => {
      if (!session.isOver) tell(at);
    };
    if (this.holds) this.waiting.push(answer);
    else answer(now);
  }

  leave(session: ScriptedSession): void {
    session.isOver = true;
    const { clientId, clean } = session.options;
    if (this.open_.get(clientId) !== session) return;
    this.open_.delete(clientId);
    if (clean) this.clients.delete(clientId);
  }

  acknowledge(session: ScriptedSession, id: PacketId, now: Millis): void {
    const kept = this.clients.get(session.options.clientId)?.kept ?? [];
    const entry = kept.find((one) => one.id === id && !one.released);
    if (entry === undefined) return;
    if (entry.message.qos === 1) kept.splice(kept.indexOf(entry), 1);
    else {
      entry.released = true;
      this.answer(session, now, (at) => session.events.released(id, at));
    }
  }

  complete(session: ScriptedSession, id: PacketId): void {
    const kept = this.clients.get(session.options.clientId)?.kept ?? [];
    const index = kept.findIndex((one) => one.id === id && one.released);
    if (index >= 0) kept.splice(index, 1);
  }

  private accept(session: ScriptedSession, now: Millis): void {
    if (session.isOver) return;
    const { clientId, clean } = session.options;
    if (clean) this.clients.delete(clientId);
    const present = this.clients.has(clientId);
    const client = this.clients.get(clientId) ?? { lastId: 0, kept: [] };
    this.clients.set(clientId, client);
    this.open_.set(clientId, session);
    session.events.connected(present, now);
    for (const entry of [...client.kept]) if (!session.isOver) send(session, entry, now);
  }
}

function send(session: ScriptedSession, entry: Kept, now: Millis): void {
  const dup = entry.sent;
  entry.sent = true;
  if (entry.released) session.events.released(entry.id, now);
  else session.events.message(entry.message, entry.id, dup, now);
}

class ScriptedSession implements UpstreamSession {
  isOver = false;

  constructor(
    private readonly broker: ScriptedBroker,
    readonly options: UpstreamOptions,
    readonly events: UpstreamEvents,
  ) {}

  publish(
    { qos }: Message,
    _id: PacketId,
    _dup: boolean,
    now: Millis,
    done: (outcome: PublishOutcome, now: Millis) => void,
  ): void {
    if (qos === 0) done('taken', now);
    else this.broker.answer(this, now, (at) => done(this.broker.refuses ? 'refused' : 'taken', at));
  }

  release(_id: PacketId, now: Millis, done: Answer): void {
    this.broker.answer(this, now, done);
  }

  acknowledge(id: PacketId, now: Millis): void {
    if (!this.isOver) this.broker.acknowledge(this, id, now);
  }

  complete(id: PacketId): void {
    if (!this.isOver) this.broker.complete(this, id);
  }

  subscribe(_filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    this.broker.answer(this, now, (at) => done(this.broker.refuses ? undefined : qos, at));
  }

  unsubscribe(_filter: string, now: Millis, done: Answer): void {
    this.broker.answer(this, now, done);
  }

  close(): void {
    this.broker.leave(this);
  }

  abort(): void {
    this.broker.leave(this);
  }
}

/** Hands everything on to another upstream, and tells what was said. */
export class RecordedUpstream implements Upstream {
  private count = 0;
  /** Sessions of this process of the gateway that are not over, by how to cut them off. */
  private readonly cuts = new Map<Upper, (now: Millis) => void>();

  constructor(
    private readonly inner: Upstream,
    private readonly tell: (event: Event) => void,
  ) {}

  get qosMax(): Qos {
    return this.inner.qosMax;
  }

  /** The gateway's process is gone: the broker sees closed connections, and the gateway nothing. */
  cut(now: Millis): void {
    const cuts = [...this.cuts.values()];
    this.cuts.clear();
    for (const cut of cuts) cut(now);
  }

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    const on: Upper = { number: ++this.count, options };
    let isCut = false;
    const hear = (news: News, act: () => void) => {
      if (isCut) return;
      this.tell({ what: 'news', on, news });
      act();
    };
    const say = (call: Call) => this.tell({ what: 'call', on, call });
    let session: UpstreamSession | undefined;
    this.cuts.set(on, (at) => {
      isCut = true;
      session?.abort(at);
    });
    say({ call: 'open' });
    session = this.inner.open(
      options,
      {
        connected: (present, at) => hear({ news: 'connected', present }, () => events.connected(present, at)),
        message: (message, id, dup, at) =>
          hear({ news: 'message', message, id, dup }, () => events.message(message, id, dup, at)),
        released: (id, at) => hear({ news: 'released', id }, () => events.released(id, at)),
        closed: (reason, at) => {
          this.cuts.delete(on);
          hear({ news: 'closed' }, () => events.closed(reason, at));
        },
      },
      now,
    );
    return this.recorded(session, on, hear, say);
  }

  private recorded(
    session: UpstreamSession,
    on: Upper,
    hear: (news: News, act: () => void) => void,
    say: (call: Call) => void,
  ): UpstreamSession {
    return {
      publish: (message, id, dup, now, done) => {
        const request: Call = { call: 'publish', message, id, dup };
        say(request);
        session.publish(message, id, dup, now, (outcome, at) =>
          hear({ news: 'answer', request, outcome }, () => done(outcome, at)),
        );
      },
      release: (id, now, done) => {
        const request: Call = { call: 'release', id };
        say(request);
        session.release(id, now, (at) => hear({ news: 'answer', request, outcome: 'done' }, () => done(at)));
      },
      subscribe: (filter, qos, now, done) => {
        const request: Call = { call: 'subscribe', filter, qos };
        say(request);
        session.subscribe(filter, qos, now, (granted, at) =>
          hear({ news: 'answer', request, outcome: granted ?? 'refused' }, () => done(granted, at)),
        );
      },
      unsubscribe: (filter, now, done) => {
        const request: Call = { call: 'unsubscribe', filter };
        say(request);
        session.unsubscribe(filter, now, (at) => hear({ news: 'answer', request, outcome: 'done' }, () => done(at)));
      },
      acknowledge: (id, now) => {
        say({ call: 'acknowledge', id });
        session.acknowledge(id, now);
      },
      complete: (id, now) => {
        say({ call: 'complete', id });
        session.complete(id, now);
      },
      close: (now) => {
        say({ call: 'close' });
        this.cuts.delete(on);
        session.close(now);
      },
      abort: (now) => {
        say({ call: 'abort' });
        this.cuts.delete(on);
        session.abort(now);
      },
    };
  }
}
