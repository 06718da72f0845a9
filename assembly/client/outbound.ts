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
import { raise } from './events';
import { answers, owe, settle, wait } from './exchange';
import { isPublishable } from './forwarded';
import { client, Link, nameOf, OUTBOUND_AT, Owed, publishing, received, registering, topicAt } from './state';
import { adopt, assignId, findId, isName, typeOf } from './topics';
import { nextMsgId, transmit } from './transmit';

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
  if (!adopt(handle)) return ErrorCode.BadTopic;
  const topic = topicAt(handle);
  if (!isName(topic)) return ErrorCode.BadTopic;
  if (qos < -1 || qos > 2 || bytes < 0) return ErrorCode.BadArgument;
  if (!isPublishable(bytes)) return ErrorCode.TooLong;
  const flags = ((qos & QOS_BITS_MINUS_ONE) << QOS_SHIFT) | (retain ? Flags.Retain : 0);
  if (qos < 0) {
    if (typeOf(topic) === TopicType.Normal) return ErrorCode.BadTopic;
    sendMessage(handle, flags, 0, data, bytes);
    return ErrorCode.None;
  }
  return enqueue(handle, flags, data, bytes);
}

function enqueue(handle: i32, flags: i32, data: usize, bytes: i32): i32 {
  const used: i32 = client.outboundBytes;
  if (used + RECORD_BYTES + bytes > OUTBOUND_BYTES) return ErrorCode.Full;
  const msgId = flags & Flags.Qos ? <i32>nextMsgId() : 0;
  const at = OUTBOUND_AT + used;
  store<u16>(at, bytes);
  store<u16>(at, msgId, 2);
  store<u8>(at, handle, 4);
  store<u8>(at, flags, 5);
  memory.copy(at + RECORD_BYTES, data, bytes);
  client.outboundBytes = <u16>(used + RECORD_BYTES + bytes);
  return msgId;
}

function sendMessage(handle: i32, flags: i32, msgId: i32, data: usize, bytes: i32): void {
  const topic = topicAt(handle);
  transmit(PacketType.Publish, flags | typeOf(topic), topic.id, msgId, data, bytes);
}

/** Sends what can be sent: every QoS 0 message at the head, then one of QoS 1 or 2, each once its topic has an id. */
export function startPublish(): void {
  while (hasOutbound() && !publishing.owed && client.link === Link.Active) {
    const topic = topicAt(headTopic());
    if (topic.id === TOPIC_ID_NONE) {
      startRegister();
      return;
    }
    if (headMsgId()) {
      publishing.msgId = <u16>headMsgId();
      owe(publishing, headFlags() & (2 << QOS_SHIFT) ? Owed.PubRec : Owed.PubAck);
      sendHead();
    } else {
      sendHead();
      drop();
    }
  }
}

/** PUBLISH of the head; with DUP where it was sent before. Where its topic has lost its id, that comes first again. */
export function sendHead(): void {
  if (!topicAt(headTopic()).id) {
    settle(publishing);
    return;
  }
  const dup = client.headSent ? Flags.Dup : 0;
  client.headSent = 1;
  sendMessage(headTopic(), headFlags() | dup, headMsgId(), OUTBOUND_AT + RECORD_BYTES, headBytes());
}

export function sendPubRel(): void {
  transmit(PacketType.PubRel, 0, 0, publishing.msgId, 0, 0);
}

function startRegister(): void {
  if (registering.owed) return;
  client.registeringTopic = <u8>headTopic();
  registering.msgId = nextMsgId();
  owe(registering, Owed.RegAck);
  sendRegister();
}

export function sendRegister(): void {
  const topic = topicAt(client.registeringTopic);
  // A client's REGISTER carries topic id 0 (5.4.10).
  transmit(PacketType.Register, 0, TOPIC_ID_NONE, registering.msgId, nameOf(topic), topic.nameBytes);
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
function finish(kind: EventKind, code: i32): void {
  settle(publishing);
  tell(kind, headTopic(), headMsgId(), code);
  drop();
}

function tell(kind: EventKind, handle: i32, ticket: i32, code: i32): void {
  const event = raise(kind);
  event.topic = <u8>handle; // -1 is NO_TOPIC
  event.ticket = <u16>ticket;
  event.code = <u8>code;
}

export function onRegAck(): i32 {
  if (!answers(registering, Owed.RegAck, received.msgId)) return ErrorCode.Unexpected;
  if (received.code === ReturnCode.Congestion) {
    wait(registering);
    return ErrorCode.None;
  }
  settle(registering);
  const handle: i32 = client.registeringTopic;
  if (received.code === ReturnCode.Accepted && received.topicId !== TOPIC_ID_NONE) assignId(handle, received.topicId);
  else if (hasOutbound() && headTopic() === handle) finish(EventKind.PublishFailed, received.code);
  return ErrorCode.None;
}

/** PUBACK answers QoS 1, and with an error any QoS, 0 included (6.6). */
export function onPubAck(): i32 {
  const code = received.code;
  const owed: i32 = publishing.owed;
  if ((owed !== Owed.PubAck && owed !== Owed.PubRec) || <i32>publishing.msgId !== received.msgId) {
    if (code === ReturnCode.Accepted) return ErrorCode.Unexpected;
    if (!received.msgId && code !== ReturnCode.Congestion) onRefusal(code);
    // Congestion may answer QoS 0, too: then nothing is in flight, and nothing goes out for T_WAIT.
    if (code === ReturnCode.Congestion && !owed) wait(publishing);
    return ErrorCode.None;
  }
  const topic = topicAt(headTopic());
  if (code === ReturnCode.Accepted) {
    if (owed === Owed.PubRec) return ErrorCode.Unexpected;
    finish(EventKind.Published, code);
  } else if (code === ReturnCode.Congestion) {
    wait(publishing);
  } else if (
    code === ReturnCode.InvalidTopicId &&
    typeOf(topic) === TopicType.Normal &&
    <i32>client.headRenewals < N_RETRY
  ) {
    // The head is registered and sent anew, but not for ever. What counts is what is in flight: the answer's id has no type.
    client.headRenewals++;
    topic.id = <u16>TOPIC_ID_NONE;
    settle(publishing);
  } else {
    finish(EventKind.PublishFailed, code);
  }
  return ErrorCode.None;
}

/** PUBACK for a message at QoS 0. Its id has no type: a normal topic of that id is registered again, just in case. */
function onRefusal(code: i32): void {
  const handle = findId(TopicType.Normal, received.topicId);
  if (code === ReturnCode.InvalidTopicId && handle >= 0) topicAt(handle).id = <u16>TOPIC_ID_NONE;
  else tell(EventKind.PublishFailed, findId(TopicType.Predefined, received.topicId), 0, code);
}

export function onPubRec(): i32 {
  // A repeated PUBREC asks for PUBREL again.
  if (answers(publishing, Owed.PubComp, received.msgId)) {
    sendPubRel();
    return ErrorCode.None;
  }
  if (!answers(publishing, Owed.PubRec, received.msgId)) return ErrorCode.Unexpected;
  owe(publishing, Owed.PubComp);
  sendPubRel();
  return ErrorCode.None;
}

export function onPubComp(): i32 {
  if (!answers(publishing, Owed.PubComp, received.msgId)) return ErrorCode.Unexpected;
  finish(EventKind.Published, ReturnCode.Accepted);
  return ErrorCode.None;
}

/** A clean session keeps nothing of a handshake: what the gateway had taken is done, the rest is sent as if new. */
export function restartPublish(): void {
  if (publishing.owed === Owed.PubComp) finish(EventKind.Published, ReturnCode.Accepted);
  else settle(publishing);
  client.headSent = 0;
}
