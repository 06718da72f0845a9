// A board whose engine is a program of this machine: it has its own sockets, so that there is nothing to carry here but what
// it says to people.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FirmwareError } from '../error.js';

/** What the board is shipped with, and whose updates it takes. */
export interface ProgramUpdates {
  /** Ed25519, in PEM. */
  readonly publicKey: string;
  readonly name: string;
  readonly version: string;
}

export interface HostProgramOptions {
  readonly program: string;
  readonly module: string;
  /** HOST:PORT. */
  readonly gateway: string;
  readonly seed: number;
  /** Where its state outlives it. Default: a file that goes with `close`. */
  readonly stateFile?: string | undefined;
  /** Octets of operand stack that the module needs. Default: the program's own. */
  readonly operandStackBytes?: number | undefined;
  /** Where it takes updates of its application. Default: it takes none. */
  readonly updates?: ProgramUpdates | undefined;
  readonly onLog?: (text: string) => void;
  /** It has ended without having been asked to. */
  readonly onEnd?: (error: FirmwareError) => void;
}

const STATE_FILE = 'state';
const KEY_FILE = 'key.pem';
/** Beside the state, which is as good as the module that it is of. */
const SLOTS_SUFFIX = '.slots';

export class HostProgram {
  private child: ChildProcess | undefined;
  private readonly folder: string;
  private readonly stateFile: string;

  constructor(private readonly options: HostProgramOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'thimble-run-'));
    this.stateFile = options.stateFile ?? join(this.folder, STATE_FILE);
  }

  /** Switches it on. Throws ERR_HOST_PROGRAM where the program is not there. */
  start(): void {
    const { program, module, gateway, seed, operandStackBytes, updates, onLog, onEnd } = this.options;
    if (!existsSync(program)) throw new FirmwareError('ERR_HOST_PROGRAM', `${program} has not been built`);
    const stack = operandStackBytes === undefined ? [] : ['--stack', `${operandStackBytes}`];
    const args = [module, '--gateway', gateway, '--seed', `${seed}`, '--state', this.stateFile, ...stack];
    if (updates !== undefined) args.push(...this.keepUpdates(updates));
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    createInterface({ input: child.stderr }).on('line', (line) => onLog?.(line));
    const end = (reason: string): void => {
      if (this.child !== child) return; // it was to end
      this.child = undefined;
      onEnd?.(new FirmwareError('ERR_HOST_PROGRAM', `${program} ${reason}`));
    };
    child.once('error', (error) => end(`cannot be run: ${error.message}`));
    child.once('close', (code, signal) => end(`has ended by itself (${code ?? signal})`));
  }

  /** As a press of its reset button: killed in the middle of what it does, and started from the state that it has kept. */
  async reset(): Promise<void> {
    await this.kill();
    this.start();
  }

  /** Switches it off, without a word to the gateway, as a power cut does. */
  async close(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private keepUpdates({ publicKey, name, version }: ProgramUpdates): string[] {
    const key = join(this.folder, KEY_FILE);
    writeFileSync(key, publicKey);
    return ['--slots', this.stateFile + SLOTS_SUFFIX, '--key', key, '--name', name, '--app-version', version];
  }

  private async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
  }
}
