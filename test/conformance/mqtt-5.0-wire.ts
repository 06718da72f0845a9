// The bytes of MQTT 5.0 for the conformance tests, written from the standard and from nothing else: what a client sends, however
// wrong a test wants it, and a strict reader of what a server may send. The broker's own codec is on neither side.

type Kind = 'byte' | 'u16' | 'u32' | 'varint' | 'text' | 'binary' | 'pair';

export type ServerPacketType =
  | 'connack'
  | 'publish'
  | 'puback'
  | 'pubrec'
  | 'pubrel'
  | 'pubcomp'
  | 'suback'
  | 'unsuback'
  | 'pingresp'
  | 'disconnect'
  | 'auth';

const ACKS = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const;
const ANSWERS: readonly ServerPacketType[] = ['connack', ...ACKS, 'suback', 'unsuback', 'disconnect', 'auth'];

/** Table 2-4: identifier, name, type, and the packets of a server in which the property may be. */
const PROPERTIES: readonly (readonly [number, keyof Properties, Kind, readonly ServerPacketType[]])[] = [
  [0x01, 'payloadFormat', 'byte', ['publish']],
  [0x02, 'messageExpiryS', 'u32', ['publish']],
  [0x03, 'contentType', 'text', ['publish']],
  [0x08, 'responseTopic', 'text', ['publish']],
  [0x09, 'correlationData', 'binary', ['publish']],
  [0x0b, 'subscriptionIds', 'varint', ['publish']],
  [0x11, 'sessionExpiryS', 'u32', ['connack']], // not in a server's DISCONNECT [MQTT-3.14.2-2]
  [0x12, 'assignedClientId', 'text', ['connack']],
  [0x13, 'serverKeepAliveS', 'u16', ['connack']],
  [0x15, 'authenticationMethod', 'text', ['connack', 'auth']],
  [0x16, 'authenticationData', 'binary', ['connack', 'auth']],
  [0x17, 'requestProblemInformation', 'byte', []],
  [0x18, 'willDelayS', 'u32', []],
  [0x19, 'requestResponseInformation', 'byte', []],
  [0x1a, 'responseInformation', 'text', ['connack']],
  [0x1c, 'serverReference', 'text', ['connack', 'disconnect']],
  [0x1f, 'reasonString', 'text', ANSWERS],
  [0x21, 'receiveMaximum', 'u16', ['connack']],
  [0x22, 'topicAliasMaximum', 'u16', ['connack']],
  [0x23, 'topicAlias', 'u16', ['publish']],
  [0x24, 'maximumQos', 'byte', ['connack']],
  [0x25, 'retainAvailable', 'byte', ['connack']],
  [0x26, 'userProperties', 'pair', ['publish', ...ANSWERS]],
  [0x27, 'maximumPacketSize', 'u32', ['connack']],
  [0x28, 'wildcardAvailable', 'byte', ['connack']],
  [0x29, 'subscriptionIdsAvailable', 'byte', ['connack']],
  [0x2a, 'sharedAvailable', 'byte', ['connack']],
];

/** Seconds, bytes and counts as on the wire. User properties and subscription identifiers keep their order. */
export interface Properties {
  payloadFormat?: number;
  messageExpiryS?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: string;
  subscriptionIds?: readonly number[];
  sessionExpiryS?: number;
  assignedClientId?: string;
  serverKeepAliveS?: number;
  authenticationMethod?: string;
  authenticationData?: string;
  requestProblemInformation?: number;
  willDelayS?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  userProperties?: readonly (readonly [string, string])[];
  maximumPacketSize?: number;
  wildcardAvailable?: number;
  subscriptionIdsAvailable?: number;
  sharedAvailable?: number;
}

/** Section 4.13 and the tables of each packet: what a server may say. */
const REASONS: Readonly<Record<string, readonly number[]>> = {
  // Table 3-1 [MQTT-3.2.2-8]
  connack: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
    0x9c, 0x9d, 0x9f,
  ],
  puback: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99], // [MQTT-3.4.2-1]
  pubrec: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99], // [MQTT-3.5.2-1]
  pubrel: [0x00, 0x92], // [MQTT-3.6.2-1]
  pubcomp: [0x00, 0x92], // [MQTT-3.7.2-1]
  suback: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2], // [MQTT-3.9.3-2]
  unsuback: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91], // [MQTT-3.11.3-2]
  // Table 3-10, those that a server may use [MQTT-3.14.2-1]
  disconnect: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  auth: [0x00, 0x18], // [MQTT-3.15.2-1]; 0x19 is the client's
};

export type AckType = (typeof ACKS)[number];

type AckOf = { readonly [T in AckType]: { readonly type: T; readonly id: number; readonly reason: number } };

export type ServerPacket = { readonly properties: Properties; readonly bytes: number } & (
  | { readonly type: 'connack'; readonly sessionPresent: boolean; readonly reason: number }
  | {
      readonly type: 'publish';
      readonly topic: string;
      readonly payload: string;
      readonly qos: number;
      readonly retain: boolean;
      readonly dup: boolean;
      /** 0 at QoS 0. */
      readonly id: number;
    }
  | AckOf[AckType]
  | { readonly type: 'suback'; readonly id: number; readonly reasons: readonly number[] }
  | { readonly type: 'unsuback'; readonly id: number; readonly reasons: readonly number[] }
  | { readonly type: 'pingresp' }
  | { readonly type: 'disconnect'; readonly reason: number }
  | { readonly type: 'auth'; readonly reason: number }
);

export type PublishHeard = Extract<ServerPacket, { type: 'publish' }>;

export const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
export const join = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
export const u8 = (value: number): Uint8Array => Uint8Array.of(value);
export const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);
export const u32 = (value: number): Uint8Array => join(u16(value >>> 16), u16(value & 0xffff));
export const utf8 = (value: string): Uint8Array => Buffer.from(value, 'utf8');
export const binary = (value: Uint8Array): Uint8Array => join(u16(value.length), value);
export const text = (value: string): Uint8Array => binary(utf8(value));

export function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = (rest - low) / 128;
    out.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return Uint8Array.from(out);
}

function valueBytes(kind: Kind, value: unknown): Uint8Array {
  switch (kind) {
    case 'byte':
      return u8(value as number);
    case 'u16':
      return u16(value as number);
    case 'u32':
      return u32(value as number);
    case 'varint':
      return varint(value as number);
    case 'text':
    case 'binary':
      return text(value as string);
    case 'pair': {
      const [name, content] = value as readonly [string, string];
      return join(text(name), text(content));
    }
  }
}

/** Properties without the length in front; or bytes as they are, for a test that wants them wrong. */
export type PropertiesIn = Properties | Uint8Array;

export function propertyBytes(properties: PropertiesIn = {}): Uint8Array {
  if (properties instanceof Uint8Array) return properties;
  const parts: Uint8Array[] = [];
  for (const [id, name, kind] of PROPERTIES) {
    const given = properties[name];
    if (given === undefined) continue;
    const values: readonly unknown[] = Array.isArray(given) ? given : [given];
    for (const value of values) parts.push(u8(id), valueBytes(kind, value));
  }
  return join(...parts);
}

const withLength = (content: Uint8Array): Uint8Array => join(varint(content.length), content);
const propertyPart = (properties?: PropertiesIn): Uint8Array => withLength(propertyBytes(properties));

/** Any packet: the first byte and what comes behind the remaining length. */
export const packet = (first: number, ...body: readonly Uint8Array[]): Uint8Array =>
  join(u8(first), withLength(join(...body)));

export interface WillIn {
  readonly topic: string | Uint8Array;
  readonly payload: string | Uint8Array;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly properties?: PropertiesIn;
}

export interface ConnectIn {
  /** False where absent. */
  readonly clean?: boolean;
  readonly keepAliveS?: number;
  readonly username?: string | Uint8Array;
  readonly password?: string;
  readonly will?: WillIn;
  readonly properties?: PropertiesIn;
  readonly protocol?: string;
  readonly level?: number;
  /** The connect flags, where they should not follow from the rest. */
  readonly flags?: number;
}

const asBytes = (value: string | Uint8Array): Uint8Array => (typeof value === 'string' ? utf8(value) : value);

export function connect(clientId: string | Uint8Array, options: ConnectIn = {}): Uint8Array {
  const { will, username, password } = options;
  const flags =
    (options.clean === true ? 0x02 : 0) |
    (will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain === true ? 0x20 : 0)) |
    (password === undefined ? 0 : 0x40) |
    (username === undefined ? 0 : 0x80);
  const payload = [binary(asBytes(clientId))];
  if (will !== undefined)
    payload.push(propertyPart(will.properties), binary(asBytes(will.topic)), binary(asBytes(will.payload)));
  if (username !== undefined) payload.push(binary(asBytes(username)));
  if (password !== undefined) payload.push(text(password));
  return packet(
    0x10,
    text(options.protocol ?? 'MQTT'),
    u8(options.level ?? 5),
    u8(options.flags ?? flags),
    u16(options.keepAliveS ?? 0),
    propertyPart(options.properties),
    ...payload,
  );
}

export interface PublishIn {
  readonly qos?: number;
  readonly id?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly properties?: PropertiesIn;
}

export function publish(
  topic: string | Uint8Array,
  payload: string | Uint8Array = '',
  options: PublishIn = {},
): Uint8Array {
  const { qos = 0, id = 1 } = options;
  const flags = (options.dup === true ? 8 : 0) | (qos << 1) | (options.retain === true ? 1 : 0);
  return packet(
    0x30 | flags,
    binary(asBytes(topic)),
    qos > 0 ? u16(id) : new Uint8Array(),
    propertyPart(options.properties),
    asBytes(payload),
  );
}

const ACK_FIRST: Readonly<Record<AckType, number>> = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 };

/** Without a reason in the short form, which means Success. */
export function ack(type: AckType, id: number, reason?: number, properties?: PropertiesIn): Uint8Array {
  if (reason === undefined) return packet(ACK_FIRST[type], u16(id));
  if (properties === undefined) return packet(ACK_FIRST[type], u16(id), u8(reason));
  return packet(ACK_FIRST[type], u16(id), u8(reason), propertyPart(properties));
}

export interface SubscriptionIn {
  readonly filter: string | Uint8Array;
  readonly qos?: number;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  readonly retainHandling?: number;
  /** The options byte, where it should not follow from the rest. */
  readonly options?: number;
}

const optionsOf = (s: SubscriptionIn): number =>
  s.options ??
  (s.qos ?? 0) |
    (s.noLocal === true ? 0x04 : 0) |
    (s.retainAsPublished === true ? 0x08 : 0) |
    ((s.retainHandling ?? 0) << 4);

export function subscribe(id: number, subscriptions: readonly SubscriptionIn[], properties?: PropertiesIn): Uint8Array {
  const entries = subscriptions.map((s) => join(binary(asBytes(s.filter)), u8(optionsOf(s))));
  return packet(0x82, u16(id), propertyPart(properties), ...entries);
}

export function unsubscribe(id: number, filters: readonly string[], properties?: PropertiesIn): Uint8Array {
  return packet(0xa2, u16(id), propertyPart(properties), ...filters.map(text));
}

export const PINGREQ: Uint8Array = bytes('c000');

export function disconnect(reason?: number, properties?: PropertiesIn): Uint8Array {
  if (reason === undefined) return packet(0xe0);
  return properties === undefined ? packet(0xe0, u8(reason)) : packet(0xe0, u8(reason), propertyPart(properties));
}

export const auth = (reason: number, properties?: PropertiesIn): Uint8Array =>
  packet(0xf0, u8(reason), propertyPart(properties));

/** Reads one packet; whatever a server must not send is an error. */
class Reader {
  at = 0;

  constructor(private readonly of: Uint8Array) {}

  get rest(): number {
    return this.of.length - this.at;
  }

  take(count: number): Uint8Array {
    if (count > this.rest) throw new Error('a field reaches over the end of its packet');
    this.at += count;
    return this.of.subarray(this.at - count, this.at);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    const [high, low] = this.take(2);
    return high! * 256 + low!;
  }

  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 128 ** i;
      if ((byte & 0x80) !== 0) continue;
      if (i > 0 && byte === 0) throw new Error('a variable byte integer is longer than needed [MQTT-1.5.5-1]');
      return value;
    }
    throw new Error('a variable byte integer has more than four bytes');
  }

  text(): string {
    // `fatal` refuses surrogates and all else that is no UTF-8 [MQTT-1.5.4-1].
    const value = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(this.u16()));
    if (value.includes('\0')) throw new Error('a string has U+0000 [MQTT-1.5.4-2]');
    return value;
  }
}

function readValue(reader: Reader, kind: Kind): unknown {
  switch (kind) {
    case 'byte':
      return reader.byte();
    case 'u16':
      return reader.u16();
    case 'u32':
      return reader.u32();
    case 'varint':
      return reader.varint();
    case 'text':
      return reader.text();
    case 'binary':
      return Buffer.from(reader.take(reader.u16())).toString('utf8');
    case 'pair':
      return [reader.text(), reader.text()];
  }
}

function readProperties(reader: Reader, type: ServerPacketType): Properties {
  const block = new Reader(reader.take(reader.varint()));
  const found: Record<string, unknown> = {};
  while (block.rest > 0) {
    const id = block.varint();
    const row = PROPERTIES.find(([known]) => known === id);
    if (row === undefined) throw new Error(`there is no property ${id}`);
    const [, name, kind, packets] = row;
    if (!packets.includes(type)) throw new Error(`${name} has no place in ${type} of a server`);
    const value = readValue(block, kind);
    if (kind === 'pair' || name === 'subscriptionIds') {
      found[name] = [...((found[name] as unknown[]) ?? []), value];
    } else if (name in found) throw new Error(`${name} is there twice`);
    else found[name] = value;
    checkRange(name, value);
  }
  return found;
}

function checkRange(name: string, value: unknown): void {
  const neverZero = ['receiveMaximum', 'maximumPacketSize', 'topicAlias', 'subscriptionIds'];
  if (neverZero.includes(name) && value === 0) throw new Error(`${name} is 0`);
  const flags = ['maximumQos', 'retainAvailable', 'wildcardAvailable', 'subscriptionIdsAvailable', 'sharedAvailable'];
  if ([...flags, 'payloadFormat'].includes(name) && (value as number) > 1) throw new Error(`${name} is ${value}`);
}

function reasonIn(reader: Reader, type: ServerPacketType): number {
  const reason = reader.byte();
  if (!REASONS[type]!.includes(reason)) throw new Error(`0x${reason.toString(16)} is no reason for ${type}`);
  return reason;
}

/** Section 3.4.2.1: reason and properties may be left out at the end. */
function tailOf(reader: Reader, type: ServerPacketType): { reason: number; properties: Properties } {
  const reason = reader.rest > 0 ? reasonIn(reader, type) : 0;
  return { reason, properties: reader.rest > 0 ? readProperties(reader, type) : {} };
}

/** A server's packet, its first byte and the reader of its body. */
function readBody(first: number, reader: Reader): Record<string, unknown> {
  const type = TYPES[first >> 4];
  if (type === undefined) throw new Error(`a server sends no packet of type ${first >> 4}`);
  const flags = first & 0x0f;
  if (type !== 'publish' && flags !== (type === 'pubrel' ? 2 : 0)) throw new Error(`flags ${flags} [MQTT-2.1.3-1]`);
  switch (type) {
    case 'connack': {
      const ackFlags = reader.byte();
      if (ackFlags > 1) throw new Error('reserved acknowledge flags [MQTT-3.2.2-1]');
      const reason = reasonIn(reader, type);
      return { type, sessionPresent: ackFlags === 1, reason, properties: readProperties(reader, type) };
    }
    case 'publish':
      return readPublish(flags, reader);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return { type, id: reader.u16(), ...tailOf(reader, type) };
    case 'suback':
    case 'unsuback': {
      const id = reader.u16();
      const properties = readProperties(reader, type);
      const reasons: number[] = [];
      while (reader.rest > 0) reasons.push(reasonIn(reader, type));
      return { type, id, reasons, properties };
    }
    case 'pingresp':
      return { type, properties: {} };
    case 'disconnect':
    case 'auth':
      return { type, ...tailOf(reader, type) };
  }
}

function readPublish(flags: number, reader: Reader): Record<string, unknown> {
  const qos = (flags >> 1) & 3;
  const dup = (flags & 8) !== 0;
  if (qos === 3) throw new Error('both QoS bits [MQTT-3.3.1-4]');
  if (qos === 0 && dup) throw new Error('DUP at QoS 0 [MQTT-3.3.1-2]');
  const topic = reader.text();
  if (/[#+]/.test(topic)) throw new Error('a wildcard in a topic name [MQTT-3.3.2-2]');
  const id = qos > 0 ? reader.u16() : 0;
  if (qos > 0 && id === 0) throw new Error('packet identifier 0 [MQTT-2.2.1-4]');
  const properties = readProperties(reader, 'publish');
  if (topic === '' && properties.topicAlias === undefined) throw new Error('neither topic nor alias');
  const payload = Buffer.from(reader.take(reader.rest)).toString('utf8');
  return { type: 'publish', topic, payload, qos, retain: (flags & 1) !== 0, dup, id, properties };
}

const TYPES: Readonly<Record<number, ServerPacketType>> = {
  2: 'connack',
  3: 'publish',
  4: 'puback',
  5: 'pubrec',
  6: 'pubrel',
  7: 'pubcomp',
  9: 'suback',
  11: 'unsuback',
  13: 'pingresp',
  14: 'disconnect',
  15: 'auth',
};

/** All packets in what a server wrote. Throws for what a server must not send, and where the last packet is cut. */
export function readServerPackets(written: Uint8Array): ServerPacket[] {
  const stream = new Reader(written);
  const packets: ServerPacket[] = [];
  while (stream.rest > 0) {
    const start = stream.at;
    const first = stream.byte();
    const body = new Reader(stream.take(stream.varint()));
    const read = readBody(first, body);
    if (body.rest > 0) throw new Error(`${read.type} has bytes behind its end`);
    packets.push({ ...read, bytes: stream.at - start } as ServerPacket);
  }
  return packets;
}
