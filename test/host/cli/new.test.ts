import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listBoards } from '../../../host/firmware/boards.js';
import { PACKAGE_ROOT } from '../../../host/firmware/paths.js';
import { Exit, expectRefusal, temporaryFolder, thimble, thimbleWithin } from './command.js';

const NAME = 'doorbell';
const home = process.cwd();
afterEach(() => process.chdir(home));

/** Makes a project called NAME in a folder of its own, which becomes the current one. Returns the project's folder. */
async function make(): Promise<string> {
  const folder = temporaryFolder();
  process.chdir(folder);
  const { exit, stderr } = await thimbleWithin(['new', NAME]);
  expect(exit, stderr).toBe(Exit.Done);
  return join(folder, NAME);
}

interface Said {
  readonly status: number | null;
  readonly text: string;
}

/** As a person would type it; the installation that is linked is never built again by it. */
function npm(folder: string, ...args: string[]): Said {
  const env = { ...process.env, npm_config_ignore_scripts: 'true', NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: folder, env, encoding: 'utf8' });
  return { status, text: stdout + stderr };
}

const readJson = (file: string): Record<string, unknown> => JSON.parse(readFileSync(file, 'utf8'));

describe('thimble new', () => {
  it('has comments that stand below each other, however long the name', async () => {
    const readme = readFileSync(join(await make(), 'README.md'), 'utf8');
    const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) {
      const columns = [...block.matchAll(/^(\S.*?)# /gm)].map((match) => match[1]!.length);
      expect(new Set(columns).size, block).toBeLessThanOrEqual(1);
    }
  });

  it('makes a folder in which nothing is left to fill in', async () => {
    const project = await make();
    const files = readdirSync(project, { recursive: true, encoding: 'utf8' }).sort();
    const wanted = [
      '.gitignore',
      '.npmrc',
      'README.md',
      `${NAME}.ts`,
      'package.json',
      'scenario.json',
      'tsconfig.json',
    ];
    expect(files).toEqual([...wanted, 'test', join('test', `${NAME}.test.js`)].sort());
    for (const file of files.filter((f) => f !== 'test')) {
      expect(readFileSync(join(project, file), 'utf8'), file).not.toMatch(/\{\{\w+\}\}/);
    }
    const { name, scripts, devDependencies } = readJson(join(project, 'package.json'));
    expect(name).toBe(NAME);
    expect(Object.keys(scripts as object)).toEqual(['build', 'sim', 'run', 'test']);
    expect(devDependencies).toEqual({ thimble: `file:${PACKAGE_ROOT}` });
  });

  it('lists the files with --json', async () => {
    process.chdir(temporaryFolder());
    const { stdout } = await thimbleWithin(['new', NAME, '--json']);
    const { name, folder, files } = JSON.parse(stdout) as { name: string; folder: string; files: string[] };
    expect({ name, folder }).toEqual({ name: NAME, folder: NAME });
    for (const file of files) expect(existsSync(join(NAME, file)), file).toBe(true);
    expect(files.length).toBe(8);
  });

  it('refuses what is there already, and leaves it alone', async () => {
    process.chdir(temporaryFolder());
    mkdirSync('there');
    await expectRefusal(['new', 'there'], 'ERR_USAGE_NAME', ['there', 'another name']);
    expect(readdirSync('there')).toEqual([]);
    writeFileSync('file', 'mine');
    await expectRefusal(['new', 'file'], 'ERR_USAGE_NAME', ['file', 'another name']);
    expect(readFileSync('file', 'utf8')).toBe('mine');
  });

  it.each([
    '',
    'Bell',
    '1bell',
    '-bell',
    '../bell',
    'a/b',
    'bell.ts',
    'bell bell',
    'fifteen-letters',
    'glöckchen',
    'thimble',
  ])('refuses the name "%s"', async (name) => {
    process.chdir(temporaryFolder());
    await expectRefusal(['new', '--', name], 'ERR_USAGE_NAME', ['NAME']);
    expect(readdirSync('.')).toEqual([]);
  });

  it('names no command that there is not', async () => {
    const readme = readFileSync(join(await make(), 'README.md'), 'utf8');
    const { stdout } = await thimbleWithin(['--help']);
    const commands = [...readme.matchAll(/npx thimble ([a-z]+)/g)].map((match) => match[1]!);
    expect(new Set(commands).size).toBeGreaterThan(5);
    for (const command of commands) expect(stdout, command).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });
});

describe('a new project', () => {
  let project: string;
  beforeAll(async () => {
    project = await make();
    process.chdir(home);
    const { status, text } = npm(project, 'install', '--offline', '--no-audit', '--no-fund');
    expect(status, text).toBe(0);
  });

  it('links the installation that made it, and asks npm not to build that again', () => {
    expect(realpathSync(join(project, 'node_modules', 'thimble'))).toBe(realpathSync(PACKAGE_ROOT));
    expect(readFileSync(join(project, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
  });

  it('passes its own test', () => {
    const { status, text } = npm(project, 'test');
    expect(status, text).toBe(0);
    expect(text).toMatch(/^# pass 4$/m);
    expect(text).toMatch(/^# skipped 0$/m);
  });

  it.each([
    ['counts wrong', 'my().count++', 'my().count += 2'],
    ['tells its count with a lower promise', 'client.publish(my().countTopic, 2', 'client.publish(my().countTopic, 1'],
    ['does not stop', "'pause'", "'halt'"],
    ['has no will', 'client.will(', '//'],
  ])('fails its own test where the application %s', (_what, right, wrong) => {
    const file = join(project, `${NAME}.ts`);
    const source = readFileSync(file, 'utf8');
    expect(source).toContain(right);
    writeFileSync(file, source.replace(right, wrong));
    try {
      expect(npm(project, 'test').status).toBe(1);
    } finally {
      writeFileSync(file, source);
    }
  });

  it('simulates and builds by its scripts', () => {
    const sim = npm(project, 'run', 'sim');
    expect(sim.status, sim.text).toBe(0);
    expect(sim.text).toContain('every promise of QoS 1 and 2 was kept');
    const build = npm(project, 'run', 'build');
    expect(build.status, build.text).toBe(0);
    expect(existsSync(join(project, 'build', `${NAME}.wasm`))).toBe(true);
  });

  it('is understood by editors', () => {
    const require = createRequire(import.meta.url);
    const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: project, encoding: 'utf8' });
    // The library's own files are the compiler's business: only it knows the constants that --use defines.
    const own = stdout.split('\n').filter((line) => line.startsWith(`${NAME}.ts`) || line.startsWith('error'));
    expect(own).toEqual([]);
    expect(stdout).toContain('THIMBLE_TOPICS_MAX'); // it has read them
  });

  it('builds for every board', async () => {
    for (const board of listBoards()) {
      process.chdir(project);
      const { exit, stderr } = await thimble(['build', `${NAME}.ts`, '--board', board]);
      expect(exit, `${board}: ${stderr}`).toBe(Exit.Done);
    }
  });
});
