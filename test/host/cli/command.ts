// The command, two ways: the built one as a process of its own, and the sources within the test, which is many times faster.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, vi } from 'vitest';

export const MAIN = fileURLToPath(new URL('../../../build/host/cli/main.js', import.meta.url));

export const Exit = { Done: 0, Failed: 1, Usage: 2 } as const;

export interface Result {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Variables that change what the command prints; a test that wants one sets it. */
const NEUTRAL = { NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined };

/** Runs `thimble ARGS` to its end. */
export async function thimble(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...NEUTRAL, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  }
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, ...said };
}

/** Runs it to a good end and reads the one JSON document that it prints. */
export async function thimbleJson<T>(args: readonly string[]): Promise<T> {
  const { exit, stdout, stderr } = await thimble([...args, '--json']);
  expect(exit, stderr).toBe(Exit.Done);
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout) as T;
}

/** Runs `thimble ARGS` within the test. For what ends by itself. */
export async function thimbleWithin(args: readonly string[]): Promise<Result> {
  process.env.NO_COLOR = '1'; // read when the command is loaded
  const { runCommand } = await import('../../../host/cli/program.js');
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      said[stream] += text;
      return true;
    }),
  );
  try {
    return { exit: await runCommand(args), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** It refuses: wrong usage, nothing on stdout, and one message with the code and every word of `mentions`. */
export async function expectRefusal(args: readonly string[], code: string, mentions: readonly string[]): Promise<void> {
  const { exit, stdout, stderr } = await thimbleWithin(args);
  expect(stderr).toMatch(/^thimble: [^\n]+\n$/);
  expect(stderr).toContain(`[${code}]`);
  for (const mention of mentions) expect(stderr).toContain(mention);
  expect(stdout).toBe('');
  expect(exit).toBe(Exit.Usage);
}

const folders: string[] = [];

/** A folder that is gone after the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-cli-'));
  folders.push(folder);
  return folder;
}

/** A file with this text (or, for what is no text, this as JSON) in a folder of its own. */
export function temporaryFile(name: string, content: unknown): string {
  const file = join(temporaryFolder(), name);
  const isRaw = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(file, isRaw ? content : JSON.stringify(content));
  return file;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
