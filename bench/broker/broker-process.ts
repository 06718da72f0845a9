// One broker in a process of its own, from its start to its end.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BrokerSpec, Start } from './brokers.js';
import { Client } from './client.js';
import { wait } from './flood.js';
import { lastWords, startPinned } from './pin.js';
import { cpuSeconds } from './proc.js';
import { BROKER_CORE, HOST } from './settings.js';

const START_MS_MAX = 15_000;
const STOP_MS_MAX = 3_000;
const RETRY_MS = 50;
/** A broker is at rest when it has taken no CPU time for so long; it is not waited for longer than that. */
const REST_MS = 40;
const REST_MS_MAX = 2_000;

/** Of brokers that run, for when the bench ends before they do. */
const folders = new Set<string>();
process.once('exit', () => {
  for (const folder of folders) remove(folder);
});

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

export class BrokerProcess {
  private constructor(
    readonly spec: BrokerSpec,
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly port: number,
    private readonly words: () => string,
  ) {}

  /** Resolves when it has accepted a client. */
  static async start(spec: BrokerSpec): Promise<BrokerProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'thimble-bench-'));
    folders.add(folder);
    const start = spec.start(await freePort(), folder);
    if (start.config !== undefined) writeFileSync(start.config.file, start.config.text);
    const child = startPinned(start, BROKER_CORE);
    const words = lastWords(child);
    const deadline = performance.now() + START_MS_MAX;
    let broker: BrokerProcess | undefined;
    try {
      const port = await Promise.race([portOf(start, child), never(START_MS_MAX)]);
      broker = new BrokerProcess(spec, child, folder, port, words);
      while (!(await broker.answers())) {
        if (!broker.isAlive || performance.now() > deadline) throw new Error('it accepts no client');
        await wait(RETRY_MS);
      }
      return broker;
    } catch (error) {
      await (broker ?? new BrokerProcess(spec, child, folder, 0, words)).stop();
      throw new Error(`${spec.name} does not start: ${error instanceof Error ? error.message : error}\n${words()}`);
    }
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** What it has said last, on stderr. */
  get lastWords(): string {
    return this.words();
  }

  /** Until it has cleared up what came before. */
  async rest(): Promise<void> {
    const deadline = performance.now() + REST_MS_MAX;
    let used = cpuSeconds(this.pid);
    for (;;) {
      await wait(REST_MS);
      const now = cpuSeconds(this.pid);
      if (now === used || performance.now() > deadline) return;
      used = now;
    }
  }

  async stop(): Promise<void> {
    if (this.isAlive && this.child.pid !== undefined) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      const kill = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS_MAX);
      await gone;
      clearTimeout(kill);
    }
    remove(this.folder);
  }

  private async answers(): Promise<boolean> {
    try {
      const client = await Client.open(this.port, 'probe');
      await client.close();
      return true;
    } catch {
      return false;
    }
  }
}

async function never(ms: number): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref());
  throw new Error(`it says nothing for ${ms} ms`);
}

function portOf({ port }: Start, child: ChildProcess): Promise<number> {
  if (port !== undefined) {
    child.stdout!.resume();
    return Promise.resolve(port);
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error('it ends')));
    createInterface(child.stdout!).once('line', (line) => {
      resolve((JSON.parse(line) as { mqtt: number }).mqtt);
    });
  });
}

/** One that nobody listens at, for brokers that cannot choose. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port is free');
  return address.port;
}
