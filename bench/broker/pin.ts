// A process with one core to itself, and with as many open files as the system lets it have.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { constants, cpus } from 'node:os';
import { ENVIRONMENT } from './brokers.js';

/** A shell's exit code for a process that a signal has ended is this and the signal's number. */
const SIGNAL_EXIT = 128;

/** True where a process can be given a core, and broker and load can have one each. */
export const CAN_PIN: boolean = cpus().length > 1 && spawnSync('taskset', ['-V']).status === 0;

/** The soft limit of open files is raised to the hard one: each connection is a file at both ends. */
const WITH_FILES = 'ulimit -S -n "$(ulimit -H -n)" 2>/dev/null; exec "$@"';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** All that run: none outlives the bench, whatever ends it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(SIGNAL_EXIT + constants.signals[signal]));
}

/** Starts it on a core. stdout and stderr are pipes. */
export function startPinned({ command, args, environment }: Program, core: number): ChildProcess {
  const pin = CAN_PIN ? ['taskset', '-c', String(core)] : [];
  const child = spawn('sh', ['-c', WITH_FILES, 'sh', ...pin, command, ...args], {
    env: { ...ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** What it has said on a pipe, the last of it, for whoever wants to know why it ended. */
export function lastWords(child: ChildProcess): () => string {
  const CHARS_MAX = 2_000;
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-CHARS_MAX);
  });
  return () => said.trim();
}
