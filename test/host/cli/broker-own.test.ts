// thimble broker with a broker of our own, as a process: TLS and WebSocket, what is kept, what is read again, what is said.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as dialTls } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatHash, hashPassword } from '../../../host/identity/password-hash.js';
import { type Certificates, makeCertificates } from '../../e2e/brokers.js';
import { HOST, Program, thimble, until } from '../../e2e/world.js';
import { describeWithTools } from '../../tools.js';
import { parseExposition } from '../metrics/exposition.js';
import { Exit, expectRefusal, MAIN, temporaryFile, temporaryFolder } from './command.js';

interface Announcement {
  readonly mqtt?: number;
  readonly metrics?: number;
  readonly data?: string;
  readonly listeners: readonly { readonly name: string; readonly kind: string; readonly url: string }[];
}

interface Started {
  readonly program: Program;
  readonly announced: Announcement;
  /** Of the first listener. */
  readonly url: string;
}

async function start(...args: string[]): Promise<Started> {
  return started(thimble('broker', '--sn', '0', '--json', ...args));
}

async function started(program: Program): Promise<Started> {
  const announced = JSON.parse(await program.line(/^\{/)) as Announcement;
  return { program, announced, url: announced.listeners[0]!.url };
}

const clients: MqttClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
});

async function connect(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options });
  client.on('error', () => {}); // the end of a broker
  clients.push(client);
  return client;
}

/** Messages in the order in which they come, from before CONNACK on. */
async function connectAndCollect(url: string, options: IClientOptions): Promise<string[]> {
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options });
  clients.push(client);
  const messages: string[] = [];
  client.on('message', (topic, payload) => messages.push(`${topic} ${payload}`));
  await until('it connects', () => client.connected);
  return messages;
}

let certificates: Certificates;
let tls: string[];

beforeAll(() => {
  certificates = makeCertificates();
  tls = ['--tls-key', certificates.keyFile, '--tls-cert', certificates.certFile];
});

describe('the listeners', () => {
  it('are those that were named, of every kind, and each is one of MQTT', async () => {
    const { program, announced } = await start('--mqtt', '0', '--mqtts', '0', '--ws', '0', '--wss', '0', ...tls);
    expect(announced.listeners.map(({ name, url }) => `${name} ${url.replace(/\d+($|\/mqtt)/, 'PORT$1')}`)).toEqual([
      `mqtt mqtt://${HOST}:PORT`,
      `mqtts mqtts://${HOST}:PORT`,
      `ws ws://${HOST}:PORT/mqtt`,
      `wss wss://${HOST}:PORT/mqtt`,
    ]);
    for (const { url } of announced.listeners) await connect(url, { ca: certificates.ca, protocolVersion: 5 });
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
    expect(program.errors).toBe('');
  });

  it('are only those: plain TCP is none where TLS alone was named', async () => {
    const { program, announced } = await start('--mqtts', '0', ...tls);
    expect(announced.listeners.map(({ kind }) => kind)).toEqual(['mqtts']);
    expect(announced.mqtt).toBeUndefined();
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });

  it('have no MQTT-SN beside them where that is not wanted', async () => {
    const data = join(temporaryFolder(), 'data');
    const program = thimble('broker', '--no-sn', '--mqtt', '0', '--metrics', '0', '--data', data, '--json');
    const { announced, url } = await started(program);
    expect(Object.keys(announced)).toEqual(['mqtt', 'host', 'listeners', 'metrics', 'data']);
    await connect(url);
    const page = await (await fetch(`http://${HOST}:${announced.metrics}/metrics`)).text();
    expect(page).toContain('\nthimble_broker_connections 1\n');
    expect(page).not.toContain('thimble_gateway');
    expect(existsSync(join(data, 'gateway'))).toBe(false);
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });

  it('want a client certificate where there is an authority for them', async () => {
    const { program, url } = await start('--mqtts', '0', ...tls, '--tls-ca', certificates.caFile);
    const stranger = mqtt.connect(url, { ca: certificates.ca, reconnectPeriod: 0 });
    clients.push(stranger);
    await new Promise((resolve) => stranger.on('error', () => {}).once('close', () => resolve(undefined)));
    expect(stranger.connected).toBe(false);
    const { certFile, keyFile } = certificates;
    await connect(url, { ca: certificates.ca, cert: readFileSync(certFile), key: readFileSync(keyFile) });
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
    expect(program.errors).toMatch(/ warn connection-refused .*"why":"client-certificate"/);
  });

  it('may stand in the configuration, with files beside it, and those of the command line are added', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'pki'));
    copyFileSync(certificates.keyFile, join(folder, 'pki', 'key.pem'));
    copyFileSync(certificates.certFile, join(folder, 'pki', 'cert.pem'));
    const listeners = [
      { name: 'web', kind: 'wss', port: 0, path: '/broker', tls: { key: 'pki/key.pem', cert: 'pki/cert.pem' } },
    ];
    writeFileSync(join(folder, 'c.json'), JSON.stringify({ listeners, data: 'kept', limits: { qosMax: 1 } }));
    const { program, announced } = await start('--config', join(folder, 'c.json'), '--ws', '0');
    expect(announced.listeners.map(({ name }) => name)).toEqual(['web', 'ws']);
    expect(announced.listeners[0]!.url).toMatch(/^wss:.*\/broker$/);
    expect(announced.data).toBe(join(folder, 'kept'));
    expect(existsSync(join(folder, 'kept', 'broker')) && existsSync(join(folder, 'kept', 'gateway'))).toBe(true);
    const client = await connect(announced.listeners[0]!.url, { ca: certificates.ca, protocolVersion: 5 });
    const [granted] = await client.subscribeAsync('a', { qos: 2 });
    expect(granted!.qos).toBe(1);
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });
});

describe('what is kept', () => {
  const AWAY = { clientId: 'away', clean: false } as const;

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'is there again after %s: retained, queued, and the session',
    async (signal) => {
      const data = join(temporaryFolder(), 'data');
      const first = await start('--mqtt', '0', '--data', data, '--metrics', '0');
      expect(first.announced.data).toBe(data);
      const away = await connect(first.url, AWAY);
      await away.subscribeAsync('a/#', { qos: 1 });
      await away.endAsync();
      const sender = await connect(first.url);
      await sender.publishAsync('a/kept', 'retained', { qos: 1, retain: true });
      await sender.publishAsync('a/queued', 'waits', { qos: 1 });
      const page = await (await fetch(`http://${HOST}:${first.announced.metrics}/metrics`)).text();
      const families = parseExposition(page);
      expect(families.get('thimble_journal_commits_total')!.samples.get('')).toBeGreaterThan(0);
      expect([...families.get('thimble_listener_connections')!.samples.values()]).toEqual([1]);
      expect(await first.program.stop(signal)).toBe(signal === 'SIGTERM' ? Exit.Done : null);
      expect(first.program.errors).toBe('');

      const second = await start('--mqtt', '0', '--data', data, '--durability', 'process');
      const messages = await connectAndCollect(second.url, AWAY);
      await until('both have come', () => messages.length >= 2);
      expect(messages).toEqual(['a/kept retained', 'a/queued waits']);
      const other = await connectAndCollect(second.url, {});
      clients.at(-1)!.subscribe('#');
      await until('it is retained', () => other.length > 0);
      expect(other).toEqual(['a/kept retained']);
      expect(await second.program.stop('SIGTERM')).toBe(Exit.Done);
    },
  );

  it('ends the process where the disk is full, and nothing is acknowledged that is not there', async () => {
    const data = join(temporaryFolder(), 'data');
    const bounded = [
      '-c',
      'ulimit -f 2000 && exec "$0" "$@"',
      process.execPath,
      MAIN,
      'broker',
      '--sn',
      '0',
      '--mqtt',
      '0',
    ];
    const full = await started(new Program('sh', [...bounded, '--json', '--data', data]));
    const away = await connect(full.url, AWAY);
    await away.subscribeAsync('#', { qos: 1 });
    await away.endAsync();
    const sender = await connect(full.url);
    let acknowledged = 0;
    try {
      for (;;) {
        const gone = new Promise((_, reject) => sender.once('close', () => reject(new Error('closed'))));
        await Promise.race([sender.publishAsync(`a/${acknowledged}`, Buffer.alloc(20_000), { qos: 1 }), gone]);
        acknowledged++;
      }
    } catch {
      expect(acknowledged).toBeGreaterThan(0);
    }
    expect(await full.program.exit()).toBe(Exit.Failed);
    expect(full.program.errors).toMatch(/^thimble: .*cannot be written.*\[ERR_STORE_WRITE\]\n$/m); // after the database's own word
    const again = await start('--mqtt', '0', '--data', data);
    const messages = await connectAndCollect(again.url, AWAY);
    await until('all have come', () => messages.length >= acknowledged);
    const topics = messages.map((message) => message.split(' ', 1)[0]);
    for (let i = 0; i < acknowledged; i++) expect(topics).toContain(`a/${i}`);
    await again.program.stop('SIGTERM');
  });
});

describe('the end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s is told to clients of MQTT 5.0, and publishes wills',
    async (signal) => {
      const data = join(temporaryFolder(), 'data');
      const { program, url } = await start('--mqtt', '0', '--data', data);
      const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: true } as const;
      const client = await connect(url, { protocolVersion: 5, will });
      const reason = new Promise((resolve) => client.once('disconnect', ({ reasonCode }) => resolve(reasonCode)));
      expect(await program.stop(signal)).toBe(Exit.Done);
      expect(await reason).toBe(0x8b);
      const again = await start('--mqtt', '0', '--data', data);
      const messages = await connectAndCollect(again.url, {});
      clients.at(-1)!.subscribe('will');
      await until('it is there', () => messages.length > 0);
      expect(messages).toEqual(['will gone']);
      await again.program.stop('SIGTERM');
    },
  );
});

/** The certificate that a listener shows. */
function serialAt(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = dialTls({ host: HOST, port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('SIGHUP', () => {
  const hangUp = (program: Program): void => program.signal('SIGHUP');

  it('puts new certificates and passwords in place, and leaves who is connected alone', async () => {
    const folder = temporaryFolder();
    const next = makeCertificates();
    const passwordOf = async (password: string): Promise<string> =>
      `ann:${formatHash(await hashPassword(Buffer.from(password)))}\n`;
    const install = async ({ keyFile, certFile }: Certificates, password: string): Promise<void> => {
      copyFileSync(keyFile, join(folder, 'key.pem'));
      copyFileSync(certFile, join(folder, 'cert.pem'));
      writeFileSync(join(folder, 'passwords'), await passwordOf(password));
    };
    const allowAll = { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
    const listener = { kind: 'mqtts', port: 0, tls: { key: 'key.pem', cert: 'cert.pem' } };
    const identity = { passwords: { file: 'passwords', policies: [allowAll] } };
    const config = join(folder, 'c.json');
    writeFileSync(config, JSON.stringify({ listeners: [listener], identity }));
    await install(certificates, 'first');
    const { program, url } = await start('--config', config, '--log-level', 'info');
    const ann = (password: string, ca: string): Promise<MqttClient> => connect(url, { username: 'ann', password, ca });
    const before = await ann('first', certificates.ca);
    const serial = await serialAt(url);

    await install(next, 'second');
    hangUp(program);
    await until('it has reloaded', () => program.errors.includes(' info reloaded '));
    expect(await serialAt(url)).not.toBe(serial);
    await ann('second', next.ca);
    await expect(ann('first', next.ca)).rejects.toMatchObject({ code: 4 });
    await before.publishAsync('a', 'still here', { qos: 1 });

    writeFileSync(join(folder, 'key.pem'), 'no key');
    hangUp(program);
    await until('it says no', () => program.errors.includes('[ERR_LISTEN_TLS]'));
    writeFileSync(config, JSON.stringify({ listeners: [{ ...listener, path: '/x' }] }));
    hangUp(program);
    await until('it says no again', () => program.errors.includes('[ERR_USAGE_CONFIG]'));
    writeFileSync(config, JSON.stringify({ listeners: [{ ...listener, tls: { key: 'key2.pem', cert: 'cert.pem' } }] }));
    copyFileSync(next.keyFile, join(folder, 'key2.pem'));
    hangUp(program);
    await until('it says what has gone', () => program.errors.includes('identity has come or gone'));
    writeFileSync(config, '{');
    hangUp(program);
    await until('it says where', () => program.errors.includes('line 1, column 2'));
    await ann('second', next.ca);
    expect(program.errors.match(/SIGHUP: nothing was reloaded: /g)).toHaveLength(4);
    expect(program.errors).not.toMatch(/first|second|scrypt/);
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });

  it('ends what has nothing to reload', async () => {
    const { program } = await start('--mqtt', '0');
    expect(await program.stop('SIGHUP')).toBe(null);
  });
});

describe('the log', () => {
  const nobody = temporaryFile('c.json', { identity: { anonymous: { policies: [] } } });

  it('warns without being asked, of who was refused and why', async () => {
    const { program, url } = await start('--mqtt', '0', '--config', nobody);
    await expect(connect(url, { clientId: 'eve' })).rejects.toMatchObject({ code: 5 });
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
    expect(program.errors).toMatch(/^thimble: MQTT-SN clients cannot come in: identity has no "local".*--no-sn.*\n/m);
    expect(program.errors).not.toContain('out of reach');
    const refusals = program.errors.split('\n').filter((line) => line.includes('"eve"'));
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toMatch(/^\S+Z warn connect-refused \{.*"address":"127\.0\.0\.1".*"why":"policy"/);
  });

  it('is JSON line by line where it is asked for, without a payload or a password in it', async () => {
    const { program, url } = await start('--mqtt', '0', '--log-level', 'debug', '--log-format', 'json');
    const client = await connect(url, { clientId: 'ann', username: 'ann', password: 'hush' });
    await client.publishAsync('a', 'hush', { qos: 1, retain: true });
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
    const lines = program.errors
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'debug', event: 'connection-open', clientId: 'ann' }),
    );
    for (const { time, level, event } of lines)
      expect([typeof time, typeof level, typeof event]).toEqual(Array(3).fill('string'));
    expect(program.errors).not.toContain('hush');
  });
});

describeWithTools(['mosquitto_sub'], '$SYS', () => {
  it('is there for who subscribes to it, and for nobody else', async () => {
    const config = temporaryFile('c.json', { sys: { intervalMs: 100 } });
    const { program, announced } = await start('--mqtt', '0', '--config', config);
    const args = (...more: string[]): string[] => ['-h', HOST, '-p', `${announced.mqtt}`, ...more];
    const version = new Program('mosquitto_sub', args('-t', '$SYS/broker/version', '-C', '1', '-F', '%r %t %p'));
    await version.exit();
    expect(version.lines[0]).toMatch(/^1 \$SYS\/broker\/version thimble \d+\.\d+\.\d+$/);
    const all = new Program('stdbuf', ['-oL', 'mosquitto_sub', ...args('-t', '#', '-t', '$SYS/#', '-v')]);
    await all.line(/^\$SYS\/broker\/clients\/connected 2$/); // with the gateway of its own
    await all.line(/^\$SYS\/broker\/load\/bytes\/received\/1min \d/);
    await all.stop('SIGTERM');
    const none = new Program('stdbuf', ['-oL', 'mosquitto_sub', ...args('-t', '#', '-v', '-W', '1')]);
    await none.exit();
    expect(none.lines.join('')).toBe('');
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });

  it('is not, where it is switched off', async () => {
    const config = temporaryFile('c.json', { sys: { intervalMs: 0 } });
    const { program, announced } = await start('--mqtt', '0', '--config', config);
    const where = ['-h', HOST, '-p', `${announced.mqtt}`];
    const sub = new Program('mosquitto_sub', [...where, '-t', '$SYS/#', '-v', '-W', '1']);
    await sub.exit();
    expect(sub.lines.join('')).toBe('');
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });
});

describe('what cannot work together', () => {
  const to = ['broker', '--sn', '0', '--upstream', 'mqtt://x'];
  const text = temporaryFile('text.pem', 'hello');
  const listeners = temporaryFile('c.json', { listeners: [{ kind: 'mqtt', port: 0 }], limits: {} });
  it.each<[string[], string, string[]]>([
    [['broker', '--mqtts', '0'], 'ERR_USAGE_TLS', ['--mqtts: only together with --tls-key and --tls-cert']],
    [['broker', '--tls-key', text], 'ERR_USAGE_TLS', ['both']],
    [['broker', '--tls-ca', text], 'ERR_USAGE_TLS', ['both']],
    [['broker', '--tls-key', text, '--tls-cert', text], 'ERR_USAGE_TLS', ['only together with --mqtts or --wss']],
    [['broker', '--wss', '0', '--tls-key', text, '--tls-cert', text, '--tls-crl', text], 'ERR_USAGE_TLS', ['--tls-ca']],
    [
      ['broker', '--wss', '0', '--tls-key', text, '--tls-cert', text],
      'ERR_LISTEN_TLS',
      ['listener wss, tls.cert', 'PEM'],
    ],
    [
      ['broker', '--wss', '0', '--tls-key', '/nowhere/key', '--tls-cert', text],
      'ERR_USAGE_FILE',
      ['--tls-key /nowhere/key'],
    ],
    [['broker', '--ws', '65536'], 'ERR_USAGE_PORT', ['--ws 65536']],
    [['broker', '--durability', 'disk'], 'ERR_USAGE_DATA', ['only together with --data']],
    [['broker', '--data', 'x', '--durability', 'ram'], 'ERR_USAGE_DATA', ['--durability ram: disk or process']],
    [['broker', '--data', 'x', '--store', 'y'], 'ERR_USAGE_DATA', ['--store', '--data']],
    [['broker', '--data', text], 'ERR_STORE_FOLDER', [text]],
    [['broker', '--no-sn', '--pcap', 'x', '--baud', '1'], 'ERR_USAGE_GATEWAY', ['--baud and --pcap: not with --no-sn']],
    [['broker', '--no-sn', '--upstream', 'mqtt://x'], 'ERR_USAGE_GATEWAY', ['--upstream']],
    [['broker', '--log-level', 'loud'], 'ERR_USAGE_LOG', ['--log-level loud: one of debug, info, warn, error']],
    [['broker', '--log-format', 'xml'], 'ERR_USAGE_LOG', ['--log-format xml: one of text, json']],
    [['broker', '--verbose', '--log-level', 'info'], 'ERR_USAGE_LOG', ['leave out one of them']],
    [[...to, '--ws', '0', '--durability', 'disk'], 'ERR_USAGE_UPSTREAM', ['--ws and --durability']],
    [[...to, '--config', listeners], 'ERR_USAGE_UPSTREAM', ['listeners in --config and limits in --config']],
  ])('refuses thimble %j', expectRefusal);
});
