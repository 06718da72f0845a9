import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import binaryen from 'binaryen';
import { describe, expect, it } from 'vitest';
import { ABI_VERSION } from '../../../assembly/protocol/index.js';
import { CONTRACT_FUNCTIONS } from '../../../host/device/abi.js';
import { Exit, expectRefusal, temporaryFile, temporaryFolder, thimble, thimbleWithin } from './command.js';

const built = (path: string): string => fileURLToPath(new URL(`../../../build/${path}`, import.meta.url));

const SEEDS = '0 to 4294967295';
const PORTS = 'from 0 (any free one) to 65535';

/** What is typed, the code, and what the message has to name: the place, and what is allowed. */
type Row = readonly [args: readonly string[], code: string, mentions: readonly string[]];

describe('the command line', () => {
  const rows: readonly Row[] = [
    [['nope'], 'ERR_USAGE_COMMAND', ["'nope'", 'sim, build, boards, broker, run']],
    [['--nope'], 'ERR_USAGE_COMMAND', ["'--nope'", 'sim, build, boards, broker, run']],
    [['sim', '--nope'], 'ERR_USAGE_OPTION', ["'--nope'", '--seed', '--links', '--pcap', '[SCENARIO]']],
    [['sim', '--sed', '1'], 'ERR_USAGE_OPTION', ["'--sed'", 'Did you mean --seed?']],
    [['sim', '--seed'], 'ERR_USAGE_OPTION', ["'--seed <n>'"]],
    [['sim', 'lab', 'lab'], 'ERR_USAGE_OPTION', ['too many arguments', '[SCENARIO]']],
    [['build', '--nope'], 'ERR_USAGE_OPTION', ["'--nope'", '--out', '--use', '[APP]']],
    [['broker', '--nope'], 'ERR_USAGE_OPTION', ["'--nope'", 'thimble broker --help']],
    [['broker', '--data', ''], 'ERR_USAGE_FILE', ['--data']],
    [['sim', '--report', ''], 'ERR_USAGE_FILE', ['--report']],
    [['broker', 'extra'], 'ERR_USAGE_OPTION', ['too many arguments']],
    [['run'], 'ERR_USAGE_OPTION', ["'APP'", '<APP>']],
    [['run', 'light', '--nope'], 'ERR_USAGE_OPTION', ["'--nope'", '--gateway']],
  ];
  it.each(rows)('refuses thimble %j', expectRefusal);

  it('says what is wrong as one JSON document, too, with --json', async () => {
    const rows: readonly (readonly [args: readonly string[], code: string])[] = [
      [['sim', '--nope'], 'ERR_USAGE_OPTION'],
      [['sim', '--seed', 'x'], 'ERR_USAGE_NUMBER'],
      [['build', 'nope'], 'ERR_APP_NOT_FOUND'],
      [['sim', 'nope.json'], 'ERR_SCENARIO'],
    ];
    for (const [args, code] of rows) {
      const { exit, stdout, stderr } = await thimbleWithin([...args, '--json']);
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
      expect(error.code).toBe(code);
      expect(stderr).toBe(`thimble: ${error.message} [${code}]\n`);
      expect(exit).toBe(Exit.Usage);
    }
  });

  it('shows its commands where none is given', async () => {
    const { exit, stderr } = await thimble([]);
    expect(exit).toBe(Exit.Usage);
    for (const command of ['sim', 'build', 'broker', 'run'])
      expect(stderr).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });
});

describe('numbers', () => {
  const rows: readonly Row[] = [
    ...['x', '', '-1', '1.5', '1e3', '0x10', '4294967296'].map((seed): Row => {
      return [['sim', '--seed', seed], 'ERR_USAGE_NUMBER', [`--seed ${seed}`, SEEDS]];
    }),
    ...['x', '', '0', '-1', '8761', 'Infinity', 'NaN'].map((hours): Row => {
      return [['sim', '--hours', hours], 'ERR_USAGE_HOURS', [`--hours ${hours}`, 'above 0, up to 8760']];
    }),
    ...['x', '6', '131073'].map((devices): Row => {
      return [['sim', '--devices', devices], 'ERR_USAGE_NUMBER', [`--devices ${devices}`, 'from 7 to 131072']];
    }),
    ...['x', '-1', '65536', '1.5', ''].flatMap((port): Row[] => [
      [['broker', '--mqtt', port, '--sn', '0'], 'ERR_USAGE_PORT', [`--mqtt ${port}`, PORTS]],
      [['broker', '--mqtt', '0', '--sn', port], 'ERR_USAGE_PORT', [`--sn ${port}`, PORTS]],
      [['broker', '--mqtt', '0', '--sn', '0', '--metrics', port], 'ERR_USAGE_PORT', [`--metrics ${port}`, PORTS]],
    ]),
    ...['x', '192.168.1.255', '192.168.1.255:0', '300.1.1.1:5', 'lan:1884', '[fe80::x]:5'].map((address): Row => {
      return [['broker', '--broadcast', address], 'ERR_USAGE_BROADCAST', [`--broadcast ${address}`, 'IP:PORT']];
    }),
    ...['192.168.1.255', '300.1.1.1:5'].map((address): Row => {
      return [['run', 'light', '--broadcast', address], 'ERR_USAGE_BROADCAST', ['--broadcast', 'IP:PORT']];
    }),
    ...['x', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', ':1884', '::1:1884'].map((gateway): Row => {
      return [['run', 'light', '--gateway', gateway], 'ERR_USAGE_GATEWAY', [`--gateway ${gateway}`, 'HOST:PORT']];
    }),
    [['run', 'light', '--seed', 'x'], 'ERR_USAGE_NUMBER', ['--seed x', SEEDS]],
    ...['x', '0', '-1', '2000001', 'NaN'].map((seconds): Row => {
      return [['run', 'light', '--for', seconds], 'ERR_USAGE_NUMBER', [`--for ${seconds}`, 'above 0, up to 2000000']];
    }),
  ];
  it.each(rows)('refuses thimble %j', expectRefusal);
});

describe('a refusal', () => {
  const nowhere = join(temporaryFolder(), 'nowhere', 'c.pcap');
  const rows: readonly (readonly string[])[] = [
    ['nope'],
    ['sim', '--seed', 'x'],
    ['build', 'nope'],
    // Would listen for ever if it had not looked at the file first.
    ['broker', '--mqtt', '0', '--sn', '0', '--pcap', nowhere],
    ['run', 'nope'],
  ];
  it.each(rows.map((row) => [row]))('ends the process of thimble %j', async (args) => {
    const { exit, stdout, stderr } = await thimble(args);
    expect(exit).toBe(Exit.Usage);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^thimble: [^\n]+\n$/);
  });
});

describe('files that are not there, or not what they should be', () => {
  const folder = temporaryFolder();
  const folderAsModule = join(temporaryFolder(), 'f.wasm');
  mkdirSync(folderAsModule);
  const nowhere = join(folder, 'nowhere');
  const file = (name: string): string => join(nowhere, name);
  const text = temporaryFile('a.txt', 'not a module');
  const header = 'noise_dbm,tx_node,rx_node,mean_rssi,received_hex';
  const missing = 'there is no folder';
  const rows: readonly Row[] = [
    [['sim', 'nope'], 'ERR_SCENARIO', ['"nope"', 'a JSON file', 'lab']],
    [['sim', file('s.json')], 'ERR_SCENARIO', [file('s.json'), 'a JSON file']],
    [['sim', folder], 'ERR_USAGE_FILE', [folder, 'a folder, where a file is needed']],
    [['sim', '--links', file('l.csv')], 'ERR_USAGE_FILE', ['--links', file('l.csv'), missing]],
    [['sim', '--links', temporaryFile('l.csv', '')], 'ERR_LINKS_EMPTY', ['l.csv', header]],
    [['sim', '--links', temporaryFile('l.csv', 'a,b\n1,2\n')], 'ERR_LINKS_COLUMN_MISSING', ['line 1', 'noise_dbm']],
    [
      ['sim', '--links', temporaryFile('l.csv', `${header}\n-10,a,b,1,ff\n-10,b,a,strong,ff\n`)],
      'ERR_LINKS_NUMBER',
      ['l.csv', 'line 3', 'mean_rssi', '"strong"', 'decimals'],
    ],
    [
      ['sim', '--links', temporaryFile('l.csv', `${header}\n-10,a,b,1\n`)],
      'ERR_LINKS_FIELD_COUNT',
      ['line 2', '4 fields', 'allowed are 5'],
    ],
    [['sim', '--links', temporaryFile('l.csv', `${header}\n-10,a,b,1,00\n`)], 'ERR_LINKS_NONE_USABLE', ['50 %']],
    [['sim', '--pcap', file('c.pcap')], 'ERR_USAGE_FILE', ['--pcap', file('c.pcap'), missing]],
    [['sim', '--pcap', folder], 'ERR_USAGE_FILE', ['--pcap', folder, 'a folder']],
    [['sim', '--report', file('r.json')], 'ERR_USAGE_FILE', ['--report', file('r.json'), missing]],
    [['broker', '--mqtt', '0', '--sn', '0', '--pcap', file('c.pcap')], 'ERR_USAGE_FILE', ['--pcap', missing]],
    [['broker', '--config', file('c.json')], 'ERR_USAGE_FILE', ['--config', file('c.json'), missing]],
    [['build', 'nope'], 'ERR_APP_NOT_FOUND', ['"nope"', 'alarm, beacon, heartbeat, light, roamer, sensor']],
    [['build', folder], 'ERR_APP_NOT_FOUND', [folder, 'a file']],
    [['build', '--out', file('o.wasm')], 'ERR_USAGE_OUT', ['--out', 'APP']],
    [['build', 'beacon', '--out', folder], 'ERR_USAGE_OUT', [folder, 'ends in .wasm']],
    [['build', 'beacon', '--out', folderAsModule], 'EISDIR', ['f.wasm', 'not a file']],
    [['build', 'beacon', '--out', join(text, 'o.wasm')], 'EEXIST', [text, 'a folder is needed']],
    [['run', 'nope'], 'ERR_APP_NOT_FOUND', ['"nope"', 'alarm, beacon, heartbeat, light, roamer, sensor']],
    [['run', file('m.wasm')], 'ERR_USAGE_FILE', [file('m.wasm'), missing]],
  ];
  it.each(rows)('refuses thimble %j', expectRefusal);
});

describe('limits', () => {
  const rows: readonly Row[] = [
    [['build', 'beacon', '--use', 'NOPE=1'], 'ERR_LIMIT', ['NOPE', 'TOPICS_MAX']],
    [['build', 'beacon', '--use', 'TOPICS_MAX'], 'ERR_LIMIT', ['--use TOPICS_MAX', 'NAME=NUMBER']],
    [['build', 'beacon', '--use', 'TOPICS_MAX=many'], 'ERR_LIMIT', ['TOPICS_MAX=many', 'NAME=NUMBER']],
    [['build', 'beacon', '--use', 'TOPICS_MAX=0'], 'ERR_LIMIT', ['TOPICS_MAX', '1 to 254']],
  ];
  it.each(rows)('refuses thimble %j', expectRefusal);
});

describe('modules', () => {
  /** The smallest module there is: magic and version, and not one export. */
  const empty = temporaryFile('empty.wasm', Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  const text = temporaryFile('text.wasm', 'not a module');
  /** Exports all that the contract asks for, and speaks another version of it. */
  const functions = CONTRACT_FUNCTIONS.filter((name) => name !== 'abi').map(
    (name) => `(func (export "${name}") (result i32) i32.const 0)`,
  );
  const abi = '(memory (export "memory") 1) (func (export "abi") (result i32) i32.const 99)';
  const future = temporaryFile(
    'future.wasm',
    binaryen.parseText(`(module ${[abi, ...functions].join(' ')})`).emitBinary(),
  );
  const fleetOf = (app: string): string =>
    temporaryFile('fleet.json', {
      name: 'fleet',
      seed: 1,
      durationS: 1,
      devices: [{ class: 'device', app, count: 1 }],
      clients: [{ name: 'client', measures: true }],
    });
  const rows: readonly Row[] = [
    [['run', text], 'ERR_MODULE_LOAD', ['text.wasm', 'does not load']],
    [['run', empty], 'ERR_MODULE_LOAD', ['empty.wasm', 'does not export abi, image']],
    [['run', built('modules/codec-mqttsn.wasm')], 'ERR_MODULE_LOAD', ['codec-mqttsn.wasm', 'does not export abi']],
    [['run', future], 'ERR_MODULE_ABI', ['future.wasm', 'version 99', `expected ${ABI_VERSION}`]],
    [['sim', fleetOf(future)], 'ERR_MODULE_ABI', ['future.wasm', 'version 99', `expected ${ABI_VERSION}`]],
    [['sim', fleetOf(text)], 'ERR_MODULE_LOAD', ['text.wasm', 'does not load']],
    [['sim', fleetOf(empty)], 'ERR_MODULE_LOAD', ['empty.wasm', 'does not export abi']],
    [['sim', fleetOf('nope')], 'ERR_APP_NOT_FOUND', ['"nope"', 'sensor']],
  ];
  it.each(rows)('refuses thimble %j', expectRefusal);

  it('tells what the compiler says of an application that does not compile', async () => {
    const { exit, stderr } = await thimbleWithin(['build', temporaryFile('broken.ts', 'export const x = ;')]);
    expect(exit).toBe(Exit.Failed);
    expect(stderr).toContain('[ERR_COMPILE]');
    expect(stderr).toContain('broken.ts(1,');
  });
});

describe('the configuration of the broker', () => {
  const withGateway = (gateway: unknown): string[] => ['broker', '--config', temporaryFile('c.json', { gateway })];
  const withUpstream = (upstream: unknown): string[] => ['broker', '--config', temporaryFile('c.json', { upstream })];
  const rows: readonly Row[] = [
    [
      ['broker', '--config', temporaryFile('c.json', '{')],
      'ERR_USAGE_CONFIG',
      ['c.json, line 1, column 2: not JSON: the file ends', '"}"'],
    ],
    [
      ['broker', '--config', temporaryFile('c.json', [])],
      'ERR_USAGE_CONFIG',
      ['c.json: the configuration is an empty list; allowed is an object'],
    ],
    [
      ['broker', '--config', temporaryFile('c.json', { gatewy: {} })],
      'ERR_USAGE_CONFIG',
      ['"gatewy"', 'allowed are $schema, listeners, limits', 'gateway, upstream'],
    ],
    [withGateway({ retry: 1 }), 'ERR_USAGE_CONFIG', ['gateway has no option "retry"', 'tRetryMs']],
    [
      withGateway({ tRetryMs: 0 }),
      'ERR_USAGE_CONFIG',
      ['gateway.tRetryMs is 0; allowed is a whole number from 1 up to 600000'],
    ],
    [withGateway({ tRetryMs: '10 s' }), 'ERR_USAGE_CONFIG', ['gateway.tRetryMs is "10 s"', 'a whole number from 1']],
    [withGateway({ tAdvMs: 5 }), 'ERR_USAGE_CONFIG', ['gateway.tAdvMs is 5', '0 (never)', '1000 to 65535000']],
    [
      withGateway({ predefined: { '*': { 0: 'a' } } }),
      'ERR_USAGE_CONFIG',
      ['gateway.predefined.*', '"0"', '1 to 65534'],
    ],
    [withGateway({ predefined: { '*': { 65535: 'a' } } }), 'ERR_USAGE_CONFIG', ['"65535"', '1 to 65534']],
    [
      withGateway({ predefined: { '*': { 1: 'a/#' } } }),
      'ERR_USAGE_CONFIG',
      ['gateway.predefined.*[1] is "a/#"', 'without + and #'],
    ],
    ...['a#', '#/a', 'a/+b', 'a/#/b', 'a\0'].map((filter): Row => {
      const place = `gateway.permissions.me.publish[0] is ${JSON.stringify(filter)}`;
      return [
        withGateway({ permissions: { me: { publish: [filter] } } }),
        'ERR_USAGE_CONFIG',
        [place, '# as the last'],
      ];
    }),
    [
      withGateway({ permissions: { '*': { subscribe: [''] } } }),
      'ERR_USAGE_CONFIG',
      ['permissions.*.subscribe[0] is ""', '# as the last'],
    ],
    [
      withGateway({ permissions: { '*': { subscribe: 'a' } } }),
      'ERR_USAGE_CONFIG',
      ['subscribe is "a"; allowed is a list'],
    ],
    [
      withGateway({ permissions: { '*': { receive: ['a'] } } }),
      'ERR_USAGE_CONFIG',
      ['gateway.permissions.* has no option "receive"', 'publish, subscribe'],
    ],
    [
      withUpstream({ urls: [] }),
      'ERR_USAGE_CONFIG',
      ['upstream.urls is an empty list; allowed is a list with at least 1 entry'],
    ],
    [withUpstream({ protocolVersion: 3 }), 'ERR_USAGE_CONFIG', ['upstream.protocolVersion', '4, 5']],
    [withUpstream({ url: 'mqtt://x' }), 'ERR_USAGE_CONFIG', ['upstream has no option "url"', 'urls']],
    [
      withUpstream({ urls: ['http://x'] }),
      'ERR_UPSTREAM_URL',
      ['c.json: upstream.urls[0]: ', 'http://x', 'mqtt://HOST:PORT'],
    ],
    [withUpstream({ keepAliveS: 30 }), 'ERR_USAGE_UPSTREAM', ['upstream.keepAliveS in --config', '--upstream URL']],
    [withGateway([1]), 'ERR_USAGE_CONFIG', ['gateway is a list; allowed is an object']],
    [
      withGateway({ connectionlessClientId: '' }),
      'ERR_USAGE_CONFIG',
      ['is ""; allowed is a text of 1 to 65535 characters'],
    ],
  ];
  it.each(rows)('refuses thimble %j', expectRefusal);
});

describe('help', () => {
  const shown: readonly (readonly [command: string, words: readonly string[]])[] = [
    [
      'sim',
      [
        '--seed <n>',
        '0 to 4294967295',
        '--devices <n>',
        '--hours <h>',
        'above 0, up to 8760',
        '(default: "lab")',
        'CSV',
      ],
    ],
    ['boards', ['boards that an application can be built for']],
    [
      'build',
      [
        '--out <file>',
        'default: build/[BOARD/]APP.wasm',
        '--use <name=value>',
        '--debug',
        'default: off',
        '--key <file>',
      ],
    ],
    [
      'broker',
      [
        'Where it listens:',
        '--mqtt <port>',
        'default: 1883',
        '--sn <port>',
        '(default: "1884")',
        '(default: "127.0.0.1")',
        'Another broker instead of our own:',
        '--upstream <url>',
        'repeatable',
        'What it knows and keeps:',
        '--store <folder>',
        'What it says:',
      ],
    ],
    ['run', ['--gateway <host:port>', 'default: 127.0.0.1:1884', '--for <seconds>', 'default: run until Ctrl-C']],
  ];
  it.each(shown)('of %s shows options, units, defaults and an example', async (command, words) => {
    const { exit, stdout, stderr } = await thimbleWithin([command, '--help']);
    expect(exit).toBe(Exit.Done);
    expect(stderr).toBe('');
    const unwrapped = stdout.replace(/\s+/g, ' ');
    for (const word of [...words, '--json', 'Example:', `thimble ${command}`]) expect(unwrapped).toContain(word);
  });

  it('of the whole names every command, and the version is the package’s', async () => {
    const { exit, stdout } = await thimbleWithin(['--help']);
    expect(exit).toBe(Exit.Done);
    for (const [command] of shown) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    expect((await thimbleWithin(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
