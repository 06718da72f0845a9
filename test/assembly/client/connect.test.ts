import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, EventKind, PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import {
  connAck,
  disconnect,
  first,
  Harness,
  Link,
  N_RETRY,
  octetsOf,
  only,
  publish,
  T_RETRY,
  willMsgReq,
  willTopicReq,
} from '../harness.js';

describe('connecting', () => {
  it('sends nothing before it is asked to', () => {
    const h = new Harness();
    h.identify();
    h.pass(10_000_000);
    expect(h.take()).toEqual([]);
    expect(h.link).toBe(Link.Off);
    expect(h.due).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    { clean: false, will: false },
    { clean: false, will: true },
    { clean: true, will: false },
    { clean: true, will: true },
  ])('says clean $clean and will $will as the application wants', ({ clean, will }) => {
    const h = new Harness();
    h.identify('sensor-1');
    if (will) expect(h.will(h.topic('home/status'), 'gone', 1, true)).toBe(0);
    expect(h.connect(60, clean)).toBe(0);
    expect(h.take()).toEqual([
      { type: PacketType.Connect, will, cleanSession: clean, protocolId: 1, duration: 60, clientId: 'sensor-1' },
    ]);
    if (will) {
      h.hear(willTopicReq());
      expect(h.take()).toEqual([{ type: PacketType.WillTopic, will: { qos: 1, retain: true, topic: 'home/status' } }]);
      h.hear(willMsgReq());
      expect(h.take()).toEqual([{ type: PacketType.WillMsg, message: octetsOf('gone') }]);
    }
    expect(h.kinds()).toEqual([]);
    h.hear(connAck());
    expect(h.kinds()).toEqual(['Connected']);
    expect(h.link).toBe(Link.Active);
  });

  it('waits T_retry anew after each question about the will', () => {
    const h = new Harness();
    h.identify();
    h.will(h.topic('t'), 'm');
    h.connect();
    h.pass(T_RETRY - 1).hear(willTopicReq());
    h.pass(T_RETRY - 1).hear(willMsgReq());
    expect(h.take().map((packet) => packet.type)).toEqual([
      PacketType.Connect,
      PacketType.WillTopic,
      PacketType.WillMsg,
    ]);
    h.pass(T_RETRY - 1);
    expect(h.take()).toEqual([]);
    h.pass(1);
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
  });

  it('answers a question about the will that comes twice', () => {
    const h = new Harness();
    h.identify();
    h.will(h.topic('t'), 'm');
    h.connect();
    h.take();
    h.hear(willTopicReq());
    h.hear(willTopicReq());
    expect(h.take().map((packet) => packet.type)).toEqual([PacketType.WillTopic, PacketType.WillTopic]);
  });

  it('answers an empty WILLTOPIC where it has no will', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.take();
    h.hear(willTopicReq());
    const [sent] = h.takeSent();
    expect(sent!.packet).toEqual({ type: PacketType.WillTopic, will: undefined });
    expect(sent!.octets).toEqual(Uint8Array.of(2, PacketType.WillTopic)); // without Flags
  });

  it('tries again every T_retry, N_retry times, and then is lost', () => {
    const h = new Harness({ now: 50_000 });
    h.identify();
    h.connect();
    h.pass(N_RETRY * T_RETRY);
    expect(h.takeSent().map((sent) => sent.at - 50_000)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    h.pass(T_RETRY - 1);
    expect(h.kinds()).toEqual([]);
    h.pass(1);
    expect(h.kinds()).toEqual(['Lost']);
    expect(h.link).toBe(Link.Lost);
    expect(h.counter(Counter.Lost)).toBe(1);
    expect(h.counter(Counter.Retransmissions)).toBe(N_RETRY);
  });

  it('stays off when it is refused', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.hear(connAck(ReturnCode.NotSupported));
    expect(h.events()).toMatchObject([{ kind: EventKind.Refused, code: ReturnCode.NotSupported }]);
    h.take();
    h.pass(10_000_000);
    expect(h.take()).toEqual([]);
    expect(h.link).toBe(Link.Off);
    expect(h.connect()).toBe(0);
    only(h.take(), PacketType.Connect);
  });

  it('comes back by itself when the gateway is congested', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.hear(connAck(ReturnCode.Congestion));
    h.take();
    h.pass(T_RETRY);
    only(h.take(), PacketType.Connect);
    expect(h.kinds()).toEqual([]);
    h.hear(connAck());
    expect(h.kinds()).toEqual(['Connected']);
  });

  it('needs a client id', () => {
    const h = new Harness();
    expect(h.connect()).toBe(ErrorCode.WrongState);
    expect(h.take()).toEqual([]);
  });

  it('ignores CONNACK that it did not ask for', () => {
    const h = new Harness();
    expect(h.hear(connAck())).toBe(ErrorCode.Unexpected);
    h.online();
    expect(h.hear(connAck(ReturnCode.NotSupported))).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Active);
    expect(h.kinds()).toEqual([]);
    expect(h.counter(Counter.Unexpected)).toBe(2);
  });

  it('takes nothing else while it connects', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.take();
    expect(h.hear(publish('ab', 'x', { qos: 1, msgId: 1 }))).toBe(ErrorCode.Unexpected);
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
  });
});

describe('the will', () => {
  it('is not handed over again while the gateway has it', () => {
    const h = new Harness();
    h.will(h.topic('t'), 'm');
    h.online();
    h.asleep(60);
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(false);
  });

  it('is handed over again after the gateway was lost: it may have been published', () => {
    const h = new Harness();
    h.will(h.topic('t'), 'm');
    h.online();
    h.hear(disconnect());
    h.pass(T_RETRY);
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
  });

  it('is handed over again after a good-bye', () => {
    const h = new Harness();
    h.will(h.topic('t'), 'm');
    h.online();
    h.disconnect();
    h.hear(disconnect());
    h.take();
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
  });

  it('is handed over again after a good-bye that was not answered yet', () => {
    const h = new Harness();
    h.will(h.topic('t'), 'm');
    h.online();
    h.disconnect();
    h.take();
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
    expect(h.hear(disconnect())).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Connecting);
  });

  it('that the application takes back is deleted at the gateway, with an empty WILLTOPIC', () => {
    const h = new Harness();
    h.will(h.topic('t'), 'm');
    h.online();
    h.disconnect();
    h.hear(disconnect());
    h.take();
    expect(h.will(-1, '')).toBe(0);
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
    h.hear(willTopicReq());
    expect(h.take()).toEqual([{ type: PacketType.WillTopic, will: undefined }]);
    h.hear(connAck());
    expect(h.kinds().at(-1)).toBe('Connected');
  });

  it('may be as long as its buffer', () => {
    const h = new Harness();
    h.will(h.topic('t'), 'm'.repeat(32));
    h.identify();
    h.connect();
    h.hear(willMsgReq());
    expect(first(h.take(), PacketType.WillMsg).message).toHaveLength(32);
  });
});

describe('disconnecting', () => {
  it('says good-bye and is off when the gateway answers', () => {
    const h = new Harness().online();
    h.disconnect();
    expect(h.take()).toEqual([{ type: PacketType.Disconnect, duration: undefined }]);
    expect(h.kinds()).toEqual([]);
    h.hear(disconnect());
    expect(h.kinds()).toEqual(['Disconnected']);
    expect(h.link).toBe(Link.Off);
    h.pass(10_000_000);
    expect(h.take()).toEqual([]);
  });

  it('gives up after N_retry and is off all the same', () => {
    const h = new Harness({ now: 0 }).online();
    h.disconnect();
    h.pass(T_RETRY * (N_RETRY + 1));
    expect(h.takeSent().map((sent) => sent.at)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    expect(h.kinds()).toEqual(['Disconnected']);
    expect(h.link).toBe(Link.Off);
  });

  it('while lost needs no packet', () => {
    const h = new Harness().online();
    h.hear(disconnect());
    h.take();
    h.events();
    expect(h.disconnect()).toBe(0);
    expect(h.kinds()).toEqual(['Disconnected']);
    h.pass(10_000_000);
    expect(h.take()).toEqual([]);
  });

  it('is wrong where nothing is connected', () => {
    expect(new Harness().disconnect()).toBe(ErrorCode.WrongState);
  });

  it.each(['connecting', 'asleep', 'awake'])('works while %s', (state) => {
    const h = new Harness();
    if (state === 'connecting') {
      h.identify();
      h.connect();
    } else {
      h.online().asleep(60);
      if (state === 'awake') h.wake();
    }
    h.take();
    expect(h.disconnect()).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.Disconnect, duration: undefined }]);
    h.hear(disconnect());
    expect(h.kinds()).toEqual(['Disconnected']);
  });
});
