// thimble broker as a process: what stands behind it, what it keeps, how it is watched, and how it ends.
import { generateKeyPairSync } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDiskStore } from '../../../host/store/disk-store.js';
import { freePorts } from '../../e2e/brokers.js';
import { HOST, type Program, thimble, until } from '../../e2e/world.js';
import { type Family, parseExposition } from '../metrics/exposition.js';
import { Exit, expectRefusal, temporaryFile, temporaryFolder } from './command.js';

interface Announcement {
  readonly mqtt?: number;
  readonly sn: number;
  readonly host: string;
  readonly listeners?: readonly { readonly kind: string; readonly port: number; readonly url: string }[];
  readonly data?: string;
  readonly metrics?: number;
  readonly upstream?: readonly string[];
  readonly store?: string;
}

async function start(...args: string[]): Promise<{ program: Program; announced: Announcement }> {
  const program = thimble('broker', '--sn', '0', '--json', ...args);
  return { program, announced: JSON.parse(await program.line(/^\{/)) as Announcement };
}

async function scrape(port: number): Promise<Map<string, Family>> {
  const response = await fetch(`http://${HOST}:${port}/metrics`);
  expect(response.status).toBe(200);
  return parseExposition(await response.text());
}

/** Scrapes until a metric without labels has the value. */
async function untilMetric(port: number, name: string, value: number): Promise<void> {
  const found = async (): Promise<boolean> => (await scrape(port)).get(name)?.samples.get('') === value;
  while (!(await found()));
}

describe('the announcement', () => {
  it('says in JSON what there is, and nothing of what there is not', async () => {
    const { program, announced } = await start('--mqtt', '0');
    expect(Object.keys(announced)).toEqual(['mqtt', 'sn', 'host', 'listeners']);
    const { mqtt } = announced;
    expect(announced.listeners).toEqual([
      { name: 'mqtt', kind: 'mqtt', host: HOST, port: mqtt, url: `mqtt://${HOST}:${mqtt}` },
    ]);
    expect(await program.stop('SIGINT')).toBe(Exit.Done);
    expect(program.errors).toBe('');
  });

  it('says in words where it listens, where its broker is and what it keeps', async () => {
    const store = join(temporaryFolder(), 'kept');
    const own = thimble('broker', '--mqtt', '0', '--sn', '0', '--metrics', '0', '--store', store);
    await own.line(/^Ctrl-C/);
    expect(await own.stop('SIGTERM')).toBe(Exit.Done);
    expect(own.lines.join('\n')).toMatch(
      /^MQTT 3.1, 3.1.1 and 5.0 at mqtt:\/\/127.0.0.1:\d+ \(TCP\)\nMQTT-SN 1.2 on 127.0.0.1, UDP port \d+\nMetrics at http:\/\/127.0.0.1:\d+\/metrics\nThe gateway's sessions are kept in .*\/kept; those of the broker, and its messages, end with the process .*\n/,
    );
    const other = thimble('broker', '--sn', '0', '--upstream', 'mqtt://a:secret@one', '--upstream', 'mqtt://two:1');
    await other.line(/^Ctrl-C/);
    expect(await other.stop('SIGTERM')).toBe(Exit.Done);
    expect(other.lines[0]).toMatch(/^MQTT-SN/);
    expect(other.lines[1]).toBe('The broker is mqtt://one:1883 or mqtt://two:1, one connection for each client');
  });
});

describe('metrics', () => {
  it('are there while it runs, and who asks slowly does not keep it from ending', async () => {
    const { program, announced } = await start('--mqtt', '0', '--metrics', '0');
    const port = announced.metrics!;
    await untilMetric(port, 'thimble_gateway_upstream_up', 1);
    const families = await scrape(port);
    for (const name of ['thimble_gateway_clients', 'thimble_broker_connections', 'process_cpu_seconds_total']) {
      expect([...families.keys()]).toContain(name);
    }
    const halfOpen = connect(port, HOST);
    halfOpen.on('error', () => {});
    halfOpen.write('GET /metrics HTTP/1.1\r\n');
    const silent = connect(port, HOST).on('error', () => {});
    await until('both are connected', () => !halfOpen.pending && !silent.pending);
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });

  it('on a port that another has end it, and leave nothing open', async () => {
    const { program, announced } = await start('--mqtt', '0');
    const taken = String(announced.mqtt);
    const store = temporaryFolder();
    const second = thimble('broker', '--mqtt', '0', '--sn', '0', '--metrics', taken, '--store', store);
    expect(await second.exit()).toBe(Exit.Usage);
    expect(second.errors).toMatch(/^thimble: cannot listen at 127.0.0.1, TCP port \d+: .*\[ERR_TCP_LISTEN\]\n$/);
    await (await openDiskStore(store)).close();
    await program.stop('SIGTERM');
  });
});

describe.each([[[]], [['--aggregate']]])('another broker %j', (manner: readonly string[]) => {
  it('is connected to, and its secrets are told to nobody', async () => {
    const behind = await start('--mqtt', '0', '--metrics', '0');
    const url = `mqtt://gateway:secret@${HOST}:${behind.announced.mqtt}`;
    const { program, announced } = await start('--upstream', url, '--metrics', '0', '--verbose', ...manner);
    expect(announced.mqtt).toBeUndefined();
    expect(announced.upstream).toEqual([`mqtt://${HOST}:${behind.announced.mqtt}`]);
    await untilMetric(announced.metrics!, 'thimble_gateway_upstream_up', 1);
    const families = await scrape(announced.metrics!);
    expect(families.has('thimble_broker_connections')).toBe(false);
    expect(families.has('thimble_aggregate_connected')).toBe(manner.length > 0);
    await untilMetric(behind.announced.metrics!, 'thimble_broker_connections', 2); // with the gateway of its own
    expect(await program.stop('SIGINT')).toBe(Exit.Done);
    expect(await behind.program.stop('SIGINT')).toBe(Exit.Done);
    expect(program.errors).toContain('upstream-up');
    expect(program.lines.join('\n') + program.errors).not.toMatch(/secret|gateway:/);
  });

  it('that is not there does not keep it from running and ending', async () => {
    const store = temporaryFolder();
    const { program, announced } = await start(
      '--upstream',
      `mqtt://${HOST}:1`,
      '--metrics',
      '0',
      '--store',
      store,
      ...manner,
    );
    expect((await scrape(announced.metrics!)).get('thimble_gateway_upstream_up')!.samples.get('')).toBe(0);
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
    await (await openDiskStore(store)).close();
  });
});

describe.each([[[]], [['--aggregate']]])('without --verbose %j', (manner: readonly string[]) => {
  it('it is said that the broker is out of reach, that it is there again, and that it is lost', async () => {
    const [port] = await freePorts(1);
    const quick = temporaryFile('c.json', { gateway: { upstreamRetryMs: 100, upstreamRetryMsMax: 100 } });
    const url = `mqtt://${HOST}:${port}`;
    const { program } = await start('--upstream', url, '--config', quick, ...manner);
    const hears = (words: RegExp) =>
      until(`it says ${words} (it said ${program.errors})`, () => words.test(program.errors));
    await hears(/^thimble: the broker is out of reach: nobody listens there \(ECONNREFUSED\); trying again.*\n$/);
    const behind = await start('--mqtt', String(port));
    await hears(/\nthimble: the broker is there again\n$/);
    await behind.program.stop('SIGKILL');
    await hears(/\nthimble: the broker is lost: it ended the connection \(\S+\); trying again.*\n/);
    expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });

  it('it is said that another gateway has the same client id', async () => {
    const behind = await start('--mqtt', '0');
    const url = `mqtt://${HOST}:${behind.announced.mqtt}`;
    const quick = temporaryFile('c.json', { gateway: { gwId: 9, upstreamRetryMs: 100, upstreamRetryMsMax: 100 } });
    const [first, second] = [
      await start('--upstream', url, '--config', quick, ...manner),
      await start('--upstream', url, '--config', quick, ...manner),
    ];
    for (const { program } of [first, second]) {
      const words = /again and again .* client id "thimble-gateway-9": give each gateway a gwId/;
      await until(`it says ${words} (it said ${program.errors})`, () => words.test(program.errors));
    }
    for (const { program } of [first, second, behind]) expect(await program.stop('SIGTERM')).toBe(Exit.Done);
  });
});

describe('the configuration', () => {
  it('may name the other broker, and the command line goes before it', async () => {
    const config = temporaryFile('c.json', { upstream: { urls: ['mqtt://u:secret@one:1'], keepAliveS: 0 } });
    const fromFile = await start('--config', config);
    expect(fromFile.announced.upstream).toEqual(['mqtt://one:1']);
    const fromLine = await start('--config', config, '--upstream', 'mqtt://two:2');
    expect(fromLine.announced.upstream).toEqual(['mqtt://two:2']);
    expect(await fromFile.program.stop('SIGTERM')).toBe(Exit.Done);
    expect(await fromLine.program.stop('SIGTERM')).toBe(Exit.Done);
  });
});

describe('a store', () => {
  it('is one process’s at a time, and free again when that was killed', async () => {
    const store = temporaryFolder();
    const first = await start('--mqtt', '0', '--store', store);
    expect(first.announced.store).toBe(store);
    const second = thimble('broker', '--mqtt', '0', '--sn', '0', '--store', store);
    expect(await second.exit()).toBe(Exit.Usage);
    expect(second.errors).toMatch(/^thimble: .*in use by process \d+; .*\[ERR_STORE_IN_USE\]\n$/);
    await first.program.stop('SIGKILL');
    const third = await start('--mqtt', '0', '--store', store);
    expect(await third.program.stop('SIGTERM')).toBe(Exit.Done);
  });
});

describe('what cannot work together', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = temporaryFile('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const text = temporaryFile('text.pem', 'hello');
  const cert = new URL('cert.pem', import.meta.url).pathname;
  const to = ['broker', '--sn', '0', '--upstream'];
  const code = 'ERR_USAGE_UPSTREAM';
  const diary = temporaryFile('diary.txt', 'dear diary');
  it.each<[string[], string, string[]]>([
    [[...to, 'mqtt://x', '--mqtt', '1883'], code, ['--mqtt']],
    [['broker', '--aggregate'], code, ['--aggregate', '--upstream URL']],
    [['broker', '--upstream-insecure', '--upstream-ca', text], code, ['--upstream-ca and --upstream-insecure']],
    [[...to, 'mqtts://x', '--upstream-cert', cert], code, ['--upstream-cert and --upstream-key: both or none']],
    [[...to, 'mqtts://x', '--upstream-key', key], code, ['both or none']],
    [[...to, 'mqtt://x', '--upstream-insecure'], code, ['--upstream-insecure', 'mqtts:// or wss://']],
    [[...to, 'mqtts://x', '--upstream', 'ws://y', '--upstream-ca', cert], code, ['--upstream-ca', 'every --upstream']],
    [[...to, 'mqtts://x', '--upstream-ca', text], code, [`--upstream-ca ${text}`, 'BEGIN CERTIFICATE']],
    [[...to, 'mqtts://x', '--upstream-ca', key], code, [`--upstream-ca ${key}`, 'BEGIN CERTIFICATE']],
    [[...to, 'mqtts://x', '--upstream-ca', '/nowhere/ca.pem'], 'ERR_USAGE_FILE', ['--upstream-ca', 'no folder']],
    [
      [...to, 'mqtts://x', '--upstream-cert', cert, '--upstream-key', text],
      code,
      [`--upstream-key ${text}`, 'BEGIN PRIVATE KEY', 'passphrase'],
    ],
    [
      [...to, 'mqtts://x', '--upstream-cert', cert, '--upstream-key', key],
      code,
      [`--upstream-key ${key}`, 'another certificate'],
    ],
    [[...to, 'x'], 'ERR_UPSTREAM_URL', ['"x"', 'mqtt://HOST:PORT']],
    [[...to, 'http://x'], 'ERR_UPSTREAM_URL', ['"http://x"', 'mqtts://']],
    [['broker', '--store', diary], 'ERR_STORE_FOLDER', [diary, 'name a folder']],
    [
      ['broker', '--store', '/proc/thimble'],
      'ERR_STORE_FOLDER',
      ['/proc/thimble', 'name a folder that can be written'],
    ],
    [['broker', '--store', join(diary, '..')], 'ERR_STORE_FOREIGN', ['diary.txt', 'an empty folder']],
  ])('refuses thimble %j', expectRefusal);

  it('says nothing of a password in a URL that is wrong', async () => {
    const program = thimble('broker', '--sn', '0', '--upstream', 'http://u:secret@x');
    expect(await program.exit()).toBe(Exit.Usage);
    expect(program.errors).toContain('[ERR_UPSTREAM_URL]');
    expect(program.errors).not.toContain('secret');
  });
});
