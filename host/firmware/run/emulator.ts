// One board in its emulator: datagrams and log lines over its serial line, and the hand at its reset button.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFrame, FrameDecoder } from '../../net/slip.js';
import type { Board, Emulator } from '../boards.js';
import { FirmwareError } from '../error.js';
import { findProgram } from '../programs.js';
import { Monitor } from './qmp.js';

/**
 * Each instruction takes so long on the emulated clock, which otherwise would follow this machine's: the same calls take the
 * same time whatever else runs here, and instructions can be counted by the board's own clock. While the core sleeps the
 * clock follows the machine's, and the emulator sleeps, too. An endless loop is over in a fraction of its time.
 */
const ICOUNT_SHIFT = 6;
export const INSTRUCTION_NS = 2 ** ICOUNT_SHIFT;

/** A state region of several kilobytes fits: lockstep firmware sends it in one frame. */
const FRAME_BYTES_MAX = 65_536;
const LOG_FRAME = 0x00;
const LOG_HEADER_BYTES = 2;
/** In a folder of the emulator's own. */
const MONITOR_FILE = 'monitor';
const LINE_FILE = 'line';
const SEED_FILE = 'seed';
/** Of what the emulator says itself; the rest is dropped. */
const COMPLAINT_CHARS_MAX = 2_000;

export interface EmulatorOptions {
  /** What tells this device from others of its kind, 32 bits. */
  readonly seed: number;
  /** A datagram of the board, or an answer of its lockstep firmware. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** `level`: 0 (error) to 3 (debug). */
  readonly onLog?: (level: number, text: string) => void;
  /** It is over: with an error where nobody has asked for that. Called once. */
  readonly onEnd?: (error?: FirmwareError) => void;
}

/** The methods after `powerOff` or `close`, or once it has ended by itself, do nothing. */
export interface RunningBoard {
  send(frame: Uint8Array): void;
  /** Octets as they are, for tests of broken frames. */
  sendRaw(octets: Uint8Array): void;
  /** Pulls the reset line: memory is kept, the program starts again. */
  reset(): Promise<void>;
  /** At once, in the middle of whatever it does; nothing is kept. */
  powerOff(): Promise<void>;
  close(): Promise<void>;
}

/** Starts `elf` on the board's emulator. Rejects with ERR_EMULATOR where the board has none, or it cannot be started. */
export async function startEmulator(board: Board, elf: string, options: EmulatorOptions): Promise<RunningBoard> {
  const { emulator } = board;
  if (emulator === undefined) throw new FirmwareError('ERR_EMULATOR', `${board.name} has no emulator`);
  const program = findProgram(emulator.program);
  if (program === undefined) {
    throw new FirmwareError('ERR_EMULATOR', `${emulator.program} is not installed: thimble doctor says how to get it`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'thimble-board-'));
  const monitor = await Monitor.listen(join(folder, MONITOR_FILE));
  const line = openLine(join(folder, LINE_FILE));
  const [command, ...args] = [...leash(), program, ...argumentsFor(emulator, elf, folder, options.seed)];
  const child = spawn(command!, args, { stdio: ['pipe', line.writer, 'pipe'] });
  closeSync(line.writer);
  const running = new EmulatedBoard(child, line.reader, monitor, emulator.program, options);
  void running.ended.then(() => rmSync(folder, { recursive: true, force: true }));
  try {
    await monitor.ready();
  } catch (error) {
    throw (await running.ended) ?? error;
  }
  return running;
}

/** An emulator does not notice that nobody is there any more. Where the system can, it ends it with this process. */
function leash(): string[] {
  const program = findProgram('setpriv');
  return program === undefined ? [] : [program, '--pdeathsig', 'KILL'];
}

/**
 * What the board says comes through a pipe with a name. The pipes of child processes are sockets, in which each octet takes
 * up hundreds, and emulated UARTs drop what does not fit.
 */
function openLine(path: string): { readonly reader: Socket; readonly writer: number } {
  execFileSync('mkfifo', [path]);
  const reader = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

function argumentsFor(emulator: Emulator, elf: string, folder: string, seed: number): string[] {
  const { seedAt } = emulator;
  const place: string[] = [];
  if (seedAt !== undefined) {
    // As a file it is part of flash; `data=` would be a write, which flash ignores.
    const file = join(folder, SEED_FILE);
    writeFileSync(file, new Uint8Array(new Uint32Array([seed]).buffer));
    place.push('-device', `loader,file=${file},addr=${seedAt},force-raw=on`);
  }
  return [
    ...emulator.arguments,
    ...['-icount', `shift=${ICOUNT_SHIFT}`],
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
    ...['-qmp', `unix:${join(folder, MONITOR_FILE)}`],
    ...['-kernel', elf],
    ...place,
  ];
}

class EmulatedBoard implements RunningBoard {
  /** Once the program is over: the reason, where it was not asked for. */
  readonly ended: Promise<FirmwareError | undefined>;
  private readonly decoder: FrameDecoder;
  private complaint = '';
  private isOver = false;
  private isStopped = false;

  constructor(
    private readonly child: ChildProcess,
    line: Socket,
    private readonly monitor: Monitor,
    private readonly program: string,
    private readonly options: EmulatorOptions,
  ) {
    this.decoder = new FrameDecoder(FRAME_BYTES_MAX, (frame) => this.take(frame));
    line.on('data', (octets: Buffer) => this.decoder.push(octets));
    line.on('error', () => {}); // as below
    child.stderr!.on('data', (text: Buffer) => {
      this.complaint = (this.complaint + text.toString()).slice(0, COMPLAINT_CHARS_MAX);
    });
    child.stdin!.on('error', () => {}); // it has ended: `ended` says so
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => this.end(this.explain(error), resolve));
      child.once('close', () => this.end(undefined, resolve));
    });
  }

  send(frame: Uint8Array): void {
    this.sendRaw(encodeFrame(frame));
  }

  sendRaw(octets: Uint8Array): void {
    if (!this.isOver) this.child.stdin!.write(octets);
  }

  async reset(): Promise<void> {
    if (this.isOver) return;
    this.decoder.reset();
    await this.monitor.execute('system_reset');
  }

  async powerOff(): Promise<void> {
    if (!this.isOver) {
      this.isStopped = true;
      this.child.kill('SIGKILL');
    }
    await this.ended;
  }

  close(): Promise<void> {
    return this.powerOff();
  }

  private take(frame: Uint8Array): void {
    if (this.isStopped) return;
    if (frame[0] !== LOG_FRAME) this.options.onFrame(frame);
    else this.options.onLog?.(frame[1] ?? 0, new TextDecoder().decode(frame.subarray(LOG_HEADER_BYTES)));
  }

  private end(error: FirmwareError | undefined, resolve: (error?: FirmwareError) => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.monitor.close();
    const reason = this.isStopped ? undefined : (error ?? this.explain());
    resolve(reason);
    this.options.onEnd?.(reason);
  }

  private explain(error?: Error): FirmwareError {
    const said = error?.message ?? (this.complaint.trim() || `exit status ${this.child.exitCode}`);
    return new FirmwareError('ERR_EMULATOR', `${this.program} has ended by itself: ${said}`);
  }
}
