// What a build takes of a board's flash and RAM, part by part, and whether that is more than the board has.
import {
  APP_BYTES_DEFAULT,
  OUTBOUND_BYTES_DEFAULT,
  RX_BYTES_DEFAULT,
  TEXT_BYTES_DEFAULT,
  TOPIC_NAME_BYTES_MAX_DEFAULT,
  TOPICS_MAX_DEFAULT,
  TX_BYTES_DEFAULT,
} from '../../assembly/protocol/limits.js';
import type { Board } from './boards.js';
import { BudgetError, type OverBudget } from './error.js';

export interface Part {
  readonly name: string;
  readonly bytes: number;
}

export interface Usage {
  readonly usedBytes: number;
  /** What the board has; null where that has no end. */
  readonly budgetBytes: number | null;
  /** In the order in which they are told. */
  readonly parts: readonly Part[];
}

export interface Usages {
  readonly flash: Usage;
  readonly ram: Usage;
}

/** What a module takes under WAMR. */
export interface WamrNeeds {
  readonly wasmBytes: number;
  readonly linearBytes: number;
  readonly operandStackBytes: number;
  /** What WAMR allocates to load the module, for its instance and for its environment. */
  readonly loadedBytes: number;
}

/** What a native build takes, as build-native.ts tells it. */
export interface NativeNeeds {
  readonly parts: readonly { readonly name: string; readonly flashBytes: number; readonly ramBytes: number }[];
  readonly stackBytes: number;
}

/** Under WAMR the module lies in flash as it is; all else is RAM. */
export function wamrUsages(board: Board, needs: WamrNeeds): Usages {
  const runtime = board.runtime ?? { flashBytes: 0, ramBytes: 0 };
  return {
    flash: usage(board.flashBytes, [
      { name: 'runtime', bytes: runtime.flashBytes },
      { name: 'module', bytes: needs.wasmBytes },
    ]),
    ram: usage(board.ramBytes, [
      { name: 'linear memory', bytes: Math.ceil(needs.linearBytes / board.pageBytes) * board.pageBytes },
      { name: 'loaded module', bytes: needs.loadedBytes },
      { name: 'operand stack', bytes: needs.operandStackBytes },
      { name: 'C stack', bytes: board.stackBytes ?? 0 },
      { name: 'runtime', bytes: runtime.ramBytes },
    ]),
  };
}

/** The last word of flash, which is left for what tells devices apart (boards/common/sections.ld). */
const SEED_BYTES = 4;

/** The stack is what the board reserves for it, or what the firmware needs at the worst where that is more. */
export function nativeUsages(board: Board, { parts, stackBytes }: NativeNeeds): Usages {
  return {
    flash: usage(board.flashBytes, [
      ...parts.map(({ name, flashBytes }) => ({ name, bytes: flashBytes })),
      { name: 'seed', bytes: SEED_BYTES },
    ]),
    ram: usage(board.ramBytes, [
      ...parts.map(({ name, ramBytes }) => ({ name, bytes: ramBytes })),
      { name: 'stack', bytes: Math.max(stackBytes, board.stackBytes ?? 0) },
    ]),
  };
}

function usage(budgetBytes: number | undefined, parts: readonly Part[]): Usage {
  const usedBytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { usedBytes, budgetBytes: budgetBytes ?? null, parts: parts.filter((part) => part.bytes > 0) };
}

/** What the message of a build that does not fit speaks of. */
export interface Built {
  readonly name: string;
  readonly board: string;
  readonly functions: readonly Part[];
  /** Limits that were chosen. */
  readonly limits: Readonly<Record<string, number>>;
}

const FUNCTIONS_TOLD = 5;
const LIMITS_TOLD = 4;

/** Throws ERR_BUDGET where flash or RAM do not hold it: by how much, and where they went. */
export function checkBudget(built: Built, { flash, ram }: Usages): void {
  const lines = [
    ...describeOver('flash', flash, () => `largest functions: ${list(built.functions.slice(0, FUNCTIONS_TOLD))}`),
    ...describeOver('RAM', ram, () => `lower a limit with --use: ${describeLimits(built.limits)}`),
  ];
  if (lines.length === 0) return;
  const message = `${built.name} does not fit ${built.board}:\n  ${lines.join('\n  ')}`;
  throw new BudgetError(message, [...overOf('flash', flash), ...overOf('ram', ram)]);
}

function overOf(memory: OverBudget['memory'], { usedBytes, budgetBytes, parts }: Usage): OverBudget[] {
  return budgetBytes === null || usedBytes <= budgetBytes ? [] : [{ memory, usedBytes, budgetBytes, parts }];
}

function describeOver(what: string, { usedBytes, budgetBytes, parts }: Usage, wayOut: () => string): string[] {
  if (budgetBytes === null || usedBytes <= budgetBytes) return [];
  const over = usedBytes - budgetBytes;
  return [
    `${what}: ${number(over)} B too many: ${number(usedBytes)} B of ${number(budgetBytes)}`,
    `  where they went: ${list(parts)}`,
    `  ${wayOut()}`,
  ];
}

/** Of an entry in the table of topics besides its name. */
const TOPIC_OVERHEAD_BYTES = 8;

/** Octets of the state region that limits stand for, as they are now, the largest first. */
export function limitCosts(limits: Readonly<Record<string, number>>): { name: string; value: number; bytes: number }[] {
  const topicBytes = (limits.TOPIC_NAME_BYTES_MAX ?? TOPIC_NAME_BYTES_MAX_DEFAULT) + TOPIC_OVERHEAD_BYTES;
  const rows: readonly (readonly [name: string, standard: number, eachBytes: number])[] = [
    ['APP_BYTES', APP_BYTES_DEFAULT, 1],
    ['OUTBOUND_BYTES', OUTBOUND_BYTES_DEFAULT, 1],
    ['RX_BYTES', RX_BYTES_DEFAULT, 1],
    ['TEXT_BYTES', TEXT_BYTES_DEFAULT, 1],
    ['TOPICS_MAX', TOPICS_MAX_DEFAULT, topicBytes],
    ['TX_BYTES', TX_BYTES_DEFAULT, 1],
  ];
  return rows
    .map(([name, standard, eachBytes]) => {
      const value = limits[name] ?? standard;
      return { name, value, bytes: value * eachBytes };
    })
    .toSorted((a, b) => b.bytes - a.bytes);
}

function describeLimits(limits: Readonly<Record<string, number>>): string {
  return limitCosts(limits)
    .slice(0, LIMITS_TOLD)
    .map(({ name, value, bytes }) => `${name}=${value} (${number(bytes)} B)`)
    .join(', ');
}

const list = (parts: readonly Part[]): string => parts.map(({ name, bytes }) => `${name} ${number(bytes)}`).join(', ');

const number = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');
