import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { readBoard } from '../../../host/firmware/boards.js';
import { applicationTarget, build } from '../../../host/firmware/build.js';
import { readFunctions } from '../../../host/firmware/native/sizes.js';
import { compareReports, readReport, type StoredReport } from '../../../host/firmware/report.js';
import { describeWithTools } from '../../tools.js';
import { appText, scratch } from './modules.js';

const validate = new Ajv({ allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(new URL('../../../docs/report.schema.json', import.meta.url), 'utf8')) as object,
);

const REPORT: StoredReport = {
  format: 1,
  name: 'bell',
  version: '1.0.0',
  board: null,
  wasmBytes: 1_000,
  stateBytes: 200,
  linearBytes: 300,
  operandStackBytes: 400,
  deepestCall: ['start', 'setup'],
  flash: null,
  ram: null,
  functions: [
    { name: 'tick', bytes: 90 },
    { name: 'add', bytes: 50 },
    { name: 'add', bytes: 40 },
  ],
  native: null,
  nativeFunctions: null,
};
const usage = (...parts: { name: string; bytes: number }[]): StoredReport['flash'] => ({
  usedBytes: 0,
  budgetBytes: null,
  parts,
});

describe('what has changed', () => {
  it('is nothing where nothing has', () => {
    expect(compareReports(REPORT, { ...REPORT, version: '1.0.1' })).toEqual({
      sizes: [],
      flash: [],
      ram: [],
      functions: [],
    });
  });

  it('is told size by size, part by part and function by function, the largest difference first', () => {
    const before = { ...REPORT, flash: usage({ name: 'module', bytes: 5 }, { name: 'port', bytes: 7 }) };
    const after = {
      ...REPORT,
      wasmBytes: 1_010,
      stateBytes: 150,
      flash: usage({ name: 'module', bytes: 6 }, { name: 'port', bytes: 7 }, { name: 'library', bytes: 30 }),
      functions: [
        { name: 'tick', bytes: 80 },
        { name: 'add', bytes: 50 },
        { name: 'add', bytes: 39 },
        { name: 'new', bytes: 33 },
      ],
    };
    expect(compareReports(before, after)).toEqual({
      sizes: [
        { name: 'stateBytes', before: 200, after: 150 },
        { name: 'wasmBytes', before: 1_000, after: 1_010 },
      ],
      flash: [
        { name: 'library', before: null, after: 30 },
        { name: 'module', before: 5, after: 6 },
      ],
      ram: [],
      functions: [
        { name: 'new', before: null, after: 33 },
        { name: 'tick', before: 90, after: 80 },
        { name: 'add', before: 90, after: 89 },
      ],
    });
    expect(compareReports(after, before)!.functions[0]).toEqual({ name: 'new', before: 33, after: null });
  });

  it('is told of native code where there is any', () => {
    const native = { ...REPORT, nativeFunctions: [{ name: 'tick', bytes: 200 }] };
    const after = { ...native, nativeFunctions: [{ name: 'tick', bytes: 180 }], functions: [] };
    expect(compareReports(native, after)!.functions).toEqual([{ name: 'tick', before: 200, after: 180 }]);
  });

  it('cannot be told without a build before, or with one of something else', () => {
    expect(compareReports(undefined, REPORT)).toBeNull();
    expect(compareReports({ ...REPORT, name: 'door' }, REPORT)).toBeNull();
    expect(compareReports({ ...REPORT, board: 'shed' }, REPORT)).toBeNull();
  });
});

describe('a report on disk', () => {
  it.each(['', '{', 'null', '[]', '{"format":2,"functions":[]}', '{"format":1}'])('that is %j is none', (text) => {
    const file = join(scratch(), 'x.report.json');
    writeFileSync(file, text);
    expect(readReport(file)).toBeUndefined();
  });

  it('that is not there is none', () => {
    expect(readReport(join(scratch(), 'nothing'))).toBeUndefined();
  });
});

describe('building again', () => {
  const folder = scratch();
  const app = join(folder, 'bell.ts');
  const again = (inTick: string, board = readBoard('native-sim')) => {
    writeFileSync(app, appText('', inTick));
    return build({ ...applicationTarget(app, join(folder, board.name, 'bell.wasm')), board });
  };

  it('tells the functions that have grown, and keeps the schema', async () => {
    expect((await again('')).changes).toBeNull();
    expect((await again('')).changes).toEqual({ sizes: [], flash: [], ram: [], functions: [] });
    const report = await again("text.clear().add('much to say').addInt(client.now());");
    const wasm = report.changes!.sizes.find(({ name }) => name === 'wasmBytes')!;
    const wasmBytes = wasm.after! - wasm.before!;
    expect(wasmBytes).toBeGreaterThan(20);
    const grown = report.changes!.functions.reduce((sum, c) => sum + (c.after ?? 0) - (c.before ?? 0), 0);
    // All but the text itself, and what the sections' heads take.
    expect(Math.abs(wasmBytes - grown)).toBeLessThan(80);
    const stored = JSON.parse(readFileSync(report.files.report, 'utf8')) as StoredReport;
    expect(validate(stored), JSON.stringify(validate.errors)).toBe(true);
    expect(stored.functions.length).toBeGreaterThan(50);
    expect(stored.functions).toEqual(stored.functions.toSorted((a, b) => b.bytes - a.bytes));
    expect(stored.board).toBe('native-sim');
  });

  it('for a board with WAMR tells flash and RAM', async () => {
    await again('', readBoard('zephyr'));
    const { changes, files } = await again('if (client.now() < 0) return 7;', readBoard('zephyr'));
    expect(changes!.flash).toEqual([
      expect.objectContaining({ name: 'module', before: expect.any(Number), after: expect.any(Number) }),
    ]);
    expect(validate(JSON.parse(readFileSync(files.report, 'utf8')))).toBe(true);
  });

  describeWithTools(['arm-none-eabi-gcc'], 'for a core', () => {
    it('tells native functions by the names of the sources', async () => {
      const board = readBoard('netduinoplus2');
      const { files } = await again('', board);
      const { changes, nativeFunctions, functions, native } = await again('if (client.now() < 0) return 7;', board);
      const stored = JSON.parse(readFileSync(files.report, 'utf8')) as StoredReport;
      expect(validate(stored), JSON.stringify(validate.errors)).toBe(true);
      expect(changes!.functions.length).toBeGreaterThan(0);
      const sources = new Set(functions.map((f) => f.name));
      const known = nativeFunctions!.filter(({ name }) => sources.has(name));
      // The rest is the port's, the library's, and constants.
      expect(known.length).toBeGreaterThan(30);
      expect(nativeFunctions!.map((f) => f.name)).toContain('constants');
      expect(nativeFunctions!.filter(({ name }) => /^f\d/.test(name))).toEqual([]);
      expect(native!.stackPath.length).toBeGreaterThan(3);
      // Each function of the module ends in C as it does in its source: the number before that leads to the right one.
      const nm = execFileSync('arm-none-eabi-nm', ['-S', files.elf!], { encoding: 'utf8' });
      const inC = readFunctions(nm).flatMap(({ name, bytes }) => {
        const suffix = /^f\d+_([a-zA-Z]+)$/.exec(name)?.[1];
        return suffix === undefined ? [] : [{ suffix, bytes }];
      });
      expect(inC.length).toBeGreaterThan(20);
      for (const { suffix, bytes } of inC) {
        const alike = nativeFunctions!.filter((f) => f.bytes === bytes).map((f) => f.name.replace(/^.*[/#:]/, ''));
        expect(alike).toContain(suffix);
      }
    }, 120_000);
  });
});
