// A board's compiler and its companions: where they are, and what they say.
import { execFile } from 'node:child_process';
import type { Toolchain } from '../boards.js';
import { readPackages } from '../doctor/packages.js';
import { FirmwareError } from '../error.js';
import { findProgram, isAtLeast, versionOf } from '../programs.js';

/** Writes call graphs with the stack of each function (-fcallgraph-info=su). */
const GCC_VERSION_MIN = '10';
const OUTPUT_BYTES_MAX = 64 << 20;
/** A compiler that takes longer than that hangs. */
const TOOL_MS_MAX = 120_000;

export interface Tools {
  /** The compiler's own words, such as 12.2.1. */
  readonly version: string;
  /** Runs the compiler. Throws ERR_NATIVE_BUILD with what it said. */
  compile(args: readonly string[], folder: string): Promise<string>;
  /** Runs a companion, such as objcopy, for what it prints. Throws ERR_NATIVE_BUILD. */
  run(companion: Companion, args: readonly string[], folder: string): Promise<string>;
}

const COMPANIONS = ['objcopy', 'objdump', 'size', 'nm'] as const;
export type Companion = (typeof COMPANIONS)[number];

/** Throws ERR_TOOLCHAIN, which names the Debian package, where one of the tools is missing or too old. */
export async function findTools(toolchain: Toolchain): Promise<Tools> {
  const compiler = locate(`${toolchain.prefix}gcc`);
  const paths = new Map(COMPANIONS.map((name) => [name, locate(`${toolchain.prefix}${name}`)]));
  const version = await versionOf(compiler);
  if (version === undefined || !isAtLeast(version, GCC_VERSION_MIN)) {
    const found = version === undefined ? 'does not tell its version' : `is version ${version}`;
    throw new FirmwareError('ERR_TOOLCHAIN', `${compiler} ${found}: ${GCC_VERSION_MIN} or later is needed`);
  }
  return {
    version,
    compile: (args, folder) => runTool(compiler, args, folder),
    run: (companion, args, folder) => runTool(paths.get(companion)!, args, folder),
  };
}

function locate(program: string): string {
  const path = findProgram(program);
  if (path !== undefined) return path;
  // Companions come with the compiler's package or one that it needs.
  const compiler = program.replace(/[^-]+$/, 'gcc');
  const holder = readPackages().find(({ name, programs }) => name === program || programs.includes(compiler));
  const hint = holder === undefined ? '' : `: apt-get install ${holder.name}`;
  throw new FirmwareError('ERR_TOOLCHAIN', `${program} is missing${hint}`);
}

function runTool(program: string, args: readonly string[], folder: string): Promise<string> {
  const options = { cwd: folder, encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX, timeout: TOOL_MS_MAX } as const;
  return new Promise((resolve, reject) => {
    // What is read below must be in one language.
    execFile(program, args, { ...options, env: { ...process.env, LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new FirmwareError('ERR_NATIVE_BUILD', `${program}:\n${stderr.trim() || error.message}`));
    });
  });
}
