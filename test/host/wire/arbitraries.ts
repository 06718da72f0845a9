// Every packet that the host may send, for property tests.
import fc from 'fast-check';
import { PacketType, TopicType } from '../../../assembly/protocol/index.js';
import type { FilterTopic, Packet, PublishTopic } from '../../../host/wire/index.js';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const qos = fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>;
const data = fc.uint8Array({ maxLength: 300 });
const name = fc.string({ unit: 'grapheme', maxLength: 80 }).filter((text) => !text.includes('\0'));
const shortName = fc.oneof(fc.stringMatching(/^[!-~]{2}$/), fc.constantFrom('é', 'ß', 'Ж'));
const type = <T extends PacketType>(...types: T[]) => fc.constantFrom(...types);

const publishTopic: fc.Arbitrary<PublishTopic> = fc.oneof(
  fc.record({ kind: fc.constant(TopicType.Normal), id: u16 }),
  fc.record({ kind: fc.constant(TopicType.Predefined), id: u16 }),
  fc.record({ kind: fc.constant(TopicType.Short), name: shortName }),
) as fc.Arbitrary<PublishTopic>;

const filterTopic: fc.Arbitrary<FilterTopic> = fc.oneof(
  fc.record({ kind: fc.constant(TopicType.Normal), name }),
  fc.record({ kind: fc.constant(TopicType.Predefined), id: u16 }),
  fc.record({ kind: fc.constant(TopicType.Short), name: shortName }),
) as fc.Arbitrary<FilterTopic>;

const will = fc.option(fc.record({ qos, retain: fc.boolean(), topic: name }), { nil: undefined });

export const anyPacket: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({ type: type(PacketType.Advertise), gwId: u8, duration: u16 }),
  fc.record({ type: type(PacketType.SearchGw), radius: u8 }),
  fc.record({ type: type(PacketType.GwInfo), gwId: u8, gwAdd: data }),
  fc.record({
    type: type(PacketType.Connect),
    will: fc.boolean(),
    cleanSession: fc.boolean(),
    protocolId: u8,
    duration: u16,
    clientId: name,
  }),
  fc.record({ type: type(PacketType.ConnAck, PacketType.WillTopicResp, PacketType.WillMsgResp), returnCode: u8 }),
  fc.record({ type: type(PacketType.WillTopicReq, PacketType.WillMsgReq, PacketType.PingResp) }),
  fc.record({ type: type(PacketType.WillTopic, PacketType.WillTopicUpd), will }),
  fc.record({ type: type(PacketType.WillMsg, PacketType.WillMsgUpd), message: data }),
  fc.record({ type: type(PacketType.Register), topicId: u16, msgId: u16, topicName: name }),
  fc.record({ type: type(PacketType.RegAck, PacketType.PubAck), topicId: u16, msgId: u16, returnCode: u8 }),
  fc.record({
    type: type(PacketType.Publish),
    dup: fc.boolean(),
    qos: fc.constantFrom(-1, 0, 1, 2),
    retain: fc.boolean(),
    topic: publishTopic,
    msgId: u16,
    data,
  }),
  fc.record({
    type: type(PacketType.PubRec, PacketType.PubRel, PacketType.PubComp, PacketType.UnsubAck),
    msgId: u16,
  }),
  fc.record({ type: type(PacketType.Subscribe), dup: fc.boolean(), qos, msgId: u16, topic: filterTopic }),
  fc.record({ type: type(PacketType.SubAck), qos, topicId: u16, msgId: u16, returnCode: u8 }),
  fc.record({ type: type(PacketType.Unsubscribe), msgId: u16, topic: filterTopic }),
  fc.record({ type: type(PacketType.PingReq), clientId: name }),
  fc.record({ type: type(PacketType.Disconnect), duration: fc.option(u16, { nil: undefined }) }),
  fc.record({
    type: type(PacketType.Forwarded),
    ctrl: u8,
    wirelessNodeId: fc.uint8Array({ minLength: 1, maxLength: 16 }),
    inner: fc.uint8Array({ minLength: 1, maxLength: 60 }),
  }),
) as fc.Arbitrary<Packet>;
