// Loads the byte vectors and turns their flat form into the host's packets and back. The conversion is spelled out here
// rather than borrowed from a codec, so that it cannot share a codec's mistakes.
import { readFileSync } from 'node:fs';
import { PacketType, TopicType } from '../../assembly/protocol/index.js';
import type { Qos } from '../../host/ports.js';
import type { FilterTopic, Packet, PublishTopic, SnQos } from '../../host/wire/index.js';

/** The neutral form: see README.md. A field is there exactly when its octets are in the packet. */
export interface FlatPacket {
  readonly type: number;
  readonly flags?: number;
  readonly topicId?: number;
  readonly msgId?: number;
  readonly duration?: number;
  readonly returnCode?: number;
  readonly gwId?: number;
  readonly radius?: number;
  readonly protocolId?: number;
  readonly ctrl?: number;
  readonly data?: string;
  readonly nodeId?: string;
  readonly inner?: string;
}

export interface GoodVector {
  readonly name: string;
  readonly section: string;
  readonly hex: string;
  /** The packet encodes to other octets than these. */
  readonly decodeOnly?: true;
  readonly packet: FlatPacket;
}

export interface MalformedVector {
  readonly name: string;
  readonly malformed: true;
  /** Wrong only where names are text; good where they are octets. */
  readonly text?: true;
  readonly why: string;
  readonly hex: string;
}

export interface Vectors {
  readonly good: readonly GoodVector[];
  readonly malformed: readonly MalformedVector[];
}

export function loadVectors(): Vectors {
  const text = readFileSync(new URL('./mqtt-sn.json', import.meta.url), 'utf8');
  const { vectors } = JSON.parse(text) as { vectors: (GoodVector | MalformedVector)[] };
  return {
    good: vectors.filter((vector): vector is GoodVector => !('malformed' in vector)),
    malformed: vectors.filter((vector): vector is MalformedVector => 'malformed' in vector),
  };
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('');
}

const DUP = 0x80;
const RETAIN = 0x10;
const WILL = 0x08;
const CLEAN = 0x04;
const TOPIC_TYPE = 0x03;

const textOf = (hex: string) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fromHex(hex));
const hexOf = (text: string) => toHex(new TextEncoder().encode(text));
const qosOf = (flags: number) => [0, 1, 2, -1][(flags >> 5) & 3] as SnQos;
const qosFlag = (qos: SnQos) => (qos & 3) << 5;
const shortName = (topicId: number) => textOf(topicId.toString(16).padStart(4, '0'));
const shortId = (name: string) => Number.parseInt(hexOf(name), 16);

function filterOf(flat: FlatPacket): FilterTopic {
  const kind = flat.flags! & TOPIC_TYPE;
  if (kind === TopicType.Predefined) return { kind, id: flat.topicId! };
  if (kind === TopicType.Short) return { kind, name: shortName(flat.topicId!) };
  return { kind: TopicType.Normal, name: textOf(flat.data!) };
}

function topicOf(flat: FlatPacket): PublishTopic {
  const kind = flat.flags! & TOPIC_TYPE;
  if (kind === TopicType.Short) return { kind, name: shortName(flat.topicId!) };
  return { kind, id: flat.topicId! } as PublishTopic;
}

function willOf(flat: FlatPacket) {
  if (flat.flags === undefined) return undefined;
  return { qos: qosOf(flat.flags) as Qos, retain: (flat.flags & RETAIN) !== 0, topic: textOf(flat.data!) };
}

/** The host's packet for a flat one. */
export function packetOf(flat: FlatPacket): Packet {
  const type = flat.type as PacketType;
  const flags = flat.flags ?? 0;
  switch (type) {
    case PacketType.Advertise:
      return { type, gwId: flat.gwId!, duration: flat.duration! };
    case PacketType.SearchGw:
      return { type, radius: flat.radius! };
    case PacketType.GwInfo:
      return { type, gwId: flat.gwId!, gwAdd: fromHex(flat.data!) };
    case PacketType.Connect:
      return {
        type,
        will: (flags & WILL) !== 0,
        cleanSession: (flags & CLEAN) !== 0,
        protocolId: flat.protocolId!,
        duration: flat.duration!,
        clientId: textOf(flat.data!),
      };
    case PacketType.ConnAck:
    case PacketType.WillTopicResp:
    case PacketType.WillMsgResp:
      return { type, returnCode: flat.returnCode! } as Packet;
    case PacketType.WillTopicReq:
    case PacketType.WillMsgReq:
    case PacketType.PingResp:
      return { type };
    case PacketType.WillTopic:
    case PacketType.WillTopicUpd:
      return { type, will: willOf(flat) } as Packet;
    case PacketType.WillMsg:
    case PacketType.WillMsgUpd:
      return { type, message: fromHex(flat.data!) } as Packet;
    case PacketType.Register:
      return { type, topicId: flat.topicId!, msgId: flat.msgId!, topicName: textOf(flat.data!) };
    case PacketType.RegAck:
    case PacketType.PubAck:
      return { type, topicId: flat.topicId!, msgId: flat.msgId!, returnCode: flat.returnCode! };
    case PacketType.Publish:
      return {
        type,
        dup: (flags & DUP) !== 0,
        qos: qosOf(flags),
        retain: (flags & RETAIN) !== 0,
        topic: topicOf(flat),
        msgId: flat.msgId!,
        data: fromHex(flat.data!),
      };
    case PacketType.PubComp:
    case PacketType.PubRec:
    case PacketType.PubRel:
    case PacketType.UnsubAck:
      return { type, msgId: flat.msgId! } as Packet;
    case PacketType.Subscribe:
      return {
        type,
        dup: (flags & DUP) !== 0,
        qos: qosOf(flags) as Qos,
        msgId: flat.msgId!,
        topic: filterOf(flat),
      };
    case PacketType.SubAck:
      return {
        type,
        qos: qosOf(flags) as Qos,
        topicId: flat.topicId!,
        msgId: flat.msgId!,
        returnCode: flat.returnCode!,
      };
    case PacketType.Unsubscribe:
      return { type, msgId: flat.msgId!, topic: filterOf(flat) };
    case PacketType.PingReq:
      return { type, clientId: textOf(flat.data!) };
    case PacketType.Disconnect:
      return { type, duration: flat.duration };
    case PacketType.Forwarded:
      return { type, ctrl: flat.ctrl!, wirelessNodeId: fromHex(flat.nodeId!), inner: fromHex(flat.inner!) };
  }
}

function filterFields(topic: FilterTopic): { topicId: number } | { data: string } {
  if (topic.kind === TopicType.Predefined) return { topicId: topic.id };
  return topic.kind === TopicType.Short ? { topicId: shortId(topic.name) } : { data: hexOf(topic.name) };
}

/** The flat form of the host's packet. */
export function flatOf(packet: Packet): FlatPacket {
  const { type } = packet;
  switch (type) {
    case PacketType.GwInfo:
      return { type, gwId: packet.gwId, data: toHex(packet.gwAdd) };
    case PacketType.Connect:
      return {
        type,
        flags: (packet.will ? WILL : 0) | (packet.cleanSession ? CLEAN : 0),
        protocolId: packet.protocolId,
        duration: packet.duration,
        data: hexOf(packet.clientId),
      };
    case PacketType.WillTopic:
    case PacketType.WillTopicUpd: {
      const { will } = packet;
      if (will === undefined) return { type };
      return { type, flags: qosFlag(will.qos) | (will.retain ? RETAIN : 0), data: hexOf(will.topic) };
    }
    case PacketType.WillMsg:
    case PacketType.WillMsgUpd:
      return { type, data: toHex(packet.message) };
    case PacketType.Register:
      return { type, topicId: packet.topicId, msgId: packet.msgId, data: hexOf(packet.topicName) };
    case PacketType.Publish: {
      const { dup, qos, retain, topic, msgId, data } = packet;
      const flags = (dup ? DUP : 0) | qosFlag(qos) | (retain ? RETAIN : 0) | topic.kind;
      const topicId = topic.kind === TopicType.Short ? shortId(topic.name) : topic.id;
      return { type, flags, topicId, msgId, data: toHex(data) };
    }
    case PacketType.Subscribe: {
      const { dup, qos, topic, msgId } = packet;
      return { type, flags: (dup ? DUP : 0) | qosFlag(qos) | topic.kind, msgId, ...filterFields(topic) };
    }
    case PacketType.Unsubscribe:
      return { type, flags: packet.topic.kind, msgId: packet.msgId, ...filterFields(packet.topic) };
    case PacketType.SubAck: {
      const { qos, topicId, msgId, returnCode } = packet;
      return { type, flags: qosFlag(qos), topicId, msgId, returnCode };
    }
    case PacketType.PingReq:
      return { type, data: hexOf(packet.clientId) };
    case PacketType.Disconnect:
      return packet.duration === undefined ? { type } : { type, duration: packet.duration };
    case PacketType.Forwarded:
      return { type, ctrl: packet.ctrl, nodeId: toHex(packet.wirelessNodeId), inner: toHex(packet.inner) };
    default:
      return { ...packet }; // flat already: numbers only
  }
}
