import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StateFile } from '../../../host/store/state-file.js';
import { temporaryFolder } from './folders.js';

describe('the file of a state', () => {
  it('gives back what was kept last, to whoever opens it', () => {
    const path = join(temporaryFolder(), 'state');
    const file = new StateFile(path);
    expect(file.load()).toBeUndefined();
    file.keep(Uint8Array.of(1, 2));
    file.keep(Uint8Array.of(3));
    expect([...new StateFile(path).load()!]).toEqual([3]);
  });

  it('is whole at any moment, whatever was left of a write that was cut short', () => {
    const path = join(temporaryFolder(), 'state');
    const file = new StateFile(path);
    file.keep(Uint8Array.of(1, 2));
    writeFileSync(`${path}.new`, 'half of'); // a process died while it wrote
    expect([...readFileSync(path)]).toEqual([1, 2]);
    file.keep(Uint8Array.of(4));
    expect([...file.load()!]).toEqual([4]);
    expect(readdirSync(join(path, '..'))).toEqual(['state']);
  });

  it('is gone once it was forgotten, however often', () => {
    const path = join(temporaryFolder(), 'state');
    const file = new StateFile(path);
    file.keep(Uint8Array.of(1));
    file.forget();
    file.forget();
    expect(existsSync(path)).toBe(false);
    expect(file.load()).toBeUndefined();
  });
});
