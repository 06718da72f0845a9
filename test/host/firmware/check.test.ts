import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BuildReport, type BuildTarget, build, listTargets } from '../../../host/firmware/build.js';
import { checkModule, findBrokenRules } from '../../../host/firmware/check.js';
import { appText, buildApp, CONTRACT_TEXT, deviceText, fromText, scratch } from './modules.js';

/** What the modem may cost on a microcontroller. */
const MODEM_WASM_BYTES_MAX = 10_752;
const MODEM_LINEAR_BYTES_MAX = 4_096;

describe('every module of the library', () => {
  const built: { target: BuildTarget; report: BuildReport; bytes: Uint8Array }[] = [];

  beforeAll(async () => {
    const folder = scratch();
    for (const target of listTargets()) {
      const out = join(folder, `${target.name}.wasm`);
      const report = await build({ ...target, out });
      built.push({ target, report, bytes: readFileSync(out) });
    }
  });

  it('is there', () => {
    const names = built.map(({ target }) => target.name);
    expect(names).toEqual(
      expect.arrayContaining(['modem-mqttsn', 'codec-mqttsn', 'sensor', 'light', 'alarm', 'beacon']),
    );
  });

  it('keeps the rules, and has no mutable global, no start section and no memory instruction', () => {
    for (const { target, bytes } of built) {
      expect(findBrokenRules(bytes, { contract: target.contract }), target.name).toEqual([]);
    }
  });

  it('imports what a board has, and only modems tell events', () => {
    for (const { target, bytes } of built) {
      const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).map((i) => `${i.module}.${i.name}`);
      const expected = !target.contract
        ? []
        : target.name.startsWith('modem')
          ? ['board.send', 'board.event']
          : ['board.send'];
      expect(imports.sort(), target.name).toEqual(expected.sort());
    }
  });

  it('reports the octets it has', () => {
    for (const { report, bytes, target } of built) {
      expect(report.wasmBytes).toBe(bytes.length);
      if (target.contract) expect(report.stateBytes).toBeGreaterThan(0);
      expect(report.linearBytes).toBeGreaterThan(report.stateBytes);
    }
  });

  it('of the modem is small enough', () => {
    const { report } = built.find(({ target }) => target.name === 'modem-mqttsn')!;
    expect(report.wasmBytes).toBeLessThanOrEqual(MODEM_WASM_BYTES_MAX);
    expect(report.linearBytes).toBeLessThanOrEqual(MODEM_LINEAR_BYTES_MAX);
  });
});

describe('a rule', () => {
  const oneBroken = (bytes: Uint8Array, what: RegExp): void => {
    const broken = findBrokenRules(bytes);
    expect(broken).toHaveLength(1);
    expect(broken[0]).toMatch(what);
    expect(() => checkModule(bytes)).toThrow(expect.objectContaining({ code: 'ERR_MODULE_RULES' }));
  };

  it('is broken by nothing in a module that only keeps the contract', () => {
    expect(findBrokenRules(deviceText())).toEqual([]);
    expect(findBrokenRules(deviceText('(import "board" "send" (func (param i32 i32) (result i32)))'))).toEqual([]);
    expect(findBrokenRules(deviceText('(global $g i32 (i32.const 1))'))).toEqual([]);
  });

  it('forbids mutable globals', () => {
    oneBroken(deviceText('(global $g (mut i32) (i32.const 0))'), /1 mutable global/);
    oneBroken(
      deviceText('(global $g (mut i32) (i32.const 0)) (global $h (mut i64) (i64.const 0))'),
      /2 mutable global/,
    );
  });

  it('forbids a start section', () => {
    oneBroken(deviceText('(start $s) (func $s)'), /start section/);
  });

  it.each(['(drop (memory.grow (i32.const 1)))', '(drop (memory.size))'])('forbids %s', (instruction) => {
    oneBroken(deviceText(`(func $hungry (export "hungry") ${instruction})`), /memory\.grow or memory\.size/);
  });

  it('is told once, however often it is broken, and without numbers for names', () => {
    const hungry = '(func (drop (memory.grow (i32.const 1))) (drop (memory.size)))';
    oneBroken(deviceText(`${hungry} ${hungry}`), /^memory\.grow or memory\.size: there is no heap/);
  });

  it.each([
    ['env', 'abort', '(func (param i32 i32 i32 i32))'],
    ['wasi_snapshot_preview1', 'fd_write', '(func (param i32 i32 i32 i32) (result i32))'],
    ['board', 'reboot', '(func)'],
    ['board', 'log', '(func (param i32 i32 i32))'],
    ['board', 'send', '(global i32)'],
  ])('forbids to import %s.%s as %s', (module, name, type) => {
    oneBroken(deviceText(`(import "${module}" "${name}" ${type})`), new RegExp(`import ${module}\\.${name}`));
  });

  it('lets debug builds import board.log', () => {
    const bytes = deviceText('(import "board" "log" (func (param i32 i32 i32)))');
    expect(findBrokenRules(bytes, { debug: true })).toEqual([]);
  });

  it.each(['memory', 'abi', 'image', 'imageBytes', 'rx', 'rxBytes', 'start', 'receive', 'poll', 'resume'])(
    'demands the export %s',
    (name) => {
      const text = CONTRACT_TEXT().replace(`(export "${name}")`, '');
      oneBroken(fromText(`(module ${text})`), new RegExp(`no export ${name}$`));
    },
  );

  it('tells all that is broken at once', () => {
    const bytes = fromText('(module (memory 1) (global $g (mut i32) (i32.const 0)) (start $s) (func $s))');
    expect(findBrokenRules(bytes).length).toBe(15);
    expect(findBrokenRules(bytes, { contract: false }).length).toBe(3);
  });

  it('cannot be checked on what is no module', () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(100), new TextEncoder().encode('(module)')]) {
      expect(() => checkModule(bytes)).toThrow(expect.objectContaining({ code: 'ERR_MODULE_FORMAT' }));
    }
  });
});

describe('an application that breaks a rule does not build', () => {
  const broken = (app: string): Promise<unknown> => buildApp({ 'app.ts': app });

  it('but one that keeps them does', async () => {
    expect((await buildApp({ 'app.ts': appText() })).wasmBytes).toBeGreaterThan(0);
  });

  it('with a variable of its own', async () => {
    await expect(broken(appText('let ticks = 0;', 'ticks++; if (ticks > 5) return ticks;'))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
      message: expect.stringContaining('mutable global'),
    });
  });

  it('with joined strings', async () => {
    await expect(broken(appText('', "text.clear().add('n' + client.now().toString());"))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
      message: expect.stringContaining('memory.grow'),
    });
  });

  it('with an import that a board does not have', async () => {
    const foreign = '@external("env", "led") declare function led(on: i32): void;';
    await expect(broken(appText(foreign, 'led(1);'))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
      message: expect.stringContaining('env.led'),
    });
  });

  it('with code at top level', async () => {
    await expect(broken(appText('client.connect(1, true);'))).rejects.toMatchObject({ code: 'ERR_MODULE_RULES' });
  });
});
