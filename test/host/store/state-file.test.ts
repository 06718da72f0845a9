import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkStateFile, StateFile } from '../../../host/store/state-file.js';
import { temporaryFolder } from './folders.js';

const MODULE = new TextEncoder().encode('a module');

describe('the file of a state', () => {
  it('gives back what was kept last, to whoever opens it', () => {
    const path = join(temporaryFolder(), 'state');
    const file = new StateFile(path, MODULE);
    expect(file.load()).toBeUndefined();
    file.keep(Uint8Array.of(1, 2));
    file.keep(Uint8Array.of(3));
    expect([...new StateFile(path, MODULE).load()!]).toEqual([3]);
  });

  it('is whole at any moment, whatever was left of a write that was cut short', () => {
    const path = join(temporaryFolder(), 'state');
    const file = new StateFile(path, MODULE);
    file.keep(Uint8Array.of(1, 2));
    writeFileSync(`${path}.new`, 'half of'); // a process died while it wrote
    expect([...file.load()!]).toEqual([1, 2]);
    file.keep(Uint8Array.of(4));
    expect([...file.load()!]).toEqual([4]);
    expect(readdirSync(join(path, '..'))).toEqual(['state']);
  });

  it('is gone once it was forgotten, however often', () => {
    const path = join(temporaryFolder(), 'state');
    const file = new StateFile(path, MODULE);
    file.keep(Uint8Array.of(1));
    file.forget();
    file.forget();
    expect(existsSync(path)).toBe(false);
    expect(file.load()).toBeUndefined();
  });

  it.each<[string, (kept: Buffer) => Uint8Array]>([
    ['is damaged', (kept) => kept.with(80, 9)],
    ['is damaged', (kept) => kept.with(16, kept[16]! ^ 1)],
    ['is damaged', (kept) => kept.subarray(0, -1)],
    ['is damaged', (kept) => kept.subarray(0, 20)],
    ['is damaged', () => Buffer.alloc(0)],
    ['was written by another version', (kept) => kept.with(8, 2)],
  ])('is set aside where it %s', (why, harm) => {
    const path = join(temporaryFolder(), 'state');
    const told: string[] = [];
    const file = new StateFile(path, MODULE, (text) => told.push(text));
    file.keep(Uint8Array.of(1, 2));
    const harmed = harm(readFileSync(path));
    writeFileSync(path, harmed);
    checkStateFile(path);
    expect(file.load()).toBeUndefined();
    expect(told).toEqual([expect.stringContaining(`${path} ${why}`)]);
    expect(told[0]).toContain(`${path}.old`);
    expect(readFileSync(`${path}.old`).equals(harmed)).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  it('is set aside where it is of another module, however alike their states are', () => {
    const path = join(temporaryFolder(), 'state');
    const told: string[] = [];
    new StateFile(path, MODULE).keep(Uint8Array.of(1, 2));
    const file = new StateFile(path, MODULE.with(0, 0), (text) => told.push(text));
    expect(file.load()).toBeUndefined();
    expect(told).toEqual([expect.stringContaining('is of another module')]);
    expect([...readFileSync(`${path}.old`).subarray(-2)]).toEqual([1, 2]);
  });

  it('is nobody else’s: what is no state stays as it is', () => {
    const path = join(temporaryFolder(), 'key.pem');
    writeFileSync(path, '-----BEGIN PRIVATE KEY-----');
    const foreign = expect.objectContaining({ code: 'ERR_STATE_FOREIGN', message: expect.stringContaining(path) });
    expect(() => checkStateFile(path)).toThrow(foreign);
    expect(() => new StateFile(path, MODULE).load()).toThrow(foreign);
    expect(readFileSync(path, 'utf8')).toBe('-----BEGIN PRIVATE KEY-----');
    expect(readdirSync(join(path, '..'))).toEqual(['key.pem']);
  });

  it('is a file, in a folder that is there', () => {
    const folder = temporaryFolder();
    for (const path of [folder, join(folder, 'nowhere', 'state')]) {
      const wrong = expect.objectContaining({ code: 'ERR_STATE_FILE', message: expect.stringContaining(path) });
      expect(() => checkStateFile(path)).toThrow(wrong);
    }
    expect(() => checkStateFile(join(folder, 'state'))).not.toThrow();
    expect(readdirSync(folder)).toEqual([]);
  });
});
