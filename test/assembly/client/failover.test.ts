// Another gateway where one is lost (6.13): the session moves, and nothing of it is forgotten on the way.
import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import {
  advertise,
  connAck,
  disconnect,
  first,
  GATEWAY_A,
  GATEWAY_B,
  GATEWAY_C,
  gwInfo,
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
  regAck,
  subAck,
  T_RETRY,
  T_SEARCHGW,
  T_WAIT,
  textOf,
  willMsgReq,
  willTopicReq,
} from '../harness.js';

const GIVE_UP = T_RETRY * (N_RETRY + 1);
const DURATION_S = 65_535;
/** From falling asleep for 600 s to the wake-up. */
const WAKE = 525_000;

/** Active at A, where B is known, too. */
function between({ keepAliveS = 0, clean = false, seed = 7 } = {}): Harness {
  const h = new Harness({ seed });
  h.identify();
  h.discover(1);
  h.hear(advertise(1, DURATION_S), GATEWAY_A);
  h.hear(advertise(2, DURATION_S), GATEWAY_B);
  h.connect(keepAliveS, clean);
  h.take();
  h.hear(connAck(), GATEWAY_A);
  h.events();
  return h;
}

/** A falls silent; B takes over. Forgets what was sent and told until then. */
function failOver(h: Harness): Harness {
  h.pass(GIVE_UP + T_SEARCHGW);
  const connects = h.takeSent().filter((sent) => sent.packet.type === PacketType.Connect);
  expect(connects.at(-1)!.to).toEqual(GATEWAY_B);
  expect(h.hear(connAck(), GATEWAY_B)).toBe(0);
  return h;
}

describe('a gateway that is silent until N_retry is used up', () => {
  it('is followed by the next one that is known, after a short random delay, and then by a search', () => {
    const delays = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const h = between({ keepAliveS: 60, seed });
      h.pass(45_000 + GIVE_UP);
      expect(h.kinds()).toEqual(['Lost']);
      expect(h.link).toBe(Link.Lost);
      expect(h.due).toBeLessThan(T_SEARCHGW);
      delays.add(h.due);
      h.take();
      h.pass(h.due);
      expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_B }]);
      h.pass(GIVE_UP);
      expect(h.link).toBe(Link.Searching);
      h.take();
      h.pass(h.due);
      only(h.take(), PacketType.SearchGw);
    }
    expect(delays.size).toBeGreaterThan(30);
  });

  it.each([
    ['CONNECT', (h: Harness) => [h.hear(disconnect(), GATEWAY_A), h.pass(T_RETRY)]],
    ['PUBLISH', (h: Harness) => h.publish(h.verb('predefined', 1), 'x', 1)],
    ['SUBSCRIBE', (h: Harness) => h.subscribe(h.topic('a'))],
    ['REGISTER', (h: Harness) => h.publish(h.topic('a'), 'x')],
    ['WILLTOPICUPD', (h: Harness) => h.will(h.topic('a'), 'x')],
  ])('is given up whatever it does not answer: %s', (_what, act) => {
    const h = between();
    act(h);
    h.take();
    failOver(h);
    expect(h.link).toBe(Link.Active);
  });

  it('is forgotten: it is not tried again until it is heard of', () => {
    const h = between({ keepAliveS: 60 });
    h.pass(45_000 + GIVE_UP + T_SEARCHGW + GIVE_UP + T_SEARCHGW);
    h.take();
    h.pass(1_000_000);
    expect(h.take().every((packet) => packet.type === PacketType.SearchGw)).toBe(true);
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_A }]);
  });
});

describe('a gateway that is congested', () => {
  it('sends the client to the next one', () => {
    const h = between();
    h.hear(disconnect(), GATEWAY_A);
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck(ReturnCode.Congestion), GATEWAY_A);
    h.pass(T_SEARCHGW);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_B }]);
  });

  it('and is alone is asked with growing pauses', () => {
    const h = new Harness({ now: 0 });
    h.identify();
    h.discover(1);
    h.connect();
    const times: number[] = [];
    for (let i = 0; i < 8; i++) {
      h.pass(h.due);
      only(h.take(), PacketType.SearchGw);
      h.hear(gwInfo(1), GATEWAY_A);
      times.push(h.now);
      only(h.take(), PacketType.Connect);
      h.hear(connAck(ReturnCode.Congestion), GATEWAY_A);
      expect(h.link).toBe(Link.Searching);
    }
    const pauses = times.slice(1).map((at, i) => at - times[i]!);
    expect(pauses.at(-1)!).toBeGreaterThan(100_000);
    expect(pauses[0]!).toBeGreaterThanOrEqual(T_RETRY / 2);
  });

  it('at a message, with T_WAIT, does not keep the next one waiting', () => {
    const h = between({ keepAliveS: 60 });
    const ticket = h.publish(h.verb('predefined', 1), 'x', 1);
    h.hear(pubAck(1, ticket, ReturnCode.Congestion), GATEWAY_A);
    h.take();
    expect(45_000 + GIVE_UP).toBeLessThan(T_WAIT / 2);
    h.pass(45_000);
    failOver(h);
    expect(only(h.take(), PacketType.Publish).msgId).toBe(ticket);
  });
});

describe('a gateway that says DISCONNECT', () => {
  it('is tried again first; where it stays silent, the next one is', () => {
    const h = between();
    h.hear(disconnect(), GATEWAY_A);
    expect(h.kinds()).toEqual(['Lost']);
    h.pass(T_RETRY);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_A }]);
    h.pass(GIVE_UP + T_SEARCHGW);
    expect(h.takeSent().at(-1)).toMatchObject({ packet: { type: PacketType.Connect }, to: GATEWAY_B });
  });

  it('late, when the session is elsewhere, does not end that', () => {
    const h = between({ keepAliveS: 60 });
    h.pass(45_000);
    failOver(h);
    h.take();
    h.events();
    const lost = h.counter(Counter.Lost);
    expect(h.hear(disconnect(), GATEWAY_A)).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Active);
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
    expect(h.counter(Counter.Lost)).toBe(lost);
  });

  it('while the client connects to another means nothing', () => {
    const h = between({ keepAliveS: 60 });
    h.pass(45_000 + GIVE_UP + T_SEARCHGW);
    expect(h.link).toBe(Link.Connecting);
    expect(h.hear(disconnect(), GATEWAY_A)).toBe(ErrorCode.Unexpected);
    expect(h.hear(connAck(), GATEWAY_A)).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Connecting);
  });
});

describe('the session at another gateway', () => {
  it.each([false, true])('is clean or not as the application asked: %s', (clean) => {
    const h = between({ clean, keepAliveS: 60 });
    h.pass(45_000 + GIVE_UP + T_SEARCHGW);
    expect(h.take().filter((p) => p.type === PacketType.Connect)[0]).toMatchObject({ cleanSession: clean });
  });

  it('has its topics registered and its subscriptions made anew', () => {
    const h = between({ keepAliveS: 60 });
    h.subscribed('in', 5, 2);
    const out = h.registered('out', 6);
    h.pass(45_000);
    failOver(h);
    const subscribe = first(h.take(), PacketType.Subscribe);
    expect(subscribe).toMatchObject({ qos: 2, topic: { name: 'in' }, dup: false });
    h.hear(subAck(15, subscribe.msgId, 2), GATEWAY_B);
    h.publish(out, 'x', 1);
    const register = only(h.take(), PacketType.Register);
    h.hear(regAck(16, register.msgId), GATEWAY_B);
    expect(only(h.take(), PacketType.Publish).topic).toMatchObject({ id: 16 });
    h.events();
    h.hear(publish(15, 'y'), GATEWAY_B);
    expect(h.events()).toMatchObject([{ name: 'in' }]);
  });

  it('goes on with the message in flight: registered anew, DUP, and the same MsgId', () => {
    const h = between();
    const out = h.registered('out', 6);
    const ticket = h.publish(out, 'x', 1);
    h.publish(out, 'y', 2);
    h.take();
    failOver(h);
    const register = only(h.take(), PacketType.Register);
    h.hear(regAck(16, register.msgId), GATEWAY_B);
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket, topic: { id: 16 } });
    h.hear(pubAck(16, ticket), GATEWAY_B);
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: false, qos: 2 });
    expect(h.kinds()).toEqual(['Lost', 'Connected', 'Published']);
  });

  it('goes on with a QoS 2 message whose PUBREC came, by PUBREL', () => {
    const h = between();
    const ticket = h.publish(h.registered('out', 6), 'x', 2);
    h.hear(pubRec(ticket), GATEWAY_A);
    h.take();
    failOver(h);
    expect(only(h.take(), PacketType.PubRel).msgId).toBe(ticket);
    h.hear(pubComp(ticket), GATEWAY_B);
    expect(h.kinds()).toEqual(['Lost', 'Connected', 'Published']);
    expect(h.busy).toBe(false);
  });

  it("knows the QoS 2 messages that the last gateway delivered: their MsgIds are the broker's", () => {
    const h = between({ keepAliveS: 60 });
    h.verb('short', 0x6162);
    h.hear(publish('ab', 'once', { qos: 2, msgId: 9 }), GATEWAY_A);
    expect(h.events().map((event) => textOf(event.data))).toEqual(['once']);
    h.pass(45_000);
    failOver(h);
    h.events();
    h.take();
    h.hear(publish('ab', 'once', { qos: 2, msgId: 9, dup: true }), GATEWAY_B);
    expect(only(h.take(), PacketType.PubRec).msgId).toBe(9);
    h.hear(pubRel(9), GATEWAY_B);
    expect(only(h.take(), PacketType.PubComp).msgId).toBe(9);
    expect(h.events()).toEqual([]);
  });

  it('gets the will, too', () => {
    const h = new Harness();
    h.identify();
    h.will(h.topic('status'), 'gone', 1);
    h.discover(1);
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.hear(advertise(2, DURATION_S), GATEWAY_B);
    h.connect(60);
    h.hear(connAck(), GATEWAY_A);
    h.pass(45_000 + GIVE_UP + T_SEARCHGW);
    expect(first(h.take().reverse(), PacketType.Connect).will).toBe(true);
    h.hear(willTopicReq(), GATEWAY_B);
    h.hear(willMsgReq(), GATEWAY_B);
    expect(h.takeSent()).toMatchObject([{ to: GATEWAY_B }, { to: GATEWAY_B }]);
  });

  it("of a wiped one forgets the last one's handshakes", () => {
    const h = between({ clean: true, keepAliveS: 60 });
    h.verb('short', 0x6162);
    h.hear(publish('ab', 'x', { qos: 2, msgId: 9 }), GATEWAY_A);
    h.pass(45_000);
    failOver(h);
    h.events();
    h.hear(publish('ab', 'x', { qos: 2, msgId: 9 }), GATEWAY_B);
    expect(h.events()).toHaveLength(1);
  });
});

describe('the same gateway, found again', () => {
  /** Lost without a word, and found by a search. */
  function found(h: Harness, gwId = 1, at = GATEWAY_A): Harness {
    h.pass(45_000 + GIVE_UP);
    expect(h.link).toBe(Link.Searching);
    h.take();
    h.hear(gwInfo(gwId), at);
    expect(h.takeSent()[0]!.to).toEqual(at);
    h.hear(connAck(), at);
    return h;
  }

  function alone(): Harness {
    const h = new Harness();
    h.identify();
    h.discover(1);
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.connect(60);
    h.hear(connAck(), GATEWAY_A);
    h.subscribed('in', 5, 2);
    h.take();
    return h;
  }

  it('knows the topics and subscriptions: nothing is made anew', () => {
    const h = found(alone());
    expect(h.take()).toEqual([]);
    h.events();
    h.hear(publish(5, 'x'), GATEWAY_A);
    expect(h.events()).toMatchObject([{ name: 'in' }]);
  });

  it('after its DISCONNECT knows nothing: all is made anew', () => {
    const h = alone();
    h.hear(disconnect(), GATEWAY_A);
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck(), GATEWAY_A);
    only(h.take(), PacketType.Subscribe);
  });

  it.each([
    ['another GwId', 2, GATEWAY_A],
    ['another address', 1, GATEWAY_C],
  ])('but with %s is another', (_what, gwId, at) => {
    only(found(alone(), gwId, at).take(), PacketType.Subscribe);
  });

  it('after one in between has forgotten nothing that it would know: all is made anew, to be sure', () => {
    const h = alone();
    found(h, 3, GATEWAY_C);
    h.hear(subAck(7, only(h.take(), PacketType.Subscribe).msgId, 2), GATEWAY_C);
    found(h, 1, GATEWAY_A);
    only(h.take(), PacketType.Subscribe);
  });

  it('that the board chose first, and that then said its GwId, is still the same', () => {
    const h = new Harness();
    h.identify();
    h.connect(60);
    h.hear(connAck(), GATEWAY_A);
    h.subscribed('in', 5, 2);
    h.discover(1);
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.take();
    expect(found(h).take()).toEqual([]);
  });
});

describe('a sleeper', () => {
  it('that wakes to a silent gateway sleeps on, and finds another when it connects', () => {
    const h = between({ keepAliveS: 60 });
    h.sleep(600);
    h.hear(disconnect(), GATEWAY_A);
    h.wake();
    h.pass(GIVE_UP);
    expect(h.link).toBe(Link.Asleep);
    h.connect(60);
    h.take();
    failOver(h);
    expect(h.link).toBe(Link.Active);
  });

  it.each([
    ['does not answer two wake-ups in a row', true, 2 * (WAKE + GIVE_UP)],
    ['answers neither the good-night nor the first wake-up', false, GIVE_UP + WAKE + GIVE_UP],
  ])('whose gateway %s finds another, and what waits goes there', (_what, isAnswered, silentMs) => {
    const h = between({ keepAliveS: 60 });
    const ticket = h.publish(h.verb('predefined', 1), 'in flight', 1);
    h.sleep(600);
    if (isAnswered) h.hear(disconnect(), GATEWAY_A);
    h.take();
    h.events();
    h.pass(silentMs - 1);
    expect(h.kinds()).toEqual(['Asleep']);
    expect(h.link).toBe(Link.Awake);
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
    expect(h.due).toBeLessThan(T_SEARCHGW);
    h.take();
    h.pass(h.due);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect, cleanSession: false }, to: GATEWAY_B }]);
    h.hear(connAck(), GATEWAY_B);
    expect(only(h.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket });
    h.hear(pubAck(1, ticket), GATEWAY_B);
    expect(h.kinds()).toEqual(['Connected', 'Published']);
  });

  it('wakes at its own gateway, whoever advertises meanwhile', () => {
    const h = between({ keepAliveS: 60 });
    h.sleep(600);
    h.hear(disconnect(), GATEWAY_A);
    for (let i = 0; i < 50; i++) h.hear(advertise(i, DURATION_S), GATEWAY_C);
    h.take();
    h.wake();
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.PingReq }, to: GATEWAY_A }]);
    h.hear(pingResp(), GATEWAY_A);
    expect(h.link).toBe(Link.Asleep);
  });
});

describe('connect, called while the gateway is lost,', () => {
  it('tries at once and begins with short pauses again', () => {
    const h = new Harness().online(0);
    h.hear(disconnect());
    for (let i = 0; i < 6; i++) h.pass(h.due + GIVE_UP);
    expect(h.due).toBeGreaterThan(100_000);
    h.take();
    h.connect();
    only(h.take(), PacketType.Connect);
    h.pass(GIVE_UP);
    expect(h.link).toBe(Link.Lost);
    expect(h.due).toBeLessThan(T_RETRY);
  });
});
