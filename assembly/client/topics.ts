// The topic table: what the application declared, what gateways registered, and the ids of both. Entries are told apart
// by (type, id): predefined 1 and normal 1 are different topics.

import { TOPIC_NAME_BYTES_MAX, TOPICS_MAX } from '../memory/limits';
import { ErrorCode } from '../protocol/error-code';
import { TOPIC_ID_NONE, TOPIC_ID_RESERVED, TopicType } from '../protocol/flags';
import { client, Mark, nameOf, Sub, Topic, topicAt } from './state';

/** The TopicType of an entry; -1 where it is free. */
export function typeOf(topic: Topic): i32 {
  return <i32>topic.kind - 1;
}

/** True where messages can be published to it: all but wildcard filters. */
export function isName(topic: Topic): bool {
  return <bool>(topic.kind && !(topic.marks & Mark.Wildcard));
}

/** True where `handle` is an entry in use. The application names it, so it is not borrowed any more: its handle stays. */
export function adopt(handle: i32): bool {
  if (<u32>handle >= <u32>TOPICS_MAX) return false;
  const topic = topicAt(handle);
  topic.marks &= <u8>~Mark.Borrowed;
  return topic.kind !== 0;
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
    if (typeOf(topic) !== TopicType.Normal || <i32>topic.nameBytes !== bytes) continue;
    if (isSame(nameOf(topic), name, bytes)) return i;
  }
  return -1;
}

/** memory.compare would bring ten times the code, for speed that names of a few octets do not need. */
export function isSame(a: usize, b: usize, bytes: i32): bool {
  for (let i = 0; i < bytes; i++) if (load<u8>(a + i) !== load<u8>(b + i)) return false;
  return true;
}

function claim(handle: i32, type: TopicType, id: i32): i32 {
  const topic = topicAt(handle);
  memory.fill(changetype<usize>(topic), 0, offsetof<Topic>());
  topic.kind = <u8>(type + 1);
  topic.id = <u16>id;
  return handle;
}

function freeHandle(): i32 {
  for (let i = 0; i < TOPICS_MAX; i++) if (!topicAt(i).kind) return i;
  return borrowedHandle();
}

/** A borrowed entry that may go: each in turn, since a gateway registers a forgotten topic again on PUBACK 0x02. */
function borrowedHandle(): i32 {
  for (let i = 0; i < TOPICS_MAX; i++) {
    const handle = (<i32>client.borrowAt + i) % TOPICS_MAX;
    if (!(topicAt(handle).marks & Mark.Borrowed)) continue;
    client.borrowAt = <u8>(handle + 1);
    return handle;
  }
  return ErrorCode.Full;
}

function hasWildcard(name: usize, bytes: i32): bool {
  for (let i = 0; i < bytes; i++) {
    const c = load<u8>(name + i);
    if (c === 0x2b || c === 0x23) return true; // '+', '#'
  }
  return false;
}

/** Declares a topic or filter by name. Returns its handle, the same for the same name, or an ErrorCode. */
export function declareName(name: usize, bytes: i32): i32 {
  if (bytes < 1) return ErrorCode.BadArgument;
  if (bytes > TOPIC_NAME_BYTES_MAX) return ErrorCode.TooLong;
  let handle = findName(name, bytes);
  if (handle < 0) {
    handle = freeHandle();
    if (handle < 0) return handle;
    claim(handle, TopicType.Normal, TOPIC_ID_NONE);
    const topic = topicAt(handle);
    topic.nameBytes = <u8>bytes;
    memory.copy(nameOf(topic), name, bytes);
    if (hasWildcard(name, bytes)) topic.marks = <u8>Mark.Wildcard;
  }
  topicAt(handle).marks &= <u8>~Mark.Borrowed;
  return handle;
}

/** Declares a predefined id or a short name (two octets, big-endian). Returns its handle or an ErrorCode. */
export function declareId(type: TopicType, id: i32): i32 {
  if (id <= TOPIC_ID_NONE || id >= TOPIC_ID_RESERVED) return ErrorCode.BadArgument;
  const known = findId(type, id);
  if (known >= 0) return known;
  const handle = freeHandle();
  if (handle < 0) return handle;
  const topic = topicAt(claim(handle, type, id));
  if (type === TopicType.Short) {
    topic.nameBytes = 2;
    store<u16>(nameOf(topic), bswap(<u16>id));
  }
  return handle;
}

/** A gateway tells the id of a name (6.10). False where there is no room for it. */
export function learn(id: i32, name: usize, bytes: i32): bool {
  if (bytes > TOPIC_NAME_BYTES_MAX) return false;
  let handle = findName(name, bytes);
  if (handle < 0) {
    handle = declareName(name, bytes);
    if (handle < 0) return false;
    topicAt(handle).marks |= <u8>Mark.Borrowed;
  }
  assignId(handle, id);
  return true;
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
