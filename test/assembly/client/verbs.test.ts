import { describe, expect, it } from 'vitest';
import { ErrorCode, PacketType } from '../../../assembly/protocol/index.js';
import { first, Harness } from '../harness.js';

const BadArgument: number = ErrorCode.BadArgument;
const BadTopic: number = ErrorCode.BadTopic;
const Full: number = ErrorCode.Full;
const TooLong: number = ErrorCode.TooLong;
const WrongState: number = ErrorCode.WrongState;

const TX_BYTES = 512;
const PUBLISH_BYTES = 9;
const OUTBOUND_BYTES = 768;
const RECORD_BYTES = 6;

/** Connected; 0 is a name, 1 a wildcard filter, 2 predefined, 3 short. Publishing waits for a REGACK. */
function busyClient(): Harness {
  const h = new Harness().online(60);
  h.topic('name');
  h.topic('filter/#');
  h.verb('predefined', 9);
  h.verb('short', 0x6162);
  h.publish(0, 'waits', 1);
  h.take();
  return h;
}

describe('a verb that is refused says why and changes nothing', () => {
  it.each<[string, number, (h: Harness) => number]>([
    ['identify without an id', BadArgument, (h) => h.identify('')],
    ['identify with 24 octets', BadArgument, (h) => h.identify('x'.repeat(24))],
    ['a topic without a name', BadArgument, (h) => h.topic('')],
    ['a topic with a name of 57 octets', TooLong, (h) => h.topic('x'.repeat(57))],
    ['predefined id 0', BadArgument, (h) => h.verb('predefined', 0)],
    ['predefined id 65535', BadArgument, (h) => h.verb('predefined', 0xffff)],
    ['predefined id 65536', BadArgument, (h) => h.verb('predefined', 0x10000)],
    ['predefined id -1', BadArgument, (h) => h.verb('predefined', -1)],
    ['short name 0', BadArgument, (h) => h.verb('short', 0)],
    ['connect for 65536 s', BadArgument, (h) => h.connect(65_536)],
    ['connect for -1 s', BadArgument, (h) => h.connect(-1)],
    ['sleep for 0 s', BadArgument, (h) => h.sleep(0)],
    ['sleep for 65536 s', BadArgument, (h) => h.sleep(65_536)],
    ['wake while awake', WrongState, (h) => h.wake()],
    ['publish to a handle that is free', BadTopic, (h) => h.publish(4, 'x')],
    ['publish to handle -1', BadTopic, (h) => h.publish(-1, 'x')],
    ['publish to handle 12', BadTopic, (h) => h.publish(12, 'x')],
    ['publish to handle 255', BadTopic, (h) => h.publish(255, 'x')],
    ['publish to a filter', BadTopic, (h) => h.publish(1, 'x')],
    ['publish at QoS 3', BadArgument, (h) => h.publish(0, 'x', 3 as 2)],
    ['publish at QoS -2', BadArgument, (h) => h.publish(0, 'x', -2 as -1)],
    ['publish at QoS -1 to a name', BadTopic, (h) => h.publish(0, 'x', -1)],
    ['publish an octet too many', TooLong, (h) => h.publish(0, new Uint8Array(TX_BYTES - PUBLISH_BYTES + 1))],
    ['publish -1 octets', BadArgument, (h) => h.verb('publish', 0, -1, 0, 0, h.now)],
    ['publish 2^31 - 1 octets', TooLong, (h) => h.verb('publish', 0, 0x7fffffff, 0, 0, h.now)],
    ['subscribe to a handle that is free', BadTopic, (h) => h.subscribe(4)],
    ['subscribe at QoS 3', BadArgument, (h) => h.subscribe(0, 3 as 2)],
    ['subscribe at QoS -1', BadArgument, (h) => h.subscribe(0, -1 as 0)],
    ['unsubscribe from a handle that is free', BadTopic, (h) => h.unsubscribe(99)],
    ['a will for a handle that is free', BadTopic, (h) => h.will(7, 'x')],
    ['a will for a filter', BadTopic, (h) => h.will(1, 'x')],
    ['a will for a predefined topic', BadTopic, (h) => h.will(2, 'x')],
    ['a will of 33 octets', TooLong, (h) => h.will(0, 'x'.repeat(33))],
    ['a will of -1 octets', BadArgument, (h) => h.verb('will', 0, -1, 0, 0)],
    ['a will at QoS 3', BadArgument, (h) => h.will(0, 'x', 3 as 2)],
  ])('%s', (_what, code, act) => {
    const h = busyClient();
    const before = h.state();
    expect(act(h)).toBe(code);
    expect(h.state()).toEqual(before);
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
  });
});

describe('the queue of messages', () => {
  it('holds a payload as large as a datagram takes', () => {
    const h = busyClient();
    expect(h.publish(2, new Uint8Array(TX_BYTES - PUBLISH_BYTES), 1)).toBeGreaterThan(0);
  });

  it('is full at its last octet, and takes messages again when some are gone', () => {
    const h = new Harness().online();
    const topic = h.topic('t');
    const left = OUTBOUND_BYTES - 3 * (RECORD_BYTES + 200) - RECORD_BYTES;
    for (let i = 0; i < 3; i++) expect(h.publish(topic, new Uint8Array(200))).toBe(0);
    const before = h.state();
    expect(h.publish(topic, new Uint8Array(left + 1))).toBe(Full);
    expect(h.state()).toEqual(before);
    expect(h.publish(topic, new Uint8Array(left).fill(7))).toBe(0);
    expect(h.publish(topic, '')).toBe(Full);
    const { msgId } = first(h.take(), PacketType.Register);
    h.hear({ type: PacketType.RegAck, topicId: 5, msgId, returnCode: 0 });
    expect(h.take().map((packet) => (packet as { data: Uint8Array }).data.length)).toEqual([200, 200, 200, left]);
    expect(h.publish(topic, '')).toBe(0);
  });

  it('does not use up a MsgId for a message that it refuses', () => {
    const h = new Harness().online();
    const topic = h.topic('t');
    const ticket = h.publish(topic, new Uint8Array(503), 1);
    expect(h.publish(topic, new Uint8Array(503), 1)).toBe(Full);
    h.take();
    expect(h.publish(topic, new Uint8Array(1), 1)).toBe(ticket + 2); // one went to REGISTER
  });
});
