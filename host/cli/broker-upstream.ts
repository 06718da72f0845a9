// Another broker behind the gateway of `thimble broker`, for each client or for all together.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { AggregatingUpstream } from '../gateway/aggregating.js';
import { aggregateMetrics } from '../metrics/aggregate.js';
import type { MetricFamily } from '../metrics/text.js';
import { BrokerTimer } from '../net/broker-timer.js';
import { monotonicNow } from '../net/clock.js';
import { parseNode } from '../net/mqtt-nodes.js';
import { MqttUpstream, type MqttUpstreamOptions } from '../net/mqtt-upstream.js';
import type { Log, Random, Store, Upstream } from '../ports.js';
import type { RunningBroker } from '../server/running-broker.js';
import type { UpstreamFileConfig } from './broker-config.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';

/** What stands behind the gateway. */
export interface Behind {
  readonly upstream: Upstream;
  /** Our own broker. */
  readonly own?: RunningBroker;
  /** Where the other broker is, without what is secret. */
  readonly brokers?: readonly string[];
  metrics(): MetricFamily[];
  close(): Promise<void>;
}

interface Surroundings {
  readonly random: Random;
  readonly log?: Log;
}

/** What the command line says of another broker. */
export interface UpstreamCommandOptions {
  readonly upstream?: readonly string[];
  readonly upstreamCa?: string;
  readonly upstreamCert?: string;
  readonly upstreamKey?: string;
  readonly upstreamInsecure?: boolean;
  readonly aggregate?: boolean;
}

/** Options that mean nothing without a broker to go to. */
const DEPENDENT: readonly (readonly [name: keyof UpstreamCommandOptions, option: string])[] = [
  ['upstreamCa', '--upstream-ca'],
  ['upstreamCert', '--upstream-cert'],
  ['upstreamKey', '--upstream-key'],
  ['upstreamInsecure', '--upstream-insecure'],
  ['aggregate', '--aggregate'],
];

/**
 * How to reach the other broker; undefined where none is named. Throws ERR_USAGE_UPSTREAM, ERR_USAGE_FILE, ERR_UPSTREAM_URL.
 */
export function upstreamOptions(
  options: UpstreamCommandOptions,
  config: UpstreamFileConfig = {},
): Omit<MqttUpstreamOptions, 'clock'> | undefined {
  const urls = options.upstream ?? config.urls;
  const given = DEPENDENT.filter(([name]) => options[name] !== undefined).map(([, option]) => option);
  if (urls === undefined) {
    const idle = [...given, ...Object.keys(config).map((name) => `upstream.${name} in --config`)];
    if (idle.length === 0) return undefined;
    throw new UsageError(
      'ERR_USAGE_UPSTREAM',
      `${idle.join(' and ')}: only together with --upstream URL, or upstream.urls in --config`,
    );
  }
  const nodes = urls.map(parseNode);
  const tls = tlsOptions(options);
  if (tls !== undefined && nodes.some(({ scheme }) => scheme === 'mqtt' || scheme === 'ws')) {
    const secured = given.filter((option) => option !== '--aggregate').join(' and ');
    throw new UsageError('ERR_USAGE_UPSTREAM', `${secured}: only where every --upstream is mqtts:// or wss://`);
  }
  const { protocolVersion, keepAliveS } = config;
  return {
    urls,
    ...(tls && { tls }),
    ...(protocolVersion !== undefined && { protocolVersion }),
    ...(keepAliveS !== undefined && { keepAliveS }),
  };
}

function tlsOptions(options: UpstreamCommandOptions): MqttUpstreamOptions['tls'] {
  const { upstreamCa, upstreamCert, upstreamKey, upstreamInsecure } = options;
  if ((upstreamCert === undefined) !== (upstreamKey === undefined)) {
    throw new UsageError('ERR_USAGE_UPSTREAM', '--upstream-cert and --upstream-key: both or none');
  }
  if ((upstreamCa ?? upstreamCert ?? upstreamInsecure) === undefined) return undefined;
  const ca = upstreamCa === undefined ? undefined : readCertificate('--upstream-ca', upstreamCa);
  const cert = upstreamCert === undefined ? undefined : readCertificate('--upstream-cert', upstreamCert);
  const key = cert === undefined ? undefined : readKeyOf(cert, '--upstream-key', upstreamKey!);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(upstreamInsecure === true && { insecure: true }),
  };
}

function readCertificate(option: string, file: string): string {
  const text = readInput(option, file).toString('latin1');
  try {
    if (!text.includes('-----BEGIN ')) throw new Error('not PEM');
    new X509Certificate(text);
    return text;
  } catch {
    throw new UsageError(
      'ERR_USAGE_UPSTREAM',
      `${option} ${file}: no certificate in PEM (-----BEGIN CERTIFICATE-----)`,
    );
  }
}

function readKeyOf(cert: string, option: string, file: string): string {
  const text = readInput(option, file).toString('latin1');
  const isMatch = (): boolean => new X509Certificate(cert).checkPrivateKey(createPrivateKey(text));
  try {
    if (isMatch()) return text;
  } catch {
    const what = 'no private key in PEM without a passphrase (-----BEGIN PRIVATE KEY-----)';
    throw new UsageError('ERR_USAGE_UPSTREAM', `${option} ${file}: ${what}`);
  }
  throw new UsageError('ERR_USAGE_UPSTREAM', `${option} ${file}: the key of another certificate than --upstream-cert`);
}

export interface OtherBrokerOptions extends Surroundings {
  /** One connection for all clients: the shared session's client id. Default: one connection each. */
  readonly aggregateAs?: string;
  readonly store?: Store;
}

/** Another broker. Connects when the gateway starts, and whether it is there is seen only then. Throws UpstreamTlsError. */
export function otherBroker(reach: Omit<MqttUpstreamOptions, 'clock'>, options: OtherBrokerOptions): Behind {
  const { aggregateAs, log } = options;
  const mqtt = new MqttUpstream({ ...reach, clock: monotonicNow, ...(log && { log }) });
  const brokers = reach.urls.map((url) => parseNode(url).label);
  if (aggregateAs === undefined) {
    return { upstream: mqtt, brokers, metrics: () => [], close: () => mqtt.close() };
  }
  const { upstream, stop } = aggregating(mqtt, aggregateAs, options);
  return {
    upstream,
    brokers,
    metrics: () => aggregateMetrics(upstream),
    close: async () => {
      stop();
      await mqtt.close();
    },
  };
}

/** Joins an aggregating upstream to real time. */
function aggregating(
  to: Upstream,
  clientId: string,
  { store, random, log }: OtherBrokerOptions,
): { readonly upstream: AggregatingUpstream; stop(): void } {
  const upstream = new AggregatingUpstream(to, {
    clientId,
    random,
    ...(store && { store }),
    ...(log && { log }),
    rescheduled: () => timer.wake(),
  });
  const timer = new BrokerTimer(upstream, monotonicNow);
  upstream.start(monotonicNow());
  timer.wake();
  const stop = (): void => {
    upstream.stop(monotonicNow());
    timer.stop();
  };
  return { upstream, stop };
}
