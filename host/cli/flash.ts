// thimble flash: an application onto a real board.
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { type Board, type FlashTool, isForSdk, readBoard, readmeOf } from '../firmware/boards.js';
import { installCommand } from '../firmware/doctor/examine.js';
import { FirmwareError } from '../firmware/error.js';
import { checkFirmware } from '../firmware/firmware-file.js';
import { commandLine, type FlashFiles, type FlashPlan, planFlash, runFlashTool } from '../firmware/flash.js';
import { buildFor } from './build-for.js';
import { UsageError } from './failure.js';
import { print, printJson } from './output.js';

export interface FlashCommandOptions {
  readonly board: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What is built already, and which placeholder of the tool's arguments it stands for. */
const BUILT: Readonly<Record<string, keyof FlashFiles>> = {
  '.hex': 'hex',
  '.bin': 'bin',
  '.elf': 'elf',
  '.wasm': 'module',
};

export async function runFlash(app: string, options: FlashCommandOptions): Promise<void> {
  const board = readBoard(options.board);
  const tool = toolOf(board, app); // before anything is built
  const files = await filesOf(app, board);
  const plan = planFlash(tool, files);
  if (isBuilt(app)) checkFiles([app, ...Object.values(files).filter((file) => isUsed(file, plan))], board);
  if (options.dryRun === true) {
    show(plan, board, options.json === true, false);
  } else if (plan.path === undefined) {
    show(plan, board, options.json === true, false);
    throw new FirmwareError('ERR_FLASH', `${plan.program} is not installed: ${howToGet(plan, board)}`);
  } else {
    if (options.json !== true) print(commandLine(plan));
    await runFlashTool(plan);
    if (options.json === true) show(plan, board, true, true);
  }
}

const isBuilt = (app: string): boolean => BUILT[extname(app)] !== undefined;

const isUsed = (file: string, { args }: FlashPlan): boolean => args.some((argument) => argument.includes(file));

function checkFiles(files: readonly string[], board: Board): void {
  for (const file of new Set(files)) checkFirmware(file, board);
}

function toolOf(board: Board, app: string): FlashTool {
  if (board.flash !== undefined) return board.flash;
  throw new UsageError(
    'ERR_USAGE_BOARD',
    `${board.name} is nothing that can be written to; thimble run ${app} --board ${board.name} starts it`,
  );
}

/** The files of a build that is there already, all of one name, or of one that is made now. */
async function filesOf(app: string, board: Board): Promise<FlashFiles> {
  const extension = extname(app);
  if (!isBuilt(app)) return (await buildFor(app, board)).files;
  if (!existsSync(app)) throw new UsageError('ERR_USAGE_FILE', `${app}: there is no such file`);
  const stem = app.slice(0, -extension.length);
  const there = Object.entries(BUILT).filter(([ending]) => existsSync(`${stem}${ending}`));
  return Object.fromEntries(there.map(([ending, kind]) => [kind, `${stem}${ending}`]));
}

function show(plan: FlashPlan, board: Board, asJson: boolean, ran: boolean): void {
  const { program, args, path, tool } = plan;
  if (asJson) {
    const { package: debianPackage = null, hint = null } = tool;
    const installed = path !== undefined;
    printJson({ board: board.name, command: [program, ...args], installed, package: debianPackage, hint, ran });
    return;
  }
  print(commandLine(plan));
  if (tool.hint !== undefined) process.stderr.write(`${tool.hint}\n`);
  if (!isForSdk(board)) return;
  const what =
    "what was built is a module and a header for the SDK's own project, which this command builds and writes";
  process.stderr.write(`${what}: ${readmeOf(board)}\n`);
}

function howToGet({ tool }: FlashPlan, board: Board): string {
  if (tool.package === undefined) return `see ${readmeOf(board)}`;
  return `${installCommand([tool.package])}; then the command above does it`;
}
