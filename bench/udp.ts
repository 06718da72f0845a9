// Datagrams per second through a real gateway over loopback, with the CPU time that a message takes of its process.
// A closed loop: everybody waits for an answer before going on, so nothing can be sent faster than it is taken, and
// nothing is lost without being missed.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Effort, type Load, measure, type Row, type Task } from './measure.js';
import { type Traffic, turnOf, UdpClient } from './udp-client.js';
import type { Ready, Usage } from './udp-talk.js';

const CLIENTS = 100;
/** Messages of one run, about. */
const MESSAGES = 20_000;
const MESSAGES_QUICK = 1_600;
/**
 * Datagrams on their way to the gateway at a time, at most. Linux gives a socket room for 277 small ones
 * (net.core.rmem_default), and drops silently what comes beyond.
 */
const UNDER_WAY = 180;
/** Without an answer for so long, something was lost. */
const SILENCE_MS_MAX = 10_000;
const US_PER_MS = 1_000;

/** What one run has cost. */
interface Sample {
  readonly messages: number;
  readonly wallUs: number;
  readonly gatewayUs: number;
  readonly loadUs: number;
}

class World {
  private readonly clients = Array.from({ length: CLIENTS }, () => new UdpClient());

  private constructor(private readonly child: ChildProcess) {}

  static async open(): Promise<World> {
    const world = new World(fork(fileURLToPath(new URL('./udp-process.js', import.meta.url))));
    const [{ port }] = (await once(world.child, 'message')) as [Ready];
    for (const [index, client] of world.clients.entries()) await client.open(port, index);
    return world;
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }

  /** So many turns of the clients. Rejects when anything was lost or sent twice. */
  async run(traffic: Traffic, turns: number): Promise<Sample> {
    const { messages, datagramsIn, datagramsOut, underWay } = turnOf(traffic);
    const before = await this.usage();
    const answeredBefore = this.answered;
    const start = performance.now();
    const cpu = process.cpuUsage();
    await this.takeTurns(traffic, turns, Math.min(CLIENTS, Math.floor(UNDER_WAY / underWay)));
    const wallUs = (performance.now() - start) * US_PER_MS;
    const { user, system } = process.cpuUsage(cpu);
    const after = await this.usageAt(before.datagramsIn + turns * datagramsIn);
    const answered = this.answered - answeredBefore;
    expectSame('messages answered', answered, turns * messages);
    expectSame('datagrams received by the gateway', after.datagramsIn - before.datagramsIn, turns * datagramsIn);
    expectSame('datagrams sent by the gateway', after.datagramsOut - before.datagramsOut, turns * datagramsOut);
    return { messages: answered, wallUs, gatewayUs: after.cpuUs - before.cpuUs, loadUs: user + system };
  }

  private get answered(): number {
    return this.clients.reduce((sum, client) => sum + client.answered, 0);
  }

  /** What the gateway has used once it has taken so many datagrams: the last acknowledgements may still be on their way. */
  private async usageAt(datagramsIn: number): Promise<Usage> {
    const deadline = performance.now() + SILENCE_MS_MAX;
    let usage = await this.usage();
    while (usage.datagramsIn < datagramsIn && performance.now() < deadline) usage = await this.usage();
    return usage;
  }

  private async usage(): Promise<Usage> {
    const answer = once(this.child, 'message') as Promise<[Usage]>;
    this.child.send('usage');
    return (await answer)[0];
  }

  /** Who is idle takes the next turn, first come, first served. */
  private takeTurns(traffic: Traffic, turns: number, atATime: number): Promise<void> {
    const idle = [...this.clients];
    let begun = 0;
    let over = 0;
    return new Promise((resolve, reject) => {
      let seen = 0;
      const watch = setInterval(() => {
        if (over === seen) reject(new Error(`${begun - over} turns came to no end: something was lost`));
        seen = over;
      }, SILENCE_MS_MAX);
      const begin = (): void => {
        const client = idle.shift();
        if (begun === turns || client === undefined) return;
        begun++;
        client.begin(traffic, () => {
          idle.push(client);
          if (++over < turns) begin();
          else {
            clearInterval(watch);
            resolve();
          }
        });
      };
      for (let i = 0; i < atATime; i++) begin();
    });
  }
}

function expectSame(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${found} ${what}, not ${expected}`);
}

const TRAFFIC: readonly Traffic[] = [
  { direction: 'up', qos: 0 },
  { direction: 'down', qos: 0 },
  { direction: 'up', qos: 1 },
  { direction: 'down', qos: 1 },
];

function taskOf(world: World, traffic: Traffic, messages: number, samples: Sample[]): Task {
  const turn = turnOf(traffic);
  const turns = Math.ceil(messages / turn.messages);
  return {
    task: `${traffic.direction === 'up' ? 'from' : 'to'} devices, QoS ${traffic.qos}`,
    subject: `${CLIENTS} devices`,
    unit: 'datagrams',
    units: turns * (turn.datagramsIn + turn.datagramsOut),
    run: async () => {
      samples.push(await world.run(traffic, turns));
    },
  };
}

/** The medians of all runs. */
function loadOf(samples: readonly Sample[]): Load {
  const median = (of: (sample: Sample) => number): number => {
    const sorted = samples.map(of).sort((a, b) => a - b);
    return sorted[sorted.length >> 1]!;
  };
  return {
    messages: samples.reduce((sum, sample) => sum + sample.messages, 0),
    cpuUsPerMessage: median(({ gatewayUs, messages }) => gatewayUs / messages),
    cpuPercent: median(({ gatewayUs, wallUs }) => (100 * gatewayUs) / wallUs),
    loadCpuPercent: median(({ loadUs, wallUs }) => (100 * loadUs) / wallUs),
  };
}

export async function benchUdp(effort: Effort, isQuick: boolean): Promise<Row[]> {
  const world = await World.open();
  try {
    const rows: Row[] = [];
    for (const traffic of TRAFFIC) {
      const samples: Sample[] = [];
      const task = taskOf(world, traffic, isQuick ? MESSAGES_QUICK : MESSAGES, samples);
      const [row] = await measure('gateway, UDP loopback', [task], effort);
      rows.push({ ...row!, load: loadOf(samples) });
    }
    return rows;
  } finally {
    await world.close();
  }
}
