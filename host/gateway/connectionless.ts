// PUBLISH with QoS -1: from anybody, without a connection, by the gateway's own session with the broker (6.8, 7.1).

import type { PacketType } from '../../assembly/protocol/index.js';
import { TopicType } from '../../assembly/protocol/index.js';
import { isValidTopicName } from '../core/topics.js';
import type { Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';
import type { Core } from './core.js';
import { MSG_ID_NONE } from './msg-ids.js';
import type { Presence } from './presence.js';
import type { ClientSession } from './session.js';

type Publish = Extract<Packet, { type: PacketType.Publish }>;

export class Connectionless {
  constructor(
    private readonly core: Core,
    private readonly presence: Presence,
  ) {}

  /** `sender` if it happens to be connected: then its predefined topics and permissions count, and this is a sign of life. */
  onPublish(packet: Publish, sender: ClientSession | undefined, now: Millis): void {
    if (sender !== undefined) sender.lastHeard = now;
    const { retain, data } = packet;
    this.core.counters.publishesInQosMinus1++;
    const topic = this.nameOf(packet, sender);
    const { link } = this.presence;
    if (topic === undefined || link === undefined || link.pending >= this.core.config.requestsMax) {
      this.core.counters.droppedQosMinus1++;
      return;
    }
    link.publish({ topic, payload: new Uint8Array(data), qos: 0, retain }, MSG_ID_NONE, false, now, (outcome) => {
      if (outcome !== 'taken') this.core.counters.droppedQosMinus1++;
    });
  }

  private nameOf({ topic }: Publish, sender: ClientSession | undefined): string | undefined {
    let name: string | undefined;
    // A registered id belongs to a connection, and here is none (6.8).
    if (topic.kind === TopicType.Predefined) name = this.core.predefined.nameOf(sender?.clientId, topic.id);
    else if (topic.kind === TopicType.Short) name = topic.name;
    const isGood = name !== undefined && isValidTopicName(name);
    return isGood && this.core.permissions.mayPublish(sender?.clientId, name!) ? name : undefined;
  }
}
