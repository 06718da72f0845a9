// A process that writes to a store, step by step, and says of each step that it is done; and what the store must hold then.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

const DISK_STORE = new URL('../../../build/host/store/disk-store.js', import.meta.url).href;
const KEYS = 40;

/**
 * What a step does: every fifth deletes, the others put a value whose every octet is the step's, and whose length differs
 * from one step to the next. This function's text is also run by the process.
 */
function step(n: number, keys: number): { key: string; value: Uint8Array | undefined } {
  const key = `key ${(n * 7) % keys}`;
  return { key, value: n % 5 === 4 ? undefined : new Uint8Array(1 + ((n * 131) % 9000)).fill(n) };
}

const PROGRAM = `
import { writeSync } from 'node:fs';
import { openDiskStore } from ${JSON.stringify(DISK_STORE)};
${step.toString()}
function say(text) {
  for (;;) try { writeSync(1, text + '\\n'); return; } catch (error) { if (error.code !== 'EAGAIN') throw error; }
}
const store = await openDiskStore(process.argv[1]);
say('open');
for (let n = Number(process.argv[2]); n < Number(process.argv[3]); n++) {
  const { key, value } = step(n, ${KEYS});
  if (value === undefined) store.delete(key); else store.put(key, value);
  say(n);
}
setInterval(() => {}, 1e6);
`;

/** What a store holds after steps 0 to `steps` - 1. */
export function afterSteps(steps: number): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let n = 0; n < steps; n++) {
    const { key, value } = step(n, KEYS);
    if (value === undefined) records.delete(key);
    else records.set(key, value);
  }
  return records;
}

/** A process that says in lines what it has done, until it is killed. */
export class WritingProcess {
  private readonly child: ChildProcessByStdio<null, Readable, Readable>;
  private readonly closed: Promise<unknown>;
  private complaint = '';
  private said = '';
  private heard = (): void => {};

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.closed = once(this.child, 'close');
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaint += text;
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
      this.heard();
    });
    this.child.on('close', () => this.heard());
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits for so many lines: the first says that the store is open. */
  async lines(count: number): Promise<void> {
    while (this.said.split('\n').length <= count) {
      if (this.child.exitCode !== null) throw new Error(`the writer ended: ${this.complaint}`);
      await new Promise<void>((resolve) => {
        this.heard = resolve;
      });
    }
  }

  /** Waits for its end. What it said, by lines. */
  async end(): Promise<readonly string[]> {
    await this.closed;
    return this.wholeLines();
  }

  /** kill -9. The last step that it said was done; -1 for none. */
  async kill(): Promise<number> {
    this.child.kill('SIGKILL');
    await this.closed;
    const last = this.wholeLines().at(-1) ?? 'open';
    return last === 'open' ? -1 : Number(last);
  }

  private wholeLines(): readonly string[] {
    return this.said.split('\n').slice(0, -1);
  }
}

export class Writer extends WritingProcess {
  /** Does steps `from` to `to` - 1, and then keeps the store open. */
  constructor(folder: string, from: number, to: number) {
    super(process.execPath, ['--input-type=module', '-e', PROGRAM, folder, `${from}`, `${to}`]);
  }
}
