// Clients with certificates, over TLS as it is on the wire: MQTT.js and mosquitto's clients, by a port of their own, by ALPN, and
// through a proxy.
import { createServer, connect as dial, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BrokerListener } from '../../host/server/index.js';
import { Authority } from '../host/net/listeners-world.js';
import { describeWithTools } from '../tools.js';
import { allow, type Card, closed, goodbye, HOST, Issuer, NOT_GRANTED, run, World } from './broker-identity-world.js';

const world = new World();

let issuer: Issuer;
let stranger: Issuer;
let authority: Authority;
let server: Card;
let lamp: Card;
let other: Card;
let foreign: Card;

beforeAll(() => {
  issuer = new Issuer();
  stranger = new Issuer('/O=Acme/CN=Acme devices'); // that it has the same name helps nobody
  authority = new Authority();
  server = issuer.server();
  lamp = issuer.issue('/C=DE/O=Acme/OU=lamps/CN=lamp-1', 'DNS:lamp-1.example,URI:urn:dev:1');
  other = issuer.issue('/O=Acme/OU=lamps/CN=lamp-2');
  foreign = stranger.issue('/O=Acme/OU=lamps/CN=lamp-1');
});
afterAll(() => {
  issuer.remove();
  stranger.remove();
  authority.remove();
});

const CN = `\${iot:Certificate.Subject.CommonName}`;
const OWN = allow(
  ['Connect', `client/${CN}`],
  ['Publish', `topic/lamps/${CN}/*`],
  ['Receive', `topic/lamps/${CN}/*`],
  ['Subscribe', `topicfilter/lamps/${CN}/*`],
);

const listener = (more: Partial<BrokerListener> = {}): BrokerListener => {
  return { kind: 'mqtts', name: 'front', tls: { cert: server.cert, key: server.key, ca: issuer.ca }, ...more };
};

const by = ({ cert, key }: Card) => ({ protocol: 'mqtts', ca: issuer.ca, cert, key }) as const;

/** Arguments of mosquitto's clients. */
const args = ({ certFile, keyFile }: Card, port = world.port()): string[] => [
  ...['-h', HOST, '-p', `${port}`, '--cafile', issuer.caFile, '--cert', certFile, '--key', keyFile],
];

describeWithTools(['openssl', 'mosquitto_pub', 'mosquitto_sub'], 'A client with a certificate', () => {
  it('comes in under its own name, and has the topics of that name', async () => {
    await world.open({ certificates: { policies: [OWN] } }, [listener()]);
    const { client, ears } = await world.meet({ ...by(lamp), clientId: 'lamp-1' });
    expect(world.client('lamp-1')!.principal).toBe(issuer.fingerprint(lamp).replaceAll(':', '').toLowerCase());
    expect(await client.subscribeAsync('lamps/lamp-1/#', { qos: 1 })).toMatchObject([{ qos: 1 }]);
    await expect(client.subscribeAsync('lamps/lamp-2/#')).rejects.toMatchObject(NOT_GRANTED);
    await expect(client.subscribeAsync('lamps/#')).rejects.toMatchObject(NOT_GRANTED);
    await expect(client.publishAsync('lamps/lamp-2/on', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    await client.publishAsync('lamps/lamp-1/on', 'x', { qos: 1 });
    expect(await ears.until('lamps/lamp-1/on x')).toHaveLength(1);
  });

  it('does not come in under the name of another', async () => {
    await world.open({ certificates: { policies: [OWN] } }, [listener()]);
    const { client } = await world.meet({ ...by(lamp), clientId: 'lamp-1' });
    expect(await world.refusal({ ...by(other), clientId: 'lamp-1' })).toBe(0x87);
    await world.told('connect-refused', { clientId: 'lamp-1', why: 'policy', by: 'certificate', level: 'warn' });
    expect(client.connected).toBe(true);
  });

  it('has the other attributes as variables too', async () => {
    const subject = (name: string): string => `\${iot:Certificate.Subject.${name}}`;
    const names = ['Country', 'Organization', 'OrganizationalUnit', 'AlternativeName.DNSName'].map(subject);
    const path = [...names, `\${iot:Certificate.Issuer.CommonName}`].join('/');
    await world.open({ certificates: { policies: [allow(['Connect', '*'], ['Publish', `topic/${path}`])] } }, [
      listener(),
    ]);
    const client = await world.join(by(lamp));
    const topic = 'DE/Acme/lamps/lamp-1.example/Acme devices';
    await client.publishAsync(topic, '', { qos: 1 });
    await expect(client.publishAsync(`${topic}/x`, '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    // One without these attributes has none of these topics.
    const poor = await world.join(by(other));
    for (const name of [topic, '//lamps//Acme devices', '/Acme/lamps//Acme devices']) {
      await expect(poor.publishAsync(name, '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    }
  });

  it('may be a client of mosquitto', async () => {
    await world.open({ certificates: { policies: [OWN] } }, [listener()]);
    const heard = run('mosquitto_sub', [
      ...args(lamp),
      '-i',
      'lamp-1',
      '-t',
      'lamps/lamp-1/#',
      '-q',
      '1',
      '-C',
      '1',
      '-v',
    ]);
    await expect.poll(() => world.client('lamp-1')?.subscriptions).toEqual(['lamps/lamp-1/#']);
    world.running.publish('lamps/lamp-1/on', 'yes', { qos: 1 });
    expect(await heard).toMatchObject({ code: 0, out: 'lamps/lamp-1/on yes\n' });
    const publish = ['-t', 'lamps/lamp-2/on', '-m', 'x', '-q', '1', '-V', 'mqttv5'];
    const own = await run('mosquitto_pub', [...args(other), '-i', 'lamp-2', ...publish]);
    expect(own.code).toBe(0);
    await run('mosquitto_pub', [...args(lamp), '-i', 'lamp-1', ...publish]);
    await world.told('publish-denied', { clientId: 'lamp-1', topic: 'lamps/lamp-2/on' });
    const wrongName = await run('mosquitto_pub', [...args(lamp), '-i', 'lamp-2', ...publish]);
    expect(wrongName).toMatchObject({ code: 0x87 });
  });

  it('may come by ALPN x-amzn-mqtt-ca, of mosquitto and of MQTT.js', async () => {
    await world.open({ certificates: { policies: [OWN] } }, [listener({ kind: 'alpn' })]);
    const publish = ['-i', 'lamp-1', '-t', 'lamps/lamp-1/on', '-m', 'x', '-q', '1', '--tls-alpn', 'x-amzn-mqtt-ca'];
    const arrived = new Promise((resolve) => world.running.onMessage('#', ({ topic }) => resolve(topic)));
    expect(await run('mosquitto_pub', [...args(lamp), ...publish])).toMatchObject({ code: 0, err: '' });
    expect(await arrived).toBe('lamps/lamp-1/on');
    await world.join({ ...by(lamp), clientId: 'lamp-1', ALPNProtocols: ['x-amzn-mqtt-ca'] });
    expect(world.client('lamp-1')!.peer).toMatchObject({ alpn: 'x-amzn-mqtt-ca', listener: 'front' });
    // By the other name a certificate is not asked for, and nobody comes in without.
    expect(await world.refusal({ protocol: 'mqtts', ca: issuer.ca, ALPNProtocols: ['mqtt'] })).toBe(0x87);
    await world.told('connect-refused', { why: 'no-credentials' });
  });

  it('of a foreign authority, without any, or past its end does not come as far as MQTT', async () => {
    const expired = authority.issue('lamp-1', 'client', '20200102000000Z');
    const tls = { cert: server.cert, key: server.key, ca: issuer.ca + authority.ca };
    await world.open({ certificates: { policies: [OWN] } }, [listener({ tls })]);
    for (const [card, reason] of [
      [foreign, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      [expired, 'CERT_HAS_EXPIRED'],
      [{}, 'no-certificate'],
    ] as const) {
      const options = { protocol: 'mqtts', ca: issuer.ca, clientId: 'lamp-1', ...card } as const;
      await expect(world.join(options)).rejects.toThrow();
      const entry = await world.told('connection-refused', { why: 'client-certificate', reason });
      expect(entry).toMatchObject({ level: 'warn', listener: 'front', address: HOST });
    }
    expect(world.running.counters.connections).toBe(0);
  });

  it('is shut out by the list of those that are denied, also after a change of the list', async () => {
    const list = world.write('denied', `# lost\n${issuer.fingerprint(other)}\n`);
    const certificates = { policies: [OWN], denyFile: list, refreshAfterS: 300 };
    await world.open({ certificates }, [listener()]);
    const client = await world.join({ ...by(lamp), clientId: 'lamp-1' });
    expect(await world.refusal({ ...by(other), clientId: 'lamp-2' })).toBe(0x87);
    await world.told('connect-refused', { clientId: 'lamp-2', why: 'certificate-denied' });
    world.write('denied', `${issuer.fingerprint(lamp)}\n`);
    const said = goodbye(client);
    world.leap(300_000);
    expect(await said).toBe(0x87);
    await world.told('connect-refused', { clientId: 'lamp-1', why: 'certificate-denied', request: 'refresh' });
    await world.join({ ...by(other), clientId: 'lamp-2' });
  });

  it('is connected no longer than its certificate is good', async () => {
    await world.open({ certificates: { policies: [OWN] } }, [listener()]);
    const brief = issuer.issue('/CN=brief', undefined, 1);
    const client = await world.join({ ...by(brief), clientId: 'brief' });
    const old = await world.join({ ...by(lamp), clientId: 'lamp-1', protocolVersion: 4 });
    const [said, gone] = [goodbye(client), closed(old)];
    world.leap(24 * 3_600_000 + 1_000);
    expect(await said).toBe(0xa0); // Maximum connect time
    expect(old.connected).toBe(true);
    world.leap(24 * 3_600_000);
    await gone; // one of 3.1.1 hears nothing
  });

  it('has its own address behind a proxy that says so', async () => {
    const policies = [allow(['Connect', `client/${CN}`], ['Publish', `topic/from/\${aws:SourceIp}`])];
    await world.open({ certificates: { policies } }, [listener({ kind: 'alpn', proxyProtocol: true })]);
    const proxy = await proxyTo(world.port(), '192.0.2.7');
    const port = (proxy.address() as { readonly port: number }).port;
    const options = { ...by(lamp), clientId: 'lamp-1', port, ALPNProtocols: ['x-amzn-mqtt-ca'] };
    const client = await world.join(options);
    expect(world.client('lamp-1')!.peer).toMatchObject({ address: '192.0.2.7', port: 4321 });
    await client.publishAsync('from/192.0.2.7', '', { qos: 1 });
    await expect(client.publishAsync(`from/${HOST}`, '', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    expect(await world.refusal({ ...options, clientId: 'lamp-2' })).toBe(0x87);
    await world.told('connect-refused', { clientId: 'lamp-2', address: '192.0.2.7' });
    // Who comes past the proxy does not come in.
    await expect(world.join({ ...options, port: world.port() })).rejects.toThrow();
    await world.told('connection-refused', { why: 'proxy-header', address: HOST });
  });
});

/** Tells the address of a client who never was there, by the PROXY protocol, version 2. */
async function proxyTo(port: number, address: string): Promise<Server> {
  const octets = address.split('.').map(Number);
  const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
  const header = Buffer.from([...signature, 0x21, 0x11, 0, 12, ...octets, 127, 0, 0, 1, 0x10, 0xe1, 0x22, 0xb3]);
  const proxy = createServer((near) => {
    const far = dial({ host: HOST, port });
    far.write(header);
    near.pipe(far).pipe(near);
    for (const [one, two] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => two.destroy());
      one.on('close', () => two.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, HOST, resolve));
  world.later(() => new Promise((resolve) => proxy.close(resolve)));
  return proxy;
}
