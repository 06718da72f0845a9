// MQTT clients of other people's making, each behind the same few verbs: mosquitto's programs, MQTT.js, Paho for Python.
import { fileURLToPath } from 'node:url';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Qos } from '../../host/ports.js';
import { HOST, Program, until } from './world.js';

/** As the protocol's level: MQTT 3.1.1 and 5.0. */
export type Version = 4 | 5;

export interface Said {
  readonly topic: string;
  readonly payload: string;
  readonly qos?: Qos;
  readonly retain?: boolean;
  /** A user property, of MQTT 5.0. */
  readonly property?: readonly [name: string, value: string];
}

/** A client that listens at QoS 2. Each message is a line: `QOS RETAIN TOPIC PAYLOAD`, and ` NAME:VALUE` of a user property. */
export interface Ears {
  readonly lines: readonly string[];
  line(pattern: RegExp): Promise<string>;
  /** Ends the client without a word to the broker. */
  kill(): Promise<void>;
}

export interface Library {
  readonly name: string;
  /** Resolves when the handshake is done. */
  publish(port: number, version: Version, said: Said): Promise<void>;
  /** Resolves when it is subscribed. `keep`: the client's session outlives its connection. */
  listen(port: number, version: Version, filter: string, clientId: string, keep?: boolean): Promise<Ears>;
  /** Connects with a will of QoS 1, and has its connection lost. */
  die(port: number, version: Version, will: Said): Promise<void>;
}

const KEPT_S = 3_600;

/** A program that is to end by itself, and well. */
async function finish(program: Program): Promise<void> {
  const code = await program.exit();
  if (code !== 0) throw new Error(`${program.command} ended with ${code}: ${program.errors}`);
}

const earsOf = (program: Program): Ears => ({
  lines: program.lines,
  line: (pattern) => program.line(pattern),
  kill: async () => void (await program.stop('SIGKILL')),
});

/** `stdbuf` lets lines out at once. */
const prompt = (...command: string[]): Program => new Program('stdbuf', ['-oL', ...command]);

const mosquittoAt = (port: number, version: Version): string[] => [
  ...['-h', HOST, '-p', `${port}`, '-V', version === 5 ? 'mqttv5' : 'mqttv311'],
];

export const mosquitto: Library = {
  name: 'mosquitto',
  publish(port, version, { topic, payload, qos = 0, retain = false, property }) {
    const more = property === undefined ? [] : ['-D', 'publish', 'user-property', ...property];
    const what = ['-t', topic, '-m', payload, '-q', `${qos}`, ...(retain ? ['-r'] : []), ...more];
    return finish(new Program('mosquitto_pub', [...mosquittoAt(port, version), ...what]));
  },
  async listen(port, version, filter, clientId, keep = false) {
    const session = keep ? ['-c', ...(version === 5 ? ['-x', `${KEPT_S}`] : [])] : [];
    const what = ['-i', clientId, '-d', '-t', filter, '-q', '2', '-F', '%q %r %t %p %P', ...session];
    const program = prompt('mosquitto_sub', ...mosquittoAt(port, version), ...what);
    await program.line(/^Subscribed /);
    return earsOf(program);
  },
  async die(port, version, { topic, payload }) {
    const will = ['--will-topic', topic, '--will-payload', payload, '--will-qos', '1'];
    const program = prompt('mosquitto_sub', ...mosquittoAt(port, version), '-d', '-t', 'nothing', ...will);
    await program.line(/^Subscribed /);
    await program.stop('SIGKILL');
  },
};

const PAHO = fileURLToPath(new URL('interop-paho.py', import.meta.url));
/** Debian's, whose modules are Debian's packages; another that comes first in the path would not have them. */
const PYTHON = '/usr/bin/python3';

export const paho: Library = {
  name: 'Paho',
  publish(port, version, { topic, payload, qos = 0, retain = false, property = [] }) {
    const what = [topic, payload, `${qos}`, retain ? '1' : '0', ...property];
    return finish(new Program(PYTHON, [PAHO, 'pub', `${version}`, `${port}`, ...what]));
  },
  async listen(port, version, filter, clientId, keep = false) {
    const what = [clientId, filter, keep ? 'keep' : 'end'];
    const program = new Program(PYTHON, [PAHO, 'sub', `${version}`, `${port}`, ...what]);
    await program.line(/^subscribed$/);
    return earsOf(program);
  },
  async die(port, version, { topic, payload }) {
    const program = new Program(PYTHON, [PAHO, 'will', `${version}`, `${port}`, topic, payload]);
    await program.line(/^connected$/);
    await program.stop('SIGKILL');
  },
};

const open = new Set<MqttClient>();

/** For `afterAll`. */
export async function endMqttJs(): Promise<void> {
  await Promise.all([...open].map((client) => client.endAsync(true)));
}

async function join(port: number, protocolVersion: Version, options: IClientOptions = {}): Promise<MqttClient> {
  const client = mqtt.connect({ host: HOST, port, protocol: 'mqtt', protocolVersion, reconnectPeriod: 0, ...options });
  open.add(client);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  return client;
}

export const mqttJs: Library = {
  name: 'MQTT.js',
  async publish(port, version, { topic, payload, qos = 0, retain = false, property }) {
    const client = await join(port, version);
    const properties = property === undefined ? {} : { userProperties: { [property[0]]: property[1] } };
    await client.publishAsync(topic, payload, { qos, retain, ...(version === 5 && { properties }) });
    await client.endAsync();
    open.delete(client);
  },
  async listen(port, version, filter, clientId, keep = false) {
    const lines: string[] = [];
    const expiry = keep && version === 5 ? { properties: { sessionExpiryInterval: KEPT_S } } : {};
    const client = mqtt.connect({
      ...{ host: HOST, port, protocol: 'mqtt', protocolVersion: version, reconnectPeriod: 0 },
      ...{ clientId, clean: !keep, ...expiry },
    });
    open.add(client);
    // Before CONNACK: what waited for the session comes with it.
    client.on('message', (topic, payload, { qos, retain, properties }) => {
      const pairs = Object.entries(properties?.userProperties ?? {});
      lines.push([qos, retain ? 1 : 0, topic, payload, ...pairs.map(([name, value]) => `${name}:${value}`)].join(' '));
    });
    await client.subscribeAsync(filter, { qos: 2 });
    return {
      lines,
      line: (pattern) => until(`MQTT.js hears ${pattern}`, () => lines.find((line) => pattern.test(line))),
      kill: async () => void (await client.endAsync(true)),
    };
  },
  async die(port, version, { topic, payload }) {
    const client = await join(port, version, { will: { topic, payload: Buffer.from(payload), qos: 1, retain: false } });
    client.stream.destroy();
  },
};
