import { describe, it } from 'vitest';
import { expectRefusal, temporaryFile } from './command.js';

const GROUP = { class: 'device', app: 'beacon', count: 1 };
const COMMAND = { class: 'device', topic: 'a', payloads: ['x'], qos: 1, everyS: 1 };
const CLIENT = { name: 'client', measures: true };
const GOOD = { name: 'fleet', seed: 1, durationS: 10, devices: [GROUP], clients: [CLIENT] };

const without = (key: keyof typeof GOOD): unknown => ({ ...GOOD, [key]: undefined });
const withGroup = (change: object): unknown => ({ ...GOOD, devices: [GROUP, { ...GROUP, ...change }] });
const withClient = (change: object): unknown => ({ ...GOOD, clients: [{ ...CLIENT, ...change }] });
const withUplink = (up: object): unknown => ({ ...GOOD, radio: { up } });

describe('a scenario file', () => {
  const rows: readonly (readonly [problem: string, scenario: unknown, mentions: readonly string[]])[] = [
    ['is not JSON', '{"name":', ['not JSON']],
    ['is not an object', [], ['the scenario is an empty list; allowed is an object']],
    ['lacks a name', without('name'), ['lacks "name"']],
    ['lacks devices', without('devices'), ['lacks "devices"']],
    ['has no devices', { ...GOOD, devices: [] }, ['devices', '1']],
    ['has an option of its own', { ...GOOD, duration: 10 }, ['"duration"', 'allowed are', 'durationS']],
    ['has a name with blanks', { ...GOOD, name: 'a fleet' }, ['name is "a fleet"', '1 to 64 letters']],
    [
      'has a text for a number',
      { ...GOOD, seed: '1' },
      ['seed is "1"; allowed is a whole number from 0 up to 4294967295'],
    ],
    ['lasts no time', { ...GOOD, durationS: 0 }, ['durationS is 0; allowed is a number above 0']],
    ['has half a device', withGroup({ count: 0.5 }), ['devices[1].count is 0.5; allowed is a whole number from 1']],
    ['has too many devices', withGroup({ count: 131_072 }), ['devices: 131073 in all', 'at most 131072']],
    ['has a device with an option of its own', withGroup({ apps: 'x' }), ['devices[1]', '"apps"', 'allowed are class']],
    [
      'has a loss of no known kind',
      withUplink({ loss: { model: 'rain' } }),
      ['radio.up.loss.model', 'none, bernoulli'],
    ],
    ['has a loss without its share', withUplink({ loss: { model: 'bernoulli' } }), ['radio.up.loss', '"lossPercent"']],
    [
      'loses more than all',
      withUplink({ loss: { model: 'bernoulli', lossPercent: 101 } }),
      ['radio.up.loss.lossPercent', 'from 0 up to 100'],
    ],
    [
      'has the shortest delay above the longest',
      withUplink({ delayMsMin: 30, delayMsMax: 20 }),
      ['radio.up', 'delayMsMin, 30', 'delayMsMax, 20'],
    ],
    [
      'has a group with the shortest delay above the default of the longest',
      withGroup({ radio: { down: { delayMsMin: 26 } } }),
      ['devices[1].radio.down', 'delayMsMin, 26', 'delayMsMax, 25', 'defaults 5 and 25'],
    ],
    [
      'has an unknown QoS',
      withClient({ subscribe: [{ filter: '#', qos: 3 }] }),
      ['clients[0].subscribe[0].qos', '0, 1, 2'],
    ],
    [
      'commands a class that is not there',
      withClient({ commands: [{ ...COMMAND, class: 'lamp' }] }),
      ['clients[0].commands[0].class is "lamp"', 'there are device'],
    ],
    [
      'commands without words',
      withClient({ commands: [{ ...COMMAND, payloads: [] }] }),
      ['clients[0].commands[0].payloads', '1'],
    ],
    [
      'commands a topic that is a filter',
      withClient({ commands: [{ ...COMMAND, topic: 'a/+' }] }),
      ['clients[0].commands[0].topic "a/+"', 'no + and no #'],
    ],
    [
      'subscribes to what is no filter',
      withClient({ subscribe: [{ filter: 'a#b', qos: 1 }] }),
      ['clients[0].subscribe[0].filter "a#b"', 'a whole level'],
    ],
    ['has no gateway', { ...GOOD, gateways: [] }, ['gateways', '1']],
    [
      'has two gateways of one id',
      { ...GOOD, gateways: [{ gwId: 4 }, { gwId: 4 }] },
      ['gateways[1].gwId is 4', 'another gateway'],
    ],
    [
      'has a gateway with too large an id',
      { ...GOOD, gateways: [{ gwId: 256 }] },
      ['gateways[0].gwId', 'from 0 up to 255'],
    ],
    [
      'has outages whose shorter time comes last',
      { ...GOOD, gateways: [{ gwId: 1, outages: { everyS: [9, 8], forS: [1, 2] } }] },
      ['gateways[0].outages.everyS is [9, 8]', 'comes first'],
    ],
    [
      'has outages without their length',
      { ...GOOD, gateways: [{ gwId: 1, outages: { everyS: [1, 2] } }] },
      ['gateways[0].outages', '"forS"'],
    ],
    ['has a client that joins too late', withClient({ joinsAtS: 10 }), ['clients[0].joinsAtS', 'durationS, 10']],
    [
      'has two clients of one name',
      { ...GOOD, clients: [CLIENT, { name: 'client' }] },
      ['clients[1].name is "client"', 'another client'],
    ],
    ['has nobody who measures', withClient({ measures: false }), ['exactly one', '"measures": true', 'not 0']],
    ['has two who measure', { ...GOOD, clients: [CLIENT, CLIENT] }, ['exactly one', 'not 2']],
    [
      'has a predefined topic id out of range',
      { ...GOOD, predefined: { '*': { 65535: 'a' } } },
      ['predefined.*', '"65535"', '1 to 65534'],
    ],
  ];

  it.each(rows)('that %s is refused', async (_problem, scenario, mentions) => {
    const file = temporaryFile('fleet.json', scenario);
    await expectRefusal(['sim', file], 'ERR_SCENARIO', ['fleet.json: ', ...mentions]);
  });

  it('that runs a module which waits for calls is refused', async () => {
    const file = temporaryFile('fleet.json', withGroup({ app: 'modem-mqttsn' }));
    await expectRefusal(['sim', file], 'ERR_SCENARIO', ['"modem-mqttsn"', 'take an application']);
  });
});
