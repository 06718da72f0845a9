// Clients of other people's making before the broker, on loopback: each library in both versions speaks, and every other
// one hears.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker } from '../../host/broker/broker.js';
import { Xoshiro128 } from '../../host/core/random.js';
import { listenTcp, type TcpListener } from '../../host/net/tcp.js';
import type { Qos } from '../../host/ports.js';
import { describeWithTools } from '../tools.js';
import { type Ears, endMqttJs, type Library, mosquitto, mqttJs, paho, type Version } from './interop-clients.js';
import { HOST } from './world.js';

const PAHO_LIBRARY = '/usr/lib/python3/dist-packages/paho/mqtt/client.py';
const hasPaho = existsSync(PAHO_LIBRARY);
const LIBRARIES: readonly Library[] = [mosquitto, mqttJs, ...(hasPaho ? [paho] : [])];
if (!hasPaho) process.stderr.write('Paho takes no part: apt-get install python3-paho-mqtt\n');

/** Each library in each version. */
const ALL = LIBRARIES.flatMap((library) =>
  ([4, 5] as const).map((version) => ({
    library,
    version,
    name: `${library.name} (${version === 5 ? '5.0' : '3.1.1'})`,
  })),
);
type Speaker = (typeof ALL)[number];
const CASES = ALL.map((speaker) => [speaker.name, speaker] as const);
const MODERN = CASES.filter(([, { version }]) => version === 5);

/** That line and no other; mosquitto_sub puts a space for user properties that there are not. */
const exactly = (line: string): RegExp => new RegExp(`^${line.replaceAll(/[().]/g, '\\$&')} ?$`);

describe('The clients for the tests of interoperation', () => {
  it('are all there where nothing may be left out unseen', () => {
    expect(hasPaho || process.env.CI === undefined, 'apt-get install python3-paho-mqtt').toBe(true);
  });
});

describeWithTools(['mosquitto_pub', 'mosquitto_sub'], 'Clients of other people’s making', () => {
  let listener: TcpListener;
  let port: number;
  let listening: readonly { readonly name: string; readonly version: Version; readonly ears: Ears }[];

  /** Everybody, subscribed to a filter. */
  function listenAll(filter: string, prefix: string): Promise<typeof listening> {
    return Promise.all(
      ALL.map(async ({ library, version, name }, index) => {
        return { name, version, ears: await library.listen(port, version, filter, `${prefix}-${index}`) };
      }),
    );
  }

  beforeAll(async () => {
    const broker = new Broker({}, { random: new Xoshiro128(1) });
    listener = await listenTcp(broker, { host: HOST, port: 0 });
    port = listener.port;
    listening = await listenAll('all/#', 'all');
  });

  afterAll(async () => {
    await endMqttJs();
    await listener.close();
  });

  it.each(CASES)('are all heard by one another at each QoS, and once: %s', async (name, { library, version }) => {
    for (const qos of [0, 1, 2] as const) {
      await library.publish(port, version, { topic: `all/${qos}/ü`, payload: `from-${name}`, qos });
    }
    for (const { ears } of listening) {
      for (const qos of [0, 1, 2]) {
        const line = `${qos} 0 all/${qos}/ü from-${name}`;
        await ears.line(exactly(line));
        expect(ears.lines.filter((heard) => heard.trimEnd() === line)).toHaveLength(1);
      }
    }
  });

  it.each(MODERN)('pass user properties on to those that know them: %s', async (name, { library, version }) => {
    const payload = `property-of-${name}`;
    const bare = `1 0 all/property ${payload}`;
    await library.publish(port, version, { topic: 'all/property', payload, qos: 1, property: ['name', 'välue'] });
    for (const { version: heardIn, ears } of listening) {
      await ears.line(exactly(heardIn === 5 ? `${bare} name:välue` : bare));
    }
  });

  it('find what was retained by any of them, with its flag', async () => {
    for (const [index, { library, version, name }] of ALL.entries()) {
      await library.publish(port, version, { topic: `kept/${index}`, payload: name, qos: 1, retain: true });
    }
    const late = await listenAll('kept/+', 'kept');
    for (const { ears } of late) {
      for (const [index, { name }] of ALL.entries()) {
        await ears.line(exactly(`1 1 kept/${index} ${name}`));
      }
    }
  });

  it.each(CASES)('find in their session what came while they were away: %s', async (name, { library, version }) => {
    const topic = `away/${ALL.findIndex((speaker) => speaker.name === name)}`;
    const id = topic.replace('/', '-');
    const before = await library.listen(port, version, topic, id, true);
    await before.kill();
    for (const qos of [1, 2] as Qos[]) await mqttJs.publish(port, 4, { topic, payload: `${qos}`, qos });
    const again = await library.listen(port, version, topic, id, true);
    await again.line(exactly(`1 0 ${topic} 1`));
    await again.line(exactly(`2 0 ${topic} 2`));
    await again.kill();
  });

  it.each(CASES)('have their will published when they are lost: %s', async (name, { library, version }: Speaker) => {
    await library.die(port, version, { topic: 'all/wills', payload: name });
    for (const { ears } of listening) {
      await ears.line(exactly(`1 0 all/wills ${name}`));
    }
  });
});
