// The documents keep up with the code: every error code, option, export and limit is in them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as limits from '../assembly/protocol/limits.js';
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
    const options = [...read('host/cli/program.ts').matchAll(/'(--[a-z-]+)[ ']/g)].map((match) => match[1]!);
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

describe('The limits of a device', () => {
  it('are all used', () => {
    const source = read('assembly/memory/limits.ts');
    expect(Object.keys(limits).filter((name) => !source.includes(name))).toEqual([]);
  });
});
