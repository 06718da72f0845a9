import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatFootprint } from '../../bench/footprint/document.js';
import type { Footprint, FootprintRow } from '../../bench/footprint/main.js';
import { listBoards, readBoard } from '../../host/firmware/boards.js';
import { describeWithTools } from '../tools.js';

const ROOT = join(import.meta.dirname, '..', '..');
const MAIN = fileURLToPath(new URL('../../build/bench/footprint/main.js', import.meta.url));
const boards = listBoards().map(readBoard);
const native = boards.filter((board) => board.toolchain !== undefined);
const hosted = boards.filter((board) => board.host !== undefined);

const tools = [
  ...native.flatMap(({ toolchain, emulator }) => [`${toolchain!.prefix}gcc`, emulator!.program]),
  ...hosted.map(({ host }) => host!.build[0]!),
];

describeWithTools([...new Set(tools)], 'the footprint', () => {
  // An application, and a module that does nothing until it is called.
  it.each(['beacon', 'forwarder'])('of %s is measured on every board where it can be', (module) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, '--json', '--module', module], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    const { rows } = JSON.parse(stdout) as { rows: FootprintRow[] };
    expect(rows.map(({ board }) => board)).toEqual([...native, ...hosted].map(({ name }) => name));
    for (const row of rows) {
      const sizes = ['wasmBytes', 'textBytes', 'dataBytes', 'bssBytes', 'stackBytes', 'linearBytes'];
      expect(Object.keys(row)).toEqual(['module', 'board', ...sizes]);
      expect(row.module).toBe(module);
      const { toolchain, ramBytes, flashBytes, stackBytes } = readBoard(row.board);
      expect(row.stackBytes).toBeGreaterThan(0);
      if (toolchain === undefined) {
        expect(row).toMatchObject({ textBytes: null, dataBytes: null, bssBytes: null });
        continue;
      }
      expect(row.textBytes).toBeLessThan(flashBytes!);
      expect(row.bssBytes! + row.dataBytes! + row.stackBytes!).toBeLessThan(ramBytes!);
      expect(row.stackBytes).toBeLessThan(stackBytes!);
    }
  });
});

describe('docs/FOOTPRINT.md', () => {
  /** Figures for each board, so large or so small. */
  const figures = (client: number, linear: number): Footprint => ({
    versions: { gcc: '12.2' },
    firmware: native.map(({ name }) => ({
      module: 'm',
      board: name,
      wasmBytes: 11_111,
      textBytes: 9_999,
      dataBytes: 4,
      bssBytes: 4_000,
      stackBytes: 234,
      stackWorstBytes: 345,
      stackReservedBytes: 1_000,
      linearBytes: linear,
    })),
    wamr: hosted.map(({ name }) => ({
      module: 'm',
      board: name,
      wasmBytes: 11_111,
      measured: { loadBytes: 1, instanceBytes: 2, execEnvBytes: 3 },
      on32Bit: { loadBytes: 1, instanceBytes: 2, execEnvBytes: 3 },
      stackBytes: 4,
      linearBytes: linear,
    })),
    client: native.map(({ name, mcu }) => ({
      board: name,
      core: mcu,
      textBytes: client,
      plainTextBytes: client + 100,
      checkedTextBytes: client + 1_000,
      wasm2cTextBytes: null,
    })),
  });

  it('says by how much an aim is met or missed, and then what is next', () => {
    const met = formatFootprint(figures(6_300, 4_096), '2026-01-02');
    expect(met).toContain('| 6,300 | 6,300 | met, 0 to spare |');
    expect(met).toContain('| 4,096 | 4,096 | met, 0 to spare |');
    expect(met).toContain('| 8,192 | 5,004 | met, 3,188 to spare |');
    expect(met).not.toContain('an outliner');
    const missed = formatFootprint(figures(6_301, 4_104), undefined);
    expect(missed).toContain('| 6,300 | 6,301 | **missed by 1** |');
    expect(missed).toContain('| 4,096 | 4,104 | **missed by 8** |');
    expect(missed).toContain('an outliner');
  });

  it("says whose flags the client's figure has, and what -Os alone gives", () => {
    const text = formatFootprint(figures(6_259, 4_096), undefined);
    expect(text).toMatch(/^\| MQTT-SN client .*, our flags \| 6,300 \| 6,259 \|/m);
    expect(text).toContain("The client's 6,259 are with our flags.");
    expect(text).toContain("With `-Os` alone, as wolfMQTT's 6,309 are, it has 6,359: 50 more than wolfMQTT.");
    expect(formatFootprint(figures(6_200, 4_096), undefined)).toContain('it has 6,300: 9 less than wolfMQTT.');
  });

  it('shows no more stack used than the same firmware can use at most', () => {
    const text = readFileSync(join(ROOT, 'docs', 'FOOTPRINT.md'), 'utf8');
    const firmware = text.slice(text.indexOf('## Firmware'), text.indexOf('## The client alone'));
    const rows = firmware.split('\n').filter((line) => /^\| [a-z]/.test(line) && !line.startsWith('| module'));
    const [used, atMost] = [7, 8].map(
      (column) => (row: string) => Number(row.split('|')[column]!.trim().replace(',', '')),
    );
    expect(rows.length).toBeGreaterThanOrEqual(native.length);
    for (const row of rows) expect(used!(row), row).toBeLessThanOrEqual(atMost!(row));
  });

  it('is there, with a row for every module and board that there is', () => {
    const text = readFileSync(join(ROOT, 'docs', 'FOOTPRINT.md'), 'utf8');
    for (const { name } of native) expect(text).toMatch(new RegExp(`^\\| beacon \\| ${name} \\| `, 'm'));
    expect(text.slice(text.indexOf('## WAMR'))).toMatch(/^\| beacon \| /m);
    for (const line of text.split('\n').filter((l) => l.startsWith('| beacon')))
      expect(line).not.toMatch(/NaN|undefined/);
  });
});
