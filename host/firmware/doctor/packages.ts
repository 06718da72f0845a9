// debian-packages.txt, the only list of what Thimble takes from Debian, as data.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../paths.js';

export interface DebianPackage {
  readonly name: string;
  /** What is looked for to see whether it is installed, among others; empty for libraries. */
  readonly programs: readonly string[];
  /** What for, in the file's own words. */
  readonly purpose: string;
}

const FILE = join(PACKAGE_ROOT, 'debian-packages.txt');
/** `PACKAGE # WHAT FOR`. */
const LINE = /^([^\s#]+)\s*#\s*(.*)$/;
/** `PROGRAM and PROGRAM: `, at the beginning of what for. */
const PROGRAMS = /^(\S+(?: and \S+)*): /;
const NO_PROGRAM = 'no program: ';

/** `text`: the file's; one package a line. */
export function parsePackages(text: string): DebianPackage[] {
  return text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    return match === null ? [] : [describe(match[1]!, match[2]!)];
  });
}

export function readPackages(): DebianPackage[] {
  return parsePackages(readFileSync(FILE, 'utf8'));
}

function describe(name: string, comment: string): DebianPackage {
  if (comment.startsWith(NO_PROGRAM)) return { name, programs: [], purpose: comment.slice(NO_PROGRAM.length) };
  const named = PROGRAMS.exec(comment);
  if (named === null) return { name, programs: [name], purpose: comment };
  return { name, programs: named[1]!.split(' and '), purpose: comment.slice(named[0].length) };
}
