// One network connection with a broker, made by MQTT.js: TCP, TLS or WebSocket, CONNECT, keep-alive, and packets out of
// octets. What MQTT.js would answer by itself it is kept from answering; packets go out just as they are given.
import type { SecureContext } from 'node:tls';
import { connect, type IClientOptions, type IStore, type MqttClient, Store } from 'mqtt';
import { type Packet, writeToStream } from 'mqtt-packet';
import type { Message } from '../ports.js';
import { isSecure, isWebSocket, type MqttNode } from './mqtt-nodes.js';

export interface ConnectionOptions {
  /** MQTT 3.1.1 is level 4. */
  readonly protocolVersion: 4 | 5;
  /** Seconds; 0: none. */
  readonly keepAliveS: number;
  /** Certificates of TLS, made once for all connections. */
  readonly secureContext: SecureContext | undefined;
  /** Whether a broker whose certificate proves nothing is taken. */
  readonly insecure: boolean;
}

export interface Introduction {
  readonly clientId: string;
  readonly clean: boolean;
  readonly will?: Message | undefined;
}

export interface ConnectionOwner {
  /** Every packet from the broker, CONNACK first. */
  packet(packet: Packet): void;
  /** Once, however the connection ends, and then nothing more. */
  gone(reason: string): void;
}

/** The broker's time for its CONNACK, that of TCP, TLS and HTTP included, ms. Less than the gateway's own patience. */
const CONNACK_MS = 10_000;
/** How long a broker may take to hang up after DISCONNECT, ms. */
const CLOSE_GRACE_MS = 2_000;
/** No device can be sent more in one packet (a datagram of MQTT-SN has at most 65,535 octets, and so has a topic). */
const PACKET_BYTES_MAX = 128 * 1024;
/** MQTT 5, 3.1.2.11.2: the session does not expire. */
const NEVER_EXPIRES = 0xffff_ffff;
/** Octets that the network has not taken, beyond which messages of QoS 0 are dropped. */
const WRITE_BUFFER_BYTES_MAX = 256 * 1024;

/** Handed to MQTT.js where it is about to answer for the device: by its own rules an error stops the answer, and only that. */
const OWNER_ANSWERS = new Error('the owner of the session answers');

/** PUBREL: MQTT.js asks its store for the message before it says PUBCOMP. Any answer leads to `handleMessage`. */
class UnansweringStore extends Store implements IStore {
  override get(packet: Parameters<IStore['get']>[0], found: Parameters<IStore['get']>[1]): this {
    found(undefined, packet as Packet);
    return this;
  }
}

export class MqttConnection {
  private readonly client: MqttClient;
  private cause: string | undefined;
  private isOver = false;
  private grace: NodeJS.Timeout | undefined;

  constructor(
    node: MqttNode,
    introduction: Introduction,
    private readonly options: ConnectionOptions,
    private readonly owner: ConnectionOwner,
  ) {
    this.client = connect(clientOptions(node, introduction, options));
    this.client.handleMessage = (_packet, done) => done(OWNER_ANSWERS);
    this.client.options.customHandleAcks = (_topic, _payload, _packet, done) => done(OWNER_ANSWERS);
    this.client.on('packetreceive', (packet) => this.receive(packet));
    this.client.on('error', (error) => {
      if (error !== OWNER_ANSWERS) this.fail(error);
    });
    this.client.on('close', () => this.gone());
    // Errors of a WebSocket have no code, and are not passed on by MQTT.js.
    this.client.stream.on('error', (error: Error) => this.fail(error));
    const { stream } = this.client as { stream: { setNoDelay?: (on: boolean) => void } };
    stream.setNoDelay?.(true);
  }

  /** The network does not take what it is given. */
  get isCongested(): boolean {
    return this.client.stream.writableLength > WRITE_BUFFER_BYTES_MAX;
  }

  send(packet: Packet): void {
    const { stream } = this.client;
    if (stream.writable) writeToStream(packet, stream as NodeJS.WritableStream, this.options);
  }

  /** Says DISCONNECT, behind all that was sent. `gone` follows. */
  end(): void {
    if (this.isOver || this.grace !== undefined) return;
    this.send({ cmd: 'disconnect' });
    this.client.stream.end();
    this.grace = setTimeout(() => this.destroy(), CLOSE_GRACE_MS);
  }

  /** Drops the connection without a word. `gone` follows. */
  destroy(reason?: string): void {
    this.cause ??= reason;
    this.client.stream.destroy();
  }

  private receive(packet: Packet): void {
    if (this.isOver) return;
    this.owner.packet(packet);
    // MQTT 5, 4.13: whoever says DISCONNECT hangs up; who does not is helped.
    if (packet.cmd === 'disconnect') this.destroy(`disconnected-${packet.reasonCode ?? 0}`);
  }

  /** The first cause is the real one; later ones are its consequences. */
  private fail(error: Error): void {
    this.destroy((error as NodeJS.ErrnoException).code?.toString() ?? error.message);
  }

  private gone(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.grace);
    this.owner.gone(this.cause ?? 'connection-lost');
  }
}

function clientOptions(node: MqttNode, introduction: Introduction, options: ConnectionOptions): IClientOptions {
  const { clientId, clean, will } = introduction;
  const { protocolVersion, keepAliveS, secureContext, insecure } = options;
  const tls = isSecure(node) ? { rejectUnauthorized: !insecure, ...(secureContext && { secureContext }) } : {};
  // MQTT.js puts the name into a URL for WebSocket, and hands it to the resolver for the others.
  const host = isWebSocket(node) && node.host.includes(':') ? `[${node.host}]` : node.host;
  return {
    protocol: node.scheme,
    host,
    hostname: host,
    port: node.port,
    ...(isWebSocket(node) ? { path: node.path, wsOptions: { ...tls, perMessageDeflate: false } } : tls),
    ...(node.username !== undefined && { username: node.username }),
    ...(node.password !== undefined && { password: node.password }),
    clientId,
    clean,
    ...(will && { will: { ...will, payload: Buffer.from(will.payload) } }),
    protocolVersion,
    keepalive: keepAliveS,
    // A ping for each keep-alive, whatever else is said: it tells a dead network from a silent one.
    reschedulePings: false,
    connectTimeout: CONNACK_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    incomingStore: new UnansweringStore(),
    ...(protocolVersion === 5 && {
      properties: { maximumPacketSize: PACKET_BYTES_MAX, sessionExpiryInterval: clean ? 0 : NEVER_EXPIRES },
    }),
  };
}
