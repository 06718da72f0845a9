// Ports for SDKs that are not here: their C is compiled with warnings as errors, against WAMR's own header and stand-ins for
// the SDK's; what they share is compiled by itself, without any.
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { BOARDS_DIR, listBoards, readBoard } from '../../host/firmware/boards.js';
import { Exit, temporaryFolder, thimbleWithin } from '../host/cli/command.js';
import { describeWithTools } from '../tools.js';
import { WAMR_BOARD } from './wamr.js';

const run = promisify(execFile);
const COMMON = join(BOARDS_DIR, 'common');
const STUBS = join(import.meta.dirname, 'stubs');
const WARNINGS = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only'];
const CONFIGURATION = ['-DCONFIG_THIMBLE_POOL_BYTES=81920', '-DCONFIG_THIMBLE_LOG_LEVEL=3'];
/** With metering, as both builds define it, and without. */
const BUILDS = [['-DWASM_ENABLE_INSTRUCTION_METERING=1'], [], ['-DMODULE_WAMR_UPDATES']];

const ports = listBoards().filter((name) => readBoard(name).verified === 'compiled');

describeWithTools(['cargo', 'gcc'], 'ports for SDKs', () => {
  let wamr: string;

  beforeAll(async () => {
    const manifest = join(BOARDS_DIR, WAMR_BOARD, 'Cargo.toml');
    await run('cargo', ['fetch', '--locked', '--manifest-path', manifest]);
    const { stdout } = await run(
      'cargo',
      ['metadata', '--format-version', '1', '--locked', '--offline', '--manifest-path', manifest],
      { maxBuffer: 1 << 26 },
    );
    const { packages } = JSON.parse(stdout) as { packages: { name: string; manifest_path: string }[] };
    const crate = packages.find(({ name }) => name === 'wamrx-sys')!;
    wamr = join(dirname(crate.manifest_path), 'wasm-micro-runtime', 'core', 'iwasm', 'include');
  });

  const compile = (file: string, ...flags: string[]): Promise<unknown> =>
    run('gcc', [...WARNINGS, '-I', COMMON, '-I', wamr, ...flags, file]);

  it('are those that are compiled only', () => {
    expect(ports.length).toBeGreaterThan(1);
  });

  it.each(BUILDS)('share a contract on WAMR that needs nothing but its header (%s)', async (...flags) => {
    for (const file of ['module-wamr.c', 'restart.c']) await compile(join(COMMON, file), ...flags);
  });

  it.each(ports)('%s: compiles', async (name) => {
    const folder = join(BOARDS_DIR, name);
    const own = readdirSync(folder).filter((file) => file.endsWith('.c'));
    expect(own).not.toEqual([]);
    for (const file of [...own.map((file) => join(folder, file)), join(COMMON, 'udp-link.c')]) {
      await compile(file, '-I', folder, '-I', join(STUBS, name), ...CONFIGURATION);
    }
  });

  it.each(ports)('%s: has a README whose program compiles with what a build leaves', async (name) => {
    const folder = temporaryFolder();
    copyFileSync(join(import.meta.dirname, 'apps', 'once.ts'), join(folder, 'app.ts'));
    const out = join(folder, 'app.wasm');
    const { exit, stderr } = await thimbleWithin(['build', join(folder, 'app.ts'), '--board', name, '--out', out]);
    expect(exit, stderr).toBe(Exit.Done);
    const readme = readFileSync(join(BOARDS_DIR, name, 'README.md'), 'utf8');
    const [program, ...others] = [...readme.matchAll(/^```c\n(.*?)^```$/gms)].map(([, text]) => text!);
    expect(others).toEqual([]);
    expect(program).toContain('thimble_run(');
    writeFileSync(join(folder, 'main.c'), program!);
    await compile(join(folder, 'main.c'), '-I', folder, '-I', join(BOARDS_DIR, name), '-I', join(STUBS, name));
  });

  it.each(ports)('%s: builds each file that is there, and says that it is not run', (name) => {
    const folder = join(BOARDS_DIR, name);
    const list = readFileSync(join(folder, 'CMakeLists.txt'), 'utf8');
    const sources = [...list.matchAll(/(\$\{common\}\/|(?<![\w/]))([\w-]+\.c)\b/g)];
    expect(sources.length).toBeGreaterThan(5);
    for (const [, common, file] of sources) expect(existsSync(join(common ? COMMON : folder, file!)), file).toBe(true);
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('**Not run here.**');
  });
});
