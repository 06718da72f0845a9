// Bystanders and attackers of the bench of abuse, each in a process of its own: does what its argument says. It ends
// at SIGTERM, and the bystanders print what they have measured.
import { ATTACKS } from './attacks.js';
import { Client } from './client.js';
import { wait } from './flood.js';
import { publish } from './packets.js';

export interface AbuseOrder {
  readonly port: number;
  readonly role: 'bystanders' | 'attack';
  /** Of an attack. */
  readonly name?: string;
  readonly scale: number;
}

/** When a message was sent, in ms since 1970, and how long it took, ms. */
export type Sample = readonly [sentMs: number, tookMs: number];

export interface BystanderResult {
  readonly samples: readonly Sample[];
  readonly sent: number;
}

const PERIOD_MS = 5;
const SILENCE_MS_MAX = 10_000;

const order = JSON.parse(process.argv[2]!) as AbuseOrder;
let isOver = false;
process.once('SIGTERM', () => {
  isOver = true;
});

const nowMs = (): number => performance.timeOrigin + performance.now();

/** One message each few milliseconds, in its time also where the one before has not come. */
async function bystanders(): Promise<BystanderResult> {
  const reader = await Client.open(order.port, 'bystander');
  await reader.subscribe('bystander', 0);
  const writer = await Client.open(order.port, 'bystander-writer');
  const sentMs: number[] = [];
  const samples: Sample[] = [];
  let heardMs = nowMs();
  reader.listen({
    frame: () => {
      heardMs = nowMs();
      const sent = sentMs[samples.length]!;
      samples.push([sent, heardMs - sent]);
    },
    readDone: () => {},
  });
  const packet = publish('bystander', 0, 1);
  process.stdout.write('ready\n');
  for (let due = nowMs(); !isOver; due += PERIOD_MS) {
    await wait(Math.max(0, due - nowMs()));
    sentMs.push(nowMs()); // what the timer was late by is no fault of the broker's
    writer.write(packet);
  }
  while (samples.length < sentMs.length && nowMs() - heardMs < SILENCE_MS_MAX) await wait(PERIOD_MS);
  return { samples, sent: sentMs.length };
}

async function attack(): Promise<void> {
  const { port, scale, name } = order;
  process.stdout.write('ready\n');
  await ATTACKS.find((one) => one.name === name)!.run({ port, scale, isOver: () => isOver });
}

if (order.role === 'attack') await attack();
else process.stdout.write(`${JSON.stringify(await bystanders())}\n`);
process.exit(0);
