// What the tests of the codec share: ways through it, and packets of every kind that a client may send, as mqtt-packet
// understands them.
import fc from 'fast-check';
import { generate, parser, type Packet as WirePacket } from 'mqtt-packet';
import type { Fault } from '../../../host/broker/codec.js';
import { type Decoded, decode } from '../../../host/broker/codec.js';
import { FrameSplitter } from '../../../host/broker/frames.js';
import type { Level, Packet } from '../../../host/broker/packets.js';

export const LEVELS: readonly Level[] = [3, 4, 5];

export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** One packet through the splitter and `decode`. */
export function decodeBytes(bytes: Uint8Array, level: Level | undefined, now = 0): Decoded {
  const decoded: Decoded[] = [];
  const fault = new FrameSplitter(2 ** 28).push(bytes, (frame, bodyAt) => {
    decoded.push(decode(frame, bodyAt, level, now));
    return true;
  });
  if (fault !== undefined || decoded.length !== 1) throw new Error(`no packet: ${fault} ${decoded.length}`);
  return decoded[0]!;
}

export function packetIn(bytes: Uint8Array, level: Level | undefined, now = 0): Packet {
  const decoded = decodeBytes(bytes, level, now);
  if ('fault' in decoded) throw new Error(`${decoded.fault.reason} ${decoded.fault.why}: ${hexOf(bytes)}`);
  return decoded.packet;
}

export function faultIn(bytes: Uint8Array, level: Level | undefined): Fault | undefined {
  const decoded = decodeBytes(bytes, level);
  return 'fault' in decoded ? decoded.fault : undefined;
}

/** What mqtt-packet makes of the bytes. */
export function reference(bytes: Uint8Array, level: Level): WirePacket {
  let found: WirePacket | undefined;
  const reader = parser({ protocolVersion: level });
  reader.on('packet', (packet) => {
    found = packet;
  });
  reader.parse(Buffer.from(bytes));
  if (found === undefined) throw new Error(`mqtt-packet reads nothing in ${hexOf(bytes)}`);
  return found;
}

export const generated = (packet: WirePacket, level: Level): Buffer => generate(packet, { protocolVersion: level });

const u16 = fc.integer({ min: 1, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((t) => !t.includes('\0'));
const someText = text.filter((t) => t !== '');
export const topics = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((topic) => !/[\0#+]/u.test(topic));
const filters = fc.constantFrom('a', '#', '+/b/#', '/', 'ü/+', '$share/g/a/#', '$SYS/x');
const data = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));
/** Values are not empty: mqtt-packet takes an empty one for none where a name is repeated. */
const userProperties = fc.dictionary(
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 5 }).filter((name) => name !== '__proto__'),
  fc.oneof(someText, fc.array(someText, { minLength: 2, maxLength: 3 })),
  { minKeys: 1, maxKeys: 3 },
);

const maybe = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;

/** Sizes on both sides of one, two and three bytes of remaining length. */
export const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 16_300, max: 16_400 }).map((n) => new Uint8Array(n).fill(n)),
);

export const messageProperties = maybe({
  payloadFormatIndicator: fc.boolean(),
  contentType: text,
  responseTopic: topics,
  correlationData: data,
  userProperties,
});

const only5 = <T>(level: Level, properties: fc.Arbitrary<T>): fc.Arbitrary<{ properties?: T }> =>
  level === 5 ? fc.record({ properties }, { requiredKeys: [] }) : fc.constant({});

export function publishes(level: Level): fc.Arbitrary<WirePacket> {
  const properties = fc
    .tuple(messageProperties, maybe({ messageExpiryInterval: u32, topicAlias: u16 }))
    .map(([ofMessage, others]) => ({ ...others, ...ofMessage }));
  return fc
    .tuple(
      fc.record({
        topic: topics,
        payload: payloads.map((bytes) => Buffer.from(bytes)),
        qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
        retain: fc.boolean(),
        dup: fc.boolean(),
        messageId: u16,
      }),
      only5(level, properties),
    )
    .map(([packet, more]) => ({ cmd: 'publish', ...packet, ...more }));
}

export function connects(level: Level): fc.Arbitrary<WirePacket> {
  const will = fc
    .tuple(
      fc.record({
        topic: topics,
        payload: data,
        qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
        retain: fc.boolean(),
      }),
      only5(
        level,
        fc
          .tuple(messageProperties, maybe({ willDelayInterval: u32, messageExpiryInterval: u32 }))
          .map(([ofMessage, others]) => ({ ...others, ...ofMessage })),
      ),
    )
    .map(([fields, more]) => ({ ...fields, ...more }));
  const method = fc.oneof(
    fc.constant({}),
    fc.record({ authenticationMethod: text }),
    fc.record({ authenticationMethod: text, authenticationData: data }),
  );
  const properties = fc
    .tuple(
      maybe({
        sessionExpiryInterval: u32,
        receiveMaximum: u16,
        maximumPacketSize: u32.filter((n) => n > 0),
        topicAliasMaximum: fc.integer({ min: 0, max: 0xffff }),
        requestResponseInformation: fc.boolean(),
        requestProblemInformation: fc.boolean(),
        userProperties,
      }),
      method,
    )
    .map(([some, others]) => ({ ...some, ...others }));
  const names = fc.oneof(fc.constant({}), fc.record({ username: text }), fc.record({ username: text, password: data }));
  return fc
    .tuple(
      fc.record({ clientId: someText, clean: fc.boolean(), keepalive: fc.integer({ min: 0, max: 0xffff }) }),
      names,
      fc.record({ will }, { requiredKeys: [] }),
      only5(level, properties),
    )
    .map(
      ([fields, login, more, rest]) =>
        ({
          cmd: 'connect',
          protocolId: level === 3 ? 'MQIsdp' : 'MQTT',
          protocolVersion: level,
          ...fields,
          ...login,
          ...more,
          ...rest,
        }) as WirePacket,
    );
}

export function subscribes(level: Level): fc.Arbitrary<WirePacket> {
  const options =
    level === 5 ? { nl: fc.boolean(), rap: fc.boolean(), rh: fc.constantFrom(0, 1, 2) } : ({} as Record<string, never>);
  const request = fc.record({ topic: filters, qos: fc.constantFrom(0 as const, 1 as const, 2 as const), ...options });
  const properties = maybe({ subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }), userProperties });
  return fc
    .tuple(u16, fc.array(request, { minLength: 1, maxLength: 4 }), only5(level, properties))
    .map(([messageId, subscriptions, more]) => ({ cmd: 'subscribe', messageId, subscriptions, ...more }) as WirePacket);
}

export function unsubscribes(level: Level): fc.Arbitrary<WirePacket> {
  return fc
    .tuple(u16, fc.array(filters, { minLength: 1, maxLength: 4 }), only5(level, maybe({ userProperties })))
    .map(([messageId, unsubscriptions, more]) => ({ cmd: 'unsubscribe', messageId, unsubscriptions, ...more }));
}

export function acks(level: Level): fc.Arbitrary<WirePacket> {
  const cmds = fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const);
  const said = maybe({ reasonString: text, userProperties });
  return fc.tuple(cmds, u16, fc.boolean(), only5(level, said)).map(([cmd, messageId, hasFailed, more]) => {
    if (level !== 5) return { cmd, messageId };
    const failure = cmd === 'pubrel' || cmd === 'pubcomp' ? 0x92 : 0x97;
    return { cmd, messageId, reasonCode: hasFailed ? failure : 0, ...more };
  });
}

export function disconnects(level: Level): fc.Arbitrary<WirePacket> {
  if (level !== 5) return fc.constant({ cmd: 'disconnect' });
  const properties = maybe({ sessionExpiryInterval: u32, reasonString: text, userProperties });
  return fc
    .tuple(fc.constantFrom(0, 4, 0x80, 0x82, 0x98), only5(level, properties))
    .map(([reasonCode, more]) => ({ cmd: 'disconnect', reasonCode, ...more }));
}

export const auths: fc.Arbitrary<WirePacket> = fc
  .tuple(
    fc.constantFrom(0x18, 0x19),
    fc.tuple(fc.record({ authenticationMethod: text }), maybe({ authenticationData: data, reasonString: text })),
  )
  .map(([reasonCode, [method, more]]) => ({ cmd: 'auth', reasonCode, properties: { ...method, ...more } }));

/** Each kind of packet that a client of the level may send. */
export function packetKinds(level: Level): fc.Arbitrary<WirePacket>[] {
  return [
    publishes(level),
    connects(level),
    subscribes(level),
    unsubscribes(level),
    acks(level),
    disconnects(level),
    fc.constant<WirePacket>({ cmd: 'pingreq' }),
    ...(level === 5 ? [auths] : []),
  ];
}

export const clientPackets = (level: Level): fc.Arbitrary<WirePacket> => fc.oneof(...packetKinds(level));
