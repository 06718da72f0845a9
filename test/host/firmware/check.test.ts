import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BuildReport, type BuildTarget, build, listTargets } from '../../../host/firmware/build.js';
import { checkModule, findBrokenRules } from '../../../host/firmware/check.js';
import { appText, buildApp, CONTRACT_TEXT, deviceText, fromText, scratch } from './modules.js';

/** What the modem may cost on a microcontroller. */
const MODEM_WASM_BYTES_MAX = 9_600;
/** One page of the boards that give the least at a time (docs/DESIGN.md). */
const LINEAR_BYTES_MAX = 4_096;

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
      const expected = target.contract ? ['board.send'] : [];
      if (target.name.startsWith('modem')) expected.push('board.event');
      if (target.name.startsWith('updatable')) expected.push('board.confirm', 'board.update');
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

  it('of the modem is small enough, and what runs on a device fits a page of 4,096 octets', () => {
    const { report } = built.find(({ target }) => target.name === 'modem-mqttsn')!;
    expect(report.wasmBytes).toBeLessThanOrEqual(MODEM_WASM_BYTES_MAX);
    for (const { report, target } of built) {
      if (target.contract) expect(report.linearBytes, target.name).toBeLessThanOrEqual(LINEAR_BYTES_MAX);
    }
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

  it.each([
    '(drop (i32.load (i32.const 1025)))',
    '(drop (i32.load offset=2 (i32.const 1024)))',
    '(drop (i64.load align=4 (i32.const 1026)))',
    '(drop (f64.load (i32.const 1028)))',
    '(drop (i32.load16_s (i32.const 1025)))',
  ])('forbids an access that is less aligned than it claims: %s', (access) => {
    oneBroken(deviceText(`(func $odd (export "odd") ${access})`), /^odd accesses 10\d\d, which is not aligned/);
  });

  it.each([
    '(drop (i32.load align=1 (i32.const 1025)))',
    '(drop (i32.load offset=3 (i32.const 1025)))',
    '(drop (i64.load align=4 (i32.const 1028)))',
    '(drop (i32.load8_u (i32.const 1025)))',
    '(drop (i32.load (i32.add (i32.const 1025) (i32.load (i32.const 1024)))))',
  ])('lets pass what is as aligned as it claims, or may be: %s', (access) => {
    expect(findBrokenRules(deviceText(`(func (export "odd") ${access})`))).toEqual([]);
  });

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

describe('a rule about imports and exports', () => {
  it.each([
    ['send', '(param i32) (result i32)', 'send(i32): i32: it is send(i32, i32): i32'],
    ['send', '(param i32 i32)', 'send(i32, i32): it is send(i32, i32): i32'],
    ['event', '(param i32 i32 i64)', 'event(i32, i32, i64): it is event(i32, i32, i32)'],
    ['update', '(param i32 i32)', 'update(i32, i32): it is update(i32, i32): i32'],
    ['confirm', '(result i32)', 'confirm(): i32: it is confirm()'],
  ])('knows the signature of board.%s, and refuses %s', (name, type, said) => {
    expect(findBrokenRules(deviceText(`(import "board" "${name}" (func ${type}))`))).toEqual([`import board.${said}`]);
  });

  it.each([
    ['update', '(param i32 i32) (result i32)'],
    ['confirm', ''],
  ])('lets a module import board.%s only where the board takes updates', (name, type) => {
    const bytes = deviceText(`(import "board" "${name}" (func ${type}))`);
    expect(findBrokenRules(bytes)).toEqual([]);
    expect(findBrokenRules(bytes, { updates: true })).toEqual([]);
    expect(findBrokenRules(bytes, { updates: false })).toEqual([
      expect.stringMatching(`board.${name}.*no second slot`),
    ]);
  });

  it.each([
    ['start', '(param i32 i32) (result i32)', '(param i32) (result i32)', 'start(i32): i32'],
    ['poll', '(param i32) (result i32)', '(param i64) (result i32)', 'poll(i64): i32'],
    ['abi', '(result i32)', '(result i64)', 'abi(): i64'],
  ])('knows the signature of %s()', (name, is, other, said) => {
    const value = other.includes('(result i64)') ? '(i64.const 2)' : '(i32.const 0)';
    const text = CONTRACT_TEXT().replace(
      new RegExp(`\\(func \\(export "${name}"\\) ${is.replace(/[()]/g, '\\$&')} \\(i32.const \\d+\\)\\)`),
      `(func (export "${name}") ${other} ${value})`,
    );
    expect(text).toContain(other);
    expect(findBrokenRules(fromText(`(module ${text})`))).toEqual([
      expect.stringContaining(`export ${said}: it is to be`),
    ]);
  });

  it('lets verbs take and return i32 only, and nothing that is imported be exported', () => {
    const verb = '(func (export "warm") (param f64) (result i32) (i32.const 0))';
    expect(findBrokenRules(deviceText(verb))).toEqual([expect.stringMatching(/export warm\(f64\): i32: .*i32 only/)]);
    const passed = '(import "board" "send" (func $send (param i32 i32) (result i32))) (export "shout" (func $send))';
    expect(findBrokenRules(deviceText(passed))).toEqual([expect.stringContaining('export shout')]);
    const codec = fromText('(module (memory (export "memory") 1) (func (export "f") (param f64)))');
    expect(findBrokenRules(codec, { contract: false })).toEqual([]);
  });
});

describe('a rule about memory', () => {
  const replaced = (name: string, body: string): Uint8Array =>
    fromText(
      `(module ${CONTRACT_TEXT().replace(new RegExp(`(\\(func \\(export "${name}"\\) \\(result i32\\)) \\(i32.const 16\\)`), `$1 ${body}`)})`,
    );
  const broken = (bytes: Uint8Array): string => {
    const all = findBrokenRules(bytes);
    expect(all).toHaveLength(1);
    return all[0]!;
  };

  it('wants one, and its own', () => {
    const imported = CONTRACT_TEXT().replace('(memory (export "memory") 1)', '(import "env" "m" (memory 1))');
    const all = findBrokenRules(fromText(`(module ${imported})`));
    expect(all).toContainEqual(expect.stringContaining('no memory of its own'));
    expect(all).toContainEqual(expect.stringContaining('import env.m (memory)'));
    // Engines that know of several memories leave it to the rule; others refuse the module as a whole.
    expect(() => checkModule(deviceText('(memory $second 1)'))).toThrow(/2 memories|memory count of 2/);
  });

  it('wants the state region where it is told by a constant', () => {
    expect(broken(replaced('image', '(i32.add (i32.const 8) (i32.load (i32.const 0)))'))).toMatch(/no constant/);
  });

  it('keeps data out of the state region: 16 to 31', () => {
    const octet = (at: number, value = '\\01') => deviceText(`(data (i32.const ${at}) "${value}")`);
    for (const at of [16, 31]) expect(broken(octet(at))).toMatch(`data from ${at} lie in the state region (16 to 31)`);
    for (const at of [15, 32]) expect(findBrokenRules(octet(at))).toEqual([]);
    expect(findBrokenRules(octet(16, '\\00'))).toEqual([]); // as it is at power-on, anyway
    expect(broken(deviceText('(data "a")'))).toMatch(/without a fixed address/);
  });

  it('keeps what the board uses within the state region', () => {
    expect(broken(replaced('rxBytes', '(i32.const 17)'))).toMatch(/^rx\(\) is outside/);
    expect(broken(replaced('peer', '(i32.const 17)'))).toMatch(/^peer\(\) is outside/);
    expect(broken(replaced('rx', '(i32.const 15)'))).toMatch(/^rx\(\) is outside/);
    expect(findBrokenRules(replaced('rxBytes', '(i32.const 15)'))).toEqual([]);
  });

  it.each([
    '(i32.store8 (i32.const 32) (i32.const 1))',
    '(i32.store8 offset=16 (i32.const 16) (i32.const 1))',
    '(i64.store align=1 (i32.const 15) (i64.const 1))',
    '(memory.fill (i32.const 32) (i32.const 0) (i32.const 4))',
    '(memory.copy (i32.const 40) (i32.const 16) (i32.const 4))',
    '(block (br 0) (drop (i32.const 1))) (f32.store (i32.const 8) (f32.const 1))',
  ])('lets nothing be written to a fixed address elsewhere: %s', (instruction) => {
    expect(broken(deviceText(`(func $w (export "w") ${instruction})`))).toMatch(/^w writes to \d+, outside/);
  });

  it.each([
    '(i32.store8 (i32.const 31) (i32.const 40))',
    '(i32.store8 offset=15 (i32.const 16) (i32.const 1))',
    '(i32.store (i32.add (i32.const 1000) (i32.const 1)) (i32.const 1))',
    '(memory.copy (i32.const 16) (i32.const 40) (i32.const 4))',
    '(i64.store (select (i32.const 90) (i32.const 91) (i32.const 0)) (i64.const 4))',
  ])('takes what is written to the region, and cannot know of what is computed: %s', (instruction) => {
    expect(findBrokenRules(deviceText(`(func $w (export "w") ${instruction})`))).toEqual([]);
  });
});

describe('a feature that no device has', () => {
  it.each([
    ['vectors', '(func (drop (v128.const i32x4 0 0 0 0)))', /vector/],
    ['vectors as locals', '(func (local v128))', /vector/],
    ['threads', '(func (drop (i32.atomic.load (i32.const 16))))', /threads/],
    ['references as locals', '(func (local funcref))', /reference/],
    ['references as parameters', '(func (param externref))', /reference/],
    [
      'calls through pointers',
      '(table 1 funcref) (func (call_indirect (i32.const 0)))',
      /calls through pointers, in function/,
    ],
    ['tail calls', '(func $t (return_call $u)) (func $u)', /tail calls/],
    ['exceptions', '(tag $e) (func (throw $e))', /exceptions/],
    ['several results', '(func (result i32 i32) (i32.const 1) (i32.const 2))', /several results/],
    [
      'passive data',
      '(data $d "abc") (func (memory.init $d (i32.const 16) (i32.const 0) (i32.const 1)))',
      /passive data/,
    ],
    ['globals made of others', '(import "b" "x" (global $x i32)) (global i32 (global.get $x))', /no constant/],
  ])('is refused by name: %s', (_what, extra, said) => {
    const broken = findBrokenRules(deviceText(extra));
    expect(broken).toHaveLength(1);
    expect(broken[0]).toMatch(said);
    expect(broken[0]).toMatch(/^it uses .*no such thing$/);
  });

  it('is a table, too, even where nobody calls through it', () => {
    const broken = findBrokenRules(deviceText('(table 1 funcref)'));
    expect(broken).toEqual([expect.stringMatching(/^a table of functions/)]);
  });

  it('is none of those that the compiler uses', () => {
    const used = `(func (param i32 f32 f64)
      (memory.copy (local.get 0) (local.get 0) (local.get 0)) (memory.fill (local.get 0) (local.get 0) (local.get 0))
      (drop (i32.extend8_s (local.get 0))) (drop (i64.extend32_s (i64.const 1)))
      (drop (i32.trunc_sat_f32_s (local.get 1))) (drop (i64.trunc_sat_f64_u (local.get 2))))`;
    expect(findBrokenRules(deviceText(used))).toEqual([]);
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
      message: expect.stringMatching(/mutable global \(\S*ticks\)/),
    });
  });

  it('with joined strings', async () => {
    await expect(broken(appText('', "text.clear().add('n' + client.now().toString());"))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
      message: expect.stringContaining('memory.grow'),
    });
  });

  it('with a function that calls itself, and the cycle is named', async () => {
    const fall = `
      export function fall(n: i32): i32 { return n < 2 ? n : rise(n - 1) + fall(n - 2); }
      export function rise(n: i32): i32 { return n < 2 ? n : fall(n - 1) ^ rise(n - 3); }`;
    await expect(broken(appText(fall, 'if (fall(client.now()) < 0) return 5;'))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
      message: expect.stringMatching(/recursion.*: \w+( calls \w+)+$/),
    });
  });

  it('with a variable function', async () => {
    const pick = 'type Step = () => i32; function one(): i32 { return 1; } function two(): i32 { return 2; }';
    const use = 'let step: Step = client.now() > 5 ? one : two; if (step() > 1) return 7;';
    await expect(broken(appText(pick, use))).rejects.toMatchObject({ code: 'ERR_MODULE_RULES' });
  });

  it('with memory of its own, which no image would hold', async () => {
    const own = 'const OWN = memory.data(64);';
    await expect(broken(appText(own, 'store<i32>(OWN, client.now());'))).rejects.toMatchObject({
      code: 'ERR_MODULE_RULES',
      message: expect.stringMatching(
        /tick.* writes to \d+, outside of the state region|runApplication writes to \d+, outside/,
      ),
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
