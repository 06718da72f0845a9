// The README does what it says: its files are written, its commands are run, its samples are compared.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithTools, type Tool } from './tools.js';

const ROOT = join(import.meta.dirname, '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const COMMAND = join(ROOT, 'build', 'host', 'cli', 'main.js');

/** For the last words of what a script has stopped. */
const GRACE_MS = 500;

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
  // A project of the reader's, in which `npx thimble` finds the command, and programs the library.
  folder = mkdtempSync(join(tmpdir(), 'thimble-readme-'));
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(COMMAND, join(folder, 'node_modules', '.bin', 'thimble'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'thimble'));
  writeFileSync(join(folder, 'package.json'), '{}');
  for (const { kind, argument, body } of blocks) if (kind === 'file') writeFileSync(join(folder, argument), body);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** State and session of a process, from /proc: `pid (name) state ppid pgrp session …`. Undefined where there is none. */
function processOf(pid: string): { readonly state: string; readonly session: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: state!, session: Number(session) };
  } catch {
    return undefined;
  }
}

/** Ends whatever a script has left in the background: on Linux, every process of its session. */
function endSession(session: number): void {
  if (!existsSync('/proc')) return;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const found = processOf(pid);
    if (found?.session === session && found.state !== 'Z') process.kill(Number(pid), 'SIGKILL');
  }
}

/** Runs a block as a person's shell would; fails where one of its commands does. */
function run(script: string): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    // A session of its own, by which all that it leaves in the background is found.
    const shell = spawn('bash', ['-e', '-m', '-c', script], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1' },
      detached: true,
    });
    shell.on('exit', () => setTimeout(() => endSession(shell.pid!), GRACE_MS));
    let stdout = '';
    let stderr = '';
    shell.stdout.on('data', (data: Buffer) => {
      stdout += data;
    });
    shell.stderr.on('data', (data: Buffer) => {
      stderr += data;
    });
    shell.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

const runnable = blocks.filter(({ kind }) => kind === 'run');

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

describe('A script that fails', () => {
  it('leaves nothing behind', async () => {
    const { status, stdout } = await run('sleep 1000 &\necho $!\nfalse');
    expect(status).toBe(1);
    expect(processOf(stdout.trim())?.state ?? 'Z').toBe('Z'); // gone, or nobody has asked for its end yet
  });
});

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
