import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BOARDS_DIR, type Board, listBoards, readBoard } from '../../../host/firmware/boards.js';
import { commandLine, planFlash } from '../../../host/firmware/flash.js';
import { describeWithTools } from '../../tools.js';
import { Exit, expectRefusal, temporaryFolder, thimbleWithin } from './command.js';

const boards = listBoards().map(readBoard);
const writable = boards.filter((board) => board.flash !== undefined);
/** Boards whose tool takes files of a build. */
const fed = writable.filter((board) => board.flash!.arguments.some((argument) => argument.includes('{')));
const unwritable = boards.filter((board) => board.flash === undefined);

const home = process.cwd();
const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
  process.chdir(home);
});

/** A folder that is current, with a build called `app` in it that is done already. */
function withBuild(): string {
  const folder = temporaryFolder();
  process.chdir(folder);
  for (const extension of ['bin', 'elf', 'wasm']) writeFileSync(`app.${extension}`, extension);
  writeFileSync('app.hex', ':00000001FF\n'); // with nothing in it
  return folder;
}

/** The only program in PATH; it writes down its arguments, one a line. */
function addTool(name: string, exit: number): { calls: () => string[] } {
  const folder = temporaryFolder();
  const log = join(folder, 'log');
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\nfor a in "$@"; do echo "$a" >> ${log}; done\necho chatter\nexit ${exit}\n`);
  chmodSync(file, 0o755);
  process.env.PATH = folder;
  return { calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []) };
}

/** The board's arguments with the files of `withBuild`. */
function filledIn(board: Board): string[] {
  return board.flash!.arguments.map((argument) =>
    argument.replace(/\{(\w+)\}/g, (_, kind) => `app.${kind === 'module' ? 'wasm' : kind}`),
  );
}

describe('thimble flash', () => {
  it.each(fed.map((board) => [board.name, board] as const))(
    'calls the tool of %s with the files',
    async (name, board) => {
      withBuild();
      const { calls } = addTool(board.flash!.program, 0);
      const { exit, stdout, stderr } = await thimbleWithin(['flash', 'app.hex', '--board', name]);
      expect(exit, stderr).toBe(Exit.Done);
      expect(calls()).toEqual(filledIn(board));
      expect(calls().join(' ')).not.toMatch(/[{}]/);
      expect(stdout.split(' ')[0]).toBe(board.flash!.program);
      expect(stderr).toContain('chatter');
    },
  );

  it.each(writable.map((board) => [board.name, board] as const))(
    'prints the exact command for %s, the package and the hint where the tool is missing',
    async (name, board) => {
      withBuild();
      process.env.PATH = '';
      const { exit, stdout, stderr } = await thimbleWithin(['flash', 'app.hex', '--board', name]);
      expect(exit).toBe(1);
      expect(stdout).toBe(
        `${commandLine(planFlash(board.flash!, { hex: 'app.hex', bin: 'app.bin', elf: 'app.elf' }))}\n`,
      );
      expect(stderr).toContain(`thimble: ${board.flash!.program} is not installed`);
      expect(stderr).toContain('[ERR_FLASH]');
      const { package: debian, hint } = board.flash!;
      expect(stderr).toContain(
        debian === undefined
          ? join(BOARDS_DIR, name, 'README.md')
          : `apt-get install -y --no-install-recommends ${debian}`,
      );
      if (hint !== undefined) expect(stderr).toContain(hint);
      if (!fed.includes(board)) expect(stderr).toContain("a module and a header for the SDK's own project");
    },
  );

  it.each(fed.map((board) => [board.name, board] as const))(
    'runs nothing for %s with --dry-run',
    async (name, board) => {
      withBuild();
      const { calls } = addTool(board.flash!.program, 0);
      const { exit, stdout } = await thimbleWithin(['flash', 'app.bin', '--board', name, '--dry-run', '--json']);
      expect(exit).toBe(Exit.Done);
      expect(calls()).toEqual([]);
      const { package: debian = null, hint = null, program } = board.flash!;
      expect(JSON.parse(stdout)).toEqual({
        board: name,
        command: [program, ...filledIn(board)],
        installed: true,
        package: debian,
        hint,
        ran: false,
      });
    },
  );

  it('says with --json that it ran, and keeps what the tool says off stdout', async () => {
    withBuild();
    const board = fed[0]!;
    addTool(board.flash!.program, 0);
    const { exit, stdout, stderr } = await thimbleWithin(['flash', 'app.hex', '--board', board.name, '--json']);
    expect(exit).toBe(Exit.Done);
    expect(JSON.parse(stdout)).toMatchObject({ board: board.name, installed: true, ran: true });
    expect(stderr).toContain('chatter');
  });

  it('fails where the tool fails', async () => {
    withBuild();
    const board = fed[0]!;
    addTool(board.flash!.program, 3);
    const { exit, stderr } = await thimbleWithin(['flash', 'app.hex', '--board', board.name]);
    expect(exit).toBe(1);
    expect(stderr).toMatch(new RegExp(`${board.flash!.program} ended with 3: .*app.* \\[ERR_FLASH\\]\\n$`));
  });

  it('prints one JSON document, though it fails after that', async () => {
    withBuild();
    process.env.PATH = '';
    const { exit, stdout } = await thimbleWithin(['flash', 'app.hex', '--board', fed[0]!.name, '--json']);
    expect(exit).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ installed: false, ran: false });
  });

  it('refuses boards that cannot be written to, before it builds', async () => {
    process.chdir(temporaryFolder());
    expect(unwritable.length).toBeGreaterThan(0);
    for (const { name } of unwritable) {
      await expectRefusal(['flash', 'beacon', '--board', name], 'ERR_USAGE_BOARD', [
        name,
        `thimble run beacon --board ${name}`,
      ]);
    }
    expect(existsSync('build')).toBe(false);
  });

  it('refuses firmware of another board, and says whose it is', async () => {
    withBuild();
    const [board, other] = fed;
    writeFileSync('app.json', JSON.stringify({ board: other!.name, sha256: '' }));
    for (const file of ['app.hex', 'app.bin']) {
      const args = ['flash', file, '--board', board!.name, '--dry-run'];
      await expectRefusal(args, 'ERR_BOARD_FOREIGN', [file, board!.name, `it is for ${other!.name}`]);
    }
  });

  it('refuses files that are not there, and builds that lack what the tool wants', async () => {
    withBuild();
    const { name } = fed[0]!;
    await expectRefusal(['flash', 'nope.hex', '--board', name], 'ERR_USAGE_FILE', ['nope.hex']);
    writeFileSync('alone.wasm', '');
    const { exit, stderr } = await thimbleWithin(['flash', 'alone.wasm', '--board', name]);
    expect(exit).toBe(1);
    expect(stderr).toMatch(/wants a (hex|bin|elf) file.*\[ERR_FLASH\]/);
    await expectRefusal(['flash', 'nope', '--board', name], 'ERR_APP_NOT_FOUND', ['nope']);
    await expectRefusal(['flash', 'beacon'], 'ERR_USAGE_OPTION', ['--board']);
  });
});

const native = fed.find((board) => board.toolchain !== undefined)!;

describeWithTools([`${native.toolchain!.prefix}gcc`], 'thimble flash of a source', () => {
  it('builds what is not built', async () => {
    process.chdir(temporaryFolder());
    const board = native;
    const { exit, stdout, stderr } = await thimbleWithin([
      'flash',
      'beacon',
      '--board',
      board.name,
      '--dry-run',
      '--json',
    ]);
    expect(exit, stderr).toBe(Exit.Done);
    const { command } = JSON.parse(stdout) as { command: string[] };
    const file = /[^ ]*beacon\.(hex|bin|elf)/.exec(command.join(' '))![0];
    expect(file).toBe(join('build', board.name, `beacon${file.slice(-4)}`));
    expect(existsSync(file)).toBe(true);
    for (const ending of ['hex', 'bin']) {
      expect(statSync(file.replace(/\w+$/, ending)).mode & 0o111, ending).toBe(0); // no program of this machine
    }
  });
});

describe('a command line', () => {
  it('can be typed as it is shown', () => {
    const tool = { program: 'tool', arguments: ['-x', 'a b {hex}', "it's", '', 'plain/-_.:=,@%+'] };
    expect(commandLine(planFlash(tool, { hex: 'f.hex' }))).toBe(`tool -x 'a b f.hex' 'it'\\''s' '' plain/-_.:=,@%+`);
  });
});
