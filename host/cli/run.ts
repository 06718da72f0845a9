// thimble run: an application on V8, on a real network.
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { Counter, PacketType } from '../../assembly/protocol/index.js';
import { DeviceModule } from '../device/device.js';
import type { DeviceError } from '../device/error.js';
import { parseAddress } from '../net/udp.js';
import { startUdpDevice, type UdpDevice } from '../net/udp-device.js';
import { decode, isFault, PACKET_NAMES } from '../wire/index.js';
import { checkBroadcast } from './addresses.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';
import { moduleFile } from './module-file.js';
import { SEED_MAX, wholeNumber } from './numbers.js';
import { count, errorColours, number, print, printJson } from './output.js';
import { untilStopped } from './stop.js';

export interface RunCommandOptions {
  readonly gateway: string;
  readonly broadcast?: string;
  readonly seed?: string;
  readonly for?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const MS_PER_S = 1000;
const SECONDS_MAX = 2_000_000;

export async function runRun(app: string, options: RunCommandOptions): Promise<void> {
  const gateway = parseAddress(options.gateway);
  if (gateway === undefined || gateway.port === 0) {
    throw new UsageError('ERR_USAGE_GATEWAY', `--gateway ${options.gateway}: HOST:PORT, such as 127.0.0.1:1884`);
  }
  checkBroadcast(options.broadcast);
  const seed =
    options.seed === undefined ? randomBytes(4).readUInt32LE() : wholeNumber('--seed', options.seed, 0, SEED_MAX);
  const forMs = options.for === undefined ? undefined : secondsOf(options.for) * MS_PER_S;
  const file = await moduleFile(app);
  const module = new DeviceModule(readInput('the module', file), basename(file));
  let hasComplained = false;
  const end = new AbortController();
  const running = await startUdpDevice(module, {
    ...gateway,
    ...(options.broadcast !== undefined && { broadcast: options.broadcast }),
    seed,
    ...(options.verbose === true && { tap: showDatagram }),
    onNetworkError: (error) => {
      if (!hasComplained) process.stderr.write(`the network says ${error.message}; the client keeps trying\n`);
      hasComplained = true;
    },
    onReset: (error, delayMs) => {
      process.stderr.write(`${error.message} [${(error as DeviceError).code}]; starts again in ${delayMs} ms\n`);
    },
    onEnd: (error) => end.abort(error),
  });
  const serial = seed.toString(16).padStart(8, '0');
  const stopped = untilStopped(forMs, end.signal); // before the announcement: who reads it may already ask for the end
  if (options.json !== true)
    print(`${basename(file)} (${serial}) runs against ${options.gateway}; Ctrl-C switches it off`);
  try {
    await stopped;
    report(serial, running, options.json === true);
  } finally {
    await running.close();
  }
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  throw new UsageError('ERR_USAGE_NUMBER', `--for ${text}: seconds above 0, up to ${SECONDS_MAX}`);
}

function showDatagram(direction: 'up' | 'down', bytes: Uint8Array): void {
  const packet = decode(bytes);
  const name = isFault(packet) ? `malformed (${packet.code})` : PACKET_NAMES[packet.type];
  const detail =
    !isFault(packet) && packet.type === PacketType.Publish
      ? ` ${JSON.stringify(new TextDecoder().decode(packet.data))}`
      : '';
  const arrow = direction === 'up' ? '→' : '←';
  const time = new Date().toISOString().slice(11, 23);
  process.stderr.write(
    `${time} ${arrow} ${name.padEnd(13)}${String(bytes.length).padStart(4)} B${errorColours.dim(detail)}\n`,
  );
}

function report(serial: string, { device, restarts }: UdpDevice, asJson: boolean): void {
  const counters = {
    datagramsOut: device.counter(Counter.DatagramsOut),
    datagramsIn: device.counter(Counter.DatagramsIn),
    retransmissions: device.counter(Counter.Retransmissions),
    malformed: device.counter(Counter.Malformed),
    gatewayLost: device.counter(Counter.Lost),
    resets: restarts.resets,
  };
  if (asJson) {
    printJson({ serial, ...counters });
    return;
  }
  print(
    `${count(counters.datagramsOut, 'datagram')} sent, ${number(counters.datagramsIn)} received, ` +
      `${number(counters.retransmissions)} sent again, gateway lost ${count(counters.gatewayLost, 'time')}`,
  );
}
