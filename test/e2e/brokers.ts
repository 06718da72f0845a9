// Brokers of other people's making, as real processes on loopback: mosquitto and nats-server, alone or as a cluster. They can be
// killed and started anew on the same ports and data.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Packet, parser } from 'mqtt-packet';
import { findTool, type Tool } from '../tools.js';
import { HOST, Program, temporaryFolder } from './world.js';

const PATIENCE_MS = 120_000;
const POLL_MS = 20;

/** Ports that nobody has at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise<void>((done) => server.listen(0, HOST, () => done()))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))));
  return ports;
}

async function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Waits until `probe` says so, which may take its time and may be asked for long: clusters elect and catch up. */
export async function untilSo(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (!(await probe())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
    await pause(POLL_MS);
  }
}

/** A server with a configuration in a file. */
export class Server {
  program!: Program;

  constructor(
    private readonly tool: Tool,
    private readonly configFile: string,
    private readonly ports: readonly number[],
  ) {}

  /** Runs and listens. */
  async start(): Promise<this> {
    this.program = new Program(findTool(this.tool)!, ['-c', this.configFile]);
    for (const port of this.ports) await untilSo(`${this.tool} at port ${port}`, () => isListening(port));
    return this;
  }

  /** Dead, without a chance to say so. */
  async kill(): Promise<void> {
    await this.program.stop('SIGKILL');
  }
}

/** A certificate authority, and a certificate for 127.0.0.1 and localhost by it; made by openssl, valid for a day. */
export interface Certificates {
  /** Where the PEM files are. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly ca: string;
}

export function makeCertificates(): Certificates {
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '1', '-subj', '/CN=test authority');
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=broker');
  writeFileSync(file('names'), `subjectAltName=IP:${HOST},DNS:localhost\n`);
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '1'];
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signer);
  return {
    caFile: file('ca.pem'),
    certFile: file('server.pem'),
    keyFile: file('server.key'),
    ca: readFileSync(file('ca.pem'), 'utf8'),
  };
}

export interface Mosquitto {
  readonly server: Server;
  readonly port: number;
  readonly tlsPort: number;
  readonly wsPort: number;
  readonly wssPort: number;
}

/** Listeners for TCP, TLS, WebSocket and WebSocket over TLS. `more`: lines of configuration for the TCP listener. */
export async function startMosquitto(certificates: Certificates, more = ''): Promise<Mosquitto> {
  const [port, tlsPort, wsPort, wssPort] = (await freePorts(4)) as [number, number, number, number];
  const tls = `certfile ${certificates.certFile}\nkeyfile ${certificates.keyFile}\n`;
  const configFile = join(temporaryFolder(), 'mosquitto.conf');
  writeFileSync(
    configFile,
    `allow_anonymous true
user root
listener ${port} ${HOST}
${more}
listener ${tlsPort} ${HOST}
${tls}
listener ${wsPort} ${HOST}
protocol websockets
listener ${wssPort} ${HOST}
protocol websockets
${tls}`,
  );
  const server = new Server('mosquitto', configFile, [port, tlsPort, wsPort, wssPort]);
  return { server: await server.start(), port, tlsPort, wsPort, wssPort };
}

export interface NatsNode {
  readonly server: Server;
  readonly name: string;
  /** MQTT over TCP; over WebSocket, with the path /mqtt. */
  readonly port: number;
  readonly wsPort: number;
  /** HTTP, for /jsz and the like. */
  readonly monitorPort: number;
}

/**
 * `count` nodes of nats-server with JetStream and MQTT; more than one make a cluster with three replicas of everything. Its
 * clients can connect as soon as it has a leader, which is a little later.
 */
export async function startNats(count = 1): Promise<NatsNode[]> {
  const folder = temporaryFolder();
  const ports = await freePorts(5 * count);
  const routes = Array.from({ length: count }, (_, i) => `nats-route://${HOST}:${ports[5 * i + 4]}`);
  const nodes = Array.from({ length: count }, (_, i): NatsNode => {
    const [client, port, wsPort, monitorPort, route] = ports.slice(5 * i) as [number, number, number, number, number];
    const name = `n${i + 1}`;
    const config = natsConfig({ name, folder, client, port, wsPort, monitorPort, route, routes });
    const configFile = join(folder, `${name}.conf`);
    writeFileSync(configFile, config);
    return { server: new Server('nats-server', configFile, [client, port, wsPort]), name, port, wsPort, monitorPort };
  });
  await Promise.all(nodes.map(({ server }) => server.start()));
  return nodes;
}

interface NatsSettings {
  readonly name: string;
  readonly folder: string;
  readonly client: number;
  readonly port: number;
  readonly wsPort: number;
  readonly monitorPort: number;
  readonly route: number;
  readonly routes: readonly string[];
}

function natsConfig({ name, folder, client, port, wsPort, monitorPort, route, routes }: NatsSettings): string {
  const store = join(folder, name);
  mkdirSync(store);
  const isCluster = routes.length > 1;
  return `server_name: ${name}
listen: "${HOST}:${client}"
http: "${HOST}:${monitorPort}"
jetstream { store_dir: "${store}" }
mqtt {
  listen: "${HOST}:${port}"
  ack_wait: "5s"
  ${isCluster ? 'stream_replicas: 3\n  consumer_replicas: 3' : ''}
}
websocket { listen: "${HOST}:${wsPort}", no_tls: true }
${isCluster ? `cluster { name: "thimble", listen: "${HOST}:${route}", routes: [${routes.map((r) => `"${r}"`).join(', ')}] }` : ''}
`;
}

/** What a client and a broker say to each other, in order: a way to the broker that listens in. */
export class Tap {
  readonly packets: { readonly from: 'client' | 'broker'; readonly packet: Packet }[] = [];
  port = 0;
  private readonly server = createServer((socket) => {
    const other = connect(this.target, HOST);
    const listen = (from: 'client' | 'broker') => {
      const reader = parser({ protocolVersion: this.version });
      reader.on('packet', (packet) => this.packets.push({ from, packet: { ...packet } }));
      return (octets: Buffer) => reader.parse(octets);
    };
    socket.on('data', listen('client'));
    other.on('data', listen('broker'));
    for (const [one, another] of [
      [socket, other],
      [other, socket],
    ] as const) {
      one.on('error', () => another.destroy());
      one.on('close', () => another.destroy());
      one.pipe(another);
    }
  });

  constructor(
    private readonly target: number,
    private readonly version: 4 | 5,
  ) {}

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, HOST, resolve));
    this.port = (this.server.address() as { port: number }).port;
    return this;
  }

  close(): void {
    this.server.close();
  }

  /** `client publish 7 dup`, without what only keeps the connection. */
  lines(...cmds: Packet['cmd'][]): string[] {
    return this.packets
      .filter(({ packet }) => cmds.includes(packet.cmd))
      .map(
        ({ from, packet }) => `${from} ${packet.cmd} ${packet.messageId}${'dup' in packet && packet.dup ? ' dup' : ''}`,
      );
  }
}
