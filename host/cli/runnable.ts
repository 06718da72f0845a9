// What of an application a board runs: its module, or firmware with the module in it; built first where it is a source.
import type { Board } from '../firmware/boards.js';
import { FirmwareError } from '../firmware/error.js';
import { checkFirmware } from '../firmware/firmware-file.js';
import { checkRuns } from '../firmware/run/start.js';
import { readInput } from './files.js';
import { moduleFile } from './module-file.js';

export interface Runnable {
  readonly module: string;
  readonly elf?: string | undefined;
  /** The program that is the board's engine. */
  readonly program?: string | undefined;
  readonly operandStackBytes?: number | undefined;
}

const MODULE = '.wasm';
const FIRMWARE = '.elf';

/** Throws a FirmwareError where it cannot be built, and ERR_BOARD_RUN where the file is of the wrong kind. */
export async function runnable(app: string, board: Board | undefined): Promise<Runnable> {
  const isFirmware = app.endsWith(FIRMWARE);
  if (isFirmware && board?.emulator === undefined) {
    throw new FirmwareError('ERR_BOARD_RUN', `${app} is firmware: --board has to name the board it is for`);
  }
  checkRuns(board);
  if (board === undefined || board.engine === 'v8') {
    const module = await moduleFile(app);
    readInput('the module', module);
    return { module };
  }
  return board.engine === 'native' ? firmware(app, board) : moduleAndProgram(app, board);
}

async function firmware(app: string, board: Board): Promise<Runnable> {
  if (app.endsWith(FIRMWARE)) {
    readInput('the firmware', app);
    checkFirmware(app, board);
    return { module: app, elf: app };
  }
  if (app.endsWith(MODULE)) {
    const why = 'runs native code, which is made from the source, not from a module';
    throw new FirmwareError('ERR_BOARD_RUN', `${app}: ${board.name} ${why}: name the source, or its .elf`);
  }
  const { out, files } = await build(app, board);
  return { module: out, elf: files.elf };
}

async function moduleAndProgram(app: string, board: Board): Promise<Runnable> {
  const { buildHostBoard } = await import('../firmware/wamr.js');
  const program = await buildHostBoard(board);
  if (app.endsWith(MODULE)) {
    readInput('the module', app);
    return { module: app, program };
  }
  const { out, operandStackBytes } = await build(app, board);
  return { module: out, program, operandStackBytes };
}

/** The compiler takes half a second to load: only where it is needed. */
async function build(app: string, board: Board) {
  const { buildFor } = await import('./build-for.js');
  return buildFor(app, board);
}
