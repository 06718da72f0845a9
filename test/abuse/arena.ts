// A broker under attack, in virtual time: bystanders, whose messages must come through at once and in order whatever others do,
// and attackers, who say any bytes and of whom no more is kept than how much they were sent and what they heard last.
import { expect } from 'vitest';
import type { BrokerPorts } from '../../host/broker/broker.js';
import type { BrokerConfig } from '../../host/broker/config.js';
import type { Counters } from '../../host/broker/counters.js';
import type { CloseReason } from '../../host/broker/errors.js';
import { PacketStream } from '../../host/broker/stream.js';
import { type Client5, World5 } from '../conformance/mqtt-5.0-client.js';
import {
  type ConnectIn,
  connect,
  join,
  type PropertiesIn,
  type PublishIn,
  publish,
  readServerPackets,
  type ServerPacket,
  type SubscriptionIn,
  subscribe,
} from '../conformance/mqtt-5.0-wire.js';

const QOS_ALL = [0, 1, 2] as const;
/** Of what an attacker heard, so much is kept. */
const HEARD_BYTES_MAX = 1024 * 1024;

export class Arena extends World5 {
  private readonly publisher: Client5;
  private readonly readers: readonly Client5[];
  private calls = 0;

  constructor(config: Partial<BrokerConfig> = {}, ports: Partial<BrokerPorts> = {}) {
    super(config, ports);
    this.publisher = this.join('bystander');
    this.readers = QOS_ALL.map((qos) => this.reader(`bystander-${qos}`, `bystander/+/${qos}`, qos));
  }

  get counters(): Readonly<Counters> {
    return this.broker.counters;
  }

  /** A message of each QoS goes its way, in no time, behind the one before. */
  bystandersAreWell(): void {
    this.calls++;
    for (const qos of QOS_ALL) {
      expect(this.publisher.publish(`bystander/${this.calls}/${qos}`, `${this.calls}`, { qos })).toBe(0);
      const reader = this.readers[qos]!;
      expect(reader.payloads()).toEqual([`${this.calls}`]);
      reader.isWell(); // and keeps itself alive by that
    }
  }

  /** A network connection that has not said anything. */
  attacker(): Attacker {
    return new Attacker(this);
  }

  /** One that has come in. */
  intruder(clientId: string, options: ConnectIn = {}): Attacker {
    const attacker = this.attacker().say(connect(clientId, options));
    expect(attacker.heard().map(({ type }) => type)).toEqual(['connack']);
    return attacker;
  }

  /** Of a client with a session. */
  info(clientId: string) {
    return this.broker.clients().find((client) => client.clientId === clientId)!;
  }
}

export class Attacker {
  closedBy: CloseReason | undefined;
  isCongested = false;
  /** All that it was ever sent, bytes. */
  sentBytes = 0;
  readonly stream: PacketStream;
  private kept: Uint8Array[] = [];
  private keptBytes = 0;

  constructor(private readonly world: World5) {
    const sink = {
      write: (chunk: Uint8Array): void => this.hear(chunk),
      close: (reason: CloseReason): void => {
        this.closedBy ??= reason;
      },
      isCongested: (): boolean => this.isCongested,
    };
    this.stream = new PacketStream(world.broker, sink, world.now, { peer: { transport: 'tcp' } });
  }

  say(...parts: readonly Uint8Array[]): this {
    this.stream.receive(join(...parts), this.world.now);
    return this;
  }

  publish(topic: string, payload: string | Uint8Array = '', options: PublishIn = {}): this {
    return this.say(publish(topic, payload, options));
  }

  subscribe(subscriptions: readonly SubscriptionIn[], properties?: PropertiesIn): this {
    return this.say(subscribe(1, subscriptions, properties));
  }

  drop(): void {
    this.stream.closed(this.world.now);
  }

  drained(): void {
    this.isCongested = false;
    this.stream.drained(this.world.now);
  }

  /** What it was sent since the last call. */
  heard(): ServerPacket[] {
    expect(this.keptBytes, 'more was heard than is kept').toBeLessThan(HEARD_BYTES_MAX);
    const packets = readServerPackets(join(...this.kept));
    this.forget();
    return packets;
  }

  /** The reason codes of a SUBACK, or of whatever else it hears last. */
  answer(): { readonly type: string; readonly reasons: readonly number[] } {
    const last = this.heard().at(-1);
    if (last === undefined) return { type: 'nothing', reasons: [] };
    if ('reasons' in last) return { type: last.type, reasons: last.reasons };
    return { type: last.type, reasons: 'reason' in last ? [last.reason] : [] };
  }

  forget(): void {
    this.kept = [];
    this.keptBytes = 0;
  }

  private hear(chunk: Uint8Array): void {
    this.sentBytes += chunk.length;
    if (this.keptBytes > HEARD_BYTES_MAX) return;
    this.kept.push(Uint8Array.from(chunk));
    this.keptBytes += chunk.length;
  }
}

/** Of each number from 0 on. */
export const times = <T>(count: number, of: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => of(i));
