import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, PacketType } from '../../../assembly/protocol/index.js';
import {
  connAck,
  disconnect,
  first,
  Harness,
  Link,
  N_RETRY,
  only,
  pingReq,
  pingResp,
  publish,
  subAck,
  T_RETRY,
} from '../harness.js';

const GIVE_UP = T_RETRY * (N_RETRY + 1);
const RECONNECT_MAX = 300_000;

describe('keep-alive', () => {
  it('pings when three quarters of it are over without a word', () => {
    const h = new Harness({ now: 0 }).online(60);
    h.pass(44_999);
    expect(h.take()).toEqual([]);
    h.pass(1);
    expect(h.take()).toEqual([{ type: PacketType.PingReq, clientId: '' }]);
    h.hear(pingResp());
    h.pass(44_999);
    expect(h.take()).toEqual([]);
    h.pass(1);
    only(h.take(), PacketType.PingReq);
    expect(h.kinds()).toEqual([]);
  });

  it('counts from the longer silence, ours or that of the gateway', () => {
    const h = new Harness({ now: 0 }).online(60);
    h.verb('short', 0x6162);
    h.pass(30_000);
    h.publish(0, 'we speak', 0);
    h.take();
    h.pass(14_999);
    expect(h.take()).toEqual([]);
    h.pass(1);
    only(h.take(), PacketType.PingReq); // nothing heard for 45 s
    h.hear(pingResp());
    h.pass(30_000);
    h.hear(publish('ab', 'the gateway speaks'));
    h.pass(15_000);
    only(h.take(), PacketType.PingReq); // nothing said for 45 s
  });

  it('is off at 0', () => {
    const h = new Harness().online(0);
    h.pass(2 ** 30);
    expect(h.take()).toEqual([]);
    expect(h.due).toBe(Number.POSITIVE_INFINITY);
  });

  it('tries N_retry times more, then the gateway is lost', () => {
    const h = new Harness({ now: 0 }).online(60);
    h.pass(45_000 + GIVE_UP - 1);
    expect(h.takeSent().map((sent) => sent.at)).toEqual([45_000, 55_000, 65_000, 75_000, 85_000, 95_000]);
    expect(h.kinds()).toEqual([]);
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
  });

  it('ignores a PINGRESP that it did not ask for', () => {
    const h = new Harness().online(60);
    expect(h.hear(pingResp())).toBe(ErrorCode.Unexpected);
  });

  it('answers the gateway that pings', () => {
    const h = new Harness().online(60);
    expect(h.hear(pingReq())).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.PingResp }]);
  });

  it('answers no one who pings before there is a session', () => {
    const h = new Harness();
    expect(h.hear(pingReq())).toBe(ErrorCode.Unexpected);
    expect(h.take()).toEqual([]);
  });
});

describe('a lost gateway', () => {
  it('is sought with pauses that double from T_retry up to the longest, each between half and all of it', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const h = new Harness({ seed }).online(0);
      h.hear(disconnect());
      h.take();
      for (let attempt = 0; attempt < 10; attempt++) {
        const whole = Math.min(T_RETRY * 2 ** attempt, RECONNECT_MAX);
        expect(h.due, `attempt ${attempt}`).toBeGreaterThanOrEqual(whole / 2);
        expect(h.due, `attempt ${attempt}`).toBeLessThan(whole);
        h.pass(h.due);
        only(h.take(), PacketType.Connect);
        h.pass(GIVE_UP);
        h.take();
        expect(h.link).toBe(Link.Lost);
      }
    }
  });

  it('is sought at other moments by every device', () => {
    const pauses = new Set<number>();
    for (let seed = 1; seed <= 200; seed++) {
      const h = new Harness({ seed }).online(0);
      h.hear(disconnect());
      pauses.add(h.due);
    }
    expect(pauses.size).toBeGreaterThan(180);
    expect(Math.max(...pauses) - Math.min(...pauses)).toBeGreaterThan(4_000);
  });

  it('that comes back is welcomed with short pauses again', () => {
    const h = new Harness().online(0);
    h.hear(disconnect());
    for (let i = 0; i < 5; i++) h.pass(h.due + GIVE_UP);
    expect(h.due).toBeGreaterThan(100_000);
    h.pass(h.due);
    h.accept();
    h.hear(disconnect());
    expect(h.due).toBeLessThan(T_RETRY);
  });

  it('is sought at once when the application says so', () => {
    const h = new Harness().online(0);
    h.hear(disconnect());
    h.take();
    expect(h.connect()).toBe(0);
    only(h.take(), PacketType.Connect);
  });
});

describe('a gateway that was silent and comes back', () => {
  it.each([
    { clean: false, what: 'still knows topics and subscriptions' },
    { clean: true, what: 'knows nothing of a clean session' },
  ])('$what', ({ clean }) => {
    const h = new Harness().online(60, clean);
    h.subscribed('news', 3);
    const temperature = h.registered('temperature', 4);
    h.pass(45_000 + GIVE_UP);
    expect(h.link).toBe(Link.Lost);
    h.pass(h.due);
    expect(h.take().at(-1)).toMatchObject({ type: PacketType.Connect, cleanSession: clean });
    h.hear(connAck());
    h.publish(temperature, '21');
    const types = h.take().map((packet) => packet.type);
    expect(types).toEqual(clean ? [PacketType.Subscribe, PacketType.Register] : [PacketType.Publish]);
  });
});

describe('an unsolicited DISCONNECT', () => {
  it('tells that the gateway is lost, and after it topics are registered and subscribed to anew', () => {
    const h = new Harness().online(0);
    const news = h.subscribed('news', 3, 2);
    const temperature = h.registered('temperature', 4);
    h.hear(disconnect());
    expect(h.kinds()).toEqual(['Lost']);
    expect(h.counter(Counter.Lost)).toBe(1);
    h.publish(temperature, '21', 1);
    h.pass(T_RETRY);
    const connect = only(h.take(), PacketType.Connect);
    expect(connect.cleanSession).toBe(false);
    h.hear(connAck());
    expect(h.kinds()).toEqual(['Connected']);
    const sent = h.take();
    expect(sent).toHaveLength(2);
    const subscribe = first(sent, PacketType.Subscribe);
    expect(subscribe).toMatchObject({ qos: 2, dup: false, topic: { name: 'news' } });
    expect(first(sent, PacketType.Register)).toMatchObject({ topicId: 0, topicName: 'temperature' });
    h.hear(subAck(9, subscribe.msgId, 2));
    h.hear(publish(9, 'hello'));
    expect(h.events()).toMatchObject([{ topic: news }, { name: 'news', topic: news }]);
  });

  it('is ignored where it means nothing', () => {
    const h = new Harness();
    expect(h.hear(disconnect())).toBe(ErrorCode.Unexpected);
    h.identify();
    h.connect();
    expect(h.hear(disconnect())).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Connecting);
    h.accept().asleep(60);
    expect(h.hear(disconnect())).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Asleep);
  });

  it('after it a SUBSCRIBE that was outstanding is a new one', () => {
    const h = new Harness().online(0);
    h.subscribe(h.topic('news'));
    const before = only(h.take(), PacketType.Subscribe);
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.take();
    h.hear(connAck());
    const after = only(h.take(), PacketType.Subscribe);
    expect(after).toMatchObject({ dup: false });
    expect(after.msgId).not.toBe(before.msgId);
  });

  it('after it an UNSUBSCRIBE that was outstanding is sent again: the subscription may have survived', () => {
    const h = new Harness().online(0);
    const news = h.subscribed('news', 3);
    h.unsubscribe(news);
    only(h.take(), PacketType.Unsubscribe);
    h.hear(disconnect());
    h.pass(T_RETRY);
    h.accept();
    h.pass(T_RETRY);
    expect(only(h.take(), PacketType.Unsubscribe).topic).toMatchObject({ name: 'news' });
  });
});

describe('a device whose radio takes nothing', () => {
  it('counts and tries again', () => {
    const h = new Harness();
    h.identify();
    h.radio = false;
    h.connect();
    h.pass(T_RETRY);
    expect(h.counter(Counter.SendFailed)).toBe(2);
    expect(h.counter(Counter.DatagramsOut)).toBe(0);
    h.radio = true;
    h.pass(T_RETRY);
    only(h.take(), PacketType.Connect);
    h.hear(connAck());
    expect(h.kinds()).toEqual(['Connected']);
  });
});

describe('the clock', () => {
  it.each([2 ** 31, 2 ** 32])('may pass %d ms at any point', (wrap) => {
    for (const before of [1, 9_999, 10_000, 44_999, 45_000, 100_000]) {
      const h = new Harness({ now: wrap - before }).online(60);
      h.pass(45_000);
      only(h.take(), PacketType.PingReq);
      h.pass(T_RETRY);
      only(h.take(), PacketType.PingReq);
      h.hear(pingResp());
      h.pass(44_999);
      expect(h.take()).toEqual([]);
      h.pass(1);
      only(h.take(), PacketType.PingReq);
      h.hear(disconnect());
      h.pass(T_RETRY);
      only(h.take(), PacketType.Connect);
    }
  });

  it('may go on for months: a session stays alive', () => {
    const h = new Harness({ now: 0 }).online(60_000);
    for (let day = 0; day < 200; day++) {
      h.pass(45_000_000);
      only(h.take(), PacketType.PingReq);
      h.hear(pingResp());
    }
    expect(h.kinds()).toEqual([]);
  });
});
