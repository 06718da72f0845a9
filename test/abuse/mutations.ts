// Whole conversations of all versions, made to meet one another: few topics, filters, identifiers and clients. And then bytes
// changed, cut off, put in and joined.
import { generate, type Packet as WirePacket } from 'mqtt-packet';
import type { Level } from '../../host/broker/packets.js';
import { between, type Xoshiro128 } from '../../host/core/random.js';
import { times } from './arena.js';

const TOPICS = [
  'a',
  'a/b',
  'a/b/c',
  'b',
  'c/1',
  'c/2',
  'c/3',
  'x/y',
  'forbidden',
  '$SYS/x',
  '$mine',
  'ü/ß',
  '/',
  'a//b',
];
const FILTERS = [
  ...TOPICS,
  '#',
  '+',
  'a/#',
  '+/b',
  '+/+',
  'c/+',
  '$share/g/a/#',
  '$share/g/c/+',
  '$share/h/#',
  '$mine/#',
];
const LONG = ['d'.repeat(300), times(12, (i) => `${i}`).join('/'), 'e'.repeat(3_000)];
const CLIENTS = 120;
const IDS = 15;
const POOL = 3_000;

export class Conversations {
  private readonly pools: ReadonlyMap<Level, readonly Uint8Array[]>;

  constructor(private readonly random: Xoshiro128) {
    const levels: readonly Level[] = [3, 4, 5];
    this.pools = new Map(levels.map((level) => [level, times(POOL, () => this.encode(this.packet(level), level))]));
  }

  connect(level: Level): Uint8Array {
    const { random } = this;
    const isLasting = this.chance(2);
    const five = {
      ...(isLasting && { sessionExpiryInterval: between(random, 1, 100) }),
      ...(this.chance(3) && { receiveMaximum: between(random, 1, 20) }),
      ...(this.chance(3) && { topicAliasMaximum: between(random, 1, 20) }),
      ...(this.chance(5) && { maximumPacketSize: between(random, 1, 200) }),
      ...(this.chance(8) && { authenticationMethod: 'method' }),
    };
    const packet: WirePacket = {
      cmd: 'connect',
      protocolId: level === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: level,
      clientId: `client-${between(random, 1, CLIENTS)}`,
      clean: level === 5 ? this.chance(3) : !isLasting,
      keepalive: this.chance(2) ? 0 : between(random, 1, 9),
      ...(this.chance(3) && {
        will: { topic: this.topic(), payload: Buffer.from('will'), qos: this.qos(), retain: this.chance(4) },
      }),
      ...(level === 5 && { properties: five }),
    };
    return this.encode(packet, level);
  }

  /** What a client says that is in; most are as they should be, or nobody would stay in for long. */
  next(level: Level): Uint8Array {
    const pool = this.pools.get(level)!;
    const packet = this.pick(pool);
    if (!this.chance(12)) return packet;
    let changed: Uint8Array = packet.slice();
    for (let rounds = between(this.random, 1, 2); rounds > 0; rounds--) changed = this.change(changed, pool);
    return changed;
  }

  chance(of: number): boolean {
    return between(this.random, 1, of) === 1;
  }

  private change(bytes: Uint8Array, pool: readonly Uint8Array[]): Uint8Array {
    const at = between(this.random, 0, bytes.length);
    const byte = between(this.random, 0, 255);
    switch (between(this.random, 0, 6)) {
      case 0:
        return bytes.slice(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at)]);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), this.pick(pool)]);
      default:
        if (at < bytes.length) bytes[at] = byte;
        return bytes;
    }
  }

  private packet(level: Level): WirePacket {
    const { random } = this;
    const messageId = between(random, 1, IDS);
    const acks = ['puback', 'pubrec', 'pubrel', 'pubcomp'] as const;
    const kind = between(random, 0, 19);
    if (kind < 9) return this.publish(level, messageId);
    if (kind < 13)
      return { cmd: this.pick(acks), messageId, ...(level === 5 && { reasonCode: this.chance(9) ? 0x80 : 0 }) };
    if (kind < 16) {
      const subscriptions = times(between(random, 1, 4), () => ({
        topic: this.chance(20) ? this.pick(LONG) : this.pick(FILTERS),
        qos: this.qos(),
        ...(level === 5 && { rh: between(random, 0, 2), rap: this.chance(2), nl: false }),
      }));
      const identified = level === 5 && this.chance(2);
      return {
        cmd: 'subscribe',
        messageId,
        subscriptions,
        ...(identified && { properties: { subscriptionIdentifier: messageId } }),
      };
    }
    if (kind < 18) return { cmd: 'unsubscribe', messageId, unsubscriptions: [this.pick(FILTERS), this.pick(FILTERS)] };
    return this.chance(8)
      ? { cmd: 'disconnect', ...(level === 5 && { reasonCode: this.chance(2) ? 0 : 4 }) }
      : { cmd: 'pingreq' };
  }

  private publish(level: Level, messageId: number): WirePacket {
    const { random } = this;
    const qos = this.qos();
    const properties = {
      ...(this.chance(3) && { topicAlias: between(random, 1, 6) }),
      ...(this.chance(3) && { messageExpiryInterval: between(random, 0, 30) }),
      ...(this.chance(3) && { userProperties: { a: ['b', 'c'] } }),
    };
    const payload = Buffer.alloc(this.chance(30) ? between(random, 500, 5_000) : between(random, 0, 30), 'x');
    return {
      cmd: 'publish',
      topic: this.topic(),
      payload,
      qos,
      retain: this.chance(6),
      dup: false,
      messageId,
      ...(level === 5 && { properties }),
    };
  }

  private topic(): string {
    return this.chance(30) ? this.pick(LONG) : this.pick(TOPICS);
  }

  private qos(): 0 | 1 | 2 {
    return between(this.random, 0, 2) as 0 | 1 | 2;
  }

  private pick<T>(from: readonly T[]): T {
    return from[between(this.random, 0, from.length - 1)]!;
  }

  private encode(packet: WirePacket, level: Level): Uint8Array {
    return generate(packet, { protocolVersion: level });
  }
}
