// A process of its own that holds many clients, and says what they cost: node --expose-gc memory-process.js PART STATE COUNT.
// It runs in virtual time, and keeps nothing of a client itself: what the heap has gained is the gateway's, or the
// gateway's and the broker's. The answer is one JSON document on stdout.
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../assembly/protocol/index.js';
import { Broker } from '../host/broker/broker.js';
import { BrokerUpstream } from '../host/broker/upstream.js';
import { Xoshiro128 } from '../host/core/random.js';
import { Gateway } from '../host/gateway/index.js';
import type { Message, Millis, Upstream, UpstreamEvents, UpstreamSession } from '../host/ports.js';
import { decode, encode, isFault, type Packet } from '../host/wire/index.js';

/** Whose memory is looked at: the gateway's, before a broker that keeps nothing; or with that of Thimble's own broker. */
export type Part = 'gateway' | 'gateway and broker';
/** Of all clients. The sleepers have a message waiting. */
export type State = 'connected' | 'asleep';

/** Octets after the garbage was collected, all clients together. */
export interface Held {
  readonly heapBytes: number;
  /** Outside of V8's heap: the contents of larger arrays of octets. */
  readonly externalBytes: number;
}

const KEEP_ALIVE_S = 600;
const SLEEP_S = 3_600;
const PAYLOAD_BYTES = 32;
const FIRST_PORT = 1_024;
const PORTS = 60_000;
/** Clients that go first. */
const REHEARSING = 1_000;
const COLLECTIONS = 4;

/** Agrees to everything and remembers nothing but who came last. */
class ForgetfulUpstream implements Upstream, UpstreamSession {
  readonly qosMax = 2;
  private last: UpstreamEvents | undefined;

  open(_options: unknown, events: UpstreamEvents, now: Millis): UpstreamSession {
    this.last = events;
    events.connected(false, now);
    return this;
  }

  send(message: Message, now: Millis): void {
    this.last?.message(message, 1, false, now);
  }

  publish(...[, , , now, done]: Parameters<UpstreamSession['publish']>): void {
    done('taken', now);
  }

  release(...[, now, done]: Parameters<UpstreamSession['release']>): void {
    done(now);
  }

  subscribe(...[, qos, now, done]: Parameters<UpstreamSession['subscribe']>): void {
    done(qos, now);
  }

  unsubscribe(...[, now, done]: Parameters<UpstreamSession['unsubscribe']>): void {
    done(now);
  }

  acknowledge(): void {}
  complete(): void {}
  close(): void {}
  abort(): void {}
}

/** A gateway and one client after another: `sendToSleep` is for the one that `introduce` brought. */
class World {
  private readonly gateway: Gateway;
  /** Sends the message to the client that came last. */
  private readonly sendDown: (message: Message, now: Millis) => void;
  private now = 0;
  private answer: Packet | undefined;

  constructor(part: Part) {
    const forgetful = new ForgetfulUpstream();
    const broker = new Broker({}, { random: new Xoshiro128(1) });
    const isAlone = part === 'gateway';
    this.sendDown = (message, now) => (isAlone ? forgetful.send(message, now) : broker.publish(message, now));
    this.gateway = new Gateway(
      { sessionsMax: PORTS, tAdvMs: 0 },
      {
        link: { send: (to, datagram) => this.arrives(to, datagram), broadcast: () => {} },
        upstream: isAlone ? forgetful : new BrokerUpstream(broker),
        random: new Xoshiro128(2),
      },
    );
    this.gateway.start(this.now);
  }

  /** CONNECT, REGISTER, SUBSCRIBE, and a message of QoS 1 in each direction. */
  introduce(client: number): void {
    const at = addressOf(client);
    const clientId = `sensor-${String(client).padStart(8, '0')}`;
    const duration = KEEP_ALIVE_S;
    this.ask(
      at,
      { type: PacketType.Connect, will: false, cleanSession: false, protocolId: PROTOCOL_ID, duration, clientId },
      PacketType.ConnAck,
    );
    const registered = this.ask(
      at,
      { type: PacketType.Register, topicId: 0, msgId: 1, topicName: `home/${clientId}/temperature` },
      PacketType.RegAck,
    );
    const topic = topicOf(client);
    this.ask(
      at,
      { type: PacketType.Subscribe, dup: false, qos: 1, msgId: 2, topic: { kind: TopicType.Normal, name: topic } },
      PacketType.SubAck,
    );
    const flags = { dup: false, qos: 1, retain: false } as const;
    const data = new Uint8Array(PAYLOAD_BYTES);
    this.ask(
      at,
      {
        type: PacketType.Publish,
        ...flags,
        topic: { kind: TopicType.Normal, id: topicIdIn(registered) },
        msgId: 3,
        data,
      },
      PacketType.PubAck,
    );
    this.answer = undefined;
    this.sendDown(messageTo(client), ++this.now);
    if (this.seen()?.type !== PacketType.Publish) throw new Error('the gateway did not deliver');
  }

  /** DISCONNECT with a duration; then a message comes for the client. */
  sendToSleep(client: number): void {
    this.ask(addressOf(client), { type: PacketType.Disconnect, duration: SLEEP_S }, PacketType.Disconnect);
    this.answer = undefined;
    this.sendDown(messageTo(client), ++this.now);
    if (this.seen() !== undefined) throw new Error(`the gateway woke a sleeper with packet type ${this.seen()?.type}`);
  }

  /** What is waiting for clients, as the gateway counts it. */
  get waiting(): number {
    return this.gateway.gauges().bufferedMessages;
  }

  private ask(at: string, packet: Packet, expected: PacketType): Packet {
    this.answer = undefined;
    this.gateway.receive(at, encode(packet), ++this.now);
    const answer = this.seen();
    const isRefused = answer !== undefined && 'returnCode' in answer && answer.returnCode !== ReturnCode.Accepted;
    if (answer?.type !== expected || isRefused) {
      throw new Error(`packet type ${packet.type} was answered with ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  /** Apart, so that the compiler does not believe to know it. */
  private seen(): Packet | undefined {
    return this.answer;
  }

  private arrives(to: string, datagram: Uint8Array): void {
    const packet = decode(datagram);
    if (isFault(packet)) throw new Error(`the gateway sent what is no packet: ${packet.code}`);
    this.answer = packet;
    if (packet.type !== PacketType.Publish || packet.topic.kind === TopicType.Short) return;
    const { msgId, topic } = packet;
    const acknowledgement = encode({
      type: PacketType.PubAck,
      topicId: topic.id,
      msgId,
      returnCode: ReturnCode.Accepted,
    });
    this.gateway.receive(to, acknowledgement, this.now);
  }
}

function topicIdIn(answer: Packet): number {
  if (!('topicId' in answer)) throw new Error(`packet type ${answer.type} has no topic id`);
  return answer.topicId;
}

const addressOf = (client: number): string => `10.0.0.1:${FIRST_PORT + client}`;
const topicOf = (client: number): string => `home/sensor-${String(client).padStart(8, '0')}/set`;

const messageTo = (client: number): Message => ({
  topic: topicOf(client),
  payload: new Uint8Array(PAYLOAD_BYTES),
  qos: 1,
  retain: false,
});

async function collected(): Promise<Held> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('this process needs --expose-gc');
  for (let i = 0; i < COLLECTIONS; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve)); // what V8 has put off
  }
  const { heapUsed, external } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external };
}

/** What a new world gains by so many clients. */
async function gainOf(part: Part, state: State, clients: number): Promise<Held> {
  const world = new World(part);
  const before = await collected();
  for (let client = 0; client < clients; client++) {
    world.introduce(client);
    if (state === 'asleep') world.sendToSleep(client);
  }
  const after = await collected();
  // It also keeps the world from being collected before it was measured.
  const expected = state === 'asleep' ? clients : 0;
  if (world.waiting !== expected) throw new Error(`${world.waiting} messages wait, not ${expected}`);
  return { heapBytes: after.heapBytes - before.heapBytes, externalBytes: after.externalBytes - before.externalBytes };
}

const [, , part, state, count] = process.argv as unknown as [string, string, Part, State, string];
await gainOf(part, state, REHEARSING); // so that what V8 compiles is nobody's
process.stdout.write(JSON.stringify(await gainOf(part, state, Number(count))));
