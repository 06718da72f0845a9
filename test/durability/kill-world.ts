// A broker whose process is killed again and again, over one folder, and clients that outlive it.
import { between, chance, Xoshiro128 } from '../../host/core/random.js';
import type { Durability } from '../../host/store/marker.js';
import { BrokerProcess, type Manner, retainedAt, TcpLine } from './broker-process.js';
import { LedgerClient, type Qos } from './client.js';
import { Ledger } from './ledger.js';

const NEVER = Number.POSITIVE_INFINITY;
/** Of each publisher: messages that are not acknowledged. */
const WINDOW = 20;

export interface KillOptions {
  readonly folder: string;
  readonly durability: Durability;
  readonly manner: Manner;
  readonly seed: number;
  /** From the moment at which clients connect to the kill, ms at most. */
  readonly loadMsMax: number;
  /** How long clients wait for what they are owed, ms. Default: 60,000. */
  readonly patienceMs?: number;
}

export class KillWorld {
  readonly ledger = new Ledger();
  kills = 0;
  private readonly clients: readonly LedgerClient[];
  private readonly random: Xoshiro128;
  private process: BrokerProcess | undefined;
  private isLoading = false;
  private heard: () => void = () => {};

  constructor(private readonly options: KillOptions) {
    this.random = new Xoshiro128(options.seed);
    this.clients = CAST.map((one) => new LedgerClient(one, this.ledger, () => performance.now()));
  }

  /** Makes the subscriptions. */
  async begin(): Promise<void> {
    await this.start();
    for (const client of this.clients)
      for (const [filter, qos] of FILTERS[client.name] ?? []) client.subscribe(filter, qos);
    await this.until(() => this.clients.every((client) => client.isSettled));
  }

  /**
   * From one kill to the next: usually the books are balanced first, and the kill comes under load; sometimes it comes while the
   * broker starts, or while clients get what the last kill has left.
   */
  async round(): Promise<void> {
    if (this.process === undefined) {
      if (chance(this.random, 50_000)) return this.killStarting();
      await this.start();
      if (chance(this.random, 800_000)) await this.balance();
    }
    this.isLoading = true;
    this.turn();
    await this.wait(between(this.random, 0, this.options.loadMsMax));
    await this.kill();
  }

  /** The last: everybody gets everything. */
  async end(): Promise<void> {
    if (this.process === undefined) await this.start();
    await this.balance();
    await this.process?.kill();
    await this.until(() => this.clients.every((client) => client.isAway));
  }

  private async start(): Promise<void> {
    const broker = new BrokerProcess(this.options.manner, this.options.folder, this.options.durability);
    this.process = broker;
    const port = await broker.port;
    if (port === 0) throw new Error(`the broker ended: ${await broker.kill()}`);
    for (const client of this.clients) client.connect(new TcpLine(port, client, () => this.turn()));
    await this.until(() => this.clients.every((client) => client.isIn));
  }

  /** Killed on its way up, before anybody has come in. */
  private async killStarting(): Promise<void> {
    const broker = new BrokerProcess(this.options.manner, this.options.folder, this.options.durability);
    await this.wait(between(this.random, 50, 500));
    await this.complain(broker);
  }

  private async kill(): Promise<void> {
    const broker = this.process!;
    this.process = undefined;
    await this.complain(broker);
    this.isLoading = false;
    await this.until(() => this.clients.every((client) => client.isAway));
  }

  private async complain(broker: BrokerProcess): Promise<void> {
    const complaint = await broker.kill();
    if (complaint !== '') this.ledger.breaks(`the broker said: ${complaint}`);
    this.kills++;
  }

  /** Everything is acknowledged and delivered. */
  private async balance(): Promise<void> {
    const isDone = (): boolean =>
      this.clients.every((client) => client.isSettled) && this.ledger.missing().length === 0;
    if (!(await this.until(isDone))) this.ledger.check();
    else await this.askRetained();
  }

  /** What a stranger is told of retained messages. */
  private async askRetained(): Promise<void> {
    const since = this.ledger.now;
    const heard = await retainedAt(await this.process!.port, 'r/#');
    for (const topic of ['r/a', 'r/b']) this.ledger.retainedIs(topic, heard.get(topic), since);
  }

  /** Publishers go on as soon as they may. */
  private turn(): void {
    if (this.isLoading) {
      for (const client of this.clients) {
        while (client.isIn && client.name in TOPICS && client.unsettled.size < WINDOW) this.publish(client);
      }
    }
    this.heard();
  }

  private publish(client: LedgerClient): void {
    const [topic, qoses] = this.pick(TOPICS[client.name]!);
    client.publish(topic, this.pick(qoses), {
      isRetained: topic.startsWith('r/'),
      padding: between(this.random, 0, 300),
    });
  }

  /** False: it has not come true in time. */
  private async until(isTrue: () => boolean): Promise<boolean> {
    const end = performance.now() + (this.options.patienceMs ?? 60_000);
    while (!isTrue()) {
      if (performance.now() > end || this.ledger.broken.length > 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.heard = () => {
          clearTimeout(timer);
          setImmediate(resolve);
        };
      });
    }
    return true;
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  private pick<T>(from: readonly T[]): T {
    return from[between(this.random, 0, from.length - 1)]!;
  }
}

const CAST = [
  { name: 'pub-a', level: 4, expiryS: NEVER },
  { name: 'pub-b', level: 5, expiryS: NEVER },
  { name: 'pub-v', level: 4, expiryS: 0 },
  { name: 'sub-1', level: 4, expiryS: NEVER },
  { name: 'sub-2', level: 5, expiryS: 3_600, receiveMax: 5 },
  { name: 'share-1', level: 5, expiryS: NEVER },
  { name: 'share-2', level: 4, expiryS: NEVER },
  { name: 'monitor', level: 5, expiryS: NEVER },
  { name: 'will-1', level: 4, expiryS: NEVER, will: { topic: 'will/1', delayS: 0 } },
] as const;

const FILTERS: Readonly<Record<string, readonly (readonly [filter: string, qos: Qos])[]>> = {
  'sub-1': [['t/#', 2]],
  'sub-2': [['t/+', 1]],
  'share-1': [['$share/g/q/#', 2]],
  'share-2': [['$share/g/q/#', 2]],
  monitor: [['will/#', 2]],
};

const TOPICS: Readonly<Record<string, readonly (readonly [topic: string, qoses: readonly Qos[]])[]>> = {
  'pub-a': [
    ['t/a', [1, 2]],
    ['q/a', [2]],
    ['r/a', [1]],
  ],
  'pub-b': [
    ['t/b', [1, 2]],
    ['q/b', [1, 2]],
    ['r/b', [2]],
  ],
  'pub-v': [['t/v', [1, 2]]],
};
