// Gateways come and go (6.1): who is heard of, who is asked for, and on whose behalf a client answers.
import { describe, expect, it } from 'vitest';
import { Counter, ErrorCode, PacketType } from '../../../assembly/protocol/index.js';
import { encode } from '../../../host/wire/index.js';
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
  publish,
  searchGw,
  T_GWINFO,
  T_RETRY,
  T_SEARCHGW,
} from '../harness.js';

const GIVE_UP = T_RETRY * (N_RETRY + 1);
const RECONNECT_MAX = 300_000;
const DURATION_S = 900;
const STRANGER = Uint8Array.of(9, 9, 9, 9, 9, 9);

/** Discovering, with a client id; not connected. */
function seeker(seed = 7, radius = 1): Harness {
  const h = new Harness({ seed, now: 0 });
  h.identify();
  expect(h.discover(radius)).toBe(0);
  return h;
}

/** Active with gateway 1 at GATEWAY_A, discovering. */
function settled(seed = 7): Harness {
  const h = seeker(seed);
  h.hear(advertise(1, DURATION_S), GATEWAY_A);
  h.connect();
  h.take();
  h.hear(connAck(), GATEWAY_A);
  expect(h.kinds()).toEqual(['Connected']);
  return h;
}

describe('without discovery, as at power-on,', () => {
  it('nothing is searched for and nobody is listened to', () => {
    const h = new Harness();
    for (const packet of [advertise(1, 900), searchGw(1), gwInfo(1)]) {
      expect(h.hear(packet, GATEWAY_A)).toBe(ErrorCode.Unexpected);
    }
    h.identify();
    h.connect();
    const [sent] = h.takeSent();
    expect(sent).toMatchObject({ packet: { type: PacketType.Connect }, to: new Uint8Array() });
    expect(h.counter(Counter.Unexpected)).toBe(3);
  });

  it('the board says where to connect, and the session is with who answers', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.takeSent();
    h.hear(connAck(), GATEWAY_A);
    h.verb('short', 0x6162);
    h.publish(0, 'x');
    expect(h.takeSent()[0]!.to).toEqual(GATEWAY_A);
    expect(h.hear(disconnect(), GATEWAY_B)).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Active);
    h.hear(disconnect(), GATEWAY_A);
    h.pass(T_RETRY);
    expect(h.takeSent()[0]!.to).toEqual(new Uint8Array());
  });

  it('a sleeper wakes where its session is', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.hear(connAck(), GATEWAY_A);
    h.asleep(60);
    h.connect();
    expect(h.takeSent()[0]).toMatchObject({ packet: { type: PacketType.Connect }, to: GATEWAY_A });
  });

  it('can be turned off again, in the middle of a search: the board chooses', () => {
    const h = seeker();
    h.connect();
    expect(h.link).toBe(Link.Searching);
    h.discover(0);
    h.pass(1);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: new Uint8Array() }]);
    expect(h.hear(advertise(1, 900), GATEWAY_A)).toBe(ErrorCode.Unexpected);
  });
});

describe('discovery that begins', () => {
  it('after a session that the board chose, searches for the next', () => {
    const h = new Harness().online();
    h.disconnect();
    h.hear(disconnect());
    h.discover(1);
    h.connect();
    expect(h.link).toBe(Link.Searching);
  });

  it('again has forgotten whom it knew', () => {
    const h = seeker();
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.discover(0);
    h.discover(1);
    h.connect();
    expect(h.link).toBe(Link.Searching);
  });

  it('during a session leaves that where it is, and so does its end', () => {
    const h = settled();
    for (const radius of [0, 1, 0]) {
      h.discover(radius);
      expect(h.hear(disconnect(), GATEWAY_B)).toBe(ErrorCode.Unexpected);
      h.verb('short', 0x6162);
      h.publish(0, 'x');
      expect(h.takeSent()[0]!.to).toEqual(GATEWAY_A);
    }
  });

  it('with a radius that does not fit an octet does not', () => {
    expect(new Harness().discover(256)).toBe(ErrorCode.BadArgument);
    expect(new Harness().discover(-1)).toBe(ErrorCode.BadArgument);
  });
});

describe('ADVERTISE', () => {
  it('heard before says where to connect, without a search', () => {
    const h = seeker();
    expect(h.hear(advertise(1, DURATION_S), GATEWAY_A)).toBe(0);
    expect(h.takeSent()).toEqual([]);
    h.connect();
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_A }]);
    h.hear(connAck(), GATEWAY_A);
    expect(h.kinds()).toEqual(['Connected']);
  });

  it('says where PUBLISH at QoS -1 goes, without a session', () => {
    const h = seeker();
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.publish(h.verb('predefined', 1), 'x', -1);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Publish }, to: GATEWAY_A }]);
  });

  it('heard without a CONNECT begins nothing', () => {
    const h = seeker();
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.pass(10_000_000);
    expect(h.take()).toEqual([]);
  });

  it('counts for N_ADV times its Duration, and no longer', () => {
    for (const [ms, link] of [
      [3 * DURATION_S * 1000 - 1, Link.Connecting],
      [3 * DURATION_S * 1000, Link.Searching],
    ] as const) {
      const h = seeker();
      h.hear(advertise(1, DURATION_S), GATEWAY_A);
      h.pass(ms);
      h.connect();
      expect(h.link).toBe(link);
    }
  });

  it.each([0, 60])('never counts again, however far the clock goes, keep-alive %d s', (keepAliveS) => {
    const h = seeker();
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.connect(keepAliveS);
    h.hear(connAck(), GATEWAY_A);
    h.hear(advertise(2, 1), GATEWAY_B);
    const end = 2 ** 31 + 10_000;
    while (h.now < end) {
      h.pass(Math.min(end - h.now, 1_000_000_000, h.due));
      for (const packet of h.take()) if (packet.type === PacketType.PingReq) h.hear(pingResp(), GATEWAY_A);
    }
    expect(h.link).toBe(Link.Active);
    h.hear(disconnect(), GATEWAY_A);
    h.pass(T_RETRY + GIVE_UP + T_SEARCHGW);
    expect(h.link).toBe(Link.Searching);
    expect(h.takeSent().every(({ to }) => !to.length || to.join() === GATEWAY_A.join())).toBe(true);
  });

  it('counts anew with each that comes', () => {
    const h = seeker();
    for (let i = 0; i < 4; i++) {
      h.hear(advertise(1, DURATION_S), GATEWAY_A);
      h.pass(2 * DURATION_S * 1000);
    }
    h.connect();
    expect(h.link).toBe(Link.Connecting);
  });

  it('heard during a search ends it', () => {
    const h = seeker();
    h.connect();
    h.pass(T_SEARCHGW);
    only(h.take(), PacketType.SearchGw);
    h.hear(advertise(2, DURATION_S), GATEWAY_B);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_B }]);
  });

  it('of a radio without addresses does the same: the board sends where it always sends', () => {
    const h = seeker();
    h.connect();
    h.pass(T_SEARCHGW);
    h.take();
    h.hear(advertise(2, DURATION_S));
    h.hear(connAck());
    expect(h.link).toBe(Link.Active);
  });

  it('of strangers in floods turns the table over and never the gateway in use', () => {
    const h = settled();
    for (let i = 0; i < 1_000; i++) {
      expect(h.hear(advertise(i & 255, 65_535), Uint8Array.of(10, i >> 8, i & 255, 1, 2, 3))).toBe(0);
    }
    expect(h.take()).toEqual([]);
    h.verb('short', 0x6162);
    h.publish(0, 'x');
    expect(h.takeSent()[0]!.to).toEqual(GATEWAY_A);
    expect(h.hear(publish('ab', 'y'), GATEWAY_A)).toBe(0);
  });

  it('takes the place of a gateway that is no longer there before that of one that is', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const h = settled(seed);
      h.hear(advertise(2, 1), GATEWAY_B);
      h.hear(advertise(3, DURATION_S), GATEWAY_C);
      h.pass(3_000);
      h.hear(advertise(4, DURATION_S), STRANGER);
      h.publish(h.verb('predefined', 1), 'x', 1);
      h.pass(3 * (GIVE_UP + T_SEARCHGW));
      const tried = h.takeSent().filter(({ packet }) => packet.type === PacketType.Connect);
      expect(new Set(tried.map(({ to }) => to.join()))).toEqual(new Set([STRANGER.join(), GATEWAY_C.join()]));
    }
  });

  it('that ran out does not end what the gateway in use is: whoever sleeps hears none', () => {
    const h = settled();
    h.hear(advertise(1, 1), GATEWAY_A);
    h.sleep(600);
    h.hear(disconnect(), GATEWAY_A);
    h.take();
    h.pass(60_000);
    h.connect();
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_A }]);
  });

  it('with the GwId of the gateway in use, from elsewhere, changes nothing for it', () => {
    const h = settled();
    h.hear(advertise(1, DURATION_S), STRANGER);
    h.verb('short', 0x6162);
    h.publish(0, 'x');
    expect(h.takeSent()[0]!.to).toEqual(GATEWAY_A);
  });

  it('is no sign of life of the gateway in use', () => {
    const h = seeker();
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.connect(60);
    h.hear(connAck(), GATEWAY_A);
    h.take();
    h.pass(44_000);
    h.hear(advertise(2, DURATION_S), GATEWAY_B);
    h.pass(1_000);
    only(h.take(), PacketType.PingReq);
  });

  it('is heard in any state, also before there is a client id', () => {
    const h = new Harness();
    h.discover(1);
    expect(h.hear(advertise(1, DURATION_S), GATEWAY_A)).toBe(0);
    h.identify();
    h.connect();
    expect(h.takeSent()[0]!.to).toEqual(GATEWAY_A);
  });
});

describe('the search', () => {
  it('asks after a random delay below T_SEARCHGW, with its radius, everyone in reach', () => {
    const delays = new Set<number>();
    for (let seed = 1; seed <= 100; seed++) {
      const h = seeker(seed, 3);
      h.connect();
      expect(h.link).toBe(Link.Searching);
      expect(h.take()).toEqual([]);
      delays.add(h.due);
      h.pass(h.due);
      expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.SearchGw, radius: 3 }, to: new Uint8Array() }]);
    }
    expect(delays.size).toBeGreaterThan(90);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(T_SEARCHGW);
  });

  it('asks again with pauses that double from T_retry up to the longest, each between half and all of it', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const h = seeker(seed);
      h.connect();
      h.pass(T_SEARCHGW + 10 * RECONNECT_MAX);
      const times = h.takeSent().map((sent) => sent.at);
      expect(times.length).toBeGreaterThan(10);
      for (const [i, at] of times.slice(1).entries()) {
        const whole = Math.min(T_RETRY * 2 ** i, RECONNECT_MAX);
        expect(at - times[i]!, `pause ${i}`).toBeGreaterThanOrEqual(whole / 2);
        expect(at - times[i]!, `pause ${i}`).toBeLessThan(whole);
      }
      expect(h.link).toBe(Link.Searching);
    }
  });

  it('counts the SEARCHGW of another, heard before its own, as its own', () => {
    const h = seeker();
    h.connect();
    const delay = h.due;
    expect(h.hear(searchGw(1), STRANGER)).toBe(0);
    h.pass(delay);
    expect(h.take()).toEqual([]);
    expect(h.due + delay).toBeGreaterThanOrEqual(T_RETRY / 2);
    h.hear(gwInfo(1), GATEWAY_A);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_A }]);
  });

  it('is not silenced for good by others that search all the time', () => {
    const h = seeker();
    h.connect();
    for (let i = 0; i < 40; i++) {
      h.hear(searchGw(1), STRANGER);
      h.pass(1_000);
    }
    first(h.take(), PacketType.SearchGw);
  });

  it('begins again at once when the application connects', () => {
    const h = seeker();
    h.connect();
    h.pass(1_000_000);
    h.take();
    expect(h.connect()).toBe(0);
    expect(h.due).toBeLessThan(T_SEARCHGW);
  });

  it('ends with a good-bye that needs no packet', () => {
    const h = seeker();
    h.connect();
    expect(h.disconnect()).toBe(0);
    expect(h.kinds()).toEqual(['Disconnected']);
    h.pass(1_000_000);
    expect(h.take()).toEqual([]);
  });

  it('takes no messages and sends none', () => {
    const h = seeker();
    h.connect();
    h.verb('short', 0x6162);
    h.publish(0, 'x', 1);
    h.subscribe(0);
    expect(h.take()).toEqual([]);
    expect(h.hear(publish('ab', 'y'), GATEWAY_A)).toBe(ErrorCode.Unexpected);
    expect(h.hear(connAck(), GATEWAY_A)).toBe(ErrorCode.Unexpected);
    expect(h.sleep(60)).toBe(ErrorCode.WrongState);
  });
});

describe('GWINFO', () => {
  it('of a gateway says that it is where it was sent from', () => {
    const h = seeker();
    h.connect();
    h.pass(T_SEARCHGW);
    h.take();
    expect(h.hear(gwInfo(2), GATEWAY_B)).toBe(0);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_B }]);
  });

  it('of a client says where the gateway is', () => {
    const h = seeker();
    h.connect();
    expect(h.hear(gwInfo(2, GATEWAY_B), STRANGER)).toBe(0);
    expect(h.takeSent()).toMatchObject([{ packet: { type: PacketType.Connect }, to: GATEWAY_B }]);
    h.hear(connAck(), GATEWAY_B);
    expect(h.link).toBe(Link.Active);
  });

  it('heard before it is needed is remembered until the gateway is lost', () => {
    const h = seeker();
    h.hear(gwInfo(2), GATEWAY_B);
    h.pass(2 ** 30);
    h.connect();
    expect(h.takeSent()).toMatchObject([{ to: GATEWAY_B }]);
    h.pass(GIVE_UP);
    expect(h.link).toBe(Link.Searching);
  });

  it('with an address longer than there is room for is no use', () => {
    const h = seeker();
    h.connect();
    expect(h.hear(gwInfo(2, new Uint8Array(19).fill(1)), STRANGER)).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Searching);
    expect(h.hear(gwInfo(2, new Uint8Array(18).fill(1)), STRANGER)).toBe(0);
    expect(h.takeSent()).toMatchObject([{ to: new Uint8Array(18).fill(1) }]);
  });
});

describe('SEARCHGW of another', () => {
  it('is answered on behalf of the gateway after a random delay below T_GWINFO, to everyone in reach', () => {
    const delays = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const h = settled(seed);
      expect(h.hear(searchGw(1), STRANGER)).toBe(0);
      expect(h.take()).toEqual([]);
      delays.add(h.due);
      h.pass(h.due);
      expect(h.takeSent()).toMatchObject([
        { packet: { type: PacketType.GwInfo, gwId: 1, gwAdd: GATEWAY_A }, to: new Uint8Array() },
      ]);
      h.pass(100_000);
      expect(h.take()).toEqual([]);
    }
    expect(delays.size).toBeGreaterThan(50);
    expect(Math.max(...delays)).toBeLessThan(T_GWINFO);
  });

  it('is left to who is faster: GWINFO heard cancels it', () => {
    const h = settled();
    h.hear(searchGw(1), STRANGER);
    h.hear(gwInfo(2), GATEWAY_B);
    h.pass(T_GWINFO);
    expect(h.take()).toEqual([]);
    h.hear(searchGw(1), STRANGER);
    h.pass(T_GWINFO);
    only(h.take(), PacketType.GwInfo);
  });

  it('in floods is answered once every delay', () => {
    const h = settled();
    for (let i = 0; i < 100; i++) h.hear(searchGw(1), STRANGER);
    h.pass(T_GWINFO);
    only(h.take(), PacketType.GwInfo);
    // Nor does who asks again put the answer off.
    h.hear(searchGw(1), STRANGER);
    const { due } = h;
    for (let ms = 1; ms < Math.min(due, 50); ms++) {
      h.pass(1).hear(searchGw(1), STRANGER);
      expect(h.due).toBe(due - ms);
    }
  });

  it('is not answered without a session, nor where the address is not known', () => {
    const h = seeker();
    h.hear(advertise(1, DURATION_S), GATEWAY_A);
    h.hear(searchGw(1), STRANGER);
    h.pass(T_GWINFO);
    expect(h.take()).toEqual([]);
    const nowhere = seeker();
    nowhere.hear(advertise(1, DURATION_S));
    nowhere.connect();
    nowhere.accept();
    nowhere.hear(searchGw(1));
    nowhere.pass(T_GWINFO);
    expect(nowhere.take()).toEqual([]);
  });

  it('is not answered while the gateway that the board chose has not said its GwId', () => {
    const h = new Harness();
    h.identify();
    h.connect();
    h.hear(connAck(), GATEWAY_A);
    h.discover(1);
    h.take();
    h.hear(searchGw(1), STRANGER);
    h.pass(T_GWINFO);
    expect(h.take()).toEqual([]);
    h.hear(advertise(5, DURATION_S), GATEWAY_A);
    h.hear(searchGw(1), STRANGER);
    h.pass(T_GWINFO);
    expect(only(h.take(), PacketType.GwInfo)).toMatchObject({ gwId: 5 });
  });
});

describe('a stranger', () => {
  it.each([
    connAck(),
    disconnect(),
    publish('ab', 'x', { qos: 1, msgId: 1 }),
    { type: PacketType.PingReq, clientId: '' } as const,
    { type: PacketType.WillTopicReq } as const,
  ])('has no say in the session: packet $type', (packet) => {
    const h = settled();
    const unexpected = h.counter(Counter.Unexpected);
    expect(h.hear(packet, GATEWAY_C)).toBe(ErrorCode.Unexpected);
    expect(h.counter(Counter.Unexpected)).toBe(unexpected + 1);
    expect(h.take()).toEqual([]);
    expect(h.kinds()).toEqual([]);
    expect(h.link).toBe(Link.Active);
  });

  it("with an address that begins like the gateway's, or is its beginning, is one", () => {
    const h = settled();
    expect(h.hear(disconnect(), GATEWAY_A.subarray(0, 5))).toBe(ErrorCode.Unexpected);
    expect(h.hear(disconnect(), Uint8Array.of(...GATEWAY_A, 0))).toBe(ErrorCode.Unexpected);
    expect(h.link).toBe(Link.Active);
  });

  it('whose length the board got wrong is nobody known', () => {
    const h = settled();
    const { module } = h;
    h.hear(advertise(2, DURATION_S), GATEWAY_B); // brings no answer
    expect(module.memory[module.peerAt]).toBe(0); // a board without addresses never writes there
    const octets = encode(disconnect());
    h.device.write(octets);
    module.memory[module.peerAt] = 255;
    expect(h.device.call('receive', octets.length, h.now)).toBe(0);
    expect(module.memory[module.peerAt]).toBe(0);
  });
});
