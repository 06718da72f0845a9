// What a build says of itself, and what has changed since the one before.
import { existsSync, readFileSync } from 'node:fs';
import type { Part, Usage, Usages } from './budget.js';

/** docs/report.schema.json says what each key means. */
export interface StoredReport {
  readonly format: 1;
  readonly name: string;
  readonly version: string;
  /** Null where it was built for none. */
  readonly board: string | null;
  readonly wasmBytes: number;
  /** Octets of the state region. */
  readonly stateBytes: number;
  /** Octets of linear memory in all: state, tables, constants. */
  readonly linearBytes: number;
  /** Octets of operand stack that WAMR's fast interpreter needs: on the board, or on a core of 32 bits where there is none. */
  readonly operandStackBytes: number;
  /** The longest chain of calls, from an export inwards. */
  readonly deepestCall: readonly string[];
  /** Null for boards that have no end of either. */
  readonly flash: Usage | null;
  readonly ram: Usage | null;
  /** Every function of the module, largest first, in octets of WebAssembly. */
  readonly functions: readonly Part[];
  /** Null where the module runs as it is. */
  readonly native: NativeFigures | null;
  /** Every function of the firmware, largest first, in octets of native code; null where the module runs as it is. */
  readonly nativeFunctions: readonly Part[] | null;
}

/** Of firmware in native code: what its sections take, and its stack at the worst with the calls that make it so. */
export interface NativeFigures {
  readonly textBytes: number;
  readonly dataBytes: number;
  readonly bssBytes: number;
  readonly stackBytes: number;
  readonly stackPath: readonly string[];
}

/** Where the artifacts of a build lie; those that only some boards have may be missing. */
export interface Artifacts {
  readonly module: string;
  readonly manifest: string;
  readonly header: string;
  readonly report: string;
  readonly c?: string;
  readonly elf?: string;
  readonly hex?: string;
  readonly bin?: string;
}

export interface BuildReport extends Omit<StoredReport, 'format'> {
  /** The module's file. */
  readonly out: string;
  /** Null where there is no build before that it can be compared with. */
  readonly changes: Changes | null;
  readonly files: Artifacts;
}

export interface Change {
  readonly name: string;
  /** Octets then and now; null where it was not there. */
  readonly before: number | null;
  readonly after: number | null;
}

/** Only what has changed. */
export interface Changes {
  /** wasmBytes, stateBytes, linearBytes, operandStackBytes. */
  readonly sizes: readonly Change[];
  readonly flash: readonly Change[];
  readonly ram: readonly Change[];
  readonly functions: readonly Change[];
}

export function largestFirst(parts: readonly Part[]): Part[] {
  return parts.toSorted((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** The report of the build before; undefined where there is none that can be read. */
export function readReport(file: string): StoredReport | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as StoredReport;
    return report.format === 1 && Array.isArray(report.functions) ? report : undefined;
  } catch {
    return undefined;
  }
}

/** Null where the one before is of another application, or for another board. */
export function compareReports(before: StoredReport | undefined, after: StoredReport): Changes | null {
  if (before === undefined || before.name !== after.name || before.board !== after.board) return null;
  const sizes = (report: StoredReport): Part[] =>
    (['wasmBytes', 'stateBytes', 'linearBytes', 'operandStackBytes'] as const).map((name) => ({
      name,
      bytes: report[name],
    }));
  const parts = (report: StoredReport, what: keyof Usages): readonly Part[] => report[what]?.parts ?? [];
  const functions = (report: StoredReport): readonly Part[] => report.nativeFunctions ?? report.functions;
  return {
    sizes: compareParts(sizes(before), sizes(after)),
    flash: compareParts(parts(before, 'flash'), parts(after, 'flash')),
    ram: compareParts(parts(before, 'ram'), parts(after, 'ram')),
    functions: compareParts(functions(before), functions(after)),
  };
}

/** The largest difference first. */
function compareParts(before: readonly Part[], after: readonly Part[]): Change[] {
  const was = sumByName(before);
  const is = sumByName(after);
  const difference = (change: Change): number => Math.abs((change.after ?? 0) - (change.before ?? 0));
  return [...new Set([...was.keys(), ...is.keys()])]
    .map((name) => ({ name, before: was.get(name) ?? null, after: is.get(name) ?? null }))
    .filter((change) => change.before !== change.after)
    .toSorted((a, b) => difference(b) - difference(a));
}

/** Several functions may have one name. */
function sumByName(parts: readonly Part[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, bytes } of parts) sums.set(name, (sums.get(name) ?? 0) + bytes);
  return sums;
}
