// Programs of the machine: where they are, and what they say of themselves.
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian puts servers; not in everybody's PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** A program that says nothing within so long has nothing to say. */
const ANSWER_MS_MAX = 10_000;
const OUTPUT_BYTES_MAX = 1 << 22;

/** The program's path, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

export interface Answer {
  readonly succeeded: boolean;
  /** What it wrote to stdout, then to stderr. */
  readonly text: string;
}

/** Runs a program to its end, for what it prints. */
export function ask(program: string, args: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      { timeout: ANSWER_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, encoding: 'utf8' },
      (error, stdout, stderr) => resolve({ succeeded: error === null, text: `${stdout}\n${stderr}` }),
    );
    child.stdin?.end();
  });
}

/** Not all understand the same. */
const VERSION_ARGUMENTS = ['--version', 'version'];

/** The version of the program at `path`; undefined where it does not tell. */
export async function versionOf(path: string): Promise<string | undefined> {
  for (const argument of VERSION_ARGUMENTS) {
    const version = findVersion((await ask(path, [argument])).text);
    if (version !== undefined) return version;
  }
  return undefined;
}

/** The first version that a text names; what is in parentheses is somebody else's, such as the distribution's. */
export function findVersion(text: string): string | undefined {
  return /(?<![\d.])\d+(?:\.\d+)+/.exec(text.replace(/\([^)]*\)/g, ''))?.[0];
}

/** Is version `a` at least `b`? */
export function isAtLeast(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (const [i, wanted] of right!.entries()) {
    const has = left![i] ?? 0;
    if (has !== wanted) return has > wanted;
  }
  return true;
}
