// Makes docs/CONFORMANCE.md of the statements and of the titles of the tests that bear their numbers, `it('… [MQTT-3.1.0-1]')`.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Statements, TestElsewhere } from './statement.js';

const TESTS = join(import.meta.dirname, '..');

/** A test that bears numbers of statements. */
export interface TaggedTest extends TestElsewhere {
  /** Without the brackets, in their order. */
  readonly ids: readonly string[];
}

const STRING = /'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`([^`]*)`/.source;
/** What calls a test, or what `it.each(…)` has returned, with a title. What is skipped, or shall fail, is not found. */
const TITLE = new RegExp(`(?:^\\s*it\\(|\\)\\()\\s*(?:${STRING})`, 'gm');
const TAG = / \[(MQTT-[\d.]+-\d+)\]/g;

const unescaped = (title: string): string => title.replace(/\\(.)/g, '$1');

/** True where the table that ends at `at` is one of tests, not of groups. */
const isCase = (text: string, at: number): boolean =>
  text.lastIndexOf('it.each', at) > text.lastIndexOf('describe.each', at);

/** The titles in the text of a test file. */
export function titlesIn(text: string): string[] {
  return [...text.matchAll(TITLE)]
    .filter((match) => !match[0].startsWith(')') || isCase(text, match.index))
    .map((match) => unescaped(match[1] ?? match[2] ?? match[3]!));
}

/** The title without its numbers, and these. */
export function untagged(file: string, title: string): TaggedTest {
  return { file, title: title.replaceAll(TAG, ''), ids: [...title.matchAll(TAG)].map((match) => match[1]!) };
}

/** All tests of a version's conformance that there are. */
export function testsOf(version: string): TaggedTest[] {
  const names = readdirSync(join(TESTS, 'conformance')).filter((name) => name.startsWith(`mqtt-${version}-`));
  return names.sort().flatMap((name) => {
    const file = `conformance/${name.replace(/\.test\.ts$/, '')}`;
    return titlesIn(read(file)).map((title) => untagged(file, title));
  });
}

/** True where the file has a test of that title. */
export function exists({ file, title }: TestElsewhere): boolean {
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
  return `## MQTT ${version}\n\n${table}\n\nAsked of clients alone: ${rest}.\n`;
}

/** `file` "title", "title"; `file` "title". */
function cellOf(tests: readonly TestElsewhere[]): string {
  const files = [...new Set(tests.map(({ file }) => file))];
  return files
    .map((file) => {
      const titles = tests.filter((test) => test.file === file).map(({ title }) => `"${title.replaceAll('|', '\\|')}"`);
      return `\`${file}\` ${titles.join(', ')}`;
    })
    .join('; ');
}
