// docs/CONFORMANCE.md keeps up with the tests, and the tests with the standard.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Statements } from './statement.js';
import { STATEMENTS_3_1_1 } from './statements-3.1.1.js';
import { STATEMENTS_5_0 } from './statements-5.0.js';
import { documentOf, exists, testsOf, titlesIn, unknown, unshown, untagged } from './table.js';

const VERSIONS: readonly Statements[] = [STATEMENTS_3_1_1, STATEMENTS_5_0];
/** What the appendix has, those about clients included: so that none is forgotten. */
const COUNTS: Readonly<Record<string, number>> = { '3.1.1': 137, '5.0': 251 };

describe.each(VERSIONS)('The statements of MQTT $version', (version) => {
  const tests = testsOf(version.version);

  it('are all there, each once', () => {
    const ids = [...version.server.map(({ id }) => id), ...version.clientsOnly];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(COUNTS[version.version]);
  });

  it('are each shown by a test', () => {
    expect(unshown(version, tests)).toEqual([]);
  });

  it('are the only ones that tests claim to show', () => {
    expect(unknown(version, tests)).toEqual([]);
  });

  it('have no test with the title of another one', () => {
    const titles = tests.map(({ file, title }) => `${file}: ${title}`);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });

  it('name no test elsewhere that there is not', () => {
    const named = version.server.flatMap(({ elsewhere = [] }) => elsewhere);
    expect(named.filter((test) => !exists(test))).toEqual([]);
  });

  it('are in the order of the sections', () => {
    const numbers = version.server.map(({ id }) => id.match(/\d+/g)!.map(Number));
    const ordered = [...numbers].sort((a, b) => a.map((n, i) => n - b[i]!).find((difference) => difference !== 0) ?? 0);
    expect(numbers).toEqual(ordered);
  });
});

describe('docs/CONFORMANCE.md', () => {
  it('is what statements and tests make of it', async () => {
    await expect(documentOf(VERSIONS)).toMatchFileSnapshot('../../docs/CONFORMANCE.md');
  });

  it('rests on no test that is skipped, or meant to fail', () => {
    const files = [...new Set(VERSIONS.flatMap(({ version }) => testsOf(version)).map(({ file }) => file))];
    const text = files.map((file) => readFileSync(join(import.meta.dirname, '..', `${file}.test.ts`), 'utf8')).join('');
    expect(files.length).toBeGreaterThan(3);
    expect(text.match(/\.(skip|todo|fails|only|skipIf|runIf)\b/g)).toBeNull();
  });
});

describe('The reader of titles', () => {
  it('takes the tests of a file with their groups, and leaves what is skipped and other strings', () => {
    const text = [
      "describe('A group', () => {",
      "  it('says \\'yes\\' (3.1, 4.8) [MQTT-3.1.0-1] [MQTT-4.8.0-1]', () => {",
      "    expect('it is no title');",
      "  it.skip('is skipped [MQTT-1.1.1-1]', () => {",
      "  it.fails('fails [MQTT-1.1.1-1]', () => {",
      "  it.each([['a', 'b']])('takes %s', () => {",
      "  describe('of groups', () => {",
      "    it.each([\n      'a',\n    ])(\n      'is deep: %s',",
      "  it(\n    'is not deep',",
      "describe.each([['a', 'b']])('Each %s', () => {",
      "  it('is a case', () => {",
      "describeWithTools(['curl'], 'With tools', () => {",
      "  it('is another', () => {",
      "it('stands alone', () => {",
    ].join('\n');
    const titles = titlesIn(text);
    expect(titles).toEqual([
      "A group says 'yes' (3.1, 4.8) [MQTT-3.1.0-1] [MQTT-4.8.0-1]",
      'A group takes %s',
      'A group of groups is deep: %s',
      'A group is not deep',
      'Each %s is a case',
      'With tools is another',
      'stands alone',
    ]);
    expect(untagged('f', titles[0]!)).toEqual({
      file: 'f',
      title: "A group says 'yes'",
      ids: ['MQTT-3.1.0-1', 'MQTT-4.8.0-1'],
      sections: ['3.1', '4.8'],
    });
    expect(untagged('f', 'says (yes) [MQTT-3.1.0-1]')).toMatchObject({ title: 'says (yes)', sections: [] });
  });

  it('misses a statement without a test, and a number that no statement has', () => {
    const version: Statements = { version: '0', server: [{ id: 'MQTT-1.1.1-1', about: 'x' }], clientsOnly: [] };
    const test = untagged('f', 'a title [MQTT-1.1.1-2]');
    expect(unshown(version, [test])).toEqual(['MQTT-1.1.1-1']);
    expect(unknown(version, [test])).toEqual(['a title [MQTT-1.1.1-2]']);
    expect(
      exists({ file: 'conformance/table', title: 'docs/CONFORMANCE.md is what statements and tests make of it' }),
    ).toBe(true);
    expect(exists({ file: 'conformance/table', title: 'is what statements and tests make of it' })).toBe(false);
    expect(
      exists({ file: 'conformance/tables', title: 'docs/CONFORMANCE.md is what statements and tests make of it' }),
    ).toBe(false);
  });
});
