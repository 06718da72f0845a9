// SUBSCRIBE and UNSUBSCRIBE (6.9). The application says what it wants; whenever nothing is owed, the next difference
// between what it wants and what the gateway knows is sent. So nothing queues, and a lost session mends itself.

import { TOPICS_MAX } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { Flags, QOS_SHIFT, TOPIC_ID_NONE, TopicType } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { raise } from './events';
import { answers, owe, settle, wait } from './exchange';
import { client, Link, Mark, nameOf, Owed, received, Sub, subscribing, topicAt } from './state';
import { adopt, assignId, typeOf } from './topics';
import { nextMsgId, transmit } from './transmit';

/** Wants `handle` at up to `qos` (0 to 2). Events: Subscribed or SubscribeFailed. */
export function subscribe(handle: i32, qos: i32): i32 {
  if (!adopt(handle)) return ErrorCode.BadTopic;
  if (<u32>qos > 2) return ErrorCode.BadArgument;
  const topic = topicAt(handle);
  // An outstanding SUBSCRIBE asks for too much or too little now: its answer must not count as the answer to this.
  if (<i32>topic.qos !== qos && <i32>client.subscribingTopic === handle && subscribing.owed === Owed.SubAck)
    settle(subscribing);
  topic.sub = <u8>Sub.Wanted;
  topic.qos = <u8>qos;
  return ErrorCode.None;
}

/** No longer wants `handle`. Event: Unsubscribed. */
export function unsubscribe(handle: i32): i32 {
  if (!adopt(handle)) return ErrorCode.BadTopic;
  topicAt(handle).sub = <u8>Sub.Unwanted;
  return ErrorCode.None;
}

/** True while the gateway does not know all that the application wants. */
export function hasSubscriptionWork(): bool {
  return <bool>(subscribing.owed || nextDifference() >= 0);
}

function nextDifference(): i32 {
  for (let i = 0; i < TOPICS_MAX; i++) {
    const sub = topicAt(i).sub;
    if (sub === Sub.Wanted || sub === Sub.Unwanted) return i;
  }
  return -1;
}

/** Sends the next SUBSCRIBE or UNSUBSCRIBE where one is due and none is owed. */
export function startSubscription(): void {
  if (subscribing.owed || client.link !== Link.Active) return;
  const handle = nextDifference();
  if (handle < 0) return;
  client.subscribingTopic = <u8>handle;
  subscribing.msgId = nextMsgId();
  owe(subscribing, topicAt(handle).sub === Sub.Wanted ? Owed.SubAck : Owed.UnsubAck);
  sendSubscription(false);
}

export function sendSubscription(again: bool): void {
  const topic = topicAt(client.subscribingTopic);
  let type = PacketType.Unsubscribe; // has no DUP and no QoS (5.4.17)
  let flags = typeOf(topic);
  if (subscribing.owed === Owed.SubAck) {
    type = PacketType.Subscribe;
    flags |= ((<i32>topic.qos) << QOS_SHIFT) | (again ? Flags.Dup : 0);
  }
  transmit(type, flags, topic.id, subscribing.msgId, nameOf(topic), topic.nameBytes);
}

export function onSubAck(): i32 {
  if (!answers(subscribing, Owed.SubAck, received.msgId)) return ErrorCode.Unexpected;
  if (received.code === ReturnCode.Congestion) {
    wait(subscribing);
    return ErrorCode.None;
  }
  settle(subscribing);
  const handle: i32 = client.subscribingTopic;
  const topic = topicAt(handle);
  if (received.code !== ReturnCode.Accepted) {
    if (topic.sub === Sub.Wanted) topic.sub = <u8>Sub.None;
    raiseAbout(EventKind.SubscribeFailed, handle);
    return ErrorCode.None;
  }
  if (topic.sub === Sub.Wanted) topic.sub = <u8>Sub.Held;
  // A wildcard has no id; a name without one gets it here, or later by REGISTER.
  if (typeOf(topic) === TopicType.Normal && !(topic.marks & Mark.Wildcard) && received.topicId !== TOPIC_ID_NONE) {
    assignId(handle, received.topicId);
  }
  raiseAbout(EventKind.Subscribed, handle);
  return ErrorCode.None;
}

export function onUnsubAck(): i32 {
  if (!answers(subscribing, Owed.UnsubAck, received.msgId)) return ErrorCode.Unexpected;
  settle(subscribing);
  const topic = topicAt(client.subscribingTopic);
  if (topic.sub === Sub.Unwanted) topic.sub = <u8>Sub.None;
  raiseAbout(EventKind.Unsubscribed, client.subscribingTopic);
  return ErrorCode.None;
}

function raiseAbout(kind: EventKind, handle: i32): void {
  const event = raise(kind);
  event.topic = <u8>handle;
  event.code = <u8>received.code;
  event.flags = <u8>received.flags;
}
