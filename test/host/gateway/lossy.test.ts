// Devices that behave, on a network that loses, doubles and reorders: what the gateway promises must hold all the same.
import { describe, expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID, TopicType } from '../../../assembly/protocol/index.js';
import { between, chance, Xoshiro128 } from '../../../host/core/random.js';
import { TimerQueue } from '../../../host/core/timer-queue.js';
import { Gateway } from '../../../host/gateway/index.js';
import type { Message, Qos } from '../../../host/ports.js';
import type { Packet } from '../../../host/wire/index.js';
import { decode, encode, isFault } from '../../../host/wire/index.js';
import { bytes, FakeBroker, text } from './world.js';

const T_RETRY_MS = 10_000;
const DELAY_MS_MAX = 2_000;
const MESSAGES = 60;
const SLEEP_S = 30;
const KEEP_ALIVE_MS = 60_000;

interface Network {
  readonly lossPpm: number;
  readonly copyPpm: number;
}

/** One client of the kind that the gateway is for: resends with the same octets but for DUP, keeps MsgIds apart. */
class Client {
  readonly received: string[] = [];
  /** MsgIds of QoS 2 messages; they stay for a while after PUBREL, for a copy of PUBLISH may come as late. */
  private readonly open2 = new Set<number>();
  private request: { readonly packet: Packet; readonly until: PacketType } | undefined;
  private readonly script: { readonly packet: Packet; readonly until: PacketType }[] = [];
  private msgId = 0;
  private sleeping = false;
  private waking = false;
  timer: ReturnType<TimerQueue<() => void>['set']> | undefined;

  constructor(
    private readonly run: Run,
    private readonly sleeps: boolean,
  ) {}

  connect(): void {
    this.ask(
      {
        type: PacketType.Connect,
        will: false,
        cleanSession: false,
        protocolId: PROTOCOL_ID,
        duration: 600,
        clientId: 'c',
      },
      PacketType.ConnAck,
    );
  }

  subscribe(): void {
    const topic = { kind: TopicType.Normal, name: 'down/+' } as const;
    this.ask({ type: PacketType.Subscribe, dup: false, qos: 2, msgId: this.nextMsgId(), topic }, PacketType.SubAck);
  }

  publish(payload: string, qos: Qos): void {
    const topic = { kind: TopicType.Short, name: 'up' } as const;
    const packet = {
      type: PacketType.Publish,
      dup: false,
      qos,
      retain: false,
      topic,
      msgId: this.nextMsgId(),
      data: bytes(payload),
    } as const;
    this.ask(packet, qos === 1 ? PacketType.PubAck : PacketType.PubRec);
  }

  get busy(): boolean {
    return this.request !== undefined || this.script.length > 0;
  }

  hear(packet: Packet): void {
    if (packet.type === PacketType.Disconnect && this.request?.until !== PacketType.Disconnect) {
      this.connectAgain();
      return;
    }
    if (packet.type === PacketType.Register) {
      this.send({ type: PacketType.RegAck, topicId: packet.topicId, msgId: packet.msgId, returnCode: 0 });
    }
    if (packet.type === PacketType.Publish) this.onPublish(packet);
    if (packet.type === PacketType.PubRel) {
      this.run.timers.set(this.run.now + DELAY_MS_MAX, () => this.open2.delete(packet.msgId));
      this.send({ type: PacketType.PubComp, msgId: packet.msgId });
    }
    this.onAnswer(packet);
  }

  private onPublish(packet: Extract<Packet, { type: PacketType.Publish }>): void {
    const { qos, msgId } = packet;
    if (qos !== 2 || !this.open2.has(msgId)) this.received.push(text(packet.data));
    if (qos === 2) {
      this.open2.add(msgId);
      this.send({ type: PacketType.PubRec, msgId });
    } else this.send({ type: PacketType.PubAck, topicId: 1, msgId, returnCode: 0 });
  }

  private onAnswer(packet: Packet): void {
    const { request } = this;
    if (request?.until !== packet.type) return;
    if ('msgId' in request.packet && 'msgId' in packet && request.packet.msgId !== packet.msgId) return;
    this.run.timers.cancel(this.timer!);
    this.request = undefined;
    if (packet.type === PacketType.PubRec)
      this.script.unshift({ packet: { type: PacketType.PubRel, msgId: packet.msgId }, until: PacketType.PubComp });
    if (packet.type === PacketType.Disconnect) this.fallAsleep();
    if (packet.type === PacketType.PingResp && this.sleeping) this.fallAsleep();
    if (packet.type === PacketType.ConnAck) this.sleeping = false;
    this.next();
  }

  /** Without it a client that listens only would not learn that it was given up. */
  keepAlive(): void {
    this.run.timers.set(this.run.now + KEEP_ALIVE_MS, () => {
      this.keepAlive();
      if (!this.busy) this.ask({ type: PacketType.PingReq, clientId: '' }, PacketType.PingResp);
    });
  }

  private fallAsleep(): void {
    this.sleeping = true;
    this.waking = false;
    this.run.timers.set(this.run.now + (SLEEP_S * 1_000) / 2, () => {
      this.waking = true;
      this.script.unshift({ packet: { type: PacketType.PingReq, clientId: 'c' }, until: PacketType.PingResp });
      this.next();
    });
  }

  private connectAgain(): void {
    if (this.request?.until === PacketType.ConnAck) return;
    if (this.request !== undefined && this.request.until !== PacketType.PingResp) this.script.unshift(this.request);
    if (this.timer !== undefined) this.run.timers.cancel(this.timer);
    this.request = undefined;
    this.script.unshift({
      packet: {
        type: PacketType.Connect,
        will: false,
        cleanSession: false,
        protocolId: PROTOCOL_ID,
        duration: 600,
        clientId: 'c',
      },
      until: PacketType.ConnAck,
    });
    this.next();
  }

  private ask(packet: Packet, until: PacketType): void {
    this.script.push({ packet, until });
    this.next();
  }

  private next(): void {
    if (this.request !== undefined || (this.sleeping && !this.waking && this.script[0]?.until !== PacketType.ConnAck))
      return;
    this.request = this.script.shift();
    if (this.request === undefined && this.sleeps && !this.sleeping) {
      this.request = { packet: { type: PacketType.Disconnect, duration: SLEEP_S }, until: PacketType.Disconnect };
    }
    if (this.request !== undefined) this.transmit(false);
  }

  private transmit(again: boolean): void {
    const { packet } = this.request!;
    this.send('dup' in packet ? { ...packet, dup: again } : packet);
    this.timer = this.run.timers.set(this.run.now + T_RETRY_MS, () => this.transmit(true));
  }

  private send(packet: Packet): void {
    this.run.carry(encode(packet), (datagram) => this.run.gateway.receive('c', datagram, this.run.now));
  }

  private nextMsgId(): number {
    return ++this.msgId;
  }
}

class Run {
  now = 0;
  readonly timers = new TimerQueue<() => void>();
  readonly broker = new FakeBroker(this);
  readonly gateway: Gateway;
  readonly client: Client;
  private readonly random: Xoshiro128;

  constructor(
    private readonly network: Network,
    seed: number,
    sleeps: boolean,
  ) {
    this.random = new Xoshiro128(seed);
    this.client = new Client(this, sleeps);
    const send = (_to: string, datagram: Uint8Array) => this.carry(datagram, (octets) => this.toClient(octets));
    this.gateway = new Gateway(
      { tAdvMs: 0, bufferMessagesMax: 8 },
      { link: { send, broadcast: () => {} }, upstream: this.broker, random: this.random },
    );
    this.gateway.start(0);
  }

  /** Loses, doubles and delays; a delay of any length reorders. */
  carry(datagram: Uint8Array, arrive: (datagram: Uint8Array) => void): void {
    if (chance(this.random, this.network.lossPpm)) return;
    const copies = chance(this.random, this.network.copyPpm) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      this.timers.set(this.now + between(this.random, 1, DELAY_MS_MAX), () => arrive(datagram));
    }
  }

  until(done: () => boolean, limitMs: number): void {
    const end = this.now + limitMs;
    while (!done()) {
      const due = Math.min(this.timers.nextDue(), this.gateway.nextDue());
      if (due > end) throw new Error('nothing more happens, and it is not done');
      this.now = Math.max(this.now, due);
      this.gateway.poll(this.now);
      this.timers.popDue(this.now)?.();
    }
  }

  private toClient(datagram: Uint8Array): void {
    const packet = decode(datagram);
    if (isFault(packet)) throw new Error(packet.code);
    this.client.hear(packet);
  }
}

const HOUR_MS = 3_600_000;
const upstream = (published: readonly Message[], qos: Qos) =>
  published.filter((message) => message.qos === qos).map(({ payload }) => text(payload));
const numbered = (prefix: string) => Array.from({ length: MESSAGES }, (_, i) => `${prefix}${i}`);
const distinct = (payloads: readonly string[]) => [...new Set(payloads)];

describe.each([
  { lossPpm: 0, copyPpm: 300_000 },
  { lossPpm: 200_000, copyPpm: 0 },
  { lossPpm: 200_000, copyPpm: 200_000 },
])('on a network that loses $lossPpm and doubles $copyPpm in a million', (network) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('QoS 1 arrives and QoS 2 arrives once, from the client (seed %i)', (seed) => {
    const run = new Run(network, seed, false);
    run.client.connect();
    for (let i = 0; i < MESSAGES; i++) {
      run.client.publish(`one${i}`, 1);
      run.client.publish(`two${i}`, 2);
    }
    run.until(() => !run.client.busy, 10 * HOUR_MS);
    expect(upstream(run.broker.published, 2)).toEqual(numbered('two'));
    expect(distinct(upstream(run.broker.published, 1))).toEqual(numbered('one'));
  });

  it.each([
    { seed: 1, sleeps: false },
    { seed: 2, sleeps: false },
    { seed: 3, sleeps: false },
    { seed: 4, sleeps: true },
    { seed: 5, sleeps: true },
    { seed: 6, sleeps: true },
  ])('QoS 1 arrives and QoS 2 arrives once, at the client (seed $seed, sleeps: $sleeps)', ({ seed, sleeps }) => {
    const run = new Run(network, seed, sleeps);
    run.client.connect();
    run.client.subscribe();
    if (!sleeps) run.client.keepAlive();
    run.until(() => !run.client.busy, HOUR_MS);
    for (let i = 0; i < MESSAGES; i++) {
      run.broker.deliver('c', 'down/1', `one${i}`, 1);
      run.broker.deliver('c', 'down/2', `two${i}`, 2);
    }
    run.until(() => run.broker.unacknowledged('c').length === 0, 100 * HOUR_MS);
    const received = run.client.received.filter((payload) => payload.startsWith('two'));
    expect(received).toEqual(numbered('two'));
    expect(distinct(run.client.received.filter((payload) => payload.startsWith('one')))).toEqual(numbered('one'));
  });
});
