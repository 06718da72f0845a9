// .ci/run, with stand-ins for all programs that it calls: nothing is installed here, and nothing built.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { BOARDS_DIR } from '../host/firmware/boards.js';
import { findProgram } from '../host/firmware/programs.js';

const CI = join(import.meta.dirname, '..', '.ci', 'run');
/** What the script needs of every machine's. */
const REAL = ['bash', 'cut', 'dirname', 'head', 'sed', 'sort'];
const manifest = readFileSync(join(BOARDS_DIR, 'linux-wamr', 'Cargo.toml'), 'utf8');
const [, rustMin] = /^rust-version = "([\d.]+)"$/m.exec(manifest)!;

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** `rust`: what cargo says of itself; undefined where there is none. */
function runCi(rust: string | undefined): { status: number | null; lines: string[]; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-ci-'));
  folders.push(folder);
  for (const program of REAL) symlinkSync(findProgram(program)!, join(folder, program));
  const stand = (name: string, script: string): void =>
    writeFileSync(join(folder, name), `#!/usr/bin/env bash\n${script}\n`, { mode: 0o755 });
  stand('id', 'echo 1000');
  stand('npm', 'echo "npm $*"');
  if (rust !== undefined) stand('cargo', `echo "cargo ${rust} (0123456 2026-01-01)"`);
  const { status, stdout, stderr } = spawnSync(findProgram('bash')!, [CI], { env: { PATH: folder }, encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n'), stderr };
}

it.each([
  ['none', undefined],
  ['1.63.0', '1.63.0'],
  ['1.9.0', '1.9.0'],
])('says at once, in one line, which Rust is needed where there is %s', (is, rust) => {
  const { status, lines, stderr } = runCi(rust);
  expect(status).toBe(1);
  expect(lines).toEqual(['']);
  expect(stderr).toMatch(/^[^\n]*\n$/);
  expect(stderr).toContain(`Rust ${rustMin} or later, from https://rustup.rs`);
  expect(stderr).toContain(`here is ${is}`);
});

it.each([`${rustMin}.0`, '2.0.0'])("goes on with Rust %s to the README's two commands", (rust) => {
  expect(runCi(rust)).toEqual({ status: 0, lines: ['npm ci', 'npm start', 'npm test'], stderr: '' });
});
