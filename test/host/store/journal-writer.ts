// A process that commits transactions to a journal and says of each that it is done; and what the journal must hold then.
import type { Durability } from '../../../host/store/marker.js';
import { WritingProcess } from './writer.js';

const DISK_JOURNAL = new URL('../../../build/host/store/disk-journal.js', import.meta.url).href;
/** Of the record that says which transaction was the last. */
export const LAST = 'last';
const KEYS = 60;
/** So many that each transaction brings new ones. */
const MANY_KEYS = 1_000_000;

/**
 * What a transaction changes: the record of its number, and eight others, of which some go. No two transactions leave the same
 * behind. This function's text is also run by the process.
 */
function changesOf(n: number, keys: number): [key: string, value: Uint8Array | undefined][] {
  const changes: [string, Uint8Array | undefined][] = [['last', new TextEncoder().encode(String(n))]];
  for (let i = 0; i < 8; i++) {
    const key = `key ${(n * 7 + i * 11) % keys}`;
    changes.push([key, (n + i) % 5 === 4 ? undefined : new Uint8Array(1 + (((n + i) * 131) % 3000)).fill(n)]);
  }
  return changes;
}

/** What a journal holds after transactions 0 to `count` - 1; `isBounded`: of a BoundedJournalWriter. */
export function afterTransactions(count: number, isBounded = false): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let n = 0; n < count; n++) {
    for (const [key, value] of changesOf(n, isBounded ? MANY_KEYS : KEYS)) {
      if (value === undefined) records.delete(key);
      else records.set(key, value);
    }
  }
  return records;
}

const PROGRAM = `
import { writeSync } from 'node:fs';
import { openDiskJournal } from ${JSON.stringify(DISK_JOURNAL)};
${changesOf.toString()}
function say(text) {
  for (;;) try { writeSync(1, text + '\\n'); return; } catch (error) { if (error.code !== 'EAGAIN') throw error; }
}
const [, folder, durability, from, keys] = process.argv;
let hasFailed = false;
let underWay = 0;
const failed = (error) => {
  hasFailed = true;
  say('failed ' + error.name + ' ' + error.code + ' ' + error.message);
};
const journal = await openDiskJournal(folder, { clock: () => 0, failed, durability });
say('open');
for (let n = Number(from); !hasFailed; n++) {
  for (const [key, value] of changesOf(n, Number(keys))) {
    if (value === undefined) journal.delete(key); else journal.put(key, value);
  }
  journal.commit(() => {
    say(n);
    underWay--;
  });
  underWay++;
  const pause = () => new Promise((resolve) => setTimeout(resolve, n % 3));
  if (n % 13 === 0) await pause();
  while (underWay > 40 && !hasFailed) await pause();
}
journal.put('too late', new Uint8Array(1));
journal.commit(() => say('done after the failure'));
await new Promise((resolve) => setTimeout(resolve, 20));
await journal.close().then(() => say('closed'), (error) => say('not closed: ' + error.code));
`;

const argumentsFor = (folder: string, durability: Durability, from: number, keys: number): readonly string[] => [
  '--input-type=module',
  '-e',
  PROGRAM,
  folder,
  durability,
  `${from}`,
  `${keys}`,
];

/** Commits transactions from `from` on, at most 40 under way, until it is killed. */
export class JournalWriter extends WritingProcess {
  constructor(folder: string, durability: Durability, from: number) {
    super(process.execPath, argumentsFor(folder, durability, from, KEYS));
  }
}

/** As JournalWriter, where no file may grow beyond so many blocks of 512 octets: until the journal fails. */
export class BoundedJournalWriter extends WritingProcess {
  constructor(folder: string, durability: Durability, blocksMax: number) {
    const script = `ulimit -f ${blocksMax} && exec "$0" "$@"`;
    super('sh', ['-c', script, process.execPath, ...argumentsFor(folder, durability, 0, MANY_KEYS)]);
  }
}
