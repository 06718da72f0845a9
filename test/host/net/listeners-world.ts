// A broker behind real listeners on loopback, clients of every kind for it, and certificates made by openssl.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as dialTls, type TLSSocket } from 'node:tls';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Broker } from '../../../host/broker/broker.js';
import type { BrokerConfig } from '../../../host/broker/config.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import {
  type ListenerLimits,
  type ListenerSpec,
  type Listeners,
  type ListenersOptions,
  openListeners,
} from '../../../host/net/listeners.js';
import type { Peer } from '../../../host/net/peer.js';

export const HOST = '127.0.0.1';

/** What has no event to be waited for. */
const WAIT = { timeout: 20_000, interval: 5 };

export type LogEntry = { readonly event: string; readonly [field: string]: unknown };

/** Begins anew with each test, and is cleared away behind it. */
export class World {
  broker!: Broker;
  listeners!: Listeners;
  /** Of every connection that came as far as the broker. */
  peers: Peer[] = [];
  log: LogEntry[] = [];
  private readonly clients: MqttClient[] = [];
  private readonly sockets: { destroy(): void }[] = [];
  private wake: () => void = () => {};

  constructor() {
    beforeEach(() => {
      this.peers = [];
      this.log = [];
    });
    afterEach(async () => {
      await Promise.all(this.clients.splice(0).map((client) => client.endAsync(true)));
      for (const socket of this.sockets.splice(0)) socket.destroy();
      await this.listeners?.close({ graceMs: 100 });
    });
  }

  async open(
    spec: Partial<ListenerSpec>,
    limits: Partial<ListenerLimits> = {},
    config: Partial<BrokerConfig> = {},
  ): Promise<void> {
    await this.openAll([{ kind: 'mqtt', host: HOST, port: 0, ...spec }], { limits }, config);
  }

  async openAll(
    specs: readonly ListenerSpec[],
    options: ListenersOptions = {},
    config: Partial<BrokerConfig> = {},
  ): Promise<void> {
    const roomy = { queueMessagesMax: 100_000, queueBytesMax: 2 ** 26 };
    this.broker = new Broker({ ...roomy, ...config }, { random: new Xoshiro128(1) });
    const accept = this.broker.accept.bind(this.broker);
    this.broker.accept = (sink, now, peer) => {
      this.peers.push(peer as Peer);
      return accept(sink, now, peer);
    };
    const log: ListenersOptions['log'] = (_, event, fields) => {
      this.log.push({ ...fields, event });
      this.wake();
    };
    this.listeners = await openListeners(this.broker, specs, { log, ...options });
  }

  get port(): number {
    return this.listeners.listening[0]!.port;
  }

  /** The first entry with these fields, as soon as there is one. */
  async logged(fields: Readonly<Record<string, unknown>>): Promise<LogEntry> {
    const matches = (entry: LogEntry): boolean =>
      Object.entries(fields).every(([name, value]) => entry[name] === value);
    for (;;) {
      const found = this.log.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** So many connections have come as far as the broker. */
  async hasPeers(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.peers).toHaveLength(count), WAIT);
  }

  /** The first listener has no connection any more. */
  async isEmpty(): Promise<void> {
    await vi.waitFor(() => expect(this.listeners.listening[0]!.connections).toBe(0), WAIT);
  }

  /** MQTT.js. */
  async join(clientId: string, options: IClientOptions): Promise<MqttClient> {
    const client = await mqtt.connectAsync({
      host: HOST,
      port: this.port,
      path: '/mqtt',
      protocolVersion: 4,
      clientId,
      reconnectPeriod: 0,
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  async tcp(...chunks: Uint8Array[]): Promise<Socket> {
    const socket = this.keep(dial({ port: this.port, host: HOST, noDelay: true }));
    await once(socket, 'connect');
    if (chunks.length > 0) socket.write(Buffer.concat(chunks));
    return socket;
  }

  /** After the handshake as the client sees it; with TLS 1.3 the server may still refuse it. */
  async tls(options: ConnectionOptions): Promise<TLSSocket> {
    const socket = this.keep(dialTls({ port: this.port, host: HOST, ...options }));
    await once(socket, 'secureConnect');
    return socket;
  }

  /** Not yet open. */
  webSocket(path = '/mqtt', protocols: readonly string[] = ['mqtt'], options: object = {}): WebSocket {
    const webSocket = new WebSocket(`ws://${HOST}:${this.port}${path}`, [...protocols], options);
    this.keep({ destroy: () => webSocket.terminate() });
    webSocket.on('error', () => {});
    return webSocket;
  }

  private keep<T extends { destroy(): void }>(socket: T): T {
    if ('on' in socket) (socket as unknown as Socket).on('error', () => {});
    this.sockets.push(socket);
    return socket;
  }
}

/** What a client hears, to be awaited. */
export class Ears {
  private readonly heard: string[] = [];
  private wake: () => void = () => {};

  constructor(client: MqttClient) {
    client.on('message', (_topic, payload) => {
      this.heard.push(`${payload}`);
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

export const connectBytes = (clientId: string): Buffer =>
  generate({ cmd: 'connect', clientId, clean: true, keepalive: 0, protocolVersion: 4, protocolId: 'MQTT' });
export const subscribeBytes = (topic: string): Buffer =>
  generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] });
export const publishBytes = (topic: string, payload: Buffer | string): Buffer =>
  generate({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false });

/** CONNACK of a client that may come in. */
export const CONNACK = Buffer.of(0x20, 0x02, 0x00, 0x00);

/** The first bytes to come; undefined: the end of the connection came first. */
export async function answerOf(socket: Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    socket.once('data', (chunk) => resolve(chunk));
    socket.once('close', () => resolve(undefined));
  });
}

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** An authority in a folder of its own. */
export class Authority {
  readonly ca: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'thimble-ca-'));

  constructor(name = 'authority') {
    const config = `[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key
rand_serial=yes\ndefault_md=sha256\npolicy=any\ndefault_crl_days=1\nunique_subject=no\n[any]\ncommonName=supplied
[client]\nextendedKeyUsage=clientAuth\n[server]\nextendedKeyUsage=serverAuth\nsubjectAltName=IP:${HOST},DNS:localhost\n`;
    writeFileSync(this.file('config'), config);
    writeFileSync(this.file('index'), '');
    this.openssl('req', '-x509', ...KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '1', '-subj', `/CN=${name}`);
    this.ca = this.text('ca.pem');
  }

  /** `to`: the end of its validity, as openssl writes it; it begins in 2020. */
  issue(name: string, use: 'client' | 'server', to = '20991231000000Z'): Identity {
    this.openssl('req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const validity = ['-startdate', '20200101000000Z', '-enddate', to];
    this.ca509('-extensions', use, '-in', `${name}.csr`, '-out', `${name}.pem`, '-notext', ...validity);
    return { cert: this.text(`${name}.pem`), key: this.text(`${name}.key`) };
  }

  /** The list of what has been revoked, with `name` on it. */
  revoke(name: string): string {
    this.ca509('-revoke', `${name}.pem`);
    return this.list();
  }

  list(): string {
    this.ca509('-gencrl', '-out', 'crl.pem');
    return this.text('crl.pem');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private file(name: string): string {
    return join(this.folder, name);
  }

  private text(name: string): string {
    return readFileSync(this.file(name), 'utf8');
  }

  private ca509(...args: string[]): void {
    this.openssl('ca', '-batch', '-config', 'config', ...args);
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
