import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Broker } from '../../../host/broker/broker.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import { monotonicNow } from '../../../host/net/clock.js';
import { listenTcp, type TcpLimits, type TcpListener } from '../../../host/net/tcp.js';
import { describeWithTools } from '../../tools.js';

const HOST = '127.0.0.1';

let broker: Broker;
let listener: TcpListener;
let clients: MqttClient[];
let sockets: Socket[];

async function listen(limits: Partial<TcpLimits> = {}): Promise<void> {
  broker = new Broker({ queueMessagesMax: 100_000, queueBytesMax: 2 ** 26 }, { random: new Xoshiro128(1) });
  listener = await listenTcp(broker, { host: HOST, port: 0, limits });
}

beforeEach(async () => {
  clients = [];
  sockets = [];
  await listen();
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  for (const socket of sockets) socket.destroy();
  await listener.close();
});

async function join(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync({
    host: HOST,
    port: listener.port,
    protocol: 'mqtt',
    protocolVersion: 4,
    clientId,
    reconnectPeriod: 0,
    ...options,
  });
  clients.push(client);
  return client;
}

/** What a client hears, to be awaited message by message. */
class Ears {
  private readonly heard: string[] = [];
  private wake: () => void = () => {};

  constructor(client: MqttClient) {
    client.on('message', (topic, payload, { qos, retain }) => {
      this.heard.push(`${topic} ${payload} ${qos}${retain ? ' retained' : ''}`);
      this.wake();
    });
  }

  async next(count: number): Promise<string[]> {
    while (this.heard.length < count) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.heard.splice(0, count);
  }
}

const connackOf = (client: MqttClient): Promise<IConnackPacket> =>
  new Promise((resolve) => client.once('connect', resolve));
const closeOf = (client: MqttClient): Promise<void> => new Promise((resolve) => client.once('close', resolve));

/** Sends the chunks as one, so that the first answer comes after all of them have been read. */
async function raw(...chunks: Uint8Array[]): Promise<Socket> {
  const socket = dial(listener.port, HOST);
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write(Buffer.concat(chunks));
  return socket;
}

const connectBytes = (clientId: string): Buffer =>
  generate({ cmd: 'connect', clientId, clean: true, keepalive: 0, protocolVersion: 4, protocolId: 'MQTT' });
const subscribeBytes = (topic: string): Buffer =>
  generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] });

describe('MQTT.js', () => {
  it('publishes and hears at QoS 0, 1 and 2, in order', async () => {
    const subscriber = await join('s');
    const ears = new Ears(subscriber);
    await subscriber.subscribeAsync('t/#', { qos: 2 });
    const publisher = await join('p');
    for (const qos of [0, 1, 2] as const) {
      const texts = Array.from({ length: 200 }, (_, i) => `${i}`);
      await Promise.all(texts.map((text) => publisher.publishAsync(`t/${qos}`, text, { qos })));
      expect(await ears.next(texts.length)).toEqual(texts.map((text) => `t/${qos} ${text} ${qos}`));
    }
  });

  it('hears what was retained, and not what was cleared', async () => {
    const publisher = await join('p');
    await publisher.publishAsync('r/kept', 'x', { qos: 1, retain: true });
    await publisher.publishAsync('r/cleared', 'x', { qos: 1, retain: true });
    await publisher.publishAsync('r/cleared', '', { qos: 1, retain: true });
    const subscriber = await join('s');
    const ears = new Ears(subscriber);
    await subscriber.subscribeAsync('r/+', { qos: 1 });
    await publisher.publishAsync('r/live', 'y', { qos: 1 });
    expect(await ears.next(2)).toEqual(['r/kept x 1 retained', 'r/live y 1']);
  });

  it('leaves a will when its socket dies, and none when it says goodbye', async () => {
    const watcher = await join('w');
    const ears = new Ears(watcher);
    await watcher.subscribeAsync('will/+', { qos: 1 });
    const will = (id: string) => ({
      will: { topic: `will/${id}`, payload: Buffer.from('gone'), qos: 1 as const, retain: false },
    });
    const polite = await join('polite', will('polite'));
    await polite.endAsync();
    const dying = await join('dying', will('dying'));
    dying.stream.destroy();
    expect(await ears.next(1)).toEqual(['will/dying gone 1']);
  });

  it('finds its persistent session with what came meanwhile', async () => {
    const first = await join('s', { clean: false });
    await first.subscribeAsync('q', { qos: 2 });
    await first.endAsync();
    const publisher = await join('p');
    for (const qos of [0, 1, 2] as const) await publisher.publishAsync('q', `${qos}`, { qos });
    const second = mqtt.connect({
      host: HOST,
      port: listener.port,
      protocolVersion: 4,
      clientId: 's',
      clean: false,
      reconnectPeriod: 0,
    });
    clients.push(second);
    const ears = new Ears(second);
    expect(await connackOf(second)).toMatchObject({ sessionPresent: true });
    expect(await ears.next(2)).toEqual(['q 1 1', 'q 2 2']);
  });

  it('is closed when another takes its identifier', async () => {
    const first = await join('same');
    const closed = closeOf(first);
    await join('same');
    await closed;
    expect(broker.counters.connectionsNow).toBe(1);
  });

  it('of MQTT 5 is served, with what it adds', async () => {
    const [giver, taker] = [await join('giver', { protocolVersion: 5 }), await join('taker', { protocolVersion: 5 })];
    const heard = new Promise<mqtt.IPublishPacket>((resolve) =>
      taker.once('message', (_, __, packet) => resolve(packet)),
    );
    await taker.subscribeAsync('t', { qos: 1 });
    await giver.publishAsync('t', 'x', { qos: 1, properties: { contentType: 'text/plain' } });
    expect((await heard).properties).toMatchObject({ contentType: 'text/plain' });
  });
});

describe('a socket', () => {
  it('with anything but MQTT is closed, and nobody else', async () => {
    const subscriber = await join('s');
    const ears = new Ears(subscriber);
    await subscriber.subscribeAsync('t');
    const socket = await raw(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await once(socket.resume(), 'close');
    const reset = await raw(connectBytes('x'));
    reset.resetAndDestroy();
    await subscriber.publishAsync('t', 'x');
    expect(await ears.next(1)).toEqual(['t x 0']);
  });

  it('that says nothing is closed after the time it has for CONNECT', async () => {
    await listener.close();
    broker = new Broker({ connectTimeoutMs: 50 }, { random: new Xoshiro128(1) });
    listener = await listenTcp(broker, { host: HOST, port: 0 });
    const socket = await raw();
    await once(socket.resume(), 'close');
    expect(broker.counters.connectTimeouts).toBe(1);
  });

  it('that does not read is held, and gets everything when it reads', async () => {
    await listener.close();
    await listen({ writeBufferBytesMax: 2 ** 17 });
    const socket = await raw(connectBytes('slow'), subscribeBytes('t'));
    await once(socket, 'readable');
    const payload = Buffer.alloc(10_000, 1);
    const count = 2_000;
    for (let i = 0; i < count; i++) broker.publish({ topic: 't', payload, qos: 0, retain: false }, monotonicNow());
    // CONNACK, SUBACK and the messages: two bytes of type and length more than their topic and payload, and one of length.
    const expected = 4 + 5 + count * (1 + 2 + 3 + payload.length);
    let bytes = 0;
    for await (const chunk of socket) {
      bytes += chunk.length;
      if (bytes >= expected) break;
    }
    expect(bytes).toBe(expected);
    expect(broker.counters.droppedSlow).toBe(0);
  });

  it('that does not read for too long is given up', async () => {
    await listener.close();
    await listen({ writeBufferBytesMax: 2 ** 17, stallMsMax: 50, closeGraceMs: 50 });
    const watcher = await join('w');
    const ears = new Ears(watcher);
    await watcher.subscribeAsync('will');
    const will = { topic: 'will', payload: 'slow', qos: 0 as const, retain: false };
    const connect = generate({ cmd: 'connect', clientId: 'slow', clean: true, keepalive: 0, will });
    const socket = await raw(connect, subscribeBytes('t'));
    socket.on('error', () => {});
    await once(socket, 'readable');
    const payload = Buffer.alloc(100_000, 1);
    for (let i = 0; i < 200; i++) broker.publish({ topic: 't', payload, qos: 0, retain: false }, monotonicNow());
    expect(await ears.next(1)).toEqual(['will slow 0']);
  });
});

describe('the listener', () => {
  it('says with a code that its port is taken', async () => {
    await expect(listenTcp(broker, { host: HOST, port: listener.port })).rejects.toMatchObject({
      code: 'ERR_TCP_LISTEN',
    });
  });

  it('closes all its sockets, publishing wills, and can be opened again at once', async () => {
    const client = await join('a', { will: { topic: 'will', payload: Buffer.from('x'), qos: 0, retain: false } });
    const closed = closeOf(client);
    await listener.close();
    await closed;
    expect(broker.counters).toMatchObject({ connectionsNow: 0, willsPublished: 1 });
    listener = await listenTcp(broker, { host: HOST, port: listener.port });
    await join('a');
  });

  it('closes promptly under a client that does not read', async () => {
    await listener.close();
    await listen({ writeBufferBytesMax: 2 ** 17, closeGraceMs: 20 });
    const socket = await raw(connectBytes('slow'), subscribeBytes('t'));
    socket.on('error', () => {});
    await once(socket, 'readable');
    const payload = Buffer.alloc(100_000, 1);
    for (let i = 0; i < 200; i++) broker.publish({ topic: 't', payload, qos: 0, retain: false }, monotonicNow());
    await listener.close();
    expect(broker.counters.connectionsNow).toBe(0);
  });
});

describeWithTools(['mosquitto_pub', 'mosquitto_sub'], "Mosquitto's clients", () => {
  const at = () => ['-h', HOST, '-p', `${listener.port}`];

  async function run(tool: string, ...args: string[]): Promise<string> {
    const child = spawn(tool, [...at(), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [code] = await once(child, 'close');
    expect(code, `${tool} ${args.join(' ')}: exit code`).toBe(0);
    return output;
  }

  it.each(['mqttv31', 'mqttv311'])(
    'exchange messages at every QoS, retained and persistent, as %s',
    async (version) => {
      const sub = (...args: string[]) => run('mosquitto_sub', '-V', version, '-i', 'sub', '-W', '20', ...args);
      const pub = (...args: string[]) => run('mosquitto_pub', '-V', version, '-i', 'pub', ...args);
      await pub('-t', 'm/kept', '-m', 'retained', '-r', '-q', '1');
      expect(await sub('-t', 'm/+', '-q', '2', '-C', '1', '-F', '%t %p %q %r')).toBe('m/kept retained 1 1\n');
      await sub('-c', '-t', 'q', '-q', '2', '-E'); // leaves its session behind
      for (const qos of ['0', '1', '2']) await pub('-t', 'q', '-m', qos, '-q', qos);
      expect(await sub('-c', '-t', 'q', '-q', '2', '-C', '2', '-F', '%p %q')).toBe('1 1\n2 2\n');
    },
  );
});
