// A broker in a process of its own that can be killed, and its clients over TCP.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { generate, parser as newParser } from 'mqtt-packet';
import type { Durability } from '../../host/store/marker.js';
import type { LedgerClient, Line } from './client.js';

const built = (file: string): string => new URL(`../../build/host/${file}`, import.meta.url).href;

/** How the broker is started: by the library, by the command, or so that it says of everything at once that it is durable. */
export type Manner = 'library' | 'command' | 'hasty library';

const LIBRARY = `
import { createBroker } from ${JSON.stringify(built('server/create-broker.js'))};
const [, data, durability] = process.argv;
const { listening } = await createBroker({ data, durability, sysIntervalMs: 0 });
process.stdout.write(JSON.stringify({ mqtt: listening[0].port }) + '\\n');
`;

const HASTY = `
import { DiskJournal } from ${JSON.stringify(built('store/disk-journal.js'))};
const { commit } = DiskJournal.prototype;
DiskJournal.prototype.commit = function (done) {
  setImmediate(() => done(Math.ceil(performance.now())));
  setTimeout(() => commit.call(this, () => {}), 20);
};
${LIBRARY}`;

function argumentsFor(manner: Manner, folder: string, durability: Durability): readonly string[] {
  if (manner !== 'command') {
    return ['--input-type=module', '-e', manner === 'library' ? LIBRARY : HASTY, folder, durability];
  }
  const main = new URL('../../build/host/cli/main.js', import.meta.url).pathname;
  return [main, 'broker', '--mqtt', '0', '--sn', '0', '--data', folder, '--durability', durability, '--json'];
}

export class BrokerProcess {
  /** Once the broker listens; 0: it has ended before. */
  readonly port: Promise<number>;
  private readonly child: ChildProcessByStdio<null, Readable, Readable>;
  private readonly closed: Promise<unknown>;
  private complaint = '';

  constructor(manner: Manner, folder: string, durability: Durability) {
    this.child = spawn(process.execPath, argumentsFor(manner, folder, durability), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.closed = once(this.child, 'close');
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaint += text;
    });
    this.port = new Promise((resolve) => {
      let said = '';
      this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('\n')) resolve((JSON.parse(said) as { mqtt: number }).mqtt);
      });
      this.closed.then(() => resolve(0));
    });
  }

  /** kill -9. What it had to say before; empty: nothing. */
  async kill(): Promise<string> {
    this.child.kill('SIGKILL');
    await this.closed;
    return this.complaint;
  }
}

export class TcpLine implements Line {
  private readonly socket: Socket;

  /** `heard` is called after each piece that the client has taken, and after the end. */
  constructor(port: number, client: LedgerClient, heard: () => void) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('data', (bytes) => {
      client.hear(bytes, Date.now());
      heard();
    });
    this.socket.on('error', () => {}); // the end follows
    this.socket.on('close', () => {
      client.gone();
      heard();
    });
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  close(): void {
    this.socket.end();
  }
}

/** The retained messages of a filter, by topic: the first word of each. The broker sends them before it answers PINGREQ. */
export async function retainedAt(port: number, filter: string): Promise<Map<string, string>> {
  const retained = new Map<string, string>();
  const socket = connect({ host: '127.0.0.1', port });
  const parser = newParser({ protocolVersion: 4 });
  const answered = new Promise<void>((resolve, reject) => {
    parser.on('packet', (packet) => {
      if (packet.cmd === 'publish') retained.set(packet.topic, packet.payload.toString().split(' ')[0]!);
      if (packet.cmd === 'pingresp') resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the broker has hung up')));
  });
  socket.on('data', (bytes) => parser.parse(bytes));
  const clientId = 'stranger';
  socket.write(
    generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true, keepalive: 0 }),
  );
  socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] }));
  socket.write(generate({ cmd: 'pingreq' }));
  await answered;
  socket.destroy();
  return retained;
}
