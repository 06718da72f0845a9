// thimble broker: the MQTT broker and the MQTT-SN gateway on real sockets.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Xoshiro128 } from '../core/random.js';
import { gatewayConfig } from '../gateway/index.js';
import { gatewayMetrics } from '../metrics/gateway.js';
import { renderMetrics } from '../metrics/text.js';
import { monotonicNow } from '../net/clock.js';
import { listenMetrics } from '../net/http.js';
import { processMetrics } from '../net/process-metrics.js';
import { openUdpGateway, parseAddress, type Tap, type UdpGateway } from '../net/udp.js';
import type { Log, Store } from '../ports.js';
import { reachable } from '../server/urls.js';
import { openDiskStore } from '../store/disk-store.js';
import { checkBroadcast, portOf } from './addresses.js';
import { announce } from './broker-announce.js';
import { type BrokerFileConfig, readBrokerConfig } from './broker-config.js';
import { type LogCommandOptions, logsOf } from './broker-log.js';
import {
  type OwnBrokerCommandOptions,
  ownBrokerOptions,
  refuseOwnBroker,
  reloadOnHangup,
  startOwnBroker,
} from './broker-own.js';
import { type Behind, otherBroker, type UpstreamCommandOptions, upstreamOptions } from './broker-upstream.js';
import { watchBroker } from './broker-watch.js';
import { CaptureFile } from './capture.js';
import { Closers } from './closers.js';
import { UsageError } from './failure.js';
import { printError } from './output.js';
import { openSerialLines, type SerialLine } from './serial-lines.js';
import { untilStopped } from './stop.js';

export interface BrokerCommandOptions extends UpstreamCommandOptions, OwnBrokerCommandOptions, LogCommandOptions {
  /** false: `--no-sn`. */
  readonly sn: string | false;
  readonly broadcast?: string;
  readonly metrics?: string;
  readonly data?: string;
  readonly store?: string;
  readonly pcap?: string;
  readonly serial?: readonly string[];
  readonly baud?: string;
  readonly json?: boolean;
}

export async function runBroker(options: BrokerCommandOptions): Promise<void> {
  const closers = new Closers();
  try {
    await serve(options, closers);
  } finally {
    await closers.close();
  }
}

async function serve(options: BrokerCommandOptions, closers: Closers): Promise<void> {
  const plan = planOf(options);
  const { config, data, store: storeFolder } = plan;
  const logs = logsOf(options, config.log);
  const failure = new AbortController();

  // What can fail comes before what listens; the end goes the other way round.
  const store = storeFolder === undefined ? undefined : await openDiskStore(storeFolder, { log: logs.own });
  closers.add(() => store?.close());
  const log = plan.isClosedToGateway ? logs.gateway : watched(plan, logs.gateway);
  const behind: Behind =
    plan.reach === undefined
      ? await startOwnBroker(plan.own, logs.own, (error) => failure.abort(error))
      : otherBroker(plan.reach, {
          random: new Xoshiro128(randomBytes(4).readUInt32LE()),
          log,
          ...(options.aggregate === true && { aggregateAs: clientIdOf(plan) }),
          ...(store && { store }),
        });
  closers.add(() => behind.close());
  const udp =
    plan.sn === undefined ? undefined : await openGateway(options, plan.sn, plan, { behind, store, log }, closers);
  const metrics =
    plan.metrics === undefined ? undefined : await serveMetrics(options.host, plan.metrics, udp, behind, log);
  closers.add(() => metrics?.close());
  const port = udp && parseAddress(udp.address)!.port;
  const serial = port === undefined ? [] : await openSerial(options, port, closers);
  if (behind.own !== undefined) closers.add(reloadOnHangup(behind.own, options, logs.own));

  const stopped = untilStopped(undefined, failure.signal); // before the announcement: who reads it may already ask for the end
  if (options.upstreamInsecure === true) printError('--upstream-insecure: whoever answers is taken for the broker');
  if (plan.isClosedToGateway && udp !== undefined) printError(CLOSED_TO_GATEWAY);
  const durability = plan.own.durability ?? 'disk';
  announce(options, { behind, sn: port, metrics: metrics?.port, serial, data, durability });
  await stopped;
}

const CLOSED_TO_GATEWAY =
  'MQTT-SN clients cannot come in: identity has no "local" (docs/IDENTITY.md); --no-sn leaves their gateway out';

type Plan = ReturnType<typeof planOf>;

const clientIdOf = ({ config }: Plan): string => gatewayConfig(config.gateway).connectionlessClientId;

/** The log, and in words what a person has to know of the broker behind the gateway. */
function watched(plan: Plan, log: Log): Log {
  const nodes = plan.reach?.urls.length ?? 1;
  const watch = watchBroker({ clientId: clientIdOf(plan), nodes, clock: monotonicNow, say: printError });
  return (...what) => {
    log(...what);
    watch(...what);
  };
}

interface Surroundings {
  readonly behind: Behind;
  readonly store: Store | undefined;
  readonly log: Log;
}

async function openGateway(
  options: BrokerCommandOptions,
  port: number,
  { config }: Plan,
  { behind, store, log }: Surroundings,
  closers: Closers,
): Promise<UdpGateway> {
  const capture = options.pcap === undefined ? undefined : new CaptureFile(options.pcap);
  closers.add(() => capture?.close());
  const udp = await openUdpGateway({
    host: options.host,
    port,
    ...(config.gateway && { config: config.gateway }),
    ...(options.broadcast !== undefined && { broadcast: options.broadcast }),
    upstream: behind.upstream,
    ...(store && { store }),
    clock: monotonicNow,
    log,
    ...(capture && { tap: tapInto(capture, () => udp.address) }),
  });
  closers.add(() => udp.close());
  return udp;
}

/** What the command line and the file come to, before anything is opened. */
function planOf(options: BrokerCommandOptions) {
  const config: Partial<BrokerFileConfig> = options.config === undefined ? {} : readBrokerConfig(options.config);
  const reach = upstreamOptions(options, config.upstream);
  if (reach !== undefined) refuseOwnBroker(options, config);
  const data = options.data ?? config.data;
  if (data !== undefined && options.store !== undefined) {
    throw new UsageError('ERR_USAGE_DATA', "--store: --data keeps the gateway's sessions, too; leave out one of them");
  }
  if (options.sn === false) refuseGateway(options, config);
  const sn = options.sn === false ? undefined : portOf('--sn', options.sn);
  const metrics = options.metrics === undefined ? undefined : portOf('--metrics', options.metrics);
  checkBroadcast(options.broadcast);
  const own = reach === undefined ? ownBrokerOptions(options, config, data) : {};
  const kept = data === undefined || sn === undefined ? undefined : join(data, 'gateway');
  const { identity } = own;
  const isClosedToGateway = identity !== undefined && Object.keys(identity).length > 0 && identity.local === undefined;
  return { config, reach, own, sn, metrics, data, store: options.store ?? kept, isClosedToGateway };
}

/** Options that are about the gateway. */
const GATEWAY_OPTIONS: readonly (readonly [name: keyof BrokerCommandOptions, option: string])[] = [
  ['broadcast', '--broadcast'],
  ['serial', '--serial'],
  ['baud', '--baud'],
  ['upstream', '--upstream'],
  ['store', '--store'],
  ['pcap', '--pcap'],
];

/** Throws ERR_USAGE_GATEWAY where there is to be none, and something is said of it. */
function refuseGateway(options: BrokerCommandOptions, config: Partial<BrokerFileConfig>): void {
  const given = GATEWAY_OPTIONS.filter(([name]) => options[name] !== undefined).map(([, option]) => option);
  if (config.upstream !== undefined) given.push('upstream in --config');
  if (given.length > 0) throw new UsageError('ERR_USAGE_GATEWAY', `${given.join(' and ')}: not with --no-sn`);
}

function tapInto(capture: CaptureFile, local: () => string): Tap {
  return (direction, address, bytes, epochMicros) =>
    direction === 'in'
      ? capture.add(address, local(), bytes, epochMicros)
      : capture.add(local(), address, bytes, epochMicros);
}

function serveMetrics(host: string, port: number, udp: UdpGateway | undefined, behind: Behind, log: Log) {
  const collect = (): string =>
    renderMetrics([...(udp ? gatewayMetrics(udp.gateway) : []), ...behind.metrics(), ...processMetrics()]);
  return listenMetrics({ host, port, collect, log });
}

/** Boards on serial lines, behind a forwarder of this process. */
async function openSerial(options: BrokerCommandOptions, port: number, closers: Closers): Promise<SerialLine[]> {
  if (options.serial === undefined) {
    if (options.baud !== undefined) throw new UsageError('ERR_USAGE_SERIAL', '--baud: only together with --serial');
    return [];
  }
  const gateway = { host: reachable(options.host), port };
  const { lines, close } = await openSerialLines(options.serial, {
    gateway,
    baud: options.baud,
    verbose: options.verbose === true,
  });
  closers.add(close);
  return [...lines];
}
