// Messages from the gateway, and the topics it registers for them (6.6, 6.10).

import { INBOUND_QOS2_MAX, LATE_DUPLICATE_MS } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { Flags, QOS_BITS_MINUS_ONE, QOS_SHIFT, TOPIC_ID_NONE, TOPIC_ID_RESERVED, TopicType } from '../protocol/flags';
import { Counter } from '../protocol/image';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { hasRoom, raise } from './events';
import { client, count, Event, Inbound, inboundAt, Mark, NO_TOPIC, nameOf, packet, topicAt } from './state';
import { assignId, declareName, findId } from './topics';
import { answer, transmit } from './transmit';

/** Inbound.state */
const AWAIT_PUBREL: u8 = 1;
const RELEASED: u8 = 2;

export function onRegister(): i32 {
  const id = packet.topicId;
  if (id === TOPIC_ID_NONE || id === TOPIC_ID_RESERVED || !packet.msgId) return ErrorCode.BadField;
  const handle = declareName(packet.data, packet.dataBytes, Mark.Borrowed);
  if (handle >= 0) assignId(handle, id);
  // "Not supported" ends the delivery of this topic, never that of the wildcard (6.10).
  answer(PacketType.RegAck, handle >= 0 ? ReturnCode.Accepted : ReturnCode.NotSupported);
  return ErrorCode.None;
}

export function onPublish(): i32 {
  const qos = (packet.flags & Flags.Qos) >> QOS_SHIFT;
  // At QoS 0 the MsgId means nothing (5.4.12).
  if (qos === QOS_BITS_MINUS_ONE || (qos && !packet.msgId)) return ErrorCode.BadField;
  const type: TopicType = packet.flags & Flags.TopicType;
  const handle = findId(type, packet.topicId);
  if (handle < 0 && type !== TopicType.Short) {
    count(Counter.Dropped);
    answer(PacketType.PubAck, ReturnCode.InvalidTopicId);
    return ErrorCode.None;
  }
  // Without room nothing is acknowledged: the gateway sends it again.
  if (!hasRoom()) {
    count(Counter.Dropped);
    return ErrorCode.Full;
  }
  if (qos === 2) return onPublishQos2(handle);
  deliver(handle, qos);
  if (qos) answer(PacketType.PubAck, ReturnCode.Accepted);
  return ErrorCode.None;
}

/** Delivered on its first arrival; its MsgId is kept until PUBREL, and a while longer against the radio's late copies. */
function onPublishQos2(handle: i32): i32 {
  const check = checksum(packet.data, packet.dataBytes);
  const known = find(packet.msgId);
  if (known && isCopy(known, check)) {
    count(Counter.Duplicates);
  } else {
    const record = known ? known : claim();
    record.msgId = <u16>packet.msgId;
    record.check = check;
    record.state = AWAIT_PUBREL;
    record.at = client.now;
    deliver(handle, 2);
  }
  transmit(PacketType.PubRec);
  return ErrorCode.None;
}

/** An open handshake owns its MsgId; a completed one only for LATE_DUPLICATE_MS. */
function isCopy(record: Inbound, check: u16): bool {
  if (record.check !== check) return false;
  return record.state === AWAIT_PUBREL || <u32>(client.now - record.at) < <u32>LATE_DUPLICATE_MS;
}

export function onPubRel(): i32 {
  const record = find(packet.msgId);
  if (record && record.state === AWAIT_PUBREL) {
    record.state = RELEASED;
    record.at = client.now;
  }
  // PUBCOMP also where nothing is known: the gateway's PUBREL came twice.
  transmit(PacketType.PubComp);
  return ErrorCode.None;
}

function find(msgId: i32): Inbound | null {
  for (let i = 0; i < INBOUND_QOS2_MAX; i++) {
    const record = inboundAt(i);
    if (<i32>record.msgId === msgId) return record;
  }
  return null;
}

/**
 * A free record, or the one where nothing has happened for longest. An open handshake may go, too: a gateway has one at a
 * time (6.6), so it has given up those before it, and they must not block the way for ever.
 */
function claim(): Inbound {
  let oldest = inboundAt(0);
  for (let i = 0; i < INBOUND_QOS2_MAX; i++) {
    const record = inboundAt(i);
    if (!record.msgId) return record;
    if (record.at - oldest.at < 0) oldest = record;
  }
  return oldest;
}

/** A clean session has no open handshakes. */
export function forgetInbound(): void {
  for (let i = 0; i < INBOUND_QOS2_MAX; i++) inboundAt(i).msgId = 0;
}

/**
 * After a hibernation of any length, open handshakes go on. Completed ones do not count: a MsgId may mean another message by
 * now, and the radio's late copies do not outlive it.
 */
export function wakeInbound(): void {
  for (let i = 0; i < INBOUND_QOS2_MAX; i++) {
    const record = inboundAt(i);
    if (record.state === RELEASED) record.msgId = 0;
    record.at = client.now;
  }
}

function deliver(handle: i32, qos: i32): void {
  count(Counter.DeliveredQos0 + qos);
  const event: Event = raise(EventKind.Message);
  event.flags = <u8>packet.flags;
  event.topicId = <u16>packet.topicId;
  event.ticket = <u16>packet.msgId;
  event.data = packet.data;
  event.dataBytes = <u16>packet.dataBytes;
  if (handle < 0) {
    // A short topic is its own name: the two octets before MsgId.
    event.topic = <u8>NO_TOPIC;
    event.name = packet.data - 4;
    event.nameBytes = 2;
    return;
  }
  event.topic = <u8>handle;
  const name = nameOf(topicAt(handle));
  event.name = name + 1;
  event.nameBytes = load<u8>(name);
}

/** A sum over the payload in which order matters: 16 bits tell two payloads under one MsgId apart well enough. */
function checksum(data: usize, bytes: i32): u16 {
  let sum: u32 = bytes;
  for (let i = 0; i < bytes; i++) sum = sum * 31 + load<u8>(data + i);
  return <u16>sum;
}
