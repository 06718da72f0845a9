// The shared session's connection: opened, given up when the broker does not answer, opened again after a while.
import { between } from '../core/random.js';
import type { Millis, Random, Upstream, UpstreamEvents } from '../ports.js';
import { UpstreamLink } from './upstream-link.js';

/** From a loss to the next try; doubled from try to try. The upper half is random, so that gateways do not come all at once. */
const RECONNECT_MS_MIN = 1_000;
const RECONNECT_MS_MAX = 60_000;
/** How long the broker may take to accept the session. */
const CONNECT_MS_MAX = 30_000;

const NEVER = Number.POSITIVE_INFINITY;

export interface SharedLinkOwner extends UpstreamEvents {
  /** The broker has no session of this client any more, of whatever came before. */
  emptied(): void;
}

export class SharedLink {
  /** While the broker has accepted it. */
  link: UpstreamLink | undefined;
  private opening: UpstreamLink | undefined;
  private dueMs: Millis = NEVER;
  private failures = 0;
  private isRunning = false;

  /** `isKnown`: the session that the broker may have is ours to go on with. */
  constructor(
    private readonly upstream: Upstream,
    private readonly clientId: string,
    private isKnown: boolean,
    private readonly random: Random,
    private readonly rescheduled: (dueMs: Millis) => void,
    private readonly owner: SharedLinkOwner,
  ) {}

  start(now: Millis): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.open(now);
  }

  stop(now: Millis): void {
    this.isRunning = false;
    this.dueMs = NEVER;
    this.opening?.close(now);
    this.link?.close(now);
    this.opening = undefined;
    this.link = undefined;
  }

  nextDue(): Millis {
    return this.dueMs;
  }

  poll(now: Millis): void {
    if (now < this.dueMs) return;
    const { opening } = this;
    if (opening === undefined) this.open(now);
    else {
      opening.abort(now);
      this.onClosed(opening, 'timeout', now);
    }
  }

  private open(now: Millis): void {
    const { owner } = this;
    const isEmptying = !this.isKnown;
    const link: UpstreamLink = new UpstreamLink(
      { clientId: this.clientId, clean: isEmptying },
      {
        connected: (present, at) => (isEmptying ? this.onEmptied(link, at) : this.onConnected(link, present, at)),
        message: (message, id, dup, at) => owner.message(message, id, dup, at),
        released: (id, at) => owner.released(id, at),
        closed: (reason, at) => this.onClosed(link, reason, at),
        idle: () => {},
      },
    );
    this.opening = link;
    this.setDue(now + CONNECT_MS_MAX);
    link.start(this.upstream, now);
  }

  /** A clean session leaves nothing behind [MQTT-3.1.2-6]: the next one begins with nothing. */
  private onEmptied(link: UpstreamLink, now: Millis): void {
    link.close(now);
    this.isKnown = true;
    this.owner.emptied();
    this.open(now);
  }

  private onConnected(link: UpstreamLink, sessionPresent: boolean, now: Millis): void {
    this.opening = undefined;
    this.link = link;
    this.failures = 0;
    this.dueMs = NEVER;
    this.owner.connected(sessionPresent, now);
  }

  private onClosed(link: UpstreamLink, reason: string, now: Millis): void {
    const wasConnected = this.link === link;
    if (!wasConnected && this.opening !== link) return;
    this.link = undefined;
    this.opening = undefined;
    const mostMs = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(this.failures++, 16));
    this.setDue(now + between(this.random, mostMs / 2, mostMs));
    if (wasConnected) this.owner.closed(reason, now);
  }

  private setDue(dueMs: Millis): void {
    const isSooner = dueMs < this.dueMs;
    this.dueMs = dueMs;
    if (isSooner) this.rescheduled(dueMs);
  }
}
