// What modules take under WAMR on this machine, as the program that embeds it counts it in its pool.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Board } from '../../host/firmware/boards.js';
import { type WamrMemory, wamrMemory, wamrStackBytes } from '../../host/firmware/wamr-memory.js';
import type { Built } from './modules.js';

export interface WamrRow {
  readonly module: string;
  readonly board: string;
  readonly wasmBytes: number;
  /** On this machine, as WAMR's pool says. */
  readonly measured: WamrMemory;
  /** On a core of 32 bits, as the build works it out. */
  readonly on32Bit: WamrMemory;
  /** Operand stack that the module can need at most on a core of 32 bits. */
  readonly stackBytes: number;
  readonly linearBytes: number;
}

/** What `--memory` prints. `execEnvBytes` has the operand stack in it. */
interface Memory extends WamrMemory {
  readonly stackBytes: number;
}

/** `program`: the board's. */
export function measureWamr({ name, linked }: Built, board: Board, program: string): WamrRow {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-wamr-'));
  try {
    const file = join(folder, `${name}.wasm`);
    writeFileSync(file, linked.bytes);
    const need = wamrStackBytes(linked.bytes);
    const core = wamrMemory(linked.bytes, need);
    const memory = JSON.parse(execFileSync(program, [file, '--memory'], { encoding: 'utf8' })) as Memory;
    const { loadBytes, instanceBytes, execEnvBytes, stackBytes } = memory;
    return {
      module: name,
      board: board.name,
      wasmBytes: linked.bytes.length,
      measured: { loadBytes, instanceBytes, execEnvBytes: execEnvBytes - stackBytes },
      on32Bit: { ...core, execEnvBytes: core.execEnvBytes - need },
      stackBytes: need,
      linearBytes: linked.linearBytes,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
