// Messages from the application: a queue in fixed memory, first in, first out. The head is the only one in flight, since
// 1.2 allows one QoS 1 or 2 PUBLISH at a time (6.6), and that is also what keeps messages in order.
//
//    0        2        4       5       6
// ┌────────┬────────┬───────┬───────┬──────────┐
// │ octets │ MsgId  │ topic │ flags │ payload  │  one record; `octets` is the payload's length
// └────────┴────────┴───────┴───────┴──────────┘

import { N_RETRY, OUTBOUND_BYTES } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { Flags, QOS_BITS_MINUS_ONE, QOS_SHIFT, TOPIC_ID_NONE, TopicType } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { raiseAbout } from './events';
import { settle, wait } from './exchange';
import { isPublishable } from './forwarded';
import { ask } from './requests';
import { client, exchangeAt, Mark, nameOf, OUTBOUND_AT, owedBy, packet, Request, Topic, topicAt } from './state';
import { adopt, assignId, findId, typeOf } from './topics';
import { nextMsgId, transmit, transmitWith } from './transmit';

const RECORD_BYTES: i32 = 6;

function headBytes(): i32 {
  return load<u16>(OUTBOUND_AT);
}

function headMsgId(): i32 {
  return load<u16>(OUTBOUND_AT, 2);
}

function headTopic(): i32 {
  return load<u8>(OUTBOUND_AT, 4);
}

function headFlags(): i32 {
  return load<u8>(OUTBOUND_AT, 5);
}

/** True while a message waits to be sent or acknowledged. */
export function hasOutbound(): bool {
  return client.outboundBytes !== 0;
}

/**
 * Queues a message of `bytes` octets at `data` for the topic `handle` at `qos` 0 to 2, or sends it at once at QoS -1,
 * which needs no connection but a predefined or short topic (6.8). Returns a ticket (the MsgId; 0 for QoS 0 and -1),
 * that an event Published or PublishFailed will carry, or an ErrorCode: nothing was queued then.
 */
export function publish(handle: i32, data: usize, bytes: i32, qos: i32, retain: bool): i32 {
  const topic = adopt(handle);
  if (!topic || topic.marks & Mark.Wildcard) return ErrorCode.BadTopic;
  if (<u32>(qos + 1) > 3 || bytes < 0) return ErrorCode.BadArgument;
  if (!isPublishable(bytes)) return ErrorCode.TooLong;
  const flags = ((qos & QOS_BITS_MINUS_ONE) << QOS_SHIFT) | (retain ? Flags.Retain : 0);
  if (qos < 0) {
    if (typeOf(topic) === TopicType.Normal) return ErrorCode.BadTopic;
    sendMessage(topic, flags, 0, data, bytes);
    return ErrorCode.None;
  }
  return enqueue(handle, flags, data, bytes);
}

function enqueue(handle: i32, flags: i32, data: usize, bytes: i32): i32 {
  const used: i32 = client.outboundBytes;
  if (used + RECORD_BYTES + bytes > OUTBOUND_BYTES) return ErrorCode.Full;
  const msgId = flags & Flags.Qos ? <i32>nextMsgId() : 0;
  const at = OUTBOUND_AT + used;
  // Behind a payload of odd length: small cores fault at an access that promises more than it keeps.
  store<u16>(at, bytes, 0, 1);
  store<u16>(at, msgId, 2, 1);
  store<u8>(at, handle, 4);
  store<u8>(at, flags, 5);
  memory.copy(at + RECORD_BYTES, data, bytes);
  client.outboundBytes = <u16>(used + RECORD_BYTES + bytes);
  return msgId;
}

function sendMessage(topic: Topic, flags: i32, msgId: i32, data: usize, bytes: i32): void {
  packet.flags = flags | typeOf(topic);
  packet.topicId = topic.id;
  packet.msgId = msgId;
  packet.data = data;
  packet.dataBytes = bytes;
  transmit(PacketType.Publish);
}

/** Sends what can be sent: every QoS 0 message at the head, then one of QoS 1 or 2, each once its topic has an id. */
export function startPublish(): void {
  while (hasOutbound() && !owedBy(Request.Publish)) {
    if (topicAt(headTopic()).id === TOPIC_ID_NONE) {
      startRegister();
      return;
    }
    if (headMsgId()) {
      exchangeAt(Request.Publish).msgId = <u16>headMsgId();
      ask(Request.Publish, headFlags() & (2 << QOS_SHIFT) ? PacketType.PubRec : PacketType.PubAck);
    } else {
      sendHead();
      drop();
    }
  }
}

/** PUBLISH of the head; with DUP where it was sent before. Where its topic has lost its id, that comes first again. */
export function sendHead(): void {
  const topic = topicAt(headTopic());
  if (!topic.id) {
    settle(Request.Publish);
    return;
  }
  const dup = client.headSent ? Flags.Dup : 0;
  client.headSent = 1;
  sendMessage(topic, headFlags() | dup, headMsgId(), OUTBOUND_AT + RECORD_BYTES, headBytes());
}

export function sendPubRel(): void {
  packet.msgId = headMsgId();
  transmit(PacketType.PubRel);
}

function startRegister(): void {
  if (owedBy(Request.Register)) return;
  client.registeringTopic = <u8>headTopic();
  exchangeAt(Request.Register).msgId = nextMsgId();
  ask(Request.Register, PacketType.RegAck);
}

export function sendRegister(): void {
  packet.topicId = TOPIC_ID_NONE; // a client's REGISTER has none (5.4.10)
  packet.msgId = exchangeAt(Request.Register).msgId;
  transmitWith(PacketType.Register, nameOf(topicAt(client.registeringTopic)));
}

/** Takes the head out of the queue. */
function drop(): void {
  const bytes = RECORD_BYTES + headBytes();
  client.outboundBytes -= <u16>bytes;
  client.headSent = 0;
  client.headRenewals = 0;
  memory.copy(OUTBOUND_AT, OUTBOUND_AT + bytes, client.outboundBytes);
}

/** The head is done, well or badly: the application is told, and the queue goes on. */
function finish(kind: EventKind): void {
  settle(Request.Publish);
  raiseAbout(kind, headTopic()).ticket = <u16>headMsgId();
  drop();
}

export function onRegAck(): void {
  const handle: i32 = client.registeringTopic;
  if (packet.code === ReturnCode.Accepted && packet.topicId !== TOPIC_ID_NONE) assignId(handle, packet.topicId);
  else if (hasOutbound() && headTopic() === handle) finish(EventKind.PublishFailed);
}

export function onPubAck(): void {
  const topic = topicAt(headTopic());
  if (packet.code === ReturnCode.Accepted) {
    finish(EventKind.Published);
  } else if (
    packet.code === ReturnCode.InvalidTopicId &&
    typeOf(topic) === TopicType.Normal &&
    <i32>client.headRenewals < N_RETRY
  ) {
    // The head is registered and sent anew, but not for ever. What counts is what is in flight: the answer's id has no type.
    client.headRenewals++;
    topic.id = <u16>TOPIC_ID_NONE;
  } else {
    finish(EventKind.PublishFailed);
  }
}

/** PUBACK that answers nothing in flight: an error of a message at QoS 0 (6.6). */
export function onStrayPubAck(): i32 {
  if (packet.code === ReturnCode.Accepted) return ErrorCode.Unexpected;
  // Congestion may answer QoS 0, too: then nothing is in flight, and nothing goes out for T_WAIT.
  if (packet.code === ReturnCode.Congestion) {
    if (!owedBy(Request.Publish)) wait(Request.Publish);
  } else if (!packet.msgId) {
    onRefusal();
  }
  return ErrorCode.None;
}

/** Its id has no type: a normal topic of that id is registered again, just in case. */
function onRefusal(): void {
  const handle = findId(TopicType.Normal, packet.topicId);
  if (packet.code === ReturnCode.InvalidTopicId && handle >= 0) topicAt(handle).id = <u16>TOPIC_ID_NONE;
  else raiseAbout(EventKind.PublishFailed, findId(TopicType.Predefined, packet.topicId));
}

export function onPubRec(): void {
  ask(Request.Publish, PacketType.PubComp);
}

export function onPubComp(): void {
  finish(EventKind.Published);
}

/** A clean session keeps nothing of a handshake: what the gateway had taken is done, the rest is sent as if new. */
export function restartPublish(): void {
  if (owedBy(Request.Publish) === PacketType.PubComp) finish(EventKind.Published);
  else settle(Request.Publish);
  client.headSent = 0;
}
