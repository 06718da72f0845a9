// The gateway's own session with the broker. It stands for as long as the gateway runs and says whether the broker is there,
// without which a gateway neither advertises nor accepts anybody (6.1); and it carries everybody's QoS -1 (7.1).
import { between } from '../core/random.js';
import type { Timer } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import type { Core, Job } from './core.js';
import { UpstreamLink } from './upstream-link.js';

export interface PresenceEvents {
  /** The broker is there, for the first time or again. */
  up(now: Millis): void;
  /** It was there, and is not any more. */
  down(now: Millis): void;
}

export class Presence {
  /** The session; what is asked of it before the broker has accepted it waits. Undefined during a pause. */
  link: UpstreamLink | undefined;
  private timer: Timer<Job> | undefined;
  private attempts = 0;

  constructor(
    private readonly core: Core,
    private readonly events: PresenceEvents,
  ) {}

  get isUp(): boolean {
    return this.link?.isConnected ?? false;
  }

  start(now: Millis): void {
    const { connectionlessClientId: clientId, upstreamTimeoutMs } = this.core.config;
    const link = new UpstreamLink(
      { clientId, clean: true },
      {
        connected: (_present, at) => this.onConnected(at),
        message: (_message, id, _dup, at) => void link.acknowledge(id, at),
        released: (id, at) => link.complete(id, at),
        closed: (reason, at) => this.onClosed(reason, at),
        idle: () => {},
      },
    );
    this.link = link;
    this.timer = this.core.at(now + upstreamTimeoutMs, (at) => {
      link.abort(at);
      this.onClosed('timeout', at);
    });
    link.start(this.core.upstream, now);
  }

  stop(now: Millis): void {
    this.core.cancel(this.timer);
    this.link?.close(now);
    this.link = undefined;
  }

  private onConnected(now: Millis): void {
    this.core.cancel(this.timer);
    this.attempts = 0;
    this.core.log('info', 'upstream-up');
    this.events.up(now);
  }

  /** Tries again after a pause that doubles, with jitter, so that many gateways do not return to a broker as one. */
  private onClosed(reason: string, now: Millis): void {
    const wasUp = this.isUp;
    this.core.cancel(this.timer);
    this.core.counters.upstreamsLost++;
    this.core.counters.droppedQosMinus1 += this.link?.pending ?? 0;
    this.core.log('warn', 'upstream-down', { reason });
    this.link = undefined;
    const { upstreamRetryMs, upstreamRetryMsMax } = this.core.config;
    const pauseMs = Math.min(upstreamRetryMs * 2 ** this.attempts, upstreamRetryMsMax);
    if (pauseMs < upstreamRetryMsMax) this.attempts++;
    this.timer = this.core.at(now + between(this.core.random, Math.ceil(pauseMs / 2), pauseMs), (at) => this.start(at));
    if (wasUp) this.events.down(now);
  }
}
