// Installs what is missing, where that can be done: Debian and what is made from it, as root.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { FirmwareError } from '../error.js';
import { findProgram } from '../programs.js';
import { installCommand } from './examine.js';

const APT = 'apt-get';

/** What a person would type for it. */
export function commandForPeople(packages: readonly string[]): string {
  return `${isRoot() ? '' : 'sudo '}${installCommand(packages)}`;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Installs Debian packages; what apt-get says goes to stderr. Throws ERR_INSTALL with the command to type where it cannot be
 * done, or was not.
 */
export async function install(packages: readonly string[]): Promise<void> {
  const apt = findProgram(APT);
  const command = commandForPeople(packages);
  if (apt === undefined) {
    throw new FirmwareError(
      'ERR_INSTALL',
      `there is no ${APT} here: --install works on Debian, where it runs ${command}`,
    );
  }
  if (!isRoot()) throw new FirmwareError('ERR_INSTALL', `only root may install packages: ${command}`);
  // A fresh system has no lists yet. Old ones may do where the network does not.
  if ((await runApt(apt, ['update'])) !== 0)
    process.stderr.write(`${APT} update failed; going on with what is known\n`);
  const exit = await runApt(apt, installCommand(packages).split(' ').slice(1));
  if (exit !== 0) throw new FirmwareError('ERR_INSTALL', `this did not succeed, and said why above: ${command}`);
}

/** stdout is for what the command itself prints. */
async function runApt(apt: string, args: readonly string[]): Promise<number | null> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const child = spawn(apt, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (text: Buffer) => process.stderr.write(text));
  const [exit] = (await once(child, 'close')) as [number | null];
  return exit;
}
