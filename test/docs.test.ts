// The documents keep up with the code: every error code, option, export and limit is in them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as limits from '../assembly/protocol/limits.js';
import * as timers from '../assembly/protocol/timers.js';
import { gatewayConfig } from '../host/gateway/index.js';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

function hostSources(): string {
  return readdirSync(join(ROOT, 'host'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join('host', name)))
    .join('\n');
}

describe('docs/ERRORS.md', () => {
  const text = read('docs/ERRORS.md') + read('docs/LINKS.md');

  it('explains every code of the host', () => {
    const codes = new Set([...hostSources().matchAll(/'(ERR_[A-Z0-9_]+)'/g)].map((match) => match[1]!));
    expect([...codes].filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  it('explains no code that is gone', () => {
    const source = hostSources();
    const codes = [...read('docs/ERRORS.md').matchAll(/`(ERR_[A-Z0-9_]+)`/g)].map((match) => match[1]!);
    expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([]);
  });

  it("explains every code of the device's", () => {
    const source = read('assembly/protocol/error-code.ts');
    const codes = [...source.matchAll(/^ {2}(\w+) = (-\d+),/gm)].map((match) => `| ${match[2]} | ${match[1]} |`);
    expect(codes.length).toBeGreaterThan(10);
    expect(codes.filter((row) => !text.includes(row))).toEqual([]);
  });
});

describe('docs/CLI.md', () => {
  const text = read('docs/CLI.md');

  it('has every option of every command', () => {
    const typed = ['program', 'network-commands', 'project-commands', 'identity-commands']
      .map((name) => read(`host/cli/${name}.ts`))
      .join('');
    const options = [...typed.matchAll(/'(--[a-z-]+)[ ']/g)].map((match) => match[1]!);
    expect(options.length).toBeGreaterThan(10);
    // --help explains itself.
    expect(options.filter((o) => o !== '--help' && !text.includes(`\`${o}`))).toEqual([]);
  });

  it('has every option of the gateway', () => {
    expect(Object.keys(gatewayConfig()).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/ABI.md', () => {
  const text = read('docs/ABI.md');

  it('has every export of the modem module', () => {
    const module = new WebAssembly.Module(readFileSync(join(ROOT, 'build', 'modules', 'modem-mqttsn.wasm')));
    const names = WebAssembly.Module.exports(module).map((e) => e.name);
    expect(names.filter((name) => !new RegExp(`\`${name}[\`(]`).test(text))).toEqual([]);
  });
});

const PROTOCOL = read('docs/PROTOCOL.md');
/** What a row of a table of promises consists of: the promise, its source, and the tests of device and gateway. */
const PROMISE_CELLS = 4;

/** The cells of every row of every table that has this heading. */
function rowsBelow(text: string, heading: RegExp): string[][] {
  const tables = text.split('\n\n').filter((block) => heading.test(block));
  const cells = (row: string): string[] => row.split('|').map((cell) => cell.trim());
  return tables.flatMap((table) =>
    table
      .trim()
      .split('\n')
      .slice(2)
      .map((row) => cells(row).slice(1, -1)),
  );
}

interface NamedTest {
  readonly file: string;
  readonly title: string;
}

/** What a cell names: `file` "title", "title"; `file` "title". */
function testsOf(cell: string): NamedTest[] {
  return [...cell.matchAll(/`([^`]+)`((?:,? "[^"]+")+)/g)].flatMap(([, file, titles]) =>
    [...titles!.matchAll(/"([^"]+)"/g)].map(([, title]) => ({ file: file!, title: title! })),
  );
}

const STRING = /'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`([^`]*)`/.source;
/** What calls a test, or what `it.each(…)` and the like have returned, with a title. What is skipped does not run. */
const CALL = /^\s*(?:it|test)(?:\.(?!skip|todo)\w+)*\(|\)\(/.source;
const TITLE = new RegExp(`(?:${CALL})\\s*(?:${STRING})`, 'gm');
/** The beginning of a table of cases, of tests or of groups. */
const CASES = /\b(it|test|describe)\.\w+[(<]/g;
const CASE = /^\s*\['([^']*)'/gm;

/** The titles of all tests in a file, as they stand there. Where `it.each` has '%s' for a title, its rows have them. */
function titlesIn(file: string): Set<string> {
  const path = join('test', `${file}.test.ts`);
  if (!existsSync(join(ROOT, path))) return new Set();
  const text = read(path);
  const titles = new Set<string>();
  for (const match of text.matchAll(TITLE)) {
    const title = match[1] ?? match[2] ?? match[3]!;
    const cases = match[0].startsWith(')') ? [...text.slice(0, match.index).matchAll(CASES)].at(-1) : undefined;
    if (match[0].startsWith(')') && (cases === undefined || cases[1] === 'describe')) continue;
    titles.add(title);
    if (title !== '%s' || cases === undefined) continue;
    for (const [, row] of text.slice(cases.index, match.index).matchAll(CASE)) titles.add(row!);
  }
  return titles;
}

/** Those that no test file has. */
function missing(tests: readonly NamedTest[]): NamedTest[] {
  const titles = new Map([...new Set(tests.map(({ file }) => file))].map((file) => [file, titlesIn(file)]));
  return tests.filter(({ file, title }) => !titles.get(file)!.has(title));
}

describe('docs/PROTOCOL.md', () => {
  const promises = rowsBelow(PROTOCOL, /shown on the device by \| shown on the gateway by \|\n/);
  const named = promises.flatMap((row) => row.slice(2).flatMap(testsOf));

  it('says of every promise how it is shown on both sides, or why a side has no part in it', () => {
    expect(promises.length).toBeGreaterThan(60);
    const isFilled = (cell: string): boolean =>
      /^– \S/.test(cell) || missing(testsOf(cell)).length < testsOf(cell).length;
    const poor = promises.filter((row) => {
      const sides = row.slice(2);
      return (
        row.length !== PROMISE_CELLS || row.includes('') || !sides.every(isFilled) || sides.every((s) => s[0] === '–')
      );
    });
    expect(poor).toEqual([]);
  });

  it('names no test that there is not', () => {
    expect(named.length).toBeGreaterThan(150);
    expect(missing(named)).toEqual([]);
  });

  it('would not get away with a wrong title, a wrong file, or the name of a group', () => {
    const right = named[0]!;
    const wrong = [
      { ...right, title: right.title.slice(1) },
      { ...right, file: `${right.file}-x` },
      { file: 'host/gateway/sleep', title: 'a sleeping client' },
      { file: 'e2e/kill', title: 'a gateway that dies by SIGKILL under load' },
      { file: 'host/store/contract', title: 'a store %s' },
    ];
    expect(missing([right, ...wrong])).toEqual(wrong);
  });

  it('names tests in no other way than the one that is checked', () => {
    const rest = promises.flatMap((row) => row.slice(2)).map((cell) => cell.replaceAll(/`[^`]+`(,? "[^"]+")+/g, ''));
    expect(rest.filter((cell) => /["`]/.test(cell))).toEqual([]);
  });
});

describe('A timer in docs/PROTOCOL.md', () => {
  const MINUTE_MS = 60_000;
  /** Least and most of 7.2, ms or times. */
  const RANGES: Readonly<Record<string, readonly [number, number]>> = {
    T_ADV: [15 * MINUTE_MS + 1, Number.POSITIVE_INFINITY],
    N_ADV: [2, 3],
    T_SEARCHGW: [5_000, 5_000],
    T_GWINFO: [5_000, 5_000],
    T_WAIT: [5 * MINUTE_MS + 1, Number.POSITIVE_INFINITY],
    T_retry: [10_000, 15_000],
    N_retry: [3, 5],
  };
  const rows = rowsBelow(PROTOCOL, /range of 7\.2/);
  const codeIn = (cell: string): string | undefined => /^`(\w+)`$/.exec(cell)?.[1];

  it('is what both sides have by default, and within the range', () => {
    const config = gatewayConfig() as unknown as Readonly<Record<string, number>>;
    const device = limits as unknown as Readonly<Record<string, number>>;
    for (const [name, text, , deviceCell, gatewayCell] of rows as [string, string, string, string, string][]) {
      const value = Number(text);
      const [onDevice, onGateway] = [codeIn(deviceCell), codeIn(gatewayCell)];
      expect(onDevice ?? onGateway, name).toBeDefined();
      if (onDevice !== undefined) expect(device[`${onDevice}_DEFAULT`], name).toBe(value);
      if (onGateway !== undefined) expect(config[onGateway], name).toBe(value);
      const [least, most] = RANGES[name] ?? [value, value];
      expect(value, name).toBeGreaterThanOrEqual(least);
      expect(value, name).toBeLessThanOrEqual(most);
    }
    expect(rows.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(RANGES)));
  });

  it('of 7.2 is there with its tolerance', () => {
    expect(PROTOCOL).toContain(
      `${timers.TOLERANCE_LONG_PERCENT} % more, one of a minute or less after ${timers.TOLERANCE_SHORT_PERCENT} %`,
    );
  });
});

describe('The limits of a device', () => {
  it('are all used', () => {
    const source = read('assembly/memory/limits.ts');
    expect(Object.keys(limits).filter((name) => !source.includes(name))).toEqual([]);
  });
});
