import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findProgram, findVersion, isAtLeast, versionOf } from '../../../host/firmware/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'thimble-programs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, script: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('a program', () => {
  it('is found in PATH where it can be run', () => {
    const { PATH } = process.env;
    process.env.PATH = folder;
    try {
      const file = program('thimble-runs', ':');
      writeFileSync(join(folder, 'thimble-text'), 'no program');
      mkdirSync(join(folder, 'thimble-folder'));
      expect(findProgram('thimble-runs')).toBe(file);
      for (const name of ['thimble-text', 'thimble-folder', 'thimble-none']) expect(findProgram(name)).toBeUndefined();
    } finally {
      process.env.PATH = PATH;
    }
  });

  it('tells its version, to stdout or stderr, whichever way it wants to be asked', async () => {
    expect(await versionOf(program('out', 'echo out 1.2.3'))).toBe('1.2.3');
    expect(await versionOf(program('err', 'echo err v0.12 >&2; exit 1'))).toBe('0.12');
    expect(await versionOf(program('word', '[ "$1" = version ] && echo word 3.4'))).toBe('3.4');
    expect(await versionOf(program('silent', 'exit 1'))).toBeUndefined();
    expect(await versionOf(join(folder, 'not there'))).toBeUndefined();
  });
});

describe('a version', () => {
  it.each([
    ['gcc (Debian 12.2.0-14+deb12u1) 12.2.1 20221205', '12.2.1'],
    ['QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)', '7.2.22'],
    ['nats-server: v2.9.10', '2.9.10'],
    ['cargo 1.95.0 (f2d3ce0bd 2026-03-21)', '1.95.0'],
    ['no version 7', undefined],
  ])('is found in "%s"', (text, version) => {
    expect(findVersion(text)).toBe(version);
  });

  it('is at least another one by its numbers, not by its letters', () => {
    expect(isAtLeast('1.95.0', '1.85')).toBe(true);
    expect(isAtLeast('1.85', '1.85.0')).toBe(true);
    expect(isAtLeast('2.0', '1.85')).toBe(true);
    expect(isAtLeast('1.100.0', '1.85')).toBe(true);
    expect(isAtLeast('1.63.0', '1.85')).toBe(false);
    expect(isAtLeast('0.99.9', '1.85')).toBe(false);
  });
});
