// The client alone: modem-mqttsn as native code without port and C library, everything in it kept, as the figures of other
// clients are taken; from our own backend, and from plain wasm2c.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Board, Toolchain } from '../../host/firmware/boards.js';
import { emitC } from '../../host/firmware/native/emit.js';
import { nativeFlags } from '../../host/firmware/native/flags.js';
import { findTools, type Tools } from '../../host/firmware/native/toolchain.js';
import { findProgram } from '../../host/firmware/programs.js';
import type { Built } from './modules.js';

export interface ClientRow {
  readonly board: string;
  readonly core: string;
  /** Code and constants, octets, with the flags that firmware is compiled with. */
  readonly textBytes: number;
  /** With `-Os` and no other flag for its size. */
  readonly plainTextBytes: number;
  /** The same with every access to memory checked. */
  readonly checkedTextBytes: number;
  /** Of what wasm2c makes of the same module; null where wasm2c is not installed. */
  readonly wasm2cTextBytes: number | null;
}

const PLAIN_FLAGS = ['-Os'];
const SECTIONS = ['-ffunction-sections', '-fdata-sections'];
const WASM2C = 'wasm2c';
/** The one header of the system's that wasm2c's output needs, and that a cross compiler must not find others beside. */
const WASM_RT = 'wasm-rt.h';

export async function measureClient(built: Built, board: Board): Promise<ClientRow> {
  const toolchain = board.toolchain!;
  const tools = await findTools(toolchain);
  const folder = mkdtempSync(join(tmpdir(), 'thimble-client-'));
  const ownFlags = nativeFlags(toolchain.prefix);
  const textOf = (flags: readonly string[], code: string): Promise<number> => {
    writeFileSync(join(folder, 'client.c'), code);
    return compileObject(tools, toolchain, folder, 'client.c', flags);
  };
  const code = emitC(built.linked.named, built.shifted);
  try {
    return {
      board: board.name,
      core: board.mcu,
      textBytes: await textOf(ownFlags, code),
      plainTextBytes: await textOf(PLAIN_FLAGS, code),
      checkedTextBytes: await textOf(ownFlags, emitC(built.linked.named, built.shifted, { checked: true })),
      wasm2cTextBytes: await measureWasm2c(tools, toolchain, folder, built.linked.bytes),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compileObject(
  tools: Tools,
  toolchain: Toolchain,
  folder: string,
  file: string,
  flags: readonly string[],
): Promise<number> {
  const machine = [`--specs=${toolchain.specs}`, ...toolchain.flags];
  await tools.compile([...machine, ...flags, ...SECTIONS, '-c', '-I', folder, file, '-o', 'object.o'], folder);
  const [, sizes] = (await tools.run('size', ['object.o'], folder)).trim().split('\n');
  return Number(sizes!.trim().split(/\s+/)[0]);
}

async function measureWasm2c(
  tools: Tools,
  toolchain: Toolchain,
  folder: string,
  module: Uint8Array,
): Promise<number | null> {
  const program = findProgram(WASM2C);
  if (program === undefined) return null;
  const own = join(folder, WASM2C);
  mkdirSync(own);
  writeFileSync(join(own, 'module.wasm'), module);
  copyFileSync(join(dirname(dirname(program)), 'include', WASM_RT), join(own, WASM_RT));
  execFileSync(program, ['module.wasm', '-o', 'module.c'], { cwd: own });
  return compileObject(tools, toolchain, own, 'module.c', PLAIN_FLAGS);
}

/** What the compiler calls itself. */
export function compilerOf(toolchain: Toolchain): string {
  const text = execFileSync(findProgram(`${toolchain.prefix}gcc`)!, ['--version'], { encoding: 'utf8' });
  return text.split('\n')[0]!;
}
