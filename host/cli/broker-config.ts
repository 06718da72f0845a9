// The configuration file of `thimble broker`: JSON, checked against one schema, defaults for everything.
import { dirname, resolve } from 'node:path';
import { Ajv } from 'ajv';
import type { BrokerConfig } from '../broker/config.js';
import { explainSchemaError } from '../core/schema-error.js';
import type { GatewayConfig } from '../gateway/index.js';
import type { IdentityConfig } from '../identity/index.js';
import type { ListenerLimits, ListenerSpec, TlsSpec } from '../net/listeners.js';
import { parseNode, UpstreamUrlError } from '../net/mqtt-nodes.js';
import type { LogFormat, LogLevel } from '../server/logs.js';
import type { BrokerListener, Durability } from '../server/options.js';
import { parseJson } from './broker-json.js';
import { BROKER_CONFIG_SCHEMA, UNLIMITED } from './broker-schema.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';

/** How to reach another broker; what the command line says goes before it. */
export interface UpstreamFileConfig {
  /** As `--upstream`: here a password is seen by nobody who lists processes. */
  readonly urls?: readonly string[];
  /** 4 (MQTT 3.1.1) or 5; default 4. */
  readonly protocolVersion?: 4 | 5;
  /** 0 (none) to 65,535; default 60. */
  readonly keepAliveS?: number;
}

/** As in the file. */
interface FileContent {
  readonly listeners?: readonly (Omit<ListenerSpec, 'host'> & { readonly host?: string })[];
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly listenerLimits?: Partial<ListenerLimits>;
  readonly identity?: IdentityConfig;
  readonly data?: string;
  readonly durability?: Durability;
  readonly sys?: { readonly intervalMs?: number };
  readonly log?: { readonly level?: LogLevel; readonly format?: LogFormat };
  readonly gateway?: Partial<GatewayConfig>;
  readonly upstream?: UpstreamFileConfig;
}

export interface BrokerFileConfig extends Omit<FileContent, 'limits' | 'listeners'> {
  /** With what the files hold that `tls` names. */
  readonly listeners?: readonly BrokerListener[];
  readonly limits?: Partial<Omit<BrokerConfig, 'access'>>;
  /** Where the file is, and file names in it begin. */
  readonly folder: string;
}

const validate = new Ajv({ strict: false, verbose: true }).compile<FileContent>(BROKER_CONFIG_SCHEMA);

/**
 * Reads and checks a file, and the files with keys and certificates that it names. Throws ERR_USAGE_CONFIG, ERR_USAGE_FILE and
 * ERR_UPSTREAM_URL with the place and what is allowed.
 */
export function readBrokerConfig(file: string): BrokerFileConfig {
  const value = parseJson(file, readInput('--config', file).toString('utf8'));
  if (!validate(value)) {
    throw new UsageError('ERR_USAGE_CONFIG', `${file}: ${explainSchemaError(validate.errors!, 'the configuration')}`);
  }
  checkUrls(file, value.upstream?.urls ?? []);
  const folder = dirname(resolve(file));
  const { listeners, limits, data, ...rest } = value;
  return {
    ...rest,
    ...(listeners && { listeners: listeners.map((one, i) => withFiles(one, `${file}: listeners[${i}].tls`, folder)) }),
    ...(limits && { limits: numbersOf(limits) }),
    ...(data !== undefined && { data: resolve(folder, data) }),
    folder,
  };
}

const PEM_FILES = ['key', 'cert', 'ca', 'crl'] as const;

function withFiles(listener: BrokerListener, place: string, folder: string): BrokerListener {
  if (listener.tls === undefined) return listener;
  const tls: { -readonly [K in keyof TlsSpec]: TlsSpec[K] } = { ...listener.tls };
  for (const part of PEM_FILES) {
    const name = tls[part];
    if (name !== undefined) tls[part] = readInput(`${place}.${part}`, resolve(folder, name)).toString('utf8');
  }
  return { ...listener, tls };
}

function numbersOf(limits: Readonly<Record<string, unknown>>): Partial<Omit<BrokerConfig, 'access'>> {
  const entries = Object.entries(limits).map(([name, value]) => [
    name,
    value === UNLIMITED && name !== 'responseTopicPrefix' ? Number.POSITIVE_INFINITY : value,
  ]);
  return Object.fromEntries(entries) as Partial<Omit<BrokerConfig, 'access'>>;
}

function checkUrls(file: string, urls: readonly string[]): void {
  for (const [index, url] of urls.entries()) {
    try {
      parseNode(url);
    } catch (error) {
      if (!(error instanceof UpstreamUrlError)) throw error;
      throw new UsageError(error.code, `${file}: upstream.urls[${index}]: ${error.message}`);
    }
  }
}
