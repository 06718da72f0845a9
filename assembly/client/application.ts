// The client's verbs as an application in AssemblyScript uses them: names are string literals or the text line, and time
// is known. Errors are ErrorCode, below zero.

import { confirm as confirmToBoard, update as updateByBoard } from '../board';
import { APP_BYTES } from '../memory/limits';
import { Text } from '../memory/text';
import { ErrorCode } from '../protocol/error-code';
import { TopicType } from '../protocol/flags';
import { identify as identifyAs } from './connection';
import { forwarded as forwardedAs } from './forwarded';
import { publish as publishOctets } from './outbound';
import { APP_AT, client, Event, Link, TEXT_AT } from './state';
import { declareId, declareName } from './topics';
import { setWill } from './will';

export { isBusy } from './client';
export { connect, disconnect } from './connection';
export { discover } from './discovery';
export { next } from './events';
export { sleep, wake } from './sleep';
export { random } from './state';
export { subscribe, unsubscribe } from './subscriptions';

/** The one line of text there is. Whoever needs it begins with `clear()`. */
export const text: Text = changetype<Text>(TEXT_AT);

/** The state of an application: a class of numbers, in the image, so that it hibernates and clones with the device. */
export function state<T>(): T {
  if (offsetof<T>() > <usize>APP_BYTES) ERROR('the state of the application is larger than THIMBLE_APP_BYTES');
  return changetype<T>(APP_AT);
}

/** The text line becomes the client id, 1 to 23 octets. */
export function identify(): i32 {
  return text.failed ? ErrorCode.TooLong : identifyAs(text.at, text.bytes);
}

/** Behind a forwarder: the text line becomes the Wireless Node Id, empty for none. Before `connect`. */
export function forwarded(): i32 {
  return text.failed ? ErrorCode.TooLong : forwardedAs(text.at, text.bytes);
}

/** Declares a topic or filter by a literal name. Returns its handle. */
export function topic(name: string): i32 {
  text.clear().add(name);
  return topicOfText();
}

/** Declares a topic or filter whose name is in the text line. Returns its handle. */
export function topicOfText(): i32 {
  return text.failed ? ErrorCode.TooLong : declareName(text.at, text.bytes, 0);
}

/** Declares a predefined topic id. Returns its handle. */
export function predefined(id: i32): i32 {
  return declareId(TopicType.Predefined, id);
}

/** Declares a short topic: exactly two octets. Returns its handle. */
export function short(name: string): i32 {
  text.clear().add(name);
  if (text.bytes !== 2) return ErrorCode.BadArgument;
  return declareId(TopicType.Short, bswap(load<u16>(text.at, 0, 1)));
}

/** The will: `message` for the topic `handle`, which has a name. The gateway is told at once, or with the next CONNECT. */
export function will(handle: i32, message: string, qos: i32, retain: bool): i32 {
  text.clear().add(message);
  return text.failed ? ErrorCode.TooLong : setWill(handle, text.at, text.bytes, qos, retain);
}

/** Publishes the text line. Returns a ticket (0 for QoS 0 and -1) or an ErrorCode. */
export function publish(handle: i32, qos: i32, retain: bool): i32 {
  return text.failed ? ErrorCode.TooLong : publishOctets(handle, text.at, text.bytes, qos, retain);
}

/** True where a session stands and messages flow. */
export function isActive(): bool {
  return client.link === Link.Active;
}

/** True where the gateway keeps messages for us, and we send none: `connect` wakes us up. */
export function isAsleep(): bool {
  return client.link === Link.Asleep;
}

/** True where an event's data begin with this literal. */
export function dataBegins(event: Event, literal: string): bool {
  text.clear().add(literal);
  if (<i32>event.dataBytes < text.bytes) return false;
  for (let i = 0; i < text.bytes; i++) if (load<u8>(event.data + i) !== load<u8>(text.at + i)) return false;
  return true;
}

/** The time of the current call, ms, wrapping. */
export function now(): i32 {
  return client.now;
}

/** True at and after the moment `at`. */
export function isTime(at: i32): bool {
  return client.now - at >= 0;
}

/**
 * Hands the data of a message to the board as one chunk of an update of this application. Returns the chunks that are still
 * missing, with UPDATE_GAP added where this one came too early, so that the sender is to go back; 0 where all are here and accepted,
 * so that the update is started after this call of `tick`; or an ErrorCode where it is refused.
 */
export function update(event: Event): i32 {
  return updateByBoard(event.data, event.dataBytes);
}

/** This application works: an update on trial stays. Without it the board goes back to what was there, after five minutes or a reset. */
export function confirm(): void {
  confirmToBoard();
}
