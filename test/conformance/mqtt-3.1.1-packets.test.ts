// MQTT 3.1.1, sections 1.5, 2 and 4.8: strings, first bytes, packet identifiers, and what becomes of a broken packet.
import { describe, expect, it } from 'vitest';
import { frame, fromHex, string, type TestClient, World } from './client.js';

const AT_QOS_1 = 0x32;
const SUBSCRIBE = 0x82;
const UNSUBSCRIBE = 0xa2;
/** The identifier 1, as it is on the wire. */
const ID = fromHex('00 01');

const publishTo = (topic: Buffer): Buffer => frame(0x30, topic);
const subscribeTo = (filter: Buffer): Buffer => frame(SUBSCRIBE, Buffer.concat([ID, filter, Uint8Array.of(0)]));
const unsubscribeFrom = (filter: Buffer): Buffer => frame(UNSUBSCRIBE, Buffer.concat([ID, filter]));
/** A CONNECT of a clean session with this identifier. */
const connectAs = (clientId: Buffer): Buffer =>
  frame(0x10, Buffer.concat([string('MQTT'), fromHex('04 02 00 00'), clientId]));

/** Everything that a client says with a string in it. */
const WITH_STRING: readonly [string, (text: Buffer) => Buffer][] = [
  ['PUBLISH', publishTo],
  ['SUBSCRIBE', subscribeTo],
  ['UNSUBSCRIBE', unsubscribeFrom],
];

/** The packet ends its connection, and nothing is answered. */
function endsIt(packet: Uint8Array): void {
  new World().connect('a').sayBytes(packet).hearsClose();
}

/** The packet does not end its connection. */
function staysOpen(packet: Uint8Array): void {
  expect(new World().connect('a').sayBytes(packet).isClosed).toBe(false);
}

describe('A string', () => {
  const ILL_FORMED = ['c3 28', 'e2 82', 'ed a0 80', 'ed bf bf', 'c0 af', 'f4 90 80 80', 'f8 88 80 80 80', '80', 'ff'];

  it.each(WITH_STRING)('that is not UTF-8 ends the connection with its %s [MQTT-1.5.3-1]', (_, packet) => {
    staysOpen(packet(string('ü')));
    for (const bytes of ILL_FORMED) {
      endsIt(packet(string(fromHex(`61 ${bytes}`))));
      endsIt(packet(string(fromHex(`61 ${bytes} 62`))));
    }
  });

  it('that is not UTF-8 ends the connection with its CONNECT [MQTT-1.5.3-1]', () => {
    for (const bytes of ILL_FORMED)
      new World()
        .dial()
        .sayBytes(connectAs(string(fromHex(bytes))))
        .hearsClose();
  });

  it.each(WITH_STRING)('with U+0000 ends the connection with its %s [MQTT-1.5.3-2]', (_, packet) => {
    for (const text of ['\0', 'a\0', '\0a', 'a\0b', 'ü\0']) endsIt(packet(string(text)));
  });

  it('with U+0000 ends the connection with its CONNECT [MQTT-1.5.3-2]', () => {
    new World()
      .dial()
      .sayBytes(connectAs(string('a\0b')))
      .hearsClose();
  });

  it('with EF BB BF keeps it, in names and in filters [MQTT-1.5.3-3]', () => {
    const world = new World();
    const marked = fromHex('ef bb bf 74');
    const withMark = world.connect('with').sayBytes(subscribeTo(string(marked)));
    const without = world.subscriber('without', 't');
    withMark.hears('suback');
    world.connect('p').sayBytes(publishTo(string(marked)));
    expect(withMark.takeBytes()).toEqual(['30 06 00 04 ef bb bf 74']);
    without.hearsNothing();
  });

  it('with EF BB BF is another client identifier than without [MQTT-1.5.3-3]', () => {
    const world = new World();
    const plain = world.connect('t');
    world
      .dial()
      .sayBytes(connectAs(string(fromHex('ef bb bf 74'))))
      .accepted();
    expect(plain.isClosed).toBe(false);
  });
});

describe('The first byte of a packet', () => {
  const BODIES: readonly [string, number, string][] = [
    ['PUBACK', 0x40, '00 01'],
    ['PUBREC', 0x50, '00 01'],
    ['PUBREL', 0x62, '00 01'],
    ['PUBCOMP', 0x70, '00 01'],
    ['SUBSCRIBE', SUBSCRIBE, '00 01 00 01 74 00'],
    ['UNSUBSCRIBE', UNSUBSCRIBE, '00 01 00 01 74'],
    ['PINGREQ', 0xc0, ''],
  ];
  const flagsOtherThan = (first: number): number[] =>
    Array.from({ length: 16 }, (_, flags) => (first & 0xf0) | flags).filter((other) => other !== first);

  it.each(BODIES)('has its reserved flags in %s, or the connection ends [MQTT-2.2.2-1] [MQTT-2.2.2-2]', (...row) => {
    const [, first, body] = row;
    staysOpen(frame(first, body));
    for (const other of flagsOtherThan(first)) endsIt(frame(other, body));
  });

  it('has its reserved flags in CONNECT, or the connection ends [MQTT-2.2.2-1] [MQTT-2.2.2-2]', () => {
    const bytes = connectAs(string('a'));
    for (const other of flagsOtherThan(0x10)) {
      bytes[0] = other;
      new World().dial().sayBytes(bytes).hearsClose();
    }
  });

  it('has the flags that are listed in all that the broker says [MQTT-2.2.2-1]', () => {
    const world = new World();
    const client = world.dial();
    client.connect('a').subscribe('t', 2);
    client.publish('t', '', { qos: 1, messageId: 7 });
    client.publish('t', '', { qos: 2, messageId: 8 });
    client.ack('pubrel', 8).ack('pubrec', 2).ping().unsubscribe('t');
    const firstBytes = client.takeBytes().map((packet) => packet.slice(0, 2));
    expect(firstBytes).toEqual(['20', '90', '32', '40', '34', '50', '70', '62', 'd0', 'b0']);
  });

  it('is not that of a packet that only brokers send, nor of one that there is not [MQTT-4.8.0-1]', () => {
    for (const [first, body] of [
      [0x00, ''],
      [0x20, '00 00'],
      [0x90, '00 01 00'],
      [0xb0, '00 01'],
      [0xd0, ''],
      [0xf0, ''],
    ] as const) {
      endsIt(frame(first, body));
    }
  });
});

describe('A packet identifier', () => {
  it('is in SUBSCRIBE, and not 0 [MQTT-2.3.1-1]', () => {
    staysOpen(frame(SUBSCRIBE, '00 01 00 01 74 00'));
    endsIt(frame(SUBSCRIBE, '00 00 00 01 74 00'));
    endsIt(frame(SUBSCRIBE, '00'));
  });

  it('is in UNSUBSCRIBE, and not 0 [MQTT-2.3.1-1]', () => {
    staysOpen(frame(UNSUBSCRIBE, '00 01 00 01 74'));
    endsIt(frame(UNSUBSCRIBE, '00 00 00 01 74'));
    endsIt(frame(UNSUBSCRIBE, '00'));
  });

  it.each([AT_QOS_1, 0x34])('is in PUBLISH above QoS 0, and not 0 [MQTT-2.3.1-1]', (first) => {
    staysOpen(frame(first, '00 01 74 00 01'));
    endsIt(frame(first, '00 01 74 00 00'));
    endsIt(frame(first, '00 01 74'));
    endsIt(frame(first, '00 01 74 01'));
  });

  it('of the broker’s is not 0, and none that is in use, all the way round [MQTT-2.3.1-4]', () => {
    const world = new World({ inflightMax: 3 });
    const subscriber = world.subscriber('s', 't', 2);
    const publisher = world.connect('p');
    const open = [0, 1].map(() => {
      publisher.deliver('t', '', { qos: 2 });
      return subscriber.hears('publish').messageId;
    });
    subscriber.ack('pubrec', open[1]!).hears('pubrel'); // in use until PUBCOMP
    expect(open[0]).not.toBe(open[1]);
    for (let i = 0; i < 65_535; i++) {
      publisher.publish('t', '', { qos: 1, messageId: 1 });
      const { messageId = 0 } = subscriber.hears('publish');
      if (messageId === 0 || open.includes(messageId)) expect.unreachable(`message ${i} has ${messageId}`);
      subscriber.ack('puback', messageId);
    }
  });

  it('is not in a PUBLISH at QoS 0 [MQTT-2.3.1-5]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    world.connect('p').sayBytes(frame(0x30, '00 01 74 61 62'));
    expect(subscriber.takeBytes()).toEqual(['30 05 00 01 74 61 62']);
  });

  it.each([1, 255, 256, 0x1234, 65_535])('is that of the PUBLISH in its acknowledgements [MQTT-2.3.1-6]', (id) => {
    const world = new World();
    const client = world.connect('a');
    client.publish('t', '', { qos: 1, messageId: id });
    expect(client.hears('puback').messageId).toBe(id);
    client.publish('t', '', { qos: 2, messageId: id });
    expect(client.hears('pubrec').messageId).toBe(id);
    client.ack('pubrel', id);
    expect(client.hears('pubcomp').messageId).toBe(id);
  });

  it('is that of the PUBLISH in the broker’s PUBREL [MQTT-2.3.1-6]', () => {
    const world = new World();
    const subscriber = world.subscriber('s', 't', 2);
    const publisher = world.connect('p');
    for (let i = 0; i < 3; i++) publisher.deliver('t', '', { qos: 2 });
    const ids = subscriber.messages().map(({ messageId }) => messageId!);
    expect(new Set(ids).size).toBe(3);
    for (const id of [ids[2]!, ids[0]!, ids[1]!]) {
      subscriber.ack('pubrec', id);
      expect(subscriber.hears('pubrel').messageId).toBe(id);
    }
  });

  it.each([1, 256, 0xabcd, 65_535])('is that of the question in SUBACK and UNSUBACK [MQTT-2.3.1-7]', (messageId) => {
    const client = new World().connect('a');
    client.say({ cmd: 'subscribe', messageId, subscriptions: [{ topic: 't', qos: 0 }] });
    expect(client.hears('suback').messageId).toBe(messageId);
    client.say({ cmd: 'unsubscribe', messageId, unsubscriptions: ['t'] });
    expect(client.hears('unsuback').messageId).toBe(messageId);
  });
});

describe('A broken packet', () => {
  /** A client whose end a watcher hears of. */
  function watched(world: World, clientId: string): TestClient {
    return world.connect(clientId, { will: { topic: `lost/${clientId}`, payload: '' } });
  }

  it('ends its own connection, as a loss, and no other [MQTT-4.8.0-1]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const [broken, sound] = ['broken', 'sound'].map((id) => watched(world, id));
    broken!.sayBytes('f0 00').hearsClose();
    expect(watcher.messages().map(({ topic }) => topic)).toEqual(['lost/broken']);
    sound!.publish('t');
    expect(watcher.messages().map(({ topic }) => topic)).toEqual(['t']);
    expect(sound!.isClosed).toBe(false);
  });

  it('is the last that is heard of its client [MQTT-4.8.0-1]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const client = world.connect('a');
    client.sayBytes(Buffer.concat([publishTo(string('before')), fromHex('f0 00'), publishTo(string('behind'))]));
    client.sayBytes(publishTo(string('after')));
    client.hearsClose();
    expect(watcher.messages().map(({ topic }) => topic)).toEqual(['before']);
  });

  it.each(['30 ff ff ff ff 01', '30 80 80 80 80 80 01', '82 ff ff ff ff'])(
    'may be one whose length does not end: %s [MQTT-4.8.0-1]',
    (bytes) => endsIt(fromHex(bytes)),
  );

  it('may be one that is shorter or longer than its fields [MQTT-4.8.0-1]', () => {
    const packets: readonly [number, string][] = [
      [0x30, '00'],
      [0x30, '00 02 74'],
      [0x40, '00'],
      [0x40, '00 01 00'],
      [0x62, '00'],
      [0x62, '00 01 00'],
      [SUBSCRIBE, '00 01 00 02 74 00'],
      [SUBSCRIBE, '00 01 00 01 74'],
      [SUBSCRIBE, '00 01 00 01 74 00 00'],
      [UNSUBSCRIBE, '00 01 00 02 74'],
      [UNSUBSCRIBE, '00 01 00 01 74 00'],
      [0xc0, '00'],
      [0xe0, '00'],
    ];
    for (const [first, body] of packets) endsIt(frame(first, body));
  });

  it('may be an acknowledgement of the wrong kind [MQTT-4.8.0-1]', () => {
    for (const [qos, wrong] of [
      [1, 'pubrec'],
      [1, 'pubcomp'],
      [2, 'puback'],
      [2, 'pubcomp'],
    ] as const) {
      const world = new World();
      const subscriber = world.subscriber('s', 't', 2);
      world.connect('p').deliver('t', '', { qos });
      const { messageId } = subscriber.hears('publish');
      subscriber.ack(wrong, messageId!).hearsClose();
    }
  });

  it('that is too large for the broker ends its connection, by its first bytes, and no other [MQTT-4.8.0-2]', () => {
    const world = new World({ packetBytesMax: 100 });
    const watcher = world.subscriber('w', '#');
    const [tooLarge, largest] = ['too-large', 'largest'].map((id) => world.connect(id));
    largest!.sayBytes(frame(0x30, Buffer.concat([string('t'), Buffer.alloc(95)])));
    expect(watcher.hears('publish').payload.length).toBe(95);
    tooLarge!.sayBytes('30 63').hearsClose();
    expect(largest!.isClosed).toBe(false);
    watcher.hearsNothing();
  });
});
