// What attackers do in the bench of abuse. Each attack goes on until it is stopped, and ends by vanishing: with a reset.
import { connect as connectSocket, type Socket } from 'node:net';
import { inParallel } from './client.js';
import { wait } from './flood.js';
import { connect, publish, subscribe } from './packets.js';
import { HOST } from './settings.js';

export interface Battlefield {
  readonly port: number;
  /** How many clients and messages: 1 in earnest, less to see that it runs. */
  readonly scale: number;
  readonly isOver: () => boolean;
}

export interface Attack {
  readonly name: AttackName;
  /** For the document. */
  readonly does: string;
  readonly run: (field: Battlefield) => Promise<void>;
}

export type AttackName =
  | 'slow readers'
  | 'half-open'
  | 'connects'
  | 'vanishing'
  | 'malformed'
  | 'pings'
  | 'subscriptions'
  | 'wildcards'
  | 'retained'
  | 'long topics';

const PAUSE_MS = 20;
const MIB = 1024 * 1024;
const LARGE_BYTES = 60_000;
const FILTERS_A_PACKET = 100;
const TOPIC_BYTES_MAX = 65_500;

class Raider {
  readonly socket: Socket;
  private isGone = false;

  /** `reads`: whether it takes what it is sent. */
  constructor({ port }: Battlefield, reads: boolean) {
    this.socket = connectSocket({ host: HOST, port, noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isGone = true;
    });
    if (reads) this.socket.resume();
  }

  get isThere(): boolean {
    return !this.isGone;
  }

  /** Resolves when the system has it, or the socket is gone. */
  async say(...parts: readonly Buffer[]): Promise<void> {
    if (this.isGone || this.socket.write(Buffer.concat(parts))) return;
    await new Promise<void>((resolve) => {
      this.socket.once('drain', resolve).once('close', resolve);
    });
  }

  vanish(): void {
    this.socket.resetAndDestroy();
  }
}

const scaled = (count: number, { scale }: Battlefield): number => Math.max(1, Math.round(count * scale));

const raiders = (count: number, field: Battlefield, reads = true): Raider[] =>
  Array.from({ length: scaled(count, field) }, () => new Raider(field, reads));

async function until(field: Battlefield, action: () => Promise<void> = () => wait(PAUSE_MS)): Promise<void> {
  while (!field.isOver()) {
    await action();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The action, with each of them, over and over. */
async function each(
  all: readonly Raider[],
  field: Battlefield,
  action: (raider: Raider, index: number) => Promise<void>,
) {
  await Promise.all(
    all.map((raider, index) => until(field, async () => (raider.isThere ? action(raider, index) : wait(PAUSE_MS)))),
  );
  for (const raider of all) raider.vanish();
}

const large = publish('flood', 0, 1, LARGE_BYTES);

async function slowReaders(field: Battlefield): Promise<void> {
  const slow = raiders(20, field, false);
  for (const [i, raider] of slow.entries()) await raider.say(connect(`slow-${i}`), subscribe('flood', 0));
  const flood = raiders(1, field);
  await flood[0]!.say(connect('flood'));
  // 100 MB a second at most: what is measured is not how much one client can keep the broker busy.
  await each(flood, field, async (raider) => {
    for (let i = 0; i < 16; i++) await raider.say(large);
    await wait(10);
  });
  for (const raider of slow) raider.vanish();
}

async function halfOpen(field: Battlefield): Promise<void> {
  const all = raiders(3_000, field);
  const half = connect('half-open').subarray(0, 10);
  await inParallel(all.length, 100, (i) => all[i]!.say(half));
  await until(field);
  for (const raider of all) raider.vanish();
}

async function connects(field: Battlefield): Promise<void> {
  let number = 0;
  await until(field, async () => {
    const all = raiders(1_000, field);
    await inParallel(all.length, 100, (i) => all[i]!.say(connect(`crowd-${number++}`)));
    await wait(PAUSE_MS);
    for (const raider of all) raider.vanish();
  });
}

async function vanishing(field: Battlefield): Promise<void> {
  let number = 0;
  const message = publish('load', 0, 1, 1_000);
  await until(field, async () => {
    const all = raiders(100, field);
    for (const raider of all) await raider.say(connect(`vanishing-${number++}`), subscribe('load', 0));
    await wait(PAUSE_MS);
    for (const raider of all) await raider.say(message, message.subarray(0, 100));
    for (const raider of all) raider.vanish();
  });
}

async function malformed(field: Battlefield): Promise<void> {
  let number = 0;
  await until(field, async () => {
    const all = raiders(50, field);
    for (const raider of all) {
      const packets = Buffer.concat([publish('t', 1, 1), subscribe('a/+/#', 1), publish('t', 2, 2)]);
      packets[(number * 7) % packets.length]! ^= 1 << (number % 8);
      await raider.say(connect(`malformed-${number++}`), packets);
    }
    await wait(PAUSE_MS);
    for (const raider of all) raider.vanish();
  });
}

async function pings(field: Battlefield): Promise<void> {
  const all = raiders(10, field);
  for (const [i, raider] of all.entries()) await raider.say(connect(`pings-${i}`));
  const packets = Buffer.alloc(4_096, Buffer.of(0xc0, 0x00));
  await each(all, field, async (raider) => {
    await raider.say(packets);
    await wait(PAUSE_MS);
  });
}

/** Each looks at everything that is retained, and finds nothing. */
async function subscriptions(field: Battlefield): Promise<void> {
  const [setter] = raiders(1, field);
  await setter!.say(connect('setter'));
  const count = scaled(20_000, field);
  for (let i = 0; i < count; i++) await setter!.say(publish(`r/${i % 100}/${i}`, 0, 1, 10, true));
  const all = raiders(10, field);
  for (const [i, raider] of all.entries()) await raider.say(connect(`subscriptions-${i}`));
  let number = 0;
  await each(all, field, async (raider) => {
    const filters = Array.from({ length: scaled(FILTERS_A_PACKET, field) }, () => `+/+/+/${number++ % 10_000}`);
    await raider.say(subscribe(filters, 0));
    await wait(50);
  });
  for (let i = 0; i < count; i++) await setter!.say(publish(`r/${i % 100}/${i}`, 0, 1, 0, true));
  setter!.vanish();
}

async function wildcards(field: Battlefield): Promise<void> {
  const LEVELS = 12;
  const all = raiders(1, field);
  const filters = Array.from(
    { length: 2 ** LEVELS },
    (_, i) =>
      `${Array.from({ length: LEVELS }, (_, bit) => ((i >> bit) & 1 ? '+' : 'a')).join('/')}${'/+'.repeat(100)}/never`,
  );
  for (const raider of all) await raider.say(connect('wildcards'), subscribe(filters, 0));
  let number = 0;
  await each(all, field, async (raider) => {
    await raider.say(publish(`${'a/'.repeat(111)}${number++}`, 0, 1, 10));
    await wait(PAUSE_MS);
  });
}

async function retained(field: Battlefield): Promise<void> {
  const all = raiders(4, field);
  for (const [i, raider] of all.entries()) await raider.say(connect(`retained-${i}`));
  let number = 0;
  const deep = '/a'.repeat(50);
  await each(all, field, async (raider) => {
    for (let i = 0; i < 20; i++)
      await raider.say(publish(`${number++}${number % 2 === 0 ? deep : ''}`, 0, 1, 1_000, true));
    await wait(5);
  });
}

async function longTopics(field: Battlefield): Promise<void> {
  const all = raiders(1, field);
  for (const raider of all) await raider.say(connect('long-topics'));
  let number = 0;
  const tail = 'x'.repeat(TOPIC_BYTES_MAX);
  await each(all, field, async (raider) => {
    for (let i = 0; i < 5; i++) await raider.say(publish(`${number++}${tail}`, 0, 1, 1));
    await wait(5);
  });
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'slow readers',
    does: `20 subscribers that never read, and ${Math.round((16 * LARGE_BYTES * 100) / MIB)} MiB a second at most for each of them`,
    run: slowReaders,
  },
  { name: 'half-open', does: '3,000 connections with ten bytes of a CONNECT, and nothing more', run: halfOpen },
  {
    name: 'connects',
    does: 'clients that connect, 1,000 at a time, as fast as they can, and are reset',
    run: connects,
  },
  {
    name: 'vanishing',
    does: '100 clients at a time that subscribe, publish 1 kB to all of them, and are reset in the middle of the next',
    run: vanishing,
  },
  { name: 'malformed', does: '50 connections at a time, each with a bit wrong in its packets', run: malformed },
  { name: 'pings', does: '10 clients with 2,048 PINGREQ each, 50 times a second', run: pings },
  {
    name: 'subscriptions',
    does: '10 clients with 2,000 filters a second each, of which every one looks at all of 20,000 retained messages and finds none',
    run: subscriptions,
  },
  {
    name: 'wildcards',
    does: '4,096 filters of 113 levels that nearly match, and 50 messages a second',
    run: wildcards,
  },
  {
    name: 'retained',
    does: '4 clients with 4,000 retained messages a second each of 1 kB, half of them with 51 levels',
    run: retained,
  },
  { name: 'long topics', does: '1,000 messages a second, each to a new topic of 65,500 bytes', run: longTopics },
];
