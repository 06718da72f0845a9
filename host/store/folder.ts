// Folders on the way to a store's.
import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it, for their owner alone: they will hold what others have said. One that is there is left as it
 * is. Throws Node's errors. Node's own `recursive` never
 * returns where a folder is there and nothing can be made in it for want of a place (ENOENT), as in /proc.
 */
export function makeFolder(folder: string): void {
  const missing: string[] = [];
  for (let path = resolve(folder); statSync(path, { throwIfNoEntry: false }) === undefined; path = dirname(path)) {
    missing.push(path);
  }
  for (const path of missing.reverse()) {
    make(path);
    syncFolder(dirname(path));
  }
}

/** After it the names in a folder survive a stop of the machine too. Nothing to do where the system keeps no folder open. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  syncFile(folder);
}

/** After it what a file holds survives a stop of the machine too. Throws Node's errors. */
export function syncFile(file: string): void {
  const fd = openSync(file, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function make(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was faster
  }
}
