import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../host/firmware/compile.js';
import { type Linked, link } from '../../../host/firmware/link.js';
import { parseModule } from '../../../host/firmware/wasm.js';
import { CONTRACT_TEXT, fromText } from './modules.js';

interface Global {
  readonly value: number;
}

const instantiate = (bytes: Uint8Array): Record<string, unknown> =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), { board: { send: () => 0, event: () => {}, log: () => {} } })
    .exports;

/** The values of both exports. */
function ends({ bytes }: Pick<Linked, 'bytes'>): { heapBase: number; dataEnd: number } {
  const exports = instantiate(bytes);
  return { heapBase: (exports.__heap_base as Global).value, dataEnd: (exports.__data_end as Global).value };
}

const dataEnding = (at: number): Uint8Array =>
  fromText(`(module (memory (export "memory") 1)
    (global $end i32 (i32.const ${at})) (export "__data_end" (global $end)) (export "__heap_base" (global $end))
    (func (export "f") (result i32) (i32.const ${at})))`);

describe('the link step', () => {
  it.each([
    [1, 16],
    [15, 16],
    [16, 16],
    [17, 32],
    [3_428, 3_440],
    [65_536, 65_536],
  ])('with static data up to %d sets the heap at %d', (at, heapBase) => {
    const linked = link(dataEnding(at));
    expect(ends(linked)).toEqual({ dataEnd: at, heapBase });
    expect(linked.linearBytes).toBe(heapBase);
  });

  it('exports both as immutable globals', () => {
    const { bytes } = link(dataEnding(100));
    const exports = instantiate(bytes);
    for (const name of ['__heap_base', '__data_end']) {
      expect(() => {
        (exports[name] as { value: number }).value = 1;
      }, name).toThrow(TypeError);
    }
  });

  it('keeps what a module does', () => {
    const exports = instantiate(link(dataEnding(77)).bytes) as { f(): number };
    expect(exports.f()).toBe(77);
  });

  it('says for the modem where its state ends, and the module never touches what is behind', async () => {
    const linked = link(await compile({ entry: 'modem-mqttsn' }));
    const { heapBase, dataEnd } = ends(linked);
    const exports = instantiate(linked.bytes) as Record<string, (...args: number[]) => number> & {
      memory: { buffer: ArrayBuffer };
    };
    const stateEnd = exports.image!() + exports.imageBytes!();
    expect(stateEnd).toBeLessThanOrEqual(dataEnd);
    expect(dataEnd).toBeLessThanOrEqual(heapBase);
    expect(heapBase % 16).toBe(0);
    expect(heapBase - dataEnd).toBeLessThan(16);
    // What lies behind is not there on a board that cuts the memory down.
    const memory = new Uint8Array(exports.memory.buffer);
    memory.fill(0xa5, heapBase);
    exports.start!(0, 1);
    memory.set(new TextEncoder().encode('dev'), exports.rx!());
    exports.identify!(3);
    exports.connect!(60, 1, 0);
    for (let now = 0; now < 1_000_000; now += 10_000) exports.poll!(now);
    expect(memory.subarray(heapBase).every((octet) => octet === 0xa5)).toBe(true);
  });

  it('is no larger than what the compiler gave, which has the same exports', async () => {
    const compiled = await compile({ entry: 'modem-mqttsn' });
    expect(link(compiled).bytes.length).toBeLessThanOrEqual(compiled.length);
  });

  it('keeps the names of functions for people, and leaves them and all notes out of the module', async () => {
    const compiled = await compile({ entry: 'modem-mqttsn' });
    const noted = Uint8Array.from([...compiled, 0, 6, 4, ...new TextEncoder().encode('note'), 1]);
    expect(parseModule(noted).customSections.map((s) => s.name)).toContain('note');
    const { bytes, names } = link(noted);
    const module = parseModule(bytes);
    expect(module.customSections).toEqual([]);
    expect([...names.keys()]).toEqual(module.functions.map((f) => f.index));
    expect(parseModule(link(noted, true).bytes).customSections.map((s) => s.name)).toEqual(['name']);
  });

  it('finds the end by itself where the compiler has not told it', () => {
    const text = '(module (memory (export "memory") 1) (data (i32.const 90) "abc") (data (i32.const 8) "abc"))';
    expect(ends(link(fromText(text)))).toEqual({ dataEnd: 93, heapBase: 96 });
    const state = CONTRACT_TEXT().replace(/(export "imageBytes".*?i32.const )16/, '$1 400');
    expect(ends(link(fromText(`(module ${state})`)))).toEqual({ dataEnd: 416, heapBase: 416 });
  });

  it.each([
    ['data', '(data (i32.const 92) "abc")', 94],
    [
      'the state region',
      CONTRACT_TEXT()
        .replace(/(export "imageBytes".*?i32.const )16/, '$1 79')
        .replace('(memory (export "memory") 1)', ''),
      94,
    ],
  ])('refuses a module where %s lie behind the end that the compiler tells', (_what, extra, at) => {
    const ending = (end: number): Uint8Array =>
      fromText(`(module (memory (export "memory") 1) ${extra}
        (global $end i32 (i32.const ${end})) (export "__data_end" (global $end)))`);
    expect(() => link(ending(at))).toThrow(
      expect.objectContaining({
        code: 'ERR_MODULE_RULES',
        message: expect.stringContaining(`end at 95, not at ${at}`),
      }),
    );
    expect(ends(link(ending(at + 1)))).toEqual({ dataEnd: 95, heapBase: 96 });
  });

  it('makes the same module every time', async () => {
    const [a, b] = await Promise.all([compile({ entry: 'codec-mqttsn' }), compile({ entry: 'codec-mqttsn' })]);
    expect(Buffer.compare(link(a).bytes, link(b).bytes)).toBe(0);
  });

  it('was the last to touch the modules in build/', () => {
    for (const file of ['modules/modem-mqttsn', 'modules/codec-mqttsn', 'apps/sensor']) {
      const bytes = readFileSync(new URL(`../../../build/${file}.wasm`, import.meta.url));
      const { heapBase, dataEnd } = ends({ bytes });
      expect(heapBase).toBe(Math.ceil(dataEnd / 16) * 16);
    }
  });
});
