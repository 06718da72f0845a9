import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import { type DiskStoreOptions, openDiskStore } from '../../../host/store/disk-store.js';
import { temporaryFolder } from './folders.js';
import { afterSteps, Writer } from './writer.js';

const MARKER = 'thimble-store.json';
const DATA = 'data.mdb';
const NOBODY = 65_534;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** What a store holds, from its opening to its closing. */
async function contents(folder: string, options?: DiskStoreOptions): Promise<Map<string, Uint8Array>> {
  const store = await openDiskStore(folder, options);
  try {
    return new Map(store.entries());
  } finally {
    await store.close();
  }
}

/** A closed store with some records. */
async function filled(): Promise<string> {
  const folder = temporaryFolder();
  const store = await openDiskStore(folder);
  for (const [key, value] of afterSteps(200)) store.put(key, value);
  await store.close();
  return folder;
}

async function expectRefusal(folder: string, code: string, mentions: readonly string[] = []): Promise<void> {
  const error = await openDiskStore(folder).then(
    () => undefined,
    (reason: Error & { code: string }) => reason,
  );
  expect(error).toMatchObject({ name: 'StoreError', code });
  for (const mention of [folder, ...mentions]) expect(error!.message).toContain(mention);
}

describe('a store on disk', () => {
  it.skipIf(process.platform === 'win32')('does not take for damaged what its user may not write', async () => {
    const folder = await filled();
    chmodSync(folder, 0o777);
    chmodSync(join(folder, DATA), 0o444);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(NOBODY); // whom permissions are not about
    try {
      await expectRefusal(folder, 'ERR_STORE_FOLDER', ['EACCES', DATA]);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    expect(existsSync(join(folder, DATA))).toBe(true);
    chmodSync(join(folder, DATA), 0o644);
    expect((await contents(folder)).size).toBeGreaterThan(0);
  });

  it.skipIf(process.platform === 'win32')(
    'makes folders for its owner alone, and leaves those that are there',
    async () => {
      const there = join(temporaryFolder(), 'there');
      mkdirSync(there, { mode: 0o755 });
      const mode = (folder: string): number => statSync(folder).mode & 0o777;
      const before = mode(there);
      await (await openDiskStore(join(there, 'new', 'store'))).close();
      expect([mode(there), mode(join(there, 'new')), mode(join(there, 'new', 'store'))]).toEqual([
        before,
        0o700,
        0o700,
      ]);
    },
  );

  it('has after its closing and opening what it had before', async () => {
    const folder = join(temporaryFolder(), 'not', 'there.yet');
    expect(await contents(folder)).toEqual(new Map());
    const store = await openDiskStore(folder);
    store.put('a', bytes(1));
    store.put('b', bytes(2));
    store.delete('a');
    await store.close();
    expect(await contents(folder)).toEqual(new Map([['b', bytes(2)]]));
  });

  it('says so where a folder is there and none can be made in it', async () => {
    const place = join('/proc', 'not', 'there');
    await expectRefusal(place, 'ERR_STORE_FOLDER', ['name a folder that can be written']);
  });

  it('takes nothing once it is closed, and may be closed twice', async () => {
    const store = await openDiskStore(temporaryFolder());
    await store.close();
    await store.close();
    expect(() => store.put('a', bytes(1))).toThrow(expect.objectContaining({ code: 'ERR_STORE_WRITE' }));
    expect(() => store.delete('a')).toThrow(expect.objectContaining({ code: 'ERR_STORE_WRITE' }));
  });

  it('does not grow with what was overwritten', async () => {
    const folder = temporaryFolder();
    const store = await openDiskStore(folder);
    const value = new Uint8Array(1_000);
    for (let n = 0; n < 20_000; n++) store.put(`key ${n % 20}`, value.fill(n));
    await store.close();
    expect(readFileSync(join(folder, DATA)).length).toBeLessThan(1_000_000);
  });
});

describe('a store whose process is killed', () => {
  it('has every step that was confirmed, and of the next one all or nothing', async () => {
    const rounds = 20;
    const random = new Xoshiro128(1);
    const folder = temporaryFolder();
    let done = 0;
    for (let round = 0; round < rounds; round++) {
      const writer = new Writer(folder, done, Number.MAX_SAFE_INTEGER);
      await writer.lines(1 + (random.nextU32() % 1_000));
      const confirmed = Math.max(done, (await writer.kill()) + 1);
      const found = await contents(folder);
      const isNextDone = !equal(found, afterSteps(confirmed));
      if (isNextDone) expect(found, `round ${round}, after step ${confirmed}`).toEqual(afterSteps(confirmed + 1));
      done = confirmed + (isNextDone ? 1 : 0);
    }
    expect(done).toBeGreaterThan(rounds);
  });
});

function equal(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => Buffer.compare(value, b.get(key) ?? bytes()) === 0);
}

describe('a folder is refused', () => {
  it('that is a file, or below one', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expectRefusal(file, 'ERR_STORE_FOLDER', ['name a folder']);
    await expectRefusal(join(file, 'below'), 'ERR_STORE_FOLDER', ['name a folder']);
  });

  it('that holds something else', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'diary.txt'), 'dear diary');
    await expectRefusal(folder, 'ERR_STORE_FOREIGN', ['diary.txt', 'an empty folder']);
    expect(readFileSync(join(folder, 'diary.txt'), 'utf8')).toBe('dear diary');
  });

  it('but not for what a file system puts into its own', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'lost+found'));
    expect(await contents(folder)).toEqual(new Map());
  });

  it('that another version wrote', async () => {
    const folder = await filled();
    writeFileSync(join(folder, MARKER), '{"format":2,"somethingNew":true}');
    await expectRefusal(folder, 'ERR_STORE_VERSION', ['format 2', 'reads 1']);
  });

  it.each(['', '{', '7', '[]', 'null', '{"inUseSinceBoot":null}'])('whose marker is %j', async (text) => {
    const folder = await filled();
    writeFileSync(join(folder, MARKER), text);
    await expectRefusal(folder, 'ERR_STORE_DAMAGED', [MARKER, 'remove the folder']);
  });

  /** The last page is one that holds records: those of 200 steps fill many. */
  const damages: readonly (readonly [string, (data: Buffer) => Buffer])[] = [
    ['is text', () => Buffer.from('hello\n'.repeat(5_000))],
    ['is half of it', (data) => data.subarray(0, data.length / 2)],
    ['lacks its last page', (data) => data.subarray(0, data.length - 4_096)],
    ['is its first octets', (data) => data.subarray(0, 100)],
    ['has zeros behind the first pages', (data) => Buffer.concat([data.subarray(0, 8_192)], data.length)],
    ['has noise behind the first pages', (data) => data.fill('noise', 8_192)],
  ];
  it.each(damages)('whose database %s', async (_what, damage) => {
    const folder = await filled();
    const file = join(folder, DATA);
    writeFileSync(file, damage(readFileSync(file)));
    await expectRefusal(folder, 'ERR_STORE_DAMAGED', ['remove the folder']);
  });

  it('one of whose records is not what was written', async () => {
    const folder = await withBrokenRecord();
    await expectRefusal(folder, 'ERR_STORE_DAMAGED');
  });

  it('that a living process has, this one or another, for as long as it lives', async () => {
    const folder = await filled();
    const before = await contents(folder);
    const store = await openDiskStore(folder);
    await expectRefusal(folder, 'ERR_STORE_IN_USE', [`process ${process.pid}`]);
    await store.close();
    const writer = new Writer(folder, 0, 0);
    await writer.lines(1);
    await expectRefusal(folder, 'ERR_STORE_IN_USE', [`process ${writer.pid}`]);
    await expectRefusal(folder, 'ERR_STORE_IN_USE', [`process ${writer.pid}`]); // the refusal has changed nothing
    await writer.kill();
    expect(await contents(folder)).toEqual(before);
  });
});

/** One record's octets are turned where they lie, and with them what is left of its earlier copies. */
async function withBrokenRecord(): Promise<string> {
  const folder = temporaryFolder();
  const store = await openDiskStore(folder);
  const pattern = Buffer.alloc(64, 0xa7);
  store.put('whole', bytes(1));
  store.put('broken', pattern);
  await store.close();
  const file = join(folder, DATA);
  const data = readFileSync(file);
  expect(data.includes(pattern)).toBe(true);
  for (let at = data.indexOf(pattern); at >= 0; at = data.indexOf(pattern)) data[at] = 0;
  writeFileSync(file, data);
  return folder;
}

describe('where the machine stopped while a store was in use', () => {
  const stopMachine = (folder: string): void =>
    writeFileSync(join(folder, MARKER), '{"format":1,"inUseSinceBoot":"an earlier one"}');

  /** Opens it and gives what it holds and what it says. */
  async function reopen(folder: string): Promise<{ found: Map<string, Uint8Array>; events: unknown[] }> {
    const events: unknown[] = [];
    const found = await contents(folder, { log: (_level, event, fields) => events.push([event, fields]) });
    return { found, events };
  }

  it('its records are moved to a database that can be trusted', async () => {
    const folder = await filled();
    const before = await contents(folder);
    stopMachine(folder);
    const { found, events } = await reopen(folder);
    expect(found).toEqual(before);
    expect(events).toEqual([['store-recovered', expect.objectContaining({ records: before.size, damaged: 0 })]]);
    expect(await reopen(folder)).toEqual({ found: before, events: [] });
  });

  it('records that are not whole are left behind', async () => {
    const folder = await withBrokenRecord();
    stopMachine(folder);
    const { found, events } = await reopen(folder);
    expect(found).toEqual(new Map([['whole', bytes(1)]]));
    expect(events).toEqual([['store-recovered', expect.objectContaining({ records: 1, damaged: 1 })]]);
    expect(await reopen(folder)).toEqual({ found, events: [] });
  });

  it('one that cannot be read is set aside, and another begun', async () => {
    const folder = await filled();
    const file = join(folder, DATA);
    truncateSync(file, 20_000);
    stopMachine(folder);
    const { found, events } = await reopen(folder);
    expect(found).toEqual(new Map());
    expect(events).toEqual([['store-lost', expect.objectContaining({ kept: `${DATA}.unreadable` })]]);
    expect(readFileSync(`${file}.unreadable`).length).toBe(20_000);
    const store = await openDiskStore(folder);
    store.put('a', bytes(1));
    await store.close();
    expect(await reopen(folder)).toEqual({ found: new Map([['a', bytes(1)]]), events: [] });
  });
});
