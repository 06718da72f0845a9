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

/** `elf`: lockstep firmware. Rejects with ERR_EMULATOR. */
export async function lockstepOnEmulator(board: Board, elf: string, onLog?: OnLog): Promise<LockstepBoard> {
  const device = new LockstepDevice((frame) => running.send(frame));
  let booted = (_error?: Error): void => {};
  const boot = new Promise<void>((resolve, reject) => {
    booted = (error) => (error === undefined ? resolve() : reject(error));
  });
  boot.catch(() => {}); // where nobody waits for it
  const running = await startEmulator(board, elf, {
    seed: 0, // each `start` says its own
    onFrame: (frame) => device.take(frame),
    onLog: (level, text) => {
      booted();
      device.log(text);
      onLog?.(level, text);
    },
    onEnd: (error) => {
      const reason = error ?? new FirmwareError('ERR_LOCKSTEP', `${board.name} is off`);
      device.stop(reason);
      booted(reason);
    },
  });
  await boot; // it says why it has started once its UART listens: what is sent before may be lost
  return { device, close: () => running.close() };
}

/** A program that is a lockstep device on its standard input and output. */
export async function lockstepProgram(program: string, args: readonly string[], onLog?: OnLog): Promise<LockstepBoard> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const device = new LockstepDevice((frame) => void child.stdin.write(encodeFrame(frame)));
  const decoder = new FrameDecoder(FRAME_BYTES_MAX, (frame) => {
    if (frame[0] !== LOG_FRAME) device.take(frame);
    else {
      const text = new TextDecoder().decode(frame.subarray(LOG_HEADER_BYTES));
      device.log(text);
      onLog?.(frame[1] ?? 0, text);
    }
  });
  child.stdout.on('data', (octets: Buffer) => decoder.push(octets));
  child.stdin.on('error', () => {}); // it has ended, which is told below
  const ended = new Promise<void>((resolve) => {
    const end = (reason: string): void => {
      device.stop(new FirmwareError('ERR_LOCKSTEP', `${program} ${reason}`));
      resolve();
    };
    child.once('error', (error) => end(`cannot be run: ${error.message}`));
    child.once('close', (code, signal) => end(`has ended with ${code ?? signal}`));
  });
  const close = (): Promise<void> => {
    child.kill('SIGKILL');
    return ended;
  };
  return { device, close };
}
