// One client's connection to an aggregating upstream, as its owner sees it.
import type { Message, Millis, PacketId, PublishOutcome, Qos, UpstreamEvents, UpstreamSession } from '../ports.js';
import type { Connection, VirtualClient } from './aggregating-client.js';
import type { Deliveries } from './aggregating-deliveries.js';
import type { SharedFilters } from './aggregating-filters.js';
import type { Publishes } from './aggregating-publishes.js';

/** What a session hands its requests to. Everything happens in a step of `step`. */
export interface SessionParts {
  readonly deliveries: Deliveries;
  readonly filters: SharedFilters;
  readonly publishes: Publishes;
  step<T>(work: () => T): T;
  tell(connection: Connection, event: (events: UpstreamEvents) => void): void;
  /** DISCONNECT, or the loss of the client. */
  leave(client: VirtualClient, isAbort: boolean, now: Millis): void;
}

export class VirtualSession implements UpstreamSession, Connection {
  isLeft = false;
  /** Undefined before the session is open and after it is over. */
  client: VirtualClient | undefined;

  constructor(
    private readonly parts: SessionParts,
    readonly events: UpstreamEvents,
    readonly will: Message | undefined,
  ) {}

  publish(
    message: Message,
    id: PacketId,
    dup: boolean,
    now: Millis,
    done: (outcome: PublishOutcome, now: Millis) => void,
  ): void {
    const answer = (outcome: PublishOutcome, at: Millis) => this.answer(() => done(outcome, at));
    this.request(
      (client) => this.parts.publishes.publish(client, message, id, dup, now, answer),
      () => answer('lost', now),
    );
  }

  release(id: PacketId, now: Millis, done: (now: Millis) => void): void {
    const answer = (at: Millis) => this.answer(() => done(at));
    this.request((client) => this.parts.publishes.release(client, id, now, answer));
  }

  acknowledge(id: PacketId, now: Millis): void {
    this.request((client) => this.parts.deliveries.acknowledge(client, id, now));
  }

  complete(id: PacketId, _now: Millis): void {
    this.request((client) => this.parts.deliveries.complete(client, id));
  }

  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    const answer = (granted: Qos | undefined, at: Millis) => this.answer(() => done(granted, at));
    this.request(
      (client) => this.parts.filters.subscribe(client, filter, qos, now, answer),
      () => answer(undefined, now),
    );
  }

  unsubscribe(filter: string, now: Millis, done: (now: Millis) => void): void {
    const answer = (at: Millis) => this.answer(() => done(at));
    this.request(
      (client) => this.parts.filters.unsubscribe(client, filter, now, answer),
      () => answer(now),
    );
  }

  close(now: Millis): void {
    this.leave(false, now);
  }

  abort(now: Millis): void {
    this.leave(true, now);
  }

  /** `otherwise`: the session is not open. */
  private request(work: (client: VirtualClient) => void, otherwise: () => void = () => {}): void {
    this.parts.step(() => {
      if (this.client === undefined) otherwise();
      else work(this.client);
    });
  }

  private leave(isAbort: boolean, now: Millis): void {
    this.isLeft = true;
    this.request((client) => this.parts.leave(client, isAbort, now));
  }

  private answer(event: () => void): void {
    this.parts.tell(this, event);
  }
}
