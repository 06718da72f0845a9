// What may happen to a gateway, step by step: the alphabet of the random runs.
import fc from 'fast-check';
import { PacketType, PROTOCOL_ID, TopicType } from '../../../assembly/protocol/index.js';
import type { Qos } from '../../../host/ports.js';
import type { FilterTopic, Packet, PublishTopic, SnQos } from '../../../host/wire/index.js';
import { decode, encode, isFault } from '../../../host/wire/index.js';
import type { Place } from './arbitrary-events.js';

/** Two addresses, and two nodes behind a third. */
export const PLACES: readonly Place[] = ['n1', 'n2', 'f/01', 'f/02'];
export const CLIENTS = ['a', 'b', 'c', 'd'] as const;
/** By name, short, predefined for all, predefined for one, with more than one level, too long to be registered. */
export const TOPICS = ['t', 'ab', 'p/1', 'p/b', 'x/y/z', `long/${'o'.repeat(60)}`] as const;
export const PREDEFINED = { '*': { 1: 'p/1' }, b: { 1: 'p/b', 2: 't' } } as const;
const FILTERS = [...TOPICS, '#', '+', 'p/+', 'x/#', 'bad#', ''] as const;
export const MINUTE = 60_000;

export type BrokerStep =
  | { readonly do: 'hold' | 'hold-connect' | 'refuse' | 'refuse-connect'; readonly on: boolean }
  | { readonly do: 'let-go'; readonly count: number }
  | { readonly do: 'lose'; readonly client: string }
  | { readonly do: 'down' }
  | { readonly do: 'up' }
  | { readonly do: 'qos-max'; readonly qos: Qos };

export type Step =
  /** A packet; the payload of a PUBLISH is replaced by a tag and as much padding as it has octets. */
  | { readonly do: 'say'; readonly place: Place; readonly packet: Packet }
  /** An exact copy of what was said last from there; a retransmission with DUP. */
  | { readonly do: 'copy' | 'resend'; readonly place: Place }
  /**
   * Many of these, with MsgIds, where they have any, that count up to `msgIds` and then begin anew. `mixed`: PUBLISHes with
   * QoS 1 and 2 in turn. `slow`: the broker answers nothing from then on.
   */
  | {
      readonly do: 'flood';
      readonly place: Place;
      readonly packet: Packet;
      readonly msgIds: number;
      readonly mixed: boolean;
      readonly slow: boolean;
    }
  | { readonly do: 'octets'; readonly place: Place; readonly octets: Uint8Array }
  /** Does what is asked there: `all`, until there is silence; `one`, the first; `no`, with this return code; `lose`, nothing. */
  | { readonly do: 'answer'; readonly place: Place; readonly how: 'all' | 'one' | 'lose' | 1 | 2 | 3 }
  | {
      readonly do: 'deliver';
      readonly client: string;
      readonly topic: string;
      readonly qos: Qos;
      readonly octets: number;
    }
  | { readonly do: 'restart'; readonly remembers: boolean }
  | { readonly do: 'pass'; readonly ms: number }
  | BrokerStep;

const place = fc.constantFrom(...PLACES);
const client = fc.constantFrom(...CLIENTS);
const topicName = fc.constantFrom(...TOPICS);
const msgId = fc.constantFrom(0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 0xffff);
const qos = fc.constantFrom<Qos>(0, 1, 2);
const returnCode = fc.constantFrom(0, 0, 0, 1, 2, 3, 200);
const seconds = fc.constantFrom(0, 5, 60, 61, 600);

const publishTopic: fc.Arbitrary<PublishTopic> = fc.oneof(
  fc.constantFrom(0, 1, 1, 2, 3, 99, 0xffff).map((id) => ({ kind: TopicType.Normal, id }) as const),
  fc.constantFrom(0, 1, 2, 9).map((id) => ({ kind: TopicType.Predefined, id }) as const),
  fc.constantFrom('ab', '+/').map((name) => ({ kind: TopicType.Short, name }) as const),
);
const filterTopic: fc.Arbitrary<FilterTopic> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...FILTERS).map((name) => ({ kind: TopicType.Normal, name }) as const) },
  fc.constantFrom(0, 1, 2, 9).map((id) => ({ kind: TopicType.Predefined, id }) as const),
  fc.constantFrom('ab', '+/').map((name) => ({ kind: TopicType.Short, name }) as const),
);

const connect = fc.record({
  type: fc.constant(PacketType.Connect as const),
  will: fc.boolean(),
  cleanSession: fc.boolean(),
  protocolId: fc.constantFrom(PROTOCOL_ID, PROTOCOL_ID, PROTOCOL_ID, PROTOCOL_ID, PROTOCOL_ID, 2),
  duration: seconds,
  clientId: fc.oneof({ weight: 9, arbitrary: client }, fc.constantFrom('', 'x'.repeat(24))),
});
const will = fc.option(fc.record({ qos, retain: fc.boolean(), topic: fc.constantFrom('will', '#', 'will') }), {
  nil: undefined,
  freq: 4,
});
const willMessage = fc.constant(new Uint8Array([0x77]));
const only = <T extends PacketType>(type: T) => fc.constant({ type } as unknown as Packet);
const withMsgId = <T extends PacketType>(...types: T[]): fc.Arbitrary<Packet> =>
  fc.record({ type: fc.constantFrom(...types), msgId }) as fc.Arbitrary<Packet>;

/** What clients say, in any order. */
const packet: fc.Arbitrary<Packet> = fc.oneof(
  { weight: 8, arbitrary: connect as fc.Arbitrary<Packet> },
  { weight: 3, arbitrary: fc.record({ type: fc.constant(PacketType.WillTopic as const), will }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant(PacketType.WillMsg as const), message: willMessage }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant(PacketType.Register as const),
      topicId: fc.constant(0),
      msgId,
      topicName,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant(PacketType.Subscribe as const),
      dup: fc.boolean(),
      qos,
      msgId,
      topic: filterTopic,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant(PacketType.Unsubscribe as const), msgId, topic: filterTopic }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant(PacketType.Publish as const),
      dup: fc.constant(false),
      qos: fc.constantFrom<SnQos>(-1, 0, 1, 2, 2),
      retain: fc.boolean(),
      topic: publishTopic,
      msgId,
      data: fc.constantFrom(0, 1, 40).map((length) => new Uint8Array(length)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom(PacketType.RegAck as const, PacketType.PubAck as const),
      topicId: fc.constantFrom(0, 1, 2),
      msgId,
      returnCode,
    }),
  },
  { weight: 4, arbitrary: withMsgId(PacketType.PubRec, PacketType.PubRel, PacketType.PubRel, PacketType.PubComp) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant(PacketType.PingReq as const),
      clientId: fc.oneof(fc.constant(''), client),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant(PacketType.Disconnect as const),
      duration: fc.option(seconds, { nil: undefined }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant(PacketType.WillTopicUpd as const), will }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant(PacketType.WillMsgUpd as const), message: willMessage }) },
  fc.record({ type: fc.constant(PacketType.SearchGw as const), radius: fc.constantFrom(0, 1, 255) }),
  // What only gateways say.
  only(PacketType.WillTopicReq),
  only(PacketType.WillMsgReq),
  only(PacketType.PingResp),
  withMsgId(PacketType.UnsubAck),
  fc.record({ type: fc.constant(PacketType.ConnAck as const), returnCode }),
);

const SHORT = { kind: TopicType.Short, name: 'ab' } as const;
const floodPacket: fc.Arbitrary<Packet> = fc.oneof(
  qos.map((level) => ({
    type: PacketType.Publish as const,
    dup: false,
    qos: level,
    retain: false,
    topic: SHORT,
    msgId: 0,
    data: new Uint8Array(),
  })),
  qos.map((level) => ({ type: PacketType.Subscribe as const, dup: false, qos: level, msgId: 0, topic: SHORT })),
  fc.constant({ type: PacketType.PubRel as const, msgId: 0 }),
);

/** Octets: any; a good packet cut short or with one octet changed; an envelope in an envelope. */
const octets: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.tuple(packet, fc.nat(12)).map(([whole, length]) => encode(whole).slice(0, length)),
  fc.tuple(packet, fc.nat(12), fc.nat(255)).map(([whole, at, octet]) => {
    const changed = encode(whole);
    changed[at % changed.length] = octet;
    return changed;
  }),
  packet.map((whole) => wrap('f/03', wrap('f/03', encode(whole)))),
);

/** Around what a forwarder brings; others' octets stay as they are. */
export function wrap(from: Place, inner: Uint8Array): Uint8Array {
  const [, node] = from.split('/');
  if (node === undefined || inner.length === 0) return inner; // an empty envelope is no packet either
  const wirelessNodeId = Uint8Array.of(Number.parseInt(node, 16));
  return encode({ type: PacketType.Forwarded, ctrl: 0, wirelessNodeId, inner });
}

/** Undefined for what is no packet, or one in two envelopes. */
export function unwrap(from: string, datagram: Uint8Array): { place: Place; packet: Packet | undefined } {
  const packet = decode(datagram);
  if (isFault(packet)) return { place: from, packet: undefined };
  if (packet.type !== PacketType.Forwarded) return { place: from, packet };
  const node = [...packet.wirelessNodeId].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  const inner = decode(packet.inner);
  const isBad = isFault(inner) || inner.type === PacketType.Forwarded;
  return { place: `${from}/${node}`, packet: isBad ? undefined : inner };
}

const switches = fc.constantFrom(
  'hold' as const,
  'hold-connect' as const,
  'refuse' as const,
  'refuse-connect' as const,
);
const scripted: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: switches, on: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('let-go' as const), count: fc.constantFrom(1, 2, 99) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('lose' as const), client }) },
  fc.constant({ do: 'down' } as const),
  { weight: 2, arbitrary: fc.constant({ do: 'up' } as const) },
  fc.record({ do: fc.constant('qos-max' as const), qos: fc.constantFrom<Qos>(1, 2, 2) }),
);

/** `isScripted`: the broker does as the steps say. */
export function steps(isScripted: boolean, lengthMax: number): fc.Arbitrary<Step[]> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 40, arbitrary: fc.record({ do: fc.constant('say' as const), place, packet }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('copy' as const, 'resend' as const), place }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('flood' as const),
        place,
        packet: floodPacket,
        msgIds: fc.constantFrom(1, 2, 4, 8),
        mixed: fc.boolean(),
        slow: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('octets' as const), place, octets }) },
    {
      weight: 25,
      arbitrary: fc.record({
        do: fc.constant('answer' as const),
        place,
        how: fc.constantFrom<Extract<Step, { do: 'answer' }>['how']>('all', 'all', 'one', 'one', 'lose', 1, 2, 3),
      }),
    },
    {
      weight: 22,
      arbitrary: fc.record({
        do: fc.constant('deliver' as const),
        client,
        topic: topicName,
        qos,
        octets: fc.constantFrom(0, 0, 20, 60),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), remembers: fc.boolean() }) },
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        ms: fc.constantFrom(0, 1, 1_000, 5_001, 10_000, 30_000, MINUTE, 5 * MINUTE, 180 * MINUTE),
      }),
    },
    { weight: isScripted ? 14 : 0, arbitrary: scripted },
  );
  // Everybody connects, so that shrinking alone leads to runs in which nothing is there.
  const begin: Step[] = PLACES.map((from, i) => ({
    do: 'say',
    place: from,
    packet: {
      type: PacketType.Connect,
      will: false,
      cleanSession: i === 3,
      protocolId: PROTOCOL_ID,
      duration: 600,
      clientId: CLIENTS[i]!,
    },
  }));
  return fc
    .tuple(fc.subarray(begin), fc.array(step, { maxLength: lengthMax, size: 'max' }))
    .map(([first, then]) => [...first, ...then]);
}
