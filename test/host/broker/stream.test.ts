import { generate, parser, type Packet as WirePacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { decode } from '../../../host/broker/codec.js';
import type { CloseReason } from '../../../host/broker/errors.js';
import { FrameSplitter } from '../../../host/broker/frames.js';
import { PacketStream } from '../../../host/broker/stream.js';
import { between, Xoshiro128 } from '../../../host/core/random.js';
import { World } from './scripted.js';

const connect = (clientId: string, more: object = {}): Buffer =>
  generate({ cmd: 'connect', clientId, clean: true, keepalive: 0, protocolVersion: 4, protocolId: 'MQTT', ...more });
const publish = (topic: string, payload: string | Buffer = ''): Buffer =>
  generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false });
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

class ByteClient {
  readonly stream: PacketStream;
  readonly written: Uint8Array[] = [];
  closedBy: CloseReason | undefined;

  constructor(private readonly world: World) {
    const sink = {
      write: (chunk: Uint8Array) => this.written.push(chunk),
      close: (reason: CloseReason) => {
        this.closedBy = reason;
      },
    };
    this.stream = new PacketStream(world.broker, sink, world.now);
  }

  say(...chunks: Uint8Array[]): this {
    for (const chunk of chunks) this.stream.receive(chunk, this.world.now);
    return this;
  }

  heard(): WirePacket[] {
    const packets: WirePacket[] = [];
    const reader = parser();
    reader.on('packet', (packet) => packets.push(packet));
    for (const chunk of this.written) reader.parse(Buffer.from(chunk));
    return packets;
  }
}

describe('a stream', () => {
  it('carries a conversation byte by byte as in one piece', () => {
    const world = new World();
    const all = Buffer.concat([
      connect('a'),
      generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'ü/+', qos: 1 }] }),
      generate({
        cmd: 'publish',
        messageId: 2,
        topic: 'ü/x',
        payload: Buffer.from([0, 255]),
        qos: 1,
        dup: false,
        retain: false,
      }),
      generate({ cmd: 'pingreq' }),
    ]);
    const whole = new ByteClient(world).say(all);
    const pieces = new ByteClient(world).say(...[...all].map((byte) => Uint8Array.of(byte)));
    expect(pieces.heard()).toEqual(whole.heard());
    expect(whole.heard().map((packet) => packet.cmd)).toEqual(['connack', 'suback', 'publish', 'puback', 'pingresp']);
    expect(whole.heard()[2]).toMatchObject({ topic: 'ü/x', payload: Buffer.from([0, 255]), qos: 1 });
  });

  it('writes one array of bytes for a whole QoS 0 fan-out', () => {
    const world = new World();
    const subscribe = generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] });
    const clients = ['a', 'b'].map((id) => new ByteClient(world).say(connect(id), subscribe));
    world.publish('t', 'x');
    expect(clients[0]!.written.at(-1)).toBe(clients[1]!.written.at(-1));
  });

  it("keeps nothing of the caller's bytes", () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const chunk = Buffer.concat([
      connect('a', { will: { topic: 'w', payload: 'will', qos: 0, retain: false } }),
      publish('t', 'text'),
    ]);
    const client = new ByteClient(world).say(chunk);
    chunk.fill(0);
    client.stream.closed(world.now);
    expect(watcher.texts()).toEqual(['text', 'will']);
  });

  it('answers a CONNECT of a level to come with CONNACK 1, in the form of MQTT 3.1.1', () => {
    const client = new ByteClient(new World()).say(bytes('10 0d 00 04 4d515454 06 02 0000 00 0000'));
    expect(Buffer.concat(client.written)).toEqual(bytes('20 02 00 01'));
    expect(client.closedBy).toBe('refused');
  });

  it.each([
    ['a remaining length without end', '30 ff ff ff ff 01'],
    ['reserved packet type 0', '00 00'],
    ['reserved packet type 15', 'f0 00'],
    ['PUBLISH with QoS 3', '36 05 00 01 61 00 01'],
    ['PUBREL with flags 0', '60 02 00 01'],
    ['SUBSCRIBE with flags 0', '80 06 00 01 00 01 61 00'],
    ['SUBSCRIBE with reserved QoS bits', '82 06 00 01 00 01 61 04'],
    ['PINGREQ with flags', 'c1 00'],
    ['PINGREQ with a body', 'c0 01 00'],
    ['DISCONNECT with a body', 'e0 01 00'],
    ['PUBACK of one byte', '40 01 00'],
    ['PUBACK of three bytes', '40 03 00 01 00'],
    ['PUBLISH without a topic', '30 00'],
    ['PUBLISH whose topic ends outside', '30 04 00 05 61 62'],
    ['PUBLISH without its identifier', '32 04 00 01 61 00'],
    ['UNSUBSCRIBE that ends in a filter', 'a2 05 00 01 00 02 61'],
    ['a topic with U+0000', '30 04 00 02 61 00'],
    ['a topic with an encoded surrogate', '30 05 00 03 ed a0 80'],
    ['a topic with an overlong form', '30 04 00 02 c0 80'],
    ['a topic that ends in the middle of a character', '30 05 00 03 f0 90 80'],
  ])('is closed by %s, which is counted', (_, hex) => {
    const world = new World();
    const client = new ByteClient(world).say(connect('a'), bytes(hex));
    expect(client.closedBy).toBe('malformed');
    expect(world.broker.counters.malformed).toBe(1);
  });

  it.each([
    ['reserved flag', '10 0d 00 04 4d 51 54 54 04 03 00 00 00 01 61'],
    ['trailing bytes', '10 0e 00 04 4d 51 54 54 04 02 00 00 00 01 61 00'],
    ['will QoS without a will', '10 0d 00 04 4d 51 54 54 04 0a 00 00 00 01 61'],
    ['a missing will', '10 0d 00 04 4d 51 54 54 04 06 00 00 00 01 61'],
    ['a missing client identifier', '10 0a 00 04 4d 51 54 54 04 02 00 00'],
  ])('is closed without an answer by a CONNECT with %s', (_, hex) => {
    const client = new ByteClient(new World()).say(bytes(hex));
    expect(client.closedBy).toBe('malformed');
    expect(client.written).toEqual([]);
  });

  it('takes U+FEFF and U+FFFD in a topic as characters', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    new ByteClient(world).say(connect('a'), publish('\ufeffa'), publish('\ufffd'));
    expect(watcher.messages().map(({ topic }) => topic)).toEqual(['\ufeffa', '\ufffd']);
  });

  it('does nothing with what comes behind an error', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    new ByteClient(world).say(
      Buffer.concat([connect('a'), publish('t', '1'), bytes('00 00'), publish('t', '2')]),
      publish('t', '3'),
    );
    expect(watcher.texts()).toEqual(['1']);
  });

  it('is closed by a packet that is too large, as soon as its header is there', () => {
    const large = publish('t', Buffer.alloc(200));
    const taking = (packetBytesMax: number) => new ByteClient(new World({ packetBytesMax }));
    expect(taking(large.length).say(connect('a'), large).closedBy).toBeUndefined();
    const client = taking(large.length - 1).say(connect('b'), large.subarray(0, 3));
    expect(client.closedBy).toBe('malformed');
  });
});

describe('the splitter', () => {
  it('cuts any sequence of packets at any chunking into the same packets', () => {
    const random = new Xoshiro128(5);
    const packets = Array.from({ length: 200 }, () => publish('t', Buffer.alloc(between(random, 0, 400), 7)));
    const all = Buffer.concat(packets);
    for (let round = 0; round < 50; round++) {
      const splitter = new FrameSplitter(1_000);
      const cut: Buffer[] = [];
      for (let at = 0; at < all.length; ) {
        const end = at + between(random, 1, 600);
        expect(splitter.push(all.subarray(at, end), (frame) => cut.push(Buffer.from(frame)) > 0)).toBeUndefined();
        at = end;
      }
      expect(cut).toHaveLength(packets.length);
      expect(Buffer.concat(cut).equals(all)).toBe(true);
    }
  });
});

const SAMPLES: readonly Buffer[] = [
  connect('a', { will: { topic: 'w', payload: 'x', qos: 1, retain: true }, username: 'u', password: Buffer.from('p') }),
  connect('b', { protocolId: 'MQIsdp', protocolVersion: 3, clean: false }),
  generate({
    cmd: 'connect',
    clientId: 'c',
    clean: true,
    keepalive: 9,
    protocolVersion: 5,
    properties: { receiveMaximum: 3 },
  }),
  publish('t/x', 'payload'),
  generate({ cmd: 'publish', messageId: 2, topic: 't', payload: 'x', qos: 1, dup: true, retain: true }),
  generate({ cmd: 'publish', messageId: 3, topic: 'ü', payload: 'x', qos: 2, dup: false, retain: false }),
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).map((cmd) => generate({ cmd, messageId: 1 })),
  generate({
    cmd: 'subscribe',
    messageId: 4,
    subscriptions: [
      { topic: 't/#', qos: 2 },
      { topic: '+', qos: 0 },
    ],
  }),
  generate({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['t/#', '+'] }),
  generate({ cmd: 'suback', messageId: 5, granted: [0, 128] }),
  generate({ cmd: 'connack', returnCode: 0, sessionPresent: true }),
  ...(['pingreq', 'pingresp', 'disconnect'] as const).map((cmd) => generate({ cmd })),
];

describe('every packet', () => {
  it('cut off at every length with its header made to fit is a fault, a packet or a violation, never an exception', () => {
    for (const sample of SAMPLES) {
      for (let length = 2; length <= sample.length; length++) {
        const cut = Buffer.from(sample.subarray(0, length));
        cut[1] = length - 2;
        expect(decode(cut, 2, 4, 0)).toBeTypeOf('object');
        new ByteClient(new World()).say(connect('z'), cut);
      }
    }
  });
});

describe('arbitrary bytes', () => {
  const ROUNDS = 100_000;
  const BYTES_MAX = 40;

  function mutated(random: Xoshiro128): Uint8Array {
    const parts = Array.from({ length: between(random, 1, 3) }, () => SAMPLES[between(random, 0, SAMPLES.length - 1)]!);
    const result = Buffer.concat(parts);
    for (let flips = between(random, 0, 3); flips > 0; flips--) {
      result[between(random, 0, result.length - 1)] = between(random, 0, 255);
    }
    return result.subarray(0, between(random, 0, 3) === 0 ? between(random, 0, result.length) : result.length);
  }

  function noise(random: Xoshiro128): Uint8Array {
    return Uint8Array.from({ length: between(random, 1, BYTES_MAX) }, () => between(random, 0, 255));
  }

  it('never throw, and never harm another connection', () => {
    const world = new World({ queueMessagesMax: 10, retainedMessagesMax: 50, sessionsMax: 100 });
    const random = new Xoshiro128(2024);
    const bystander = world.subscriber('bystander', 'safe/#', 1);
    for (let round = 0; round < ROUNDS; round++) {
      const client = new ByteClient(world);
      if (round % 2 === 0) client.say(connect(`f${round % 20}`, { clean: round % 4 === 0 }));
      client.say(round % 3 === 0 ? noise(random) : mutated(random));
      if (random.nextU32() % 2 === 0) client.say(mutated(random));
      client.stream.closed(world.now);
      if (round % 1_000 !== 0) continue;
      world.publish('safe/x', `${round}`, 1);
      const [message] = bystander.messages().slice(-1);
      expect(message?.topic).toBe('safe/x');
      bystander.ack('puback', message!.messageId);
    }
    expect(bystander.closedBy).toBeUndefined();
    const { connectionsNow, sessionsNow, connections, malformed } = world.broker.counters;
    expect({ connectionsNow, connections }).toEqual({ connectionsNow: 1, connections: ROUNDS + 1 });
    expect(sessionsNow).toBeLessThanOrEqual(100);
    expect(malformed).toBeGreaterThan(ROUNDS / 10);
  });
});

it('a will from the wire is published as it was sent', () => {
  const world = new World();
  const watcher = world.subscriber('w', 'will', 2);
  const will = { topic: 'will', payload: Buffer.from([1, 2]), qos: 2 as const, retain: true };
  new ByteClient(world).say(connect('a', { will })).stream.closed(world.now);
  expect(watcher.messages()).toMatchObject([{ topic: 'will', payload: Uint8Array.of(1, 2), qos: 2 }]);
});
