// The footprint: npm run footprint [-- --json | --write]. What modules take on boards, of all there is to take.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { number, print, printJson, table } from '../../host/cli/output.js';
import { type Board, listBoards, readBoard } from '../../host/firmware/boards.js';
import { PACKAGE_ROOT } from '../../host/firmware/paths.js';
import { findProgram, versionOf } from '../../host/firmware/programs.js';
import { buildHostBoard } from '../../host/firmware/wamr.js';
import { parseModule } from '../../host/firmware/wasm.js';
import { commitDate, describeVersions } from '../machine.js';
import { formatFootprint } from './document.js';
import { type FirmwareRow, measureFirmware } from './firmware.js';
import { type Built, buildOnce, measuredModules } from './modules.js';
import { type ClientRow, compilerOf, measureClient } from './objects.js';
import { measureWamr, type WamrRow } from './wamr.js';

export interface Footprint {
  readonly versions: Readonly<Record<string, string>>;
  readonly firmware: readonly FirmwareRow[];
  readonly wamr: readonly WamrRow[];
  readonly client: readonly ClientRow[];
}

/** One line of --json: a module on a board. Null where there is no such thing. */
export interface FootprintRow {
  readonly module: string;
  readonly board: string;
  readonly wasmBytes: number;
  readonly textBytes: number | null;
  readonly dataBytes: number | null;
  readonly bssBytes: number | null;
  /** High-water mark of the C stack; under WAMR the operand stack that may be needed. */
  readonly stackBytes: number;
  readonly linearBytes: number;
}

const HELP = `npm run footprint -- [--json] [--write | --module NAME]

  --json         print one JSON document
  --write        write docs/FOOTPRINT.md
  --module NAME  measure this one only

Needs the toolchains and emulators of all boards: thimble doctor says what is missing.
`;

const DOCUMENT = join(PACKAGE_ROOT, 'docs', 'FOOTPRINT.md');
/** What is compared with other people's clients. */
const CLIENT = 'modem-mqttsn';

async function measureAll(only: string | undefined, onProgress: (text: string) => void): Promise<Footprint> {
  const boards = listBoards().map(readBoard);
  const native = boards.filter(({ toolchain }) => toolchain !== undefined);
  const hosted = await Promise.all(
    boards
      .filter(({ host }) => host !== undefined)
      .map(async (board) => ({ board, program: await buildHostBoard(board) })),
  );
  const firmware: FirmwareRow[] = [];
  const wamr: WamrRow[] = [];
  const client: ClientRow[] = [];
  for (const target of measuredModules().filter(({ name }) => only === undefined || name === only)) {
    for (const board of native) {
      onProgress(`${target.name} on ${board.name}`);
      const built = await buildOnce(target, board);
      if (!fits(built, board)) continue;
      firmware.push(await measureFirmware(built, board));
      if (target.name === CLIENT) client.push(await measureClient(built, board));
    }
    for (const { board, program } of hosted) wamr.push(measureWamr(await buildOnce(target, board), board, program));
  }
  return { versions: await versionsOf(native), firmware, wamr, client };
}

/** Applications that take updates are for boards that have a second slot. */
function fits({ linked }: Built, board: Board): boolean {
  return board.updates === true || parseModule(linked.bytes).imports.every(({ name }) => name !== 'update');
}

async function versionsOf(boards: readonly Board[]): Promise<Record<string, string>> {
  const compilers = boards.map(({ toolchain }) => [`${toolchain!.prefix}gcc`, compilerOf(toolchain!)] as const);
  const emulators = boards.flatMap(({ emulator }) => (emulator === undefined ? [] : [emulator.program]));
  const versions = await Promise.all(
    [...new Set([...emulators, 'wasm2c'])].map(async (program) => {
      const path = findProgram(program);
      return [program, (path && (await versionOf(path))) ?? 'not there'] as const;
    }),
  );
  return { thimble: describeVersions().thimble, ...Object.fromEntries(compilers), ...Object.fromEntries(versions) };
}

/** All boards in one list. */
function rowsOf({ firmware, wamr }: Footprint): FootprintRow[] {
  const native = firmware.map((row): FootprintRow => {
    const { module, board, wasmBytes, textBytes, dataBytes, bssBytes, stackBytes, linearBytes } = row;
    return { module, board, wasmBytes, textBytes, dataBytes, bssBytes, stackBytes, linearBytes };
  });
  const hosted = wamr.map((row): FootprintRow => {
    const { module, board, wasmBytes, stackBytes, linearBytes } = row;
    return { module, board, wasmBytes, textBytes: null, dataBytes: null, bssBytes: null, stackBytes, linearBytes };
  });
  return [...native, ...hosted];
}

function printRows(rows: readonly FootprintRow[]): void {
  const cell = (value: number | null): string => (value === null ? '–' : number(value));
  const head = ['module', 'board', 'wasm B', 'text B', 'data B', 'bss B', 'stack B', 'linear memory B'];
  const cells = rows.map((row) => [
    row.module,
    row.board,
    ...[row.wasmBytes, row.textBytes, row.dataBytes, row.bssBytes, row.stackBytes, row.linearBytes].map(cell),
  ]);
  print(table(head, cells));
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    module: { type: 'string' },
    help: { type: 'boolean' },
  },
});

if (values.help === true) {
  process.stdout.write(HELP);
} else {
  if (values.write === true && values.module !== undefined) throw new Error('--write takes all modules');
  const footprint = await measureAll(values.module, (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (values.write === true) writeFileSync(DOCUMENT, formatFootprint(footprint, commitDate()));
  const { versions, wamr, client } = footprint;
  if (values.json === true) printJson({ versions, rows: rowsOf(footprint), wamr, client });
  else printRows(rowsOf(footprint));
}
