import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, EventKind, PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { Qos } from '../../../host/ports.js';
import {
  CLIENT,
  connAck,
  disconnect,
  first,
  Harness,
  Link,
  N_RETRY,
  octetsOf,
  only,
  pubAck,
  pubComp,
  pubRec,
  regAck,
  register,
  T_RETRY,
  T_WAIT,
  textOf,
} from '../harness.js';

const GIVE_UP = T_RETRY * (N_RETRY + 1);

/** A client with the topic "t", id 5, and a message in flight. */
function inFlight(qos: Qos): { h: Harness; topic: number; ticket: number } {
  const h = new Harness({ now: 0 }).online();
  const topic = h.registered('t', 5);
  const ticket = h.publish(topic, 'hello', qos);
  expect(only(h.take(), PacketType.Publish)).toMatchObject({ qos, dup: false, msgId: ticket });
  return { h, topic, ticket };
}

describe('publishing at QoS -1', () => {
  it('needs no connection, only a predefined or short topic', () => {
    const h = new Harness();
    expect(h.publish(h.verb('predefined', 7), 'a', -1)).toBe(0);
    expect(h.publish(h.verb('short', 0x6162), 'b', -1, true)).toBe(0);
    expect(h.take()).toMatchObject([
      { qos: -1, retain: false, topic: { kind: TopicType.Predefined, id: 7 }, msgId: 0, data: octetsOf('a') },
      { qos: -1, retain: true, topic: { kind: TopicType.Short, name: 'ab' }, msgId: 0, data: octetsOf('b') },
    ]);
    expect(h.link).toBe(Link.Off);
  });

  it('is refused for a topic with a name', () => {
    const h = new Harness();
    expect(h.publish(h.topic('a/b'), 'x', -1)).toBe(ErrorCode.BadTopic);
    expect(h.take()).toEqual([]);
  });
});

describe('publishing at QoS 0', () => {
  it('registers a name first, with topic id 0, and then sends with MsgId 0', () => {
    const h = new Harness().online();
    expect(h.publish(h.topic('t'), 'hello', 0, true)).toBe(0);
    const sent = only(h.take(), PacketType.Register);
    expect(sent).toMatchObject({ topicId: 0, topicName: 't' });
    h.hear(regAck(5, sent.msgId));
    expect(h.take()).toMatchObject([
      {
        type: PacketType.Publish,
        qos: 0,
        dup: false,
        retain: true,
        topic: { id: 5 },
        msgId: 0,
        data: octetsOf('hello'),
      },
    ]);
    expect(h.busy).toBe(false);
  });

  it('sends all that is queued at once, in order', () => {
    const h = new Harness();
    const topic = h.verb('predefined', 1);
    h.identify();
    for (const text of ['a', 'b', 'c']) h.publish(topic, text);
    h.connect();
    h.take();
    h.hear(connAck());
    expect(h.take().map((packet) => textOf((packet as { data: Uint8Array }).data))).toEqual(['a', 'b', 'c']);
  });

  it('stops for T_WAIT when the gateway answers with congestion', () => {
    const h = new Harness().online();
    const topic = h.verb('predefined', 1);
    h.publish(topic, 'a');
    h.take();
    expect(h.hear(pubAck(1, 0, ReturnCode.Congestion))).toBe(0);
    h.publish(topic, 'b');
    h.pass(T_WAIT - 1);
    expect(h.take()).toEqual([]);
    h.pass(1);
    expect(only(h.take(), PacketType.Publish).data).toEqual(octetsOf('b'));
  });

  it('registers again for the next message when the gateway has forgotten the id', () => {
    const h = new Harness().online();
    const topic = h.registered('t', 5);
    h.publish(topic, 'a');
    h.take();
    h.hear(pubAck(5, 0, ReturnCode.InvalidTopicId));
    expect(h.take()).toEqual([]);
    h.publish(topic, 'b');
    only(h.take(), PacketType.Register);
  });

  it('tells the application where the gateway does not know a predefined id, or refuses', () => {
    const h = new Harness().online();
    const topic = h.verb('predefined', 5);
    h.publish(topic, 'a');
    h.hear(pubAck(5, 0, ReturnCode.InvalidTopicId));
    h.hear(pubAck(5, 0, ReturnCode.NotSupported));
    h.hear(pubAck(6, 0, ReturnCode.NotSupported));
    expect(h.events()).toMatchObject([
      { kind: EventKind.PublishFailed, topic, ticket: 0, code: 2 },
      { kind: EventKind.PublishFailed, topic, ticket: 0, code: 3 },
      { kind: EventKind.PublishFailed, topic: 255, ticket: 0, code: 3 },
    ]);
  });
});

describe('publishing at QoS 1', () => {
  it('tells when the message has arrived', () => {
    const { h, topic, ticket } = inFlight(1);
    expect(ticket).toBeGreaterThan(0);
    expect(h.busy).toBe(true);
    expect(h.kinds()).toEqual([]);
    h.hear(pubAck(5, ticket));
    expect(h.events()).toMatchObject([{ kind: EventKind.Published, topic, ticket, code: 0 }]);
    expect(h.busy).toBe(false);
  });

  it('sends again with DUP and the same MsgId every T_retry, N_retry times, and then the gateway is lost', () => {
    const { h, ticket } = inFlight(1);
    h.pass(GIVE_UP - 1);
    const again = h.takeSent();
    expect(again.map((sent) => sent.at)).toEqual([10_000, 20_000, 30_000, 40_000, 50_000]);
    for (const { packet } of again) expect(packet).toMatchObject({ dup: true, msgId: ticket, data: octetsOf('hello') });
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
    expect(h.busy).toBe(true);
  });

  it('goes on after the gateway comes back, with DUP', () => {
    const { h, ticket } = inFlight(1);
    h.pass(GIVE_UP + T_RETRY);
    h.accept();
    h.pass(0);
    h.pass(T_RETRY);
    expect(h.take().at(-1)).toMatchObject({ type: PacketType.Publish, dup: true, msgId: ticket, topic: { id: 5 } });
    h.hear(pubAck(5, ticket));
    expect(h.kinds()).toEqual(['Published']);
  });

  it('keeps one in flight, and messages in order', () => {
    const { h, topic, ticket } = inFlight(1);
    const second = h.publish(topic, 'second', 1);
    h.publish(topic, 'third', 0);
    expect(h.take()).toEqual([]);
    h.hear(pubAck(5, ticket));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ msgId: second, dup: false });
    h.hear(pubAck(5, second));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ msgId: 0, qos: 0 });
  });

  it('ignores PUBACK with another MsgId', () => {
    const { h, ticket } = inFlight(1);
    expect(h.hear(pubAck(5, ticket + 1))).toBe(ErrorCode.Unexpected);
    expect(h.hear(pubAck(5, 0))).toBe(ErrorCode.Unexpected);
    expect(h.kinds()).toEqual([]);
    expect(h.busy).toBe(true);
  });

  it('gives up on PUBACK 0x03', () => {
    const { h, topic, ticket } = inFlight(1);
    h.hear(pubAck(5, ticket, ReturnCode.NotSupported));
    expect(h.events()).toMatchObject([{ kind: EventKind.PublishFailed, topic, ticket, code: 3 }]);
    expect(h.busy).toBe(false);
  });

  it('after PUBACK 0x01 waits T_WAIT and then goes on by itself', () => {
    const { h, ticket } = inFlight(1);
    h.hear(pubAck(5, ticket, ReturnCode.Congestion));
    expect(h.due).toBe(T_WAIT);
    h.pass(T_WAIT - 1);
    expect(h.take()).toEqual([]);
    h.pass(1);
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket });
    h.hear(pubAck(5, ticket));
    expect(h.kinds()).toEqual(['Published']);
  });

  it('keeps waiting where the session is renewed meanwhile: the congestion is not over for that', () => {
    const { h, ticket } = inFlight(1);
    h.hear(pubAck(5, ticket, ReturnCode.Congestion));
    h.pass(100_000).asleep(60);
    h.connect();
    h.accept();
    h.pass(T_WAIT - 100_000 - 1);
    expect(h.take()).toEqual([]);
    h.pass(1);
    only(h.take(), PacketType.Publish);
  });

  it('goes on at once where T_WAIT was over long before the session came back', () => {
    const { h, ticket } = inFlight(1);
    h.hear(pubAck(5, ticket, ReturnCode.Congestion));
    h.disconnect();
    h.hear(disconnect());
    // So long that a clock of 32 bits, read carelessly, takes the end of T_WAIT for the future.
    h.pass(2 ** 31 + T_WAIT + 1);
    h.connect();
    h.take();
    h.hear(connAck());
    expect(first(h.take(), PacketType.Publish).msgId).toBe(ticket);
  });

  it('after PUBACK 0x02 registers again and sends with the new id, the same MsgId and DUP', () => {
    const { h, ticket } = inFlight(1);
    h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId));
    const sent = only(h.take(), PacketType.Register);
    expect(sent).toMatchObject({ topicId: 0, topicName: 't' });
    h.hear(regAck(9, sent.msgId));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket, topic: { id: 9 } });
    h.hear(pubAck(9, ticket));
    expect(h.kinds()).toEqual(['Published']);
  });

  it('is not misled by a late copy of PUBACK 0x02 that names the id given up', () => {
    const { h, ticket } = inFlight(1);
    h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId));
    h.hear(regAck(9, only(h.take(), PacketType.Register).msgId));
    h.take();
    h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId));
    expect(h.kinds()).toEqual([]);
    h.hear(regAck(9, only(h.take(), PacketType.Register).msgId));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket, topic: { id: 9 } });
    h.hear(pubAck(9, ticket));
    h.hear(pubAck(9, ticket));
    expect(h.kinds()).toEqual(['Published']);
  });

  it('does not register for ever: after N_retry renewals the message is given up', () => {
    const { h, ticket } = inFlight(1);
    for (let i = 0; i < N_RETRY; i++) {
      h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId));
      h.hear(regAck(5, only(h.take(), PacketType.Register).msgId));
      only(h.take(), PacketType.Publish);
    }
    h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId));
    expect(h.events()).toMatchObject([{ kind: EventKind.PublishFailed, ticket, code: 2 }]);
  });

  it('has all its renewals, whatever those before it needed', () => {
    const { h, topic, ticket } = inFlight(1);
    const forget = (msgId: number): void => {
      h.hear(pubAck(5, msgId, ReturnCode.InvalidTopicId));
      h.hear(regAck(5, only(h.take(), PacketType.Register).msgId));
      only(h.take(), PacketType.Publish);
    };
    for (let i = 0; i < N_RETRY; i++) forget(ticket);
    h.hear(pubAck(5, ticket));
    const second = h.publish(topic, 'second', 1);
    h.take();
    for (let i = 0; i < N_RETRY; i++) forget(second);
    h.hear(pubAck(5, second));
    expect(h.kinds()).toEqual(['Published', 'Published']);
  });

  it('of a predefined topic gives up on PUBACK 0x02, and leaves the normal topic of the same id alone', () => {
    const h = new Harness().online();
    const normal = h.registered('t', 5);
    const ticket = h.publish(h.verb('predefined', 5), 'x', 1);
    h.take();
    h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId));
    expect(h.events()).toMatchObject([{ kind: EventKind.PublishFailed, ticket, code: 2 }]);
    h.hear(pubAck(5, ticket, ReturnCode.InvalidTopicId)); // and once more, late
    h.publish(normal, 'y');
    expect(only(h.take(), PacketType.Publish).topic).toEqual({ kind: TopicType.Normal, id: 5 });
  });

  it('never sends topic id 0: what was in flight when the gateway forgot us is registered first', () => {
    const { h, ticket } = inFlight(1);
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck());
    h.pass(0);
    const sent = only(h.take(), PacketType.Register);
    h.hear(regAck(6, sent.msgId));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket, topic: { id: 6 } });
  });

  it('never sends topic id 0: an id lost to another topic is asked for again', () => {
    const { h, ticket } = inFlight(1);
    h.hear(register(5, 1, 'other'));
    h.take();
    h.pass(T_RETRY);
    const sent = only(h.take(), PacketType.Register);
    h.hear(regAck(6, sent.msgId));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ msgId: ticket, topic: { id: 6 } });
  });
});

describe('REGISTER', () => {
  it('is sent again with the same MsgId every T_retry', () => {
    const h = new Harness({ now: 0 }).online();
    h.publish(h.topic('t'), 'x', 1);
    const sent = only(h.take(), PacketType.Register);
    h.pass(GIVE_UP - 1);
    expect(h.takeSent()).toMatchObject([1, 2, 3, 4, 5].map((i) => ({ at: i * T_RETRY, packet: sent })));
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
  });

  it('is answered by REGACK with its own MsgId only', () => {
    const h = new Harness().online();
    h.publish(h.topic('t'), 'x', 1);
    const sent = only(h.take(), PacketType.Register);
    expect(h.hear(regAck(5, sent.msgId + 1))).toBe(ErrorCode.Unexpected);
    expect(h.take()).toEqual([]);
    h.hear(regAck(5, sent.msgId));
    only(h.take(), PacketType.Publish);
  });

  it('stops for T_WAIT at congestion, then goes on by itself', () => {
    const h = new Harness().online();
    h.publish(h.topic('t'), 'x', 1);
    h.hear(regAck(0, only(h.take(), PacketType.Register).msgId, ReturnCode.Congestion));
    h.pass(T_WAIT - 1);
    expect(h.take()).toEqual([]);
    h.pass(1);
    only(h.take(), PacketType.Register);
  });

  it.each([ReturnCode.InvalidTopicId, ReturnCode.NotSupported])('refused with 0x0%d gives its message up', (code) => {
    const h = new Harness().online();
    const ticket = h.publish(h.topic('t'), 'x', 1);
    h.publish(h.verb('predefined', 1), 'next', 0);
    h.hear(regAck(0, only(h.take(), PacketType.Register).msgId, code));
    expect(h.events()).toMatchObject([{ kind: EventKind.PublishFailed, ticket, code }]);
    expect(only(h.take(), PacketType.Publish).data).toEqual(octetsOf('next'));
  });

  it('is not needed where SUBACK has given the id', () => {
    const h = new Harness().online();
    const topic = h.subscribed('t', 8);
    h.publish(topic, 'x', 0);
    expect(only(h.take(), PacketType.Publish).topic).toMatchObject({ id: 8 });
  });

  it('goes on beside SUBSCRIBE: neither waits for the other', () => {
    const h = new Harness().online();
    h.subscribe(h.topic('s'));
    h.publish(h.topic('p'), 'x', 1);
    const sent = h.take();
    expect(sent).toHaveLength(2);
    h.hear(regAck(5, first(sent, PacketType.Register).msgId));
    only(h.take(), PacketType.Publish);
  });
});

describe('publishing at QoS 2', () => {
  it('goes PUBLISH, PUBREC, PUBREL, PUBCOMP', () => {
    const { h, topic, ticket } = inFlight(2);
    h.hear(pubRec(ticket));
    expect(h.take()).toEqual([{ type: PacketType.PubRel, msgId: ticket }]);
    expect(h.kinds()).toEqual([]);
    h.hear(pubComp(ticket));
    expect(h.events()).toMatchObject([{ kind: EventKind.Published, topic, ticket }]);
    expect(h.busy).toBe(false);
  });

  it('survives the loss of PUBLISH or PUBREC', () => {
    const { h, ticket } = inFlight(2);
    h.pass(T_RETRY);
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, qos: 2, msgId: ticket });
    h.hear(pubRec(ticket));
    only(h.take(), PacketType.PubRel);
  });

  it('survives the loss of PUBREL or PUBCOMP', () => {
    const { h, ticket } = inFlight(2);
    h.hear(pubRec(ticket));
    h.take();
    h.pass(GIVE_UP - 1);
    expect(h.take()).toEqual(Array(N_RETRY).fill({ type: PacketType.PubRel, msgId: ticket }));
    h.hear(pubComp(ticket));
    expect(h.kinds()).toEqual(['Published']);
  });

  it('answers a repeated PUBREC with PUBREL', () => {
    const { h, ticket } = inFlight(2);
    h.hear(pubRec(ticket));
    h.take();
    expect(h.hear(pubRec(ticket))).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.PubRel, msgId: ticket }]);
  });

  it('ignores answers that are not due, or of another MsgId', () => {
    const { h, ticket } = inFlight(2);
    expect(h.hear(pubComp(ticket))).toBe(ErrorCode.Unexpected);
    expect(h.hear(pubAck(5, ticket))).toBe(ErrorCode.Unexpected);
    expect(h.hear(pubRec(ticket + 1))).toBe(ErrorCode.Unexpected);
    h.hear(pubRec(ticket));
    expect(h.hear(pubComp(ticket + 1))).toBe(ErrorCode.Unexpected);
    expect(h.kinds()).toEqual([]);
  });

  it('is refused by PUBACK with an error', () => {
    const { h, ticket } = inFlight(2);
    h.hear(pubAck(5, ticket, ReturnCode.NotSupported));
    expect(h.events()).toMatchObject([{ kind: EventKind.PublishFailed, ticket, code: 3 }]);
  });

  it('goes on with PUBREL, never with PUBLISH, after the gateway was lost behind PUBREC', () => {
    const { h, ticket } = inFlight(2);
    h.hear(pubRec(ticket));
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck());
    h.pass(0);
    expect(h.take()).toEqual([{ type: PacketType.PubRel, msgId: ticket }]);
    h.hear(pubComp(ticket));
    expect(h.kinds()).toContain('Published');
  });
});

describe('a clean session', () => {
  it('begins what was in flight anew: registered, and no DUP for what the gateway never had', () => {
    const h = new Harness().online(0, true);
    const ticket = h.publish(h.registered('t', 5), 'x', 1);
    h.take();
    h.hear(disconnect());
    h.pass(T_RETRY);
    expect(only(h.take(), PacketType.Connect).cleanSession).toBe(true);
    h.hear(connAck());
    h.hear(regAck(1, only(h.take(), PacketType.Register).msgId));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: false, msgId: ticket, topic: { id: 1 } });
  });

  it('takes a QoS 2 message that the gateway had taken for published', () => {
    const h = new Harness().online(0, true);
    const ticket = h.publish(h.registered('t', 5), 'x', 2);
    h.hear(pubRec(ticket));
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck());
    h.pass(0);
    expect(h.events()).toContainEqual(expect.objectContaining({ kind: EventKind.Published, ticket }));
    expect(h.take()).toEqual([]);
  });
});

describe('the length of a PUBLISH', () => {
  it.each([
    [248, 255, 'ff0c'],
    [249, 258, '0101020c'],
    [250, 259, '0101030c'],
    [503, 512, '0102000c'],
  ])('with %d octets of data takes %d', (dataBytes, bytes, head) => {
    const h = new Harness().online();
    const data = new Uint8Array(dataBytes).map((_, i) => i);
    const ticket = h.publish(h.verb('predefined', 1), data, 1);
    for (const dup of [false, true]) {
      const [sent] = h.takeSent();
      expect(sent!.octets).toHaveLength(bytes);
      expect(Buffer.from(sent!.octets).toString('hex')).toMatch(new RegExp(`^${head}`));
      expect(sent!.packet).toMatchObject({ dup, msgId: ticket, data });
      h.pass(T_RETRY);
    }
  });
});

describe('MsgIds', () => {
  it('are never 0, also when they wrap, and differ between neighbours', () => {
    const h = new Harness().online();
    const topic = h.verb('predefined', 1);
    let last = -1;
    let wraps = 0;
    for (let i = 0; i < 70_000; i++) {
      // Without `poll` and the codec of the harness, which would make this slow.
      h.device.write(new Uint8Array());
      const ticket = h.device.call('publish', topic, 0, 1, 0, h.now);
      if (ticket <= 0 || ticket > 0xffff || ticket === last) expect.fail(`ticket ${ticket} after ${last}`);
      if (ticket < last) wraps++;
      last = ticket;
      h.device.poll(h.now);
      h.device.receive(Uint8Array.of(7, PacketType.PubAck, 0, 1, ticket >> 8, ticket & 255, 0), h.now);
    }
    expect(h.events()).toHaveLength(70_000);
    expect(wraps).toBeGreaterThanOrEqual(1);
  });

  it('of REGISTER and SUBSCRIBE are never 0 either', () => {
    for (const verb of ['register', 'subscribe']) {
      const h = new Harness().online();
      h.poke(CLIENT.lastMsgId, 0xff);
      h.poke(CLIENT.lastMsgId + 1, 0xff);
      if (verb === 'register') h.publish(h.topic('t'), '');
      else h.subscribe(h.topic('t'));
      expect(h.take()).toMatchObject([{ msgId: 1 }]);
    }
  });

  it('begin where the seed says', () => {
    const tickets = [1, 2, 3, 4, 5].map((seed) => {
      const h = new Harness({ seed });
      return h.publish(h.verb('predefined', 1), '', 1);
    });
    expect(new Set(tickets).size).toBe(5);
  });
});

describe('counters', () => {
  it('say what went over the radio', () => {
    const { h, ticket } = inFlight(1);
    const [out, heard] = [h.counter(Counter.DatagramsOut), h.counter(Counter.DatagramsIn)];
    h.pass(T_RETRY);
    h.hear(pubAck(5, ticket));
    h.hearOctets(Uint8Array.of(2));
    expect(h.counter(Counter.DatagramsOut)).toBe(out + 1);
    expect(h.counter(Counter.DatagramsIn)).toBe(heard + 2);
    expect(h.counter(Counter.Retransmissions)).toBe(1);
    expect(h.counter(Counter.Malformed)).toBe(1);
  });
});
