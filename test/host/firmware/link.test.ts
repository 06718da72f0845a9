import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../host/firmware/compile.js';
import { type Linked, link } from '../../../host/firmware/link.js';
import { fromText } from './modules.js';

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
