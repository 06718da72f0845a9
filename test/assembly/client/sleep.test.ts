import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, EventKind, PacketType } from '../../../assembly/protocol/index.js';
import {
  advertise,
  connAck,
  disconnect,
  first,
  GATEWAY_A,
  Harness,
  Link,
  N_RETRY,
  only,
  pingResp,
  pubAck,
  pubComp,
  publish,
  pubRec,
  pubRel,
  register,
  subAck,
  T_RETRY,
  T_SEARCHGW,
  textOf,
} from '../harness.js';

const GIVE_UP = T_RETRY * (N_RETRY + 1);

describe('falling asleep', () => {
  it('says for how long, and sleeps when the gateway answers', () => {
    const h = new Harness().online();
    expect(h.sleep(120)).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.Disconnect, duration: 120 }]);
    expect(h.kinds()).toEqual([]);
    h.hear(disconnect());
    expect(h.kinds()).toEqual(['Asleep']);
    expect(h.link).toBe(Link.Asleep);
  });

  it('still takes and acknowledges what was on its way', () => {
    const h = new Harness().online();
    h.subscribed('t', 5);
    h.sleep(120);
    h.take();
    h.hear(publish(5, 'x', { qos: 1, msgId: 3 }));
    only(h.take(), PacketType.PubAck);
    expect(h.kinds()).toEqual(['Message']);
  });

  it('tries N_retry times more, and sleeps without an answer: it saves the battery', () => {
    const h = new Harness({ now: 0 }).online();
    h.sleep(120);
    h.pass(GIVE_UP - 1);
    expect(h.takeSent().map((sent) => sent.at)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    expect(h.kinds()).toEqual([]);
    h.pass(1);
    expect(h.events()).toMatchObject([{ kind: EventKind.Asleep, code: 1 }]);
  });

  it('changes the duration with another DISCONNECT', () => {
    const h = new Harness({ now: 0 }).online().asleep(120);
    expect(h.sleep(800)).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.Disconnect, duration: 800 }]);
    h.hear(disconnect());
    expect(h.kinds()).toEqual(['Asleep']);
    expect(h.due).toBe(700_000);
  });

  it.each([0, -1, 65_536])('for %d s is no duration', (seconds) => {
    expect(new Harness().online().sleep(seconds)).toBe(ErrorCode.BadArgument);
  });

  it('may last 65,535 s', () => {
    const h = new Harness().online().asleep(65_535);
    expect(h.due).toBe(65_535_000 - Math.floor(65_535_000 / 8));
  });

  it('is wrong without a session', () => {
    const h = new Harness();
    expect(h.sleep(60)).toBe(ErrorCode.WrongState);
    expect(h.wake()).toBe(ErrorCode.WrongState);
    h.identify();
    h.connect();
    expect(h.sleep(60)).toBe(ErrorCode.WrongState);
    h.accept();
    expect(h.wake()).toBe(ErrorCode.WrongState);
  });
});

describe('a sleeper', () => {
  it('sends nothing and hears nothing', () => {
    const h = new Harness().online(60);
    const topic = h.subscribed('t', 5);
    h.asleep(1_000);
    h.publish(topic, 'x', 1);
    h.subscribe(h.topic('u'));
    expect(h.hear(publish(5, 'x', { qos: 1, msgId: 3 }))).toBe(ErrorCode.Unexpected);
    h.pass(874_999);
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
  });

  it('wakes up by itself when seven eighths of the duration are over, with its client id, and again and again', () => {
    const h = new Harness({ now: 0 }).online().asleep(80);
    for (const at of [70_000, 140_000, 210_000]) {
      h.pass(at - h.now);
      expect(h.takeSent()).toMatchObject([{ at, packet: { type: PacketType.PingReq, clientId: 'dev' } }]);
      h.hear(pingResp());
      expect(h.kinds()).toEqual(['Asleep']);
      expect(h.link).toBe(Link.Asleep);
    }
  });

  it('wakes up earlier when it is told to', () => {
    const h = new Harness({ now: 0 }).online().asleep(80);
    h.pass(10_000);
    expect(h.wake()).toBe(0);
    only(h.take(), PacketType.PingReq);
    expect(h.wake()).toBe(ErrorCode.WrongState);
    h.pass(500).hear(pingResp());
    expect(h.due).toBe(70_000);
  });
});

describe('an awake client', () => {
  it('takes what the gateway has kept, REGISTER and all QoS, and sleeps again on PINGRESP, which comes last', () => {
    const h = new Harness().online();
    h.subscribed('t/+', 0, 2);
    h.asleep(60);
    h.wake();
    h.take();
    h.hear(register(8, 100, 't/1'));
    h.hear(publish(8, 'zero'));
    h.hear(publish(8, 'one', { qos: 1, msgId: 101 }));
    h.hear(publish(8, 'two', { qos: 2, msgId: 102 }));
    h.hear(pubRel(102));
    expect(h.take().map((packet) => packet.type)).toEqual([
      PacketType.RegAck,
      PacketType.PubAck,
      PacketType.PubRec,
      PacketType.PubComp,
    ]);
    expect(h.events().map((event) => textOf(event.data))).toEqual(['zero', 'one', 'two']);
    h.hear(pingResp());
    expect(h.kinds()).toEqual(['Asleep']);
  });

  it('sends no message of the application and no subscription', () => {
    const h = new Harness().online();
    const topic = h.verb('predefined', 1);
    h.asleep(60);
    h.publish(topic, 'x', 0);
    h.publish(topic, 'y', 1);
    h.subscribe(topic);
    h.wake();
    only(h.take(), PacketType.PingReq);
    h.hear(pingResp());
    expect(h.take()).toEqual([]);
    expect(h.busy).toBe(true);
  });

  it('waits T_retry anew after each message, then asks again, N_retry times, then sleeps', () => {
    const h = new Harness({ now: 0 }).online();
    h.subscribed('t', 5);
    h.asleep(10_000);
    h.wake();
    h.take();
    for (let i = 0; i < 20; i++) {
      h.pass(T_RETRY - 1);
      h.hear(publish(5, 'x'));
    }
    expect(h.take()).toEqual([]);
    h.events();
    const since = h.now;
    h.pass(GIVE_UP - 1);
    expect(h.takeSent().map((sent) => sent.at - since)).toEqual([10_000, 20_000, 30_000, 40_000, 50_000]);
    expect(h.kinds()).toEqual([]);
    h.pass(1);
    expect(h.kinds()).toEqual(['Asleep']);
    expect(h.counter(Counter.Lost)).toBe(0);
    expect(h.due).toBe(8_750_000);
  });

  it('that the gateway has forgotten connects again', () => {
    const h = new Harness().online().asleep(60);
    h.wake();
    h.take();
    h.hear(disconnect());
    expect(h.kinds()).toEqual(['Lost']);
    h.pass(T_RETRY);
    only(h.take(), PacketType.Connect);
  });
});

describe('a wake-up that nobody answers', () => {
  it('is told from a good one by the code of Asleep', () => {
    const h = new Harness().online();
    h.sleep(600);
    h.hear(disconnect());
    expect(h.events()).toMatchObject([{ kind: EventKind.Asleep, code: 0 }]);
    h.pass(525_000 + GIVE_UP);
    expect(h.events()).toMatchObject([{ kind: EventKind.Asleep, code: 1 }]);
    h.wake();
    h.hear(pingResp());
    expect(h.events()).toMatchObject([{ kind: EventKind.Asleep, code: 0 }]);
  });

  it.each([
    ['PINGRESP', (h: Harness) => [h.wake(), h.hear(pingResp())]],
    ['the answer to another duration', (h: Harness) => [h.sleep(600), h.hear(disconnect())]],
    ['CONNACK', (h: Harness) => [h.connect(), h.hear(connAck()), h.asleep(600)]],
  ])('is forgotten with %s', (_what, answered) => {
    const h = new Harness().online().asleep(600);
    for (let i = 0; i < 3; i++) {
      h.pass(525_000 + GIVE_UP);
      expect(h.link).toBe(Link.Asleep);
      answered(h);
    }
    expect(h.counter(Counter.Lost)).toBe(0);
  });

  it.each([80, 600, 65_535])('is a loss the second time in a row, in a sleep of %d s', (durationS) => {
    const h = new Harness().online().asleep(durationS);
    const wakeMs = durationS * 1000 - Math.floor(durationS * 125);
    h.pass(2 * (wakeMs + GIVE_UP) - 1);
    expect(h.kinds()).toEqual(['Asleep']);
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
    expect(h.due).toBeLessThan(T_RETRY); // the first pause of a loss
    h.take();
    h.pass(h.due);
    expect(only(h.take(), PacketType.Connect).cleanSession).toBe(false);
    h.hear(connAck());
    expect(h.kinds()).toEqual(['Connected']);
  });

  it('is a loss when the duration was not changed either', () => {
    const h = new Harness().online().asleep(600);
    h.pass(525_000 + GIVE_UP);
    h.sleep(800);
    h.pass(GIVE_UP);
    expect(h.kinds()).toEqual(['Asleep', 'Lost']);
  });

  it('is followed by a search at once where nobody else is known', () => {
    const h = new Harness();
    h.discover(1);
    h.identify();
    h.connect();
    h.hear(advertise(1, 900), GATEWAY_A);
    h.hear(connAck(), GATEWAY_A);
    h.sleep(600);
    h.pass(GIVE_UP + 525_000 + GIVE_UP);
    expect(h.link).toBe(Link.Searching);
    expect(h.due).toBeLessThan(T_SEARCHGW);
  });
});

describe('waking by CONNECT', () => {
  it.each(['asleep', 'awake', 'falling asleep'])(
    'while %s keeps the session, also of who wants clean ones',
    (state) => {
      const h = new Harness().online(0, true);
      h.subscribed('t', 5);
      if (state === 'falling asleep') h.sleep(60);
      else h.asleep(60);
      if (state === 'awake') h.wake();
      h.take();
      expect(h.connect(30, true)).toBe(0);
      expect(only(h.take(), PacketType.Connect)).toMatchObject({ cleanSession: false, duration: 30 });
      h.hear(connAck());
      expect(h.kinds()).toEqual(['Connected']);
      expect(h.take()).toEqual([]); // nothing is subscribed to anew
      h.hear(publish(5, 'kept', { qos: 1, msgId: 3 }));
      expect(h.events()).toMatchObject([{ kind: EventKind.Message, name: 't' }]);
    },
  );

  it('sends what was queued, and what was in flight again with DUP', () => {
    const h = new Harness().online();
    const topic = h.verb('predefined', 1);
    const ticket = h.publish(topic, 'in flight', 1);
    h.asleep(60);
    h.publish(topic, 'queued', 0);
    h.connect();
    h.take();
    h.hear(connAck());
    h.pass(0);
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket });
    h.hear(pubAck(1, ticket));
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ qos: 0 });
  });

  it('takes time into account only while there is a session: no retries run out in sleep', () => {
    const h = new Harness().online();
    const ticket = h.publish(h.verb('predefined', 1), 'x', 1);
    h.pass(T_RETRY * N_RETRY); // all but the last T_retry
    h.asleep(1_000);
    h.pass(800_000);
    h.connect();
    h.take();
    h.hear(connAck());
    h.pass(GIVE_UP - T_RETRY - 1);
    expect(h.take().length).toBe(N_RETRY);
    h.hear(pubAck(1, ticket));
    expect(h.kinds()).toEqual(['Connected', 'Published']);
  });

  it('goes on with a QoS 2 handshake where it stood', () => {
    const h = new Harness().online();
    const ticket = h.publish(h.verb('predefined', 1), 'x', 2);
    h.hear(pubRec(ticket));
    h.asleep(60);
    h.connect();
    h.take();
    h.hear(connAck());
    h.pass(0);
    expect(h.take()).toEqual([{ type: PacketType.PubRel, msgId: ticket }]);
    h.hear(pubComp(ticket));
    expect(h.kinds()).toEqual(['Connected', 'Published']);
  });

  it('that nobody answers is a loss, and then a clean session is a clean one', () => {
    const h = new Harness().online(0, true);
    h.subscribed('t', 5);
    h.asleep(60);
    h.connect(0, true);
    h.pass(GIVE_UP);
    expect(h.kinds()).toEqual(['Lost']);
    h.take();
    h.pass(T_RETRY);
    expect(only(h.take(), PacketType.Connect).cleanSession).toBe(true);
    h.hear(connAck());
    const subscribe = first(h.take(), PacketType.Subscribe);
    h.hear(subAck(6, subscribe.msgId, 1));
    expect(h.kinds()).toEqual(['Connected', 'Subscribed']);
  });

  it('ignores a PINGRESP that comes too late', () => {
    const h = new Harness().online().asleep(60);
    h.wake();
    h.connect();
    expect(h.hear(pingResp())).toBe(ErrorCode.Unexpected);
    h.hear(connAck());
    expect(h.hear(pingResp())).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Active);
  });
});

describe('the clock', () => {
  it.each([2 ** 31, 2 ** 32])('may pass %d ms during a sleep', (wrap) => {
    for (const before of [1, 69_999, 70_000, 70_001]) {
      const h = new Harness({ now: wrap - before }).online().asleep(80);
      h.pass(69_999);
      expect(h.take()).toEqual([]);
      h.pass(1);
      only(h.take(), PacketType.PingReq);
    }
  });
});
