// Enhanced authentication of MQTT 5.0 with methods of the program's own, and clients that are sent elsewhere.
import { createHmac, randomBytes } from 'node:crypto';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import type { EnhancedMethod } from '../../host/server/index.js';
import { allow, EVERYTHING, goodbye, World } from './broker-identity-world.js';

const world = new World();
const KEY = 'the key of both';
const METHOD = 'X-CHALLENGE';

const answerTo = (challenge: Uint8Array, key = KEY): Buffer => createHmac('sha256', key).update(challenge).digest();

/** Says a number, and wants its HMAC. */
const challenge: EnhancedMethod = {
  start: (data) => {
    const principal = Buffer.from(data ?? []).toString();
    const number = randomBytes(16);
    return {
      outcome: 'continue',
      data: number,
      next: (answer) => {
        if (!answerTo(number).equals(Buffer.from(answer ?? []))) return { outcome: 'refused' };
        const policies = [allow(['Connect', `client/\${thimble:Principal}`], ['Publish', 'topic/ok'])];
        return { outcome: 'accepted', principal, policies, data: Buffer.from('welcome') };
      },
    };
  },
};

const properties = (name: string, authenticationMethod = METHOD) => ({
  authenticationMethod,
  authenticationData: Buffer.from(name),
});

/** MQTT.js asks its owner what to answer to AUTH. */
function answering(key: string): (client: MqttClient) => void {
  return (client) => {
    client.handleAuth = (packet, done) => {
      const authenticationData = answerTo(packet.properties!.authenticationData!, key);
      done(
        undefined as never,
        {
          cmd: 'auth',
          reasonCode: 0x18,
          properties: { authenticationMethod: METHOD, authenticationData },
        } as never,
      );
    };
  };
}

/** The code of CONNACK and its properties. */
function authenticate(
  options: IClientOptions,
  key = KEY,
): Promise<{ code: number; data?: string; client: MqttClient }> {
  const client = mqtt.connect({
    ...{ host: '127.0.0.1', port: world.port(), protocolVersion: 5, keepalive: 0, reconnectPeriod: 0 },
    ...options,
  });
  answering(key)(client);
  client.on('error', () => {});
  world.later(() => client.endAsync(true));
  return new Promise((resolve, reject) => {
    client.once('close', () => reject(new Error('closed before CONNACK')));
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'connack') return;
      const data = packet.properties?.authenticationData;
      resolve({ code: packet.reasonCode!, ...(data && { data: data.toString() }), client });
    });
  });
}

describe('A client that authenticates itself by a method', () => {
  const open = (): Promise<void> => world.open(undefined, undefined, { hooks: { methods: { [METHOD]: challenge } } });

  it('is asked, answers, comes in, and may do what the method says', async () => {
    await open();
    const { code, data, client } = await authenticate({ clientId: 'ada', properties: properties('ada') });
    expect([code, data, world.client('ada')!.principal]).toEqual([0, 'welcome', 'ada']);
    await client.publishAsync('ok', '', { qos: 1 });
    await expect(client.publishAsync('no', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
  });

  it('is refused for a wrong answer, another identifier, another method, and without any', async () => {
    await open();
    const ada = { clientId: 'ada', properties: properties('ada') };
    expect(await authenticate(ada, 'another key')).toMatchObject({ code: 0x87 });
    await world.told('connect-refused', { why: 'method-refused', by: 'method', level: 'warn' });
    expect(await authenticate({ ...ada, clientId: 'bob' })).toMatchObject({ code: 0x87 });
    await world.told('connect-refused', { why: 'policy', principal: 'ada', clientId: 'bob' });
    expect(await authenticate({ clientId: 'ada', properties: properties('ada', 'X-OTHER') })).toMatchObject({
      code: 0x8c,
    });
    expect(await world.refusal({ clientId: 'ada' })).toBe(0x87);
    expect(await world.refusal({ clientId: 'ada', username: 'ada', password: KEY })).toBe(0x86);
    world.keepsSecret(KEY);
  });

  it('stays while it is silent, and no longer than it may wait', async () => {
    await open();
    const client = mqtt.connect({
      ...{ host: '127.0.0.1', port: world.port(), protocolVersion: 5, reconnectPeriod: 0, clientId: 'slow' },
      properties: properties('slow'),
    });
    world.later(() => client.endAsync(true));
    client.on('error', () => {});
    const asked = new Promise<void>((resolve) => {
      client.handleAuth = () => resolve();
    });
    const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
    await asked;
    world.leap(10_001);
    await gone;
    expect(world.running.counters.connectTimeouts).toBe(1);
  });

  it('may authenticate itself anew, and is shown the door when that fails', async () => {
    await open();
    const { client } = await authenticate({ clientId: 'ada', properties: properties('ada') });
    // MQTT.js has no word for it.
    const { _writePacket: write } = client as unknown as { _writePacket(packet: object): void };
    const anew = { cmd: 'auth', reasonCode: 0x19, properties: properties('ada') };
    const passed = new Promise<number>((resolve) => {
      client.on('packetreceive', (packet) => {
        if (packet.cmd === 'auth' && packet.reasonCode === 0) resolve(0);
      });
    });
    write.call(client, anew);
    expect(await passed).toBe(0);
    await client.publishAsync('ok', '', { qos: 1 });
    answering('another key')(client);
    const said = goodbye(client);
    write.call(client, anew);
    expect(await said).toBe(0x87);
    await world.told('connect-refused', { why: 'method-refused', request: 'reauthenticate' });
  });
});

describe('A client that is sent elsewhere', () => {
  it('hears where, once it is known who it is', async () => {
    const redirect = { to: 'mqtt2.example:8883', permanent: true };
    await world.open({ redirect, anonymous: { policies: [allow(['Connect', 'client/a'])] } });
    const connack = (options: IClientOptions) =>
      new Promise<unknown[]>((resolve) => {
        const client = mqtt.connect({ host: '127.0.0.1', port: world.port(), reconnectPeriod: 0, ...options });
        world.later(() => client.endAsync(true));
        client.on('error', () => {});
        client.on('packetreceive', (packet) => {
          if (packet.cmd !== 'connack') return;
          resolve([packet.reasonCode ?? packet.returnCode, packet.properties?.serverReference]);
        });
      });
    expect(await connack({ clientId: 'a', protocolVersion: 5 })).toEqual([0x9d, 'mqtt2.example:8883']);
    expect(await connack({ clientId: 'b', protocolVersion: 5 })).toEqual([0x87, undefined]);
    expect(await connack({ clientId: 'a', protocolVersion: 4 })).toEqual([3, undefined]);
  });

  it('may be chosen by the program', async () => {
    const redirect = ({ clientId }: { readonly clientId: string }) =>
      clientId.startsWith('far-') ? { serverReference: 'far.example', permanent: false } : undefined;
    await world.open({ anonymous: { policies: [EVERYTHING] } }, undefined, { hooks: { redirect } });
    await world.join({ clientId: 'near' });
    expect(await world.refusal({ clientId: 'far-1' })).toBe(0x9c);
  });
});
