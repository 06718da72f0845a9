// The configuration file of thimble broker: what is wrong is told with its place.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBrokerConfig } from '../../../host/cli/broker-config.js';
import { parseJson } from '../../../host/cli/broker-json.js';
import { expectRefusal, temporaryFile } from './command.js';

describe('what is no JSON', () => {
  it.each<[string, string, string]>([
    ['', 'line 1, column 1', 'the file ends, and a value is missing'],
    ['{', 'line 1, column 2', 'the file ends, and a closing "}" is missing'],
    ['{"a":[1', 'line 1, column 8', 'a closing "]" is missing'],
    ['{"a"', 'line 1, column 5', '":" after the name is missing'],
    ['{"a":1,', 'line 1, column 8', 'a name in "…" is missing'],
    ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3', '"b" where "," or "}" is needed'],
    ['{\n  "a": 1,\n}', 'line 3, column 1', '"}" where a name in "…" is needed'],
    ['[1,]', 'line 1, column 4', '"]" where a value is needed'],
    ['[1 2]', 'line 1, column 4', '"2" where "," or "]" is needed'],
    ['{a: 1}', 'line 1, column 2', '"a" where a name in "…" or "}" is needed'],
    ["{'a': 1}", 'line 1, column 2', '\' where " is needed'],
    ['{"a": yes}', 'line 1, column 7', '"yes" where a value is needed'],
    ['{"a" 1}', 'line 1, column 6', '"1" where ":" after the name is needed'],
    ['{"a": 1} // why', 'line 1, column 10', 'a comment, which JSON does not have'],
    ['{"a": 1}}', 'line 1, column 9', '"}" where the end of the file is needed'],
    ['{"a": "b\n"}', 'line 1, column 7', 'a text that does not end on its line'],
    ['{"a": "\\x"}', 'line 1, column 7', 'an escape that JSON does not know'],
    ['{"a": 01}', 'line 1, column 7', '"0" means nothing here'],
    ['\r\n[#]', 'line 2, column 2', '"#" means nothing here'],
  ])('is %j', (text, place, what) => {
    const parse = (): unknown => parseJson('c.json', text);
    expect(parse).toThrow(expect.objectContaining({ code: 'ERR_USAGE_CONFIG' }));
    expect(parse).toThrow(`c.json, ${place}: not JSON: `);
    expect(parse).toThrow(what);
  });

  it('is told with its place wherever a character is missing or too many, and what is JSON is taken', () => {
    const change = fc.record({
      at: fc.nat(),
      insert: fc.constantFrom('', '"', ',', '}', ']', ':', '-', 'x', '\\', '1'),
    });
    fc.assert(
      fc.property(fc.jsonValue(), change, (value, { at, insert }) => {
        const text = JSON.stringify(value, null, 1);
        expect(parseJson('c.json', text)).toEqual(JSON.parse(text));
        const from = at % text.length;
        const other = text.slice(0, from) + insert + text.slice(insert === '' ? from + 1 : from);
        let isJson = true;
        try {
          JSON.parse(other);
        } catch {
          isJson = false;
        }
        if (!isJson) expect(() => parseJson('c.json', other)).toThrow(/^c\.json, line \d+, column \d+: not JSON: ./);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what is JSON and no configuration', () => {
  const tls = { key: 'k', cert: 'c' };
  const policies = [{ Statement: [{ Effect: 'Maybe', Action: '*', Resource: '*' }] }];
  it.each<[unknown, string, string[]]>([
    [{ listener: [] }, 'ERR_USAGE_CONFIG', ['no option "listener"', 'listeners, limits, listenerLimits, identity']],
    [{ listeners: [] }, 'ERR_USAGE_CONFIG', ['listeners is an empty list; allowed is a list with at least 1 entry']],
    [{ listeners: [{ kind: 'mqtt' }] }, 'ERR_USAGE_CONFIG', ['listeners[0] lacks "port" [']],
    [
      { listeners: [{ kind: 'mqtt', prot: 1 }] },
      'ERR_USAGE_CONFIG',
      ['listeners[0] lacks "port", and has no option "prot"'],
    ],
    [
      { listeners: [{ kind: 'tcp', port: 1 }] },
      'ERR_USAGE_CONFIG',
      ['listeners[0].kind must be one of mqtt, mqtts, ws'],
    ],
    [
      { listeners: [{ kind: 'mqtt', port: 65_536 }] },
      'ERR_USAGE_CONFIG',
      ['listeners[0].port is 65536', 'up to 65535'],
    ],
    [{ listeners: [{ kind: 'mqtts', port: 0 }] }, 'ERR_LISTEN_OPTION', ['mqtts needs tls']],
    [
      { listeners: [{ kind: 'mqtt', port: 0, tls }] },
      'ERR_USAGE_FILE',
      ['listeners[0].tls.key', '/k: there is no such file'],
    ],
    [
      { listeners: [{ kind: 'ws', port: 0, path: 'x' }] },
      'ERR_USAGE_CONFIG',
      ['path is "x"; allowed is a path that begins'],
    ],
    [
      { listeners: [{ kind: 'mqtts', port: 0, tls: { ...tls, requestCert: true } }] },
      'ERR_USAGE_CONFIG',
      ['listeners[0].tls.requestCert must be one of no, optional, required'],
    ],
    [
      { limits: { sessionsMax: -1 } },
      'ERR_USAGE_CONFIG',
      ['limits.sessionsMax is -1; allowed is a whole number of sessions from 0, or "unlimited"'],
    ],
    [{ limits: { sessionsMax: null } }, 'ERR_USAGE_CONFIG', ['limits.sessionsMax is null', '"unlimited"']],
    [{ limits: { keepAliveSMax: 65_536 } }, 'ERR_USAGE_CONFIG', ['a whole number of seconds from 1 to 65535, or']],
    [{ limits: { inflightMax: 'unlimited' } }, 'ERR_USAGE_CONFIG', ['inflightMax is "unlimited"', 'from 1 to 65535']],
    [{ limits: { qosMax: 3 } }, 'ERR_USAGE_CONFIG', ['limits.qosMax must be one of 0, 1, 2']],
    [{ limits: { responseTopicPrefix: 'a/#' } }, 'ERR_USAGE_CONFIG', ['without + and #']],
    [{ limits: { sessions: 1 } }, 'ERR_USAGE_CONFIG', ['limits has no option "sessions"', 'sessionsMax']],
    [{ listenerLimits: { handshakeMsMax: 1 } }, 'ERR_USAGE_CONFIG', ['handshakeMsMax is 1', 'milliseconds from 100']],
    [{ durability: 'ram' }, 'ERR_USAGE_CONFIG', ['durability must be one of disk, process']],
    [{ durability: 'disk' }, 'ERR_USAGE_DATA', ['--data, or data in --config']],
    [{ sys: { intervalMs: 5 } }, 'ERR_USAGE_CONFIG', ['sys.intervalMs is 5', 'from 100 to 86400000, or 0 (never)']],
    [{ log: { level: 'all' } }, 'ERR_USAGE_CONFIG', ['log.level must be one of debug, info, warn, error']],
    [{ identity: { password: {} } }, 'ERR_USAGE_CONFIG', ['identity has no option "password"', 'passwords']],
    [{ identity: { anonymous: { policies } } }, 'ERR_USAGE_CONFIG', ['identity.anonymous.policies[0]', 'Effect']],
    [{ identity: { anonymous: { policies: ['nope'] } } }, 'ERR_IDENTITY_CONFIG', ['identity.anonymous', 'nope']],
    [
      { identity: { passwords: { file: 'none' } } },
      'ERR_IDENTITY_FILE',
      ['identity.passwords.file none', 'no such file'],
    ],
  ])('is refused: %j', async (config, code, words) => {
    await expectRefusal(
      ['broker', '--mqtt', '0', '--sn', '0', '--config', temporaryFile('c.json', config)],
      code,
      words,
    );
  });
});

describe('a configuration', () => {
  it('has names of files from its own folder, and Infinity for what is unlimited', () => {
    const file = temporaryFile('c.json', {
      $schema: './broker-config.schema.json',
      data: 'kept',
      limits: { sessionsMax: 'unlimited', queueMessagesMax: 0, responseTopicPrefix: 'unlimited' },
    });
    const folder = file.replace(/\/c\.json$/, '');
    expect(readBrokerConfig(file)).toEqual({
      $schema: './broker-config.schema.json',
      folder,
      data: `${folder}/kept`,
      limits: { sessionsMax: Number.POSITIVE_INFINITY, queueMessagesMax: 0, responseTopicPrefix: 'unlimited' },
    });
  });
});
