// A device and a scripted gateway in virtual time. The gateway is the test: it reads with the host's codec what the device
// sends, and says what it wants. Nothing sleeps; `pass` moves the clock from one deadline of the device to the next.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import {
  type Counter,
  EventKind,
  IMAGE_MAGIC_AT,
  IMAGE_SEAL_AT,
  PacketType,
  TopicType,
} from '../../assembly/protocol/index.js';
import type { DeviceEvent } from '../../host/device/abi.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import type { Qos } from '../../host/ports.js';
import { decode, encode, isFault, type Packet, type PublishTopic } from '../../host/wire/index.js';

export const T_RETRY = 10_000;
export const N_RETRY = 5;
export const T_WAIT = 301_000;
export const LATE = 5_000;
export const T_SEARCHGW = 5_000;
export const T_GWINFO = 5_000;

/** Addresses as on UDP: IPv4 and port. */
export const GATEWAY_A = Uint8Array.of(10, 0, 0, 1, 7, 92);
export const GATEWAY_B = Uint8Array.of(10, 0, 0, 2, 7, 92);
export const GATEWAY_C = Uint8Array.of(10, 0, 0, 3, 7, 92);

/** What `link()` returns. */
export const Link = {
  Off: 0,
  Connecting: 1,
  Active: 2,
  Disconnecting: 3,
  FallingAsleep: 4,
  Asleep: 5,
  Awake: 6,
  Lost: 7,
  Searching: 8,
} as const;

export const MODEM = new URL('../../build/modules/modem-mqttsn.wasm', import.meta.url);
const modem = new DeviceModule(readFileSync(MODEM), 'modem-mqttsn');

export interface Sent {
  readonly at: number;
  readonly packet: Packet;
  readonly octets: Uint8Array;
  /** The radio's address it went to, empty for the board's default. */
  readonly to: Uint8Array;
}

export const octetsOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (octets: Uint8Array): string => new TextDecoder().decode(octets);

/** So that a failing test says which event it was. */
const KIND: Record<number, string> = {
  [EventKind.Connected]: 'Connected',
  [EventKind.Refused]: 'Refused',
  [EventKind.Disconnected]: 'Disconnected',
  [EventKind.Lost]: 'Lost',
  [EventKind.Asleep]: 'Asleep',
  [EventKind.Message]: 'Message',
  [EventKind.Published]: 'Published',
  [EventKind.PublishFailed]: 'PublishFailed',
  [EventKind.Subscribed]: 'Subscribed',
  [EventKind.SubscribeFailed]: 'SubscribeFailed',
  [EventKind.Unsubscribed]: 'Unsubscribed',
  [EventKind.WillUpdated]: 'WillUpdated',
};

export interface HarnessOptions {
  readonly now?: number;
  readonly seed?: number;
  /** Shares an instance by default: that is how devices live on the host. */
  readonly module?: DeviceModule;
}

export class Harness {
  readonly module: DeviceModule;
  device: Device;
  now: number;
  /** False while the radio takes nothing. */
  radio = true;
  private sent: Sent[] = [];
  private told: DeviceEvent[] = [];
  private dueAt = Number.POSITIVE_INFINITY;
  private readonly board = {
    send: (datagram: Uint8Array, to: Uint8Array): number => {
      if (!this.radio) return -1;
      const octets = datagram.slice();
      const packet = decode(octets);
      if (isFault(packet)) throw new Error(`the device sent no MQTT-SN: ${packet.code}`);
      this.sent.push({ at: this.now, packet, octets, to: to.slice() });
      return datagram.length;
    },
    event: (event: DeviceEvent): void => void this.told.push(event),
  };

  constructor({ now = 1_000, seed = 7, module = modem }: HarnessOptions = {}) {
    this.module = module;
    this.now = now;
    this.device = module.create(this.board);
    expect(this.device.start(now, seed)).toBe(0);
    this.poll();
  }

  poll(): number {
    const ms = this.device.poll(this.now);
    expect(ms).toBeGreaterThanOrEqual(0);
    this.dueAt = this.now + ms;
    return ms;
  }

  /** Milliseconds until the device wants to act. */
  get due(): number {
    return this.dueAt - this.now;
  }

  /** Time goes by, and the device acts whenever it wants to. */
  pass(ms: number): this {
    const end = this.now + ms;
    for (let calls = 0; this.dueAt <= end; calls++) {
      if (calls > 100_000) throw new Error('the device does not come to rest');
      this.now = this.dueAt;
      this.poll();
    }
    this.now = end;
    return this;
  }

  /** The gateway's datagram arrives, from an address where the radio has them. Returns what `receive` returned. */
  hear(packet: Packet, from?: Uint8Array): number {
    return this.hearOctets(encode(packet), from);
  }

  hearOctets(octets: Uint8Array, from?: Uint8Array): number {
    const result = this.device.receive(octets, this.now, from);
    this.poll();
    return result;
  }

  /** Calls a verb, then `poll`, as firmware does. */
  verb(name: string, ...args: number[]): number {
    const result = this.device.call(name, ...args);
    this.poll();
    return result;
  }

  /** What the device has sent since the last call. */
  take(): Packet[] {
    return this.takeSent().map((sent) => sent.packet);
  }

  takeSent(): Sent[] {
    return this.sent.splice(0);
  }

  /** What the device has told since the last call. */
  events(): DeviceEvent[] {
    return this.told.splice(0);
  }

  /** The same, by name. */
  kinds(): string[] {
    return this.events().map((event) => KIND[event.kind] ?? String(event.kind));
  }

  get link(): number {
    return this.device.call('link');
  }

  get busy(): boolean {
    return this.device.call('busy') === 1;
  }

  counter(counter: Counter): number {
    return this.device.counter(counter);
  }

  // The client's verbs.

  identify(id = 'dev'): number {
    return this.verb('identify', this.device.write(octetsOf(id)));
  }

  topic(name: string | Uint8Array): number {
    return this.verb('topic', this.device.write(typeof name === 'string' ? octetsOf(name) : name));
  }

  publish(handle: number, data: string | Uint8Array, qos: Qos | -1 = 0, retain = false): number {
    const bytes = this.device.write(typeof data === 'string' ? octetsOf(data) : data);
    return this.verb('publish', handle, bytes, qos, retain ? 1 : 0, this.now | 0);
  }

  subscribe(handle: number, qos: Qos = 1): number {
    return this.verb('subscribe', handle, qos);
  }

  unsubscribe(handle: number): number {
    return this.verb('unsubscribe', handle);
  }

  will(handle: number, message: string, qos: Qos = 0, retain = false): number {
    return this.verb('will', handle, this.device.write(octetsOf(message)), qos, retain ? 1 : 0);
  }

  connect(keepAliveS = 0, clean = false): number {
    return this.verb('connect', keepAliveS, clean ? 1 : 0, this.now | 0);
  }

  disconnect(): number {
    return this.verb('disconnect', this.now | 0);
  }

  discover(radius: number): number {
    return this.verb('discover', radius);
  }

  forwarded(nodeId: Uint8Array): number {
    return this.verb('forwarded', this.device.write(nodeId));
  }

  sleep(seconds: number): number {
    return this.verb('sleep', seconds, this.now | 0);
  }

  wake(): number {
    return this.verb('wake', this.now | 0);
  }

  // The gateway's side of common dialogues.

  /** Identified and connected; nothing to take, no events. */
  online(keepAliveS = 0, clean = false): this {
    this.identify();
    this.connect(keepAliveS, clean);
    this.accept();
    return this;
  }

  /** CONNACK to whoever connects; forgets what was sent and told until then. */
  accept(): this {
    expect(this.hear(connAck())).toBe(0);
    expect(this.link).toBe(Link.Active);
    this.events();
    this.takeSent();
    return this;
  }

  /** A topic with an id, by the client's own REGISTER. */
  registered(name: string, id: number): number {
    const handle = this.topic(name);
    this.publish(handle, '', 0);
    const register = this.take().find((packet) => packet.type === PacketType.Register)!;
    this.hear(regAck(id, register.msgId));
    this.take();
    return handle;
  }

  /** A filter that is subscribed; `id` 0 for wildcards. */
  subscribed(name: string, id: number, qos: Qos = 1): number {
    const handle = this.topic(name);
    this.subscribe(handle, qos);
    const [subscribe] = this.take().filter((packet) => packet.type === PacketType.Subscribe);
    this.hear(subAck(id, subscribe!.msgId, qos));
    this.events();
    return handle;
  }

  /** Asleep, with nothing to take and no events. */
  asleep(seconds: number): this {
    expect(this.sleep(seconds)).toBe(0);
    this.hear(disconnect());
    expect(this.link).toBe(Link.Asleep);
    this.events();
    this.takeSent();
    return this;
  }

  /** The state without what means nothing between two calls: scratch, buffers, the time of the last call. */
  state(): Uint8Array {
    const image = this.device.save();
    const state = image.slice(0, this.module.peerAt - this.module.imageAt);
    return state
      .fill(0, CLIENT_AT + CLIENT.now, CLIENT_AT + CLIENT.now + 4)
      .fill(0, PACKET_AT, IMAGE_MAGIC_AT)
      .fill(0, IMAGE_SEAL_AT, IMAGE_SEAL_AT + 4);
  }

  /** Sets an octet of the client's record; see class Client. */
  poke(offset: number, value: number): void {
    const image = this.device.save();
    image[CLIENT_AT + offset] = value;
    this.device.load(image);
  }
}

/** Where class Client lies in the image, and the packet behind it. */
const CLIENT_AT = 8;
const PACKET_AT = 60;
/** Offsets in class Client. */
export const CLIENT = { events: 8, lastMsgId: 16, now: 24 } as const;

// Packets of a gateway.

export const connAck = (returnCode = 0): Packet => ({ type: PacketType.ConnAck, returnCode });
export const advertise = (gwId: number, duration: number): Packet => ({ type: PacketType.Advertise, gwId, duration });
export const searchGw = (radius: number): Packet => ({ type: PacketType.SearchGw, radius });
export const gwInfo = (gwId: number, gwAdd = new Uint8Array()): Packet => ({ type: PacketType.GwInfo, gwId, gwAdd });
export const disconnect = (): Packet => ({ type: PacketType.Disconnect, duration: undefined });
export const pingReq = (): Packet => ({ type: PacketType.PingReq, clientId: '' });
export const pingResp = (): Packet => ({ type: PacketType.PingResp });
export const willTopicReq = (): Packet => ({ type: PacketType.WillTopicReq });
export const willMsgReq = (): Packet => ({ type: PacketType.WillMsgReq });
export const willTopicResp = (returnCode = 0): Packet => ({ type: PacketType.WillTopicResp, returnCode });
export const willMsgResp = (returnCode = 0): Packet => ({ type: PacketType.WillMsgResp, returnCode });
export const register = (topicId: number, msgId: number, topicName: string): Packet => ({
  type: PacketType.Register,
  topicId,
  msgId,
  topicName,
});
export const regAck = (topicId: number, msgId: number, returnCode = 0): Packet => ({
  type: PacketType.RegAck,
  topicId,
  msgId,
  returnCode,
});
export const pubAck = (topicId: number, msgId: number, returnCode = 0): Packet => ({
  type: PacketType.PubAck,
  topicId,
  msgId,
  returnCode,
});
export const pubRec = (msgId: number): Packet => ({ type: PacketType.PubRec, msgId });
export const pubRel = (msgId: number): Packet => ({ type: PacketType.PubRel, msgId });
export const pubComp = (msgId: number): Packet => ({ type: PacketType.PubComp, msgId });
export const subAck = (topicId: number, msgId: number, qos: Qos = 0, returnCode = 0): Packet => ({
  type: PacketType.SubAck,
  qos,
  topicId,
  msgId,
  returnCode,
});
export const unsubAck = (msgId: number): Packet => ({ type: PacketType.UnsubAck, msgId });
export const publish = (
  topic: number | string | PublishTopic,
  data: string | Uint8Array,
  {
    qos = 0,
    msgId = 0,
    dup = false,
    retain = false,
  }: { qos?: Qos; msgId?: number; dup?: boolean; retain?: boolean } = {},
): Packet => ({
  type: PacketType.Publish,
  dup,
  qos,
  retain,
  topic:
    typeof topic === 'number'
      ? { kind: TopicType.Normal, id: topic }
      : typeof topic === 'string'
        ? { kind: TopicType.Short, name: topic }
        : topic,
  msgId,
  data: typeof data === 'string' ? octetsOf(data) : data,
});

/** The shape of a packet type, also of those that share one. */
type Of<T extends PacketType> = Packet extends infer P
  ? P extends { readonly type: infer U }
    ? T extends U
      ? P
      : never
    : never
  : never;

/** The only packet of a list, which is of this type. */
export function only<T extends PacketType>(packets: readonly Packet[], type: T): Of<T> {
  expect(packets).toEqual([expect.objectContaining({ type })]);
  return packets[0] as unknown as Of<T>;
}

/** The first packet of this type. */
export function first<T extends PacketType>(packets: readonly Packet[], type: T): Of<T> {
  expect(packets).toContainEqual(expect.objectContaining({ type }));
  return packets.find((packet) => packet.type === type) as unknown as Of<T>;
}
