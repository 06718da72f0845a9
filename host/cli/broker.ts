// thimble broker: the MQTT broker and the MQTT-SN gateway on real sockets.
import { randomBytes } from 'node:crypto';
import { Broker } from '../broker/broker.js';
import { BrokerUpstream } from '../broker/upstream.js';
import { Xoshiro128 } from '../core/random.js';
import { monotonicNow } from '../net/clock.js';
import { listenTcp } from '../net/tcp.js';
import { openUdpGateway, parseAddress, type Tap } from '../net/udp.js';
import type { Log } from '../ports.js';
import { readBrokerConfig } from './broker-config.js';
import { CaptureFile } from './capture.js';
import { UsageError } from './failure.js';
import { print, printJson } from './output.js';
import { untilStopped } from './stop.js';

export interface BrokerCommandOptions {
  readonly host: string;
  readonly mqtt: string;
  readonly sn: string;
  readonly broadcast?: string;
  readonly config?: string;
  readonly pcap?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const PORT_MAX = 65_535;

export async function runBroker(options: BrokerCommandOptions): Promise<void> {
  const config = options.config === undefined ? {} : readBrokerConfig(options.config);
  const mqtt = portOf('--mqtt', options.mqtt);
  const sn = portOf('--sn', options.sn);
  checkBroadcast(options.broadcast);
  const log = options.verbose === true ? logToStderr : undefined;
  const random = new Xoshiro128(randomBytes(4).readUInt32LE());
  const broker = new Broker({}, { random, ...(log && { log }) });
  // What can fail comes before what listens: an open listener would keep the process from ending.
  const capture = options.pcap === undefined ? undefined : new CaptureFile(options.pcap);
  const tcp = await listenTcp(broker, { host: options.host, port: mqtt, ...(log && { log }) });
  let local = '';
  const tap: Tap = (direction, address, bytes, epochMicros) =>
    direction === 'in'
      ? capture?.add(address, local, bytes, epochMicros)
      : capture?.add(local, address, bytes, epochMicros);
  const udp = await openUdpGateway({
    host: options.host,
    port: sn,
    ...(config.gateway && { config: config.gateway }),
    ...(options.broadcast !== undefined && { broadcast: options.broadcast }),
    upstream: new BrokerUpstream(broker),
    clock: monotonicNow,
    ...(log && { log }),
    ...(capture && { tap }),
  }).catch(async (error: unknown) => {
    await tcp.close();
    throw error;
  });
  local = udp.address;
  const stopped = untilStopped(); // before the announcement: who reads it may already ask for the end
  announce(tcp.port, parseAddress(udp.address)!.port, options);
  await stopped;
  await udp.close();
  await tcp.close();
  capture?.close();
}

function checkBroadcast(address: string | undefined): void {
  if (address === undefined || (parseAddress(address)?.port ?? 0) > 0) return;
  throw new UsageError('ERR_USAGE_BROADCAST', `--broadcast ${address}: IP:PORT, such as 192.168.1.255:1884`);
}

function portOf(option: string, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port;
  throw new UsageError('ERR_USAGE_PORT', `${option} ${text}: a port from 0 (any free one) to ${PORT_MAX}`);
}

function announce(mqtt: number, sn: number, options: BrokerCommandOptions): void {
  if (options.json === true) {
    printJson({ mqtt, sn, host: options.host });
    return;
  }
  print(
    `MQTT 3.1.1 on ${options.host}, TCP port ${mqtt}\nMQTT-SN 1.2 on ${options.host}, UDP port ${sn}\nCtrl-C stops both`,
  );
}

const logToStderr: Log = (level, event, fields) => {
  process.stderr.write(`${new Date().toISOString()} ${level} ${event} ${JSON.stringify(fields ?? {})}\n`);
};
