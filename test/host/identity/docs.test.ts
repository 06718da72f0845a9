// docs/IDENTITY.md keeps up with the code: its examples work, and it has every key, variable and action.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAccess } from '../../../host/identity/access.js';
import type { IdentityConfig } from '../../../host/identity/config.js';
import { ACTIONS, KINDS } from '../../../host/identity/policy/actions.js';
import { ALTERNATIVE_NAMES, NAME_ATTRIBUTES } from '../../../host/identity/policy/variables.js';
import { IDENTITY_SCHEMA, PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS } from '../../../host/identity/schema.js';

const TEXT = readFileSync(join(import.meta.dirname, '../../../docs/IDENTITY.md'), 'utf8');
const EXAMPLES = [...TEXT.matchAll(/```json\n(.*?)```/gs)].map(
  (match) => JSON.parse(match[1]!) as { identity: IdentityConfig },
);

/** What the files of the examples hold. */
const FILES: Readonly<Record<string, string>> = {
  '/etc/thimble/passwords': '',
  '/etc/thimble/revoked': '',
  '/etc/thimble/access-keys.json': '[]',
};

/** The names of all properties in a schema, but not those of policy documents. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {}, items } = schema as { properties?: Readonly<Record<string, unknown>>; items?: unknown };
  return [...Object.keys(properties), ...Object.values(properties).flatMap(keysOf), ...keysOf(items)];
}

describe('docs/IDENTITY.md', () => {
  it('has examples that a broker takes', () => {
    expect(EXAMPLES.length).toBeGreaterThan(5);
    for (const { identity, ...rest } of EXAMPLES) {
      expect(rest).toEqual({});
      const readFile = (path: string): Uint8Array => Buffer.from(FILES[path]!);
      createAccess(identity, { readFile, epochMs: () => 0, clock: () => 0 });
    }
  });

  it('has an example of every way in', () => {
    const shown = new Set(EXAMPLES.flatMap(({ identity }) => Object.keys(identity)));
    expect([...shown].sort()).toEqual(Object.keys(IDENTITY_SCHEMA.properties).sort());
  });

  it('has every key of the configuration', () => {
    const keys = keysOf(IDENTITY_SCHEMA).filter((key) => key !== 'file');
    expect(keys.length).toBeGreaterThan(40);
    expect(keys.filter((key) => !TEXT.includes(`\`${key}\``) && !TEXT.includes(`"${key}"`))).toEqual([]);
  });

  it('has every action, every attribute and every algorithm', () => {
    const names = [
      ...ACTIONS.map((action) => KINDS[action].name),
      ...Object.keys(NAME_ATTRIBUTES),
      ...Object.keys(ALTERNATIVE_NAMES),
    ];
    expect(names.filter((name) => !TEXT.includes(`\`${name}\``))).toEqual([]);
    expect([...PUBLIC_KEY_ALGORITHMS, ...SECRET_ALGORITHMS].filter((name) => !TEXT.includes(name))).toEqual([]);
  });
});
