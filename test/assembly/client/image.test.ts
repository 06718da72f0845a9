// A device is a block of bytes: whatever it was doing, its image continues elsewhere, and on another clock.
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  Counter,
  ErrorCode,
  EventKind,
  IMAGE_BYTES_AT,
  IMAGE_LAYOUT_AT,
  IMAGE_MAGIC_AT,
  IMAGE_SEAL_AT,
  PacketType,
  ReturnCode,
} from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import {
  advertise,
  connAck,
  disconnect,
  GATEWAY_A,
  Harness,
  LATE,
  Link,
  MODEM,
  N_RETRY,
  only,
  pingResp,
  pubAck,
  pubComp,
  publish,
  pubRec,
  pubRel,
  regAck,
  register,
  searchGw,
  subAck,
  T_GWINFO,
  T_RETRY,
  T_WAIT,
  textOf,
} from '../harness.js';

const wasm = readFileSync(MODEM);

/** The same device in a fresh instance, with another clock: what is saved is all there is. */
function moved(h: Harness, now = 77_000_000): Harness {
  h.poll(); // the device's time is that of its last call
  const image = h.device.save();
  const twin = new Harness({ now: 5, seed: 999, module: new DeviceModule(wasm) });
  twin.now = now;
  twin.device.restore(image, now);
  twin.poll();
  return twin;
}

/** A gateway that answers everything at once. */
function answer(h: Harness): void {
  for (let sent = h.take(); sent.length > 0; sent = h.take()) {
    for (const packet of sent) {
      if (packet.type === PacketType.Connect) h.hear(connAck());
      if (packet.type === PacketType.Register) h.hear(regAck(5, packet.msgId));
      if (packet.type === PacketType.Subscribe) h.hear(subAck(6, packet.msgId, 2));
      if (packet.type === PacketType.Publish && packet.qos === 1) h.hear(pubAck(5, packet.msgId));
      if (packet.type === PacketType.Publish && packet.qos === 2) h.hear(pubRec(packet.msgId));
      if (packet.type === PacketType.PubRel) h.hear(pubComp(packet.msgId));
      if (packet.type === PacketType.PingReq) h.hear(pingResp());
    }
  }
}

/** The end of a QoS 2 message from the gateway. */
const released = (h: Harness): unknown => h.hear(pubRel(40));

/** A day in the life of a device, step by step: each may be the last before the power fails. */
const DAY: readonly ((h: Harness) => unknown)[] = [
  (h) => h.identify(),
  (h) => h.subscribe(h.topic('in'), 2),
  (h) => h.connect(60),
  (h) => h.hear(connAck()),
  (h) => h.hear(subAck(6, subscribeId(h), 2)),
  (h) => h.publish(h.topic('out'), 'hello', 2),
  (h) => h.hear(regAck(5, h.device.call('publish', 1, 0, 1, 0, h.now) - 1)),
  (h) => h.hear(publish(6, 'news', { qos: 2, msgId: 40 })),
  (h) => h.hear(pubRec(headId(h))),
  released,
  (h) => h.hear(pubComp(headId(h))),
  (h) => h.pass(100),
];
const subscribeId = (h: Harness): number => idOf(h, PacketType.Subscribe);
const headId = (h: Harness): number => idOf(h, PacketType.Publish, PacketType.PubRel);
const seen = new WeakMap<Harness, number[][]>();
/** The MsgId of the latest packet of one of these types; remembers what was taken. */
function idOf(h: Harness, ...types: number[]): number {
  const log = seen.get(h) ?? [];
  seen.set(h, log);
  for (const packet of h.take()) if ('msgId' in packet) log.push([packet.type, packet.msgId]);
  return log.filter(([type]) => types.includes(type!)).at(-1)?.[1] ?? 0;
}

describe('an image', () => {
  it('saved after any step of a day goes on where it was: everything published once, nothing delivered twice', () => {
    for (let steps = 1; steps <= DAY.length; steps++) {
      let h = new Harness({ seed: steps });
      const told: { kind: EventKind; data: string }[] = [];
      const listen = () => {
        for (const event of h.events()) told.push({ kind: event.kind, data: textOf(event.data) });
      };
      for (const [i, step] of DAY.entries()) {
        step(h);
        listen();
        if (i + 1 === steps) {
          idOf(h);
          const log = seen.get(h)!;
          h = moved(h);
          seen.set(h, log);
        }
      }
      // Whatever the steps could not finish, time and a gateway that answers do.
      for (let i = 0; i < 20; i++) {
        answer(h);
        // The radio's late copies of what was completed do not outlive a hibernation.
        if (steps <= DAY.indexOf(released)) h.hear(publish(6, 'news', { qos: 2, msgId: 40, dup: true }));
        h.hear(pubRel(40));
        listen();
        h.pass(LATE / 20);
      }
      h.pass(T_RETRY);
      answer(h);
      listen();
      const kinds = told.map((event) => event.kind);
      expect(kinds.filter((kind) => kind === EventKind.Published).length, `cut after step ${steps}`).toBe(2);
      expect(told.filter((event) => event.kind === EventKind.Message).length, `cut after step ${steps}`).toBe(1);
      expect(kinds).toContain(EventKind.Subscribed);
      expect(h.busy).toBe(false);
    }
  });

  it('sends what was in flight at once with DUP, whatever the clock: nobody knows how long it was away', () => {
    const h = new Harness({ now: 1_000 }).online(60);
    const ticket = h.publish(h.verb('predefined', 1), 'x', 1);
    h.pass(4_000);
    for (const now of [0, 77, 2 ** 31 - 3_000, 2 ** 32 - 3_000]) {
      const twin = moved(h, now);
      expect(only(twin.take(), PacketType.Publish)).toMatchObject({ dup: true, msgId: ticket });
      expect(twin.due).toBe(T_RETRY);
    }
  });

  it('has all its tries again: whoever hibernates after every call does not use them up', () => {
    let h = new Harness().online(60);
    h.publish(h.verb('predefined', 1), 'x', 1);
    for (let i = 0; i < 3 * N_RETRY; i++) {
      h = moved(h, i);
      only(h.take(), PacketType.Publish);
    }
    expect(h.link).toBe(Link.Active);
    expect(h.kinds()).toEqual([]);
  });

  it.each([60, 0])('of a quiet session asks at once whether it still stands, keep-alive %d s', (keepAliveS) => {
    const twin = moved(new Harness().online(keepAliveS), 5);
    expect(twin.take()).toEqual([{ type: PacketType.PingReq, clientId: '' }]);
    expect(twin.counter(Counter.Retransmissions)).toBe(0);
    twin.hear(pingResp());
    expect(twin.due).toBe(keepAliveS ? 45_000 : Number.POSITIVE_INFINITY);
  });

  it('of a session that only owes others an answer asks for itself, too', () => {
    const h = new Harness();
    h.discover(1);
    h.identify();
    h.hear(advertise(1, 900), GATEWAY_A);
    h.connect(60);
    h.hear(connAck(), GATEWAY_A);
    h.hear(searchGw(1));
    const twin = moved(h, 5);
    only(twin.take(), PacketType.PingReq);
    twin.pass(T_GWINFO);
    only(twin.take(), PacketType.GwInfo);
  });

  it('of a sleeper wakes at once', () => {
    const asleep = new Harness().online(60).asleep(3_600);
    asleep.pass(1_000);
    const twin = moved(asleep, 5);
    expect(twin.link).toBe(Link.Awake);
    expect(only(twin.take(), PacketType.PingReq).clientId).toBe('dev');
  });

  it('of a lost client connects at once', () => {
    const lost = new Harness().online(60);
    lost.hear(disconnect());
    expect(lost.due).toBeGreaterThan(1_000);
    only(moved(lost, 5).take(), PacketType.Connect);
  });

  it.each<[string, (h: Harness) => void, PacketType]>([
    ['connecting', (h) => [h.identify(), h.connect(60)], PacketType.Connect],
    ['disconnecting', (h) => h.online().disconnect(), PacketType.Disconnect],
    ['falling asleep', (h) => h.online().sleep(60), PacketType.Disconnect],
    ['awake', (h) => h.online().asleep(60).wake(), PacketType.PingReq],
    ['subscribing', (h) => h.online().subscribe(h.topic('a')), PacketType.Subscribe],
    ['registering', (h) => h.online().publish(h.topic('a'), 'x'), PacketType.Register],
    ['searching', (h) => [h.discover(1), h.identify(), h.connect()], PacketType.SearchGw],
  ])('while %s says so again at once', (_what, act, type) => {
    const h = new Harness();
    act(h);
    h.take();
    only(moved(h, 5).take(), type);
  });

  it('keeps what is left of T_WAIT after a congestion, whatever the clock', () => {
    const h = new Harness({ now: 9_000_000 }).online(60);
    const ticket = h.publish(h.verb('predefined', 1), 'x', 1);
    h.hear(pubAck(1, ticket, ReturnCode.Congestion));
    h.take();
    h.pass(1_000);
    for (const now of [0, 2 ** 32 - 3_000]) {
      const twin = moved(h, now);
      only(twin.take(), PacketType.PingReq);
      for (let waited = 0; waited < T_WAIT - 2_000; waited += 1_000) {
        twin.pass(1_000);
        for (const packet of twin.take()) {
          expect(packet.type).toBe(PacketType.PingReq);
          twin.hear(pingResp());
        }
      }
      twin.pass(1_000);
      only(twin.take(), PacketType.Publish);
    }
  });

  it('forgets completed QoS 2 messages: whoever uses a MsgId again meanwhile may mean another, alike', () => {
    for (const now of [0, 1_000_001, 3_000_000_000]) {
      const h = new Harness({ now: 1_000_000 }).online();
      h.verb('short', 0x6162);
      h.hear(publish('ab', 'x', { qos: 2, msgId: 3 }));
      h.hear(pubRel(3));
      const twin = moved(h, now);
      twin.hear(publish('ab', 'x', { qos: 2, msgId: 3 }));
      expect(twin.events(), `moved to ${now}`).toHaveLength(1);
    }
  });

  it('knows QoS 2 messages whose PUBREL has not come, however long it was away', () => {
    for (const now of [0, 1_000_001, 3_000_000_000]) {
      const h = new Harness({ now: 1_000_000 }).online();
      h.verb('short', 0x6162);
      h.hear(publish('ab', 'x', { qos: 2, msgId: 3 }));
      const twin = moved(h, now);
      twin.pass(2 * LATE);
      twin.take();
      twin.hear(publish('ab', 'x', { qos: 2, msgId: 3, dup: true }));
      only(twin.take(), PacketType.PubRec);
      expect(twin.events(), `moved to ${now}`).toEqual([]);
    }
  });

  it('of a sleeper whose wake-up nobody answered takes the next one for the last', () => {
    const asleep = new Harness().online().asleep(600);
    asleep.wake();
    asleep.pass(N_RETRY * T_RETRY + T_RETRY);
    expect(asleep.kinds()).toEqual(['Asleep']);
    const twin = moved(asleep, 5);
    only(twin.take(), PacketType.PingReq);
    twin.pass(N_RETRY * T_RETRY + T_RETRY);
    expect(twin.kinds()).toEqual(['Lost']);
    only(moved(twin, 9).take(), PacketType.Connect);
  });

  it('of a device with its memory kept needs no resume: it does what the other does', () => {
    const h = new Harness().online(60);
    h.subscribed('t', 5, 2);
    h.publish(h.topic('u'), 'x', 2);
    h.hear(register(9, 1, 'v'));
    h.take();
    const twin = new Harness({ now: h.now, module: new DeviceModule(wasm) });
    twin.device.load(h.device.save());
    twin.poll();
    for (const device of [h, twin]) {
      device.pass(T_RETRY);
      device.hear(publish(9, 'x', { qos: 2, msgId: 4 }));
      device.hear(disconnect());
      device.pass(100_000);
    }
    expect(twin.takeSent()).toEqual(h.takeSent());
    expect(twin.events()).toEqual(h.events());
    expect(twin.state()).toEqual(h.state());
  });

  it('with any octet changed is refused by the module, which starts clean', () => {
    const h = new Harness().online(60);
    h.publish(h.topic('t'), 'x', 2);
    const image = h.device.save();
    const { module } = h;
    for (let at = 0; at < image.length; at++) {
      module.memory.set(image, module.imageAt);
      module.memory[module.imageAt + at]! ^= 1 << (at & 7);
      expect(h.device.call('resume', h.now), `octet ${at}`).toBe(ErrorCode.BadImage);
      expect(h.link).toBe(Link.Off);
    }
    expect(h.connect()).toBe(ErrorCode.WrongState); // it has forgotten who it is
    h.identify();
    expect(h.connect()).toBe(0);
  });

  it.each([
    ['magic', IMAGE_MAGIC_AT],
    ['layout', IMAGE_LAYOUT_AT],
    ['length', IMAGE_BYTES_AT],
  ])('with another %s is refused, however well it is sealed', (_what, at) => {
    const h = new Harness().online(60);
    const { module } = h;
    module.memory[module.imageAt + at]! ^= 1;
    expect(h.device.call('seal')).toBe(0);
    expect(h.device.call('resume', h.now)).toBe(ErrorCode.BadImage);
    expect(h.link).toBe(Link.Off);
  });

  it('that was never sealed is refused', () => {
    const h = new Harness().online(60);
    expect(h.device.call('resume', h.now)).toBe(ErrorCode.BadImage);
  });

  it('is sealed by a CRC-32, with the seal itself as 0', () => {
    const image = new Harness().online(60).device.save();
    const view = new DataView(image.buffer);
    const seal = view.getUint32(IMAGE_SEAL_AT, true);
    view.setUint32(IMAGE_SEAL_AT, 0);
    expect(seal).toBe(crc32(image));
  });
});
