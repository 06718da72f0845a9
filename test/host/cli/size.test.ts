import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { listBoards, readBoard } from '../../../host/firmware/boards.js';
import type { BuildReport } from '../../../host/firmware/build.js';
import { describeWithTools } from '../../tools.js';
import { Exit, expectRefusal, temporaryFile, temporaryFolder, thimbleWithin } from './command.js';

type Row = Pick<BuildReport, 'wasmBytes' | 'linearBytes' | 'flash' | 'ram'> & {
  readonly board: string;
  readonly engine: string;
  readonly error?: { readonly code: string; readonly message: string };
};

const boards = listBoards().map(readBoard);
const interpreted = boards.filter((board) => board.toolchain === undefined);
const native = boards.filter((board) => board.toolchain !== undefined);
const names = (of: typeof boards): string => of.map(({ name }) => name).join(',');

const home = process.cwd();
const { PATH } = process.env;
afterEach(() => {
  process.env.PATH = PATH;
  process.chdir(home);
});

async function sizes(...args: string[]): Promise<Row[]> {
  const { exit, stdout, stderr } = await thimbleWithin(['size', ...args, '--json']);
  expect(exit, stderr).toBe(Exit.Done);
  return (JSON.parse(stdout) as { boards: Row[] }).boards;
}

/** An application with a table that fills linear memory up to its page. */
const large = (): string =>
  temporaryFile(
    'large.ts',
    `import { client } from 'thimble';
const TABLE = memory.data(58000, 8);
export function setup(seed: i32): void {
  client.connect(60, true);
}
export function tick(): i32 {
  return load<i32>(TABLE + (<u32>client.now() % 10000) * 4) & 0xffff;
}
`,
  );

describe('thimble size', () => {
  it('says of each board what a build for it says, and writes nothing', async () => {
    process.chdir(temporaryFolder());
    const rows = await sizes('beacon', '--boards', names(interpreted));
    expect(readdirSync('.')).toEqual([]);
    expect(rows.map((row) => row.board)).toEqual(interpreted.map((board) => board.name));
    for (const { board, engine, ...size } of rows) {
      const { stdout } = await thimbleWithin(['build', 'beacon', '--board', board, '--json']);
      const [report] = (JSON.parse(stdout) as { modules: BuildReport[] }).modules;
      expect(report).toMatchObject({ board, ...size });
      expect(engine).toBe(readBoard(board).engine);
    }
  });

  it('shows people what is used and free, and the parts', async () => {
    const board = interpreted.find(({ flashBytes }) => flashBytes !== undefined)!;
    const [row] = await sizes('beacon', '--boards', board.name);
    const { stdout } = await thimbleWithin(['size', 'beacon', '--boards', board.name]);
    const grouped = (value: number): string => value.toLocaleString('en-US');
    for (const { usedBytes, budgetBytes, parts } of [row!.flash!, row!.ram!]) {
      expect(usedBytes).toBe(parts.reduce((sum, { bytes }) => sum + bytes, 0));
      const share = `${((usedBytes / budgetBytes!) * 100).toFixed(1)} %`;
      expect(stdout).toMatch(new RegExp(`^ +${board.name} .* ${grouped(usedBytes)} +${share}`, 'm'));
      expect(stdout).toMatch(new RegExp(`^ +${board.name} +(flash|RAM) +${grouped(budgetBytes! - usedBytes)} `, 'm'));
      const list = parts.map(({ name, bytes }) => `${name} ${grouped(bytes)}`).join(', ');
      expect(stdout.replace(/\s+/g, ' ')).toContain(list);
    }
  });

  it('compares what does not fit, too, and shows how much is too many', async () => {
    const board = interpreted.find(({ ramBytes }) => ramBytes !== undefined)!;
    const app = large();
    const [row] = await sizes(app, '--boards', board.name);
    expect(row!.ram!.usedBytes).toBeGreaterThan(row!.ram!.budgetBytes!);
    const over = (row!.ram!.usedBytes - row!.ram!.budgetBytes!).toLocaleString('en-US');
    expect((await thimbleWithin(['size', app, '--boards', board.name])).stdout).toContain(` -${over} `);
  });

  it('refuses boards and applications that there are not', async () => {
    await expectRefusal(['size', 'beacon', '--boards', 'toaster'], 'ERR_BOARD', ['toaster', interpreted[0]!.name]);
    await expectRefusal(['size', 'nope'], 'ERR_APP_NOT_FOUND', ['nope', 'beacon']);
  });

  it('compares the others where a toolchain is missing, and says which', async () => {
    process.env.PATH = '';
    const rows = await sizes('beacon', '--boards', `${native[0]!.name},${interpreted[0]!.name}`);
    expect(rows[0]).toMatchObject({ board: native[0]!.name, error: { code: 'ERR_TOOLCHAIN' } });
    expect(rows[1]!.wasmBytes).toBeGreaterThan(0);
    const { exit, stdout } = await thimbleWithin(['size', 'beacon', '--boards', native[0]!.name]);
    expect(exit).toBe(Exit.Done);
    expect(stdout).toContain(`${native[0]!.name}: `);
  });
});

describeWithTools(
  [...new Set(native.map(({ toolchain }) => `${toolchain!.prefix}gcc`))],
  'thimble size of firmware',
  () => {
    it('compares all boards by default', async () => {
      const rows = await sizes('beacon');
      expect(rows.map((row) => row.board)).toEqual(listBoards());
      for (const { name } of native) {
        const { flash, ram } = rows.find(({ board }) => board === name)!;
        for (const usage of [flash!, ram!]) {
          expect(usage.usedBytes).toBeGreaterThan(0);
          expect(usage.usedBytes).toBeLessThanOrEqual(usage.budgetBytes!);
        }
      }
    });
  },
);
