// What a published message costs a device: instructions of its core, or of WAMR's, by the same calls everywhere.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PacketType } from '../assembly/protocol/index.js';
import { type Board, listBoards, readBoard } from '../host/firmware/boards.js';
import { FirmwareError } from '../host/firmware/error.js';
import { buildNative } from '../host/firmware/native/build-native.js';
import { PACKAGE_ROOT } from '../host/firmware/paths.js';
import { INSTRUCTION_NS } from '../host/firmware/run/emulator.js';
import type { Measurement } from '../host/firmware/run/lockstep.js';
import { type LockstepBoard, lockstepOnEmulator, lockstepProgram } from '../host/firmware/run/lockstep-board.js';
import { buildHostBoard } from '../host/firmware/wamr.js';
import { type Call, repeatCall } from './footprint/calls.js';
import { recordDay } from './footprint/day.js';
import { type Built, buildTwice } from './footprint/modules.js';

/** What a message takes on one engine. */
export interface InstructionRow {
  readonly board: string;
  /** The part, for people. */
  readonly core: string;
  readonly qos: 0 | 1;
  /** Of a message: making it, and at QoS 1 taking its PUBACK. The mean of all that were measured. */
  readonly instructions: number;
  readonly messages: number;
}

const PUBLISHER = join(PACKAGE_ROOT, 'bench', 'apps', 'publisher.ts');
const SEED = 1;
/** Messages before the first that counts: the first one has to register its topic. */
const WARM_UP = 3;
const MESSAGES = 20;
const MESSAGE_MS = 1_000;
const NS_PER_S = 1e9;
const QOS_LEVELS = [0, 1] as const;

/** Boards whose tools are missing are left out, and told of on stderr. */
export async function countInstructions(): Promise<InstructionRow[]> {
  const rows: InstructionRow[] = [];
  const boards = listBoards()
    .map(readBoard)
    .filter(({ emulator, host }) => emulator !== undefined || host !== undefined);
  for (const qos of QOS_LEVELS) {
    const built = await buildTwice({
      name: `publisher-${qos}`,
      entry: 'application',
      application: PUBLISHER,
      patch: (_, text) => text.replace('QOS: i32 = 0', `QOS: i32 = ${qos}`),
    });
    for (const board of boards) {
      try {
        rows.push({ board: board.name, core: coreOf(board), qos, ...(await countOn(board, built)) });
      } catch (error) {
        if (!(error instanceof FirmwareError) || error.code !== 'ERR_TOOLCHAIN') throw error;
        process.stderr.write(`${board.name} is left out: ${error.message}\n`);
      }
    }
  }
  return rows;
}

const coreOf = (board: Board): string => (board.engine === 'wamr' ? "WAMR's fast interpreter" : board.mcu);

async function countOn(board: Board, built: Built): Promise<{ instructions: number; messages: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-instructions-'));
  const calls = recordDay(built.linked.bytes, { seed: SEED, durationMs: (WARM_UP + MESSAGES + 2) * MESSAGE_MS });
  try {
    const running = await start(board, built, folder);
    try {
      return await count(running, board, calls);
    } finally {
      await running.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function start(board: Board, { name, linked, shifted }: Built, folder: string): Promise<LockstepBoard> {
  if (board.host === undefined) {
    const options = { board, name, module: linked.named, shifted, outDir: folder, main: 'lockstep' } as const;
    return lockstepOnEmulator(board, (await buildNative(options)).elf);
  }
  const program = await buildHostBoard(board);
  const module = join(folder, `${name}.wasm`);
  writeFileSync(module, linked.bytes);
  return lockstepProgram(program, [module, '--lockstep']);
}

/** From one PUBLISH to before the next: all calls, whatever they were for. */
async function count(
  { device }: LockstepBoard,
  board: Board,
  calls: readonly Call[],
): Promise<{ instructions: number; messages: number }> {
  let instructions = 0;
  let messages = 0;
  for (const call of calls) {
    await repeatCall(device, call);
    if (call.sent.some(({ datagram }) => datagram[1] === PacketType.Publish)) messages++;
    if (messages <= WARM_UP || messages > WARM_UP + MESSAGES) continue;
    instructions += instructionsOf(await device.measure(), board);
  }
  return { instructions: instructions / MESSAGES, messages: MESSAGES };
}

/** Where the engine does not count them, its clock does: each takes the same time there. */
function instructionsOf({ instructions, cycles }: Measurement, board: Board): number {
  const hz = board.emulator?.hz;
  return hz === undefined ? instructions : (cycles / hz) * (NS_PER_S / INSTRUCTION_NS);
}
