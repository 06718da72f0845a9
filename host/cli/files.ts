// The files that options name: read, or made sure of before the work begins, with messages that name the option.
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from './failure.js';

/** What is in a file that the caller named. `what` is the option or what the file is. Throws ERR_USAGE_FILE. */
export function readInput(what: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw explain(what, file, error as NodeJS.ErrnoException);
  }
}

/** Opens a file for writing; what it holds is gone unless `keep`. Throws ERR_USAGE_FILE. */
export function openOutput(what: string, file: string, keep = false): number {
  try {
    return openSync(file, keep ? 'a' : 'w');
  } catch (error) {
    throw explain(what, file, error as NodeJS.ErrnoException);
  }
}

/** Makes sure that a file can be written later, so that the result of hours of work has somewhere to go. */
export function checkOutput(what: string, file: string): void {
  closeSync(openOutput(what, file, true));
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function explain(what: string, file: string, error: NodeJS.ErrnoException): UsageError {
  return new UsageError('ERR_USAGE_FILE', `${what} ${file}: ${reason(file, error)}`);
}

function reason(file: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return isFolder(dirname(file)) ? 'there is no such file' : `there is no folder ${dirname(file)}`;
    case 'EISDIR':
      return 'a folder, where a file is needed';
    case 'ENOTDIR':
      return 'a part of the path is a file, where a folder is needed';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'there is no permission for it; choose another place, or run as its owner';
    default:
      return error.message;
  }
}
