// What abuse costs those who do nothing wrong: how long messages of two bystanders take without and with an attack, and the
// broker's memory before it, at its worst, and after it. Only Thimble's broker: what others do depends on their settings.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BrokerConfig } from '../../host/broker/config.js';
import type { AbuseOrder, BystanderResult, Sample } from './abuse-load.js';
import { ATTACKS, type Attack, type AttackName } from './attacks.js';
import { wait } from './flood.js';
import { quantile } from './pace.js';
import { lastWords, type Program, startPinned } from './pin.js';
import { residentBytes } from './proc.js';
import { BROKER_CORE, LOAD_CORE } from './settings.js';
import type { Effort } from './tasks.js';

/** What the broker is told; otherwise its defaults. */
export const ABUSE_LIMITS = {
  connectsPerSecondMax: 500,
  queueBytesMax: 256 * 1024,
  retainedBytesMax: 16 * 1024 * 1024,
} satisfies Partial<BrokerConfig>;

interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface AbuseRow {
  readonly attack: AttackName;
  /** Undefined where the attack could not be measured. */
  readonly without?: Latency;
  readonly with?: Latency;
  readonly sent: number;
  readonly received: number;
  /** Resident memory of the broker. Undefined where nobody knows. */
  readonly beforeBytes?: number;
  readonly peakBytes?: number;
  readonly afterBytes?: number;
  /** What is on its heap and beside it, without garbage. */
  readonly heapBeforeBytes?: number;
  readonly heapAfterBytes?: number;
  readonly failure?: string;
}

const SAMPLE_MS = 50;
const WORD_MS_MAX = 30_000;
/** After the attack: what is to be closed is closed, what is to end ends. */
const REST_MS = 1_000;
/** Attackers are to have no core from the bystanders. */
const NICE = ['-n', '19'];

const own = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const nowMs = (): number => performance.timeOrigin + performance.now();

/** A process that says one line at a time. */
class Child {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly words: () => string;

  constructor(program: Program, core: number) {
    this.process = startPinned(program, core);
    this.words = lastWords(this.process);
    this.lines = createInterface(this.process.stdout!)[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.process.pid!;
  }

  async line(): Promise<string> {
    const kill = setTimeout(() => this.signal('SIGKILL'), WORD_MS_MAX);
    const line = await this.lines.next();
    clearTimeout(kill);
    if (line.done === true) throw new Error(this.words() || 'it ends without a word');
    return line.value;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Resolves when it has ended, in its own way or, later, in ours. */
  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const kill = setTimeout(() => this.signal('SIGKILL'), WORD_MS_MAX);
    const gone = once(this.process, 'exit');
    this.signal('SIGTERM');
    await gone;
    clearTimeout(kill);
  }
}

class Broker extends Child {
  static async start(): Promise<{ readonly broker: Broker; readonly port: number }> {
    const args = ['--expose-gc', own('./abuse-broker.js'), JSON.stringify(ABUSE_LIMITS)];
    const broker = new Broker({ command: process.execPath, args }, BROKER_CORE);
    return { broker, port: (JSON.parse(await broker.line()) as { mqtt: number }).mqtt };
  }

  async heapBytes(): Promise<number> {
    this.signal('SIGUSR2');
    return (JSON.parse(await this.line()) as { heapBytes: number }).heapBytes;
  }
}

async function startLoad(order: AbuseOrder): Promise<Child> {
  const node = [own('./abuse-load.js'), JSON.stringify(order)];
  const program =
    order.role === 'attack'
      ? { command: 'nice', args: [...NICE, process.execPath, ...node] }
      : { command: process.execPath, args: node };
  const child = new Child(program, LOAD_CORE);
  await child.line(); // ready
  return child;
}

function latencyOf(samples: readonly Sample[], from: number, to: number): Latency | undefined {
  const took = samples.filter(([sentMs]) => sentMs >= from && sentMs < to).map(([, ms]) => ms);
  if (took.length === 0) return undefined;
  took.sort((a, b) => a - b);
  return { p50Ms: quantile(took, 0.5), p99Ms: quantile(took, 0.99) };
}

async function measure(attack: Attack, { abuseMs, abuseScale }: Effort): Promise<AbuseRow> {
  const children: Child[] = [];
  try {
    const { broker, port } = await Broker.start();
    children.push(broker);
    const bystanders = await startLoad({ port, role: 'bystanders', scale: abuseScale });
    children.push(bystanders);
    await wait(abuseMs / 2); // to warm up
    const heapBefore = await broker.heapBytes();
    const before = residentBytes(broker.pid);
    const calmAt = nowMs();
    await wait(abuseMs);
    const calmEndAt = nowMs();
    const attacker = await startLoad({ port, role: 'attack', name: attack.name, scale: abuseScale });
    children.push(attacker);
    const abuseAt = nowMs();
    let peak = before ?? 0;
    while (nowMs() < abuseAt + abuseMs) {
      await wait(SAMPLE_MS);
      peak = Math.max(peak, residentBytes(broker.pid) ?? 0);
    }
    const abuseEndAt = nowMs();
    await attacker.stop();
    await wait(Math.min(REST_MS, abuseMs));
    const heapAfter = await broker.heapBytes();
    const after = residentBytes(broker.pid);
    bystanders.signal('SIGTERM');
    const { samples, sent } = JSON.parse(await bystanders.line()) as BystanderResult;
    const without = latencyOf(samples, calmAt, calmEndAt);
    const under = latencyOf(samples, abuseAt, abuseEndAt);
    return {
      attack: attack.name,
      ...(without && { without }),
      ...(under && { with: under }),
      sent,
      received: samples.length,
      ...(before !== undefined && after !== undefined && { beforeBytes: before, peakBytes: peak, afterBytes: after }),
      heapBeforeBytes: heapBefore,
      heapAfterBytes: heapAfter,
    };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { attack: attack.name, sent: 0, received: 0, failure };
  } finally {
    for (const child of children.reverse()) await child.stop();
  }
}

export async function runAbuse(effort: Effort, progress: (what: string) => void): Promise<AbuseRow[]> {
  const rows: AbuseRow[] = [];
  for (const attack of ATTACKS.slice(0, effort.attacksMax)) {
    progress(`abuse: ${attack.name}`);
    rows.push(await measure(attack, effort));
  }
  return rows;
}
