// Builds of one application for a board, for commands that do something with what was built.
import { join } from 'node:path';
import type { Board } from '../firmware/boards.js';
import { type BuildReport, build } from '../firmware/build.js';
import { readTargets } from './build.js';

/** `app`: a file, or the name of an example or module. As `thimble build APP --board B`. */
export async function buildFor(app: string, board: Board): Promise<BuildReport> {
  const [target] = readTargets(app, { board: board.name });
  return build(target!);
}

/** Into another folder, for the figures; what does not fit the board is built, too. */
export async function buildToMeasure(app: string, board: Board, folder: string): Promise<BuildReport> {
  const [target] = readTargets(app, { board: board.name });
  return build({ ...target!, out: join(folder, board.name, `${target!.name}.wasm`), anySize: true });
}
