// Makes docs/CONFORMANCE.md of the statements and of the titles of the tests that bear their numbers, `it('… [MQTT-3.1.0-1]')`.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NamedTest, Statements } from './statement.js';

const TESTS = join(import.meta.dirname, '..');

/** A test that bears numbers of statements, or of sections: `it('… (3.2.2.3, 4.11) [MQTT-3.1.0-1]')`. */
export interface TaggedTest extends NamedTest {
  /** Without the brackets, in their order. */
  readonly ids: readonly string[];
  /** Whose rules have no numbers of their own. */
  readonly sections: readonly string[];
}

const STRING = /'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`([^`]*)`/.source;
/**
 * What makes a group or a test, with its name: `describe(`, `describeWithTools([…], `, `it(`, and what `it.each(…)` has returned.
 * What is skipped, or is meant to fail, is not found.
 */
const NAMED = new RegExp(`(?:^ *(describe\\w*)\\((?:\\[.*\\],)?|^ *it\\(|\\)\\()\\s*(?:${STRING})`, 'gm');
const TAG = / \[(MQTT-[\d.]+-\d+)\]/g;
const SECTIONS = / \((\d[\d.]*(?:, \d[\d.]*)*)\)$/;

const unescaped = (title: string): string => title.replace(/\\(.)/g, '$1');

/** How far the line of that place is indented: groups contain what stands deeper behind them. */
function indentation(text: string, at: number): number {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1);
  return line.length - line.trimStart().length;
}

/** `describe` or `it`: whose table of cases it is that ends at `at`. */
function eachOf(text: string, at: number): 'describe' | 'it' {
  return text.lastIndexOf('describe.each', at) > text.lastIndexOf('it.each', at) ? 'describe' : 'it';
}

/** The tests in the text of a test file, each with the names of its groups before its own, as `vitest -t` has them. */
export function titlesIn(text: string): string[] {
  const groups: { indent: number; name: string }[] = [];
  const titles: string[] = [];
  for (const match of text.matchAll(NAMED)) {
    const indent = indentation(text, match.index);
    while (groups.length > 0 && groups.at(-1)!.indent >= indent) groups.pop();
    const name = unescaped(match[2] ?? match[3] ?? match[4]!);
    const isGroup = match[1] !== undefined || (match[0].startsWith(')') && eachOf(text, match.index) === 'describe');
    if (isGroup) groups.push({ indent, name });
    else titles.push([...groups.map((group) => group.name), name].join(' '));
  }
  return titles;
}

/** The title without its numbers, and these. */
export function untagged(file: string, title: string): TaggedTest {
  const rest = title.replaceAll(TAG, '');
  const ids = [...title.matchAll(TAG)].map((match) => match[1]!);
  return { file, title: rest.replace(SECTIONS, ''), ids, sections: SECTIONS.exec(rest)?.[1]?.split(', ') ?? [] };
}

/** All tests of a version's conformance that there are. */
export function testsOf(version: string): TaggedTest[] {
  const names = readdirSync(join(TESTS, 'conformance')).filter((name) =>
    new RegExp(`^mqtt-${version}-.*\\.test\\.ts$`).test(name),
  );
  return names.sort().flatMap((name) => {
    const file = `conformance/${name.replace(/\.test\.ts$/, '')}`;
    return titlesIn(read(file)).map((title) => untagged(file, title));
  });
}

/** True where the file has a test of that title. */
export function exists({ file, title }: NamedTest): boolean {
  return existsSync(pathOf(file)) && titlesIn(read(file)).includes(title);
}

const pathOf = (file: string): string => join(TESTS, `${file}.test.ts`);
const read = (file: string): string => readFileSync(pathOf(file), 'utf8');

/** Statements that no test shows. */
export function unshown({ server }: Statements, tests: readonly TaggedTest[]): string[] {
  const shown = new Set(tests.flatMap(({ ids }) => ids));
  return server.filter(({ id, elsewhere }) => !shown.has(id) && elsewhere === undefined).map(({ id }) => id);
}

/** Numbers in titles that are no statement of that version about servers. */
export function unknown({ server }: Statements, tests: readonly TaggedTest[]): string[] {
  const known = new Set<string>(server.map(({ id }) => id));
  return tests.flatMap(({ ids, title }) => ids.filter((id) => !known.has(id)).map((id) => `${title} [${id}]`));
}

const INTRODUCTION = `# MQTT, statement by statement

What the standard asks of a server, by the numbers of its appendix B and in our own words, with the tests that show it. The
tests in \`test/conformance\` see of the broker what a client sees, bytes and the end of the connection, in virtual time.
\`test/conformance/table.test.ts\` holds this file to them: \`npx vitest run test/conformance/table.test.ts -u\` writes it anew.
`;

/** docs/CONFORMANCE.md. */
export function documentOf(versions: readonly Statements[]): string {
  return [INTRODUCTION, ...versions.map((version) => chapterOf(version, testsOf(version.version)))].join('\n');
}

function chapterOf({ version, server, clientsOnly }: Statements, tests: readonly TaggedTest[]): string {
  const rows = server.map(({ id, about, elsewhere = [] }) => {
    const shownBy = [...tests.filter(({ ids }) => ids.includes(id)), ...elsewhere];
    return `| ${id.slice('MQTT-'.length)} | ${about} | ${cellOf(shownBy)} |`;
  });
  const table = ['| MQTT- | what is asked | shown by |', '|---|---|---|', ...rows].join('\n');
  const rest = clientsOnly.map((id) => id.slice('MQTT-'.length)).join(', ');
  return `## MQTT ${version}\n\n${table}\n\nAsked of clients alone: ${rest}.\n${withoutNumber(tests)}`;
}

/** The tests of rules that have no number, by section; nothing where there are none. */
function withoutNumber(tests: readonly TaggedTest[]): string {
  const sections = [...new Set(tests.flatMap((test) => test.sections))].sort(bySection);
  if (sections.length === 0) return '';
  const rows = sections.map((section) => {
    return `| ${section} | ${cellOf(tests.filter((test) => test.sections.includes(section)))} |`;
  });
  return ['\nRules without a number:\n', '| section | shown by |', '|---|---|', ...rows, ''].join('\n');
}

const bySection = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

/** `file` "title", "title"; `file` "title". */
function cellOf(tests: readonly NamedTest[]): string {
  const files = [...new Set(tests.map(({ file }) => file))];
  return files
    .map((file) => {
      const titles = tests.filter((test) => test.file === file).map(({ title }) => `"${readable(title)}"`);
      return `\`${file}\` ${titles.join(', ')}`;
    })
    .join('; ');
}

/** A title for people: what differs from case to case is left out, and a table's cell does not end in it. */
const readable = (title: string): string => title.replaceAll(/%[a-z]|\$\{[^}]*\}|\$\w+/g, '…').replaceAll('|', '\\|');
