import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as dialTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { ListenerSpec, TlsSpec } from '../../../host/net/listeners.js';
import { describeWithTools } from '../../tools.js';
import { Authority, answerOf, CONNACK, connectBytes, HOST, type Identity, World } from './listeners-world.js';

const world = new World();

let authority: Authority;
let stranger: Authority;
let server: Identity;
let renewed: Identity;
let device: Identity;
let other: Identity;
let strange: Identity;
let expired: Identity;

beforeAll(() => {
  authority = new Authority();
  stranger = new Authority('stranger');
  server = authority.issue('server', 'server');
  renewed = authority.issue('renewed', 'server');
  device = authority.issue('device', 'client');
  other = authority.issue('other', 'client');
  strange = stranger.issue('strange', 'client');
  expired = authority.issue('expired', 'client', '20200102000000Z');
});
afterAll(() => {
  authority.remove();
  stranger.remove();
});

const der = ({ cert }: Identity): Uint8Array => Uint8Array.from(new X509Certificate(cert).raw);

/** What a client hears that comes with a CONNECT; undefined: it is sent away. */
async function knock(options: ConnectionOptions = {}): Promise<Buffer | undefined> {
  try {
    const socket = await world.tls({ ca: authority.ca, ...options });
    socket.write(connectBytes('c'));
    return await answerOf(socket);
  } catch {
    return undefined; // sent away before the handshake was done, as the client sees it
  }
}

/** What the handshake fails of. */
async function handshakeError(options: ConnectionOptions): Promise<string> {
  const socket = dialTls({ host: HOST, port: world.port, ca: authority.ca, ...options });
  const [error] = await once(socket, 'error');
  return error.code;
}

const open = (tls: Partial<TlsSpec>, spec: Partial<ListenerSpec> = {}): Promise<void> =>
  world.open({ kind: 'mqtts', tls: { ...server, ...tls }, ...spec });

describeWithTools(['openssl'], 'A listener of TLS', () => {
  it('asks nobody for a certificate without an authority', async () => {
    await open({});
    expect(await knock(device)).toEqual(CONNACK);
    expect(world.peers[0]).toMatchObject({ transport: 'tls' });
    expect(world.peers[0]).not.toHaveProperty('certificate');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('asks everybody for one with an authority, by %s', async (maxVersion) => {
    await open({ ca: authority.ca });
    expect(await knock({ ...device, maxVersion })).toEqual(CONNACK);
    expect(world.peers.map(({ certificate }) => certificate)).toEqual([der(device)]);
    for (const options of [{}, strange, expired]) expect(await knock({ ...options, maxVersion })).toBeUndefined();
    expect(world.peers).toHaveLength(1);
  });

  it('lets in who has none where it is optional, and nobody who has a bad one', async () => {
    await open({ ca: authority.ca, requestCert: 'optional' });
    expect(await knock()).toEqual(CONNACK);
    expect(await knock(device)).toEqual(CONNACK);
    expect(world.peers.map(({ certificate }) => certificate)).toEqual([undefined, der(device)]);
    for (const bad of [strange, expired]) expect(await knock(bad)).toBeUndefined();
    expect(world.peers).toHaveLength(2);
  });

  it.each([
    ['no-certificate', () => ({})],
    ['CERT_HAS_EXPIRED', () => expired],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', () => strange],
    ['INVALID_PURPOSE', () => ({ ...server })],
  ])('says why it sends a client away: %s', async (reason, who) => {
    await open({ ca: authority.ca }, { name: 'front' });
    await knock(who());
    const entry = await world.logged({ event: 'connection-refused', why: 'client-certificate' });
    expect(entry).toMatchObject({ listener: 'front', address: HOST, reason });
  });

  it.each(['mqtts', 'wss'] as const)("hands on an MQTT.js client's certificate: %s", async (protocol) => {
    await open({ ca: authority.ca }, { kind: protocol });
    const client = await world.join('c', { protocol, ca: authority.ca, ...device });
    await client.publishAsync('t', 'x', { qos: 1 });
    expect(world.peers).toMatchObject([{ transport: protocol === 'wss' ? 'wss' : 'tls', certificate: der(device) }]);
  });

  it('says nothing much of who only knocks', async () => {
    await open({});
    const socket = await world.tcp();
    socket.end();
    await once(socket.resume(), 'close');
    await world.isEmpty();
    expect(world.log.filter(({ event }) => event === 'connection-refused')).toEqual([]);
  });

  it('knows what has been revoked', async () => {
    const crl = authority.revoke('other');
    await open({ ca: authority.ca, crl });
    expect(await knock(device)).toEqual(CONNACK);
    expect(await knock(other)).toBeUndefined();
    await world.logged({ event: 'connection-refused', reason: 'CERT_REVOKED' });
  });

  it('believes each of several authorities, with a list of what each has revoked', async () => {
    const ca = authority.ca + stranger.ca;
    await open({ ca, crl: authority.list() + stranger.revoke('strange') });
    expect(await knock(device)).toEqual(CONNACK);
    expect(await knock(strange)).toBeUndefined();
    await world.logged({ event: 'connection-refused', reason: 'CERT_REVOKED' });
  });

  it('speaks no TLS below 1.2, or below what it is told', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await open({ ciphers: 'DEFAULT@SECLEVEL=0' });
    expect(await handshakeError(old)).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    await world.listeners.close();
    await open({ minVersion: 'TLSv1.3' });
    expect(await handshakeError({ maxVersion: 'TLSv1.2' })).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    expect(await knock()).toEqual(CONNACK);
  });

  it('has little time for a handshake, and none for what is no TLS', async () => {
    await world.open({ kind: 'mqtts', tls: server }, { handshakeMsMax: 50 });
    expect(await answerOf(await world.tcp())).toBeUndefined();
    // The first bytes of a record that never comes to its end.
    expect(await answerOf(await world.tcp(Buffer.of(0x16, 0x03, 0x01, 0x02)))).toBeUndefined();
    expect(world.log.filter(({ event }) => event === 'connection-refused')).toHaveLength(2);
    const plain = await world.tcp(connectBytes('c'));
    await once(plain.resume(), 'close');
    await world.logged({ why: 'tls' });
    expect(world.peers).toEqual([]);
  });

  it('leaves nothing behind of those who have gone', async () => {
    await open({ ca: authority.ca });
    for (const who of [device, strange, {}]) {
      const socket = await world.tls({ ca: authority.ca, ...who });
      socket.destroy();
    }
    (await world.tcp()).resetAndDestroy();
    await world.isEmpty();
  });
});

describeWithTools(['openssl'], 'A session that is resumed', () => {
  const request = { maxVersion: 'TLSv1.3' } as const;

  /** Comes in, and hands on what it needs to come again. */
  async function begin(options: ConnectionOptions): Promise<Buffer> {
    const socket = await world.tls({ ca: authority.ca, ...request, ...options });
    const session = once(socket, 'session');
    socket.write(connectBytes('c'));
    await answerOf(socket);
    return (await session)[0];
  }

  async function comeAgain(options: ConnectionOptions): Promise<{ reused: boolean; answer: Buffer | undefined }> {
    const socket = await world.tls({ ca: authority.ca, ...request, ...options });
    socket.write(connectBytes('c'));
    return { reused: socket.isSessionReused(), answer: await answerOf(socket) };
  }

  it('has the certificate that it began with', async () => {
    await open({ ca: authority.ca });
    const session = await begin(device);
    expect(await comeAgain({ session })).toEqual({ reused: true, answer: CONNACK });
    expect(world.peers.map(({ certificate }) => certificate)).toEqual([der(device), der(device)]);
  });

  it('has none where it began without', async () => {
    await open({ ca: authority.ca }, { kind: 'alpn' });
    const session = await begin({ ALPNProtocols: ['mqtt'] });
    expect(await comeAgain({ session, ALPNProtocols: ['mqtt'] })).toEqual({ reused: true, answer: CONNACK });
    const { answer } = await comeAgain({ session, ALPNProtocols: ['x-amzn-mqtt-ca'] });
    expect(answer).toBeUndefined();
  });

  it('ends where the certificate does', async () => {
    await open({ ca: authority.ca });
    const brief = authority.issue('brief', 'client', '20900101000000Z');
    const session = await begin(brief);
    vi.setSystemTime(new Date('2090-01-02'));
    try {
      const { answer } = await comeAgain({ session, checkServerIdentity: () => undefined });
      expect(answer).toBeUndefined();
      await world.logged({ reason: 'CERT_HAS_EXPIRED' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends where the list of what is revoked is renewed', async () => {
    const lost = authority.issue('lost', 'client');
    await open({ ca: authority.ca, crl: authority.list() });
    const session = await begin(lost);
    world.listeners.reload([{ tls: { ...server, ca: authority.ca, crl: authority.revoke('lost') } }]);
    expect((await comeAgain({ session, ...lost })).answer).toBeUndefined();
    await world.logged({ reason: 'CERT_REVOKED' });
  });
});

describeWithTools(['openssl'], 'One port for everything, by ALPN,', () => {
  const upgrade = async (options: object): Promise<WebSocket> => {
    const webSocket = new WebSocket(`wss://${HOST}:${world.port}/mqtt?x=y`, ['mqtt'], { ca: authority.ca, ...options });
    webSocket.on('error', () => {});
    await once(webSocket, 'open');
    return webSocket;
  };

  it('takes a client certificate by x-amzn-mqtt-ca, and insists on it', async () => {
    await open({ ca: authority.ca }, { kind: 'alpn' });
    const ALPNProtocols = ['x-amzn-mqtt-ca'];
    expect(await knock({ ...device, ALPNProtocols })).toEqual(CONNACK);
    expect(world.peers).toMatchObject([{ transport: 'tls', alpn: 'x-amzn-mqtt-ca', certificate: der(device) }]);
    for (const options of [{}, strange, expired]) expect(await knock({ ...options, ALPNProtocols })).toBeUndefined();
    await world.logged({ why: 'client-certificate', reason: 'no-certificate', alpn: 'x-amzn-mqtt-ca' });
    expect(world.peers).toHaveLength(1);
  });

  it('needs none by mqtt, and takes no bad one', async () => {
    await open({ ca: authority.ca }, { kind: 'alpn' });
    const ALPNProtocols = ['mqtt'];
    expect(await knock({ ALPNProtocols, servername: 'localhost' })).toEqual(CONNACK);
    expect(world.peers[0]).toMatchObject({ transport: 'tls', alpn: 'mqtt', serverName: 'localhost' });
    expect(world.peers[0]).not.toHaveProperty('certificate');
    expect(await knock({ ALPNProtocols, ...strange })).toBeUndefined();
  });

  it.each([[['http/1.1']], [undefined]])('is a WebSocket by %o', async (ALPNProtocols) => {
    await open({ ca: authority.ca }, { kind: 'alpn' });
    const webSocket = await upgrade({ ALPNProtocols });
    webSocket.send(connectBytes('c'));
    expect((await once(webSocket, 'message'))[0]).toEqual(CONNACK);
    expect(world.peers[0]).toMatchObject({ transport: 'wss', url: '/mqtt?x=y' });
    expect(world.peers[0]!.alpn).toBe(ALPNProtocols?.[0]);
    webSocket.terminate();
  });

  it('knows no other protocol, and none with certificates where it has no authority', async () => {
    await open({}, { kind: 'alpn' });
    const error = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
    expect(await handshakeError({ ALPNProtocols: ['h2'] })).toBe(error);
    expect(await handshakeError({ ALPNProtocols: ['x-amzn-mqtt-ca'] })).toBe(error);
    expect(await knock({ ALPNProtocols: ['h2', 'mqtt'] })).toEqual(CONNACK);
  });

  it('takes no MQTT for HTTP', async () => {
    await open({}, { kind: 'alpn' });
    expect(`${await knock()}`).toMatch(/^HTTP\/1.1 400 /);
    expect(world.peers).toEqual([]);
  });
});

describeWithTools(['openssl'], 'Certificates', () => {
  /** The serial number of the listener's own. */
  async function served(): Promise<string> {
    const socket = await world.tls({ ca: authority.ca });
    const { serialNumber } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return serialNumber;
  }
  const serial = ({ cert }: Identity): string => new X509Certificate(cert).serialNumber;

  it('are renewed for who comes later, and nobody who is there has to go', async () => {
    await open({});
    const socket = await world.tls({ ca: authority.ca });
    socket.write(connectBytes('c'));
    expect(await answerOf(socket)).toEqual(CONNACK);
    expect(await served()).toBe(serial(server));
    world.listeners.reload([{ tls: renewed }]);
    expect(await served()).toBe(serial(renewed));
    socket.write(Buffer.of(0xc0, 0x00));
    expect(await answerOf(socket)).toEqual(Buffer.of(0xd0, 0x00));
  });

  it('with which clients are believed are renewed too', async () => {
    await open({ ca: authority.ca });
    expect(await knock(strange)).toBeUndefined();
    world.listeners.reload([{ tls: { ...server, ca: stranger.ca } }]);
    expect(await knock(strange)).toEqual(CONNACK);
    expect(await knock(device)).toBeUndefined();
  });

  it('are renewed at all listeners, or at none', async () => {
    const at = { host: HOST, port: 0 };
    await world.openAll([
      { kind: 'mqtts', ...at, tls: server },
      { kind: 'mqtt', ...at },
      { kind: 'wss', ...at, tls: server },
    ]);
    const bad = { ...server, key: device.key };
    expect(() => world.listeners.reload([{ tls: renewed }, {}, { tls: bad }])).toThrow(/tls.key/);
    expect(() => world.listeners.reload([{ tls: renewed }])).toThrow(/wss needs tls/);
    expect(await served()).toBe(serial(server));
    world.listeners.reload([{ tls: renewed }, {}, { tls: renewed }]);
    expect(await served()).toBe(serial(renewed));
  });

  const PEM = /^listener front, tls\./;
  it.each<readonly [string, () => Partial<TlsSpec>, RegExp]>([
    ['no certificate', () => ({ cert: 'x' }), /cert: no certificate in PEM \(/],
    ['no key', () => ({ key: 'x' }), /key: no private key in PEM without a passphrase \(/],
    ['the key of another', () => ({ key: device.key }), /key: it is not the key of cert/],
    ['no authority', () => ({ ca: 'x' }), /ca: no certificate in PEM/],
    ['a damaged authority', () => ({ ca: authority.ca + damaged(authority.ca) }), /ca: no certificate in PEM \(/],
    ['no list', () => ({ ca: authority.ca, crl: 'x' }), /crl: no list in PEM/],
    ['a damaged list', () => ({ ca: authority.ca, crl: damaged(authority.list()) }), /crl: no list in PEM \(/],
    ['a list for nobody', () => ({ crl: authority.list() }), /crl: it says nothing without a ca/],
    ['an authority for nobody', () => ({ ca: authority.ca, requestCert: 'no' }), /ca: .*requestCert says "no"/],
    ['nobody to believe', () => ({ requestCert: 'optional' }), /requestCert: optional needs a ca/],
    ['ciphers that are none', () => ({ ciphers: 'none' }), /ciphers: no cipher match/],
    ['a version that is none', () => ({ minVersion: 'SSLv3' as 'TLSv1.2' }), /minVersion: .*SSLv3/],
  ])('that are %s are refused, with the part that is wrong', async (_, tls, words) => {
    const opened = open(tls(), { name: 'front' });
    await expect(opened).rejects.toMatchObject({ code: 'ERR_LISTEN_TLS' });
    await expect(opened).rejects.toThrow(PEM);
    await expect(opened).rejects.toThrow(words);
  });

  const damaged = (pem: string): string => pem.replace(/\n([A-Za-z0-9+/]{8})/, '\nAAAAAAAA');
});

describeWithTools(['openssl'], 'Behind a proxy that says whom it speaks for,', () => {
  const HEADER = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c633640110e122b3', 'hex');

  /** TLS on a connection whose first bytes, header and handshake, are cut at one place. */
  async function proxied(cut: number, options: ConnectionOptions): Promise<TLSSocket> {
    const socket = await world.tcp();
    let isFirst = true;
    const through = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        const bytes = isFirst ? Buffer.concat([HEADER, chunk]) : chunk;
        isFirst = false;
        socket.write(bytes.subarray(0, cut));
        setImmediate(() => {
          socket.write(bytes.subarray(cut));
          done();
        });
      },
    });
    socket.on('data', (chunk) => through.push(chunk));
    socket.on('end', () => through.push(null));
    const secured = dialTls({ socket: through, ca: authority.ca, servername: 'localhost', ...options });
    secured.on('error', () => {});
    await once(secured, 'secureConnect');
    return secured;
  }

  const cuts = [1, HEADER.length - 1, HEADER.length, HEADER.length + 1, HEADER.length + 100, 1_000_000];

  it.each(cuts)('TLS goes on behind its header, cut at %i', async (cut) => {
    await open({ ca: authority.ca }, { kind: 'alpn', proxyProtocol: true });
    const socket = await proxied(cut, { ...device, ALPNProtocols: ['x-amzn-mqtt-ca'] });
    socket.write(connectBytes('c'));
    expect(await answerOf(socket)).toEqual(CONNACK);
    expect(world.peers).toMatchObject([
      { transport: 'tls', address: '192.0.2.7', port: 4321, certificate: der(device) },
    ]);
  });

  it.each(cuts)('WebSocket goes on behind its header, cut at %i', async (cut) => {
    await world.open({ kind: 'ws', proxyProtocol: true });
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    const head = `GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`;
    const rest = `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n`;
    const bytes = Buffer.concat([HEADER, Buffer.from(head + rest)]);
    const socket = await world.tcp(bytes.subarray(0, cut));
    setImmediate(() => socket.write(bytes.subarray(cut)));
    expect(`${await answerOf(socket)}`).toMatch(/^HTTP\/1.1 101 [\s\S]*Sec-WebSocket-Protocol: mqtt/);
    expect(world.peers).toMatchObject([{ transport: 'ws', address: '192.0.2.7', url: '/mqtt' }]);
  });
});
