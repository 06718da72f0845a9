// Real processes and real sockets for the end-to-end tests, each with a deadline instead of a pause.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { EventKind, type PacketType } from '../../assembly/protocol/index.js';
import { Closers } from '../../host/cli/closers.js';
import type { DeviceEvent } from '../../host/device/abi.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import { startUdpDevice, type UdpDevice } from '../../host/net/udp-device.js';
import type { Millis } from '../../host/ports.js';
import { decode, isFault, type Packet } from '../../host/wire/index.js';

export const HOST = '127.0.0.1';
/** Far beyond what anything here takes on a busy machine, far below the test's own limit. */
export const DEADLINE_MS = 40_000;
const POLL_MS = 5;

const builtFile = (path: string): string => fileURLToPath(new URL(`../../build/${path}`, import.meta.url));
const MAIN = builtFile('host/cli/main.js');

/** Waits until `probe` finds something. */
export async function until<T>(what: string, probe: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await pause(POLL_MS);
  }
}

/** Each is done, whatever becomes of the others: a program that was left would run for ever. */
const cleanups = new Closers();

afterAll(() => cleanups.close());

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'thimble-e2e-'));
  cleanups.add(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A program that runs, and what it has said line by line. */
export class Program {
  readonly lines: string[] = [];
  errors = '';
  /** It has ended. */
  isOver = false;
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;
  private rest = '';

  constructor(
    readonly command: string,
    args: readonly string[],
  ) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.read(text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.ended = once(this.child, 'close').then(([code]) => {
      this.isOver = true;
      return code as number | null;
    });
    cleanups.add(async () => void (await this.stop('SIGKILL')));
  }

  /** The first line that looks so. */
  line(pattern: RegExp): Promise<string> {
    return until(`${this.command} says ${pattern} (it said: ${this.lines.join(' / ')} ${this.errors})`, () => {
      const found = this.lines.find((line) => pattern.test(line));
      // Nothing will be said any more: without this a program that ends silently looks like one that hangs.
      if (found === undefined && this.isOver) {
        throw new Error(`${this.command} has ended without saying ${pattern}; it said: ${this.lines} ${this.errors}`);
      }
      return found;
    });
  }

  /** Its exit code once it has ended; null where a signal ended it. */
  exit(): Promise<number | null> {
    return this.ended;
  }

  stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }

  /** Another than one that ends it. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private read(text: string): void {
    const parts = (this.rest + text).split('\n');
    this.rest = parts.pop()!;
    this.lines.push(...parts);
  }
}

export const thimble = (...args: string[]): Program => new Program(process.execPath, [MAIN, ...args]);

export interface Ports {
  readonly mqtt: number;
  readonly sn: number;
}

/** `thimble broker` on free ports. */
export async function startBroker(...args: string[]): Promise<{ broker: Program } & Ports> {
  const broker = thimble('broker', '--mqtt', '0', '--sn', '0', '--json', ...args);
  const { mqtt, sn } = JSON.parse(await broker.line(/^\{/)) as Ports;
  return { broker, mqtt, sn };
}

/** mosquitto_sub, subscribed. Its lines are `QoS retained topic payload`; `stdbuf` lets them out at once. */
export async function subscribe(port: number, filter: string, qos = 2): Promise<Program> {
  const format = '%q %r %t %p';
  const where = ['-h', HOST, '-p', `${port}`];
  const sub = new Program('stdbuf', [
    '-oL',
    'mosquitto_sub',
    ...where,
    '-d',
    '-t',
    filter,
    '-q',
    `${qos}`,
    '-F',
    format,
  ]);
  await sub.line(/^Subscribed /);
  return sub;
}

/** mosquitto_pub, to its end. */
export async function publish(port: number, topic: string, payload: string, ...options: string[]): Promise<void> {
  const pub = new Program('mosquitto_pub', ['-h', HOST, '-p', `${port}`, '-t', topic, '-m', payload, ...options]);
  const code = await pub.exit();
  if (code !== 0) throw new Error(`mosquitto_pub ended with ${code}: ${pub.errors}`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MODEM = readFileSync(builtFile('modules/modem-mqttsn.wasm'));

/** The modem module on a UDP socket: the client's verbs, with texts for octets. */
export class Modem {
  readonly events: DeviceEvent[] = [];
  /** What went over the air, as the host's codec reads it. */
  readonly packets: { readonly direction: 'up' | 'down'; readonly packet: Packet; readonly octets: Uint8Array }[] = [];
  private device!: UdpDevice;

  /** `broadcast` as of `startUdpDevice`; `bytes` are another module with the same verbs. */
  static async start(
    port: number,
    clientId: string,
    { bytes: wasm = MODEM as Uint8Array, ...options }: { bytes?: Uint8Array; broadcast?: string; seed?: number } = {},
  ): Promise<Modem> {
    const modem = new Modem();
    modem.device = await startUdpDevice(new DeviceModule(wasm, 'modem'), {
      host: HOST,
      port,
      seed: 1,
      ...options,
      onNetworkError: () => {}, // a gateway that was killed
      onEvent: (event) => modem.events.push(event),
      tap: (direction, bytes) => {
        const octets = Uint8Array.from(bytes);
        const packet = decode(octets);
        if (isFault(packet)) throw new Error(`${direction}: ${packet.code}`);
        modem.packets.push({ direction, packet, octets });
      },
    });
    cleanups.add(() => modem.device.close());
    modem.identify(clientId);
    return modem;
  }

  identify(clientId: string): void {
    this.act('identify', (device) => device.call('identify', device.write(encoder.encode(clientId))));
  }

  /** Everything in envelopes from now on, as behind a forwarder. */
  forwarded(nodeId: Uint8Array): void {
    this.act('forwarded', (device) => device.call('forwarded', device.write(nodeId)));
  }

  discover(radius: number): void {
    this.act('discover', (device) => device.call('discover', radius));
  }

  /** The handle of a topic. */
  topic(name: string): number {
    return this.act('topic', (device) => device.call('topic', device.write(encoder.encode(name))));
  }

  predefined(id: number): number {
    return this.act('predefined', (device) => device.call('predefined', id));
  }

  /** A topic of two characters. */
  short(name: string): number {
    const [first, second] = encoder.encode(name);
    return this.act('short', (device) => device.call('short', (first! << 8) | second!));
  }

  will(topic: number, message: string, qos: number): void {
    this.act('will', (device) => device.call('will', topic, device.write(encoder.encode(message)), qos, 0));
  }

  async connect(keepAliveS: number): Promise<void> {
    this.act('connect', (device, now) => device.call('connect', keepAliveS, 1, now));
    await this.event(EventKind.Connected);
  }

  async disconnect(): Promise<void> {
    this.act('disconnect', (device, now) => device.call('disconnect', now));
    await this.event(EventKind.Disconnected);
  }

  /** Switched off without a word, as a power cut does. */
  close(): Promise<void> {
    return this.device.close();
  }

  async sleep(durationS: number): Promise<void> {
    this.act('sleep', (device, now) => device.call('sleep', durationS, now));
    await this.event(EventKind.Asleep);
  }

  async subscribe(topic: number, qos: number): Promise<void> {
    this.act('subscribe', (device) => device.call('subscribe', topic, qos));
    await this.event(EventKind.Subscribed);
  }

  /** Returns the ticket. */
  publish(topic: number, payload: string, qos: number, retain = 0): number {
    return this.act('publish', (device, now) =>
      device.call('publish', topic, device.write(encoder.encode(payload)), qos, retain, now),
    );
  }

  /** The next event of this kind, which is then no longer among `events`. */
  event(kind: EventKind): Promise<DeviceEvent> {
    return until(`event ${kind} among ${this.events.map((event) => event.kind)}`, () => {
      const index = this.events.findIndex((event) => event.kind === kind);
      return index < 0 ? undefined : this.events.splice(index, 1)[0];
    });
  }

  /** The next message, as `topic payload`. */
  async message(): Promise<string> {
    const { name, data } = await this.event(EventKind.Message);
    return `${name} ${decoder.decode(data)}`;
  }

  /** How many packets of a type it has sent. */
  sent(type: PacketType): number {
    return this.count('up', type);
  }

  /** How many packets of a type it was sent. */
  received(type: PacketType): number {
    return this.count('down', type);
  }

  private count(direction: 'up' | 'down', type: PacketType): number {
    return this.packets.filter((p) => p.direction === direction && p.packet.type === type).length;
  }

  private act(verb: string, verbs: (device: Device, now: Millis) => number): number {
    const result = this.device.act(verbs);
    if (result < 0) throw new Error(`${verb}: error ${result}`);
    return result;
  }
}
