// What a build tells people: a table of all that was built, and of one application what it is made of and what has changed.
import { basename, isAbsolute, relative, resolve } from 'node:path';
import type { Part, Usage } from '../firmware/budget.js';
import type { BuildReport, Change, Changes } from '../firmware/report.js';
import { colours, number, table } from './output.js';

/** So many of the largest functions are told; the report's file has them all. */
const FUNCTIONS_TOLD = 10;
/** So many changed functions. */
const CHANGES_TOLD = 10;
const BAR_CELLS = 24;

/** The report as --json tells it. */
export function withLargest(report: BuildReport): BuildReport {
  return {
    ...report,
    functions: report.functions.slice(0, FUNCTIONS_TOLD),
    nativeFunctions: report.nativeFunctions?.slice(0, FUNCTIONS_TOLD) ?? null,
  };
}

/** Several builds as a table; one with its parts, too. */
export function describeBuilds(reports: readonly BuildReport[]): string {
  const rows = reports.map((r) => [
    r.name,
    number(r.wasmBytes),
    number(r.stateBytes),
    number(r.linearBytes),
    ...(r.flash === null || r.ram === null ? [] : [number(r.flash.usedBytes), number(r.ram.usedBytes)]),
    displayPath(r.out),
  ]);
  const hasUsage = reports.some((r) => r.flash !== null);
  const head = ['module', 'wasm B', 'state B', 'linear memory B', ...(hasUsage ? ['flash B', 'RAM B'] : []), 'file'];
  const first = table(head, rows);
  return reports.length === 1 ? [first, ...describeOne(reports[0]!)].join('\n') : first;
}

function describeOne(report: BuildReport): string[] {
  const native = report.nativeFunctions;
  return [
    ...describeUsage('flash', report.flash),
    ...describeUsage('RAM', report.ram),
    '',
    ...describeFunctions(native ?? report.functions, native === null ? 'wasm B' : 'native B'),
    '',
    describeDepth(report),
    ...describeChanges(report.changes),
    ...describeFiles(report),
  ];
}

/** A line with a bar, then the parts. */
function describeUsage(what: string, usage: Usage | null): string[] {
  if (usage === null) return [];
  const { usedBytes, budgetBytes } = usage;
  const of = budgetBytes === null ? '' : ` of ${number(budgetBytes)} B, ${number(budgetBytes - usedBytes)} B free`;
  const title = `${what.padEnd(6)}${bar(usedBytes, budgetBytes)}${number(usedBytes)} B${of}`;
  const parts = usage.parts.map(({ name, bytes }) => `${name} ${number(bytes)}`).join(', ');
  return ['', `   ${colours.bold(title)}`, `         ${parts}`];
}

function bar(usedBytes: number, budgetBytes: number | null): string {
  if (budgetBytes === null) return '';
  const filled = Math.min(BAR_CELLS, Math.max(1, Math.round((usedBytes / budgetBytes) * BAR_CELLS)));
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}  `;
}

function describeFunctions(functions: readonly Part[], unit: string): string[] {
  const rows = functions.slice(0, FUNCTIONS_TOLD).map(({ name, bytes }) => [name, number(bytes)]);
  return rows.length === 0 ? [] : [table(['largest functions', unit], rows)];
}

function describeDepth({ deepestCall, native, operandStackBytes }: BuildReport): string {
  const stack =
    native === null
      ? `operand stack under WAMR ${number(operandStackBytes)} B`
      : `stack at the worst ${number(native.stackBytes)} B`;
  return `   deepest call: ${number(deepestCall.length)} functions; ${stack}`;
}

function describeChanges(changes: Changes | null): string[] {
  if (changes === null) return [];
  const totals = [
    ...changes.sizes.map((c) => ({ ...c, name: SIZE_NAMES[c.name] ?? c.name })),
    ...changes.flash.map((c) => ({ ...c, name: `flash: ${c.name}` })),
    ...changes.ram.map((c) => ({ ...c, name: `RAM: ${c.name}` })),
  ];
  const told = changes.functions.slice(0, CHANGES_TOLD);
  const all = [...totals, ...told];
  if (all.length === 0) return ['', '   nothing has changed since the last build'];
  const rows = all.map((c) => [c.name, size(c.before), size(c.after), difference(c)]);
  const left = changes.functions.length - told.length;
  return [
    '',
    table(['changed since the last build', 'before B', 'now B', 'by B'], rows),
    ...(left === 0 ? [] : [`   and ${number(left)} more functions`]),
  ];
}

const SIZE_NAMES: Readonly<Record<string, string>> = {
  wasmBytes: 'wasm',
  stateBytes: 'state',
  linearBytes: 'linear memory',
  operandStackBytes: 'operand stack',
};

const size = (bytes: number | null): string => (bytes === null ? '–' : number(bytes));

function difference({ before, after }: Change): string {
  const by = (after ?? 0) - (before ?? 0);
  const text = `${by < 0 ? '-' : '+'}${number(Math.abs(by))}`;
  return by < 0 ? colours.green(text) : colours.yellow(text);
}

/** The module is in the table. */
function describeFiles({ files, out }: BuildReport): string[] {
  const others = Object.values(files).filter((file): file is string => file !== undefined && file !== out);
  return ['', `   beside it: ${others.map((file) => basename(file)).join(', ')}`];
}

/** As short as the current folder allows; what is outside of it in full, not as a ladder of `..`. */
function displayPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? resolve(file) : path;
}
