import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Board, readBoard } from '../../../host/firmware/boards.js';
import { checkBudget, limitCosts, nativeUsages, type Usages, wamrUsages } from '../../../host/firmware/budget.js';
import { type BuildTarget, build } from '../../../host/firmware/build.js';
import type { FirmwareError } from '../../../host/firmware/error.js';
import { describeWithTools } from '../../tools.js';
import { scratch } from './modules.js';

const WAMR: Board = {
  ...readBoard('zephyr'),
  flashBytes: 10_000,
  ramBytes: 9_000,
  pageBytes: 1_024,
  stackBytes: 2_000,
  runtime: { flashBytes: 4_000, ramBytes: 500 },
};
const NEEDS = { wasmBytes: 6_000, linearBytes: 3_073, operandStackBytes: 1_200, loadedBytes: 1_204 };
const BUILT = {
  name: 'bell',
  board: 'shed',
  functions: [1, 2, 3, 4, 5, 6].map((n) => ({ name: `f${n}`, bytes: 700 - n })),
  limits: {},
};

const check = (usages: Usages): FirmwareError | undefined => {
  try {
    checkBudget(BUILT, usages);
    return undefined;
  } catch (error) {
    return error as FirmwareError;
  }
};

describe('under WAMR', () => {
  it('flash has the runtime and the module, RAM whole pages of linear memory and all that the module costs', () => {
    const { flash, ram } = wamrUsages(WAMR, NEEDS);
    expect(flash).toEqual({
      usedBytes: 10_000,
      budgetBytes: 10_000,
      parts: [
        { name: 'runtime', bytes: 4_000 },
        { name: 'module', bytes: 6_000 },
      ],
    });
    expect(ram.parts).toEqual([
      { name: 'linear memory', bytes: 4_096 },
      { name: 'loaded module', bytes: 1_204 },
      { name: 'operand stack', bytes: 1_200 },
      { name: 'C stack', bytes: 2_000 },
      { name: 'runtime', bytes: 500 },
    ]);
    expect(ram.usedBytes).toBe(9_000);
  });

  it('an octet more of linear memory takes another page', () => {
    const of = (linearBytes: number): number => wamrUsages(WAMR, { ...NEEDS, linearBytes }).ram.parts[0]!.bytes;
    expect([3_072, 3_073, 4_096, 4_097].map(of)).toEqual([3_072, 4_096, 4_096, 5_120]);
  });

  it('a board without budgets has none, and is told what is used all the same', () => {
    const { flash, ram } = wamrUsages(readBoard('linux-wamr'), NEEDS);
    expect([flash.budgetBytes, ram.budgetBytes]).toEqual([null, null]);
    expect(flash.usedBytes).toBe(6_000);
    expect(check({ flash, ram })).toBeUndefined();
  });
});

describe('in native code', () => {
  const board: Board = { ...readBoard('microbit'), flashBytes: 304, ramBytes: 1_090, stackBytes: 1_000 };
  const parts = [
    { name: 'module', flashBytes: 200, ramBytes: 40 },
    { name: 'port', flashBytes: 100, ramBytes: 50 },
    { name: 'library', flashBytes: 0, ramBytes: 0 },
  ];

  it('flash and RAM are what the parts take, and the stack that the board keeps', () => {
    const { flash, ram } = nativeUsages(board, { parts, stackBytes: 700 });
    expect(flash.parts.map(({ name, bytes }) => `${name} ${bytes}`)).toEqual(['module 200', 'port 100', 'seed 4']);
    expect(ram.parts.map(({ name, bytes }) => `${name} ${bytes}`)).toEqual(['module 40', 'port 50', 'stack 1000']);
    expect([flash.usedBytes, ram.usedBytes]).toEqual([304, 1_090]);
    expect(check({ flash, ram })).toBeUndefined();
  });

  it('a stack that needs more than that counts as what it needs', () => {
    const usages = nativeUsages(board, { parts, stackBytes: 1_001 });
    expect(usages.ram.usedBytes).toBe(1_091);
    expect(check(usages)).toMatchObject({ code: 'ERR_BUDGET' });
  });
});

describe('a budget', () => {
  const usages = wamrUsages(WAMR, NEEDS);

  it('that is just enough is enough', () => {
    expect(check(usages)).toBeUndefined();
  });

  it('that flash exceeds by an octet is ERR_BUDGET: by how much, where it went, and the largest functions', () => {
    const error = check(wamrUsages(WAMR, { ...NEEDS, wasmBytes: 6_001 }))!;
    expect(error.code).toBe('ERR_BUDGET');
    expect(error.message.split('\n')).toEqual([
      'bell does not fit shed:',
      '  flash: 1 B too many: 10,001 B of 10,000',
      '    where they went: runtime 4,000, module 6,001',
      '    largest functions: f1 699, f2 698, f3 697, f4 696, f5 695',
    ]);
  });

  it('that RAM exceeds by an octet names the limits that could be lower', () => {
    const error = check(wamrUsages(WAMR, { ...NEEDS, loadedBytes: 1_205 }))!;
    expect(error.message.split('\n')).toEqual([
      'bell does not fit shed:',
      '  RAM: 1 B too many: 9,001 B of 9,000',
      '    where they went: linear memory 4,096, loaded module 1,205, operand stack 1,200, C stack 2,000, runtime 500',
      expect.stringMatching(/^ {4}lower a limit with --use: (OUTBOUND_BYTES|TOPICS_MAX)=/),
    ]);
  });

  it('of both that is exceeded is told of both', () => {
    const error = check(wamrUsages({ ...WAMR, flashBytes: 9_000, ramBytes: 8_000 }, NEEDS))!;
    expect(error.message).toMatch(/flash: 1,000 B too many.*RAM: 1,000 B too many/s);
  });
});

const modem = { name: 'modem-mqttsn', entry: 'modem-mqttsn', contract: true };
const target = (more: Partial<BuildTarget> = {}): BuildTarget => ({
  ...modem,
  out: join(scratch(), 'm.wasm'),
  ...more,
});

describe('what limits cost', () => {
  it('is what the state region loses when they are lowered', async () => {
    const { stateBytes } = await build(target());
    for (const { name, value, bytes } of limitCosts({})) {
      const lower = name === 'OUTBOUND_BYTES' ? 512 : name === 'APP_BYTES' ? 0 : value / 2;
      const expected = (bytes / value) * (value - lower);
      const limits = { [name]: lower, ...(name === 'TX_BYTES' && { OUTBOUND_BYTES: 768 }) };
      expect(stateBytes - (await build(target({ limits }))).stateBytes, name).toBe(expected);
    }
  });

  it('takes the values that were chosen', () => {
    const costs = limitCosts({ RX_BYTES: 5_000, TOPICS_MAX: 200, TOPIC_NAME_BYTES_MAX: 92 });
    expect(costs.slice(0, 2)).toEqual([
      { name: 'TOPICS_MAX', value: 200, bytes: 20_000 },
      { name: 'RX_BYTES', value: 5_000, bytes: 5_000 },
    ]);
  });
});

describe('a build for a board with WAMR', () => {
  it('ends where its budget does: exact to the octet', async () => {
    const board = readBoard('zephyr');
    const { flash, ram } = await build(target({ board }));
    const exact = { ...board, flashBytes: flash!.usedBytes, ramBytes: ram!.usedBytes };
    expect((await build(target({ board: exact }))).ram).toMatchObject({ budgetBytes: exact.ramBytes });
    for (const key of ['flashBytes', 'ramBytes'] as const) {
      const tight = { ...exact, [key]: exact[key] - 1 };
      await expect(build(target({ board: tight }))).rejects.toMatchObject({
        code: 'ERR_BUDGET',
        message: expect.stringContaining(': 1 B too many'),
      });
      expect((await build(target({ board: tight, anySize: true }))).name).toBe('modem-mqttsn');
    }
  });
});

describeWithTools(['arm-none-eabi-gcc'], 'a build for a board with native code', () => {
  it('ends where its budget does: exact to the octet, as the linker sees it', async () => {
    const board = readBoard('stm32vldiscovery');
    const { flash, ram, native } = await build(target({ board }));
    expect(flash!.usedBytes).toBe(native!.textBytes + native!.dataBytes + 4);
    expect(ram!.usedBytes).toBe(native!.dataBytes + native!.bssBytes + board.stackBytes!);
    expect(native!.stackBytes).toBeLessThanOrEqual(board.stackBytes!);
    const exact = { ...board, flashBytes: flash!.usedBytes, ramBytes: ram!.usedBytes };
    expect((await build(target({ board: exact }))).ram!.usedBytes).toBe(exact.ramBytes);
    await expect(build(target({ board: { ...exact, ramBytes: exact.ramBytes - 1 } }))).rejects.toMatchObject({
      code: 'ERR_BUDGET',
      message: expect.stringMatching(/RAM: 1 B too many: .*\n.*module [\d,]+, port \d+, stack 1,536\n.*--use/),
    });
    await expect(build(target({ board: { ...board, flashBytes: flash!.usedBytes - 1 } }))).rejects.toMatchObject({
      code: 'ERR_BUDGET',
      message: expect.stringMatching(/flash: 1 B too many: .*\n.*\n.*largest functions: \S+\/\S+ [\d,]+/),
    });
  }, 120_000);
});
