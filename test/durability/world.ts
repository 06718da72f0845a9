// A broker, its clients and the network between them in virtual time, moved step by step by a seed: bytes arrive in pieces and
// late, connections break, the journal takes its time, and the broker dies at any moment and is started again from what the
// journal has kept. What becomes of it is in the ledger.
import { generate, parser as newParser } from 'mqtt-packet';
import { Broker } from '../../host/broker/broker.js';
import type { DurableState } from '../../host/broker/durable.js';
import { JournalState } from '../../host/broker/journal-state.js';
import { PacketStream } from '../../host/broker/stream.js';
import { between, chance, mix32, Xoshiro128 } from '../../host/core/random.js';
import type { Journal, Millis } from '../../host/ports.js';
import { TornJournal } from '../host/store/torn-journal.js';
import { LedgerClient, type Line, type Qos } from './client.js';
import { Ledger } from './ledger.js';

const NEVER = Number.POSITIVE_INFINITY;
const EPOCH_MS = 1_700_000_000_000;
const SETTLE_ROUNDS_MAX = 2_000;
const SETTLE_STEP_MS = 25;
/** Longer than any delay or expiry of the cast. */
const LONG_MS = 60_000;

/** What a test puts between the broker and its journal. */
export interface Sabotage {
  journal?(journal: Journal): Journal;
  state?(state: DurableState): DurableState;
}

export interface WorldOptions {
  readonly steps: number;
  readonly sabotage?: Sabotage;
}

class VirtualLine implements Line {
  readonly toBroker: Buffer[] = [];
  readonly toClient: { readonly at: Millis; readonly bytes: Buffer }[] = [];
  stream: PacketStream | undefined;
  /** The broker has closed it: its end follows what is under way. */
  isEnding = false;
  /** The client is gone, and the broker does not know yet. */
  isHalfOpen = false;
  onClose = (): void => {};

  constructor(readonly owner?: LedgerClient) {}

  send(bytes: Buffer): void {
    this.toBroker.push(bytes);
  }

  close(): void {
    this.onClose();
  }
}

export class DurableWorld {
  now: Millis = 1_000;
  crashes = 0;
  readonly ledger = new Ledger();
  private readonly random: Xoshiro128;
  private readonly clients: readonly LedgerClient[];
  private readonly lines = new Map<LedgerClient, VirtualLine>();
  private halfOpen: VirtualLine[] = [];
  private journal: TornJournal;
  private broker: Broker;
  /** What the broker's clock says at moment 0 of the world; each process has its own. */
  private clockOffset = 0;
  /** Steps in a thousand: often enough to meet every state on its way, or rarely enough for clients to get far. */
  private readonly crashesPerMille: number;

  constructor(
    seed: number,
    private readonly options: WorldOptions,
  ) {
    this.random = new Xoshiro128(mix32(seed, 1));
    this.crashesPerMille = seed % 2 === 0 ? 4 : 10;
    this.clients = castOf(this.ledger, () => this.now);
    this.journal = new TornJournal(new Xoshiro128(mix32(seed, 2)));
    this.broker = this.start();
  }

  /** The whole of it, to the last check. */
  run(): void {
    this.begin();
    for (let i = 0; i < this.options.steps && this.ledger.broken.length === 0; i++) this.step();
    this.end();
  }

  /** Those whose subscriptions the checks presume are there before anything else. */
  private begin(): void {
    for (const name of ['monitor', 'share-1', 'share-2']) {
      const client = this.client(name);
      this.connect(client);
      this.settle();
      for (const [filter, qos] of FILTERS[name]!) client.subscribe(filter, qos);
      this.settle();
    }
  }

  private step(): void {
    const dice = between(this.random, 1, 1_000);
    if (dice <= 500) this.carry(this.pick([...this.lines.values(), ...this.halfOpen]));
    else if (dice <= 680) this.publish(this.pick(this.clients.filter((it) => it.isIn && it.name in TOPICS)));
    else if (dice <= 755) this.pass(between(this.random, 1, 15));
    else if (dice <= 800) this.changeSubscription();
    else if (dice <= 812) this.drop(this.pick([...this.lines.keys()]));
    else if (dice <= 818) this.pick(this.clients.filter((it) => it.isIn))?.leave();
    else if (dice <= 982) this.comeBack(this.pick(this.clients.filter((it) => it.isAway)));
    else if (dice <= 982 + this.crashesPerMille) this.crash();
    else if (dice <= 997) this.retainedNow();
    else this.pass(between(this.random, 500, 6_000));
  }

  /** Everybody comes back but one, everything is delivered, and time passes until nothing can come any more. */
  private end(): void {
    if (chance(this.random, 500_000)) this.crash();
    const lost = this.client('will-2');
    this.drop(lost);
    // Twice, since the broker may have given up a connection whose CONNECT was under way for too long.
    for (let i = 0; i < 2; i++) {
      for (const client of this.clients) if (client.isAway && client !== lost) this.connect(client);
      this.settle();
    }
    this.pass(LONG_MS);
    this.settle();
    if (lost.isAway) lost.stayAway();
    this.retainedNow();
    if (this.ledger.broken.length === 0) this.ledger.check();
  }

  // The network.

  private connect(client: LedgerClient, isClean = false, hasWill = true): void {
    // What is still under way of an earlier connection is lost: a CONNECT that overtakes a later one is nobody's promise.
    for (const old of this.halfOpen) if (old.owner === client) old.toBroker.length = 0;
    const line = new VirtualLine(client);
    this.lines.set(client, line);
    line.onClose = () => this.drop(client);
    this.openStream(line);
    client.connect(line, isClean, hasWill);
  }

  private openStream(line: VirtualLine): void {
    const sink = {
      write: (bytes: Uint8Array) => line.toClient.push({ at: this.now, bytes: Buffer.from(bytes) }),
      close: () => {
        line.isEnding = true;
      },
    };
    line.stream = new PacketStream(this.broker, sink, this.brokerNow);
  }

  /** Some of what is under way on a line arrives. */
  private carry(line: VirtualLine | undefined): void {
    if (line === undefined) return;
    const isDown = !line.isHalfOpen && chance(this.random, 500_000);
    if (isDown && line.owner !== undefined) this.carryDown(line.owner, line, between(this.random, 1, 5));
    else this.carryUp(line);
  }

  private carryDown(client: LedgerClient, line: VirtualLine, chunks: number): void {
    for (const { at, bytes } of line.toClient.splice(0, chunks)) {
      const cut = between(this.random, 0, bytes.length);
      client.hear(bytes.subarray(0, cut), at);
      client.hear(bytes.subarray(cut), at);
    }
    if (line.isEnding && line.toClient.length === 0 && this.lines.get(client) === line) {
      this.lines.delete(client);
      client.gone();
    }
  }

  private carryUp(line: VirtualLine): void {
    const bytes = Buffer.concat(line.toBroker.splice(0));
    const cut = chance(this.random, 300_000) ? between(this.random, 0, bytes.length) : bytes.length;
    if (cut > 0) line.stream?.receive(bytes.subarray(0, cut), this.brokerNow);
    if (cut < bytes.length) line.toBroker.push(bytes.subarray(cut));
    if (!line.isHalfOpen || line.toBroker.length > 0) return;
    this.halfOpen = this.halfOpen.filter((other) => other !== line);
    line.stream?.closed(this.brokerNow);
  }

  /** The client's connection is lost, with some of what was under way; the broker may learn of it later. */
  private drop(client: LedgerClient | undefined): void {
    const line = client && this.lines.get(client);
    if (client === undefined || line === undefined) return;
    this.lines.delete(client);
    this.carryDown(client, line, between(this.random, 0, line.toClient.length));
    client.gone();
    line.toBroker.splice(between(this.random, 0, line.toBroker.length));
    line.isHalfOpen = true;
    this.halfOpen.push(line);
  }

  // Time.

  private get brokerNow(): Millis {
    return this.now + this.clockOffset;
  }

  private pass(ms: Millis): void {
    const end = this.now + ms;
    for (;;) {
      const dueAt = Math.min(this.broker.nextDue(), this.journal.nextDue() ?? NEVER) - this.clockOffset;
      if (dueAt > end) break;
      this.now = Math.max(this.now, dueAt);
      this.work();
    }
    this.now = end;
    this.work();
  }

  private work(): void {
    this.journal.advance(this.brokerNow);
    this.broker.poll(this.brokerNow);
  }

  /** Until nothing is under way. Its absence of an end is a broken promise too. */
  private settle(): void {
    for (let i = 0; i < SETTLE_ROUNDS_MAX; i++) {
      for (const line of [...this.halfOpen, ...this.lines.values()]) this.carryUp(line);
      for (const [client, line] of this.lines) this.carryDown(client, line, line.toClient.length);
      this.pass(SETTLE_STEP_MS);
      if (this.isQuiet()) return;
    }
    this.ledger.breaks('the broker and its clients do not come to rest');
  }

  private isQuiet(): boolean {
    const isEmpty = (line: VirtualLine): boolean => line.toBroker.length + line.toClient.length === 0;
    return (
      this.halfOpen.length === 0 &&
      [...this.lines.values()].every(isEmpty) &&
      this.journal.nextDue() === undefined &&
      this.clients.every((client) => client.isAway || client.isSettled)
    );
  }

  // The broker's death.

  private crash(): void {
    this.crashes++;
    for (const [client, line] of [...this.lines]) {
      this.carryDown(client, line, between(this.random, 0, line.toClient.length)); // what was sent before may still arrive
      client.gone();
    }
    this.lines.clear();
    this.halfOpen = [];
    this.now += between(this.random, 0, 50);
    this.clockOffset = between(this.random, 0, 1_000_000) - this.now;
    this.journal = this.journal.crash(this.brokerNow);
    this.broker = this.start();
    this.work();
    if (chance(this.random, 300_000)) this.retainedNow();
  }

  private start(): Broker {
    const { sabotage } = this.options;
    const journal = sabotage?.journal?.(this.journal) ?? this.journal;
    const state = new JournalState(journal, EPOCH_MS - this.clockOffset);
    const durable = sabotage?.state?.(state) ?? state;
    const config = { inflightMax: 5, receiveMax: 20 };
    const broker = new Broker(config, { random: new Xoshiro128(this.random.nextU32()), durable });
    broker.restore(this.brokerNow);
    return broker;
  }

  // The clients.

  private publish(client: LedgerClient | undefined): void {
    if (client === undefined || client.unsettled.size >= 8) return;
    const [topic, qoses] = this.pick(TOPICS[client.name]!)!;
    const isRetained = topic.startsWith('r/');
    client.publish(topic, this.pick(qoses)!, {
      isRetained,
      isClearing: isRetained && chance(this.random, 200_000),
      padding: between(this.random, 0, 100),
      ...(!isRetained && chance(this.random, 150_000) && { expiryS: between(this.random, 1, 5) }),
    });
  }

  private changeSubscription(): void {
    const client = this.pick(this.clients.filter((it) => it.isIn && it.name.startsWith('sub-')));
    if (client === undefined) return;
    const [filter, qos] = this.pick(FILTERS[client.name]!)!;
    if (client.isAskingFor(filter)) return;
    const state = this.ledger.stateOf(client.name, filter);
    const isOver = state === 'doubtful' || (state === 'there' && chance(this.random, 500_000));
    if (isOver) client.unsubscribe(filter);
    else client.subscribe(filter, qos);
  }

  private comeBack(client: LedgerClient | undefined): void {
    if (client === undefined) return;
    const mayBeClean = ['sub-3', 'sub-4', 'will-3'].includes(client.name);
    this.connect(client, mayBeClean && chance(this.random, 200_000), chance(this.random, 700_000));
  }

  /** What a stranger is told of retained messages. */
  private retainedNow(): void {
    const heard = new Map<string, string>();
    const since = this.ledger.now;
    const parser = newParser({ protocolVersion: 4 });
    parser.on('packet', (packet) => {
      if (packet.cmd === 'publish') heard.set(packet.topic, packet.payload.toString().split(' ')[0]!);
    });
    const line = new VirtualLine();
    this.openStream(line);
    const say = (packet: Parameters<typeof generate>[0]): void =>
      line.stream!.receive(generate(packet), this.brokerNow);
    say({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'stranger', clean: true, keepalive: 0 });
    say({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'r/#', qos: 0 }] });
    while (this.journal.nextDue() !== undefined) this.pass(1);
    for (const { bytes } of line.toClient) parser.parse(bytes);
    line.stream!.closed(this.brokerNow);
    for (const topic of RETAINED) this.ledger.retainedIs(topic, heard.get(topic), since);
  }

  private client(name: string): LedgerClient {
    return this.clients.find((it) => it.name === name)!;
  }

  private pick<T>(from: readonly T[]): T | undefined {
    return from[between(this.random, 0, Math.max(from.length - 1, 0))];
  }
}

type Filters = Readonly<Record<string, readonly (readonly [filter: string, qos: Qos])[]>>;

const FILTERS: Filters = {
  monitor: [['will/#', 2]],
  'share-1': [['$share/g/q/#', 2]],
  'share-2': [['$share/g/q/#', 2]],
  'sub-1': [
    ['t/#', 2],
    ['t/a', 1],
  ],
  'sub-2': [
    ['t/+', 1],
    ['t/b', 2],
  ],
  'sub-3': [['t/#', 2]],
  'sub-4': [
    ['t/a', 2],
    ['t/v', 1],
  ],
};

/** Each retained topic has one publisher and one QoS: which message is the last of two publishers is nobody's promise. */
const TOPICS: Readonly<Record<string, readonly (readonly [topic: string, qoses: readonly Qos[]])[]>> = {
  'pub-a': [
    ['t/a', [1, 2]],
    ['q/a', [1, 2]],
    ['r/a', [1]],
  ],
  'pub-b': [
    ['t/b', [1, 2]],
    ['q/b', [2]],
    ['r/b', [2]],
  ],
  'pub-v': [['t/v', [1, 2]]],
  'sub-2': [['t/b', [1, 2]]],
};

const RETAINED = ['r/a', 'r/b'];

function castOf(ledger: Ledger, clock: () => Millis): readonly LedgerClient[] {
  const cast = [
    { name: 'monitor', level: 5, expiryS: NEVER, receiveMax: 3 },
    { name: 'share-1', level: 5, expiryS: NEVER, receiveMax: 2 },
    { name: 'share-2', level: 4, expiryS: NEVER },
    { name: 'pub-a', level: 4, expiryS: NEVER, usesLowestId: true },
    { name: 'pub-b', level: 5, expiryS: NEVER, usesLowestId: true },
    { name: 'pub-v', level: 4, expiryS: 0 },
    { name: 'sub-1', level: 4, expiryS: NEVER },
    { name: 'sub-2', level: 5, expiryS: 3_600, receiveMax: 3 },
    { name: 'sub-3', level: 5, expiryS: 5 },
    { name: 'sub-4', level: 4, expiryS: NEVER },
    { name: 'will-1', level: 4, expiryS: NEVER, will: { topic: 'will/1', delayS: 0 } },
    { name: 'will-2', level: 5, expiryS: NEVER, will: { topic: 'will/2', delayS: 2 } },
    { name: 'will-3', level: 5, expiryS: 20, will: { topic: 'will/3', delayS: 3 } },
    { name: 'will-4', level: 4, expiryS: 0, will: { topic: 'will/4', delayS: 0 } },
  ] as const;
  // Few identifiers, so that each is soon used again.
  return cast.map((options) => new LedgerClient({ ...options, idMax: 12 }, ledger, clock));
}
