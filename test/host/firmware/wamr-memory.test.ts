// What WAMR takes for a module, by computation: against WAMR itself where it can be built, and by hand where it cannot.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../host/firmware/compile.js';
import { link } from '../../../host/firmware/link.js';
import {
  WAMR_64_BIT,
  wamrFrameBytes,
  wamrFunctions,
  wamrLoadedBytes,
  wamrMemory,
  wamrStackBytes,
} from '../../../host/firmware/wamr-memory.js';
import { BUILD_MS, moduleFile, WAMR_TOOLS, wamrProgram } from '../../boards/wamr.js';
import { describeWithTools } from '../../tools.js';
import { fromText } from './modules.js';

const run = promisify(execFile);

/** One function, exported. */
const withBody = (body: string): Uint8Array => fromText(`(module (memory 1) (func (export "f") ${body}))`);
const frameOf = (body: string) => wamrFunctions(withBody(body))[0]!;

describe('a frame under the fast interpreter', () => {
  it.each([
    // Constants and locals stand for themselves, but for a result; one cell is always spare.
    ['(result i32) (i32.const 5)', { constCells: 1, paramCells: 0, localCells: 0, stackCells: 2 }],
    ['(param i32) (result i32) (local.get 0)', { constCells: 0, paramCells: 1, localCells: 0, stackCells: 2 }],
    ['(result i32) (i32.add (i32.const 5) (i32.const 5))', { constCells: 1, stackCells: 2 }],
    ['(result i32) (i32.add (i32.reinterpret_f32 (f32.const -1)) (i32.const 0xbf800000))', { constCells: 1 }],
    ['(result i64) (i64.add (i64.const 5) (i64.const 6))', { constCells: 4, stackCells: 3 }],
    // An old value of a local that is still wanted when it is overwritten is copied to a cell of its own.
    [
      '(param i32) (result i32) (i32.add (local.get 0) (local.tee 0 (i32.const 7)))',
      { constCells: 1, paramCells: 1, stackCells: 3 },
    ],
  ])('of %s has its cells', (body, cells) => {
    expect(frameOf(body)).toMatchObject(cells);
  });

  it('has 20 octets more than its cells where a pointer has 4, 40 where it has 8', () => {
    const frame = frameOf('(param i32) (result i32) (local.get 0)');
    expect(wamrFrameBytes(frame)).toBe(20 + 4 * 3);
    expect(wamrFrameBytes(frame, WAMR_64_BIT)).toBe(40 + 4 * 3);
  });

  it.each([
    ['SIMD', '(drop (v128.const i32x4 0 0 0 0))'],
    ['a block with two results', '(result i32 i32) (block (result i32 i32) (nop) (i32.const 1) (i32.const 2))'],
    ['an exception', '(try (do) (catch_all))'],
  ])('is not told of a module with %s', (_, body) => {
    expect(() => wamrFunctions(withBody(body))).toThrow(expect.objectContaining({ code: 'ERR_MODULE_FORMAT' }));
  });
});

describe('the operand stack', () => {
  const chain = (...calls: string[]): Uint8Array =>
    fromText(
      `(module ${calls
        .map(
          (callees, i) =>
            `(func $f${i} ${i === 0 ? '(export "f")' : ''} ${callees
              .split('')
              .map((c) => `(call $f${c})`)
              .join('')})`,
        )
        .join('')})`,
    );
  /** A frame without cells but the spare one; what stands for the caller has two. */
  const [FRAME, CALLER] = [20 + 4, 20 + 8];

  it('holds the deepest path, and once more its last frame', () => {
    expect(wamrStackBytes(chain(''))).toBe(CALLER + 2 * FRAME);
    expect(wamrStackBytes(chain('12', '', '3', ''))).toBe(CALLER + 3 * FRAME + FRAME);
    expect(wamrStackBytes(chain('12', '2', '3', ''))).toBe(CALLER + 4 * FRAME + FRAME);
  });

  it('has no end with recursion', () => {
    expect(() => wamrStackBytes(chain('1', '2', '1'))).toThrow(expect.objectContaining({ code: 'ERR_MODULE_RULES' }));
  });
});

describeWithTools(WAMR_TOOLS, 'WAMR itself', () => {
  const modules = new Map<string, Uint8Array>();

  beforeAll(async () => {
    await wamrProgram();
    for (const entry of ['modem-mqttsn', 'forwarder']) modules.set(entry, link(await compile({ entry })).bytes);
  }, BUILD_MS);

  it.each(['modem-mqttsn', 'forwarder'])('takes for the %s as much as was computed', async (name) => {
    const wasm = modules.get(name)!;
    const stack = 2048;
    const { stdout } = await run(await wamrProgram(), [moduleFile(wasm, name), '--memory', '--stack', `${stack}`]);
    const told = JSON.parse(stdout) as Record<'loadBytes' | 'instanceBytes' | 'execEnvBytes', number>;
    const computed = wamrMemory(wasm, stack, WAMR_64_BIT);
    expect(computed.execEnvBytes).toBe(told.execEnvBytes);
    // Up to 8 octets of each of the seven allocations are what the pool cannot split off.
    expect(Math.abs(computed.instanceBytes - told.instanceBytes)).toBeLessThanOrEqual(7 * 8);
    // WAMR counts a free block that the loader left and that was given whole as if it had been cut to size.
    expect(computed.loadBytes).toBeGreaterThanOrEqual(told.loadBytes);
    expect(computed.loadBytes).toBeLessThan(told.loadBytes * 1.06);
  });

  it('takes less where pointers are shorter', () => {
    for (const wasm of modules.values()) {
      expect(wamrLoadedBytes(wasm)).toBeLessThan(wamrLoadedBytes(wasm, WAMR_64_BIT));
      expect(wamrLoadedBytes(wasm)).toBeGreaterThan(2 * wasm.length);
    }
  });
});
