// A broker with identities behind real listeners, real clients for it, a clock that can be put forward, and what was told of it.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { IdentityConfig, PolicyDocument } from '../../host/identity/index.js';
import { monotonicNow } from '../../host/net/clock.js';
import {
  BROKER_DEFAULTS,
  type BrokerListener,
  type BrokerOptions,
  createBroker,
  type RunningBroker,
} from '../../host/server/index.js';
import type { Parts } from '../../host/server/running-broker.js';

export const HOST = '127.0.0.1';

/** What has no event to be waited for. */
const WAIT = { timeout: 20_000, interval: 5 };
const CONNECT_TIMEOUT_MS = BROKER_DEFAULTS.connectTimeoutMs;
/** A program that hangs fails its test before the test's own time is over, ms. */
const PROGRAM_MS = 20_000;

export interface Entry {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export type Allowed = readonly [action: string, ...resources: string[]];

function document(Effect: 'Allow' | 'Deny', all: readonly Allowed[]): PolicyDocument {
  return { Statement: all.map(([action, ...Resource]) => ({ Effect, Action: `iot:${action}`, Resource })) };
}

/** Documents about actions of `iot:`, each with its resources. */
export const allow = (...all: readonly Allowed[]): PolicyDocument => document('Allow', all);
export const deny = (...all: readonly Allowed[]): PolicyDocument => document('Deny', all);

export const EVERYTHING = allow(['*', '*']);

/** Begins anew with each test, and is cleared away behind it. */
export class World {
  running!: RunningBroker;
  log: Entry[] = [];
  folder = '';
  private offsetMs = 0;
  private closing: (() => Promise<unknown> | unknown)[] = [];

  constructor() {
    beforeEach(() => {
      this.log = [];
      this.offsetMs = 0;
      this.folder = mkdtempSync(join(tmpdir(), 'thimble-who-'));
      const { now } = Date;
      const elapsed = performance.now.bind(performance);
      vi.spyOn(Date, 'now').mockImplementation(() => now() + this.offsetMs);
      vi.spyOn(performance, 'now').mockImplementation(() => elapsed() + this.offsetMs);
    });
    afterEach(async () => {
      for (const close of this.closing.splice(0).reverse()) await close();
      vi.restoreAllMocks();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  async open(
    identity: IdentityConfig | undefined,
    listeners: readonly BrokerListener[] = [{ kind: 'mqtt' }],
    options: BrokerOptions = {},
  ): Promise<void> {
    this.running = await createBroker({
      listeners,
      ...(identity && { identity }),
      baseFolder: this.folder,
      sysIntervalMs: 0,
      log: (level, event, fields) => void this.log.push({ ...fields, level, event }),
      ...options,
    });
    const { running } = this;
    this.later(() => running.close({ graceMs: 0 }));
  }

  /** To be done when the test is over, before what was to be done earlier. */
  later(close: () => Promise<unknown> | unknown): void {
    this.closing.push(close);
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  /** Of the listener with that name, or the first. */
  port(name?: string): number {
    const { listening } = this.running;
    return (name === undefined ? listening[0]! : listening.find((one) => one.name === name)!).port;
  }

  /** All clocks go forward, and what has become due is done. */
  leap(ms: number): void {
    this.offsetMs += ms;
    this.parts.broker.poll(monotonicNow()); // its timer was armed by the clock of before
  }

  /** The same, until clients that are judged anew have been, which has a short deadline of its own. */
  async leapAndJudge(ms: number): Promise<void> {
    this.leap(ms);
    const { broker } = this.parts;
    await vi.waitFor(() => expect(broker.nextDue() - performance.now()).toBeGreaterThan(CONNECT_TIMEOUT_MS), WAIT);
  }

  /** What a program does not see of a broker. */
  private get parts(): Pick<Parts, 'broker'> {
    return (this.running as unknown as { readonly parts: Parts }).parts;
  }

  /** MQTT.js, 5.0 and without keep-alive unless the options say otherwise. Rejects with the code of CONNACK. */
  async join(options: IClientOptions & { readonly listener?: string } = {}): Promise<MqttClient> {
    return (await this.meet(options)).client;
  }

  async meet({ listener, ...options }: IClientOptions & { readonly listener?: string } = {}): Promise<Met> {
    const client = mqtt.connect({
      host: HOST,
      port: this.port(listener),
      path: '/mqtt',
      protocolVersion: 5,
      keepalive: 0,
      reconnectPeriod: 0,
      connectTimeout: WAIT.timeout,
      ...options,
    });
    const ears = new Ears(client); // at once: what is queued comes with CONNACK
    this.later(() => client.endAsync(true));
    const connack = await new Promise<IConnackPacket>((resolve, reject) => {
      client.once('connect', resolve);
      client.once('error', reject);
      client.once('close', () => reject(new Error('closed before CONNACK')));
    });
    client.on('error', () => {});
    return { client, ears, connack };
  }

  /** The reason code of CONNACK for a client that may not come in. */
  async refusal(options: IClientOptions & { readonly listener?: string } = {}): Promise<number> {
    try {
      await this.meet(options);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (typeof code === 'number') return code;
      throw error;
    }
    throw new Error('it came in');
  }

  /** The first entry of that event with these fields, as soon as there is one. */
  async told(event: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Entry> {
    const isIt = (entry: Entry): boolean =>
      entry.event === event && Object.entries(fields).every(([name, value]) => entry[name] === value);
    await vi.waitFor(() => expect(this.log).toContainEqual(expect.objectContaining({ ...fields, event })), WAIT);
    return this.log.find(isIt)!;
  }

  /** Nothing of this was told to anybody. */
  keepsSecret(...secrets: readonly string[]): void {
    const told = JSON.stringify(this.log);
    expect(told).not.toBe('[]');
    for (const secret of secrets) expect(told).not.toContain(secret);
  }

  client(clientId: string) {
    return this.running.clients().find((one) => one.clientId === clientId);
  }
}

interface Met {
  readonly client: MqttClient;
  readonly ears: Ears;
  readonly connack: IConnackPacket;
}

/** What a client hears, to be awaited. */
export class Ears {
  readonly heard: string[] = [];

  constructor(client: MqttClient) {
    client.on('message', (topic, payload) => this.heard.push(`${topic} ${payload}`));
  }

  /** All until one with that text, which is the last. */
  async until(last: string): Promise<string[]> {
    await vi.waitFor(() => expect(this.heard.at(-1)).toBe(last), WAIT);
    return this.heard.splice(0);
  }
}

/** What MQTT.js makes of a filter that is refused with Not authorized. */
export const NOT_GRANTED = { packet: { granted: [0x87] } };

/** The reason code of the DISCONNECT that the server sends. Ask before it comes. */
export const goodbye = (client: MqttClient): Promise<number> =>
  new Promise((resolve, reject) => {
    client.once('disconnect', ({ reasonCode }) => resolve(reasonCode!));
    client.once('close', () => reject(new Error('closed without a word')));
  });

export const closed = (client: MqttClient): Promise<void> => new Promise((resolve) => client.once('close', resolve));

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A program to its end. */
export function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: PROGRAM_MS }, (error, out, err) => {
      resolve({ code: error === null ? 0 : ((error.code as number | undefined) ?? -1), out, err });
    });
    child.stdin?.end(input);
  });
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface Card {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority whose certificates say what one likes. Those of listeners-world.ts say no more than a name. */
export class Issuer {
  readonly ca: string;
  readonly caFile: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'thimble-issuer-'));
  private count = 0;

  constructor(subject = '/O=Acme/CN=Acme devices') {
    this.openssl('req', '-x509', ...EC, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', subject);
    this.caFile = join(this.folder, 'ca.pem');
    this.ca = readFileSync(this.caFile, 'utf8');
  }

  /** Good for `days`. */
  issue(subject: string, alternatives?: string, days = 2, use = 'clientAuth'): Card {
    const name = `${++this.count}`;
    const extensions = [
      ...['basicConstraints=CA:FALSE', `extendedKeyUsage=${use}`],
      ...(alternatives === undefined ? [] : [`subjectAltName=${alternatives}`]),
    ];
    this.openssl(
      ...['req', '-x509', '-CA', 'ca.pem', '-CAkey', 'ca.key', ...EC, '-days', `${days}`, '-subj', subject],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    );
    const [certFile, keyFile] = ['pem', 'key'].map((end) => join(this.folder, `${name}.${end}`)) as [string, string];
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile };
  }

  server(): Card {
    return this.issue('/CN=server', `IP:${HOST},DNS:localhost`, 2, 'serverAuth');
  }

  fingerprint({ certFile }: Card): string {
    const text = execFileSync('openssl', ['x509', '-in', certFile, '-noout', '-fingerprint', '-sha256']).toString();
    return text.split('=')[1]!.trim();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }
}
