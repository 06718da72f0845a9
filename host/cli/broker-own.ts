// Our own broker, as the command line and the configuration file of `thimble broker` describe it.
import { join } from 'node:path';
import { monotonicNow } from '../net/clock.js';
import type { TlsSpec } from '../net/listeners.js';
import type { Log } from '../ports.js';
import { createBroker } from '../server/create-broker.js';
import type { BrokerListener, BrokerOptions } from '../server/options.js';
import type { RunningBroker } from '../server/running-broker.js';
import { portOf } from './addresses.js';
import { type BrokerFileConfig, readBrokerConfig } from './broker-config.js';
import type { Behind } from './broker-upstream.js';
import { explain, UsageError } from './failure.js';
import { readInput } from './files.js';
import { printError } from './output.js';

export interface OwnBrokerCommandOptions {
  readonly host: string;
  readonly config?: string;
  readonly mqtt?: string;
  readonly mqtts?: string;
  readonly ws?: string;
  readonly wss?: string;
  readonly tlsKey?: string;
  readonly tlsCert?: string;
  readonly tlsCa?: string;
  readonly tlsCrl?: string;
  readonly durability?: string;
}

const MQTT_PORT_DEFAULT = 1883;
const KINDS = ['mqtt', 'mqtts', 'ws', 'wss'] as const;
/** Options that are about our own broker alone. */
const OPTIONS: readonly (readonly [name: keyof OwnBrokerCommandOptions, option: string])[] = [
  ...KINDS.map((kind) => [kind, `--${kind}`] as const),
  ['tlsKey', '--tls-key'],
  ['tlsCert', '--tls-cert'],
  ['tlsCa', '--tls-ca'],
  ['tlsCrl', '--tls-crl'],
  ['durability', '--durability'],
];
const KEYS = ['listeners', 'limits', 'listenerLimits', 'identity', 'durability', 'sys'] as const;

/** Throws ERR_USAGE_UPSTREAM where there is another broker, and something is said of our own. */
export function refuseOwnBroker(options: OwnBrokerCommandOptions, config: Partial<BrokerFileConfig>): void {
  const given = [
    ...OPTIONS.filter(([name]) => options[name] !== undefined).map(([, option]) => option),
    ...KEYS.filter((key) => config[key] !== undefined).map((key) => `${key} in --config`),
  ];
  if (given.length === 0) return;
  throw new UsageError(
    'ERR_USAGE_UPSTREAM',
    `${given.join(' and ')}: of our own broker, and with another one (--upstream) ours does not run`,
  );
}

/** What the command line and the file come to. Throws UsageError. `data`: the folder of everything that is kept. */
export function ownBrokerOptions(
  options: OwnBrokerCommandOptions,
  config: Partial<BrokerFileConfig>,
  data: string | undefined,
): BrokerOptions {
  const { limits, listenerLimits, identity, sys, folder } = config;
  const durability = durabilityOf(options.durability) ?? config.durability;
  if (durability !== undefined && data === undefined) {
    throw new UsageError('ERR_USAGE_DATA', `durability ${durability}: only together with --data, or data in --config`);
  }
  return {
    listeners: listenersOf(options, config),
    ...(limits && { limits }),
    ...(listenerLimits && { listenerLimits }),
    ...(identity && { identity }),
    ...(folder !== undefined && { baseFolder: folder }),
    ...(data !== undefined && { data: join(data, 'broker') }),
    ...(durability && { durability }),
    ...(sys?.intervalMs !== undefined && { sysIntervalMs: sys.intervalMs }),
  };
}

function durabilityOf(text: string | undefined): 'disk' | 'process' | undefined {
  if (text === undefined || text === 'disk' || text === 'process') return text;
  throw new UsageError('ERR_USAGE_DATA', `--durability ${text}: disk or process`);
}

/** Those of the file, then those of the command line; where there is none, MQTT on TCP. */
function listenersOf(options: OwnBrokerCommandOptions, config: Partial<BrokerFileConfig>): readonly BrokerListener[] {
  const { host } = options;
  const ports = KINDS.flatMap((kind) => {
    const text = options[kind];
    return text === undefined ? [] : [{ kind, port: portOf(`--${kind}`, text) }];
  });
  const tls = tlsOf(options);
  const isSecure = (kind: string): boolean => kind === 'mqtts' || kind === 'wss';
  const secure = ports.filter(({ kind }) => isSecure(kind)).map(({ kind }) => `--${kind}`);
  if (secure.length > 0 && tls === undefined) {
    throw new UsageError('ERR_USAGE_TLS', `${secure.join(' and ')}: only together with --tls-key and --tls-cert`);
  }
  if (secure.length === 0 && tls !== undefined) {
    throw new UsageError('ERR_USAGE_TLS', '--tls-key and --tls-cert: only together with --mqtts or --wss');
  }
  const typed = ports.map(({ kind, port }) => ({
    name: kind,
    kind,
    host,
    port,
    ...(tls && isSecure(kind) && { tls }),
  }));
  const all = [...(config.listeners ?? []).map((one) => ({ host, ...one })), ...typed];
  return all.length > 0 ? all : [{ name: 'mqtt', kind: 'mqtt', host, port: MQTT_PORT_DEFAULT }];
}

function tlsOf({ tlsKey, tlsCert, tlsCa, tlsCrl }: OwnBrokerCommandOptions): TlsSpec | undefined {
  if (tlsKey === undefined || tlsCert === undefined) {
    if ((tlsKey ?? tlsCert ?? tlsCa ?? tlsCrl) === undefined) return undefined;
    throw new UsageError('ERR_USAGE_TLS', '--tls-key and --tls-cert: both, or none of --tls-…');
  }
  if (tlsCrl !== undefined && tlsCa === undefined) {
    throw new UsageError(
      'ERR_USAGE_TLS',
      '--tls-crl: only together with --tls-ca, whose certificates are revoked with it',
    );
  }
  const read = (option: string, file: string): string => readInput(option, file).toString('utf8');
  return {
    key: read('--tls-key', tlsKey),
    cert: read('--tls-cert', tlsCert),
    ...(tlsCa !== undefined && { ca: read('--tls-ca', tlsCa) }),
    ...(tlsCrl !== undefined && { crl: read('--tls-crl', tlsCrl) }),
  };
}

/** Rejects as `createBroker`. `failed` hears of a disk that keeps nothing any more. */
export async function startOwnBroker(
  options: BrokerOptions,
  log: Log,
  failed: (error: Error) => void,
): Promise<Behind & { readonly own: RunningBroker }> {
  const own = await createBroker({ ...options, log, onFailure: failed });
  return { own, upstream: own.upstream(), metrics: () => own.metrics(), close: () => own.close() };
}

/**
 * From now on SIGHUP reads the configuration, certificates and keys, and the files of `identity` again. Where there is nothing of the
 * kind the signal is left alone. Returns what ends that.
 */
export function reloadOnHangup(own: RunningBroker, options: OwnBrokerCommandOptions, log: Log): () => void {
  if (options.config === undefined && options.tlsKey === undefined) return () => {};
  const read = () => {
    const config: Partial<BrokerFileConfig> = options.config === undefined ? {} : readBrokerConfig(options.config);
    return { listeners: listenersOf(options, config), identity: config.identity };
  };
  const first = read();
  const before = shapeOf(first.listeners);
  const reload = (): void => {
    const begin = monotonicNow();
    try {
      const { listeners, identity } = read();
      if (shapeOf(listeners) !== before) {
        const what = 'the listeners are others than at the start: end the broker and start it anew to have them';
        throw new UsageError('ERR_USAGE_CONFIG', what);
      }
      if ((identity === undefined) !== (first.identity === undefined)) {
        const what = 'identity has come or gone: end the broker and start it anew to have it so';
        throw new UsageError('ERR_USAGE_CONFIG', what);
      }
      own.reload({ listeners, ...(identity && { identity }) });
      log('info', 'reloaded', { ms: monotonicNow() - begin });
    } catch (error) {
      printError(`SIGHUP: nothing was reloaded: ${explain(error).message}`);
    }
  };
  process.on('SIGHUP', reload);
  return () => process.off('SIGHUP', reload);
}

/** What of listeners cannot be changed while they listen. */
const shapeOf = (listeners: readonly BrokerListener[]): string =>
  JSON.stringify(listeners.map(({ tls, ...rest }) => ({ ...rest, hasTls: tls !== undefined })));
