// An application on a board, whichever way the board runs here: V8 in this process, a program of this machine, or an
// emulator behind a forwarder of this process. To the gateway and to whoever calls this they are all alike.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { DeviceModule } from '../../device/device.js';
import type { DeviceError } from '../../device/error.js';
import type { Endpoint } from '../../net/peer-address.js';
import { printable, SerialForwarder } from '../../net/serial-forwarder.js';
import { formatAddress } from '../../net/udp.js';
import { type StateStore, startUdpDevice, type UdpDevice } from '../../net/udp-device.js';
import { StateFile } from '../../store/state-file.js';
import type { DeviceUpdates } from '../../update/device-updates.js';
import { type Board, readmeOf } from '../boards.js';
import { FirmwareError } from '../error.js';
import { startEmulator } from './emulator.js';
import { HostProgram, type ProgramUpdates } from './host-program.js';

export interface StartOptions {
  /** Default: none, and V8. */
  readonly board?: Board | undefined;
  /** The module's file. */
  readonly module: string;
  /** Firmware with the module in it, for boards with an emulator. */
  readonly elf?: string | undefined;
  /** The program that is the board's engine, for boards that have one. */
  readonly program?: string | undefined;
  /** Of the module, for WAMR. */
  readonly operandStackBytes?: number | undefined;
  readonly gateway: Endpoint;
  /** What tells the device from others of its kind, 32 bits. */
  readonly seed: number;
  /** Where ADVERTISE and GWINFO are heard, on V8. */
  readonly broadcast?: string | undefined;
  /** Where the state outlives the process. Not for emulated boards, whose memory keeps it. */
  readonly stateFile?: string | undefined;
  /** Where it takes updates, as a program of this machine. */
  readonly programUpdates?: ProgramUpdates | undefined;
  /** Where it takes updates, on V8. */
  readonly updates?: DeviceUpdates | undefined;
  /** Sees every datagram, where this process carries them; `bytes` are valid only during the call. */
  readonly tap?: ((direction: 'up' | 'down', bytes: Uint8Array) => void) | undefined;
  /** What the board says to people. `level`: 0 (error) to 3 (debug). */
  readonly onLog: (level: number, text: string) => void;
  readonly onNetworkError?: (error: Error) => void;
  /** It has ended without having been asked to. */
  readonly onEnd?: (error: Error) => void;
}

export interface StartedBoard {
  /** On V8. */
  readonly device?: UdpDevice;
  /** As a press of the reset button: what the board keeps across a reset is kept. */
  reset(): Promise<void>;
  /** Switches it off, without a word to the gateway, as a power cut does. */
  close(): Promise<void>;
}

const LOG_ERROR = 0;
const LOG_INFO = 2;

/** Rejects with ERR_BOARD_RUN where the board does not run on this machine. */
export function startBoard(options: StartOptions): Promise<StartedBoard> {
  const { board } = options;
  checkRuns(board);
  if (board === undefined || board.engine === 'v8') return startOnV8(options);
  if (board.host !== undefined) return startHostProgram(options);
  return startEmulated(board, options);
}

/** Throws ERR_BOARD_RUN where the board does not run on this machine. */
export function checkRuns(board: Board | undefined): void {
  if (board === undefined || board.engine === 'v8' || board.host !== undefined || board.emulator !== undefined) return;
  throw new FirmwareError(
    'ERR_BOARD_RUN',
    `${board.name} does not run on this machine: ${readmeOf(board)} says how it is started`,
  );
}

/** Memory that outlives the reset button. */
class RetainedMemory implements StateStore {
  private image: Uint8Array | undefined;

  load(): Uint8Array | undefined {
    return this.image;
  }

  keep(image: Uint8Array): void {
    this.image = image;
  }

  forget(): void {
    this.image = undefined;
  }
}

async function startOnV8(options: StartOptions): Promise<StartedBoard> {
  const { module: file, stateFile, updates, onLog, broadcast, tap, onNetworkError, onEnd } = options;
  const octets = readFileSync(file);
  const module = new DeviceModule(octets, basename(file));
  const tell = (text: string): void => onLog(LOG_ERROR, text);
  const state = stateFile === undefined ? new RetainedMemory() : new StateFile(stateFile, octets, tell);
  const start = (): Promise<UdpDevice> =>
    startUdpDevice(module, {
      ...options.gateway,
      seed: options.seed,
      state,
      ...(broadcast !== undefined && { broadcast }),
      ...(tap && { tap }),
      onBegin: (how) => onLog(LOG_INFO, how === 'resumed' ? 'resumed' : 'started: power'),
      ...(onNetworkError && { onNetworkError }),
      ...(updates && { updates }),
      onUpdate: (what) =>
        what === 'accepted'
          ? onLog(LOG_INFO, 'an update is complete and starts')
          : onLog(LOG_ERROR, 'the update did not confirm that it works in time; what was there before starts again'),
      onReset: (error, delayMs) =>
        onLog(LOG_ERROR, `${error.message} [${(error as DeviceError).code}]; starts again in ${delayMs} ms`),
      ...(onEnd && { onEnd }),
    });
  let device = await start();
  return {
    get device() {
      return device;
    },
    reset: async () => {
      await device.close();
      device = await start();
    },
    close: () => device.close(),
  };
}

async function startHostProgram(options: StartOptions): Promise<StartedBoard> {
  const { module, seed, stateFile, operandStackBytes, onEnd } = options;
  const program = new HostProgram({
    program: needed(options.program, 'a program'),
    module,
    gateway: formatAddress(options.gateway.host, options.gateway.port),
    seed,
    stateFile,
    operandStackBytes,
    updates: options.programUpdates,
    onLog: (text) => options.onLog(LOG_INFO, text),
    ...(onEnd && { onEnd }),
  });
  program.start();
  return program;
}

async function startEmulated(board: Board, options: StartOptions): Promise<StartedBoard> {
  const { seed, tap, onLog, onNetworkError, onEnd } = options;
  const forwarder = await SerialForwarder.open({
    gateway: options.gateway,
    ...(tap && { tap: (_line, direction, bytes) => tap(direction, bytes) }),
    ...(onNetworkError && { onNetworkError }),
  });
  try {
    const line = forwarder.add({
      name: `${board.name} ${seed}`,
      send: (packet) => {
        running?.send(packet);
        return running !== undefined;
      },
    });
    let running: Awaited<ReturnType<typeof startEmulator>> | undefined;
    running = await startEmulator(board, needed(options.elf, 'firmware'), {
      seed,
      onFrame: (frame) => line.receive(frame),
      onLog: (level, text) => onLog(level, printable(text)),
      onEnd: (error) => {
        if (error !== undefined) onEnd?.(error);
      },
    });
    const emulated = running;
    let closed: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await emulated.powerOff();
      closed ??= forwarder.close();
      await closed;
    };
    return { reset: () => emulated.reset(), close };
  } catch (error) {
    await forwarder.close();
    throw error;
  }
}

function needed(file: string | undefined, what: string): string {
  if (file === undefined) throw new FirmwareError('ERR_BOARD_RUN', `no ${what} was given for the board`);
  return file;
}
