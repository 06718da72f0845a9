// A broker that does nothing by itself, and an owner that writes down what it hears: for the tests of MqttUpstream.
import { createServer, type Server, type Socket } from 'node:net';
import { generate, type IConnackPacket, type IConnectPacket, type Packet, parser } from 'mqtt-packet';
import { monotonicNow } from '../../../host/net/clock.js';
import { MqttUpstream, type MqttUpstreamOptions } from '../../../host/net/mqtt-upstream.js';
import type { Message, PublishOutcome, Qos, UpstreamEvents, UpstreamSession } from '../../../host/ports.js';

export const HOST = '127.0.0.1';

/** What comes, in order, to be awaited. */
export class Queue<T> {
  readonly items: T[] = [];
  private waiting: ((item: T) => void)[] = [];

  push(item: T): void {
    const next = this.waiting.shift();
    if (next === undefined) this.items.push(item);
    else next(item);
  }

  next(): Promise<T> {
    const item = this.items.shift();
    return item === undefined ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve(item);
  }
}

/** One client's connection, seen from the broker. */
export class Wire {
  readonly packets = new Queue<Packet>();
  readonly closed: Promise<void>;
  version: 4 | 5 = 4;
  /** The broker's. */
  readonly port: number;

  constructor(readonly socket: Socket) {
    this.port = socket.localPort!;
    const incoming = parser({});
    incoming.on('packet', (packet) => {
      if (packet.cmd === 'connect') this.version = packet.protocolVersion as 4 | 5;
      this.packets.push(packet);
    });
    incoming.on('error', () => {}); // what a client says is not always MQTT
    socket.on('data', (octets) => incoming.parse(octets));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  send(...packets: Packet[]): void {
    for (const packet of packets) this.socket.write(generate(packet, { protocolVersion: this.version }));
  }

  /** The next packet, which must be of this kind. */
  async take<C extends Packet['cmd']>(cmd: C): Promise<Packet & { cmd: C }> {
    const packet = await this.packets.next();
    if (packet.cmd !== cmd) throw new Error(`${cmd} expected, not ${JSON.stringify(packet)}`);
    return packet as Packet & { cmd: C };
  }

  async accept(connack: Partial<IConnackPacket> = {}): Promise<IConnectPacket> {
    const packet = await this.take('connect');
    const code = this.version === 5 ? { reasonCode: 0 } : { returnCode: 0 };
    this.send({ cmd: 'connack', sessionPresent: false, ...code, ...connack } as IConnackPacket);
    return packet;
  }

  /** Takes the question for QoS 2 and grants this. */
  async grant(qos: Qos | 0x80 = 2): Promise<void> {
    const { messageId, subscriptions } = await this.take('subscribe');
    if (subscriptions[0]!.qos !== 2) throw new Error('no question for QoS 2');
    this.send({ cmd: 'suback', messageId: messageId!, granted: [qos] });
    const unsubscribe = await this.take('unsubscribe');
    if (unsubscribe.unsubscriptions[0] !== subscriptions[0]!.topic) throw new Error('another filter');
    this.send({ cmd: 'unsuback', messageId: unsubscribe.messageId!, granted: [] });
  }
}

export class ScriptedBroker {
  readonly seen: Wire[] = [];
  private server!: Server;

  /** `wires`: where connections are put; may be shared with other brokers. */
  constructor(readonly wires = new Queue<Wire>()) {}

  get url(): string {
    return `mqtt://${HOST}:${this.port}`;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  async listen(port = 0): Promise<this> {
    this.server = createServer({ noDelay: true }, (socket) => {
      const wire = new Wire(socket);
      this.seen.push(wire);
      this.wires.push(wire);
    });
    await new Promise<void>((resolve) => this.server.listen(port, HOST, resolve));
    return this;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.seen) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** An owner of one session. Events are lines of text. */
export class Owner implements UpstreamEvents {
  readonly events = new Queue<string>();
  readonly answers = new Queue<string>();
  session!: UpstreamSession;

  connected(sessionPresent: boolean): void {
    this.events.push(`connected ${sessionPresent}`);
  }

  message({ topic, payload, qos, retain }: Message, id: number, dup: boolean): void {
    const flags = `${retain ? ' retain' : ''}${dup ? ' dup' : ''}`;
    this.events.push(`message ${topic} ${Buffer.from(payload)} qos${qos} id${id}${flags}`);
  }

  released(id: number): void {
    this.events.push(`released ${id}`);
  }

  closed(reason: string): void {
    this.events.push(`closed ${reason}`);
  }

  /** Publishes `topic payload`; the outcome is among `answers` as `id outcome`. */
  publish(text: string, qos: Qos, id: number, { dup = false, retain = false } = {}): void {
    const [topic, payload] = text.split(' ') as [string, string];
    const done = (outcome: PublishOutcome): void => this.answers.push(`${id} ${outcome}`);
    this.session.publish({ topic, payload: Buffer.from(payload), qos, retain }, id, dup, monotonicNow(), done);
  }

  release(id: number): void {
    this.session.release(id, monotonicNow(), () => this.answers.push(`${id} complete`));
  }

  acknowledge(id: number): void {
    this.session.acknowledge(id, monotonicNow());
  }

  complete(id: number): void {
    this.session.complete(id, monotonicNow());
  }

  subscribe(filter: string, qos: Qos): void {
    this.session.subscribe(filter, qos, monotonicNow(), (granted) => this.answers.push(`${filter} ${granted}`));
  }

  unsubscribe(filter: string): void {
    this.session.unsubscribe(filter, monotonicNow(), () => this.answers.push(`${filter} gone`));
  }

  close(): void {
    this.session.close(monotonicNow());
  }

  abort(): void {
    this.session.abort(monotonicNow());
  }
}

export interface OpenOptions {
  readonly clientId?: string;
  readonly clean?: boolean;
  readonly will?: Message;
}

export function open(upstream: MqttUpstream, options: OpenOptions = {}): Owner {
  const owner = new Owner();
  owner.session = upstream.open({ clientId: 'dev', clean: true, ...options }, owner, monotonicNow());
  return owner;
}

export const makeUpstream = (
  urls: string | readonly string[],
  options: Partial<MqttUpstreamOptions> = {},
): MqttUpstream => new MqttUpstream({ urls: [urls].flat(), clock: monotonicNow, ...options });

/** A message of QoS 1 by default, from the broker. */
export const fromBroker = (text: string, qos: Qos, messageId: number, flags = {}): Packet => {
  const [topic, payload] = text.split(' ') as [string, string];
  return { cmd: 'publish', topic, payload, qos, messageId, dup: false, retain: false, ...flags };
};
