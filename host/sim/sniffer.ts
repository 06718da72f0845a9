// Listens to one device's datagrams and knows, as the device does, which name stands behind a topic id. The simulator
// needs it to tell what messages are on the air without asking the device.
import { PacketType, ReturnCode, TopicType } from '../../assembly/protocol/index.js';
import type { PredefinedConfig } from '../gateway/config.js';
import { decode, isFault, type Packet, type PublishTopic } from '../wire/index.js';

export class Sniffer {
  private readonly names = new Map<number, string>();
  /** Names in REGISTER and SUBSCRIBE that wait for their answer, by MsgId. */
  private readonly asked = new Map<number, string>();
  private clientId = '';
  /** Filters that the gateway has accepted. */
  private readonly held = new Set<string>();

  constructor(private readonly predefined: PredefinedConfig) {}

  /** A datagram the device sends. Returns the packet; undefined for what is none. */
  up(datagram: Uint8Array): Packet | undefined {
    const packet = decode(datagram);
    if (isFault(packet)) return undefined;
    switch (packet.type) {
      case PacketType.Connect:
        this.clientId = packet.clientId;
        break;
      case PacketType.Register:
        this.asked.set(packet.msgId, packet.topicName);
        break;
      case PacketType.Subscribe:
        if (packet.topic.kind === TopicType.Normal) this.asked.set(packet.msgId, packet.topic.name);
        break;
      case PacketType.Unsubscribe:
        if (packet.topic.kind === TopicType.Normal) this.held.delete(packet.topic.name);
        break;
    }
    return packet;
  }

  /** A datagram the device receives. Returns the packet; undefined for what is none. */
  down(datagram: Uint8Array): Packet | undefined {
    const packet = decode(datagram);
    if (isFault(packet)) return undefined;
    switch (packet.type) {
      case PacketType.SubAck:
      case PacketType.RegAck: {
        const name = this.asked.get(packet.msgId);
        if (name === undefined) break;
        this.asked.delete(packet.msgId);
        if (packet.topicId !== 0) this.names.set(packet.topicId, name);
        if (packet.type === PacketType.SubAck && packet.returnCode === ReturnCode.Accepted) this.held.add(name);
        break;
      }
      case PacketType.Register:
        this.names.set(packet.topicId, packet.topicName);
        break;
    }
    return packet;
  }

  /** True once the device knows that the gateway took its subscription to exactly this filter. */
  holds(filter: string): boolean {
    return this.held.has(filter);
  }

  /** The name behind a topic; undefined where it was never told. */
  nameOf(topic: PublishTopic): string | undefined {
    if (topic.kind === TopicType.Short) return topic.name;
    if (topic.kind === TopicType.Normal) return this.names.get(topic.id);
    const id = String(topic.id);
    return this.predefined[this.clientId]?.[id] ?? this.predefined['*']?.[id];
  }
}
