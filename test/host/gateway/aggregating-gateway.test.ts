// The gateway itself before an aggregating upstream and the broker of the process: it is not told which mode it is in.
import { expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import { Broker } from '../../../host/broker/broker.js';
import { BrokerUpstream } from '../../../host/broker/upstream.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { AggregatingUpstream } from '../../../host/gateway/aggregating.js';
import { Gateway } from '../../../host/gateway/index.js';
import { decode, encode, isFault, type Packet } from '../../../host/wire/index.js';
import { textOf, utf8 } from './aggregating-world.js';

const topic = { kind: TopicType.Short, name: 'ab' } as const;
const connect = (clientId: string, will = false): Packet => ({
  type: PacketType.Connect,
  will,
  cleanSession: false,
  protocolId: PROTOCOL_ID,
  duration: 60,
  clientId,
});
const publish = (msgId: number, data: string, dup = false): Packet => {
  return { type: PacketType.Publish, dup, qos: 2, retain: false, topic, msgId, data: utf8(data) };
};

class Field {
  now = 1_000;
  readonly broker = new Broker({}, { random: new Xoshiro128(1) });
  readonly heard: { readonly to: string; readonly packet: Packet }[] = [];
  private readonly store = new MemoryStore();
  gateway!: Gateway;

  constructor() {
    this.begin();
  }

  /** At first, and after the process has died with all it had. */
  begin(): void {
    const random = new Xoshiro128(2);
    const { store } = this;
    const upstream = new AggregatingUpstream(new BrokerUpstream(this.broker), { clientId: 'shared', random, store });
    upstream.start(this.now);
    const link = {
      send: (to: string, datagram: Uint8Array) => {
        const packet = decode(datagram);
        if (!isFault(packet)) this.heard.push({ to, packet });
      },
      broadcast: () => {},
    };
    this.gateway = new Gateway({ tAdvMs: 0 }, { link, upstream, random, store });
    this.gateway.start(this.now);
  }

  say(from: string, ...packets: Packet[]): Packet[] {
    for (const packet of packets) this.gateway.receive(from, encode(packet), this.now);
    return this.hear(from);
  }

  hear(who: string): Packet[] {
    const heard = this.heard.filter(({ to }) => to === who).map(({ packet }) => packet);
    const others = this.heard.filter(({ to }) => to !== who);
    this.heard.splice(0, this.heard.length, ...others);
    return heard;
  }

  pass(ms: number): void {
    const end = this.now + ms;
    while (this.gateway.nextDue() <= end) {
      this.now = Math.max(this.now, this.gateway.nextDue());
      this.gateway.poll(this.now);
    }
    this.now = end;
  }
}

const types = (packets: readonly Packet[]) => packets.map(({ type }) => type);

it('carries QoS 2 from client to client over one connection, exactly once, though the gateway dies in the middle', () => {
  const field = new Field();
  expect(types(field.say('a', connect('a')))).toEqual([PacketType.ConnAck]);
  expect(types(field.say('b', connect('b')))).toEqual([PacketType.ConnAck]);
  const subscribe: Packet = { type: PacketType.Subscribe, dup: false, qos: 2, msgId: 1, topic };
  expect(field.say('b', subscribe)).toMatchObject([
    { type: PacketType.SubAck, qos: 2, returnCode: ReturnCode.Accepted },
  ]);
  expect(field.broker.counters.connectionsNow).toBe(1);

  expect(field.say('a', publish(9, 'm'))).toMatchObject([{ type: PacketType.PubRec, msgId: 9 }]);
  const [first] = field.hear('b');
  expect(first).toMatchObject({ type: PacketType.Publish, qos: 2, dup: false });

  field.begin();
  for (const name of ['a', 'b']) expect(types(field.say(name, connect(name)))).toContain(PacketType.ConnAck);
  expect(field.say('a', publish(9, 'm', true))).toMatchObject([{ type: PacketType.PubRec, msgId: 9 }]);
  expect(field.say('a', { type: PacketType.PubRel, msgId: 9 })).toMatchObject([{ type: PacketType.PubComp, msgId: 9 }]);
  field.pass(11_000);
  const messages = field.hear('b').filter((packet) => packet.type === PacketType.Publish);
  const { msgId } = first as Extract<Packet, { type: PacketType.Publish }>;
  expect(new Set(messages.map((packet) => `${packet.msgId} ${textOf(packet.data)}`))).toEqual(new Set([`${msgId} m`]));
  expect(field.say('b', { type: PacketType.PubRec, msgId })).toMatchObject([{ type: PacketType.PubRel, msgId }]);
  field.say('b', { type: PacketType.PubComp, msgId });
  field.pass(30_000);
  expect(field.hear('b')).toEqual([]);
});

it('publishes the will of a client that falls silent, through the shared connection', () => {
  const field = new Field();
  field.say('b', connect('b'));
  field.say('b', { type: PacketType.Subscribe, dup: false, qos: 1, msgId: 1, topic });
  field.say('a', connect('a', true));
  field.say('a', { type: PacketType.WillTopic, will: { topic: 'ab', qos: 1, retain: false } });
  expect(types(field.say('a', { type: PacketType.WillMsg, message: utf8('gone') }))).toEqual([PacketType.ConnAck]);
  field.pass(80_000);
  field.say('b', { type: PacketType.PingReq, clientId: '' });
  field.pass(20_000);
  const messages = field.hear('b').filter((packet) => packet.type === PacketType.Publish);
  expect(messages.map(({ data }) => textOf(data))).toContain('gone');
});
