// The properties of application messages (MQTT 5.0, 3.3.2.3). The broker carries those that a server passes on as the bytes
// they came in, since order and duplicates of user properties matter [MQTT-3.3.2-18]; those that it acts on it takes out.

import { isValidTopicName, mqttStringBytes } from '../core/topics.js';
import { isUtf8 } from '../core/utf8.js';
import { BrokerError } from './errors.js';
import { PROPERTY_BY_ID, Property, PropertyType } from './property-table.js';
import { U16_BYTES, U32_BYTES, u16At, u32At, varintAt, varintBytes, writeU16 } from './wire-bytes.js';

/** What a message says about itself, to whoever reads it. Encoded: `BrokerMessage.properties`. */
export interface MessageProperties {
  /** 1: the payload is UTF-8. 0 where absent: unspecified bytes. */
  readonly payloadFormat?: 0 | 1;
  readonly contentType?: string;
  /** A topic name. */
  readonly responseTopic?: string;
  /** Up to 65,535 bytes. */
  readonly correlationData?: Uint8Array;
  /** In their order; a name may be there more than once. */
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

/** What a PUBLISH or a will says besides its message. */
export interface SplitProperties {
  /** As `BrokerMessage.properties`: a copy. */
  readonly message: Uint8Array | undefined;
  /** Message Expiry Interval, seconds. */
  readonly expiryS: number | undefined;
  /** Will Delay Interval, seconds. */
  readonly delayS: number | undefined;
  /** 0: none. */
  readonly topicAlias: number;
  readonly subscriptionIds: readonly number[] | undefined;
}

/** 2.2.2: an identifier below 128 is one byte. */
const ID_BYTES = 1;
const FLAG_PROPERTY_BYTES = ID_BYTES + 1;
const LENGTH_MAX = 0xffff;

/** The well-formed properties of a PUBLISH or a will, from `start` to `end`: what is passed on, and what is acted on. */
export function splitProperties(bytes: Uint8Array, start: number, end: number): SplitProperties {
  let expiryS: number | undefined;
  let delayS: number | undefined;
  let topicAlias = 0;
  let subscriptionIds: number[] | undefined;
  let keptBytes = 0;
  for (let at = start; at < end; ) {
    const valueAt = at + ID_BYTES;
    const next = propertyEnd(bytes, at);
    switch (bytes[at]) {
      case Property.MessageExpiryInterval:
        expiryS = u32At(bytes, valueAt);
        break;
      case Property.WillDelayInterval:
        delayS = u32At(bytes, valueAt);
        break;
      case Property.TopicAlias:
        topicAlias = u16At(bytes, valueAt);
        break;
      case Property.SubscriptionIdentifier:
        subscriptionIds ??= [];
        subscriptionIds.push(varintAt(bytes, valueAt));
        break;
      default:
        keptBytes += next - at;
    }
    at = next;
  }
  const message = keptBytes === 0 ? undefined : copyKept(bytes, start, end, keptBytes);
  return { message, expiryS, delayS, topicAlias, subscriptionIds };
}

/** In the order they came, but for the payload format indicator, which goes to the front for `claimsUtf8`. */
function copyKept(bytes: Uint8Array, start: number, end: number, keptBytes: number): Uint8Array {
  const kept = new Uint8Array(keptBytes);
  let to = 0;
  for (let at = start; at < end; at = propertyEnd(bytes, at)) {
    if (bytes[at] !== Property.PayloadFormatIndicator) continue;
    kept.set(bytes.subarray(at, at + FLAG_PROPERTY_BYTES));
    to = FLAG_PROPERTY_BYTES;
  }
  for (let at = start; at < end; ) {
    const next = propertyEnd(bytes, at);
    if (isPassedOn(bytes[at]!) && bytes[at] !== Property.PayloadFormatIndicator) {
      kept.set(bytes.subarray(at, next), to);
      to += next - at;
    }
    at = next;
  }
  return kept;
}

function isPassedOn(id: number): boolean {
  switch (id) {
    case Property.MessageExpiryInterval:
    case Property.WillDelayInterval:
    case Property.TopicAlias:
    case Property.SubscriptionIdentifier:
      return false;
    default:
      return true;
  }
}

/** Where the well-formed property at `at` ends. Past everything for one that is not known, so that a walk ends there. */
function propertyEnd(bytes: Uint8Array, at: number): number {
  const valueAt = at + ID_BYTES;
  switch (PROPERTY_BY_ID[bytes[at]!]?.type) {
    case PropertyType.Byte:
      return valueAt + 1;
    case PropertyType.U16:
      return valueAt + U16_BYTES;
    case PropertyType.U32:
      return valueAt + U32_BYTES;
    case PropertyType.Varint:
      return valueAt + varintBytes(varintAt(bytes, valueAt));
    case PropertyType.Text:
    case PropertyType.Binary:
      return fieldEnd(bytes, valueAt);
    case PropertyType.TextPair:
      return fieldEnd(bytes, fieldEnd(bytes, valueAt));
    case undefined:
      return Number.POSITIVE_INFINITY;
  }
}

function fieldEnd(bytes: Uint8Array, at: number): number {
  return at + U16_BYTES + u16At(bytes, at);
}

/** True where the message says that its payload is UTF-8. */
export function claimsUtf8(properties: Uint8Array | undefined): boolean {
  return properties !== undefined && properties[0] === Property.PayloadFormatIndicator && properties[1] === 1;
}

/** Whether a payload that claims to be UTF-8 is none. */
export function isLying(properties: Uint8Array | undefined, payload: Uint8Array): boolean {
  return claimsUtf8(properties) && !isUtf8(payload);
}

/** Where answers are expected; undefined where the message does not say. */
export function responseTopicOf(properties: Uint8Array): string | undefined {
  for (let at = 0; at < properties.length; at = propertyEnd(properties, at)) {
    if (properties[at] === Property.ResponseTopic) return textAt(properties, at + ID_BYTES);
  }
  return undefined;
}

/** U+FEFF at the beginning is a character like any other [MQTT-1.5.4-3]. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const utf8Encoder = new TextEncoder();

function textAt(bytes: Uint8Array, at: number): string {
  return utf8.decode(bytes.subarray(at + U16_BYTES, fieldEnd(bytes, at)));
}

/** What `BrokerMessage.properties` says. */
export function decodeMessageProperties(bytes: Uint8Array | undefined): MessageProperties {
  const found: { -readonly [K in keyof MessageProperties]: MessageProperties[K] } = {};
  const pairs: (readonly [string, string])[] = [];
  if (bytes === undefined) return found;
  for (let at = 0; at < bytes.length; at = propertyEnd(bytes, at)) {
    const valueAt = at + ID_BYTES;
    switch (bytes[at]) {
      case Property.PayloadFormatIndicator:
        found.payloadFormat = bytes[valueAt] === 1 ? 1 : 0;
        break;
      case Property.ContentType:
        found.contentType = textAt(bytes, valueAt);
        break;
      case Property.ResponseTopic:
        found.responseTopic = textAt(bytes, valueAt);
        break;
      case Property.CorrelationData:
        found.correlationData = bytes.slice(valueAt + U16_BYTES, fieldEnd(bytes, valueAt));
        break;
      case Property.UserProperty:
        pairs.push([textAt(bytes, valueAt), textAt(bytes, fieldEnd(bytes, valueAt))]);
    }
  }
  if (pairs.length > 0) found.userProperties = pairs;
  return found;
}

/** As `BrokerMessage.properties`; undefined where there are none. Throws `ERR_BROKER_MESSAGE` for what MQTT cannot say. */
export function encodeMessageProperties(properties: MessageProperties): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  const { payloadFormat, contentType, responseTopic, correlationData, userProperties = [] } = properties;
  if (payloadFormat !== undefined) parts.push(Uint8Array.of(Property.PayloadFormatIndicator, payloadFormat));
  if (contentType !== undefined) parts.push(idOf(Property.ContentType), textField('the content type', contentType));
  if (responseTopic !== undefined) {
    if (!isValidTopicName(responseTopic)) {
      throw invalid('the response topic', 'is no topic name: 1 to 65,535 bytes, without wildcards and U+0000');
    }
    parts.push(idOf(Property.ResponseTopic), textField('the response topic', responseTopic));
  }
  if (correlationData !== undefined) {
    parts.push(idOf(Property.CorrelationData), field('the correlation data', correlationData));
  }
  for (const [name, value] of userProperties) {
    parts.push(idOf(Property.UserProperty), textField('the name of a user property', name));
    parts.push(textField(`the user property ${JSON.stringify(name)}`, value));
  }
  return parts.length === 0 ? undefined : concat(parts);
}

const idOf = (property: Property): Uint8Array => Uint8Array.of(property);

function textField(what: string, text: string): Uint8Array {
  if (mqttStringBytes(text) < 0)
    throw invalid(what, 'has U+0000 or half a surrogate pair, which no text of MQTT may have');
  return field(what, utf8Encoder.encode(text));
}

function field(what: string, content: Uint8Array): Uint8Array {
  if (content.length > LENGTH_MAX) throw invalid(what, `has ${content.length} bytes; 65,535 is the most`);
  const bytes = new Uint8Array(U16_BYTES + content.length);
  bytes.set(content, writeU16(bytes, 0, content.length));
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function invalid(what: string, why: string): BrokerError {
  return new BrokerError('ERR_BROKER_MESSAGE', `${what} of a message ${why}`);
}
