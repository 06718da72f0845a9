// Hibernation as a property: after whichever call the device is saved and destroyed, a fresh instance with another clock
// brings every message through, at least once at QoS 1 and exactly once at QoS 2, both ways.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EventKind, PacketType, TopicType } from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import type { Packet } from '../../../host/wire/index.js';
import {
  connAck,
  disconnect,
  Harness,
  MODEM,
  pingResp,
  pubAck,
  pubComp,
  publish,
  pubRec,
  pubRel,
  regAck,
  subAck,
  T_RETRY,
  textOf,
} from '../harness.js';

const wasm = readFileSync(MODEM);
const IN = { kind: TopicType.Predefined, id: 1 } as const;

/** A gateway that answers, keeps what it is given, and sends one message after another until each is acknowledged. */
class Gateway {
  readonly taken: string[] = [];
  private readonly open = new Set<number>();
  private readonly owed: Packet[] = [
    publish(IN, 'down 1', { qos: 1, msgId: 41 }),
    publish(IN, 'down 2', { qos: 2, msgId: 42 }),
    pubRel(42),
    publish(IN, 'down 2 again', { qos: 2, msgId: 43 }),
    pubRel(43),
  ];

  get isDone(): boolean {
    return this.owed.length === 0;
  }

  /** What it sends now, or again. */
  next(): Packet[] {
    return this.owed.slice(0, 1);
  }

  hear(packet: Packet): Packet[] {
    switch (packet.type) {
      case PacketType.Connect:
        return [connAck()];
      case PacketType.Register:
        return [regAck(5, packet.msgId)];
      case PacketType.Subscribe:
        return [subAck(6, packet.msgId, 2)];
      case PacketType.PingReq:
        return [pingResp()];
      case PacketType.Disconnect:
        return [disconnect()];
      case PacketType.Publish:
        return this.take(packet);
      case PacketType.PubRel:
        this.open.delete(packet.msgId);
        return [pubComp(packet.msgId)];
      default:
        this.settle(packet);
        return [];
    }
  }

  private take({ qos, msgId, data }: Packet & { type: PacketType.Publish }): Packet[] {
    if (qos !== 2 || !this.open.has(msgId)) this.taken.push(textOf(data));
    if (qos !== 2) return [pubAck(5, msgId)];
    this.open.add(msgId);
    return [pubRec(msgId)];
  }

  private settle(packet: Packet): void {
    const [head] = this.owed;
    if (head === undefined || !('msgId' in packet) || !('msgId' in head) || packet.msgId !== head.msgId) return;
    const isAnswer =
      head.type === PacketType.PubRel
        ? packet.type === PacketType.PubComp
        : packet.type === (head.type === PacketType.Publish && head.qos === 1 ? PacketType.PubAck : PacketType.PubRec);
    if (isAnswer) this.owed.shift();
  }
}

/** The same device in a fresh instance, on another clock. */
function moved(h: Harness, now: number): Harness {
  const image = h.device.save();
  const twin = new Harness({ now: 5, seed: 999, module: new DeviceModule(wasm) });
  twin.now = now;
  twin.device.restore(image, now);
  twin.poll();
  return twin;
}

interface Cut {
  /** The call after which the device is destroyed. */
  readonly after: number;
  /** What was on the way is lost with it. */
  readonly loses: boolean;
  readonly now: number;
}

/** Runs the flows to their end. Returns what arrived, what was told, and how many calls it took. */
function run(cut?: Cut): { calls: number; up: string[]; down: string[]; published: number; isDone: boolean } {
  const gateway = new Gateway();
  let h = new Harness({ seed: 3 });
  const down: string[] = [];
  let published = 0;
  let onTheWay: Packet[] = [];
  let calls = 0;
  const call = (act: (h: Harness) => unknown): void => {
    act(h);
    calls++;
    for (const event of h.events()) {
      if (event.kind === EventKind.Message) down.push(textOf(event.data));
      if (event.kind === EventKind.Published) published++;
    }
    const isCut = cut?.after === calls;
    if (isCut) {
      const sent = h.take();
      if (!cut.loses) onTheWay.push(...sent.flatMap((packet) => gateway.hear(packet)));
      else onTheWay = [];
      h = moved(h, cut.now);
    }
    onTheWay.push(...h.take().flatMap((packet) => gateway.hear(packet)));
  };
  call((d) => d.identify());
  call((d) => d.verb('predefined', IN.id));
  call((d) => d.connect(60));
  call((d) => d.publish(d.topic('out'), 'up 1', 1));
  call((d) => d.publish(1, 'up 2', 2));
  call((d) => d.publish(1, 'up 2 again', 2));
  const isDone = (): boolean => gateway.isDone && !h.busy && onTheWay.length === 0;
  for (let i = 0; i < 60 && !isDone(); i++) {
    const packet = onTheWay.shift();
    if (packet !== undefined) call((d) => d.hear(packet));
    else if (h.link === 2) for (const next of gateway.next()) call((d) => d.hear(next));
    if (onTheWay.length === 0 && i % 5 === 4) call((d) => d.pass(T_RETRY));
  }
  return { calls, up: gateway.taken, down, published, isDone: isDone() };
}

describe('a device that is saved, destroyed and restored', () => {
  const undisturbed = run();

  it('brings everything through where nothing happens to it', () => {
    expect(undisturbed).toMatchObject({
      up: ['up 1', 'up 2', 'up 2 again'],
      down: ['down 1', 'down 2', 'down 2 again'],
      published: 3,
      isDone: true,
    });
    expect(undisturbed.calls).toBeGreaterThan(18);
  });

  it.each([
    { loses: false, now: 0 },
    { loses: true, now: 0 },
    { loses: false, now: 2 ** 31 - 4 },
    { loses: true, now: 2 ** 32 - 7_000 },
  ])('does so after whichever call it was: $loses that what was on the way is lost, at $now', ({ loses, now }) => {
    for (let after = 1; after <= undisturbed.calls; after++) {
      const { up, down, published, isDone } = run({ after, loses, now });
      const at = `after call ${after}`;
      expect(isDone, at).toBe(true);
      expect([...new Set(up)], at).toEqual(['up 1', 'up 2', 'up 2 again']);
      expect([...new Set(down)], at).toEqual(['down 1', 'down 2', 'down 2 again']);
      for (const messages of [up, down]) {
        expect(messages.filter((message) => message.includes('2')).length, `${at}: exactly once`).toBe(2);
      }
      expect(published, at).toBe(3);
    }
  });
});
