// What modules take on boards with native code: of flash and RAM as the linker says, of stack as it was used in the emulator.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Board } from '../../host/firmware/boards.js';
import { buildNative, type NativeBuild } from '../../host/firmware/native/build-native.js';
import { lockstepOnEmulator } from '../../host/firmware/run/lockstep-board.js';
import { type Call, repeatCall } from './calls.js';
import { type DayOptions, type Publish, recordDay } from './day.js';
import { MODEM_PLAYS } from './modem-day.js';
import type { Built } from './modules.js';

export interface FirmwareRow {
  readonly module: string;
  readonly board: string;
  readonly wasmBytes: number;
  /** Of the whole firmware: module, port and library. */
  readonly textBytes: number;
  readonly dataBytes: number;
  /** All RAM but `data` and the stack. */
  readonly bssBytes: number;
  /** The most that was used (painted), in firmware that takes its calls from outside. */
  readonly stackBytes: number;
  /** The most that the same firmware can ever use. */
  readonly stackWorstBytes: number;
  /** What the board keeps for the stack. */
  readonly stackReservedBytes: number;
  readonly linearBytes: number;
}

const SEED = 0x2a;
const SERIAL = '0000002a';
const PAYLOADS = ['{"on":true}', '{"on":false}'];
/** Whatever the examples subscribe to, at each QoS. */
const PUBLISHES: readonly Publish[] = [`light-${SERIAL}/set`, 'all/lights/now', `roamer-${SERIAL}/order`].flatMap(
  (leaf) =>
    ([0, 1, 2] as const).map((qos) => ({ topic: `home/${leaf}`, qos, payload: PAYLOADS[qos % PAYLOADS.length]! })),
);
/** A quarter of an hour in which whatever can go wrong does. */
const DAY: DayOptions = {
  seed: SEED,
  durationMs: 900_000,
  radio: { loss: { model: 'bernoulli', lossPercent: 15 }, duplicatePercent: 8, reorderPercent: 5, delayMsMax: 300 },
  publishes: PUBLISHES,
  everyMs: 20_000,
};

export async function measureFirmware({ name, linked, shifted }: Built, board: Board): Promise<FirmwareRow> {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-footprint-'));
  const options = { board, name, module: linked.named, shifted, outDir: folder };
  try {
    const { textBytes, dataBytes, bssBytes } = await buildNative(options);
    const lockstep = await buildNative({ ...options, name: `${name}-lockstep`, main: 'lockstep' });
    return {
      module: name,
      board: board.name,
      wasmBytes: linked.bytes.length,
      textBytes,
      dataBytes,
      bssBytes,
      stackBytes: await measureStack(board, lockstep, playOf(name, linked.bytes)),
      stackWorstBytes: lockstep.stackBytes,
      stackReservedBytes: board.stackBytes ?? 0,
      linearBytes: linked.linearBytes,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Plays the calls in the emulator. What was used is never more than what the build says can be. */
async function measureStack(
  board: Board,
  { elf, stackBytes: atMost }: NativeBuild,
  calls: readonly Call[],
): Promise<number> {
  const { device, close } = await lockstepOnEmulator(board, elf);
  try {
    for (const call of calls) await repeatCall(device, call);
    const { stackBytes } = await device.measure();
    if (stackBytes <= atMost) return stackBytes;
    throw new Error(`${board.name}: ${stackBytes} octets of stack were used, where ${atMost} is said to be the worst`);
  } finally {
    await close();
  }
}

const plays = new Map<Uint8Array, Call[]>();

/** Recorded once for all boards that get the same module. */
function playOf(name: string, wasm: Uint8Array): Call[] {
  const play = plays.get(wasm) ?? MODEM_PLAYS[name]?.(wasm) ?? recordDay(wasm, DAY);
  plays.set(wasm, play);
  return play;
}
