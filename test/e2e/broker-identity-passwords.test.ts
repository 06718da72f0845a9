// Clients with passwords, and without: a file made by the command, what each version of MQTT hears, and which listener is for whom.
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import type { BrokerListener } from '../../host/server/index.js';
import { thimbleWithin } from '../host/cli/command.js';
import { describeWithTools } from '../tools.js';
import { allow, EVERYTHING, goodbye, HOST, run, World } from './broker-identity-world.js';

const world = new World();

/** Runs `thimble password` for the broker's file. */
async function command(user: string, password: string, ...more: string[]): Promise<void> {
  const input = Object.assign(new PassThrough(), { isTTY: false });
  input.end(`${password}\n`);
  const spy = vi.spyOn(process, 'stdin', 'get').mockReturnValue(input as never);
  const { exit, stderr } = await thimbleWithin(['password', join(world.folder, 'passwords'), user, ...more]);
  spy.mockRestore();
  expect([exit, stderr]).toEqual([0, '']);
}

const file = 'passwords';
const NAMED = allow(
  ['Connect', `client/\${thimble:Username}`, `client/\${thimble:Username}-*`],
  ['Publish', `topic/\${thimble:Username}/*`],
);

describe('A user of the file that thimble password writes', () => {
  it('comes in with the right password, and hears of a wrong one in the words of its version', async () => {
    await command('ada', 'secret one');
    await command('bob', 'secret two');
    await world.open({ passwords: { file, policies: [NAMED] } });
    await world.join({ clientId: 'ada', username: 'ada', password: 'secret one' });
    expect(world.client('ada')!.principal).toBe('ada');
    for (const [username, password] of [
      ['ada', 'secret two'],
      ['ada', 'secret one '],
      ['Ada', 'secret one'],
      ['nobody', 'secret one'],
      ['ada', ''],
    ] as const) {
      expect(await world.refusal({ clientId: 'ada', username, password })).toBe(0x86);
      expect(await world.refusal({ clientId: 'ada', username, password, protocolVersion: 4 })).toBe(4);
    }
    await world.told('connect-refused', { why: 'password', username: 'ada', by: 'password', level: 'warn' });
    world.keepsSecret('secret one', 'secret two');
    expect(world.client('ada')!.isConnected).toBe(true);
  });

  it('has client identifiers of its own, and none of another', async () => {
    await command('ada', 'a');
    await command('bob', 'b');
    await world.open({ passwords: { file, policies: [NAMED] } });
    const ada = await world.join({ clientId: 'ada-1', username: 'ada', password: 'a', clean: false });
    expect(await world.refusal({ clientId: 'ada-1', username: 'bob', password: 'b', clean: false })).toBe(0x87);
    // One that brings none is given one, which no policy allows.
    expect(await world.refusal({ clientId: '', username: 'bob', password: 'b' })).toBe(0x87);
    expect(await world.refusal({ clientId: 'ada-1', username: 'bob', password: 'b', protocolVersion: 4 })).toBe(5);
    await world.told('connect-refused', { why: 'policy', principal: 'bob', clientId: 'ada-1' });
    expect(ada.connected).toBe(true);
  });

  it('takes over the session of another where policies let both have its name, and no more of it than it may have', async () => {
    await command('ada', 'a');
    await command('bob', 'b');
    const users = {
      ada: [allow(['*', 'topic/*', 'topicfilter/*'])],
      bob: [allow(['Subscribe', 'topicfilter/open/*'], ['Receive', 'topic/open/*'])],
    };
    await world.open({ passwords: { file, policies: [allow(['Connect', 'client/desk'])], users } });
    const desk = { clientId: 'desk', clean: false, properties: { sessionExpiryInterval: 3_600, receiveMaximum: 1 } };
    const ada = await world.join({ ...desk, username: 'ada', password: 'a' });
    await ada.subscribeAsync(['open/#', 'secret/#'], { qos: 1 });
    const said = goodbye(ada);
    ada.stream.pause(); // nothing of this is acknowledged
    for (const topic of ['secret/1', 'open/1', 'secret/2', 'open/2']) world.running.publish(topic, 'x', { qos: 1 });
    const { ears, connack } = await world.meet({ ...desk, username: 'bob', password: 'b' });
    ada.stream.resume();
    expect(await said).toBe(0x8e); // Session taken over
    expect(connack.sessionPresent).toBe(true);
    expect(world.client('desk')).toMatchObject({ principal: 'bob', subscriptions: ['open/#'] });
    expect(await ears.until('open/2 x')).toEqual(['open/1 x', 'open/2 x']);
    await world.told('subscribe-denied', { filter: 'secret/#', principal: 'bob', why: 'resumed' });
    await world.told('receive-denied', { topic: 'secret/1' });
  });

  it('is known as soon as the command has added it, and no more once it is deleted', async () => {
    await command('ada', 'a');
    await world.open({ passwords: { file, policies: [NAMED], refreshAfterS: 300 } });
    const bob = { clientId: 'bob', username: 'bob', password: 'b' };
    expect(await world.refusal(bob)).toBe(0x86);
    await command('bob', 'b');
    world.leap(1_000); // the file is looked at once a second
    const client = await world.join(bob);
    await command('bob', '', '--delete');
    const said = goodbye(client);
    world.leap(300_001);
    expect(await said).toBe(0x87);
    expect(await world.refusal(bob)).toBe(0x86);
  });
});

describeWithTools(['mosquitto_pub'], 'A client of mosquitto', () => {
  it('has a password too', async () => {
    await command('ada', 'secret');
    await world.open({ passwords: { file, policies: [NAMED] } });
    const place = ['-h', HOST, '-p', `${world.port()}`, '-i', 'ada', '-t', 'ada/x', '-m', 'x', '-q', '2'];
    const as = (password: string): string[] => [...place, '-u', 'ada', '-P', password];
    expect(await run('mosquitto_pub', as('secret'))).toMatchObject({ code: 0, err: '' });
    expect(await run('mosquitto_pub', as('wrong'))).toMatchObject({ code: 4 });
    expect(await run('mosquitto_pub', [...as('wrong'), '-V', 'mqttv5'])).toMatchObject({ code: 0x86 });
    expect(await run('mosquitto_pub', place)).toMatchObject({ code: 5 });
  });
});

describe('A client without credentials', () => {
  const both: readonly BrokerListener[] = [
    { kind: 'mqtt', name: 'lab' },
    { kind: 'mqtt', name: 'street' },
    { kind: 'ws', name: 'web' },
  ];

  it('comes in nowhere unless the configuration says so', async () => {
    await command('ada', 'a');
    await world.open({ passwords: { file, policies: [NAMED] } }, both);
    for (const listener of ['lab', 'street']) expect(await world.refusal({ listener })).toBe(0x87);
    expect(await world.refusal({ protocolVersion: 4 })).toBe(5);
    await world.told('connect-refused', { why: 'no-credentials', listener: 'street', transport: 'tcp' });
  });

  it('comes in where the configuration says so, and may do what it says', async () => {
    const anonymous = {
      listeners: ['lab'],
      policies: [allow(['*', 'client/lab-*', 'topic/lab/*', 'topicfilter/lab/*'])],
    };
    await world.open({ anonymous }, both);
    const client = await world.join({ listener: 'lab', clientId: 'lab-1' });
    await client.publishAsync('lab/x', '', { qos: 1 });
    await expect(client.publishAsync('x', '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    expect(await world.refusal({ listener: 'street', clientId: 'lab-2' })).toBe(0x87);
    expect(await world.refusal({ listener: 'web', protocol: 'ws', clientId: 'lab-2' })).toBe(0x87);
    expect(await world.refusal({ listener: 'lab', clientId: 'admin' })).toBe(0x87);
    expect(world.client('lab-1')!.principal).toBeUndefined();
  });

  it('is not who has shown wrong ones', async () => {
    await command('ada', 'a');
    await world.open({ anonymous: { policies: [EVERYTHING] }, passwords: { file, policies: [NAMED] } }, both);
    await world.join();
    expect(await world.refusal({ username: 'ada', password: 'wrong' })).toBe(0x86);
    expect(await world.refusal({ username: 'ada' })).toBe(0x86);
    const web = { listener: 'web', protocol: 'ws' } as const;
    await world.join(web);
    const Authorization = 'Bearer eyJ.a.b';
    expect(await world.refusal({ ...web, wsOptions: { headers: { Authorization } } })).toBe(0x87);
    expect(await world.refusal({ ...web, path: '/mqtt?X-Amz-Signature=0' })).toBe(0x87);
    expect(await world.refusal({ ...web, path: '/mqtt?x-amz-customauthorizer-name=a' })).toBe(0x87);
  });
});

describe('A listener to which a way in does not apply', () => {
  it('does not know its credentials', async () => {
    await command('ada', 'a');
    await world.open({ passwords: { file, policies: [NAMED], listeners: ['ws'] } }, [
      { kind: 'mqtt' },
      { kind: 'ws', name: 'web' },
    ]);
    const ada = { clientId: 'ada', username: 'ada', password: 'a' };
    expect(await world.refusal(ada)).toBe(0x86);
    await world.told('connect-refused', { why: 'credentials-unknown' });
    await world.join({ ...ada, listener: 'web', protocol: 'ws' });
  });
});

describe('Who floods the broker with passwords', () => {
  it('is told that the server is busy, and does not get in the way of who is in already', async () => {
    await command('ada', 'a');
    const passwords = { file, policies: [EVERYTHING], refreshAfterS: 300 };
    // The clock is put forward while they wait.
    await world.open({ passwords }, undefined, { limits: { connectTimeoutMs: Number.POSITIVE_INFINITY } });
    const ada = await world.join({ clientId: 'ada', username: 'ada', password: 'a' });
    const flood = Array.from({ length: 30 }, () => world.refusal({ username: 'eve', password: 'x' }));
    await world.told('connect-refused', { why: 'too-many-passwords' });
    world.leap(300_001);
    const codes = await Promise.all(flood);
    expect(new Set(codes)).toEqual(new Set([0x86, 0x89]));
    await ada.publishAsync('x', '', { qos: 1 });
    expect(world.log.filter(({ event }) => event === 'authorization-ended')).toEqual([]);
    await world.join({ username: 'ada', password: 'a' });
  });
});
