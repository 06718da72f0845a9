// Topics that were published to lately, by their bytes. A device names the same few all its life: what was found to be a
// topic name once needs no second look, and is the same string again, which is found fastest in tables. One table for all
// connections; which topic has which slot changes nothing but the time that it takes.
import { isValidTopicName, topicLevels } from '../core/topics.js';
import { U16_BYTES, u16At } from './wire-bytes.js';

/** The topic of a PUBLISH. */
export interface Topic {
  readonly name: string;
  /** How many levels it has, of a name that is valid; 0: nobody has looked. */
  readonly levels: number;
}

interface KnownTopic extends Topic {
  readonly bytes: Uint8Array;
}

/** A power of two. Too few for the topics of a fleet cost more than none. With the longest topics it has some 6 MiB. */
const SLOTS = 16_384;
/** Longer ones are not remembered. */
const KNOWN_BYTES_MAX = 128;
/** Of FNV-1a, 32 bits. */
const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

const slots: (KnownTopic | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

/** The topic of a PUBLISH whose shape nobody has looked at, if it is known: then it is within the frame, and valid. */
export function knownTopicIn(frame: Uint8Array, bodyAt: number): Topic | undefined {
  const start = bodyAt + U16_BYTES;
  if (start >= frame.length) return undefined;
  const end = start + u16At(frame, bodyAt);
  if (end > frame.length || end - start > KNOWN_BYTES_MAX) return undefined;
  const known = slots[slotOf(frame, start, end)];
  return known !== undefined && isSame(known.bytes, frame, start, end) ? known : undefined;
}

/** The topic that these bytes are, which are well-formed; remembered where it is a valid name. */
export function learnTopic(name: string, frame: Uint8Array, start: number, end: number): Topic {
  if (end - start > KNOWN_BYTES_MAX || !isValidTopicName(name)) return { name, levels: 0 };
  const known = { name, levels: topicLevels(name), bytes: new Uint8Array(frame.subarray(start, end)) };
  slots[slotOf(frame, start, end)] = known;
  return known;
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, HASH_PRIME);
  return (hash ^ (hash >>> 16)) & (SLOTS - 1);
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}
