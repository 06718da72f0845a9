// Topic aliases of one connection, in each direction (MQTT 5.0, 3.3.2.3.4): small numbers that stand for topics.
import type { OutgoingAlias } from './hot-packets.js';
import type { PublishPacket } from './packets.js';
import { ReasonCode } from './reason-codes.js';

/** What the aliases of a client stand for. They end with the connection [MQTT-3.3.2-7]. */
export class IncomingAliases {
  private readonly topics: (string | undefined)[] = [];

  /** `max`: the Topic Alias Maximum that CONNACK named, 0 to 65,535; 0: none may be used. */
  constructor(private readonly max: number) {}

  /** The packet with its topic, itself where it has one; or why the connection has to end. */
  resolve(packet: PublishPacket): PublishPacket | ReasonCode {
    const { topic, topicAlias } = packet;
    if (topicAlias === 0) return topic === '' ? ReasonCode.ProtocolError : packet;
    if (topicAlias < 0 || topicAlias > this.max) return ReasonCode.TopicAliasInvalid; // [MQTT-3.3.2-9]
    if (topic !== '') {
      this.topics[topicAlias] = topic;
      return packet;
    }
    const known = this.topics[topicAlias];
    return known === undefined ? ReasonCode.ProtocolError : { ...packet, topic: known };
  }
}

/**
 * The aliases for a client. When there are no more, the one used least recently is given to another topic: a list through
 * arrays by alias, whose ends are at 0, so that a use costs a few assignments and no allocation.
 */
export class OutgoingAliases {
  private readonly aliases = new Map<string, number>();
  /** By alias, as are all of these: the topic, and what to answer when it is used again. */
  private readonly topics: string[] = [''];
  private readonly known: OutgoingAlias[] = [{ alias: 0, isNew: false }];
  /** Used later, used earlier; of 0: the least and the most recent. */
  private readonly later: number[] = [0];
  private readonly earlier: number[] = [0];

  /** `max`: the client's Topic Alias Maximum or less, 0 to 65,535; 0: there are none. */
  constructor(private readonly max: number) {}

  /** How to name the topic in the next packet, which must be sent. Undefined: by itself. */
  aliasFor(topic: string): OutgoingAlias | undefined {
    if (this.max === 0) return undefined;
    const alias = this.aliases.get(topic);
    if (alias === undefined) return { alias: this.assign(topic), isNew: true };
    if (this.earlier[0] !== alias) {
      this.unlink(alias);
      this.link(alias);
    }
    return this.known[alias];
  }

  private assign(topic: string): number {
    let alias = this.topics.length;
    if (alias > this.max) {
      alias = this.later[0]!;
      this.unlink(alias);
      this.aliases.delete(this.topics[alias]!);
    } else this.known[alias] = { alias, isNew: false };
    this.topics[alias] = topic;
    this.aliases.set(topic, alias);
    this.link(alias);
    return alias;
  }

  private unlink(alias: number): void {
    const later = this.later[alias]!;
    const earlier = this.earlier[alias]!;
    this.later[earlier] = later;
    this.earlier[later] = earlier;
  }

  /** As the one used last. */
  private link(alias: number): void {
    const last = this.earlier[0]!;
    this.earlier[alias] = last;
    this.later[alias] = 0;
    this.later[last] = alias;
    this.earlier[0] = alias;
  }
}
