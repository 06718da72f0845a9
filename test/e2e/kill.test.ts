// Real processes that die by SIGKILL in the middle of QoS 1 and 2 flows, both ways, and are started again: the gateway, which
// has nothing but its store, and the broker behind it.
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { expect, it } from 'vitest';
import type { Qos } from '../../host/ports.js';
import { describeWithTools } from '../tools.js';
import { makeCertificates, startMosquitto, startNats } from './brokers.js';
import { Firmware, Ledger } from './firmware.js';
import { HOST, type Program, temporaryFolder, thimble, until } from './world.js';

const DEVICES = 8;
const DEATHS = 5;
/** Messages of all devices that must get through between one death and the next. */
const ROUND = 120;
const TEST_MS = 240_000;

/** Any MQTT client: hears what devices say, and commands them. */
class Application {
  private client!: MqttClient;
  private commands = 0;
  private unanswered = 0;

  constructor(
    private readonly port: number,
    private readonly qosMax: Qos,
    private readonly up: Ledger,
    private readonly down: Ledger,
  ) {}

  async start(): Promise<void> {
    const options = { clientId: 'application', clean: false, reconnectPeriod: 100, resubscribe: false } as const;
    this.client = await connectAsync(`mqtt://${HOST}:${this.port}`, options);
    this.client.on('message', (_topic, payload) => this.up.arrived(payload.toString()));
    this.client.on('error', () => {}); // the broker dies here
    await this.client.subscribeAsync('from/#', { qos: this.qosMax });
  }

  /** One command at QoS 1 and up each. */
  command(device: number): void {
    for (const qos of ([1, 2] as const).slice(0, this.qosMax)) {
      const text = `QoS ${qos} command ${++this.commands}`;
      this.down.said.push(text);
      this.unanswered++;
      this.client.publish(`to/device-${device}`, text, { qos }, () => {
        this.unanswered--;
      });
    }
  }

  get isDone(): boolean {
    return this.unanswered === 0;
  }

  async stop(): Promise<void> {
    await this.client.endAsync(true);
  }
}

/** A gateway before a broker, devices and an application, under load. */
class Plant {
  readonly up = new Ledger();
  readonly down = new Ledger();
  private readonly application: Application;
  private readonly store = join(temporaryFolder(), 'sessions');
  private devices: Firmware[] = [];
  private gateway!: Program;
  private sn = 0;

  constructor(
    private readonly mqtt: number,
    private readonly qosMax: Qos,
  ) {
    this.application = new Application(mqtt, qosMax, this.up, this.down);
  }

  async start(): Promise<void> {
    await this.startGateway();
    await this.application.start();
    const device = (_: unknown, i: number) => Firmware.start(`device-${i}`, this.sn, this.qosMax, this.up, this.down);
    this.devices = await Promise.all(Array.from({ length: DEVICES }, device));
    for (const firmware of this.devices) firmware.talk();
  }

  /** Again on the same port, with the same store. */
  async startGateway(): Promise<void> {
    const upstream = `mqtt://${HOST}:${this.mqtt}`;
    this.gateway = thimble('broker', '--sn', `${this.sn}`, '--upstream', upstream, '--store', this.store, '--json');
    this.sn = (JSON.parse(await this.gateway.line(/^\{/)) as { sn: number }).sn;
  }

  async killGateway(): Promise<void> {
    await this.gateway.stop('SIGKILL');
  }

  /** Lets so many messages through, with commands among them. */
  async underLoad(): Promise<void> {
    const goal = this.published + ROUND;
    let commanded = this.published;
    await until('the load runs', () => {
      for (; commanded < this.published; commanded += 10) this.application.command(commanded % DEVICES);
      return this.published >= goal;
    });
  }

  /** Until nobody waits for anything. */
  async finish(): Promise<void> {
    for (const device of this.devices) device.hush();
    await until('all is published', () => this.devices.every(({ isDone }) => isDone) && this.application.isDone);
    await until('all has arrived', () => this.up.missing.length + this.down.missing.length === 0);
    expect(this.up.said.length).toBeGreaterThan(ROUND * DEATHS);
    expect(this.down.said.length).toBeGreaterThan(DEATHS);
  }

  async stop(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.stop()));
    await this.application.stop();
    await this.killGateway();
  }

  private get published(): number {
    return this.devices.reduce((sum, device) => sum + device.published, 0);
  }
}

describeWithTools(['mosquitto'], 'a gateway that dies by SIGKILL under load', () => {
  it('costs no message, and doubles none of QoS 2', { timeout: TEST_MS }, async () => {
    const mosquitto = await startMosquitto(makeCertificates(), 'max_queued_messages 0');
    const plant = new Plant(mosquitto.port, 2);
    await plant.start();
    for (let i = 0; i < DEATHS; i++) {
      await plant.underLoad();
      await plant.killGateway();
      await plant.startGateway();
    }
    await plant.underLoad();
    await plant.finish();
    expect(plant.up.copies('QoS 2')).toEqual([]);
    expect(plant.down.copies('QoS 2')).toEqual([]);
    await plant.stop();
    await mosquitto.server.kill();
  });
});

// NATS has what it acknowledges on disk. mosquitto has not: what it forgets in such a moment nobody can bring back.
describeWithTools(['nats-server'], 'a broker that dies by SIGKILL under load', () => {
  it('costs no message that it has acknowledged', { timeout: TEST_MS }, async () => {
    const nats = await startNats();
    const plant = new Plant(nats.port, 1);
    await plant.start();
    for (let i = 0; i < DEATHS; i++) {
      await plant.underLoad();
      await nats.server.kill();
      await nats.server.start();
    }
    await plant.underLoad();
    await plant.finish();
    await plant.stop();
    await nats.server.kill();
  });
});
