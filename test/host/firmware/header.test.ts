import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cHeader } from '../../../host/firmware/header.js';
import { describeWithTools } from '../../tools.js';
import { scratch } from './modules.js';

const MODULE = Uint8Array.from({ length: 300 }, (_, i) => i);
const INFO = {
  name: 'door-bell 2',
  version: '1.2.3',
  sha256: 'ab'.repeat(32),
  linearBytes: 4_000,
  operandStackBytes: 900,
};

const PROGRAM = `#include <stdio.h>
#include "bell.h"
#include "bell.h"
int main(void) {
  unsigned sum = 0;
  for (unsigned i = 0; i < sizeof thimble_door_bell_2_wasm; i++) sum = sum * 31u + thimble_door_bell_2_wasm[i];
  printf("%u %u %u %u\\n", sum, THIMBLE_DOOR_BELL_2_WASM_BYTES, THIMBLE_DOOR_BELL_2_LINEAR_BYTES,
    THIMBLE_DOOR_BELL_2_OPERAND_STACK_BYTES);
  return 0;
}
`;

describeWithTools(['gcc', 'g++'], 'the header of a module', () => {
  it.each([
    ['gcc', 'c', ['-std=c11']],
    ['gcc', 'c', ['-std=c99']],
    ['g++', 'cpp', ['-std=c++11']],
    ['g++', 'cpp', ['-std=c++20']],
  ])('compiles by %s as %s %s without a warning, and holds the module', (compiler, extension, standard) => {
    const folder = scratch();
    writeFileSync(join(folder, 'bell.h'), cHeader(MODULE, INFO));
    writeFileSync(join(folder, `main.${extension}`), PROGRAM);
    const warnings = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror'];
    execFileSync(compiler, [...standard, ...warnings, '-o', 'main', `main.${extension}`], { cwd: folder });
    const sum = MODULE.reduce((total, octet) => (Math.imul(total, 31) + octet) >>> 0, 0);
    expect(execFileSync(join(folder, 'main'), { encoding: 'utf8' })).toBe(`${sum} 300 4000 900\n`);
  });
});

describe('the header of a module', () => {
  it('names what it holds, and the SHA-256', () => {
    const text = cHeader(MODULE, INFO);
    expect(text).toContain('// door-bell 2 1.2.3, made by');
    expect(text).toContain(`SHA-256: ${'ab'.repeat(32)}`);
    expect(text.split('\n').every((line) => line.length <= 120)).toBe(true);
  });

  it('lets no name break out of its comment', () => {
    const text = cHeader(MODULE, { ...INFO, name: 'a\n#error b\\' });
    expect(text.split('\n')[0]).toBe(
      '// a?#error b? 1.2.3, made by thimble build: not to be edited. Include it in one file.',
    );
  });
});
