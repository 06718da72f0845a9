// What a command says. People read tables on stdout; with --json there is exactly one JSON document there. Logs and
// progress go to stderr either way.
import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import pc from 'picocolors';

/** Colours for people: where a terminal shows them, unless NO_COLOR asks for none; FORCE_COLOR asks for them anywhere. */
function coloursFor(stream: { readonly isTTY?: boolean }): ReturnType<typeof pc.createColors> {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return pc.createColors(false);
  return pc.createColors(Boolean(FORCE_COLOR) || (stream.isTTY === true && TERM !== 'dumb'));
}

/** For what goes to stdout, and to stderr. */
export const colours = coloursFor(process.stdout);
export const errorColours = coloursFor(process.stderr);

let hasPrintedJson = false;

/** A command begins: nothing has been printed yet. */
export function beginOutput(): void {
  hasPrintedJson = false;
}

/** What a command that fails prints for --json, unless its document is there already: there is only one. */
export function printFailureJson(error: object): void {
  if (!hasPrintedJson) printJson({ error });
}

export function printJson(value: unknown): void {
  hasPrintedJson = true;
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printError(text: string): void {
  process.stderr.write(`${errorColours.red('thimble:')} ${text}\n`);
}

/** Where nobody knows how wide the terminal is. */
const WIDTH_DEFAULT = 100;
/** Before the first column. */
const MARGIN = 3;
/** Between two columns; less where that makes it fit. */
const GAP = 4;
const GAP_MIN = 2;

type Row = readonly (string | number)[];

/**
 * A table with a head; numbers stand right. Columns with nothing in them are left out. What is wider than the terminal, or
 * than 100 columns, is wrapped at spaces.
 */
export function table(head: readonly string[], rows: readonly Row[], width = terminalWidth()): string {
  const isFilled = head.map((_, column) => rows.length === 0 || rows.some((row) => row[column] !== ''));
  const filled = <T>(row: readonly T[]): T[] => row.filter((_, column) => isFilled[column]);
  return filledTable(filled(head), rows.map(filled), width);
}

function filledTable(head: readonly string[], rows: readonly Row[], width: number): string {
  const isNumber = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[-\d.,–—]*\d?( \S+)?$/.test(String(row[column]))),
  );
  const { widths, gap } = layOut(head, rows, isNumber, width);
  const result = new Table({
    head: head.map((h) => colours.bold(h)),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    colAligns: isNumber.map((n) => (n ? 'right' : 'left')),
    colWidths: widths,
    wordWrap: true,
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: ' '.repeat(MARGIN),
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: ' '.repeat(gap),
    },
  });
  for (const row of rows) result.push(row.map(String));
  return result.toString().replace(/ +$/gm, '');
}

function terminalWidth(): number {
  return process.stdout.columns || WIDTH_DEFAULT;
}

interface Layout {
  readonly widths: number[];
  readonly gap: number;
}

/** As wide as what is in it; where that is too much in all, the widest columns that can be wrapped give way. */
function layOut(head: readonly string[], rows: readonly Row[], isNumber: readonly boolean[], width: number): Layout {
  const columns = head.map((title, column) => {
    const cells = rows.map((row) => stripVTControlCharacters(String(row[column])));
    const unbroken = [...title.split(' '), ...cells.flatMap((cell) => (isNumber[column] ? [cell] : cell.split(' ')))];
    return { width: longest([title, ...cells]), widthMin: longest(unbroken) };
  });
  const natural = columns.reduce((sum, c) => sum + c.width, MARGIN);
  const gap = natural + GAP * (columns.length - 1) <= width ? GAP : GAP_MIN;
  for (let over = natural + gap * (columns.length - 1) - width; over > 0; over--) {
    const [widest] = columns.filter((c) => c.width > c.widthMin).toSorted((a, b) => b.width - a.width);
    if (widest === undefined) break;
    widest.width--;
  }
  return { widths: columns.map((c) => c.width), gap };
}

const longest = (texts: readonly string[]): number => Math.max(...texts.map((text) => text.length));

/** 12345 as "12,345", the same on every machine. */
export function number(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** "1 datagram", "12,345 datagrams". `noun`: in the singular; its plural ends in s. */
export function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`;
}
