import { describe, expect, it } from 'vitest';
import { ErrorCode, EventKind, PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import {
  connAck,
  disconnect,
  first,
  Harness,
  N_RETRY,
  only,
  publish,
  regAck,
  register,
  subAck,
  T_RETRY,
  T_WAIT,
  textOf,
  unsubAck,
} from '../harness.js';

const GIVE_UP = T_RETRY * (N_RETRY + 1);

describe('SUBSCRIBE', () => {
  it('by name carries the name, and SUBACK the id of what then arrives', () => {
    const h = new Harness().online();
    const topic = h.topic('a/b');
    expect(h.subscribe(topic, 2)).toBe(0);
    const sent = only(h.take(), PacketType.Subscribe);
    expect(sent).toMatchObject({ dup: false, qos: 2, topic: { kind: TopicType.Normal, name: 'a/b' } });
    h.hear(subAck(4, sent.msgId, 1));
    expect(h.events()).toMatchObject([{ kind: EventKind.Subscribed, topic, flags: 0x20, code: 0 }]);
    h.hear(publish(4, 'x'));
    expect(h.events()).toMatchObject([{ kind: EventKind.Message, topic, name: 'a/b' }]);
    expect(h.busy).toBe(false);
  });

  it('by wildcard gets no id: the gateway registers each topic before its first message', () => {
    const h = new Harness().online();
    const filter = h.topic('a/+/#');
    h.subscribe(filter);
    h.hear(subAck(0, only(h.take(), PacketType.Subscribe).msgId, 1));
    expect(h.events()).toMatchObject([{ kind: EventKind.Subscribed, topic: filter }]);
    expect(h.hear(register(11, 500, 'a/1/x'))).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.RegAck, topicId: 11, msgId: 500, returnCode: 0 }]);
    h.hear(publish(11, 'hi', { qos: 1, msgId: 501 }));
    expect(h.events()).toMatchObject([{ kind: EventKind.Message, name: 'a/1/x', topicId: 11 }]);
    expect(h.take()).toMatchObject([{ type: PacketType.PubAck, msgId: 501, returnCode: 0 }]);
  });

  it.each([
    ['predefined', 7, { kind: TopicType.Predefined, id: 7 }],
    ['short', 0x6162, { kind: TopicType.Short, name: 'ab' }],
  ] as const)('by %s topic carries its two octets', (verb, id, topic) => {
    const h = new Harness().online();
    const handle = h.verb(verb, id);
    h.subscribe(handle);
    const sent = only(h.take(), PacketType.Subscribe);
    expect(sent.topic).toEqual(topic);
    h.hear(subAck(0, sent.msgId, 1));
    h.hear(publish(topic, 'x'));
    expect(h.events()).toMatchObject([{ kind: EventKind.Subscribed }, { kind: EventKind.Message, topic: handle }]);
  });

  it.each([ReturnCode.InvalidTopicId, ReturnCode.NotSupported])(
    'refused with 0x0%d is told and not repeated',
    (code) => {
      const h = new Harness().online();
      const topic = h.topic('t');
      h.subscribe(topic);
      h.hear(subAck(0, only(h.take(), PacketType.Subscribe).msgId, 0, code));
      expect(h.events()).toMatchObject([{ kind: EventKind.SubscribeFailed, topic, code }]);
      h.pass(1_000_000);
      expect(h.take()).toEqual([]);
      expect(h.busy).toBe(false);
    },
  );

  it('stops for T_WAIT at congestion, then goes on by itself', () => {
    const h = new Harness().online();
    h.subscribe(h.topic('t'));
    h.hear(subAck(0, only(h.take(), PacketType.Subscribe).msgId, 0, ReturnCode.Congestion));
    h.pass(T_WAIT - 1);
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
    h.pass(1);
    h.hear(subAck(4, only(h.take(), PacketType.Subscribe).msgId, 1));
    expect(h.kinds()).toEqual(['Subscribed']);
  });

  it('is sent again with DUP and the same MsgId, and after N_retry the gateway is lost', () => {
    const h = new Harness({ now: 0 }).online();
    h.subscribe(h.topic('t'), 1);
    const sent = only(h.take(), PacketType.Subscribe);
    h.pass(GIVE_UP - 1);
    const again = h.takeSent();
    expect(again).toMatchObject([1, 2, 3, 4, 5].map((i) => ({ at: i * T_RETRY, packet: { ...sent, dup: true } })));
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck());
    h.pass(0);
    expect(only(h.take(), PacketType.Subscribe)).toMatchObject({ dup: true, msgId: sent.msgId });
  });

  it('goes one at a time, in the order of handles', () => {
    const h = new Harness().online();
    const topics = ['a', 'b', 'c'].map((name) => h.topic(name));
    for (const topic of topics) h.subscribe(topic);
    for (const topic of topics) {
      h.hear(subAck(topic + 1, only(h.take(), PacketType.Subscribe).msgId, 1));
      expect(h.events()).toMatchObject([{ kind: EventKind.Subscribed, topic }]);
    }
  });

  it('before there is a session waits for it', () => {
    const h = new Harness();
    h.subscribe(h.topic('t'));
    h.identify();
    expect(h.take()).toEqual([]);
    expect(h.busy).toBe(true);
    h.connect();
    h.take();
    h.hear(connAck());
    only(h.take(), PacketType.Subscribe);
  });

  it('ignores SUBACK with another MsgId, and one that comes twice', () => {
    const h = new Harness().online();
    h.subscribe(h.topic('t'));
    const { msgId } = only(h.take(), PacketType.Subscribe);
    expect(h.hear(subAck(4, msgId + 1, 1))).toBe(ErrorCode.Unexpected);
    expect(h.hear(unsubAck(msgId))).toBe(ErrorCode.Unexpected);
    expect(h.kinds()).toEqual([]);
    h.hear(subAck(4, msgId, 1));
    expect(h.hear(subAck(4, msgId, 1))).toBe(ErrorCode.Unexpected);
    expect(h.kinds()).toEqual(['Subscribed']);
  });

  it('with another QoS while one is outstanding is asked for anew', () => {
    const h = new Harness().online();
    const topic = h.topic('t');
    h.subscribe(topic, 0);
    const before = only(h.take(), PacketType.Subscribe);
    h.subscribe(topic, 0);
    expect(h.take()).toEqual([]);
    h.subscribe(topic, 2);
    const after = only(h.take(), PacketType.Subscribe);
    expect(after).toMatchObject({ qos: 2, dup: false });
    expect(h.hear(subAck(4, before.msgId, 0))).toBe(ErrorCode.Unexpected);
    h.hear(subAck(4, after.msgId, 2));
    expect(h.events()).toMatchObject([{ kind: EventKind.Subscribed, flags: 0x40 }]);
    h.pass(GIVE_UP);
    expect(h.take()).toEqual([]);
  });
});

describe('UNSUBSCRIBE', () => {
  it.each([
    ['name', { kind: TopicType.Normal, name: 'a/b' }, (h: Harness) => h.topic('a/b')],
    ['wildcard', { kind: TopicType.Normal, name: 'a/#' }, (h: Harness) => h.topic('a/#')],
    ['predefined id', { kind: TopicType.Predefined, id: 3 }, (h: Harness) => h.verb('predefined', 3)],
    ['short name', { kind: TopicType.Short, name: 'ab' }, (h: Harness) => h.verb('short', 0x6162)],
  ] as const)('by %s', (_what, topic, declare) => {
    const h = new Harness().online();
    const handle = declare(h);
    h.subscribe(handle);
    h.hear(subAck(0, only(h.take(), PacketType.Subscribe).msgId, 1));
    h.events();
    expect(h.unsubscribe(handle)).toBe(0);
    const sent = only(h.take(), PacketType.Unsubscribe);
    expect(sent.topic).toEqual(topic);
    expect(h.hear(unsubAck(sent.msgId + 1))).toBe(ErrorCode.Unexpected);
    h.hear(unsubAck(sent.msgId));
    expect(h.events()).toMatchObject([{ kind: EventKind.Unsubscribed, topic: handle }]);
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck());
    expect(h.take()).toEqual([]);
  });

  it('is sent again with the same MsgId, and has neither DUP nor QoS', () => {
    const h = new Harness().online();
    const topic = h.subscribed('t', 4, 2);
    h.unsubscribe(topic);
    const [sent] = h.takeSent();
    h.pass(T_RETRY);
    const [again] = h.takeSent();
    expect(again!.octets).toEqual(sent!.octets);
    expect(sent!.octets[2]).toBe(0);
  });

  it('while SUBSCRIBE is outstanding follows its answer', () => {
    const h = new Harness().online();
    const topic = h.topic('t');
    h.subscribe(topic);
    const subscribe = only(h.take(), PacketType.Subscribe);
    h.unsubscribe(topic);
    expect(h.take()).toEqual([]);
    h.hear(subAck(4, subscribe.msgId, 1));
    const unsubscribe = only(h.take(), PacketType.Unsubscribe);
    h.hear(unsubAck(unsubscribe.msgId));
    expect(h.kinds()).toEqual(['Subscribed', 'Unsubscribed']);
    expect(h.busy).toBe(false);
  });

  it('is followed by SUBSCRIBE where the application wants it again', () => {
    const h = new Harness().online();
    const topic = h.subscribed('t', 4);
    h.unsubscribe(topic);
    const unsubscribe = only(h.take(), PacketType.Unsubscribe);
    h.subscribe(topic, 1);
    h.hear(unsubAck(unsubscribe.msgId));
    h.hear(subAck(4, only(h.take(), PacketType.Subscribe).msgId, 1));
    expect(h.kinds()).toEqual(['Unsubscribed', 'Subscribed']);
  });
});

describe('REGISTER from the gateway', () => {
  it('gives a known name its id, and messages their handle', () => {
    const h = new Harness().online();
    const topic = h.topic('known');
    h.hear(register(21, 9, 'known'));
    expect(h.take()).toEqual([{ type: PacketType.RegAck, topicId: 21, msgId: 9, returnCode: 0 }]);
    h.hear(publish(21, 'x'));
    expect(h.events()).toMatchObject([{ topic }]);
    h.publish(topic, 'y');
    expect(only(h.take(), PacketType.Publish).topic).toMatchObject({ id: 21 });
  });

  it('changes the id of a name', () => {
    const h = new Harness().online();
    h.hear(register(21, 9, 'n'));
    h.hear(register(22, 10, 'n'));
    h.take();
    h.hear(publish(21, 'x'));
    h.hear(publish(22, 'y'));
    expect(h.events().map((event) => textOf(event.data))).toEqual(['y']);
    expect(h.take()).toMatchObject([{ type: PacketType.PubAck, topicId: 21, returnCode: ReturnCode.InvalidTopicId }]);
  });

  it('moves an id from one name to another', () => {
    const h = new Harness().online();
    h.hear(register(21, 9, 'old'));
    h.hear(register(21, 10, 'new'));
    h.hear(publish(21, 'x'));
    expect(h.events()).toMatchObject([{ name: 'new' }]);
  });

  it('with a reserved id or without a MsgId is refused', () => {
    const h = new Harness().online();
    expect(h.hear(register(0, 9, 'n'))).toBe(ErrorCode.BadField);
    expect(h.hear(register(0xffff, 9, 'n'))).toBe(ErrorCode.BadField);
    expect(h.hear(register(1, 0, 'n'))).toBe(ErrorCode.BadField);
    expect(h.take()).toEqual([]);
  });

  it.each([
    ['longer than the table has room for', 'n'.repeat(57)],
    ['much longer', 'n'.repeat(300)],
    ['empty', ''],
  ])('of a name that is %s is answered with 0x03', (_what, name) => {
    const h = new Harness().online();
    h.hear(register(5, 9, name));
    expect(h.take()).toEqual([{ type: PacketType.RegAck, topicId: 5, msgId: 9, returnCode: ReturnCode.NotSupported }]);
    h.hear(register(5, 9, 'n'.repeat(56)));
    expect(h.take()).toMatchObject([{ returnCode: 0 }]);
  });

  it("beside the client's own of the same name settles both", () => {
    const h = new Harness().online();
    const topic = h.topic('n');
    h.publish(topic, 'x', 1);
    const own = only(h.take(), PacketType.Register);
    h.hear(register(5, 900, 'n'));
    expect(first(h.take(), PacketType.RegAck)).toMatchObject({ topicId: 5, msgId: 900 });
    expect(h.hear(regAck(5, own.msgId))).toBe(0);
    expect(h.kinds()).toEqual([]);
  });
});
