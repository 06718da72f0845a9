// Looks for tools: whether they are there, and of which version.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ask, findProgram, findVersion, versionOf } from '../programs.js';
import type { LibraryNeed } from './needs.js';

/** What is found of a tool. */
export interface Finding {
  readonly there: boolean;
  readonly version?: string;
}

/** A package is there when all of its programs are; the version is the first one's. */
export async function findAll(programs: readonly string[]): Promise<Finding> {
  const paths = programs.map(findProgram);
  const version = paths[0] === undefined ? undefined : await versionOf(paths[0]);
  return { there: paths.every((path) => path !== undefined), ...(version !== undefined && { version }) };
}

export async function findLibrary(name: string, need: LibraryNeed | undefined): Promise<Finding> {
  if (need?.compiler !== undefined) return findCLibrary(need.compiler.program, need.compiler.specs);
  if (name.startsWith(PYTHON)) return findPythonModule(name.slice(PYTHON.length));
  return findSharedLibrary(name.replace(/-dev$/, ''));
}

/** Packages of modules for Debian's own Python, and where it has them. */
const PYTHON = 'python3-';
const PYTHON_MODULES = '/usr/lib/python3/dist-packages';

function findPythonModule(name: string): Finding {
  const file = new RegExp(`^${name.replaceAll('-', '[-_]')}-([\\d.]+)[.-](?:egg|dist)-info$`);
  const version = list(PYTHON_MODULES).flatMap((entry) => file.exec(entry)?.[1] ?? [])[0];
  return version === undefined ? { there: false } : { there: true, version };
}

/** Asks the compiler to read a header of the library, and the library's version from what it defines. */
async function findCLibrary(compiler: string, specs: string): Promise<Finding> {
  const path = findProgram(compiler);
  if (path === undefined) return { there: false };
  const flags = [`--specs=${specs}`, '-dM', '-E', '-include', 'stdlib.h', '-x', 'c', '/dev/null'];
  const { succeeded, text } = await ask(path, flags);
  const version = /^#define _*[A-Z]*LIBC_*VERSION_* "([\d.]+)"/m.exec(text)?.[1];
  return { there: succeeded, ...(succeeded && version !== undefined && { version }) };
}

/** Where libraries of this machine are, besides folders below the first of them. */
const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/opt/homebrew/opt/llvm/lib'] as const;

function findSharedLibrary(name: string): Finding {
  const file = new RegExp(`^${name}(?:-([\\d.]+))?\\.(?:so|dylib)(?:\\.[\\d.]+)?$`);
  const below = list(LIBRARY_FOLDERS[0]).flatMap((folder) => {
    const path = join(LIBRARY_FOLDERS[0], folder);
    return [path, join(path, 'lib')];
  });
  const folders = [...LIBRARY_FOLDERS, ...below];
  const found = folders.flatMap(list).flatMap((entry) => file.exec(entry) ?? []);
  const version = found.flatMap((part) => findVersion(part ?? '') ?? []).at(0);
  return { there: found.length > 0, ...(version !== undefined && { version }) };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
