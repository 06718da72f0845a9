// Brokers of other people's making, as real processes on loopback: mosquitto and nats-server, alone or as a cluster. They can be
// killed and started anew on the same ports and data.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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

const GUIDE = readFileSync(new URL('../../docs/UPSTREAM.md', import.meta.url), 'utf8');

/** A configuration of docs/UPSTREAM.md, by the name in its first line, word for word but for what `instead` replaces. */
function documented(name: string, instead: Readonly<Record<string, string>>): string {
  const text = new RegExp(`\`\`\`conf\\n# ${name}\\n([^]*?)\`\`\``).exec(GUIDE)?.[1];
  if (text === undefined) throw new Error(`docs/UPSTREAM.md has no ${name}`);
  return Object.entries(instead).reduce((config, [words, others]) => {
    if (!config.includes(words)) throw new Error(`${name} in docs/UPSTREAM.md has no "${words}"`);
    return config.replace(words, others);
  }, text);
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
    const ended = this.program.exit().then((code) => {
      const { lines, errors } = this.program;
      throw new Error(`${this.tool} ended with ${code} before it listened: ${[...lines, errors].join('\n')}`);
    });
    await Promise.race([ended, this.untilListening()]);
    ended.catch(() => {}); // later ends are the test's own
    return this;
  }

  private async untilListening(): Promise<void> {
    for (const port of this.ports) {
      await untilSo(`${this.tool} at port ${port}`, async () => this.program.isOver || (await isListening(port)));
    }
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
  /** Where it writes its state down, when told to by SIGUSR1 and now and then. */
  readonly stateFile: string;
}

/** Listeners for TCP, TLS, WebSocket and WebSocket over TLS. `more`: lines of configuration for the TCP listener. */
export async function startMosquitto(certificates: Certificates, more = ''): Promise<Mosquitto> {
  const [port, tlsPort, wsPort, wssPort] = (await freePorts(4)) as [number, number, number, number];
  const folder = temporaryFolder();
  const configFile = join(folder, 'mosquitto.conf');
  const config = documented('mosquitto.conf', {
    '/var/lib/mosquitto/': `${folder}/`,
    'listener 1883 0.0.0.0': `listener ${port} ${HOST}\n${more}`,
    'listener 8883 0.0.0.0': `listener ${tlsPort} ${HOST}`,
    'listener 8080 0.0.0.0': `listener ${wsPort} ${HOST}`,
    '/etc/mosquitto/server.pem': certificates.certFile,
    '/etc/mosquitto/server.key': certificates.keyFile,
  });
  const tls = `protocol websockets\ncertfile ${certificates.certFile}\nkeyfile ${certificates.keyFile}\n`;
  // Started by root it would become `mosquitto`, who may not read the folders of the tests.
  const user = process.getuid?.() === 0 ? 'user root\n' : '';
  writeFileSync(configFile, `${user}${config}listener ${wssPort} ${HOST}\n${tls}`);
  const server = new Server('mosquitto', configFile, [port, tlsPort, wsPort, wssPort]);
  const stateFile = join(folder, 'mosquitto.db');
  return { server: await server.start(), port, tlsPort, wsPort, wssPort, stateFile };
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

/** NATS sends again what was not acknowledged for so long. Its default, 30 s, is long for a test. */
const ACK_WAIT = 'ack_wait: "3s"';

/** nats-server with JetStream and MQTT. */
export async function startNats(): Promise<NatsNode> {
  const [port] = await freePorts(1);
  const node = await natsNode('nats.conf', 'nats', port!, {});
  await node.server.start();
  return node;
}

/**
 * Three nodes of one cluster, with three replicas of everything. Clients can connect as soon as it has a leader, which is a
 * little later.
 */
export async function startNatsCluster(): Promise<NatsNode[]> {
  const names = ['nats1', 'nats2', 'nats3'];
  const ports = await freePorts(2 * names.length);
  const nodes = await Promise.all(
    names.map((name, i) =>
      natsNode('nats1.conf', name, ports[i]!, {
        'server_name: nats1': `server_name: ${name}`,
        '0.0.0.0:6222': `${HOST}:${ports[names.length + i]}`,
        ...Object.fromEntries(names.map((other, j) => [`//${other}:6222`, `//${HOST}:${ports[names.length + j]}`])),
      }),
    ),
  );
  await Promise.all(nodes.map(({ server }) => server.start()));
  return nodes;
}

async function natsNode(
  documentedName: string,
  name: string,
  port: number,
  instead: Readonly<Record<string, string>>,
): Promise<NatsNode> {
  const [clientPort, wsPort, monitorPort] = (await freePorts(3)) as [number, number, number];
  const folder = temporaryFolder();
  const configFile = join(folder, 'nats.conf');
  const config = documented(documentedName, {
    'mqtt {': `mqtt { ${ACK_WAIT},`,
    '/var/lib/nats': folder,
    '0.0.0.0:4222': `${HOST}:${clientPort}`,
    '127.0.0.1:8222': `${HOST}:${monitorPort}`,
    '0.0.0.0:1883': `${HOST}:${port}`,
    '0.0.0.0:8080': `${HOST}:${wsPort}`,
    ...instead,
  });
  writeFileSync(configFile, config);
  const server = new Server('nats-server', configFile, [clientPort, port, wsPort]);
  return { server, name, port, wsPort, monitorPort };
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
