// thimble broker: the MQTT-SN gateway on real sockets, and what stands behind it.
import { randomBytes } from 'node:crypto';
import { Xoshiro128 } from '../core/random.js';
import { gatewayConfig } from '../gateway/index.js';
import { gatewayMetrics } from '../metrics/gateway.js';
import { renderMetrics } from '../metrics/text.js';
import { monotonicNow } from '../net/clock.js';
import { listenMetrics, METRICS_PATH } from '../net/http.js';
import { processMetrics } from '../net/process-metrics.js';
import { formatAddress, openUdpGateway, parseAddress, type Tap, type UdpGateway } from '../net/udp.js';
import type { Log } from '../ports.js';
import { openDiskStore } from '../store/disk-store.js';
import { checkBroadcast, portOf } from './addresses.js';
import { readBrokerConfig } from './broker-config.js';
import {
  type Behind,
  otherBroker,
  ownBroker,
  type UpstreamCommandOptions,
  upstreamOptions,
} from './broker-upstream.js';
import { watchBroker } from './broker-watch.js';
import { CaptureFile } from './capture.js';
import { Closers } from './closers.js';
import { UsageError } from './failure.js';
import { print, printError, printJson } from './output.js';
import { describeLine, openSerialLines, type SerialLine } from './serial-lines.js';
import { untilStopped } from './stop.js';

export interface BrokerCommandOptions extends UpstreamCommandOptions {
  readonly host: string;
  readonly mqtt?: string;
  readonly sn: string;
  readonly broadcast?: string;
  readonly metrics?: string;
  readonly config?: string;
  readonly store?: string;
  readonly pcap?: string;
  readonly serial?: readonly string[];
  readonly baud?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** Said with a store: the promise for kill -9 is the gateway's and the broker's together. */
const OWN_BROKER_FORGETS =
  '; those of our own broker, and its messages, are in memory and end with it (--upstream: a broker that keeps them)';

const MQTT_PORT_DEFAULT = '1883';

export async function runBroker(options: BrokerCommandOptions): Promise<void> {
  const closers = new Closers();
  try {
    await serve(options, closers);
  } finally {
    await closers.close();
  }
}

async function serve(options: BrokerCommandOptions, closers: Closers): Promise<void> {
  const { host } = options;
  const config = options.config === undefined ? {} : readBrokerConfig(options.config);
  const reach = upstreamOptions(options, config.upstream);
  if (reach !== undefined && options.mqtt !== undefined) {
    throw new UsageError('ERR_USAGE_UPSTREAM', '--mqtt: with another broker there is none of our own to listen');
  }
  const mqtt = portOf('--mqtt', options.mqtt ?? MQTT_PORT_DEFAULT);
  const sn = portOf('--sn', options.sn);
  const metricsPort = options.metrics === undefined ? undefined : portOf('--metrics', options.metrics);
  checkBroadcast(options.broadcast);
  const clientId = gatewayConfig(config.gateway).connectionlessClientId;
  const watch = watchBroker({ clientId, nodes: reach?.urls.length ?? 1, clock: monotonicNow, say: printError });
  const log: Log = (...what) => {
    if (options.verbose === true) logToStderr(...what);
    watch(...what);
  };
  const around = { random: new Xoshiro128(randomBytes(4).readUInt32LE()), log };

  // What can fail comes before what listens; the end goes the other way round.
  const storeLog = options.verbose === true ? logToStderr : warnOnly;
  const store = options.store === undefined ? undefined : await openDiskStore(options.store, { log: storeLog });
  closers.add(() => store?.close());
  const capture = options.pcap === undefined ? undefined : new CaptureFile(options.pcap);
  closers.add(() => capture?.close());
  const aggregateAs = options.aggregate === true ? clientId : undefined;
  const behind =
    reach === undefined
      ? await ownBroker(host, mqtt, around)
      : otherBroker(reach, { ...around, ...(aggregateAs && { aggregateAs }), ...(store && { store }) });
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
  const metrics = metricsPort === undefined ? undefined : await serveMetrics(host, metricsPort, udp, behind, log);
  closers.add(() => metrics?.close());
  const port = parseAddress(udp.address)!.port;
  const serial = await openSerial(options, port, closers);

  const stopped = untilStopped(); // before the announcement: who reads it may already ask for the end
  if (options.upstreamInsecure === true) printError('--upstream-insecure: whoever answers is taken for the broker');
  announce(options, { behind, sn: port, metrics: metrics?.port, serial });
  await stopped;
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

/** Where this machine reaches what listens at `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

interface Announcement {
  readonly behind: Behind;
  readonly sn: number;
  readonly metrics: number | undefined;
  readonly serial: readonly SerialLine[];
}

function announce(options: BrokerCommandOptions, { behind, sn, metrics, serial }: Announcement): void {
  const { host, store } = options;
  const { mqtt, brokers } = behind;
  if (options.json === true) {
    const lines = serial.length > 0 ? serial : undefined;
    printJson({ mqtt, sn, host, metrics, upstream: brokers, store, serial: lines }); // without what there is not
    return;
  }
  const manner = options.aggregate === true ? 'one connection for all clients' : 'one connection for each client';
  const lines = [
    mqtt === undefined ? undefined : `MQTT 3.1.1 on ${host}, TCP port ${mqtt}`,
    `MQTT-SN 1.2 on ${host}, UDP port ${sn}`,
    brokers && `The broker is ${brokers.join(' or ')}, ${manner}`,
    ...serial.map(describeLine),
    metrics === undefined ? undefined : `Metrics at http://${formatAddress(host, metrics)}${METRICS_PATH}`,
    store && `The gateway's sessions are kept in ${store}${mqtt === undefined ? '' : OWN_BROKER_FORGETS}`,
    'Ctrl-C stops all of it',
  ];
  print(lines.filter((line) => line !== undefined).join('\n'));
}

const logToStderr: Log = (level, event, fields) => {
  process.stderr.write(`${new Date().toISOString()} ${level} ${event} ${JSON.stringify(fields ?? {})}\n`);
};

/** What has to be known without --verbose too: what became of the store. */
const warnOnly: Log = (level, event, fields) => {
  if (level === 'warn' || level === 'error') logToStderr(level, event, fields);
};
