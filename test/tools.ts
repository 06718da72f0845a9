// Programs and data from outside that some tests need. Where they are missing, a person's run goes on without those tests
// and says how to get them; a CI run fails, so that nothing is skipped unseen.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

/** Programs, and the Debian packages that hold them. */
const PACKAGE_OF = {
  curl: 'curl',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  'nats-server': 'nats-server',
  openssl: 'openssl',
  script: 'bsdutils',
  tshark: 'tshark',
} as const;

export type Tool = keyof typeof PACKAGE_OF;

/** Where Debian puts servers; not in everybody's PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** The names in debian-packages.txt. */
export function debianPackages(): string[] {
  const text = readFileSync(new URL('../debian-packages.txt', import.meta.url), 'utf8');
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

/** The program's path, or undefined where it is not installed. */
export function findTool(tool: Tool): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS];
  return folders.map((folder) => join(folder, tool)).find((file) => existsSync(file));
}

/**
 * A `describe` whose tests need programs. With all of them installed it runs; otherwise it fails under CI and is skipped
 * elsewhere, with the command that installs what is missing.
 */
export function describeWithTools(tools: readonly Tool[], title: string, tests: () => void): void {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  if (missing.length === 0) {
    describe(title, tests);
    return;
  }
  const packages = [...new Set(missing.map(packageOf))];
  const reason = `${missing.join(' and ')} missing: apt-get install ${packages.join(' ')}`;
  if (process.env.CI !== undefined) {
    it(title, () => {
      throw new Error(reason);
    });
    return;
  }
  process.stderr.write(`skipped "${title}": ${reason}\n`);
  describe.skip(title, tests);
}

function packageOf(tool: Tool): string {
  const name = PACKAGE_OF[tool];
  if (!debianPackages().includes(name)) throw new Error(`debian-packages.txt lacks ${name}, which holds ${tool}`);
  return name;
}

/** Why tests that need a file are skipped. `what`: what the file is. */
export function missingFile(file: URL, what: string): string {
  return `needs ${what} at ${fileURLToPath(file)}, which is not part of the project`;
}

/** A `describe` whose tests read a file that is not part of the project; skipped, with the reason, where there is none. */
export function describeWithFile(file: URL, what: string, title: string, tests: () => void): void {
  if (existsSync(file)) {
    describe(title, tests);
    return;
  }
  process.stderr.write(`skipped "${title}": ${missingFile(file, what)}\n`);
  describe.skip(title, tests);
}
