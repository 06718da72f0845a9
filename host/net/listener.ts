// One port. Leads each socket that comes to MQTT: past the PROXY protocol, through TLS, by ALPN, over the upgrade of
// WebSocket, as far as the listener's kind has them; with one limit of time for all that.
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import type { Millis } from '../ports.js';
import { Arrival } from './arrival.js';
import { type Channel, SocketChannel } from './channel.js';
import { ListenerSpecError, listening } from './listen-error.js';
import { MqttSocket, SOCKET_LIMITS, type SocketContext, type SocketLimits } from './mqtt-socket.js';
import type { Peer } from './peer.js';
import { Alpn, type CertificateRequest, proofOf, requestOf, type TlsSpec, tlsServer } from './tls-listener.js';
import { WebSocketChannel, WebSocketDoor } from './websocket.js';

/**
 * `mqtt`: TCP. `mqtts`: TLS. `ws`, `wss`: WebSocket without and with TLS. `alpn`: TLS, where the client says by ALPN what it
 * speaks: `x-amzn-mqtt-ca` is MQTT with a client certificate, `mqtt` is MQTT without, `http/1.1` or nothing is WebSocket.
 */
export type ListenerKind = 'mqtt' | 'mqtts' | 'ws' | 'wss' | 'alpn';

export interface ListenerSpec {
  /** For messages, the log, and `Peer.listener`. */
  readonly name?: string;
  readonly kind: ListenerKind;
  /** Address or name to listen at. */
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** For the kinds with TLS, and only those. */
  readonly tls?: TlsSpec;
  /** Of WebSocket. Default `/mqtt`. */
  readonly path?: string;
  /** Of WebSocket: the `Origin`s that may come. Default: all. Without the header a client is no browser, and may come. */
  readonly origins?: readonly string[];
  /** Each connection begins with a header of the PROXY protocol, version 2. Only where none but the proxy can connect. */
  readonly proxyProtocol?: boolean;
}

export interface ListenerLimits extends SocketLimits {
  /** Sockets at a time; more are closed as they come. */
  readonly connectionsMax: number;
  /** From the opening to the first byte of MQTT, over PROXY header, TLS and upgrade, ms. Infinity: for ever. */
  readonly handshakeMsMax: number;
  /** The largest head of an upgrade to WebSocket, bytes. */
  readonly headBytesMax: number;
  /** The largest message of a WebSocket, which may hold several packets, bytes. Never below the broker's `packetBytesMax`. */
  readonly messageBytesMax: number;
  /** How long a connection may be silent before TCP asks whether the other end still is, ms. */
  readonly keepAliveProbeMs: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  ...SOCKET_LIMITS,
  connectionsMax: 100_000,
  handshakeMsMax: 10_000,
  headBytesMax: 16_384,
  messageBytesMax: 1024 * 1024,
  keepAliveProbeMs: 60_000,
};

export const PATH_DEFAULT = '/mqtt';
/** A listener that is full says so at most so often. */
const FULL_LOG_MS = 60_000;

export type ListenerContext = SocketContext & { readonly limits: ListenerLimits };

/** What is known of a client when its transport is ready. */
type Found = Omit<Peer, 'listener' | 'address' | 'port'>;

export class Listener {
  /** The one asked for, or the one that was free. */
  port: number;
  private readonly at: string;
  private readonly context: ListenerContext;
  private readonly server: Server;
  private readonly arrivals = new Set<Arrival>();
  private readonly door: WebSocketDoor | undefined;
  private tls: TlsServer | undefined;
  /** Between the opening of a socket and its TLS, by its two ends: a TLS socket does not tell whom it was made of. */
  private readonly securing = new Map<string, Arrival>();
  private readonly upgrading = new WeakMap<Duplex, { readonly arrival: Arrival; readonly found: Found }>();
  private fullLoggedMs: Millis = Number.NEGATIVE_INFINITY;

  /** Throws TlsListenError, ListenerSpecError. */
  constructor(
    readonly spec: ListenerSpec,
    shared: ListenerContext,
  ) {
    const { limits } = shared;
    this.port = spec.port;
    this.at = spec.name ?? `${spec.kind} ${spec.host}:${spec.port}`;
    this.context = {
      ...shared,
      log: (level, event, fields) => shared.log(level, event, { listener: this.at, ...fields }),
    };
    checkWeb(this.at, spec);
    this.tls = this.newTls(spec.tls);
    this.door = hasWebSocket(spec.kind) ? this.newDoor() : undefined;
    this.server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveProbeMs },
      (socket) => this.arrive(socket),
    );
    this.server.maxConnections = limits.connectionsMax;
    this.server.on('drop', () => this.logFull());
  }

  /** Connections, those included that have not come as far as MQTT. */
  get connections(): number {
    return this.arrivals.size;
  }

  /** Rejects with TcpListenError. */
  async listen(): Promise<void> {
    await listening(this.server, this.spec.host, this.spec.port);
    this.server.on('error', ({ code }: NodeJS.ErrnoException) => this.context.log('error', 'listener-error', { code }));
    const address = this.server.address();
    if (typeof address === 'object' && address !== null) this.port = address.port;
  }

  /** What `useTls` puts in place for connections to come. Throws as the constructor does, and nothing has changed. */
  newTls(tls: TlsSpec | undefined): TlsServer | undefined {
    const { kind } = this.spec;
    checkTls(this.at, kind, tls);
    if (tls === undefined) return undefined;
    const server = tlsServer(this.at, tls, protocolsOf(kind, tls));
    const request = requestOf(this.at, tls);
    server.on('secureConnection', (socket) => this.toProtocol(socket, request));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const arrival = this.securing.get(endsOf(socket));
      // A probe, or a change of mind, is not worth an operator's time.
      if (error.code === 'ECONNRESET') arrival?.failed(error);
      else arrival?.refuse('tls', { reason: error.code ?? error.message });
      socket.destroy();
    });
    return server;
  }

  useTls(server: TlsServer | undefined): void {
    this.tls = server;
  }

  /** Listens no more, and ends what is connected: tidily within `graceMs`, then at once. Resolves when all is gone. */
  async close(graceMs: Millis): Promise<void> {
    const ends: Promise<void>[] = [new Promise((resolve) => this.server.close(() => resolve()))];
    for (const { served, socket } of this.arrivals) {
      ends.push(new Promise((resolve) => socket.on('close', () => resolve())));
      if (served === undefined) socket.destroy();
      else served.leave(graceMs);
    }
    await Promise.all(ends);
  }

  private arrive(socket: Socket): void {
    const arrival = new Arrival(socket, this.context.log);
    if (arrival.address === undefined) {
      socket.destroy(); // it has gone already
      return;
    }
    this.arrivals.add(arrival);
    socket.on('close', () => this.arrivals.delete(arrival));
    const { kind, proxyProtocol = false } = this.spec;
    if (kind !== 'mqtt' || proxyProtocol) arrival.limit(this.context.limits.handshakeMsMax);
    if (proxyProtocol) arrival.readProxyHeader(() => this.toTls(arrival));
    else this.toTls(arrival);
  }

  private toTls(arrival: Arrival): void {
    const { socket } = arrival;
    if (this.tls === undefined) {
      if (this.door === undefined) this.toMqtt(arrival, socket, { transport: 'tcp' });
      else this.toUpgrade(this.door, arrival, socket, { transport: 'ws' });
      return;
    }
    const key = endsOf(socket);
    this.securing.set(key, arrival);
    socket.on('close', () => {
      if (this.securing.get(key) === arrival) this.securing.delete(key);
    });
    this.tls.emit('connection', socket);
  }

  /** After the handshake: who it is, and what it speaks. */
  private toProtocol(socket: TLSSocket, request: CertificateRequest): void {
    const arrival = this.securing.get(endsOf(socket));
    if (arrival === undefined) {
      socket.destroy(); // it has gone in the meantime, and does not know any more where it was
      return;
    }
    this.securing.delete(endsOf(socket));
    socket.on('error', (error: NodeJS.ErrnoException) => arrival.failed(error));
    const alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined;
    const proof = proofOf(socket, this.spec.kind === 'alpn' ? requestByAlpn(alpn) : request);
    if ('refused' in proof) {
      arrival.refuse('client-certificate', { reason: proof.refused, ...(alpn && { alpn }) });
      return;
    }
    const { servername: serverName } = socket;
    const found = {
      ...(proof.certificate && { certificate: proof.certificate }),
      ...(alpn && { alpn }),
      ...(serverName && { serverName }),
    };
    const speaksMqtt = this.door === undefined || alpn === Alpn.Certificate || alpn === Alpn.Mqtt;
    if (speaksMqtt) this.toMqtt(arrival, socket, { transport: 'tls', ...found });
    else this.toUpgrade(this.door, arrival, socket, { transport: 'wss', ...found });
  }

  private toUpgrade(door: WebSocketDoor, arrival: Arrival, socket: Duplex, found: Found): void {
    this.upgrading.set(socket, { arrival, found });
    door.take(socket);
  }

  private toMqtt(arrival: Arrival, socket: Socket, found: Found): void {
    this.serve(arrival, new SocketChannel(socket), found);
  }

  private newDoor(): WebSocketDoor {
    const { path = PATH_DEFAULT, origins } = this.spec;
    const { headBytesMax, messageBytesMax } = this.context.limits;
    const { packetBytesMax } = this.context.broker.config;
    const options = { path, origins, headBytesMax, messageBytesMax: Math.max(messageBytesMax, packetBytesMax) };
    return new WebSocketDoor(options, (socket, webSocket, upgrade) => {
      const { arrival, found } = this.upgrading.get(socket)!;
      const channel = new WebSocketChannel(webSocket, socket, (error) => arrival.failed(error));
      this.serve(arrival, channel, { ...found, ...upgrade });
    });
  }

  private serve(arrival: Arrival, channel: Channel, found: Found): void {
    const { name } = this.spec;
    const { address, port } = arrival;
    const peer: Peer = {
      ...found,
      ...(name !== undefined && { listener: name }),
      ...(address !== undefined && { address }),
      ...(port !== undefined && { port }),
    };
    arrival.serve(new MqttSocket(this.context, channel, peer));
  }

  private logFull(): void {
    const now = this.context.clock();
    if (now - this.fullLoggedMs < FULL_LOG_MS) return;
    this.fullLoggedMs = now;
    this.context.log('warn', 'listener-full', { connectionsMax: this.context.limits.connectionsMax });
  }
}

const hasTls = (kind: ListenerKind): boolean => kind === 'mqtts' || kind === 'wss' || kind === 'alpn';
const hasWebSocket = (kind: ListenerKind): boolean => kind === 'ws' || kind === 'wss' || kind === 'alpn';

function checkTls(at: string, kind: ListenerKind, tls: TlsSpec | undefined): void {
  if (hasTls(kind) && tls === undefined) throw new ListenerSpecError(at, `${kind} needs tls: a key and a certificate`);
  if (!hasTls(kind) && tls !== undefined) {
    throw new ListenerSpecError(at, `${kind} has no tls: choose mqtts, wss or alpn, or leave it out`);
  }
  if (kind === 'alpn' && tls?.requestCert !== undefined) {
    throw new ListenerSpecError(at, 'alpn has no tls.requestCert: the protocol that a client names says it');
  }
}

function checkWeb(at: string, { kind, path, origins }: ListenerSpec): void {
  if (!hasWebSocket(kind) && (path ?? origins) !== undefined) {
    throw new ListenerSpecError(at, `${kind} has no path and no origins: they are for ws, wss and alpn`);
  }
  if (path?.startsWith('/') === false) {
    throw new ListenerSpecError(at, `path is ${JSON.stringify(path)}; it begins with /`);
  }
}

/** What may be chosen by ALPN; without authorities no client certificate can be believed. */
function protocolsOf(kind: ListenerKind, { ca }: TlsSpec): readonly string[] {
  if (kind === 'wss') return [Alpn.Http];
  if (kind !== 'alpn') return [];
  return ca === undefined ? [Alpn.Mqtt, Alpn.Http] : [Alpn.Certificate, Alpn.Mqtt, Alpn.Http];
}

/** TLS asks for the certificate before the protocol is known to us: so it asks everybody, and here it is insisted on. */
const requestByAlpn = (alpn: string | undefined): CertificateRequest =>
  alpn === Alpn.Certificate ? 'required' : 'optional';

/** Among the living sockets of a listener there are no two with the same. */
const endsOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`;
