// Devices that publish as fast as they are answered, an application that misses nothing, and what was promised to whom.
import { createSocket, type Socket } from 'node:dgram';
import { expect } from 'vitest';
import { PacketType, ReturnCode, TopicType } from '../../assembly/protocol/index.js';
import type { MqttUpstream } from '../../host/net/mqtt-upstream.js';
import { decode, encode, isFault, type Packet } from '../../host/wire/index.js';
import { type Owner, open } from '../host/net/mqtt-upstream-world.js';
import { untilSo } from './brokers.js';
import { HOST } from './world.js';

/** What all publish to: a predefined topic of the gateway. */
export const TOPIC = 'load';
const TOPIC_ID = 1;
export const PREDEFINED = { '*': { [TOPIC_ID]: TOPIC } };
/** A device is patient for so long before it says something again, ms. */
const RETRY_MS = 500;

/** What was promised and what arrived. */
export class Ledger {
  readonly acknowledged = new Set<string>();
  readonly arrived = new Map<string, number>();

  missing(): string[] {
    return [...this.acknowledged].filter((text) => !this.arrived.has(text));
  }
}

/** A client of MQTT-SN that publishes at QoS 1, one after another, and connects again whenever it must. */
export class Talker {
  /** When the last acknowledgement came. */
  lastAckMs = 0;
  acked = 0;
  private msgId = 0;
  private isConnected = false;
  private timer: NodeJS.Timeout | undefined;
  private transmissions = 0;
  private wanted = 0;
  private readonly socket: Socket = createSocket('udp4');

  constructor(
    private readonly clientId: string,
    private readonly port: number,
    private readonly ledger: Ledger,
  ) {
    this.socket.on('message', (octets) => this.receive(decode(new Uint8Array(octets)) as Packet));
  }

  /** Publishes until so many more are acknowledged. */
  talk(count: number): void {
    const isIdle = this.acked === this.wanted;
    this.wanted += count;
    if (isIdle) this.next();
  }

  get isDone(): boolean {
    return this.acked >= this.wanted;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.socket.close();
  }

  private get text(): string {
    return `${this.clientId}-${this.acked}`;
  }

  private next(): void {
    this.transmissions = 0;
    if (this.isDone) {
      clearTimeout(this.timer);
      return;
    }
    this.msgId = (this.msgId % 65_535) + 1;
    this.say();
  }

  private say(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say(), RETRY_MS);
    if (!this.isConnected) {
      const { clientId } = this;
      const connect = { will: false, cleanSession: false, protocolId: 1, duration: 60, clientId } as const;
      this.send({ type: PacketType.Connect, ...connect });
      return;
    }
    this.send({
      type: PacketType.Publish,
      dup: this.transmissions++ > 0,
      qos: 1,
      retain: false,
      topic: { kind: TopicType.Predefined, id: TOPIC_ID },
      msgId: this.msgId,
      data: Buffer.from(this.text),
    });
  }

  private receive(packet: Packet): void {
    if (isFault(packet)) throw new Error(`${packet}`);
    if (packet.type === PacketType.ConnAck) {
      this.isConnected = packet.returnCode === ReturnCode.Accepted;
      if (this.isConnected) this.say();
    } else if (packet.type === PacketType.Disconnect) {
      this.isConnected = false;
      if (!this.isDone) this.say();
    } else if (packet.type === PacketType.PubAck && packet.msgId === this.msgId && !this.isDone) {
      if (packet.returnCode !== ReturnCode.Accepted) return; // congestion: said again in a moment
      this.ledger.acknowledged.add(this.text);
      this.acked++;
      this.lastAckMs = performance.now();
      this.next();
    }
  }

  private send(packet: Packet): void {
    this.socket.send(encode(packet), this.port, HOST);
  }
}

/** An application with a persistent session, which opens it again wherever it is lost. */
export class Application {
  owner!: Owner;
  private isStopped = false;

  constructor(
    private readonly upstream: MqttUpstream,
    private readonly ledger: Ledger,
  ) {}

  /** Resolves once it is subscribed. */
  async start(): Promise<void> {
    await this.connect();
    void this.listen();
    this.owner.subscribe(TOPIC, 1);
    expect(await this.owner.answers.next()).toBe(`${TOPIC} 1`);
  }

  stop(): void {
    this.isStopped = true;
    this.owner?.close(); // there is none where it never connected
  }

  private connect(): Promise<void> {
    return untilSo('the application has a session', async () => {
      this.owner = open(this.upstream, { clientId: 'application', clean: false });
      return (await this.owner.events.next()).startsWith('connected');
    });
  }

  private async listen(): Promise<void> {
    while (!this.isStopped) {
      const event = await this.owner.events.next();
      if (event.startsWith('closed')) {
        await this.connect();
        continue;
      }
      const [, , text, , id] = event.split(' ') as [string, string, string, string, string];
      this.ledger.arrived.set(text, (this.ledger.arrived.get(text) ?? 0) + 1);
      this.owner.acknowledge(Number(id.slice(2)));
    }
  }
}
