// Where the package's own files are.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's root: the folder of the asconfig.json above this file, in the sources as in build/. */
export const PACKAGE_ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

export const APPS_DIR = join(PACKAGE_ROOT, 'assembly', 'apps');
export const MODULES_DIR = join(PACKAGE_ROOT, 'assembly', 'modules');
export const BUILD_DIR = join(PACKAGE_ROOT, 'build');

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'asconfig.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('the installation of thimble is damaged: asconfig.json is missing');
  return findRoot(parent);
}
