// Real WAMR on this machine against V8, call by call; and what it says of memory and instructions.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BOARDS_DIR } from '../../host/firmware/boards.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import type { LockstepBoard } from '../../host/firmware/run/lockstep-board.js';
import { WAMR_64_BIT, wamrStackBytes } from '../../host/firmware/wamr-memory.js';
import { Program, until } from '../e2e/world.js';
import { fromText } from '../host/firmware/modules.js';
import { describeWithTools } from '../tools.js';
import { replay } from './replay.js';
import { type Recording, record, TOUR } from './scenario.js';
import { BUILD_MS, lockstepOnWamr, moduleFile, WAMR_BOARD, WAMR_TOOLS, wamrProgram } from './wamr.js';

const SEED = 41;
/** Sends at once: it discovers no gateway. */
const EVEN_SEED = 42;
const PAGE_BYTES = 65_536;
/** Discards what it gets. */
const NOWHERE = '127.0.0.1:9';

/** As `--memory` tells it. */
interface Memory {
  readonly loadBytes: number;
  readonly instanceBytes: number;
  readonly execEnvBytes: number;
  readonly stackBytes: number;
  readonly linearBytes: number;
  readonly heapBase: number;
}

const run = promisify(execFile);

async function memoryOf(wasm: Uint8Array): Promise<Memory> {
  const { stdout } = await run(await wamrProgram(), [moduleFile(wasm), '--memory']);
  return JSON.parse(stdout) as Memory;
}

/** A device whose state are the octets from 16 on, that does `poll`. */
const deviceText = (poll: string, more = '', heapBase = 512): string => `(module
  (import "board" "send" (func $send (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global (export "__data_end") i32 (i32.const ${heapBase}))
  (global (export "__heap_base") i32 (i32.const ${heapBase}))
  (func (export "abi") (result i32) (i32.const 2))
  ${['image', 'rx', 'peer'].map((f, i) => `(func (export "${f}") (result i32) (i32.const ${16 + 64 * i}))`).join('\n')}
  ${['imageBytes', 'rxBytes', 'peerBytes'].map((f) => `(func (export "${f}") (result i32) (i32.const 32))`).join('\n')}
  (func (export "seal") (result i32) (i32.const 0))
  ${['start', 'receive'].map((f) => `(func (export "${f}") (param i32 i32) (result i32) (i32.const 0))`).join('\n')}
  (func (export "resume") (param i32) (result i32) (i32.const 0))
  (func (export "poll") (param i32) (result i32) ${poll})
  ${more})`;

describeWithTools(WAMR_TOOLS, 'WAMR on this machine', () => {
  let tour: Uint8Array;
  let recording: Recording;
  let board: LockstepBoard | undefined;

  beforeAll(async () => {
    await wamrProgram();
    tour = link(await compile({ entry: 'application', application: TOUR })).bytes;
    recording = record(tour, SEED);
  }, BUILD_MS);

  afterEach(async () => {
    await board?.close();
    board = undefined;
  });

  it('answers each call of a recorded day as V8 did, and ends in the same state to the last octet', async () => {
    board = await lockstepOnWamr(tour);
    const images = await replay(recording, board.device);
    expect(images.length).toBeGreaterThan(3);
    for (const { recorded, found } of images) expect(Buffer.compare(recorded, found)).toBe(0);
  });

  describe('memory', () => {
    it('is cut down to what the module uses', async () => {
      const { linearBytes, heapBase } = await memoryOf(tour);
      expect(heapBase).toBe(link(await compile({ entry: 'application', application: TOUR })).linearBytes);
      expect(linearBytes).toBe(heapBase);
    });

    it('is a whole page where the module asks for its size', async () => {
      expect((await memoryOf(fromText(deviceText('(i32.const 0)')))).linearBytes).toBe(512);
      expect((await memoryOf(fromText(deviceText('(memory.size)')))).linearBytes).toBe(PAGE_BYTES);
    });
  });

  describe('the operand stack', () => {
    // poll → deep → deeper → send, with locals of both widths and constants on the way.
    const text = deviceText(
      '(i32.add (call $deep (local.get 0) (i64.const 7)) (i32.const 1000000))',
      `(func $deep (param i32 i64) (result i32) (local i32 i64 i64)
         (local.set 2 (i32.const 77))
         (i32.add (local.get 2) (call $deeper (i32.add (local.get 0) (i32.const 5)) (local.get 2) (i32.const 9))))
       (func $deeper (param i32 i32 i32) (result i32) (local f64)
         (if (result i32) (i32.lt_u (local.get 0) (i32.const 100000))
           (then (call $send (i32.const 16) (i32.const 4)))
           (else (i32.const 3))))`,
    );
    const need = (): number => wamrStackBytes(fromText(text), WAMR_64_BIT);

    it('that the build names suffices for the deepest call', async () => {
      board = await lockstepOnWamr(fromText(text), '--stack', `${need()}`);
      await board.device.start(0, 1);
      expect(await board.device.poll(5)).toMatchObject({ result: 77 + 4 + 1_000_000, sent: [{}] });
    });

    it('that is 4 octets smaller does not', async () => {
      const { stderr } = await failed(fromText(text), '--stack', `${need() - 4}`);
      expect(stderr).toContain('trapped: Exception: wasm operand stack overflow\nstarted: trap\n');
    });

    it('that the build names suffices for a whole day', async () => {
      board = await lockstepOnWamr(tour, '--stack', `${wamrStackBytes(tour, WAMR_64_BIT)}`);
      await replay(recording, board.device);
    });
  });

  describe('instructions', () => {
    /** Counts down from 16 in a loop. */
    const loop = deviceText(
      '(local i32) (local.set 1 (i32.const 16)) (loop (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))) (local.get 1)',
    );

    it('of a call can be told, and telling changes nothing', async () => {
      board = await lockstepOnWamr(tour);
      const { sent } = await board.device.start(0, EVEN_SEED);
      expect(sent).toHaveLength(1);
      const before = await board.device.image();
      const { instructions } = await board.device.measure();
      expect(instructions).toBeGreaterThan(500);
      expect((await board.device.measure()).instructions).toBe(instructions);
      expect(Buffer.compare(await board.device.image(), before)).toBe(0);
    });

    it('of a call are what its budget must be: one less, and the watchdog ends it', async () => {
      board = await lockstepOnWamr(fromText(loop));
      await board.device.start(0, 1);
      expect((await board.device.poll(0)).result).toBe(0);
      const { instructions } = await board.device.measure();
      // Three a round: sub, tee, br_if.
      expect(instructions).toBeGreaterThanOrEqual(3 * 16);
      await board.close();
      board = await lockstepOnWamr(fromText(loop), '--budget', `${instructions}`);
      await board.device.start(0, 1);
      expect((await board.device.poll(0)).result).toBe(0);
      const { stderr } = await failed(fromText(loop), '--budget', `${instructions - 1}`);
      expect(stderr).toContain('trapped: Exception: instruction limit exceeded\nstarted: watchdog\n');
    });
  });

  it.each([
    ['no module', new Uint8Array(8), /no-module\.wasm: WASM module load failed/],
    [
      'another contract',
      fromText(deviceText('(i32.const 0)').replace('(i32.const 2)', '(i32.const 3)')),
      /version 3 of the contract, this firmware 2/,
    ],
    [
      'an abi that never returns',
      fromText(deviceText('(i32.const 0)').replace('(i32.const 2)', '(loop (br 0)) (i32.const 2)')),
      /abi\(\) of the module: Exception: instruction limit exceeded/,
    ],
    [
      'an image that never returns',
      fromText(deviceText('(i32.const 0)').replace(/\(func \(export "image"\)[^(]*\(result i32\)/, '$& (loop (br 0))')),
      /where its state and buffers are/,
    ],
    ['no poll', fromText(deviceText('(i32.const 0)').replace('"poll"', '"pull"')), /does not export poll/],
    ['a buffer that is not there', fromText(deviceText('(i32.const 0)', '', 64)), /where its state and buffers are/],
  ])('refuses %s in one line', async (name, wasm, reason) => {
    const file = moduleFile(wasm, name.replaceAll(' ', '-'));
    const ended = run(await wamrProgram(), [file, '--memory']);
    await expect(ended).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(reason) });
    await expect(ended).rejects.toMatchObject({ stderr: expect.stringMatching(/^thimble-wamr: [^\n]+\n$/) });
  });

  it.each([
    ['--stack', '99999999999'],
    ['--budget', '0'],
    ['--budget', '-5'],
  ])('refuses %s %s, which would be another number or no watchdog', async (option, value) => {
    await expect(run(await wamrProgram(), ['a.wasm', '--memory', option, value])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${option} ${value}`),
    });
  });

  it(
    'is not built without its watchdog',
    async () => {
      const manifest = join(BOARDS_DIR, WAMR_BOARD, 'Cargo.toml');
      const target = mkdtempSync(join(tmpdir(), 'thimble-target-'));
      const build = run(
        'cargo',
        ['check', '--locked', '--offline', '--manifest-path', manifest, '--target-dir', target],
        {
          cwd: tmpdir(), // where cargo does not find .cargo/config.toml
          maxBuffer: 1 << 26,
        },
      );
      await expect(build).rejects.toMatchObject({
        stderr: expect.stringMatching(/CFLAGS lack \S+METERING=1: run cargo in/),
      });
      rmSync(target, { recursive: true });
    },
    BUILD_MS,
  );

  it('explains itself where it is called wrongly', async () => {
    for (const args of [[], ['a.wasm'], ['a.wasm', '--seed', 'x'], ['a.wasm', '--what'], ['a.wasm', 'b.wasm']]) {
      await expect(run(await wamrProgram(), args)).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--gateway HOST:PORT '),
      });
    }
  });

  /** Runs it until it has started anew after a failure. */
  async function failed(wasm: Uint8Array, ...args: string[]): Promise<{ stderr: string }> {
    const program = new Program(await wamrProgram(), [moduleFile(wasm), '--gateway', NOWHERE, ...args]);
    await until('a restart', () => /trapped: .*\nstarted: .*\n/.test(program.errors));
    await program.stop('SIGKILL');
    return { stderr: program.errors };
  }
});
