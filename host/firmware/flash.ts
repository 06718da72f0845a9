// Writes firmware to a real board with the board's own tool, as its board.json says.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { FlashTool } from './boards.js';
import { FirmwareError } from './error.js';
import { findProgram } from './programs.js';

/** Which file each placeholder stands for. */
export type FlashFiles = Readonly<Partial<Record<'hex' | 'bin' | 'elf' | 'module', string>>>;

export interface FlashPlan {
  readonly program: string;
  readonly args: readonly string[];
  /** Where the program is, or undefined where it is not installed. */
  readonly path: string | undefined;
  readonly tool: FlashTool;
}

/** `tool`: the board's. Throws ERR_FLASH where a file that it wants is not among `files`. */
export function planFlash(tool: FlashTool, files: FlashFiles): FlashPlan {
  const args = tool.arguments.map((argument) =>
    argument.replace(/\{(hex|bin|elf|module)\}/g, (_all, kind: keyof FlashFiles) => {
      const file = files[kind];
      if (file !== undefined) return file;
      throw new FirmwareError('ERR_FLASH', `${tool.program} wants a ${kind} file, and there is none`);
    }),
  );
  return { program: tool.program, args, path: findProgram(tool.program), tool };
}

/** As a person would type it. */
export function commandLine({ program, args }: FlashPlan): string {
  return [program, ...args].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What it says goes to stderr. Throws ERR_FLASH where it fails. */
export async function runFlashTool(plan: FlashPlan): Promise<void> {
  const child = spawn(plan.path!, plan.args, { stdio: ['inherit', 'pipe', 'inherit'] });
  child.stdout.on('data', (text: Buffer) => process.stderr.write(text));
  const [exit, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (exit !== 0)
    throw new FirmwareError('ERR_FLASH', `${plan.program} ended with ${exit ?? signal}: ${commandLine(plan)}`);
}
