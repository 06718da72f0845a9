// The README does what it says: its files are written, its commands are run, its samples are compared.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { describeWithTools, type Tool } from './tools.js';

const ROOT = join(import.meta.dirname, '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const COMMAND = join(ROOT, 'build', 'host', 'cli', 'main.js');

/** For what a script has left in the background to end by itself, s; then it is killed. */
const GRACE_S = 10;

/** Whatever becomes of a script, nothing that it has started outlives it. Each job is a process group, by `bash -m`. */
const ENDING = `
leave() {
  local groups=$(jobs -p) group
  for group in $groups; do kill -- -$group 2> /dev/null || true; done
  (sleep ${GRACE_S}; for group in $groups; do kill -9 -- -$group 2> /dev/null || true; done) > /dev/null 2>&1 &
  local killer=$!
  for group in $groups; do wait $group 2> /dev/null || true; done
  kill -- -$killer 2> /dev/null || true
}
trap leave EXIT
`;

interface Block {
  /** What the comment above the block says: "run", "file", "sample". */
  readonly kind: string;
  readonly argument: string;
  readonly body: string;
}

/** Fenced blocks with a comment above them: `<!-- kind: argument -->`. */
const blocks: Block[] = [...README.matchAll(/<!-- (\w+)(?:: ([^>]*?))? -->\n```\w*\n([\s\S]*?)```/g)].map((match) => ({
  kind: match[1]!,
  argument: match[2] ?? '',
  body: match[3]!,
}));

let folder: string;

beforeAll(() => {
  // A project of the reader's, in which `npx thimble` finds the command.
  folder = mkdtempSync(join(tmpdir(), 'thimble-readme-'));
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(COMMAND, join(folder, 'node_modules', '.bin', 'thimble'));
  writeFileSync(join(folder, 'package.json'), '{}');
  for (const { kind, argument, body } of blocks) if (kind === 'file') writeFileSync(join(folder, argument), body);
});

// A test that took too long has left its shell.
afterEach(async () => {
  await Promise.all([...shells].map((shell) => shell.kill('SIGTERM') && once(shell, 'close')));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Ports that a script names: what it starts there must not find somebody else, nor must its clients. */
function portsOf(script: string): number[] {
  const ports = [...script.matchAll(/(?:--mqtt|--sn|--metrics|-p) (\d+)/g)].map((match) => Number(match[1]));
  return [...new Set(ports)].filter((port) => port > 0);
}

/** Fails where a port is taken, of TCP or of UDP. */
async function expectFree(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const taken = (error: Error): never => {
      throw new Error(`port ${port}, which the README's commands need, is taken: ${error.message}`);
    };
    const tcp = createServer().listen(port, '127.0.0.1');
    await once(tcp, 'listening').catch(taken);
    await new Promise((resolve) => tcp.close(resolve));
    const udp = createSocket('udp4');
    udp.bind(port, '127.0.0.1');
    await once(udp, 'listening').catch(taken);
    await new Promise<void>((resolve) => udp.close(resolve));
  }
}

const shells = new Set<ChildProcess>();

/** Runs a block as a person's shell would; fails where one of its commands does. */
async function run(script: string): Promise<Run> {
  await expectFree(portsOf(script));
  const shell = spawn('bash', ['-e', '-m', '-c', `${ENDING}${script}`], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  shells.add(shell);
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    shell[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  }
  const [status] = (await once(shell, 'close')) as [number | null];
  shells.delete(shell);
  return { status, ...said };
}

const runnable = blocks.filter(({ kind }) => kind === 'run');

describe('A script of the README', () => {
  const isAlive = (pid: number): boolean => spawnSync('kill', ['-0', String(pid)]).status === 0;

  it('that fails leaves nothing behind', async () => {
    const { status, stdout } = await run('sleep 1000 &\necho $!\nbash -c "sleep 1000; true" &\necho $!\nfalse');
    expect(status).toBe(1);
    const left = stdout.trim().split('\n').map(Number);
    expect(left).toHaveLength(2);
    for (const pid of left) expect(isAlive(pid)).toBe(false);
  });

  it('that hangs leaves nothing behind either, once it is ended', async () => {
    const ended = run('sleep 1000 &\necho $! > pids\nsleep 1000');
    const pids = join(folder, 'pids');
    await vi.waitUntil(() => existsSync(pids) && readFileSync(pids, 'utf8').endsWith('\n'), { timeout: 60_000 });
    for (const shell of shells) shell.kill('SIGTERM');
    await ended;
    expect(isAlive(Number(readFileSync(pids, 'utf8')))).toBe(false);
  });

  it('is not begun where somebody else has one of its ports', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(run(`thimble broker --sn ${port} &`)).rejects.toThrow(
      `port ${port}, which the README's commands need`,
    );
    other.close();
  });
});

describe("The README's commands", () => {
  for (const { body } of runnable.filter(({ argument }) => argument === '')) {
    it(`work: ${body.trim().split('\n')[0]}`, async () => {
      const { status, stderr } = await run(body);
      expect(status, stderr).toBe(0);
    });
  }
});

for (const { argument, body } of runnable.filter(({ argument }) => argument !== '')) {
  describeWithTools(argument.split(' ') as Tool[], `The README's commands with ${argument}`, () => {
    it('work, and print what the README says they print', async () => {
      const { status, stdout, stderr } = await run(body);
      expect(status, stderr).toBe(0);
      const after = README.slice(README.indexOf(body));
      // The first block after it that is not a program.
      const promised = /\n\n```\n([\s\S]*?)```/.exec(after)![1]!.trim().split('\n');
      for (const line of promised) expect(stdout).toContain(line);
    });
  });
}

describe("The README's samples", () => {
  const sample = blocks.find(({ kind }) => kind === 'sample')!;

  it('show what npm start prints, but for the wall time', () => {
    const { stdout } = spawnSync(process.execPath, [COMMAND, 'sim'], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
    });
    const plain = (text: string): string =>
      text
        .split('\n')
        .map((line) => line.trimEnd().replace(/in \d+\.\d s/, 'in 0.0 s'))
        .join('\n')
        .trim();
    expect(plain(sample.body)).toBe(plain(stdout));
  });
});

describe('The README', () => {
  it('links only to what is there', () => {
    const targets = [...README.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!);
    for (const target of targets) expect(() => readFileSync(join(ROOT, target))).not.toThrow('ENOENT');
  });
});
