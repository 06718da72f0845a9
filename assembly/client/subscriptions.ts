// SUBSCRIBE and UNSUBSCRIBE (6.9). The application says what it wants; whenever nothing is owed, the next difference
// between what it wants and what the gateway knows is sent. So nothing queues, and a lost session mends itself.

import { TOPICS_MAX } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { EventKind } from '../protocol/event-kind';
import { Flags, QOS_SHIFT, TOPIC_ID_NONE, TopicType } from '../protocol/flags';
import { PacketType } from '../protocol/packet-type';
import { ReturnCode } from '../protocol/return-code';
import { raiseAbout } from './events';
import { settle } from './exchange';
import { ask } from './requests';
import { client, exchangeAt, Mark, nameOf, owedBy, packet, Request, Sub, topicAt } from './state';
import { adopt, assignId, typeOf } from './topics';
import { nextMsgId, transmitWith } from './transmit';

/** Wants `handle` at up to `qos` (0 to 2). Events: Subscribed or SubscribeFailed. */
export function subscribe(handle: i32, qos: i32): i32 {
  const topic = adopt(handle);
  if (!topic) return ErrorCode.BadTopic;
  if (<u32>qos > 2) return ErrorCode.BadArgument;
  // An outstanding SUBSCRIBE asks for too much or too little now: its answer must not count as the answer to this.
  if (
    <i32>topic.qos !== qos &&
    <i32>client.subscribingTopic === handle &&
    owedBy(Request.Subscribe) === PacketType.SubAck
  )
    settle(Request.Subscribe);
  topic.sub = <u8>Sub.Wanted;
  topic.qos = <u8>qos;
  return ErrorCode.None;
}

/** No longer wants `handle`. Event: Unsubscribed. */
export function unsubscribe(handle: i32): i32 {
  const topic = adopt(handle);
  if (!topic) return ErrorCode.BadTopic;
  topic.sub = <u8>Sub.Unwanted;
  return ErrorCode.None;
}

/** True while the gateway does not know all that the application wants. */
export function hasSubscriptionWork(): bool {
  return <bool>(owedBy(Request.Subscribe) || nextDifference() >= 0);
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
  if (owedBy(Request.Subscribe)) return;
  const handle = nextDifference();
  if (handle < 0) return;
  client.subscribingTopic = <u8>handle;
  exchangeAt(Request.Subscribe).msgId = nextMsgId();
  ask(Request.Subscribe, topicAt(handle).sub === Sub.Wanted ? PacketType.SubAck : PacketType.UnsubAck);
}

export function sendSubscription(): void {
  const topic = topicAt(client.subscribingTopic);
  const exchange = exchangeAt(Request.Subscribe);
  let type = PacketType.Unsubscribe; // has no DUP and no QoS (5.4.17)
  let flags = typeOf(topic);
  if (owedBy(Request.Subscribe) === PacketType.SubAck) {
    type = PacketType.Subscribe;
    flags |= ((<i32>topic.qos) << QOS_SHIFT) | (exchange.retries ? Flags.Dup : 0);
  }
  packet.flags = flags;
  packet.topicId = topic.id;
  packet.msgId = exchange.msgId;
  transmitWith(type, nameOf(topic));
}

export function onSubAck(): void {
  const handle: i32 = client.subscribingTopic;
  const topic = topicAt(handle);
  const isWanted = topic.sub === Sub.Wanted;
  if (packet.code !== ReturnCode.Accepted) {
    if (isWanted) topic.sub = <u8>Sub.None;
    raiseAbout(EventKind.SubscribeFailed, handle);
    return;
  }
  if (isWanted) topic.sub = <u8>Sub.Held;
  // A wildcard has no id; a name without one gets it here, or later by REGISTER.
  if (typeOf(topic) === TopicType.Normal && !(topic.marks & Mark.Wildcard) && packet.topicId !== TOPIC_ID_NONE) {
    assignId(handle, packet.topicId);
  }
  raiseAbout(EventKind.Subscribed, handle);
}

export function onUnsubAck(): void {
  const topic = topicAt(client.subscribingTopic);
  if (topic.sub === Sub.Unwanted) topic.sub = <u8>Sub.None;
  raiseAbout(EventKind.Unsubscribed, client.subscribingTopic);
}
