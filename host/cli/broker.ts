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
import type { Log } from '../ports.js';
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
  readonly sn: string;
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
  const { config, sn, data, store: storeFolder } = plan;
  const { host } = options;
  const clientId = gatewayConfig(config.gateway).connectionlessClientId;
  const watch = watchBroker({ clientId, nodes: plan.reach?.urls.length ?? 1, clock: monotonicNow, say: printError });
  const logs = logsOf(options, config.log);
  const log: Log = (...what) => {
    logs.gateway(...what);
    watch(...what);
  };
  const around = { random: new Xoshiro128(randomBytes(4).readUInt32LE()), log };
  const failure = new AbortController();

  // What can fail comes before what listens; the end goes the other way round.
  const store = storeFolder === undefined ? undefined : await openDiskStore(storeFolder, { log: logs.own });
  closers.add(() => store?.close());
  const capture = options.pcap === undefined ? undefined : new CaptureFile(options.pcap);
  closers.add(() => capture?.close());
  const aggregateAs = options.aggregate === true ? clientId : undefined;
  const behind: Behind =
    plan.reach === undefined
      ? await startOwnBroker(plan.own, logs.own, (error) => failure.abort(error))
      : otherBroker(plan.reach, { ...around, ...(aggregateAs && { aggregateAs }), ...(store && { store }) });
  closers.add(() => behind.close());
  const udp = await openUdpGateway({
    host,
    port: sn,
    ...(config.gateway && { config: config.gateway }),
    ...(options.broadcast !== undefined && { broadcast: options.broadcast }),
    upstream: behind.upstream,
    ...(store && { store }),
    clock: monotonicNow,
    log,
    ...(capture && { tap: tapInto(capture, () => udp.address) }),
  });
  closers.add(() => udp.close());
  const metrics = plan.metrics === undefined ? undefined : await serveMetrics(host, plan.metrics, udp, behind, log);
  closers.add(() => metrics?.close());
  const port = parseAddress(udp.address)!.port;
  const serial = await openSerial(options, port, closers);
  if (behind.own !== undefined) closers.add(reloadOnHangup(behind.own, options, logs.own));

  const stopped = untilStopped(undefined, failure.signal); // before the announcement: who reads it may already ask for the end
  if (options.upstreamInsecure === true) printError('--upstream-insecure: whoever answers is taken for the broker');
  const durability = plan.own.durability ?? 'disk';
  announce(options, { behind, sn: port, metrics: metrics?.port, serial, data, durability });
  await stopped;
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
  const sn = portOf('--sn', options.sn);
  const metrics = options.metrics === undefined ? undefined : portOf('--metrics', options.metrics);
  checkBroadcast(options.broadcast);
  const own = reach === undefined ? ownBrokerOptions(options, config, data) : {};
  const store = options.store ?? (data === undefined ? undefined : join(data, 'gateway'));
  return { config, reach, own, sn, metrics, data, store };
}

function tapInto(capture: CaptureFile, local: () => string): Tap {
  return (direction, address, bytes, epochMicros) =>
    direction === 'in'
      ? capture.add(address, local(), bytes, epochMicros)
      : capture.add(local(), address, bytes, epochMicros);
}

function serveMetrics(host: string, port: number, udp: UdpGateway, behind: Behind, log: Log) {
  const collect = (): string =>
    renderMetrics([...gatewayMetrics(udp.gateway), ...behind.metrics(), ...processMetrics()]);
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
