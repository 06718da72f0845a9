// thimble new: a folder with an application of one's own that builds, simulates and runs, and a test of what it promises.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PACKAGE_ROOT } from '../firmware/paths.js';
import { UsageError } from './failure.js';
import { print, printJson } from './output.js';

export interface NewCommandOptions {
  readonly json?: boolean;
}

const TEMPLATE = join(PACKAGE_ROOT, 'templates', 'application');
/**
 * What the client id has room for beside a hyphen and eight digits: 23 octets in all (MQTT-SN 1.2, 5.3.1). npm wants lower
 * case for the folder's package.
 */
const NAME = /^[a-z][a-z0-9-]{0,13}$/;
/** The package's own, and what a folder with node_modules cannot be called. */
const TAKEN = ['thimble', 'test', 'build'];
/** Files that npm would take for its own when Thimble is packed, and their names in the folder. */
const DOTTED = ['gitignore', 'npmrc'];
/** Files of the template are called so where the application's name belongs. */
const PLACEHOLDER = 'application';

export async function runNew(name: string, options: NewCommandOptions): Promise<void> {
  checkName(name);
  try {
    mkdirSync(name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UsageError('ERR_USAGE_NAME', `there is something called ${name} here already; choose another name`);
  }
  const files = copyTemplate(name);
  if (options.json === true) {
    printJson({ name, folder: name, files });
    return;
  }
  print(`${name}/ holds ${files.length} files. Next:\n`);
  print(`  cd ${name}\n  npm install   # links Thimble, which is on no registry, from ${PACKAGE_ROOT}\n  npm test`);
}

function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw new UsageError(
      'ERR_USAGE_NAME',
      `NAME ${JSON.stringify(name)}: a small letter, then up to 13 small letters, digits or hyphens`,
    );
  }
  if (TAKEN.includes(name)) throw new UsageError('ERR_USAGE_NAME', `NAME ${name}: taken; choose another name`);
}

/** Returns the files made, relative to the folder. */
function copyTemplate(name: string): string[] {
  const values: Readonly<Record<string, string>> = {
    name,
    thimble: JSON.stringify(`file:${PACKAGE_ROOT}`).slice(1, -1),
  };
  const sources = readdirSync(TEMPLATE, { recursive: true, encoding: 'utf8' });
  return sources
    .filter((source) => statSync(join(TEMPLATE, source)).isFile())
    .map((source) => {
      const text = readFileSync(join(TEMPLATE, source), 'utf8');
      const file = join(dirname(source), fileName(basename(source), name));
      mkdirSync(join(name, dirname(file)), { recursive: true });
      writeFileSync(
        join(name, file),
        text.replace(/\{\{(\w+)\}\}/g, (all, key: string) => values[key] ?? all),
      );
      return file;
    })
    .sort();
}

function fileName(source: string, name: string): string {
  if (DOTTED.includes(source)) return `.${source}`;
  return source.replace(PLACEHOLDER, name);
}
