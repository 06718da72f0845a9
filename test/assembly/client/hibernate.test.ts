// Hibernation as a property: after whichever call the device is saved and destroyed, a fresh instance with another clock
// brings every message through, at least once at QoS 1 and exactly once at QoS 2, both ways.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EventKind, PacketType, TopicType } from '../../../assembly/protocol/index.js';
import { DeviceModule } from '../../../host/device/device.js';
import type { Packet } from '../../../host/wire/index.js';
import {
  advertise,
  connAck,
  disconnect,
  GATEWAY_A,
  GATEWAY_B,
  gwInfo,
  Harness,
  Link,
  MODEM,
  N_RETRY,
  pingResp,
  pubAck,
  pubComp,
  publish,
  pubRec,
  pubRel,
  regAck,
  type Sent,
  subAck,
  textOf,
  willMsgReq,
  willMsgResp,
  willTopicReq,
  willTopicResp,
} from '../harness.js';

const wasm = readFileSync(MODEM);
const IN = { kind: TopicType.Predefined, id: 1 } as const;
const DURATION_S = 65_535;

interface OnAir {
  readonly packet: Packet;
  readonly from: Uint8Array;
}

/**
 * A broker behind two gateways, of which any may be dead. It takes what it is given, and sends one message after another until
 * each is acknowledged; MsgIds are its own, so handshakes go on at either gateway. Topic ids are a gateway's.
 */
class World {
  readonly taken: string[] = [];
  readonly dead = new Set<Uint8Array>();
  will = '';
  private at = GATEWAY_A;
  private state: 'off' | 'active' | 'asleep' | 'awake' = 'off';
  private readonly open = new Set<number>();
  private readonly owed: Packet[] = [];
  private lastMsgId = 40;

  /** Messages for the device. */
  owe(qos: 1 | 2, data: string): void {
    const msgId = ++this.lastMsgId;
    this.owed.push(publish(IN, data, { qos, msgId }));
    if (qos === 2) this.owed.push(pubRel(msgId));
  }

  get isDone(): boolean {
    return this.owed.length === 0;
  }

  /** What it sends now, or again. PINGRESP is the end of what it has for a sleeper. */
  next(): OnAir[] {
    if (this.state === 'off' || this.state === 'asleep' || this.dead.has(this.at)) return [];
    const [head] = this.owed;
    if (head !== undefined) return [{ packet: head, from: this.at }];
    if (this.state !== 'awake') return [];
    this.state = 'asleep';
    return [{ packet: pingResp(), from: this.at }];
  }

  /** What it answers. Searching is heard by whoever lives. */
  hear({ packet, to }: Sent): OnAir[] {
    if (packet.type === PacketType.SearchGw) {
      const alive = [GATEWAY_A, GATEWAY_B].filter((gateway) => !this.dead.has(gateway));
      return alive.map((from) => ({ packet: gwInfo(from === GATEWAY_A ? 1 : 2), from }));
    }
    const gateway = to.join() === GATEWAY_B.join() ? GATEWAY_B : GATEWAY_A;
    if (this.dead.has(gateway)) return [];
    if (packet.type === PacketType.Connect) this.at = gateway;
    return this.answer(packet).map((answer) => ({ packet: answer, from: gateway }));
  }

  private answer(packet: Packet): Packet[] {
    switch (packet.type) {
      case PacketType.Connect:
        this.state = 'active';
        return [packet.will ? willTopicReq() : connAck()];
      case PacketType.WillTopic:
        return [willMsgReq()];
      case PacketType.WillMsg:
        this.will = textOf(packet.message);
        return [connAck()];
      case PacketType.WillTopicUpd:
        return [willTopicResp()];
      case PacketType.WillMsgUpd:
        this.will = textOf(packet.message);
        return [willMsgResp()];
      case PacketType.Register:
        return [regAck(this.topicId, packet.msgId)];
      case PacketType.Subscribe:
        return [subAck(this.topicId + 1, packet.msgId, 2)];
      case PacketType.PingReq:
        if (packet.clientId === '') return [pingResp()];
        this.state = 'awake';
        return this.next().map((sending) => sending.packet);
      case PacketType.Disconnect:
        this.state = packet.duration === undefined ? 'off' : 'asleep';
        return [disconnect()];
      case PacketType.Publish:
        return this.take(packet);
      case PacketType.PubRel:
        this.open.delete(packet.msgId);
        return [pubComp(packet.msgId)];
      default:
        return this.settle(packet);
    }
  }

  private get topicId(): number {
    return this.at === GATEWAY_A ? 5 : 15;
  }

  private take({ qos, msgId, data, topic }: Packet & { type: PacketType.Publish }): Packet[] {
    expect(topic, 'an id of this gateway').toMatchObject({ id: this.topicId });
    if (qos !== 2 || !this.open.has(msgId)) this.taken.push(textOf(data));
    if (qos !== 2) return [pubAck(this.topicId, msgId)];
    this.open.add(msgId);
    return [pubRec(msgId)];
  }

  /** An acknowledgement of what is at the head: PUBREL follows PUBREC at once, and a sleeper's next message its last. */
  private settle(packet: Packet): Packet[] {
    const [head] = this.owed;
    if (head === undefined || !('msgId' in packet) || !('msgId' in head) || packet.msgId !== head.msgId) return [];
    const isAnswer =
      head.type === PacketType.PubRel
        ? packet.type === PacketType.PubComp
        : packet.type === (head.type === PacketType.Publish && head.qos === 1 ? PacketType.PubAck : PacketType.PubRec);
    if (!isAnswer) return [];
    this.owed.shift();
    return this.next().map((sending) => sending.packet);
  }
}

interface Step {
  readonly act: (h: Harness, world: World) => unknown;
  /** When the next step may come; until then time goes by and packets come and go. */
  readonly until?: (h: Harness, world: World) => boolean;
}

interface Story {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly up: readonly string[];
  readonly down: readonly string[];
  readonly will?: string;
}

const isThrough = (h: Harness, world: World): boolean => world.isDone && !h.busy && h.link === Link.Active;
const isAsleep = (h: Harness): boolean => h.link === Link.Asleep;
const isEmpty = (h: Harness, world: World): boolean => world.isDone && h.link === Link.Asleep;

const wakeUp: readonly Step[] = [
  { act: (h) => h.identify() },
  { act: (h) => h.verb('predefined', IN.id) },
  { act: (h) => h.topic('out') },
];
const discover: readonly Step[] = [
  { act: (h) => h.discover(1) },
  { act: (h) => h.hear(advertise(1, DURATION_S), GATEWAY_A) },
  { act: (h) => h.hear(advertise(2, DURATION_S), GATEWAY_B) },
];
const goOnline: Step = { act: (h) => h.connect(60), until: isThrough };
const fallAsleep: Step = { act: (h) => h.sleep(600), until: isAsleep };
const send = (data: string, qos: 1 | 2): Step => ({ act: (h) => h.publish(1, data, qos) });
const owe: Step = {
  act: (_h, world) => {
    world.owe(1, 'down 1');
    world.owe(2, 'down 2');
    world.owe(2, 'down 2 again');
  },
};
const UP = ['up 1', 'up 2', 'up 2 again'];
const DOWN = ['down 1', 'down 2', 'down 2 again'];

const STORIES: readonly Story[] = [
  {
    name: 'connects, publishes and receives',
    steps: [
      ...wakeUp,
      owe,
      { act: (h) => h.connect(60) },
      send('up 1', 1),
      send('up 2', 2),
      { ...send('up 2 again', 2), until: isThrough },
    ],
    up: UP,
    down: DOWN,
  },
  {
    name: 'sleeps, wakes to what was kept for it, and connects',
    steps: [
      ...wakeUp,
      goOnline,
      fallAsleep,
      owe,
      send('up 1', 1),
      { act: (h) => h.wake(), until: isEmpty },
      send('up 2', 2),
      send('up 2 again', 2),
      { ...goOnline, act: (h) => h.connect(60) },
    ],
    up: UP,
    down: DOWN,
  },
  {
    name: 'searches for a gateway',
    steps: [
      ...wakeUp,
      { act: (_h, world) => world.dead.add(GATEWAY_A).add(GATEWAY_B) },
      { act: (h) => h.discover(1) },
      owe,
      { act: (h) => h.connect(60) },
      send('up 1', 1),
      send('up 2', 2),
      { act: (h) => h.pass(h.due) },
      { act: (h) => h.pass(h.due) },
      { act: (_h, world) => world.dead.delete(GATEWAY_B) },
      { ...send('up 2 again', 2), until: isThrough },
    ],
    up: UP,
    down: DOWN,
  },
  {
    name: 'changes its will',
    steps: [
      ...wakeUp,
      { act: (h) => h.will(1, 'first', 1) },
      goOnline,
      send('up 1', 1),
      owe,
      { act: (h) => h.will(1, 'second', 1) },
      send('up 2', 2),
      { ...send('up 2 again', 2), until: isThrough },
    ],
    up: UP,
    down: DOWN,
    will: 'second',
  },
  {
    name: 'goes to another gateway in the middle of handshakes',
    steps: [
      ...wakeUp,
      ...discover,
      goOnline,
      owe,
      send('up 1', 1),
      send('up 2', 2),
      { ...send('up 2 again', 2), until: (_h, world) => new Set(world.taken).size === 2 },
      { act: (_h, world) => world.dead.add(GATEWAY_A), until: isThrough },
    ],
    up: UP,
    down: DOWN,
  },
  {
    name: 'loses its gateway while it sleeps',
    steps: [
      ...wakeUp,
      ...discover,
      goOnline,
      fallAsleep,
      owe,
      send('up 1', 1),
      send('up 2', 2),
      { ...send('up 2 again', 2), until: isAsleep },
      { act: (_h, world) => world.dead.add(GATEWAY_A), until: isThrough },
    ],
    up: UP,
    down: DOWN,
  },
];

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

interface Outcome {
  readonly up: readonly string[];
  readonly down: readonly string[];
  readonly published: number;
  readonly will: string;
  readonly isDone: boolean;
  /** The state after each call. */
  readonly links: readonly number[];
}

/** Runs a story to its end. */
function run({ steps }: Story, cut?: Cut): Outcome {
  const world = new World();
  let h = new Harness({ seed: 3 });
  const down: string[] = [];
  let published = 0;
  let onTheWay: OnAir[] = [];
  const links: number[] = [];
  const carry = (): void => void onTheWay.push(...h.takeSent().flatMap((sent) => world.hear(sent)));
  const call = (act: (h: Harness) => unknown): void => {
    act(h);
    links.push(h.link);
    for (const event of h.events()) {
      if (event.kind === EventKind.Message) down.push(textOf(event.data));
      if (event.kind === EventKind.Published) published++;
    }
    if (cut?.after === links.length) {
      if (cut.loses) {
        h.take();
        onTheWay = [];
      } else carry();
      h = moved(h, cut.now);
    }
    carry();
  };
  /** One packet that is on the way; else one that the gateway sends; and where nothing comes of that, time. */
  const goOn = (): void => {
    const isOnTheWay = onTheWay.length > 0;
    const packets = isOnTheWay ? onTheWay.splice(0, 1) : world.next();
    for (const { packet, from } of packets) call((d) => d.hear(packet, from));
    if (!isOnTheWay && onTheWay.length === 0) call((d) => d.pass(Math.min(d.due, 600_000)));
  };
  let isDone = true;
  for (const { act, until } of steps) {
    call((d) => act(d, world));
    if (until === undefined) continue;
    for (let i = 0; i < 200 && !until(h, world); i++) goOn();
    isDone &&= until(h, world);
    onTheWay = []; // the radio forgets: an answer that came twice is none to the next step
  }
  return { up: world.taken, down, published, will: world.will, isDone, links };
}

describe.each(STORIES)('a device that is saved, destroyed and restored, and that $name,', (story) => {
  const undisturbed = run(story);

  it('brings everything through where nothing happens to it', () => {
    const { up, down, will = '' } = story;
    expect(undisturbed).toMatchObject({ up, down, will, published: up.length, isDone: true });
    expect(undisturbed.links.length).toBeGreaterThan(18);
  });

  it.each([
    { loses: false, now: 0 },
    { loses: true, now: 0 },
    { loses: false, now: 2 ** 31 - 4 },
    { loses: true, now: 2 ** 32 - 7_000 },
  ])('does so after whichever call it was: $loses that what was on the way is lost, at $now', ({ loses, now }) => {
    for (let after = 1; after <= undisturbed.links.length; after++) {
      const { up, down, will, published, isDone } = run(story, { after, loses, now });
      const at = `after call ${after}, in state ${undisturbed.links[after - 1]}`;
      expect(isDone, at).toBe(true);
      expect([...new Set(up)], at).toEqual(story.up);
      expect([...new Set(down)], at).toEqual(story.down);
      for (const messages of [up, down]) {
        expect(messages.filter((message) => message.includes('2')).length, `${at}: exactly once`).toBe(2);
      }
      expect(published, at).toBe(story.up.length);
      expect(will, at).toBe(story.will ?? '');
    }
  });
});

describe('the cuts', () => {
  it('come in every state of a session, and in the middle of what is sent there', () => {
    const met = new Set(STORIES.flatMap((story) => run(story).links));
    const { Off, Connecting, Active, FallingAsleep, Asleep, Awake, Lost, Searching } = Link;
    for (const link of [Off, Connecting, Active, FallingAsleep, Asleep, Awake, Lost, Searching]) {
      expect(met).toContain(link);
    }
    const awake = run(STORIES[1]!).links.filter((link) => link === Awake);
    expect(awake.length).toBeGreaterThan(4);
    expect(run(STORIES[5]!).links.filter((link) => link === Awake).length).toBeGreaterThan(2 * N_RETRY);
  });
});
