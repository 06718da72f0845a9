// docs/BROKER.md and docs/broker-config.schema.json say what there is.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import { BROKER_DEFAULTS } from '../../../host/broker/config.js';
import { SysTopics } from '../../../host/broker/sys-topics.js';
import { BROKER_CONFIG_DOCUMENT, BROKER_CONFIG_SCHEMA } from '../../../host/cli/broker-schema.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { LISTENER_LIMITS } from '../../../host/net/listeners.js';
import { temporaryFolder } from '../cli/command.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const TEXT = readFileSync(join(ROOT, 'docs', 'BROKER.md'), 'utf8');
const CLI = readFileSync(join(ROOT, 'docs', 'CLI.md'), 'utf8');
const properties = BROKER_CONFIG_SCHEMA.properties as unknown as Record<
  string,
  { properties: Record<string, LimitSchema>; items: { properties: Record<string, object> } }
>;

interface LimitSchema {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly LimitSchema[];
}

/** The first cells of the tables' rows with this heading, each name with the cell of its default. */
function rows(heading: string): Map<string, string> {
  const table = TEXT.split('\n\n').find((block) => block.startsWith(`| ${heading} |`));
  const cells = table!
    .split('\n')
    .slice(2)
    .map((row) => row.split('|').map((cell) => cell.trim()));
  return new Map(cells.filter((row) => row.length > 1).map((row) => [row[1]!.replaceAll('`', ''), row[3] ?? '']));
}

const shown = (value: unknown): string => (value === Number.POSITIVE_INFINITY ? 'unlimited' : String(value));

describe('docs/broker-config.schema.json', () => {
  it('is what the command checks by', () => {
    const file = JSON.parse(readFileSync(join(ROOT, 'docs', 'broker-config.schema.json'), 'utf8')) as unknown;
    expect(file).toEqual(JSON.parse(JSON.stringify(BROKER_CONFIG_DOCUMENT)));
    expect(() => new Ajv({ strict: false }).compile(file as object)).not.toThrow();
  });

  it('has every limit of the broker and of its listeners, none that there is not, and takes their defaults', () => {
    const { access: _, ...limits } = BROKER_DEFAULTS;
    for (const [key, defaults] of Object.entries({ limits, listenerLimits: LISTENER_LIMITS })) {
      expect(Object.keys(properties[key]!.properties).sort()).toEqual(Object.keys(defaults).sort());
      const validate = new Ajv({ strict: false }).compile(properties[key]!);
      const asJson = Object.entries(defaults).map(([name, value]) => [
        name,
        Number.isFinite(value) || typeof value !== 'number' ? value : 'unlimited',
      ]);
      expect(validate(Object.fromEntries(asJson)), JSON.stringify(validate.errors)).toBe(true);
    }
  });

  it('lets nothing through that the broker would refuse, at the ends of each range', () => {
    const ends = ({ minimum, maximum, anyOf = [] }: LimitSchema): number[] =>
      [minimum, maximum, ...anyOf.flatMap(ends)].filter((end) => end !== undefined);
    for (const [name, schema] of Object.entries(properties.limits!.properties)) {
      for (const end of ends(schema)) {
        expect(() => new Broker({ [name]: end }, { random: new Xoshiro128(1) })).not.toThrow();
      }
    }
  });
});

describe('docs/BROKER.md', () => {
  it('has examples of a configuration that are taken', () => {
    const examples = [...TEXT.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text!) as unknown);
    expect(examples.length).toBeGreaterThan(0);
    const validate = new Ajv({ strict: false }).compile(BROKER_CONFIG_SCHEMA);
    for (const example of examples) expect(validate(example), JSON.stringify(validate.errors)).toBe(true);
  });

  it('has every limit with its default', () => {
    const { access: _, ...limits } = BROKER_DEFAULTS;
    const expected = (defaults: object): object =>
      Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, shown(value)]));
    expect(Object.fromEntries(rows('`limits`'))).toEqual(expected(limits));
    expect(Object.fromEntries(rows('`listenerLimits`'))).toEqual(expected(LISTENER_LIMITS));
  });

  it('has every key of the file and of a listener', () => {
    const listener = properties.listeners!.items.properties as Record<string, { properties?: object }>;
    const keys = [...Object.keys(properties), ...Object.keys(listener), ...Object.keys(listener.tls!.properties!)];
    expect(keys.filter((key) => key !== '$schema' && !TEXT.includes(`\`${key}\``))).toEqual([]);
    expect(CLI).toContain('BROKER.md');
  });

  it('has every topic below $SYS, and none that there is not', () => {
    const topics: string[] = [];
    const broker = new Broker({}, { random: new Xoshiro128(1), published: ({ topic }) => topics.push(topic) });
    const sys = new SysTopics(broker, { version: 'v', startedAt: 0 });
    sys.publish(0);
    sys.publish(1_000);
    const names = new Set(topics.map((topic) => topic.replace('$SYS/broker/', '').replace(/\/\d+min$/, '')));
    const section = TEXT.slice(TEXT.indexOf('| `$SYS/broker/…`'), TEXT.indexOf('## The log'));
    const cells = section
      .split('\n')
      .slice(2)
      .map((row) => row.split('|')[1] ?? '');
    const documented = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
    expect(documented.sort()).toEqual([...names].sort());
  });

  it('has a program that prints what is said', () => {
    const [, program, printed] = /<!-- run -->\n```js\n([\s\S]*?)```\n\nprints\n\n```\n([\s\S]*?)```/.exec(TEXT)!;
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'thimble'));
    writeFileSync(join(folder, 'example.mjs'), program!);
    const said = execFileSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8' });
    expect(said).toBe(printed);
  });
});
