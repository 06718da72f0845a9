// PUBLISH with QoS -1: from anybody, without a connection, by one session with the broker for all of them (6.8, 7.1).

import type { PacketType } from '../../assembly/protocol/index.js';
import { TopicType } from '../../assembly/protocol/index.js';
import { isValidTopicName } from '../core/topics.js';
import type { Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';
import type { Core } from './core.js';
import type { ClientSession } from './session.js';
import { UpstreamLink } from './upstream-link.js';

type Publish = Extract<Packet, { type: PacketType.Publish }>;

export class Connectionless {
  private link: UpstreamLink | undefined;
  private notBefore: Millis = Number.NEGATIVE_INFINITY;

  constructor(private readonly core: Core) {}

  /** `sender` if it happens to be connected: then its predefined topics count, and this is a sign of life. */
  onPublish(packet: Publish, sender: ClientSession | undefined, now: Millis): void {
    if (sender !== undefined) sender.lastHeard = now;
    const { topic, retain, data } = packet;
    this.core.counters.publishesInQosMinus1++;
    let name: string | undefined;
    // A registered id belongs to a connection, and here is none (6.8).
    if (topic.kind === TopicType.Predefined) name = this.core.predefined.nameOf(sender?.clientId, topic.id);
    else if (topic.kind === TopicType.Short) name = topic.name;
    const link = this.usableLink(now);
    const accepts = link !== undefined && link.pending < this.core.config.requestsMax;
    if (name === undefined || !isValidTopicName(name) || !accepts) {
      this.core.counters.droppedQosMinus1++;
      return;
    }
    link.publish({ topic: name, payload: new Uint8Array(data), qos: 0, retain }, now, (accepted) => {
      if (!accepted) this.core.counters.droppedQosMinus1++;
    });
  }

  stop(now: Millis): void {
    this.link?.close(now);
    this.link = undefined;
  }

  /** Opened by the first message; after a refusal not again before T_retry is over. */
  private usableLink(now: Millis): UpstreamLink | undefined {
    if (this.link !== undefined || now < this.notBefore) return this.link;
    const link = new UpstreamLink(
      { clientId: this.core.config.connectionlessClientId, clean: true },
      {
        connected: () => {},
        message: (_message, acknowledge, at) => acknowledge(at),
        closed: (reason, at) => this.onClosed(reason, at),
        idle: () => {},
      },
    );
    this.link = link;
    link.start(this.core.upstream, now);
    return this.link;
  }

  private onClosed(reason: string, now: Millis): void {
    this.core.counters.upstreamsLost++;
    this.core.counters.droppedQosMinus1 += this.link?.pending ?? 0;
    this.core.log('warn', 'upstream-closed', { clientId: this.core.config.connectionlessClientId, reason });
    this.link = undefined;
    this.notBefore = now + this.core.config.tRetryMs;
  }
}
