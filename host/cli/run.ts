// thimble run: an application on V8, under WAMR or on an emulated board, on a real network.
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { Counter } from '../../assembly/protocol/index.js';
import { type Board, listBoards, readBoard } from '../firmware/boards.js';
import { identityOf } from '../firmware/identity.js';
import { type StartedBoard, type StartOptions, startBoard } from '../firmware/run/start.js';
import { formatAddress } from '../net/udp.js';
import type { UdpDevice } from '../net/udp-device.js';
import { checkStateFile } from '../store/state-file.js';
import { ANY_BOARD } from '../update/header.js';
import { checkBroadcast, gatewayOf, portOf } from './addresses.js';
import { BoardResets } from './board-resets.js';
import { Closers } from './closers.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';
import { SEED_MAX, wholeNumber } from './numbers.js';
import { count, number, print, printJson } from './output.js';
import { openOwnNetwork } from './own-network.js';
import { type Runnable, runnable } from './runnable.js';
import { untilStopped } from './stop.js';
import { complainOnce, showDatagram, showLog } from './traffic.js';

export interface RunCommandOptions {
  readonly board?: string;
  readonly gateway?: string;
  readonly ownBroker?: string;
  readonly broadcast?: string;
  readonly seed?: string;
  readonly state?: string;
  readonly updateKey?: string;
  readonly for?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const MS_PER_S = 1000;
const SECONDS_MAX = 2_000_000;
const GATEWAY_DEFAULT = '127.0.0.1:1884';

export async function runRun(app: string, options: RunCommandOptions): Promise<void> {
  const closers = new Closers();
  try {
    await run(app, options, closers);
  } finally {
    await closers.close();
  }
}

async function run(app: string, options: RunCommandOptions, closers: Closers): Promise<void> {
  const board = options.board === undefined ? undefined : readBoard(options.board);
  checkOptions(board, options);
  const seed =
    options.seed === undefined ? randomBytes(4).readUInt32LE() : wholeNumber('--seed', options.seed, 0, SEED_MAX);
  const forMs = options.for === undefined ? undefined : secondsOf(options.for) * MS_PER_S;
  const gatewayGiven = options.ownBroker === undefined ? gatewayOf(options.gateway ?? GATEWAY_DEFAULT) : undefined;
  const ownPort = options.ownBroker === undefined ? undefined : portOf('--own-broker', options.ownBroker);

  const what = await runnable(app, board);
  const gateway = gatewayGiven ?? (await openNetwork(ownPort!, closers));
  const traffic = { up: 0, down: 0 };
  const heard = new BoardResets();
  const end = new AbortController();
  const running = await startBoard({
    board,
    ...what,
    gateway,
    seed,
    stateFile: options.state,
    ...(options.updateKey !== undefined && (await takeUpdates(what.module, options.updateKey, board))),
    broadcast: options.broadcast,
    tap: (direction, bytes) => {
      traffic[direction]++;
      if (options.verbose === true) showDatagram(direction, bytes);
    },
    onLog: (level, text) => tellLog(board, level, text, heard, options.verbose === true),
    onNetworkError: complainOnce(),
    onEnd: (error) => end.abort(error),
  });
  closers.add(() => running.close());
  const serial = seed.toString(16).padStart(8, '0');
  const stopped = untilStopped(forMs, end.signal); // before the announcement: who reads it may already ask for the end
  if (options.json !== true) {
    const where = board === undefined ? '' : ` on ${board.name}`;
    const to = formatAddress(gateway.host, gateway.port);
    print(`${nameOf(what)} (${serial}) runs${where} against ${to}; Ctrl-C switches it off`);
  }
  await stopped;
  report({ serial, ...(board && { board: board.name }) }, running, traffic, heard, board, options.json === true);
}

/** Said before anything is built or opened. */
function checkOptions(board: Board | undefined, options: RunCommandOptions): void {
  if (options.gateway !== undefined && options.ownBroker !== undefined) {
    throw new UsageError('ERR_USAGE_GATEWAY', '--own-broker: it has a gateway of its own, so no --gateway');
  }
  checkBroadcast(options.broadcast);
  const isV8 = board === undefined || board.engine === 'v8';
  if (options.broadcast !== undefined && !isV8) {
    throw new UsageError('ERR_USAGE_BROADCAST', `--broadcast: ${board.name} hears its gateway alone`);
  }
  if (options.updateKey !== undefined && board !== undefined && !takesUpdates(board)) {
    const others = listBoards().filter((name) => takesUpdates(readBoard(name)));
    const why = `${board.name} takes no updates here; boards that do: ${others.join(', ')}`;
    throw new UsageError('ERR_USAGE_UPDATES', `--update-key: ${why}; and V8 without --board`);
  }
  if (options.updateKey !== undefined && options.state !== undefined && isV8) {
    const why = 'an update lives as long as the process, and its state would outlive it';
    throw new UsageError('ERR_USAGE_STATE', `--state: not with --update-key: ${why}`);
  }
  if (options.state !== undefined && board?.emulator !== undefined) {
    const why = 'keeps its state in its own memory, across resets and no longer';
    throw new UsageError('ERR_USAGE_STATE', `--state: ${board.name} ${why}`);
  }
  if (options.state !== undefined) checkStateFile(options.state);
}

/** In this process or as a program of this machine: an emulated board has no way to be given the key. */
const takesUpdates = (board: Board): boolean =>
  board.updates === true && (board.engine === 'v8' || board.host !== undefined);

/** The board of a device that runs on none is what a header that names any board means. */
async function takeUpdates(
  module: string,
  file: string,
  board: Board | undefined,
): Promise<Pick<StartOptions, 'updates' | 'programUpdates'>> {
  const { deviceUpdates, publicKey } = await import('../firmware/device-updates.js');
  const key = readInput('--update-key', file);
  const keyFile = `--update-key ${file}`;
  if (board?.host === undefined) {
    return { updates: deviceUpdates(module, { key, keyFile, board: board?.name ?? ANY_BOARD }) };
  }
  const { name, version } = identityOf(module, readInput('the module', module));
  const pem = publicKey(key, keyFile).export({ type: 'spki', format: 'pem' }).toString();
  return { programUpdates: { publicKey: pem, name, version } };
}

async function openNetwork(port: number, closers: Closers): Promise<{ host: string; port: number }> {
  const network = await openOwnNetwork(port);
  closers.add(() => network.close());
  process.stderr.write(`MQTT 3.1.1 on ${network.gateway.host}, TCP port ${network.mqtt}\n`);
  return network.gateway;
}

const LOG_WARNING = 1;

/** A board's own words are what it is run for; V8 says only what is wrong, unless all is to be told. */
function tellLog(board: Board | undefined, level: number, text: string, heard: BoardResets, isVerbose: boolean): void {
  if (board !== undefined && board.engine !== 'v8') {
    showLog(board.name, level, text);
    const meaning = heard.hear(text);
    if (meaning !== undefined) showLog(board.name, LOG_WARNING, meaning);
  } else if (level === 0 || isVerbose) process.stderr.write(`${text}\n`);
}

const nameOf = ({ module, elf }: Runnable): string => basename(elf ?? module);

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  throw new UsageError('ERR_USAGE_NUMBER', `--for ${text}: seconds above 0, up to ${SECONDS_MAX}`);
}

interface Who {
  readonly serial: string;
  readonly board?: string;
}

function report(
  who: Who,
  running: StartedBoard,
  traffic: { up: number; down: number },
  { resets }: BoardResets,
  board: Board | undefined,
  asJson: boolean,
): void {
  if (running.device !== undefined) {
    reportDevice(who, running.device, asJson);
    return;
  }
  // A program of its own has its own sockets: nothing went through here.
  const seen = board?.host === undefined ? { datagramsOut: traffic.up, datagramsIn: traffic.down } : {};
  if (asJson) printJson({ ...who, ...seen, resets });
  else if (board?.host === undefined) print(`${count(traffic.up, 'datagram')} sent, ${number(traffic.down)} received`);
}

function reportDevice(who: Who, { device, restarts }: UdpDevice, asJson: boolean): void {
  const counters = {
    datagramsOut: device.counter(Counter.DatagramsOut),
    datagramsIn: device.counter(Counter.DatagramsIn),
    retransmissions: device.counter(Counter.Retransmissions),
    malformed: device.counter(Counter.Malformed),
    gatewayLost: device.counter(Counter.Lost),
    resets: restarts.resets,
  };
  if (asJson) {
    printJson({ ...who, ...counters });
    return;
  }
  print(
    `${count(counters.datagramsOut, 'datagram')} sent, ${number(counters.datagramsIn)} received, ` +
      `${number(counters.retransmissions)} sent again, gateway lost ${count(counters.gatewayLost, 'time')}`,
  );
}
