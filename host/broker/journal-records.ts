// The broker's records as octets: their keys and what lies under them. journal-state.ts says when which is written.
//
// A key is one letter and names, with U+0000 between two: no string of MQTT holds that character [MQTT-1.5.4-2]. Numbers in
// keys are decimal.
//
//   format                  version u8 ; this and no other key begins with f
//   s CLIENT                expiryMs f64 | endsAt f64
//   u CLIENT NUL FILTER     flags u8: qos, noLocal, retainAsPublished | identifier u32
//   r CLIENT NUL PACKET-ID  nothing: a QoS 2 message from the client that awaits PUBREL
//   e CLIENT NUL NUMBER     entry, below
//   m ID                    topic bytes u16 | topic, UTF-8 | content
//   t TOPIC                 content: a retained message
//   w CLIENT                expiryMs f64 | delayMs f64 | dueAt f64 | topic bytes u16 | topic, UTF-8 | content
//
//            0       1            9                    13
//           ┌───────┬────────────┬────────────────────┬────────────┬─────────┐
//   content │ flags │ expiresAt  │ property bytes u32 │ properties │ payload │ flags: qos, retain, hasProperties
//           └───────┴────────────┴────────────────────┴────────────┴─────────┘
//            0       1            3                  11
//           ┌───────┬────────────┬──────────────────┬─────────────────────────────┐
//   entry   │ flags │ packet id  │ message or order │ subscription identifiers    │ flags: qos, retain, step, hasShare
//           │ u8    │ u16        │ f64              │ u32 each                    │
//           └───────┴────────────┴──────────────────┴─────────────────────────────┘
//             hasShare: before the identifiers u16 bytes of the shared subscription's filter, and it in UTF-8
//
// Numbers are little-endian. Moments are ms since 1970, so that they mean the same in the next process; Infinity is never, NaN is
// none. `message or order`: the message's id, or once it is released the rank of its PUBREC.
import type { Millis, Qos } from '../ports.js';
import type { EntryDetails, EntryState, SessionRecord, SubscriptionRecord, WillRecord } from './durable.js';
import type { BrokerMessage } from './packets.js';

export const FORMAT_VERSION = 1;
export const FORMAT_KEY = 'format';

/** The letters that keys begin with. */
export const Kind = {
  session: 's',
  subscription: 'u',
  received: 'r',
  entry: 'e',
  message: 'm',
  retained: 't',
  will: 'w',
} as const;

const SEPARATOR = '\0';

export const keyOf = {
  session: (clientId: string): string => Kind.session + clientId,
  subscription: (clientId: string, filter: string): string => Kind.subscription + clientId + SEPARATOR + filter,
  received: (clientId: string, packetId: number): string => Kind.received + clientId + SEPARATOR + packetId,
  entry: (clientId: string, number: number): string => Kind.entry + clientId + SEPARATOR + number,
  message: (id: number): string => Kind.message + id,
  retained: (topic: string): string => Kind.retained + topic,
  will: (clientId: string): string => Kind.will + clientId,
};

/** The client and what follows it in a key. Throws Error where there is no such thing. */
export function namesIn(key: string): readonly [clientId: string, rest: string] {
  const at = key.indexOf(SEPARATOR);
  if (at < 0) throw new Error('its key has no second part');
  return [key.slice(1, at), key.slice(at + 1)];
}

/** A number in a key. Throws Error where it is none. */
export function numberIn(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0 || String(number) !== text) throw new Error('its key has no number');
  return number;
}

const QOS_MASK = 0b11;
const NO_LOCAL = 0b0100;
const RETAIN_AS_PUBLISHED = 0b1000;
const RETAIN = 0b0000_0100;
const HAS_PROPERTIES = 0b0000_1000;
const STEP_SHIFT = 3;
const STEP_MASK = 0b11;
/** Of an entry. */
const HAS_SHARE = 0b0010_0000;
const STEPS = ['waiting', 'sent', 'released'] as const;

const SESSION_BYTES = 16;
const SUBSCRIPTION_BYTES = 5;
const CONTENT_HEAD_BYTES = 13;
const ENTRY_HEAD_BYTES = 11;
const WILL_HEAD_BYTES = 24;

const encoder = new TextEncoder();
/** U+FEFF at the beginning is a character like any other [MQTT-1.5.4-3]. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** To ms since 1970 on the way in, and back to this process's clock on the way out. */
export class RecordCodec {
  /** `epochMsAtZero`: what moment 0 of the core's clock is, in ms since 1970. */
  constructor(private readonly epochMsAtZero: number) {}

  format(): Uint8Array {
    return Uint8Array.of(FORMAT_VERSION);
  }

  encodeSession({ expiryMs, endsAt }: SessionRecord): Uint8Array {
    const writer = new Writer(SESSION_BYTES);
    writer.f64(expiryMs);
    writer.f64(this.momentOut(endsAt));
    return writer.bytes;
  }

  decodeSession(clientId: string, bytes: Uint8Array): SessionRecord {
    const reader = new Reader(bytes);
    const expiryMs = reader.f64();
    const endsAt = this.momentIn(reader.f64());
    reader.end();
    return { clientId, expiryMs, endsAt };
  }

  encodeSubscription({ qos, noLocal, retainAsPublished, identifier }: SubscriptionRecord): Uint8Array {
    const writer = new Writer(SUBSCRIPTION_BYTES);
    writer.u8(qos | (noLocal ? NO_LOCAL : 0) | (retainAsPublished ? RETAIN_AS_PUBLISHED : 0));
    writer.u32(identifier);
    return writer.bytes;
  }

  decodeSubscription(filter: string, bytes: Uint8Array): SubscriptionRecord {
    const reader = new Reader(bytes);
    const flags = reader.flags(QOS_MASK | NO_LOCAL | RETAIN_AS_PUBLISHED);
    const identifier = reader.u32();
    reader.end();
    const noLocal = (flags & NO_LOCAL) !== 0;
    return { filter, qos: qosIn(flags), noLocal, retainAsPublished: (flags & RETAIN_AS_PUBLISHED) !== 0, identifier };
  }

  /** `messageId` counts while the entry is not released. */
  encodeEntry(details: EntryDetails, state: EntryState, messageId: number): Uint8Array {
    const { qos, retain, subscriptionIds: ids = [] } = details;
    const share = details.share === undefined ? undefined : encoder.encode(details.share);
    const shareBytes = share === undefined ? 0 : 2 + share.length;
    const writer = new Writer(ENTRY_HEAD_BYTES + shareBytes + 4 * ids.length);
    const step = STEPS.indexOf(state.step) << STEP_SHIFT;
    writer.u8(qos | (retain ? RETAIN : 0) | step | (share === undefined ? 0 : HAS_SHARE));
    writer.u16(state.step === 'waiting' ? 0 : state.packetId);
    writer.f64(state.step === 'released' ? state.order : messageId);
    if (share !== undefined) {
      writer.u16(share.length);
      writer.octets(share);
    }
    for (const id of ids) writer.u32(id);
    return writer.bytes;
  }

  /** `messageId` is undefined where the entry is released. */
  decodeEntry(bytes: Uint8Array): EntryDetails & { state: EntryState; messageId: number | undefined } {
    const reader = new Reader(bytes);
    const flags = reader.flags(QOS_MASK | RETAIN | (STEP_MASK << STEP_SHIFT) | HAS_SHARE);
    const packetId = reader.u16();
    const link = reader.f64();
    const share = (flags & HAS_SHARE) === 0 ? undefined : reader.text();
    const ids: number[] = [];
    while (reader.left > 0) ids.push(reader.u32());
    const state = stateIn(STEPS[(flags >> STEP_SHIFT) & STEP_MASK], packetId, link);
    return {
      qos: qosIn(flags),
      retain: (flags & RETAIN) !== 0,
      subscriptionIds: ids.length === 0 ? undefined : ids,
      share,
      state,
      messageId: state.step === 'released' ? undefined : link,
    };
  }

  encodeMessage(message: BrokerMessage): Uint8Array {
    return this.withTopic(message, 0).bytes;
  }

  decodeMessage(bytes: Uint8Array): BrokerMessage {
    const reader = new Reader(bytes);
    return this.content(reader.text(), reader);
  }

  encodeRetained(message: BrokerMessage): Uint8Array {
    const writer = new Writer(contentBytes(message));
    this.writeContent(writer, message);
    return writer.bytes;
  }

  decodeRetained(topic: string, bytes: Uint8Array): BrokerMessage {
    return this.content(topic, new Reader(bytes));
  }

  encodeWill({ message, expiryMs, delayMs, dueAt }: WillRecord): Uint8Array {
    const whole = this.withTopic(message, WILL_HEAD_BYTES);
    const head = new Writer(WILL_HEAD_BYTES, whole.bytes);
    head.f64(expiryMs);
    head.f64(delayMs);
    head.f64(this.momentOut(dueAt));
    return whole.bytes;
  }

  decodeWill(clientId: string, bytes: Uint8Array): WillRecord {
    const reader = new Reader(bytes);
    const expiryMs = reader.f64();
    const delayMs = reader.f64();
    const dueAt = this.momentIn(reader.f64());
    return { clientId, expiryMs, delayMs, dueAt, message: this.content(reader.text(), reader) };
  }

  /** Topic and content behind so many octets that are still to be written. */
  private withTopic(message: BrokerMessage, headBytes: number): Writer {
    const topic = encoder.encode(message.topic);
    const writer = new Writer(headBytes + 2 + topic.length + contentBytes(message));
    writer.skip(headBytes);
    writer.u16(topic.length);
    writer.octets(topic);
    this.writeContent(writer, message);
    return writer;
  }

  private writeContent(writer: Writer, { qos, retain, properties, expiresAt, payload }: BrokerMessage): void {
    writer.u8(qos | (retain ? RETAIN : 0) | (properties === undefined ? 0 : HAS_PROPERTIES));
    writer.f64(this.momentOut(expiresAt));
    writer.u32(properties?.length ?? 0);
    if (properties !== undefined) writer.octets(properties);
    writer.octets(payload);
  }

  private content(topic: string, reader: Reader): BrokerMessage {
    const flags = reader.flags(QOS_MASK | RETAIN | HAS_PROPERTIES);
    const expiresAt = reader.f64() - this.epochMsAtZero;
    const properties = reader.octets(reader.u32());
    return {
      topic,
      payload: reader.octets(reader.left),
      qos: qosIn(flags),
      retain: (flags & RETAIN) !== 0,
      properties: (flags & HAS_PROPERTIES) === 0 ? undefined : properties,
      expiresAt,
    };
  }

  private momentOut(moment: Millis | undefined): number {
    return moment === undefined ? Number.NaN : moment + this.epochMsAtZero;
  }

  private momentIn(epochMs: number): Millis | undefined {
    return Number.isNaN(epochMs) ? undefined : epochMs - this.epochMsAtZero;
  }
}

const contentBytes = ({ properties, payload }: BrokerMessage): number =>
  CONTENT_HEAD_BYTES + (properties?.length ?? 0) + payload.length;

function qosIn(flags: number): Qos {
  const qos = flags & QOS_MASK;
  if (qos > 2) throw new Error('its QoS is 3');
  return qos as Qos;
}

function stateIn(step: (typeof STEPS)[number] | undefined, packetId: number, order: number): EntryState {
  switch (step) {
    case 'waiting':
      return { step };
    case 'sent':
      return { step, packetId };
    case 'released':
      return { step, packetId, order };
    default:
      throw new Error('its step is 3');
  }
}

class Writer {
  private readonly view: DataView;
  private at = 0;

  constructor(
    size: number,
    readonly bytes: Uint8Array = new Uint8Array(size),
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  skip(count: number): void {
    this.at += count;
  }

  u8(value: number): void {
    this.view.setUint8(this.at, value);
    this.at += 1;
  }

  u16(value: number): void {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  f64(value: number): void {
    this.view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  octets(octets: Uint8Array): void {
    this.bytes.set(octets, this.at);
    this.at += octets.length;
  }
}

/** Throws Error for what is too short, too long, or has bits that mean nothing. */
class Reader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  flags(known: number): number {
    const flags = this.view.getUint8(this.take(1));
    if ((flags & ~known) !== 0) throw new Error('it has flags that mean nothing');
    return flags;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  /** A view of the record, which nobody else has. */
  octets(count: number): Uint8Array {
    const start = this.take(count);
    return this.bytes.subarray(start, start + count);
  }

  text(): string {
    return decoder.decode(this.octets(this.u16()));
  }

  end(): void {
    if (this.left > 0) throw new Error(`it is ${this.left} octets too long`);
  }

  private take(count: number): number {
    if (count > this.left) throw new Error(`it is ${count - this.left} octets too short`);
    const start = this.at;
    this.at += count;
    return start;
  }
}
