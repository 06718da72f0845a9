import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, EventKind, PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import { encode } from '../../../host/wire/index.js';
import { CLIENT, disconnect, Harness, LATE, publish, pubRel, T_RETRY, textOf } from '../harness.js';

/** Connected, subscribed to "t", id 5. */
function listening(): Harness {
  const h = new Harness().online();
  h.subscribed('t', 5, 2);
  return h;
}

const texts = (h: Harness): string[] =>
  h
    .events()
    .filter((event) => event.kind === EventKind.Message)
    .map((event) => textOf(event.data));
const pubRecOf = (msgId: number) => ({ type: PacketType.PubRec, msgId });
const pubCompOf = (msgId: number) => ({ type: PacketType.PubComp, msgId });

describe('a message at QoS 0', () => {
  it('is handed over with its topic, name, flags and data, and not answered', () => {
    const h = listening();
    expect(h.hear(publish(5, 'hi', { retain: true }))).toBe(0);
    expect(h.take()).toEqual([]);
    expect(h.events()).toMatchObject([
      { kind: EventKind.Message, topic: 0, name: 't', topicId: 5, flags: 0x10, data: new Uint8Array([0x68, 0x69]) },
    ]);
    expect(h.counter(Counter.DeliveredQos0)).toBe(1);
  });

  it('of a short topic is known by its two octets, declared or not', () => {
    const h = listening();
    h.hear(publish('zz', 'x'));
    const handle = h.verb('short', 0x7979);
    h.hear(publish('yy', 'y'));
    expect(h.events()).toMatchObject([
      { topic: 255, name: 'zz' },
      { topic: handle, name: 'yy' },
    ]);
  });

  it('of a predefined topic is not one of the normal topic with the same id', () => {
    const h = listening();
    const topic = { kind: TopicType.Predefined, id: 5 } as const;
    h.hear(publish(topic, 'x'));
    expect(h.kinds()).toEqual([]);
    const handle = h.verb('predefined', 5);
    h.hear(publish(topic, 'x'));
    expect(h.events()).toMatchObject([{ topic: handle, name: '' }]);
  });

  it.each([248, 249, 250, 503])('may have %d octets of data', (dataBytes) => {
    const h = listening();
    const data = new Uint8Array(dataBytes).map((_, i) => i);
    h.hear(publish(5, data));
    expect(h.events()).toMatchObject([{ data }]);
  });

  it('that is longer than the buffer is dropped and counted', () => {
    const h = listening();
    expect(h.hear(publish(5, new Uint8Array(504)))).toBe(ErrorCode.TooLong);
    expect(h.hear(publish(5, new Uint8Array(5_000)))).toBe(ErrorCode.TooLong);
    expect(h.kinds()).toEqual([]);
    expect(h.counter(Counter.Malformed)).toBe(2);
  });

  it('with QoS -1, or with QoS 1 or 2 and no MsgId, is refused', () => {
    const h = listening();
    const octets = encode(publish(5, 'x'));
    octets[2] = 0x60;
    expect(h.hearOctets(octets)).toBe(ErrorCode.BadField);
    expect(h.hear(publish(5, 'x', { qos: 1 }))).toBe(ErrorCode.BadField);
    expect(h.hear(publish(5, 'x', { qos: 2 }))).toBe(ErrorCode.BadField);
    expect(h.kinds()).toEqual([]);
    expect(h.take()).toEqual([]);
  });
});

describe('a message at QoS 1', () => {
  it('is acknowledged with its topic id and MsgId', () => {
    const h = listening();
    h.hear(publish(5, 'hi', { qos: 1, msgId: 77 }));
    expect(h.take()).toEqual([{ type: PacketType.PubAck, topicId: 5, msgId: 77, returnCode: 0 }]);
    expect(texts(h)).toEqual(['hi']);
  });

  it('that comes twice is delivered twice: at least once is what was asked for', () => {
    const h = listening();
    h.hear(publish(5, 'hi', { qos: 1, msgId: 77 }));
    h.hear(publish(5, 'hi', { qos: 1, msgId: 77, dup: true }));
    expect(h.take()).toHaveLength(2);
    expect(texts(h)).toEqual(['hi', 'hi']);
    expect(h.counter(Counter.DeliveredQos1)).toBe(2);
  });
});

describe('a message at QoS 2', () => {
  const message = (msgId = 9, data = 'once', dup = false) => publish(5, data, { qos: 2, msgId, dup });

  it('is delivered on its first arrival and answered at each step', () => {
    const h = listening();
    h.hear(message());
    expect(h.take()).toEqual([pubRecOf(9)]);
    expect(texts(h)).toEqual(['once']);
    h.hear(pubRel(9));
    expect(h.take()).toEqual([pubCompOf(9)]);
    expect(texts(h)).toEqual([]);
  });

  it('that comes again while its handshake is open is answered and not delivered again, however late', () => {
    const h = listening();
    h.hear(message());
    h.take();
    for (const ms of [0, T_RETRY, 10_000_000]) {
      h.pass(ms);
      h.hear(message(9, 'once', true));
      expect(h.take()).toEqual([pubRecOf(9)]);
    }
    expect(texts(h)).toEqual(['once']);
    expect(h.counter(Counter.Duplicates)).toBe(3);
    expect(h.counter(Counter.DeliveredQos2)).toBe(1);
  });

  it('answers each PUBREL, also one for what it does not know', () => {
    const h = listening();
    h.hear(message());
    h.hear(pubRel(9));
    h.hear(pubRel(9));
    h.hear(pubRel(1234));
    expect(h.take()).toEqual([pubRecOf(9), pubCompOf(9), pubCompOf(9), pubCompOf(1234)]);
  });

  it('is not delivered again when a late copy follows PUBREL', () => {
    const h = listening();
    h.hear(message());
    h.hear(pubRel(9));
    h.pass(LATE - 1);
    h.hear(message());
    expect(texts(h)).toEqual(['once']);
  });

  it('is not delivered again when a late copy follows a PUBREL that was itself late', () => {
    const h = listening();
    h.hear(message());
    h.pass(60_000);
    h.hear(pubRel(9));
    h.pass(LATE - 1);
    h.hear(message());
    expect(texts(h)).toEqual(['once']);
  });

  it('is a new one with an old MsgId and the same payload after that time', () => {
    const h = listening();
    h.hear(message());
    h.hear(pubRel(9));
    h.pass(LATE);
    h.hear(message());
    expect(texts(h)).toEqual(['once', 'once']);
  });

  it.each([2 ** 31 - 1, 2 ** 31 + LATE, 2 ** 32 - 1])('is a new one %d ms later, too', (ms) => {
    const h = listening();
    h.hear(message());
    h.hear(pubRel(9));
    h.pass(ms);
    h.hear(message());
    expect(texts(h)).toEqual(['once', 'once']);
  });

  it('is a new one at any time where the payload differs', () => {
    const h = listening();
    h.hear(message(9, 'a'));
    h.hear(pubRel(9));
    h.hear(message(9, 'b'));
    h.hear(message(9, 'bb'));
    expect(texts(h)).toEqual(['a', 'b', 'bb']);
  });

  it('is told from others with the same letters in another order', () => {
    const h = listening();
    h.hear(message(9, 'ab'));
    h.hear(message(9, 'ba'));
    expect(texts(h)).toEqual(['ab', 'ba']);
  });

  it('is remembered together with three others', () => {
    const h = listening();
    for (const msgId of [1, 2, 3, 4]) h.hear(message(msgId, `m${msgId}`));
    for (const msgId of [1, 2, 3, 4]) h.hear(message(msgId, `m${msgId}`, true));
    expect(texts(h)).toEqual(['m1', 'm2', 'm3', 'm4']);
  });

  it('makes room by forgetting the one released longest ago', () => {
    const h = listening();
    for (const msgId of [1, 2, 3, 4]) {
      h.hear(message(msgId));
      h.hear(pubRel(msgId));
      h.pass(10);
    }
    h.hear(message(5));
    h.events();
    for (const msgId of [2, 3, 4]) h.hear(message(msgId));
    expect(texts(h)).toEqual([]);
    h.hear(message(1));
    expect(texts(h)).toEqual(['once']);
  });

  it('is still taken where the gateway abandoned four handshakes: the oldest makes room', () => {
    const h = listening();
    for (const msgId of [1, 2, 3, 4, 5, 6]) {
      h.hear(message(msgId, `m${msgId}`));
      h.pass(60_000);
    }
    expect(texts(h)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6']);
    // The latest ones are still known.
    for (const msgId of [3, 4, 5, 6]) h.hear(message(msgId, `m${msgId}`, true));
    expect(texts(h)).toEqual([]);
  });

  it('of a session that was wiped is a new one', () => {
    const h = new Harness().online(0, true);
    h.subscribed('t', 5, 2);
    h.hear(message());
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.accept();
    h.registered('t', 5);
    h.hear(message());
    expect(texts(h)).toEqual(['once']);
  });
});

describe('an unknown topic id', () => {
  it.each([0, 1, 2] as const)('is answered with PUBACK 0x02 at QoS %d', (qos) => {
    const h = listening();
    const msgId = qos === 0 ? 0 : 3;
    expect(h.hear(publish(6, 'x', { qos, msgId }))).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.PubAck, topicId: 6, msgId, returnCode: ReturnCode.InvalidTopicId }]);
    expect(h.kinds()).toEqual([]);
    expect(h.counter(Counter.Dropped)).toBe(1);
  });

  it('0 and those of topics without an id never match', () => {
    const h = listening();
    h.topic('without an id');
    h.hear(publish(0, 'x'));
    expect(h.take()).toMatchObject([{ returnCode: ReturnCode.InvalidTopicId }]);
  });
});

describe('a full event queue', () => {
  it('leaves a message unacknowledged, so that the gateway sends it again', () => {
    for (const qos of [1, 2] as const) {
      const h = listening();
      h.poke(CLIENT.events, 8);
      expect(h.device.receive(encode(publish(5, 'x', { qos, msgId: 3 })), h.now)).toBe(ErrorCode.Full);
      expect(h.take()).toEqual([]);
      expect(h.counter(Counter.Dropped)).toBe(1);
      h.poke(CLIENT.events, 0);
      h.hear(publish(5, 'x', { qos, msgId: 3, dup: true }));
      expect(texts(h)).toEqual(['x']);
      expect(h.take()).toHaveLength(1);
    }
  });
});

describe('what is not for a client', () => {
  it('is counted as unexpected', () => {
    const h = listening();
    const packets: number[] = [0x00, 0x01, 0x02, 0x04, 0x07, 0x09, 0x12, 0x14, 0x1a, 0x1b, 0x1c, 0x1d, 0xfe];
    const bodies: Record<number, number[]> = {
      0: [1, 0, 9],
      1: [0],
      2: [1],
      4: [0, 1, 0, 0, 97],
      7: [],
      9: [],
      18: [0, 0, 1, 97],
      20: [0, 0, 1, 97],
      26: [],
      27: [0],
      28: [],
      29: [0],
    };
    for (const type of packets) {
      const body = bodies[type] ?? [];
      const octets = type === 0xfe ? [4, 0xfe, 0, 1, 2, 0x17] : [body.length + 2, type, ...body];
      expect(h.hearOctets(Uint8Array.from(octets)), `type ${type}`).toBe(ErrorCode.Unexpected);
    }
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
  });

  it('with QoS 0 is taken whatever its MsgId, which means nothing there', () => {
    const h = listening();
    expect(h.hear(publish(5, 'x', { msgId: 1 }))).toBe(ErrorCode.None);
    expect(h.kinds()).toEqual(['Message']);
    expect(h.take()).toEqual([]);
  });
});
