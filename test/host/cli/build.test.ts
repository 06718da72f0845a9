import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listBoards, readBoard } from '../../../host/firmware/boards.js';
import type { BuildReport } from '../../../host/firmware/build.js';
import type { OverBudget } from '../../../host/firmware/error.js';
import { isSignedBy, type Manifest } from '../../../host/firmware/manifest.js';
import { describeWithTools } from '../../tools.js';
import { Exit, expectRefusal, temporaryFile, temporaryFolder, thimbleWithin } from './command.js';

async function build(...args: string[]): Promise<BuildReport> {
  const { exit, stdout, stderr } = await thimbleWithin(['build', '--json', ...args]);
  expect(exit, stderr).toBe(Exit.Done);
  const { modules } = JSON.parse(stdout) as { modules: BuildReport[] };
  expect(modules.length).toBe(1);
  return modules[0]!;
}

/** Does it in another folder. */
async function within(folder: string, act: () => Promise<void>): Promise<void> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    await act();
  } finally {
    process.chdir(before);
  }
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

  it('says which boards there are where one is not', async () => {
    await expectRefusal(['build', 'beacon', '--board', 'toaster'], 'ERR_BOARD', listBoards());
  });

  it('tells with --json all that a person is told, and where each file is', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const report = await build('beacon', '--out', out);
    expect(Object.keys(report).slice(0, 9)).toEqual([
      ...['name', 'version', 'board', 'wasmBytes', 'stateBytes', 'linearBytes', 'operandStackBytes'],
      ...['deepestCall', 'flash'],
    ]);
    expect(report).toMatchObject({ board: null, flash: null, ram: null, native: null, nativeFunctions: null });
    expect(report.changes).toBeNull();
    expect(report.functions).toHaveLength(10);
    for (const file of Object.values(report.files)) expect(existsSync(file)).toBe(true);
    expect(JSON.parse(readFileSync(report.files.report, 'utf8')).functions.length).toBeGreaterThan(50);
    expect((await build('beacon', '--out', out)).changes).toMatchObject({ sizes: [], functions: [] });
  });

  it('puts what is for a board into a folder of its name, and sees to its limits and its budget', async () => {
    await within(temporaryFolder(), async () => {
      const { out, board, ram, files } = await build('beacon', '--board', 'zephyr');
      expect([out, board]).toEqual([join('build', 'zephyr', 'beacon.wasm'), 'zephyr']);
      expect(ram!.budgetBytes).toBe(readBoard('zephyr').ramBytes);
      expect(files).toEqual({
        module: out,
        manifest: join('build', 'zephyr', 'beacon.json'),
        header: join('build', 'zephyr', 'beacon.h'),
        report: join('build', 'zephyr', 'beacon.report.json'),
      });
    });
  });

  it('fails where the board does not hold it, says by how much, and writes nothing', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const args = ['build', 'beacon', '--board', 'zephyr', '--out', out, '--use', 'RX_BYTES=40000'];
    const { exit, stdout, stderr } = await thimbleWithin(args);
    expect(exit).toBe(Exit.Failed);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/beacon does not fit zephyr:\n {2}RAM: [\d,]+ B too many: [\d,]+ B of 98,304/);
    expect(stderr).toMatch(/lower a limit with --use: RX_BYTES=40000 \(40,000 B\).*\[ERR_BUDGET\]/);
    expect(readdirSync(dirname(out))).toEqual([]);

    const { error } = JSON.parse((await thimbleWithin([...args, '--json'])).stdout) as {
      error: { code: string; message: string; over: readonly OverBudget[] };
    };
    expect(error).toMatchObject({ code: 'ERR_BUDGET', over: [{ memory: 'ram', budgetBytes: 98_304 }] });
    const [{ usedBytes, parts }] = error.over as [OverBudget];
    expect(usedBytes).toBe(parts.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(error.over).toHaveLength(1);
    expect(stderr).toContain(error.message);
  });

  it('takes nothing for a source that is none, and neither do run and flash', async () => {
    const file = temporaryFile('key.pem', 'no program');
    for (const args of [
      ['build', file],
      ['run', file],
      ['flash', file, '--board', 'stm32vldiscovery'],
    ]) {
      await expectRefusal(args, 'ERR_USAGE_FILE', [file, 'ends in .ts']);
    }
  });

  it('lets an application that takes updates be built only for a board that does', async () => {
    await within(temporaryFolder(), async () => {
      expect((await build('updatable', '--board', 'native-sim')).board).toBe('native-sim');
      const { exit, stderr } = await thimbleWithin(['build', 'updatable', '--board', 'zephyr']);
      expect(exit).toBe(Exit.Failed);
      expect(stderr).toMatch(/import board\.update: the board has no second slot.*\[ERR_UPDATES\]/s);
    });
  });

  it('builds all that a board can take where nothing is named', async () => {
    await within(temporaryFolder(), async () => {
      const { exit, stdout, stderr } = await thimbleWithin(['build', '--board', 'zephyr']);
      expect(exit).toBe(Exit.Done);
      expect(stderr).toMatch(/^updatable is left out: it takes updates, and zephyr does not$/m);
      expect(stdout).toMatch(/^ +light .* build\/zephyr\/light\.wasm *$/m);
      expect(stdout).not.toContain('codec-mqttsn');
      expect(stdout).not.toContain('largest functions');
    });
  });

  it('gives the module a version, and signs its manifest', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const key = temporaryFile('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const { files, version } = await build('beacon', '--out', out, '--app-version', '3.0.65535', '--key', key);
    expect(version).toBe('3.0.65535');
    const manifest = JSON.parse(readFileSync(files.manifest, 'utf8')) as Manifest;
    expect(manifest.version).toBe('3.0.65535');
    expect(isSignedBy(manifest, readFileSync(out), publicKey)).toBe(true);
  });

  it.each([
    ['--out without an application', ['--out', 'x.wasm'], 'ERR_USAGE_OUT', ['APP --out']],
    ['--out that is no module', ['beacon', '--out', 'beacon.json'], 'ERR_USAGE_OUT', ['beacon.json', '.wasm']],
    ['--checked without a board', ['beacon', '--checked'], 'ERR_USAGE_CHECKED', ['native code']],
    ['--checked under WAMR', ['beacon', '--checked', '--board', 'zephyr'], 'ERR_USAGE_CHECKED', ['not zephyr']],
    ['a board for what is no device', ['codec-mqttsn', '--board', 'zephyr'], 'ERR_USAGE_BOARD', ['codec-mqttsn']],
    ['a version of two numbers', ['beacon', '--app-version', '1.2'], 'ERR_USAGE_VERSION', ['1.2', '1.2.3']],
    ['a version beyond its range', ['beacon', '--app-version', '1.2.65536'], 'ERR_USAGE_VERSION', ['65535']],
    ['a key that is not there', ['beacon', '--key', '/no/key.pem'], 'ERR_USAGE_FILE', ['--key /no/key.pem']],
    ['a key that is none', ['beacon', '--key', import.meta.filename], 'ERR_KEY', ['openssl genpkey']],
  ])('refuses %s', async (_what, args, code, mentions) => {
    await within(temporaryFolder(), () => expectRefusal(['build', ...args], code, mentions));
  });

  it('leaves the modules that others run alone', async () => {
    const shipped = join(import.meta.dirname, '..', '..', '..', 'build', 'apps', 'beacon.wasm');
    const before = readFileSync(shipped);
    await within(temporaryFolder(), async () => {
      const { out } = await build('beacon', '--use', 'TOPICS_MAX=2');
      expect(out).toBe(join('build', 'beacon.wasm'));
    });
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
    expect((await thimbleWithin(['build', 'beacon', '--out', out])).stdout.split(/\s+/)).toContain(out);
    await within(folder, async () => {
      const { stdout } = await thimbleWithin(['build', 'beacon', '--out', out]);
      expect(stdout.split(/\s+/)).toContain(join('not', 'there', 'beacon.wasm'));
    });
  });

  it('shows a table to people', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const { stdout } = await thimbleWithin(['build', 'beacon', '--out', out]);
    expect(stdout).toMatch(/module +wasm B +state B +linear memory B +file/);
    expect(stdout).toMatch(/^ +beacon +[\d,]+ +[\d,]+ +[\d,]+ +\S+beacon\.wasm *$/m);
  });

  it('tells people the largest functions, the deepest call, what has changed, and what lies beside the module', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const first = await thimbleWithin(['build', 'beacon', '--out', out]);
    expect(first.stdout).toMatch(/largest functions +wasm B *\n +\S+\/\S+ +[\d,]+/);
    expect(first.stdout).toMatch(/deepest call: \d+ functions; operand stack under WAMR [\d,]+ B/);
    expect(first.stdout).toContain('beside it: beacon.json, beacon.h, beacon.report.json\n');
    expect(first.stdout).not.toContain('changed');
    const same = await thimbleWithin(['build', 'beacon', '--out', out]);
    expect(same.stdout).toContain('nothing has changed since the last build');
    const small = await thimbleWithin(['build', 'beacon', '--out', out, '--use', 'RX_BYTES=256']);
    expect(small.stdout).toMatch(/changed since the last build +before B +now B +by B/);
    expect(small.stdout).toMatch(/^ +state +[\d,]+ +[\d,]+ +-256 *$/m);
  });

  it('shows flash and RAM of a board part by part', async () => {
    const out = join(temporaryFolder(), 'beacon.wasm');
    const { stdout } = await thimbleWithin(['build', 'beacon', '--out', out, '--board', 'zephyr']);
    expect(stdout).toMatch(/flash +█+░+ +[\d,]+ B of 1,048,576 B, [\d,]+ B free\n +runtime 64,768, module [\d,]+\n/);
    expect(stdout).toMatch(/RAM +█+░+ +[\d,]+ B of 98,304 B, [\d,]+ B free\n +linear memory [\d,]+, loaded module/);
    expect(stdout).toMatch(/module +wasm B +state B +linear memory B +flash B +RAM B +file/);
  });
});

describe('thimble boards', () => {
  it('lists every board: what it is, what runs the module, and how that is verified', async () => {
    const { exit, stdout } = await thimbleWithin(['boards']);
    expect(exit).toBe(Exit.Done);
    expect(stdout).toMatch(/board +MCU +runs +link +flash B +RAM B +verified/);
    for (const name of listBoards()) expect(stdout).toMatch(new RegExp(`^ +${name} +\\S`, 'm'));
    expect(stdout).toMatch(/native-sim +this machine +v8 +udp +– +– +by every test/);
  });

  it('lists them as data', async () => {
    const { stdout } = await thimbleWithin(['boards', '--json']);
    const { boards } = JSON.parse(stdout) as { boards: Record<string, unknown>[] };
    expect(boards.map((b) => b.name)).toEqual(listBoards());
    for (const { flashBytes, ramBytes, name, updates, ...rest } of boards) {
      const board = readBoard(name as string);
      expect([flashBytes, ramBytes]).toEqual([board.flashBytes ?? null, board.ramBytes ?? null]);
      expect(updates).toBe(board.updates === true);
      expect(Object.keys(rest)).toEqual([
        ...['description', 'mcu', 'engine', 'link', 'pageBytes', 'limits', 'verified'],
      ]);
    }
  });
});

const NATIVE = listBoards()
  .map(readBoard)
  .filter(({ engine }) => engine === 'native');
const COMPILERS = [...new Set(NATIVE.map(({ toolchain }) => `${toolchain!.prefix}gcc`))];

describeWithTools(COMPILERS, 'thimble build for a board with native code', () => {
  it.each(NATIVE.map(({ name }) => name))(
    'leaves the firmware of %s beside the module, which a tool of its own takes',
    async (name) => {
      const out = join(temporaryFolder(), 'beacon.wasm');
      const { files, flash, ram, native, nativeFunctions } = await build('beacon', '--board', name, '--out', out);
      const board = readBoard(name);
      expect(flash).toMatchObject({ budgetBytes: board.flashBytes });
      expect(ram).toMatchObject({ budgetBytes: board.ramBytes });
      expect(ram!.usedBytes).toBeLessThanOrEqual(board.ramBytes!);
      expect(native!.stackBytes).toBeLessThanOrEqual(board.stackBytes!);
      expect(nativeFunctions).toHaveLength(10);
      expect(readFileSync(files.elf!).subarray(0, 4)).toEqual(Buffer.from('\x7fELF', 'latin1'));
      expect(readFileSync(files.hex!, 'latin1')).toMatch(/^:[0-9A-F]+\r?\n.*:00000001FF\r?\n$/s);
      expect(statSync(files.bin!).size).toBe(native!.textBytes + native!.dataBytes);
      expect(readFileSync(files.c!, 'utf8')).toContain('uint32_t wasm_poll(');
    },
    60_000,
  );

  it('checks each access with --checked, which costs flash', async () => {
    const { name } = NATIVE[0]!;
    const out = join(temporaryFolder(), 'beacon.wasm');
    const plain = await build('beacon', '--board', name, '--out', out);
    const checked = await build('beacon', '--board', name, '--out', out, '--checked');
    expect(checked.flash!.usedBytes).toBeGreaterThan(plain.flash!.usedBytes + 500);
    expect(checked.wasmBytes).toBe(plain.wasmBytes);
  }, 60_000);
});
