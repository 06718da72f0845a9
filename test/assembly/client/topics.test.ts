import { describe, expect, it } from 'vitest';
import { ErrorCode, PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import { first, Harness, only, publish, regAck, register, subAck, textOf } from '../harness.js';

const TOPICS_MAX = 12;

/** All entries but `free` are declared by the application. */
function nearlyFull(free: number): Harness {
  const h = new Harness().online();
  for (let i = 0; i < TOPICS_MAX - free; i++) expect(h.topic(`own/${i}`)).toBe(i);
  return h;
}

describe('handles', () => {
  it('are the same for the same name, id or short name', () => {
    const h = new Harness();
    const [a, b, c] = [h.topic('a'), h.verb('predefined', 1), h.verb('short', 0x6161)];
    expect(new Set([a, b, c]).size).toBe(3);
    expect([h.topic('a'), h.verb('predefined', 1), h.verb('short', 0x6161)]).toEqual([a, b, c]);
  });

  it('tell a name of two octets from a short topic', () => {
    const h = new Harness();
    expect(h.topic('ab')).not.toBe(h.verb('short', 0x6162));
  });

  it('of a name of one octet are of a name: it is no short topic, and is registered', () => {
    const h = new Harness().online();
    h.publish(h.topic('a'), 'x');
    expect(only(h.take(), PacketType.Register).topicName).toBe('a');
  });

  it('run out with the table', () => {
    const h = nearlyFull(0);
    expect(h.topic('more')).toBe(ErrorCode.Full);
    expect(h.verb('predefined', 1)).toBe(ErrorCode.Full);
    expect(h.topic('own/3')).toBe(3);
  });
});

describe('topics that a gateway registers', () => {
  it("take what entries are left, and then each other's in turn", () => {
    const h = nearlyFull(2);
    for (const id of [101, 102, 103]) {
      h.hear(register(id, id, `theirs/${id}`));
      expect(only(h.take(), PacketType.RegAck)).toMatchObject({ topicId: id, returnCode: 0 });
    }
    for (const id of [101, 102, 103]) h.hear(publish(id, String(id)));
    expect(h.events().map((event) => [event.name, textOf(event.data)])).toEqual([
      ['theirs/102', '102'],
      ['theirs/103', '103'],
    ]);
    expect(only(h.take(), PacketType.PubAck)).toMatchObject({ topicId: 101, returnCode: ReturnCode.InvalidTopicId });
    h.hear(register(101, 900, 'theirs/101'));
    h.hear(publish(103, 'still'));
    h.hear(publish(101, 'back'));
    expect(h.events().map((event) => event.name)).toEqual(['theirs/103', 'theirs/101']);
  });

  it('make room for the application', () => {
    const h = nearlyFull(1);
    h.hear(register(101, 1, 'theirs'));
    const handle = h.topic('mine');
    expect(handle).toBe(TOPICS_MAX - 1);
    h.take();
    h.hear(publish(101, 'x'));
    expect(only(h.take(), PacketType.PubAck).returnCode).toBe(ReturnCode.InvalidTopicId);
    expect(h.topic('none left')).toBe(ErrorCode.Full);
  });

  it('find no room among those of the application: REGACK 0x03', () => {
    const h = nearlyFull(0);
    h.hear(register(101, 1, 'theirs'));
    expect(only(h.take(), PacketType.RegAck).returnCode).toBe(ReturnCode.NotSupported);
    h.hear(register(102, 2, 'own/3'));
    expect(only(h.take(), PacketType.RegAck).returnCode).toBe(0);
  });

  it('stay where the application declares them', () => {
    const h = nearlyFull(2);
    h.hear(register(101, 1, 'theirs'));
    const handle = h.topic('theirs');
    for (const id of [102, 103, 104]) h.hear(register(id, id, `others/${id}`));
    h.take();
    h.hear(publish(101, 'x'));
    expect(h.events()).toMatchObject([{ name: 'theirs', topic: handle }]);
  });

  it('stay where the application publishes to them: a queued message keeps its topic', () => {
    const h = nearlyFull(2);
    h.hear(register(101, 1, 'theirs/101'));
    h.hear(publish(101, 'ping'));
    const [event] = h.events();
    h.asleep(60);
    h.publish(event!.topic, 'pong', 1);
    h.wake();
    h.take();
    for (const id of [102, 103, 104]) h.hear(register(id, id, `theirs/${id}`));
    h.take();
    h.connect();
    h.accept();
    h.pass(10_000);
    expect(first(h.take(), PacketType.Publish)).toMatchObject({ topic: { id: 101 } });
  });

  it('stay where the application subscribes to them', () => {
    const h = nearlyFull(2);
    h.hear(register(101, 1, 'theirs/101'));
    h.hear(publish(101, 'x'));
    const [event] = h.events();
    h.take();
    h.subscribe(event!.topic, 1);
    for (const id of [102, 103, 104]) h.hear(register(id, id, `theirs/${id}`));
    const subscribe = first(h.take(), PacketType.Subscribe);
    expect(subscribe.topic).toMatchObject({ name: 'theirs/101' });
    h.hear(subAck(101, subscribe.msgId, 1));
    h.hear(publish(101, 'y'));
    expect(h.events().map((e) => e.name)).toEqual(['', 'theirs/101']);
  });
});

describe('a name', () => {
  it('may have any octets: the device does not read it', () => {
    const h = new Harness().online();
    const octets = Uint8Array.of(0x61, 0xc3, 0xa9, 0x2f, 0xf0, 0x9f, 0x8c, 0x8a);
    h.publish(h.topic(octets), 'x');
    const sent = only(h.take(), PacketType.Register);
    expect(sent.topicName).toBe('aé/🌊');
    h.hear(regAck(1, sent.msgId));
    only(h.take(), PacketType.Publish);
  });

  it('may be as long as the table has room for', () => {
    const h = new Harness().online();
    const name = 'n'.repeat(56);
    h.publish(h.topic(name), 'x');
    expect(only(h.take(), PacketType.Register).topicName).toBe(name);
    h.subscribe(h.topic(name));
    expect(only(h.take(), PacketType.Subscribe).topic).toMatchObject({ name });
  });
});
