// Programs and data from outside that some tests need. Where they are missing, a person's run goes on without those tests
// and says how to get them; a CI run fails, so that nothing is skipped unseen.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { readPackages } from '../host/firmware/doctor/packages.js';
import { findProgram } from '../host/firmware/programs.js';

/** A program that a package of debian-packages.txt holds, or that is got elsewhere. */
export type Tool = string;

/** Programs that Debian has not, or not as new, and how to get them. */
const ELSEWHERE: Readonly<Record<Tool, string>> = { cargo: 'https://rustup.rs' };

/** The names in debian-packages.txt. */
export function debianPackages(): string[] {
  return readPackages().map(({ name }) => name);
}

/** The program's path, or undefined where it is not installed. */
export function findTool(tool: Tool): string | undefined {
  return findProgram(tool);
}

/**
 * A `describe` whose tests need programs. With all of them installed it runs; otherwise it fails under CI and is skipped
 * elsewhere, with the command that installs what is missing.
 */
export function describeWithTools(tools: readonly Tool[], title: string, tests: () => void): void {
  const inDebian = tools.filter((tool) => ELSEWHERE[tool] === undefined);
  const packages = new Map(inDebian.map((tool) => [tool, packageOf(tool)])); // a name that no package has is a mistake
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  if (missing.length === 0) {
    describe(title, tests);
    return;
  }
  const wanted = new Set(missing.flatMap((tool) => packages.get(tool) ?? []));
  const ways = missing.flatMap((tool) => ELSEWHERE[tool] ?? []);
  if (wanted.size > 0) ways.unshift(`apt-get install ${[...wanted].join(' ')}`);
  const reason = `${missing.join(' and ')} missing: ${ways.join('; ')}`;
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
  const found = readPackages().find(({ programs }) => programs.includes(tool));
  if (found === undefined) throw new Error(`debian-packages.txt names no package that holds ${tool}`);
  return found.name;
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
