import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { listBoards, readBoard } from '../../../host/firmware/boards.js';
import type { BoardReadiness, ToolReport } from '../../../host/firmware/doctor/examine.js';
import { readPackages } from '../../../host/firmware/doctor/packages.js';
import { Exit, temporaryFolder, thimbleWithin } from './command.js';

interface Report {
  readonly tools: readonly ToolReport[];
  readonly boards: readonly BoardReadiness[];
  readonly install: string | null;
}

const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const boards = listBoards().map(readBoard);
const programs = readPackages().flatMap((p) => p.programs);

/** What every fake tool says. */
const VERSION = '9.9.9';

/** A folder that is the whole PATH, with these programs in it. */
function onlyPrograms(names: readonly string[]): string {
  const folder = temporaryFolder();
  for (const name of names) addProgram(folder, name, `echo "${name} ${VERSION}"`);
  process.env.PATH = folder;
  return folder;
}

function addProgram(folder: string, name: string, script: string): void {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

/** An apt-get that writes down how it was called, and installs by copying a program. */
function addApt(folder: string, exit = 0): { calls: () => string[] } {
  const log = join(folder, 'log');
  const tool = join(folder, 'tool');
  addProgram(folder, 'tool', `echo ${VERSION}`);
  const installs = programs.map((name) => `[ "$1" = install ] && /bin/cp ${tool} "${join(folder, name)}"`);
  addProgram(
    folder,
    'apt-get',
    [`echo "$DEBIAN_FRONTEND $*" >> ${log}`, ...installs, 'echo noise', `exit ${exit}`].join('\n'),
  );
  return { calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) };
}

async function doctor(...args: string[]): Promise<Report> {
  const { exit, stdout, stderr } = await thimbleWithin(['doctor', '--json', ...args]);
  expect(exit, stderr).toBe(Exit.Done);
  return JSON.parse(stdout) as Report;
}

describe('thimble doctor', () => {
  it('names every package, and every program that a board names', async () => {
    const { tools } = await doctor();
    const names = tools.map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    for (const { name } of readPackages()) expect(names).toContain(name);
    const wanted = boards.flatMap(({ toolchain, emulator, flash, host }) => [
      ...(toolchain ? [`${toolchain.prefix}gcc`] : []),
      ...(emulator ? [emulator.program] : []),
      ...(flash ? [flash.program] : []),
      ...(host ? [host.build[0]!] : []),
    ]);
    expect(wanted.length).toBeGreaterThan(10);
    const holders = new Map(readPackages().flatMap((p) => p.programs.map((program) => [program, p.name])));
    for (const program of wanted) expect(names).toContain(holders.get(program) ?? program);
  });

  it('finds nothing where nothing is, says which boards want it, and how to get it', async () => {
    onlyPrograms([]);
    const { tools, boards: readiness, install } = await doctor();
    const compilers = boards.filter((board) => board.toolchain !== undefined);
    expect(compilers.length).toBeGreaterThan(2);
    for (const { name, toolchain } of compilers) {
      const target = toolchain!.prefix.replace(/-$/, '');
      for (const tool of [`gcc-${target}`, `picolibc-${target}`]) {
        const report = tools.find((t) => t.name === tool)!;
        expect(report).toMatchObject({ ready: false, version: null, package: tool });
        expect(report.boards).toContain(name);
        expect(report.get).toBe(`apt-get install -y --no-install-recommends ${tool}`);
        expect(install).toContain(` ${tool}`);
      }
      expect(readiness.find((r) => r.name === name)).toMatchObject({ build: false, run: false });
    }
    for (const { name, host } of boards.filter((board) => board.host !== undefined)) {
      const builder = tools.find((tool) => tool.name === host!.build[0])!;
      expect(builder).toMatchObject({ ready: false, package: null, boards: [name] });
      expect(builder.get).toMatch(/^https:/);
      expect(install).not.toContain(` ${builder.name}`);
    }
    const inV8 = boards.filter((board) => board.engine === 'v8').map((board) => board.name);
    for (const name of inV8)
      expect(readiness.find((r) => r.name === name)).toMatchObject({ build: true, run: true, missing: [] });
  });

  it('finds what is there, with its version', async () => {
    onlyPrograms(programs);
    const { tools, boards: readiness, install } = await doctor();
    for (const { name, programs: own } of readPackages()) {
      const tool = tools.find((t) => t.name === name)!;
      if (own.length > 0) expect(tool).toMatchObject({ ready: true, version: VERSION });
    }
    for (const { name, toolchain } of boards) {
      if (toolchain !== undefined)
        expect(readiness.find((r) => r.name === name)).toMatchObject({ build: true, run: true });
    }
    const missing = (install ?? '').split(' --no-install-recommends ')[1]?.split(' ') ?? [];
    for (const name of missing) expect(['libclang-dev', 'python3-paho-mqtt']).toContain(name); // not looked for in PATH
  });

  it('builds nothing without the C library, and runs nothing without the emulator', async () => {
    const { toolchain, emulator, name } = boards.find((b) => b.toolchain !== undefined && b.emulator !== undefined)!;
    const library = `picolibc-${toolchain!.prefix.replace(/-$/, '')}`;
    const folder = onlyPrograms(programs.filter((program) => program !== emulator!.program));
    const compiler = `${toolchain!.prefix}gcc`;
    addProgram(folder, compiler, `echo "${compiler} ${VERSION}"; [ "$1" = --version ]`); // finds no header
    const { tools, boards: readiness } = await doctor();
    expect(tools.find((tool) => tool.name === library)).toMatchObject({ ready: false, version: null });
    expect(readiness.find((r) => r.name === name)).toMatchObject({ build: false, run: false });
    addProgram(folder, compiler, `echo "${compiler} ${VERSION}"`);
    const { boards: again } = await doctor();
    expect(again.find((r) => r.name === name)).toMatchObject({ build: true, run: false });
  });

  it('counts a package with one of two programs as missing', async () => {
    onlyPrograms(programs.filter((name) => name !== 'mosquitto_sub'));
    const { tools } = await doctor();
    expect(tools.find(({ name }) => name === 'mosquitto-clients')).toMatchObject({ ready: false });
  });

  it('takes a builder that is too old for missing, and says which version is needed', async () => {
    const hosted = boards.filter((board) => board.host !== undefined);
    expect(hosted.length).toBeGreaterThan(0);
    for (const { name, host } of hosted) {
      const builder = host!.build[0]!;
      addProgram(onlyPrograms(programs), builder, `echo "${builder} 0.9.1 (abc 2020-01-01)"`);
      const { tools, boards: readiness } = await doctor();
      const { get, ...tool } = tools.find((t) => t.name === builder)!;
      expect(tool).toMatchObject({ ready: false, version: '0.9.1', versionMin: expect.stringMatching(/^\d+\.\d+/) });
      expect(get).toContain(tool.versionMin);
      expect(readiness.find((r) => r.name === name)).toMatchObject({ build: false, missing: [builder] });
    }
  });

  it('never says that a board can be written that has no tool for it, nor run without an emulator', async () => {
    onlyPrograms(programs);
    const { boards: readiness } = await doctor();
    for (const { name, flash, emulator, host, engine } of boards) {
      const report = readiness.find((r) => r.name === name)!;
      if (flash === undefined) expect(report.flash).toBeNull();
      else expect(report.flash).toBeTypeOf('boolean');
      if (emulator === undefined && host === undefined && engine !== 'v8') expect(report.run).toBeNull();
    }
  });

  it('shows tables to people, and the command that installs what is missing', async () => {
    onlyPrograms(programs.filter((name) => name !== 'curl'));
    const { exit, stdout } = await thimbleWithin(['doctor']);
    expect(exit).toBe(Exit.Done);
    expect(stdout).toMatch(/^ +curl +no +– +reads the metrics/m);
    expect(stdout).toMatch(/^ +tshark +yes +9\.9\.9 +dissects/m);
    expect(stdout).toMatch(/board +builds here +runs here +can be written +missing/);
    expect(stdout).toMatch(/^esp-idf, zephyr: a build is a module and a header for the SDK's own project:$/m);
    expect(stdout).toMatch(/^ {2}(sudo )?apt-get install -y --no-install-recommends curl/m);
  });
});

describe('thimble doctor --install', () => {
  it('installs what is missing, as root, and looks again', async () => {
    const folder = onlyPrograms(programs.filter((name) => name !== 'curl' && name !== 'tshark'));
    const { calls } = addApt(folder);
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    vi.stubEnv('DEBIAN_FRONTEND', 'readline');
    const { tools, install } = await doctor('--install');
    const [update, installs] = calls();
    expect(update).toBe('noninteractive update');
    expect(installs).toMatch(/^noninteractive install -y --no-install-recommends curl /);
    expect(installs).toContain(' tshark');
    expect(installs).not.toContain('mosquitto');
    for (const name of ['curl', 'tshark']) expect(tools.find((t) => t.name === name)).toMatchObject({ ready: true });
    expect(install ?? '').not.toContain('curl');
  });

  it('fails where apt-get fails, with the command', async () => {
    const { calls } = addApt(onlyPrograms([]), 100);
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    const { exit, stdout, stderr } = await thimbleWithin(['doctor', '--install', '--json']);
    expect(exit).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_INSTALL' } });
    expect(calls().length).toBe(2); // a failed update does not end it: what is known may do
    expect(stderr).toMatch(/apt-get install -y --no-install-recommends .*curl.* \[ERR_INSTALL\]\n$/);
  });

  it('fails where apt-get says that all is well and nothing has come', async () => {
    const folder = onlyPrograms([]);
    addProgram(folder, 'apt-get', ':');
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    const { exit, stdout, stderr } = await thimbleWithin(['doctor', '--install', '--json']);
    expect(exit).toBe(1);
    expect((JSON.parse(stdout) as Report).install).toContain('curl');
    expect(stderr).toContain('[ERR_INSTALL]');
  });

  it('prints the exact command for anybody but root, and runs nothing', async () => {
    const { calls } = addApt(onlyPrograms([]));
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    const { exit, stderr } = await thimbleWithin(['doctor', '--install']);
    expect(exit).toBe(1);
    expect(stderr).toMatch(/^thimble: .*sudo apt-get install -y --no-install-recommends bsdutils .*\[ERR_INSTALL\]\n$/);
    expect(calls()).toEqual([]);
  });

  it('prints it, too, where there is no apt-get', async () => {
    onlyPrograms([]);
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    const { exit, stderr } = await thimbleWithin(['doctor', '--install']);
    expect(exit).toBe(1);
    expect(stderr).toMatch(/^thimble: there is no apt-get here.*apt-get install -y .*\[ERR_INSTALL\]\n$/);
  });
});
