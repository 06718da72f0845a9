// The brokers, and what each is told: the same where it can be told the same, its own default otherwise.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../host/firmware/paths.js';
import { HOST, INFLIGHT_TO_SUBSCRIBER_MAX } from './settings.js';

export type BrokerName = 'thimble' | 'aedes' | 'mosquitto' | 'nats-server';

/** How a broker is started: it either says on stdout which port it has taken, or is told. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Undefined: the first line of stdout is JSON, with the port in `mqtt`. */
  readonly port?: number;
  /** To be written into `folder` before. */
  readonly config?: { readonly file: string; readonly text: string };
}

export interface BrokerSpec {
  readonly name: BrokerName;
  /** The highest QoS that it offers. */
  readonly qosMax: number;
  /** How it comes onto a machine where it is missing. */
  readonly install: string;
  /** What it was told, for the page. */
  readonly settings: string;
  /** Undefined where it is not installed. */
  version(): string | undefined;
  /** `port` is free; `folder` is empty, and the broker's own until it ends. */
  start(port: number, folder: string): Start;
}

const own = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

function packageVersion(file: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** Where servers are installed, which is not on everybody's path. */
const SERVER_PATHS = ['/usr/sbin', '/usr/local/sbin'];
export const ENVIRONMENT = { ...process.env, PATH: [process.env.PATH, ...SERVER_PATHS].join(delimiter) };

/** The version that a program says of itself. Some end with an error all the same. */
function programVersion(command: string, argument: string): string | undefined {
  const { stdout, stderr } = spawnSync(command, [argument], { encoding: 'utf8', env: ENVIRONMENT });
  return /\bv?(\d+\.\d+\.\d+)/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1];
}

const THIMBLE: BrokerSpec = {
  name: 'thimble',
  qosMax: 2,
  install: 'npm run build',
  settings: `its broker on a TCP socket, without the gateway; inflightMax ${INFLIGHT_TO_SUBSCRIBER_MAX}; sessions in memory`,
  version: () => packageVersion(join(PACKAGE_ROOT, 'package.json')),
  start: () => ({ command: process.execPath, args: [own('./thimble-process.js')] }),
};

const AEDES: BrokerSpec = {
  name: 'aedes',
  qosMax: 2,
  install: 'npm install',
  settings: 'its defaults, behind `net.createServer` with noDelay; sessions in memory; no bound of messages in flight',
  version: () => {
    try {
      return packageVersion(join(dirname(createRequire(import.meta.url).resolve('aedes')), 'package.json'));
    } catch {
      return undefined;
    }
  },
  start: () => ({ command: process.execPath, args: [own('./aedes-process.js')] }),
};

const MOSQUITTO_SETTINGS = `allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages ${INFLIGHT_TO_SUBSCRIBER_MAX}
max_queued_messages 0
log_type error
`;

const MOSQUITTO: BrokerSpec = {
  name: 'mosquitto',
  qosMax: 2,
  install: 'apt-get install mosquitto',
  settings: MOSQUITTO_SETTINGS.trim()
    .split('\n')
    .map((line) => `\`${line}\``)
    .join(', '),
  version: () => programVersion('mosquitto', '-h'),
  start: (port, folder) => {
    const file = join(folder, 'mosquitto.conf');
    const text = `listener ${port} ${HOST}\n${MOSQUITTO_SETTINGS}`;
    return { command: 'mosquitto', args: ['-c', file], port, config: { file, text } };
  },
};

const NATS: BrokerSpec = {
  name: 'nats-server',
  qosMax: 1,
  install: 'apt-get install nats-server',
  settings:
    `\`mqtt { max_ack_pending: ${INFLIGHT_TO_SUBSCRIBER_MAX} }\`, JetStream in a folder for temporary files, where it writes ` +
    'every message of QoS 1, which the others keep in memory; GOMAXPROCS=1; no QoS 2',
  version: () => programVersion('nats-server', '--version'),
  start: (port, folder) => {
    const file = join(folder, 'nats.conf');
    const text = [
      `listen: "${HOST}:-1"`,
      'server_name: bench',
      `jetstream { store_dir: ${JSON.stringify(join(folder, 'jetstream'))} }`,
      `mqtt { listen: "${HOST}:${port}", max_ack_pending: ${INFLIGHT_TO_SUBSCRIBER_MAX} }`,
    ].join('\n');
    return {
      command: 'nats-server',
      args: ['-c', file],
      port,
      config: { file, text },
      environment: { GOMAXPROCS: '1' },
    };
  },
};

export const BROKERS: readonly BrokerSpec[] = [THIMBLE, AEDES, MOSQUITTO, NATS];
