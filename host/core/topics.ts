// Topic names and topic filters, by the letter of MQTT 3.1.1 section 4.7. MQTT-SN uses the same rules for long names.

/** [MQTT-4.7.3-3]: the length prefix of a string has 16 bits. */
export const TOPIC_BYTES_MAX = 65_535;

const NUL = 0x00;
const HASH = 0x23;
const PLUS = 0x2b;
const SLASH = 0x2f;
const DOLLAR = 0x24;

const LAST_OF_ONE_BYTE = 0x7f;
const LAST_OF_TWO_BYTES = 0x7ff;
const BYTES_OF_PAIR = 4;

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * How many bytes `text` has as an MQTT string; -1 when it cannot be one: a lone surrogate [MQTT-1.5.3-1] or U+0000
 * [MQTT-1.5.3-2]. Other control characters and non-characters SHOULD NOT be there and are let through.
 */
export function mqttStringBytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === NUL) return -1;
    if (unit <= LAST_OF_ONE_BYTE) bytes += 1;
    else if (unit <= LAST_OF_TWO_BYTES) bytes += 2;
    else if (isHighSurrogate(unit)) {
      i++;
      if (i === text.length || !isLowSurrogate(text.charCodeAt(i))) return -1;
      bytes += BYTES_OF_PAIR;
    } else if (isLowSurrogate(unit)) return -1;
    else bytes += 3;
  }
  return bytes;
}

function fits(text: string): boolean {
  const bytes = mqttStringBytes(text);
  return bytes > 0 && bytes <= TOPIC_BYTES_MAX; // at least one character [MQTT-4.7.3-1]
}

/** True for what may be published to: 1 to 65,535 bytes of UTF-8, no NUL, no wildcard [MQTT-3.3.2-2]. */
export function isValidTopicName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit === HASH || unit === PLUS) return false;
  }
  return fits(name);
}

/** True for what may be subscribed to: as a name, with `+` as a whole level and `#` as the whole last level. */
export function isValidTopicFilter(filter: string): boolean {
  for (let i = 0; i < filter.length; i++) {
    const unit = filter.charCodeAt(i);
    if (unit !== HASH && unit !== PLUS) continue;
    const opens = i === 0 || filter.charCodeAt(i - 1) === SLASH;
    const isLast = i === filter.length - 1;
    if (!opens) return false;
    if (unit === HASH && !isLast) return false; // [MQTT-4.7.1-2]
    if (unit === PLUS && !isLast && filter.charCodeAt(i + 1) !== SLASH) return false; // [MQTT-4.7.1-3]
  }
  return fits(filter);
}

/** How many levels a name or filter has; `/` alone has two, both empty. */
export function topicLevels(topic: string): number {
  let levels = 1;
  for (let i = 0; i < topic.length; i++) if (topic.charCodeAt(i) === SLASH) levels++;
  return levels;
}

/** True when the valid filter takes in the valid name. Allocates nothing. */
export function matches(filter: string, name: string): boolean {
  const first = filter.charCodeAt(0);
  // A leading wildcard does not see the server's own topics [MQTT-4.7.2-1].
  if (name.charCodeAt(0) === DOLLAR && (first === HASH || first === PLUS)) return false;
  let f = 0;
  let n = 0;
  for (;;) {
    // Both stand at the start of a level.
    const unit = filter.charCodeAt(f);
    if (unit === HASH) return true;
    if (unit === PLUS) {
      f++;
      while (n < name.length && name.charCodeAt(n) !== SLASH) n++;
    } else {
      while (f < filter.length && n < name.length && filter.charCodeAt(f) === name.charCodeAt(n)) {
        if (filter.charCodeAt(f) === SLASH) break;
        f++;
        n++;
      }
    }
    const filterLevelEnds = f === filter.length || filter.charCodeAt(f) === SLASH;
    const nameLevelEnds = n === name.length || name.charCodeAt(n) === SLASH;
    if (!filterLevelEnds || !nameLevelEnds) return false;
    if (n === name.length) {
      // `sport/#` also matches `sport`: the multi-level wildcard includes the parent level.
      return f === filter.length || (filter.charCodeAt(f + 1) === HASH && f + 2 === filter.length);
    }
    if (f === filter.length) return false;
    f++;
    n++;
  }
}
