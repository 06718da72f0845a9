// What outlives the process: a journal in a folder.
import type { DurableState } from '../broker/durable.js';
import { JournalState } from '../broker/journal-state.js';
import { monotonicNow } from '../net/clock.js';
import type { Log } from '../ports.js';
import type { StoreError } from '../store/error.js';
import { CountedJournal, type JournalCounters } from './counted-journal.js';
import type { Durability } from './options.js';

export interface Kept {
  readonly state: DurableState;
  readonly counters: Readonly<JournalCounters>;
  /** Waits for all that was committed. Rejects with ERR_STORE_WRITE. */
  close(): Promise<void>;
}

/** Rejects with StoreError. */
export async function openKept(
  folder: string,
  durability: Durability,
  { log, failed }: { readonly log: Log; readonly failed: (error: StoreError) => void },
): Promise<Kept> {
  const { openDiskJournal } = await import('../store/disk-journal.js'); // with a database: only for those who use it
  const journal = await openDiskJournal(folder, { clock: monotonicNow, failed, durability, log });
  const counted = new CountedJournal(journal);
  const state = new JournalState(counted, Date.now() - monotonicNow(), { isRecovered: journal.wasRecovered });
  return { state, counters: counted.counters, close: () => journal.close() };
}
