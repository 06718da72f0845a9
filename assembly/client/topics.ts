// The topic table: what the application declared, what gateways registered, and the ids of both. Entries are told apart
// by (type, id): predefined 1 and normal 1 are different topics.

import { TOPIC_NAME_BYTES_MAX, TOPICS_MAX } from '../memory/limits';
import { isSame, keep } from '../memory/octets';
import { ErrorCode } from '../protocol/error-code';
import { TOPIC_ID_NONE, TOPIC_ID_RESERVED, TopicType } from '../protocol/flags';
import { client, Mark, nameOf, Sub, Topic, topicAt } from './state';

/** The TopicType of an entry; -1 where it is free. */
export function typeOf(topic: Topic): i32 {
  return <i32>topic.kind - 1;
}

/** The entry `handle`, where it is in use. The application names it, so it is not borrowed any more: its handle stays. */
export function adopt(handle: i32): Topic | null {
  if (<u32>handle >= <u32>TOPICS_MAX) return null;
  const topic = topicAt(handle);
  topic.marks &= <u8>~Mark.Borrowed;
  return topic.kind ? topic : null;
}

/** True for an entry with a name, other than a wildcard: what a will can be for. */
export function isNamed(handle: i32): bool {
  const topic = adopt(handle);
  return topic !== null && !(topic.marks & Mark.Wildcard) && load<u8>(nameOf(topic)) !== 0;
}

/** The handle of (type, id), or -1. */
export function findId(type: TopicType, id: i32): i32 {
  for (let i = 0; i < TOPICS_MAX; i++) {
    const topic = topicAt(i);
    if (typeOf(topic) === type && <i32>topic.id === id && id !== TOPIC_ID_NONE) return i;
  }
  return -1;
}

/** The handle of a normal topic by its name, or -1. */
export function findName(name: usize, bytes: i32): i32 {
  for (let i = 0; i < TOPICS_MAX; i++) {
    const topic = topicAt(i);
    if (typeOf(topic) !== TopicType.Normal || <i32>load<u8>(nameOf(topic)) !== bytes) continue;
    if (isSame(nameOf(topic) + 1, name, bytes)) return i;
  }
  return -1;
}

/** A free entry, or a borrowed one: each in turn, since a gateway registers a forgotten topic again on PUBACK 0x02. */
function freeHandle(): i32 {
  for (let i = 0; i < TOPICS_MAX; i++) if (!topicAt(i).kind) return i;
  for (let i = 0; i < TOPICS_MAX; i++) {
    const handle = (<i32>client.borrowAt + i) % TOPICS_MAX;
    if (!(topicAt(handle).marks & Mark.Borrowed)) continue;
    client.borrowAt = <u8>(handle + 1);
    return handle;
  }
  return ErrorCode.Full;
}

/** An entry for a new topic, without a name; returns its handle or Full. */
function claim(type: TopicType, id: i32): i32 {
  const handle = freeHandle();
  if (handle >= 0) {
    const topic = topicAt(handle);
    topic.kind = <u8>(type + 1);
    topic.marks = 0;
    topic.sub = <u8>Sub.None;
    topic.qos = 0;
    topic.id = <u16>id;
    store<u8>(nameOf(topic), 0);
  }
  return handle;
}

function hasWildcard(name: usize, bytes: i32): bool {
  for (let i = 0; i < bytes; i++) {
    const c = load<u8>(name + i);
    if (c === 0x2b || c === 0x23) return true; // '+', '#'
  }
  return false;
}

/**
 * Declares a topic or filter by name, for the application (`marks`: 0) or for a gateway's sake (Borrowed). Returns its handle,
 * the same for the same name, or an ErrorCode.
 */
export function declareName(name: usize, bytes: i32, marks: i32): i32 {
  if (bytes < 1) return ErrorCode.BadArgument;
  if (bytes > TOPIC_NAME_BYTES_MAX) return ErrorCode.TooLong;
  let handle = findName(name, bytes);
  if (handle < 0) {
    handle = claim(TopicType.Normal, TOPIC_ID_NONE);
    if (handle < 0) return handle;
    const topic = topicAt(handle);
    keep(nameOf(topic), name, bytes);
    topic.marks = <u8>(hasWildcard(name, bytes) ? marks | Mark.Wildcard : marks);
  }
  // What the application has named once stays.
  topicAt(handle).marks &= <u8>(marks | Mark.Wildcard);
  return handle;
}

/** Declares a predefined id or a short name (two octets, big-endian). Returns its handle or an ErrorCode. */
export function declareId(type: TopicType, id: i32): i32 {
  if (id <= TOPIC_ID_NONE || id >= TOPIC_ID_RESERVED) return ErrorCode.BadArgument;
  let handle = findId(type, id);
  if (handle >= 0) return handle;
  handle = claim(type, id);
  if (handle >= 0 && type === TopicType.Short) {
    const name = nameOf(topicAt(handle));
    store<u8>(name, 2);
    store<u16>(name, bswap(<u16>id), 1, 1);
  }
  return handle;
}

/** The gateway's id of a normal topic. An id names one topic only: whoever had it before has none now. */
export function assignId(handle: i32, id: i32): void {
  const old = findId(TopicType.Normal, id);
  if (old >= 0) topicAt(old).id = <u16>TOPIC_ID_NONE;
  topicAt(handle).id = <u16>id;
}

/** The gateway has forgotten us: no id holds, and every subscription is to be made again. */
export function forgetSession(): void {
  for (let i = 0; i < TOPICS_MAX; i++) {
    const topic = topicAt(i);
    if (typeOf(topic) === TopicType.Normal) topic.id = <u16>TOPIC_ID_NONE;
    // What is unwanted stays so: the gateway may have forgotten us, or only the topic ids.
    if (topic.sub === Sub.Held) topic.sub = <u8>Sub.Wanted;
  }
}
