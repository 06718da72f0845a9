// The will changed during a session (6.4): WILLTOPICUPD, then WILLMSGUPD.
import { describe, expect, it } from 'vitest';
import { ErrorCode, EventKind, PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import {
  connAck,
  disconnect,
  first,
  Harness,
  Link,
  N_RETRY,
  octetsOf,
  only,
  pingResp,
  T_RETRY,
  T_WAIT,
  willMsgReq,
  willMsgResp,
  willTopicReq,
  willTopicResp,
} from '../harness.js';

/** A session with a will "gone" for "status"; the topic's handle is 0. */
function withWill(keepAliveS = 0): Harness {
  const h = new Harness();
  h.will(h.topic('status'), 'gone', 1);
  return h.online(keepAliveS);
}

describe('a will set during a session', () => {
  it('goes to the gateway at once: topic, then message', () => {
    const h = withWill();
    expect(h.will(h.topic('other'), 'lost', 2, true)).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.WillTopicUpd, will: { qos: 2, retain: true, topic: 'other' } }]);
    expect(h.busy).toBe(true);
    expect(h.hear(willTopicResp())).toBe(0);
    expect(h.take()).toEqual([{ type: PacketType.WillMsgUpd, message: octetsOf('lost') }]);
    expect(h.kinds()).toEqual([]);
    expect(h.hear(willMsgResp())).toBe(0);
    expect(h.events()).toMatchObject([{ kind: EventKind.WillUpdated, code: 0 }]);
    expect(h.take()).toEqual([]);
    expect(h.busy).toBe(false);
  });

  it('where there was none before goes the same way', () => {
    const h = new Harness().online();
    h.will(h.topic('status'), 'gone');
    h.hear(willTopicResp());
    h.hear(willMsgResp());
    expect(h.take().map((packet) => packet.type)).toEqual([PacketType.WillTopicUpd, PacketType.WillMsgUpd]);
    expect(h.kinds()).toEqual(['WillUpdated']);
  });

  it('and taken back is deleted with an empty WILLTOPICUPD of two octets, and no WILLMSGUPD', () => {
    const h = withWill();
    expect(h.will(-1, '')).toBe(0);
    const [sent] = h.takeSent();
    expect(sent!.packet).toEqual({ type: PacketType.WillTopicUpd, will: undefined });
    expect(sent!.octets).toEqual(Uint8Array.of(2, PacketType.WillTopicUpd));
    h.hear(willTopicResp());
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual(['WillUpdated']);
  });

  it('is held then: a wake-up by CONNECT does not hand it over again', () => {
    const h = withWill();
    h.will(0, 'lost');
    h.hear(willTopicResp());
    h.hear(willMsgResp());
    h.asleep(60);
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(false);
  });

  it.each([
    ['WILLTOPICUPD', 0],
    ['WILLMSGUPD', 1],
  ])('is sent again every T_retry, N_retry times, and then the gateway is lost: %s', (_what, step) => {
    const h = withWill();
    h.will(0, 'lost');
    if (step === 1) h.hear(willTopicResp());
    const sent = h.take().at(-1)!;
    for (let i = 0; i < N_RETRY; i++) {
      h.pass(T_RETRY - 1);
      expect(h.take()).toEqual([]);
      h.pass(1);
      expect(h.take()).toEqual([sent]);
    }
    h.pass(T_RETRY);
    expect(h.kinds()).toEqual(['Lost']);
    h.pass(T_RETRY);
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
  });

  it.each([
    ['WILLTOPICUPD', 0],
    ['WILLMSGUPD', 1],
  ])('waits T_WAIT at congestion, and goes again by itself: %s', (_what, step) => {
    const h = withWill(60);
    h.will(0, 'lost');
    if (step === 1) h.hear(willTopicResp());
    h.hear(step === 1 ? willMsgResp(ReturnCode.Congestion) : willTopicResp(ReturnCode.Congestion));
    h.take();
    for (let waited = 0; waited < T_WAIT - 1_000; waited += 1_000) {
      h.pass(1_000);
      // The keep-alive goes on meanwhile.
      for (const packet of h.take()) {
        expect(packet.type).toBe(PacketType.PingReq);
        h.hear(pingResp());
      }
    }
    h.pass(1_000);
    first(h.take(), PacketType.WillTopicUpd);
    h.hear(willTopicResp());
    only(h.take(), PacketType.WillMsgUpd);
    h.hear(willMsgResp());
    expect(h.kinds()).toEqual(['WillUpdated']);
  });

  it.each([ReturnCode.NotSupported, ReturnCode.InvalidTopicId])('that the gateway refuses with %d is told', (code) => {
    const h = withWill();
    h.will(0, 'lost');
    h.take();
    h.hear(willTopicResp(code));
    expect(h.events()).toMatchObject([{ kind: EventKind.WillUpdated, code }]);
    h.pass(1_000_000);
    expect(h.take()).toEqual([]);
  });

  it('set again while the first is on its way goes again as a whole', () => {
    const h = withWill();
    h.will(0, 'lost');
    h.will(h.topic('third'), 'broken');
    h.take();
    h.hear(willTopicResp());
    expect(h.take()).toEqual([{ type: PacketType.WillTopicUpd, will: { qos: 0, retain: false, topic: 'third' } }]);
    h.hear(willTopicResp());
    expect(only(h.take(), PacketType.WillMsgUpd).message).toEqual(octetsOf('broken'));
    h.hear(willMsgResp());
    expect(h.kinds()).toEqual(['WillUpdated']);
  });

  it('goes beside a PINGREQ, a SUBSCRIBE and a PUBLISH: none waits for another', () => {
    const h = withWill(60);
    h.pass(45_000);
    h.subscribe(h.topic('a'));
    h.publish(h.verb('predefined', 1), 'x', 1);
    h.will(0, 'lost');
    expect(h.take().map((packet) => packet.type)).toEqual([
      PacketType.PingReq,
      PacketType.Subscribe,
      PacketType.Publish,
      PacketType.WillTopicUpd,
    ]);
  });

  it('is answered by its own type only, and only where it is owed', () => {
    const h = withWill();
    expect(h.hear(willTopicResp())).toBe(ErrorCode.Unexpected);
    expect(h.hear(willMsgResp())).toBe(ErrorCode.Unexpected);
    h.will(0, 'lost');
    expect(h.hear(willMsgResp())).toBe(ErrorCode.Unexpected);
    h.hear(willTopicResp());
    expect(h.hear(willTopicResp())).toBe(ErrorCode.Unexpected);
    h.hear(willMsgResp());
    expect(h.kinds()).toEqual(['WillUpdated']);
  });
});

describe('a will set without a session', () => {
  it('while asleep goes with the CONNECT that wakes up', () => {
    const h = withWill().asleep(60);
    h.will(0, 'lost');
    expect(h.take()).toEqual([]);
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
    h.hear(willTopicReq());
    h.hear(willMsgReq());
    expect(first(h.take(), PacketType.WillMsg).message).toEqual(octetsOf('lost'));
    h.hear(connAck());
    expect(h.take()).toEqual([]);
  });

  it('while the CONNECT with the last one is on its way follows it', () => {
    const h = new Harness();
    h.identify();
    h.will(h.topic('status'), 'gone');
    h.connect();
    h.hear(willTopicReq());
    h.hear(willMsgReq());
    h.take();
    h.will(0, 'lost');
    expect(h.take()).toEqual([]);
    h.hear(connAck());
    only(h.take(), PacketType.WillTopicUpd);
    h.hear(willTopicResp());
    expect(only(h.take(), PacketType.WillMsgUpd).message).toEqual(octetsOf('lost'));
  });

  it('on the way into sleep waits for the next CONNECT, which hands over all of it', () => {
    const h = withWill();
    h.will(0, 'lost');
    h.take();
    h.sleep(60);
    h.hear(disconnect());
    h.take();
    expect(h.link).toBe(Link.Asleep);
    h.connect();
    expect(only(h.take(), PacketType.Connect).will).toBe(true);
    h.hear(connAck());
    expect(h.take()).toEqual([]);
  });
});
