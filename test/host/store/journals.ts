// Every implementation of Journal, in one form: for suites that ask the same of each.
import { rmSync } from 'node:fs';
import { MemoryJournal } from '../../../host/core/memory-journal.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import type { Journal, Millis } from '../../../host/ports.js';
import { type DiskJournal, openDiskJournal } from '../../../host/store/disk-journal.js';
import type { Durability } from '../../../host/store/marker.js';
import { temporaryFolder } from './folders.js';
import { TornJournal } from './torn-journal.js';

export interface JournalUnderTest {
  readonly journal: Journal;
  /** Waits until every commit so far is done. */
  settle(): Promise<void>;
  /** The process ends without a word to the journal once every commit so far is done; another opens what is left. */
  restart(): Promise<JournalUnderTest>;
  dispose(): Promise<void>;
}

export const JOURNALS: Readonly<Record<string, () => Promise<JournalUnderTest>>> = {
  'in memory': async () => inMemory(new MemoryJournal()),
  'on disk': () => onDisk('disk'),
  'on disk, safe from the end of the process': () => onDisk('process'),
  'that a crash may tear': async () => torn(new TornJournal(new Xoshiro128(1))),
};

function inMemory(journal: MemoryJournal): JournalUnderTest {
  let now: Millis = 0;
  const settle = async (): Promise<void> => {
    while (journal.hasEnded) journal.flush(++now);
  };
  const restart = async (): Promise<JournalUnderTest> => {
    await settle();
    return inMemory(journal.afterCrash());
  };
  return { journal, settle, restart, dispose: async () => {} };
}

function torn(journal: TornJournal): JournalUnderTest {
  const settle = async (): Promise<void> => {
    for (let due = journal.nextDue(); due !== undefined; due = journal.nextDue()) journal.advance(due);
  };
  const restart = async (): Promise<JournalUnderTest> => {
    await settle();
    return torn(journal.crash());
  };
  return { journal, settle, restart, dispose: async () => {} };
}

async function onDisk(durability: Durability, folder = temporaryFolder()): Promise<JournalUnderTest> {
  let now: Millis = 0;
  const failed = (error: Error): never => {
    throw error;
  };
  const journal: DiskJournal = await openDiskJournal(folder, { clock: () => ++now, failed, durability });
  const settle = async (): Promise<void> => {
    await new Promise<void>((resolve) => journal.commit(() => resolve()));
  };
  // LMDB's register is by process: this one closes, the tests that kill processes do not.
  const restart = async (): Promise<JournalUnderTest> => {
    await journal.close();
    return onDisk(durability, folder);
  };
  const dispose = async (): Promise<void> => {
    await journal.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { journal, settle, restart, dispose };
}
