// What modules take under WAMR on this machine, as the program that embeds it counts it in its pool.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Board } from '../../host/firmware/boards.js';
import { wamrStackBytes } from '../../host/firmware/wamr-memory.js';
import type { Built } from './modules.js';

export interface WamrRow {
  readonly module: string;
  readonly board: string;
  readonly wasmBytes: number;
  /** The module, translated for the fast interpreter. */
  readonly loadBytes: number;
  /** Without linear memory. */
  readonly instanceBytes: number;
  /** Without the operand stack. */
  readonly execEnvBytes: number;
  /** Operand stack that the module can need at most on a core of 32 bits, as the build works it out. */
  readonly stackBytes: number;
  readonly linearBytes: number;
}

/** What `--memory` prints. */
interface Memory {
  readonly loadBytes: number;
  readonly instanceBytes: number;
  readonly execEnvBytes: number;
  readonly stackBytes: number;
  readonly linearBytes: number;
}

/** `program`: the board's. */
export function measureWamr({ name, linked }: Built, board: Board, program: string): WamrRow {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-wamr-'));
  try {
    const file = join(folder, `${name}.wasm`);
    writeFileSync(file, linked.bytes);
    const memory = JSON.parse(execFileSync(program, [file, '--memory'], { encoding: 'utf8' })) as Memory;
    return {
      module: name,
      board: board.name,
      wasmBytes: linked.bytes.length,
      loadBytes: memory.loadBytes,
      instanceBytes: memory.instanceBytes,
      execEnvBytes: memory.execEnvBytes - memory.stackBytes,
      stackBytes: wamrStackBytes(linked.bytes),
      linearBytes: memory.linearBytes,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
