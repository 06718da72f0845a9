// A broker in virtual time and clients that say what the test says and note what they hear.
import { Broker } from '../../../host/broker/broker.js';
import type { BrokerConfig } from '../../../host/broker/config.js';
import type { Connection } from '../../../host/broker/connection.js';
import type { CloseReason } from '../../../host/broker/errors.js';
import {
  type AckPacket,
  ackPacket,
  type BrokerMessage,
  type ConnectPacket,
  type Packet,
  type PublishPacket,
  plainMessage,
  publishPacket,
} from '../../../host/broker/packets.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import type { Millis, Qos } from '../../../host/ports.js';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A message without what MQTT 5.0 adds. */
export const messageOf = (topic: string, payload = '', qos: Qos = 0, retain = false): BrokerMessage =>
  plainMessage({ topic, payload: utf8(payload), qos, retain });

export class World {
  now: Millis = 1_000;
  readonly broker: Broker;

  constructor(config: Partial<BrokerConfig> = {}) {
    this.broker = new Broker(config, { random: new Xoshiro128(1) });
  }

  /** A connection that has not said anything. */
  dial(): ScriptedClient {
    return new ScriptedClient(this);
  }

  /** A connection with a session; its CONNACK is taken, what follows is not. */
  connect(clientId: string, options: Partial<ConnectPacket> = {}): ScriptedClient {
    const client = this.dial();
    client.connect(clientId, options);
    client.connack = client.takeFirst();
    return client;
  }

  subscriber(clientId: string, filter: string, qos: Qos = 0, options: Partial<ConnectPacket> = {}): ScriptedClient {
    const client = this.connect(clientId, options);
    client.subscribe(filter, qos);
    client.take();
    return client;
  }

  publish(topic: string, payload = '', qos: Qos = 0, retain = false): void {
    this.broker.publish({ topic, payload: utf8(payload), qos, retain }, this.now);
  }

  /** Lets time pass and the broker do what is due, each thing at its own moment. */
  pass(ms: Millis): void {
    const end = this.now + ms;
    while (this.broker.nextDue() <= end) {
      this.now = Math.max(this.now, this.broker.nextDue());
      this.broker.poll(this.now);
    }
    this.now = end;
    this.broker.poll(end);
  }
}

export class ScriptedClient {
  readonly connection: Connection;
  closedBy: CloseReason | undefined;
  connack: Packet | undefined;
  isCongested = false;
  /** Called for each packet, inside the broker's call. */
  onPacket: (packet: Packet) => void = () => {};
  private heard: Packet[] = [];

  constructor(private readonly world: World) {
    this.connection = world.broker.accept(
      {
        send: (packet) => {
          this.heard.push(packet);
          this.onPacket(packet);
        },
        close: (reason) => {
          this.closedBy = reason;
        },
        isCongested: () => this.isCongested,
      },
      world.now,
    );
  }

  say(packet: Packet): void {
    this.connection.receive(packet, this.world.now);
  }

  connect(clientId: string, options: Partial<ConnectPacket> = {}): void {
    this.say({ cmd: 'connect', clientId, clean: true, keepalive: 0, ...options });
  }

  publish(topic: string, payload = '', qos: Qos = 0, messageId = 0, retain = false, dup = false): void {
    this.say(publishPacket(messageOf(topic, payload, qos, retain), qos, retain, messageId, dup));
  }

  subscribe(topic: string, qos: Qos = 0, messageId = 1): void {
    this.say({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos }] });
  }

  ack(cmd: AckPacket['cmd'], messageId: number): void {
    this.say(ackPacket(cmd, messageId));
  }

  disconnect(): void {
    this.say({ cmd: 'disconnect', reasonCode: ReasonCode.Success });
  }

  drop(): void {
    this.connection.closed(this.world.now);
  }

  drained(): void {
    this.isCongested = false;
    this.connection.drained(this.world.now);
  }

  /** What was heard since the last call. */
  take(): Packet[] {
    const heard = this.heard;
    this.heard = [];
    return heard;
  }

  takeFirst(): Packet | undefined {
    return this.heard.shift();
  }

  /** The PUBLISHes heard since the last call; everything else is let go. */
  messages(): PublishPacket[] {
    return this.take().filter((packet) => packet.cmd === 'publish');
  }

  /** The payloads of these, as text. */
  texts(): string[] {
    return this.messages().map((packet) => textOf(packet.payload));
  }
}
