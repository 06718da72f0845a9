// The file that says that a folder is a store, whose, of which format, and whether it was left in order.
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from './error.js';
import { syncFolder } from './folder.js';

const FILE = 'thimble-store.json';
/** By kind. No number belongs to two: what knows of no kinds then refuses what it cannot read. */
const FORMATS = { store: 1, journal: 2 } as const;
const OWNERS = { store: "a gateway's store", journal: "a broker's journal" } as const;
/** What may be in a folder that is still nobody's: file systems put it into theirs. */
const NOBODYS = new Set(['lost+found']);

/** `store`: a gateway's. `journal`: a broker's. */
export type StoreKind = keyof typeof FORMATS;

/** `disk`: what was confirmed survives a stop of the machine. `process`: only the end of the process, until it is closed. */
export type Durability = 'disk' | 'process';

export interface Marker {
  readonly kind: StoreKind;
  readonly format: (typeof FORMATS)[StoreKind];
  /** While it is in use, and while it was last. */
  readonly durability: Durability;
  /** Of the run of the machine in which the store was last in use; null where it was closed. */
  readonly inUseSinceBoot: string | null;
  /** The machine had stopped while it was in use with `process`, and it has not been closed since. */
  readonly wasRecovered: boolean;
}

/** undefined where the folder is empty. Throws ERR_STORE_FOREIGN, ERR_STORE_VERSION, ERR_STORE_DAMAGED. */
export function readMarker(folder: string, kind: StoreKind): Marker | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const others = readdirSync(folder).filter((name) => !NOBODYS.has(name) && !name.startsWith(FILE));
    if (others.length === 0) return undefined;
    const what = `has ${others[0]}, and is no store of Thimble's; name an empty folder, or one that does not exist`;
    throw new StoreError('ERR_STORE_FOREIGN', folder, what);
  }
  const found = parse(text);
  if (found?.format === undefined) {
    throw new StoreError('ERR_STORE_DAMAGED', folder, `${FILE} cannot be read; remove the folder to begin anew`);
  }
  // Stores were the first, and say neither.
  const marker = { kind: 'store', durability: 'process', wasRecovered: false, ...found } as Marker;
  if (marker.kind !== kind && marker.kind in FORMATS) {
    const what = `holds ${OWNERS[marker.kind]}, where ${OWNERS[kind]} is to be; name another folder`;
    throw new StoreError('ERR_STORE_FOREIGN', folder, what);
  }
  if (marker.kind !== kind || marker.format !== FORMATS[kind]) {
    const what = `a ${marker.kind} of format ${marker.format}, where this version of Thimble reads ${FORMATS[kind]}; use the version that wrote it, or another folder`;
    throw new StoreError('ERR_STORE_VERSION', folder, what);
  }
  return marker;
}

function parse(text: string): Partial<Marker> | undefined {
  try {
    return JSON.parse(text) as Partial<Marker>;
  } catch {
    return undefined;
  }
}

/** All of it or nothing, also where the machine stops in the middle. */
export function writeMarker(folder: string, says: Omit<Marker, 'format'>): void {
  const marker: Marker = { format: FORMATS[says.kind], ...says };
  const file = join(folder, FILE);
  const fd = openSync(`${file}.new`, 'w');
  try {
    writeSync(fd, `${JSON.stringify(marker)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
  syncFolder(folder);
}

/** What tells this run of the machine from the one before; always the same where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
