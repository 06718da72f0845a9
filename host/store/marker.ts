// The file that says that a folder is a store, of which format, and whether it was left in order.
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from './error.js';

const FILE = 'thimble-store.json';
const FORMAT = 1;
/** What may be in a folder that is still nobody's: file systems put it into theirs. */
const NOBODYS = new Set(['lost+found']);

export interface Marker {
  readonly format: typeof FORMAT;
  /** Of the run of the machine in which the store was last in use; null where it was closed. */
  readonly inUseSinceBoot: string | null;
}

/** undefined where the folder is empty. Throws ERR_STORE_FOREIGN, ERR_STORE_VERSION, ERR_STORE_DAMAGED. */
export function readMarker(folder: string): Marker | undefined {
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
  const marker = parse(text);
  if (marker?.format === undefined) {
    throw new StoreError('ERR_STORE_DAMAGED', folder, `${FILE} cannot be read; remove the folder to begin anew`);
  }
  if (marker.format !== FORMAT) {
    const what = `a store of format ${marker.format}, where this version of Thimble reads ${FORMAT}; use the version that wrote it, or another folder`;
    throw new StoreError('ERR_STORE_VERSION', folder, what);
  }
  return marker as Marker;
}

function parse(text: string): { readonly format?: unknown } | undefined {
  try {
    return JSON.parse(text) as { format?: unknown };
  } catch {
    return undefined;
  }
}

/** All of it or nothing, also where the machine stops in the middle. */
export function writeMarker(folder: string, inUseSinceBoot: string | null): void {
  const marker: Marker = { format: FORMAT, inUseSinceBoot };
  const file = join(folder, FILE);
  const fd = openSync(`${file}.new`, 'w');
  try {
    writeSync(fd, `${JSON.stringify(marker)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
}

/** What tells this run of the machine from the one before; always the same where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
