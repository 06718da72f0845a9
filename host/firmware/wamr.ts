// Boards that are programs of this machine: built when they are to be run, by the tool that board.json names, which knows by
// itself whether there is anything to do.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BOARDS_DIR, type Board } from './boards.js';
import { installCommand } from './doctor/examine.js';
import { findLibrary } from './doctor/find.js';
import { type Need, needsOf } from './doctor/needs.js';
import { readPackages } from './doctor/packages.js';
import { FirmwareError } from './error.js';
import { findProgram } from './programs.js';

/** A build that takes longer is worth telling of. */
const QUIET_MS = 1_500;
/** Of what the build has said, where it fails. */
const LINES_TOLD = 20;

/**
 * Builds the board's program where that is necessary, and returns where it is. What takes long is told on stderr. Throws
 * ERR_TOOLCHAIN where a tool is missing, and says how to get it; ERR_NATIVE_BUILD with what the build has said.
 */
export async function buildHostBoard(board: Board): Promise<string> {
  if (board.host === undefined) throw new FirmwareError('ERR_BOARD', `${board.name} is no program of this machine`);
  await checkTools(board);
  const folder = join(BOARDS_DIR, board.name);
  const program = join(folder, board.host.program);
  const { code, text } = await runBuild(board.name, board.host.build, folder);
  if (code === 0 && existsSync(program)) return program;
  const told = text.trimEnd().split('\n').slice(-LINES_TOLD).join('\n');
  throw new FirmwareError('ERR_NATIVE_BUILD', `${board.name}: ${board.host.build.join(' ')} failed:\n${told}`);
}

async function checkTools(board: Board): Promise<void> {
  const needs = needsOf(board).build;
  const isThere = await Promise.all(needs.map(isInstalled));
  const missing = needs.filter((_, i) => !isThere[i]);
  if (missing.length === 0) return;
  const ways = missing.map((need) => `${need.name}: ${howToGet(need)}`);
  throw new FirmwareError('ERR_TOOLCHAIN', `${board.name} cannot be built here:\n  ${ways.join('\n  ')}`);
}

async function isInstalled(need: Need): Promise<boolean> {
  return need.kind === 'library' ? (await findLibrary(need.name, need)).there : findProgram(need.name) !== undefined;
}

function howToGet(need: Need): string {
  if (need.kind === 'program' && need.get !== undefined) return need.get;
  const holder = readPackages().find(({ name, programs }) => name === need.name || programs.includes(need.name));
  return installCommand([holder?.name ?? need.name]);
}

/** Runs the build in the board's folder, silently unless it takes long. Returns how it ended and all that it has said. */
function runBuild(
  name: string,
  [program, ...args]: readonly string[],
  cwd: string,
): Promise<{ code: number | null; text: string }> {
  // board.json says where the program will be: nobody's own settings move it.
  const { CARGO_TARGET_DIR: _, ...env } = process.env;
  return new Promise((resolve) => {
    let text = '';
    let isLong = false;
    const told = setTimeout(() => {
      isLong = true;
      process.stderr.write(`building ${name}, which takes a minute the first time\n${text}`);
    }, QUIET_MS);
    const child = spawn(program!, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const hear = (octets: Buffer): void => {
      text += octets.toString();
      if (isLong) process.stderr.write(octets);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    const end = (code: number | null): void => {
      clearTimeout(told);
      resolve({ code, text });
    };
    child.once('error', (error) => {
      text += `${error.message}\n`;
      end(null);
    });
    child.once('close', end);
  });
}
