// The packets of MQTT-SN 1.2 as the host sees them: one shape a packet type, told apart by `type`. Numbers are unsigned
// (durations in seconds), byte strings are Uint8Array views, names are decoded UTF-8.
import type { PacketType, TopicType } from '../../assembly/protocol/index.js';
import type { Qos } from '../ports.js';

/** -1 is fire and forget without a connection (6.8). */
export type SnQos = Qos | -1;

/** A topic as PUBLISH names it: by an id, or by a short name, which is a string of exactly two octets of UTF-8. */
export type PublishTopic =
  | { readonly kind: TopicType.Normal; readonly id: number }
  | { readonly kind: TopicType.Predefined; readonly id: number }
  | { readonly kind: TopicType.Short; readonly name: string };

/** A topic as SUBSCRIBE and UNSUBSCRIBE name it: type "normal" carries a name there, never an id (5.4.15). */
export type FilterTopic =
  | { readonly kind: TopicType.Normal; readonly name: string }
  | { readonly kind: TopicType.Predefined; readonly id: number }
  | { readonly kind: TopicType.Short; readonly name: string };

export type Packet =
  | { readonly type: PacketType.Advertise; readonly gwId: number; readonly duration: number }
  | { readonly type: PacketType.SearchGw; readonly radius: number }
  | { readonly type: PacketType.GwInfo; readonly gwId: number; readonly gwAdd: Uint8Array }
  | {
      readonly type: PacketType.Connect;
      readonly will: boolean;
      readonly cleanSession: boolean;
      readonly protocolId: number;
      readonly duration: number;
      readonly clientId: string;
    }
  | { readonly type: PacketType.ConnAck; readonly returnCode: number }
  | { readonly type: PacketType.WillTopicReq }
  | WillTopicPacket<PacketType.WillTopic>
  | { readonly type: PacketType.WillMsgReq }
  | { readonly type: PacketType.WillMsg; readonly message: Uint8Array }
  | { readonly type: PacketType.Register; readonly topicId: number; readonly msgId: number; readonly topicName: string }
  | {
      readonly type: PacketType.RegAck | PacketType.PubAck;
      readonly topicId: number;
      readonly msgId: number;
      readonly returnCode: number;
    }
  | {
      readonly type: PacketType.Publish;
      readonly dup: boolean;
      readonly qos: SnQos;
      readonly retain: boolean;
      readonly topic: PublishTopic;
      readonly msgId: number;
      readonly data: Uint8Array;
    }
  | { readonly type: PacketType.PubRec | PacketType.PubRel | PacketType.PubComp; readonly msgId: number }
  | {
      readonly type: PacketType.Subscribe;
      readonly dup: boolean;
      readonly qos: Qos;
      readonly msgId: number;
      readonly topic: FilterTopic;
    }
  | {
      readonly type: PacketType.SubAck;
      readonly qos: Qos;
      readonly topicId: number;
      readonly msgId: number;
      readonly returnCode: number;
    }
  | { readonly type: PacketType.Unsubscribe; readonly msgId: number; readonly topic: FilterTopic }
  | { readonly type: PacketType.UnsubAck; readonly msgId: number }
  /** `clientId` only from a sleeping client; empty otherwise. */
  | { readonly type: PacketType.PingReq; readonly clientId: string }
  | { readonly type: PacketType.PingResp }
  /** `duration` (seconds) only when a client goes to sleep; undefined otherwise. */
  | { readonly type: PacketType.Disconnect; readonly duration: number | undefined }
  | WillTopicPacket<PacketType.WillTopicUpd>
  | { readonly type: PacketType.WillMsgUpd; readonly message: Uint8Array }
  | { readonly type: PacketType.WillTopicResp | PacketType.WillMsgResp; readonly returnCode: number }
  /** Forwarder encapsulation (5.5): `ctrl`'s two low bits are the broadcast radius; `inner` is the packet inside, undecoded. */
  | {
      readonly type: PacketType.Forwarded;
      readonly ctrl: number;
      readonly wirelessNodeId: Uint8Array;
      readonly inner: Uint8Array;
    };

/** The empty will topic (two octets on the wire, no Flags) is `will: undefined`: it deletes the will (5.4.7). */
interface WillTopicPacket<T extends PacketType.WillTopic | PacketType.WillTopicUpd> {
  readonly type: T;
  readonly will: { readonly qos: Qos; readonly retain: boolean; readonly topic: string } | undefined;
}
