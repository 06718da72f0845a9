import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DeviceModule } from '../../../host/device/device.js';
import { FUEL_EXHAUSTED, FUEL_EXPORT, meter } from '../../../host/device/meter.js';
import { CONTRACT_TEXT, deviceText, fromText } from '../firmware/modules.js';

const BUILD = join(import.meta.dirname, '..', '..', '..', 'build');
const BUILT = ['apps', 'modules'].flatMap((folder) =>
  readdirSync(join(BUILD, folder))
    .filter((name) => name.endsWith('.wasm'))
    .map((name) => join(folder, name)),
);
const BOARD = { send: (datagram: Uint8Array) => datagram.length };

interface Metered {
  readonly fuel: WebAssembly.Global;
  call(name: string, ...args: number[]): number;
}

function instantiate(module: Uint8Array, imports = {}): Metered {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(meter(module)!), imports);
  return {
    fuel: exports[FUEL_EXPORT] as WebAssembly.Global,
    call: (name, ...args) => (exports[name] as (...args: number[]) => number)(...args),
  };
}

/** Counts down from its argument in a loop; every round calls a function. */
const LOOP = `
  (func $nothing)
  (func (export "spin") (param i32) (result i32)
    (loop $again
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0)))
    (local.get 0))
  (func (export "calls") (param i32) (result i32)
    (loop $again
      (call $nothing)
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0)))
    (local.get 0))`;

describe('A metered copy', () => {
  it.each(BUILT)('of %s is a module that V8 accepts, with one more global and one more export', (file) => {
    const module = new Uint8Array(readFileSync(join(BUILD, file)));
    const before = module.slice();
    const exportsOf = (bytes: Uint8Array): string[] =>
      WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name);
    expect(exportsOf(meter(module)!)).toEqual([...exportsOf(module), FUEL_EXPORT]);
    expect(module).toEqual(before);
  });

  it('pays one step for each round of a loop and for each call', () => {
    const module = instantiate(fromText(`(module ${LOOP})`));
    module.fuel.value = 1_000;
    expect(module.call('spin', 10)).toBe(0);
    expect(module.fuel.value).toBe(1_000 - 1 - 10);
    module.call('calls', 10);
    expect(module.fuel.value).toBe(989 - 1 - 10 - 10);
  });

  it('goes on to the last step and no further', () => {
    const module = instantiate(fromText(`(module ${LOOP})`));
    module.fuel.value = 11;
    expect(module.call('spin', 10)).toBe(0);
    module.fuel.value = 10;
    expect(() => module.call('spin', 10)).toThrow(WebAssembly.RuntimeError);
    expect(module.fuel.value).toBe(FUEL_EXHAUSTED);
  });

  it('leaves alone whatever stands between loops', () => {
    const text = `(module
      (import "env" "base" (global $base i32))
      (import "env" "memory" (memory 1 2))
      (import "env" "table" (table 1 funcref))
      (import "env" "f" (func $f (param i32) (result i32)))
      (global $three (mut i32) (i32.const 3))
      (data $text "abcd")
      (func (export "all") (param $n i32) (result i32) (local $sum i64) (local $x f64)
        (memory.init $text (i32.const 0) (i32.const 0) (i32.const 4))
        (memory.copy (i32.const 8) (i32.const 0) (i32.const 4))
        (memory.fill (i32.const 16) (i32.const 7) (i32.const 2))
        (local.set $x (f64.const 2.5))
        (block $out (block $two (block $one
          (br_table $one $two $out (local.get $n)))
          (local.set $sum (i64.const -1234567890123)))
          (local.set $sum (i64.add (local.get $sum) (i64.const 5))))
        (loop $again
          (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $f (i32.const 1)))))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_s (local.get $n) (i32.const 5))))
        (i32.add (i32.add (global.get $three) (global.get $base))
          (i32.add (i32.wrap_i64 (local.get $sum))
            (i32.add (i32.trunc_sat_f64_s (local.get $x))
              (i32.add (i32.load8_u (i32.const 10)) (i32.extend8_s (i32.load16_u (i32.const 16)))))))))`;
    const module = fromText(text);
    const imports = () => ({
      env: {
        base: 40,
        memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
        table: new (WebAssembly.Table as unknown as new (type: object) => object)({ initial: 1, element: 'anyfunc' }),
        f: (n: number) => n + 1,
      },
    });
    const plain = new WebAssembly.Instance(new WebAssembly.Module(module), imports());
    const metered = instantiate(module, imports());
    for (const n of [0, 1, 2, 3]) {
      metered.fuel.value = 100;
      expect(metered.call('all', n)).toBe((plain.exports.all as (n: number) => number)(n));
    }
  });

  it('is none of what is no module, cut anywhere', () => {
    const module = deviceText(`(func ${'(drop (i32.const 1))'.repeat(3)})`);
    expect(meter(new TextEncoder().encode('no module'))).toBeUndefined();
    for (let bytes = 9; bytes < module.length; bytes++) expect(() => meter(module.subarray(0, bytes))).not.toThrow();
  });

  it('is none of a module with instructions that no device has', () => {
    const vectors = fromText('(module (func (export "f") (drop (v128.const i32x4 0 0 0 0))))');
    expect(meter(vectors)).toBeUndefined();
    const device = fromText(`(module ${CONTRACT_TEXT()} (func (export "f") (drop (v128.const i32x4 0 0 0 0))))`);
    expect(() => new DeviceModule(device)).toThrow(expect.objectContaining({ code: 'ERR_MODULE_LOAD' }));
  });
});

describe('The watchdog', () => {
  const spinner = (steps?: number) =>
    new DeviceModule(
      fromText(`(module ${CONTRACT_TEXT().replace('(func (export "poll") (param i32) (result i32) (i32.const 0))', '')}
      (func (export "poll") (param i32) (result i32)
        (loop $again
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br_if $again (local.get 0)))
        (i32.const 7)))`),
      'spinner',
      steps,
    );
  const OVERDUE = expect.objectContaining({
    code: 'ERR_DEVICE_WATCHDOG',
    message: expect.stringMatching(/^spinner .*poll.*1000 steps/),
  });

  it('ends a call that goes on for too long, and says so', () => {
    const device = spinner(1_000).create(BOARD);
    expect(device.poll(999)).toBe(7);
    expect(() => device.poll(1_000)).toThrow(OVERDUE);
    expect(() => device.poll(1)).toThrow(expect.objectContaining({ code: 'ERR_DEVICE_WATCHDOG' }));
    device.start(0, 1);
    expect(device.poll(999)).toBe(7);
  });

  it('gives every call the whole budget, and leaves the other devices what they are', () => {
    const module = spinner(1_000);
    const [one, other] = [module.create(BOARD), module.create(BOARD)];
    for (let i = 0; i < 5; i++) expect(one.poll(900)).toBe(7);
    expect(() => one.poll(0)).toThrow(OVERDUE);
    expect(other.poll(900)).toBe(7);
  });

  it('does not call a trap what it ended, nor its own what trapped', () => {
    const text = CONTRACT_TEXT().replace(
      '(param i32) (result i32) (i32.const 0)',
      '(param i32) (result i32) (unreachable)',
    );
    const device = new DeviceModule(fromText(`(module ${text})`), 'trap', 1_000).create(BOARD);
    expect(() => device.poll(0)).toThrow(expect.objectContaining({ code: 'ERR_DEVICE_TRAP' }));
  });

  it('is generous: no call of the examples takes a hundredth of what it allows', () => {
    const device = new DeviceModule(new Uint8Array(readFileSync(join(BUILD, 'apps/sensor.wasm'))), 'sensor', 10_000);
    const sensor = device.create(BOARD);
    sensor.start(0, 1);
    for (let now = 0; now < 600_000; now += 100) sensor.poll(now);
  });
});
