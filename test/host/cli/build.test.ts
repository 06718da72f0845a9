import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listBoards } from '../../../host/firmware/boards.js';
import type { BuildReport } from '../../../host/firmware/build.js';
import { Exit, temporaryFile, temporaryFolder, thimbleWithin } from './command.js';

async function build(...args: string[]): Promise<BuildReport> {
  const { exit, stdout, stderr } = await thimbleWithin(['build', '--json', ...args]);
  expect(exit, stderr).toBe(Exit.Done);
  const { modules } = JSON.parse(stdout) as { modules: BuildReport[] };
  expect(modules.length).toBe(1);
  return modules[0]!;
}

describe('thimble build', () => {
  it('writes the module and reports its sizes', async () => {
    const out = join(temporaryFolder(), 'deep', 'er', 'beacon.wasm');
    const report = await build('beacon', '--out', out);
    expect(report).toMatchObject({ name: 'beacon', out, wasmBytes: statSync(out).size });
    expect(report.stateBytes).toBeGreaterThan(0);
    expect(report.linearBytes).toBeGreaterThanOrEqual(report.stateBytes);
  });

  it('makes the same bytes of the same source', async () => {
    const folder = temporaryFolder();
    const files = ['a.wasm', 'b.wasm'].map((name) => join(folder, name));
    for (const file of files) await build('beacon', '--out', file);
    expect(readFileSync(files[0]!).equals(readFileSync(files[1]!))).toBe(true);
  });

  it('takes limits, and a smaller one makes a smaller device', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const whole = await build('beacon', '--out', out);
    const small = await build('beacon', '--out', out, '--use', 'TOPICS_MAX=2', '--use', 'TOPIC_NAME_BYTES_MAX=16');
    expect(small.stateBytes).toBeLessThan(whole.stateBytes);
  });

  it('builds for a board, and says which there are where one is not', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    for (const board of listBoards()) await build('beacon', '--out', out, '--board', board);
    const { exit, stderr } = await thimbleWithin(['build', 'beacon', '--out', out, '--board', 'toaster']);
    expect(exit).toBe(Exit.Usage);
    for (const board of listBoards()) expect(stderr).toContain(board);
  });

  it('leaves the modules that others run alone', async () => {
    const shipped = join(import.meta.dirname, '..', '..', '..', 'build', 'apps', 'beacon.wasm');
    const before = readFileSync(shipped);
    const folder = process.cwd();
    process.chdir(temporaryFolder());
    try {
      const { out } = await build('beacon', '--use', 'TOPICS_MAX=2');
      expect(out).toBe(join('build', 'beacon.wasm'));
    } finally {
      process.chdir(folder);
    }
    expect(readFileSync(shipped).equals(before)).toBe(true);
  });

  it('writes nothing where the source does not compile', async () => {
    const out = join(temporaryFolder(), 'broken.wasm');
    const { exit } = await thimbleWithin(['build', temporaryFile('broken.ts', 'export const x = ;'), '--out', out]);
    expect(exit).toBe(Exit.Failed);
    expect(existsSync(out)).toBe(false);
  });

  it('makes the folder of --out, and names files outside of the current one in full', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'not', 'there', 'beacon.wasm');
    expect((await thimbleWithin(['build', 'beacon', '--out', out])).stdout).toContain(` ${out} `);
    const before = process.cwd();
    process.chdir(folder);
    try {
      const { stdout } = await thimbleWithin(['build', 'beacon', '--out', out]);
      expect(stdout).toContain(` ${join('not', 'there', 'beacon.wasm')} `);
    } finally {
      process.chdir(before);
    }
  });

  it('shows a table to people', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const { stdout } = await thimbleWithin(['build', 'beacon', '--out', out]);
    expect(stdout).toMatch(/module +wasm B +state B +linear memory B +file/);
    expect(stdout).toMatch(/^ +beacon +[\d,]+ +[\d,]+ +[\d,]+ +\S+beacon\.wasm *$/m);
  });
});
