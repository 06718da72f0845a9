// Where a lockstep device runs: in a board's emulator, or as a process of this machine that speaks the same frames on its
// standard input and output.
import { spawn } from 'node:child_process';
import { encodeFrame, FrameDecoder } from '../../net/slip.js';
import type { Board } from '../boards.js';
import { FirmwareError } from '../error.js';
import { startEmulator } from './emulator.js';
import { LockstepDevice } from './lockstep.js';

export interface LockstepBoard {
  readonly device: LockstepDevice;
  /** At once, whatever it does. */
  close(): Promise<void>;
}

/** Lines that a board says to people. */
type OnLog = (level: number, text: string) => void;

/** A state region of any size fits. */
const FRAME_BYTES_MAX = 131_072;
const LOG_FRAME = 0x00;
const LOG_HEADER_BYTES = 2;

/**
 * A board says why it has started once it listens: what is sent before may be lost, and lines that come later are of a
 * start that nobody asked for.
 */
class Boot {
  private settle = (_error?: Error): void => {};
  /** Rejects where it ends before. */
  readonly ended = new Promise<void>((resolve, reject) => {
    this.settle = (error) => (error === undefined ? resolve() : reject(error));
  });

  constructor() {
    this.ended.catch(() => {}); // where nobody waits for it
  }

  end(error?: Error): void {
    this.settle(error);
  }
}

/** `elf`: lockstep firmware. Rejects with ERR_EMULATOR. */
export async function lockstepOnEmulator(board: Board, elf: string, onLog?: OnLog): Promise<LockstepBoard> {
  const device = new LockstepDevice((frame) => running.send(frame));
  const boot = new Boot();
  const running = await startEmulator(board, elf, {
    seed: 0, // each `start` says its own
    onFrame: (frame) => device.take(frame),
    onLog: (level, text) => {
      boot.end();
      device.log(text);
      onLog?.(level, text);
    },
    onEnd: (error) => {
      const reason = error ?? new FirmwareError('ERR_LOCKSTEP', `${board.name} is off`);
      device.stop(reason);
      boot.end(reason);
    },
  });
  await boot.ended;
  return { device, close: () => running.close() };
}

/** A program that is a lockstep device on its standard input and output. */
export async function lockstepProgram(program: string, args: readonly string[], onLog?: OnLog): Promise<LockstepBoard> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const device = new LockstepDevice((frame) => void child.stdin.write(encodeFrame(frame)));
  const boot = new Boot();
  const decoder = new FrameDecoder(FRAME_BYTES_MAX, (frame) => {
    if (frame[0] !== LOG_FRAME) device.take(frame);
    else {
      const text = new TextDecoder().decode(frame.subarray(LOG_HEADER_BYTES));
      boot.end();
      device.log(text);
      onLog?.(frame[1] ?? 0, text);
    }
  });
  child.stdout.on('data', (octets: Buffer) => decoder.push(octets));
  child.stdin.on('error', () => {}); // it has ended, which is told below
  const ended = new Promise<void>((resolve) => {
    const end = (reason: string): void => {
      const error = new FirmwareError('ERR_LOCKSTEP', `${program} ${reason}`);
      device.stop(error);
      boot.end(error);
      resolve();
    };
    child.once('error', (error) => end(`cannot be run: ${error.message}`));
    child.once('close', (code, signal) => end(`has ended with ${code ?? signal}`));
  });
  const close = (): Promise<void> => {
    child.kill('SIGKILL');
    return ended;
  };
  await boot.ended;
  return { device, close };
}
