// What a command says. People read tables on stdout; with --json there is exactly one JSON document there. Logs and
// progress go to stderr either way.
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

/** A table with a head; numbers stand right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const isNumber = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[-\d.,–—]*\d?( \S+)?$/.test(String(row[column]))),
  );
  const result = new Table({
    head: head.map((h) => colours.bold(h)),
    style: { head: [], border: [], compact: true },
    colAligns: isNumber.map((n) => (n ? 'right' : 'left')),
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '  ',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
  });
  for (const row of rows) result.push(row.map(String));
  return result.toString();
}

/** 12345 as "12,345", the same on every machine. */
export function number(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** "1 datagram", "12,345 datagrams". `noun`: in the singular; its plural ends in s. */
export function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`;
}
