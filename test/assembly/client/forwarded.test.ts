// A client behind a forwarder (5.5): everything in envelopes with its Wireless Node Id.
import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, PacketType } from '../../../assembly/protocol/index.js';
import { encode, type Packet } from '../../../host/wire/index.js';
import {
  advertise,
  connAck,
  GATEWAY_A,
  Harness,
  octetsOf,
  pingReq,
  publish,
  pubRec,
  T_RETRY,
  T_SEARCHGW,
  textOf,
} from '../harness.js';

const NODE = Uint8Array.of(0xab, 0, 0xcd);
const wrap = (packet: Packet | Uint8Array, nodeId = NODE, ctrl = 0): Uint8Array => {
  const inside = packet instanceof Uint8Array ? packet : encode(packet);
  return Uint8Array.of(3 + nodeId.length, PacketType.Forwarded, ctrl, ...nodeId, ...inside);
};

function behind(nodeId = NODE): Harness {
  const h = new Harness();
  expect(h.forwarded(nodeId)).toBe(0);
  h.identify();
  return h;
}

function online(): Harness {
  const h = behind();
  h.connect(60);
  h.take();
  expect(h.hearOctets(wrap(connAck()))).toBe(0);
  expect(h.kinds()).toEqual(['Connected']);
  return h;
}

describe('a client behind a forwarder', () => {
  it('wraps what it sends: the Length of the envelope ends with the node id', () => {
    const h = behind();
    h.connect(60);
    const [sent] = h.takeSent();
    expect(sent!.octets).toEqual(
      wrap({
        type: PacketType.Connect,
        will: false,
        cleanSession: false,
        protocolId: 1,
        duration: 60,
        clientId: 'dev',
      }),
    );
    expect(sent!.octets[0]).toBe(3 + NODE.length);
  });

  it('unwraps what is for it', () => {
    const h = online();
    h.verb('short', 0x6162);
    expect(h.hearOctets(wrap(publish('ab', 'hello', { qos: 2, msgId: 3 })))).toBe(0);
    expect(h.events().map((event) => [event.name, textOf(event.data)])).toEqual([['ab', 'hello']]);
    expect(h.takeSent().map((sent) => sent.octets)).toEqual([wrap(pubRec(3))]);
  });

  it('unwraps with any radius in Ctrl, which is for the forwarder', () => {
    expect(online().hearOctets(wrap(pingReq(), NODE, 3))).toBe(0);
  });

  it.each([
    ['another of the same length', Uint8Array.of(0xab, 0, 0xce)],
    ['the beginning of its own', NODE.subarray(0, 2)],
    ['its own and more', Uint8Array.of(...NODE, 0)],
  ])('ignores what is for another node: %s', (_what, nodeId) => {
    const h = online();
    expect(h.hearOctets(wrap(pingReq(), nodeId))).toBe(ErrorCode.Unexpected);
    expect(h.counter(Counter.Unexpected)).toBe(1);
    expect(h.take()).toEqual([]);
  });

  it('ignores what comes without an envelope', () => {
    const h = online();
    expect(h.hear(pingReq())).toBe(ErrorCode.Unexpected);
    expect(h.take()).toEqual([]);
  });

  it('drops an envelope in an envelope', () => {
    const h = online();
    expect(h.hearOctets(wrap(wrap(pingReq())))).toBe(ErrorCode.Unexpected);
    expect(h.take()).toEqual([]);
  });

  it('drops what is cut or stretched inside', () => {
    const h = online();
    const octets = wrap(publish('ab', 'hello'));
    for (let bytes = 0; bytes < octets.length; bytes++) expect(h.hearOctets(octets.subarray(0, bytes))).toBeLessThan(0);
    expect(h.hearOctets(Uint8Array.of(...octets, 0))).toBe(ErrorCode.LengthMismatch);
    expect(h.kinds()).toEqual([]);
  });

  it('puts the radius of SEARCHGW into Ctrl, at most 3, and no other', () => {
    for (const [radius, ctrl] of [
      [1, 1],
      [3, 3],
      [4, 3],
      [255, 3],
    ] as const) {
      const h = behind();
      h.discover(radius);
      h.connect();
      h.pass(T_SEARCHGW);
      expect(h.takeSent()[0]!.octets).toEqual(wrap({ type: PacketType.SearchGw, radius }, NODE, ctrl));
      h.hearOctets(wrap(advertise(1, 900)), GATEWAY_A);
      const [connect] = h.takeSent();
      expect(connect).toMatchObject({ to: GATEWAY_A, packet: { ctrl: 0 } });
    }
  });

  it('speaks for itself again without a node id', () => {
    const h = behind();
    expect(h.forwarded(new Uint8Array())).toBe(0);
    h.connect();
    expect(h.take()).toMatchObject([{ type: PacketType.Connect }]);
    h.hear(connAck());
    expect(h.kinds()).toEqual(['Connected']);
    expect(h.hearOctets(wrap(pingReq()))).toBe(ErrorCode.Unexpected);
  });

  it('has a node id of up to 8 octets, before it connects and with nothing queued', () => {
    const h = new Harness();
    expect(h.forwarded(new Uint8Array(9))).toBe(ErrorCode.TooLong);
    expect(h.verb('forwarded', -1)).toBe(ErrorCode.BadArgument);
    expect(h.forwarded(new Uint8Array(8).fill(1))).toBe(0);
    const online = new Harness().online();
    expect(online.forwarded(NODE)).toBe(ErrorCode.WrongState);
    const queued = new Harness();
    queued.publish(queued.topic('t'), 'x', 1);
    expect(queued.forwarded(NODE)).toBe(ErrorCode.WrongState);
  });

  it('sends again in an envelope, too, and PUBLISH at QoS -1', () => {
    const h = behind();
    h.publish(h.verb('predefined', 1), octetsOf('x'), -1);
    h.connect();
    h.pass(T_RETRY);
    const sent = h.takeSent();
    expect(sent).toHaveLength(3);
    for (const { octets } of sent) expect([...octets.subarray(0, 6)]).toEqual([6, PacketType.Forwarded, 0, ...NODE]);
    expect(sent[1]!.octets).toEqual(sent[2]!.octets);
  });
});

describe('the room of a datagram, less the envelope,', () => {
  it.each([
    ['the longest node id', 8],
    ['the shortest', 1],
  ])('is taken to its last octet: %s', (_what, idBytes) => {
    const h = behind(new Uint8Array(idBytes).fill(5));
    const topic = h.verb('predefined', 1);
    const most = 512 - 9 - 3 - idBytes;
    expect(h.publish(topic, new Uint8Array(most + 1), -1)).toBe(ErrorCode.TooLong);
    expect(h.take()).toEqual([]);
    expect(h.publish(topic, new Uint8Array(most), -1)).toBe(0);
    expect(h.takeSent()[0]!.octets).toHaveLength(512);
  });
});
