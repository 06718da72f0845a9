import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import { type DiskJournal, type DiskJournalOptions, openDiskJournal } from '../../../host/store/disk-journal.js';
import { openDiskStore } from '../../../host/store/disk-store.js';
import type { StoreError } from '../../../host/store/error.js';
import type { Durability } from '../../../host/store/marker.js';
import { temporaryFolder } from './folders.js';
import { afterTransactions, BoundedJournalWriter, JournalWriter, LAST } from './journal-writer.js';

const MARKER = 'thimble-store.json';
const DATA = 'data.mdb';
const DURABILITIES: readonly Durability[] = ['disk', 'process'];
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function open(folder: string, options: Partial<DiskJournalOptions> = {}): Promise<DiskJournal> {
  const failed = (error: StoreError): never => {
    throw error;
  };
  return openDiskJournal(folder, { clock: () => 0, failed, ...options });
}

/** What a journal holds, from its opening to its closing. */
async function contents(folder: string, options?: Partial<DiskJournalOptions>): Promise<Map<string, Uint8Array>> {
  const journal = await open(folder, options);
  try {
    return new Map(journal.entries());
  } finally {
    await journal.close();
  }
}

const committed = (journal: DiskJournal): Promise<number> => new Promise((resolve) => journal.commit(resolve));

/** A closed journal with some records. */
async function filled(durability: Durability = 'disk'): Promise<string> {
  const folder = temporaryFolder();
  const journal = await open(folder, { durability });
  for (let n = 0; n < 100; n++) journal.put(`key ${n}`, new Uint8Array(300).fill(n));
  journal.commit(() => {});
  await journal.close();
  return folder;
}

const markerOf = (folder: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder, MARKER), 'utf8'));

/** As the machine leaves the marker that stops while the journal is in use. */
const stopMachine = (folder: string): void =>
  writeFileSync(join(folder, MARKER), JSON.stringify({ ...markerOf(folder), inUseSinceBoot: 'an earlier one' }));

describe('a journal on disk', () => {
  it('says of a commit the moment at which it was done', async () => {
    const journal = await open(temporaryFolder(), { clock: () => 17 });
    expect(await committed(journal)).toBe(17);
    await journal.close();
  });

  it('lets the commits of one turn share one wait, and those that come meanwhile the next', async () => {
    let groups = 0;
    const journal = await open(temporaryFolder(), { clock: () => ++groups });
    const moments: number[] = [];
    const commit = (more: () => void = () => {}): void => {
      journal.put(`key ${moments.length}`, bytes(1));
      journal.commit((now) => {
        moments.push(now);
        more();
      });
    };
    const twoMore = (): void => {
      commit();
      commit();
    };
    commit();
    commit(twoMore);
    commit();
    await journal.close();
    expect(moments).toEqual([1, 1, 1, 2, 2]);
  });

  it('takes commits while it closes, waits for them, and takes nothing afterwards', async () => {
    const folder = temporaryFolder();
    const journal = await open(folder);
    let left = 3;
    const again = (): void => {
      journal.put(`left ${left}`, bytes(left));
      if (left-- > 0) journal.commit(again);
    };
    journal.commit(again);
    await Promise.all([journal.close(), journal.close()]);
    await journal.close();
    expect(left).toBe(-1);
    const refusal = expect.objectContaining({ name: 'StoreError', code: 'ERR_STORE_WRITE' });
    expect(() => journal.put('a', bytes(1))).toThrow(refusal);
    expect(() => journal.delete('a')).toThrow(refusal);
    expect(() => journal.commit(() => {})).toThrow(refusal);
    expect([...(await contents(folder)).keys()]).toEqual(['left 1', 'left 2', 'left 3']);
  });

  it('gives its entries as they are now where they are asked for a second time', async () => {
    const journal = await open(await filled());
    expect([...journal.entries()].length).toBe(100);
    journal.delete('key 7');
    await committed(journal);
    expect([...journal.entries()].length).toBe(99);
    await journal.close();
  });

  it('may change from one durability to the other, at each opening', async () => {
    const folder = await filled('disk');
    const before = await contents(folder);
    expect(await contents(folder, { durability: 'process' })).toEqual(before);
    expect(await contents(folder, { durability: 'disk' })).toEqual(before);
  });
});

describe.each(DURABILITIES)('a journal of durability %s whose process is killed', (durability) => {
  it('has every transaction that was done, and no half of any', async () => {
    const rounds = 8;
    const random = new Xoshiro128(1);
    const folder = temporaryFolder();
    let next = 0;
    for (let round = 0; round < rounds; round++) {
      const writer = new JournalWriter(folder, durability, next);
      await writer.lines(1 + (random.nextU32() % 400));
      const confirmed = Math.max(next - 1, await writer.kill());
      const found = await contents(folder, { durability });
      const last = Number(new TextDecoder().decode(found.get(LAST) ?? bytes(0x2d, 0x31)));
      expect(last, `round ${round}`).toBeGreaterThanOrEqual(confirmed);
      expect(found, `round ${round}, after transaction ${last}`).toEqual(afterTransactions(last + 1));
      next = last + 1;
    }
    expect(next).toBeGreaterThan(rounds);
  });
});

/** The limit is the system's, by file; what it refuses is refused as on a full disk. */
describe.skipIf(process.platform === 'win32').each(DURABILITIES)(
  'a journal of durability %s that cannot grow',
  (how) => {
    it('says so once, confirms nothing from then on, and keeps what it confirmed', async () => {
      const folder = temporaryFolder();
      const writer = new BoundedJournalWriter(folder, how, 2_000);
      const said = await writer.end();
      const failures = said.filter((line) => line.startsWith('failed'));
      expect(failures).toEqual([
        expect.stringMatching(/^failed StoreError ERR_STORE_WRITE .*cannot be written \(.*make room/),
      ]);
      expect(failures[0]).toContain(folder);
      const at = said.indexOf(failures[0]!);
      const confirmed = said.slice(1, at).map(Number);
      expect(confirmed).toEqual([...confirmed.keys()]);
      expect(confirmed.length).toBeGreaterThan(3);
      expect(said.slice(at + 1)).toEqual(['closed']);
      expect(await contents(folder)).toEqual(afterTransactions(confirmed.length, true));
    });
  },
);

describe('the folder of a journal is refused', () => {
  const refusal = (code: string, ...mentions: string[]): unknown =>
    expect.objectContaining({
      name: 'StoreError',
      code,
      message: expect.stringMatching(new RegExp(mentions.join('.*'))),
    });

  it("that holds a gateway's store, and the other way round", async () => {
    const folder = temporaryFolder();
    await (await openDiskStore(folder)).close();
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_FOREIGN', "gateway's store", "broker's journal"));
    const other = await filled();
    const before = await contents(other);
    await expect(openDiskStore(other)).rejects.toThrow(
      refusal('ERR_STORE_FOREIGN', "broker's journal", "gateway's store"),
    );
    expect(await contents(other)).toEqual(before);
  });

  it('that a store of a time without kinds left', async () => {
    const folder = temporaryFolder();
    await (await openDiskStore(folder)).close();
    writeFileSync(join(folder, MARKER), '{"format":1,"inUseSinceBoot":null}');
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_FOREIGN', "gateway's store"));
    await (await openDiskStore(folder)).close();
  });

  it('that another version wrote, of this kind or of one that is not known yet', async () => {
    const folder = await filled();
    writeFileSync(join(folder, MARKER), '{"kind":"journal","format":7,"inUseSinceBoot":null}');
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_VERSION', 'journal of format 7', 'reads 2'));
    writeFileSync(join(folder, MARKER), '{"kind":"ledger","format":2,"inUseSinceBoot":null}');
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_VERSION', 'ledger of format 2'));
  });

  it('that holds something else', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'diary.txt'), 'dear diary');
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_FOREIGN', 'diary.txt'));
  });

  it('that a living process has, this one or another', async () => {
    const folder = temporaryFolder();
    const journal = await open(folder);
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_IN_USE', `process ${process.pid}`));
    await journal.close();
    const writer = new JournalWriter(folder, 'disk', 0);
    await writer.lines(1);
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_IN_USE', `process ${writer.pid}`));
    await writer.kill();
    await contents(folder);
  });

  it('whose database is damaged, though the machine stopped: what was waited for cannot be', async () => {
    const folder = await filled();
    stopMachine(folder);
    truncateSync(join(folder, DATA), 20_000);
    await expect(open(folder)).rejects.toThrow(refusal('ERR_STORE_DAMAGED'));
    expect(existsSync(join(folder, DATA))).toBe(true);
  });

  it('but not where its process ended at its first opening, before there was a database', async () => {
    const folder = temporaryFolder();
    const marker = { format: 2, kind: 'journal', durability: 'disk', inUseSinceBoot: 'now', wasRecovered: false };
    writeFileSync(join(folder, MARKER), JSON.stringify(marker));
    expect(await contents(folder)).toEqual(new Map());
  });
});

describe('where the machine stopped while a journal was in use', () => {
  /** Opens it and gives what it holds and what it says. */
  async function reopen(folder: string, durability: Durability): Promise<{ size: number; events: unknown[] }> {
    const events: unknown[] = [];
    const found = await contents(folder, { durability, log: (_level, event) => events.push(event) });
    return { size: found.size, events };
  }

  it('one that waits for the disk goes on as if nothing had happened', async () => {
    const folder = await filled('disk');
    stopMachine(folder);
    const journal = await open(folder);
    expect(journal.wasRecovered).toBe(false);
    await journal.close();
    stopMachine(folder);
    expect(await reopen(folder, 'process')).toEqual({ size: 100, events: [] });
  });

  it('one that does not is moved to a database that can be trusted', async () => {
    const folder = await filled('process');
    stopMachine(folder);
    writeFileSync(join(folder, `${DATA}.new`), 'of an attempt that was cut short');
    expect(await reopen(folder, 'disk')).toEqual({ size: 100, events: ['store-recovered'] });
    expect(existsSync(join(folder, `${DATA}.new`))).toBe(false);
    expect(await reopen(folder, 'process')).toEqual({ size: 100, events: [] });
  });

  it('one that does not and cannot be read is set aside, and another begun', async () => {
    const folder = await filled('process');
    stopMachine(folder);
    truncateSync(join(folder, DATA), 20_000);
    expect(await reopen(folder, 'process')).toEqual({ size: 0, events: ['store-lost'] });
    expect(readFileSync(join(folder, `${DATA}.unreadable`)).length).toBe(20_000);
  });

  it('is told until it has been closed once', async () => {
    const folder = await filled('process');
    stopMachine(folder);
    const writer = new JournalWriter(folder, 'disk', 0);
    await writer.lines(2);
    await writer.kill();
    const journal = await open(folder);
    expect(journal.wasRecovered).toBe(true);
    await journal.close();
    const again = await open(folder);
    expect(again.wasRecovered).toBe(false);
    await again.close();
  });
});
