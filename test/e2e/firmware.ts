// A device under load, for tests in which other things die: the real client in WebAssembly over UDP, with short timers, that
// publishes as long as it is told to and takes commands, and a ledger of what was said and what arrived.
import { EventKind } from '../../assembly/protocol/index.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { startUdpDevice, type UdpDevice } from '../../host/net/udp-device.js';
import type { Millis, Qos } from '../../host/ports.js';
import { HOST } from './world.js';

/** A device that is left alone tries again so soon: the tests would otherwise wait for T_retry most of the time. */
const LIMITS = { T_RETRY_MS: 400, N_RETRY: 5, RECONNECT_MS_MAX: 1_000 };
const KEEP_ALIVE_S = 60;

/** Times that each text arrived, of those that were said. */
export class Ledger {
  readonly said: string[] = [];
  private readonly arrivals = new Map<string, number>();

  arrived(text: string): void {
    this.arrivals.set(text, (this.arrivals.get(text) ?? 0) + 1);
  }

  get missing(): string[] {
    return this.said.filter((text) => !this.arrivals.has(text));
  }

  /** What arrived more than once, of the texts that begin so. */
  copies(prefix: string): string[] {
    return [...this.arrivals].filter(([text, times]) => text.startsWith(prefix) && times > 1).map(([text]) => text);
  }
}

let module: Promise<DeviceModule> | undefined;

function modem(): Promise<DeviceModule> {
  module ??= compile({ entry: 'modem-mqttsn', limits: LIMITS }).then(
    (compiled) => new DeviceModule(link(compiled).bytes, 'modem'),
  );
  return module;
}

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

export class Firmware {
  /** Messages that were acknowledged. */
  published = 0;
  isSubscribed = false;
  private device!: UdpDevice;
  private topic = 0;
  private talks = false;
  private isPublishing = false;

  private constructor(
    private readonly name: string,
    private readonly qosMax: Qos,
    private readonly up: Ledger,
    private readonly down: Ledger,
  ) {}

  /**
   * Connects to the gateway at `port` and subscribes to `to/NAME` at QoS `qosMax`. `up` is told what it says, `down` what it
   * hears.
   */
  static async start(name: string, port: number, qosMax: Qos, up: Ledger, down: Ledger): Promise<Firmware> {
    const firmware = new Firmware(name, qosMax, up, down);
    firmware.device = await startUdpDevice(await modem(), {
      host: HOST,
      port,
      seed: 1,
      onEvent: ({ kind, data }) => firmware.hear(kind, new TextDecoder().decode(data)),
    });
    firmware.device.act((device, now) => firmware.setUp(device, now));
    return firmware;
  }

  /** From now on one message after another, at QoS 1 and up in turn, on `from/NAME`. */
  talk(): void {
    this.talks = true;
    this.publish();
  }

  /** The last message is finished, and no other follows. */
  hush(): void {
    this.talks = false;
  }

  get isDone(): boolean {
    return !this.isPublishing;
  }

  stop(): Promise<void> {
    return this.device.close();
  }

  private setUp(device: Device, now: Millis): void {
    device.call('identify', device.write(octets(this.name)));
    this.topic = device.call('topic', device.write(octets(`from/${this.name}`)));
    device.call('subscribe', device.call('topic', device.write(octets(`to/${this.name}`))), this.qosMax);
    device.call('connect', KEEP_ALIVE_S, 0, now);
  }

  private hear(kind: EventKind, text: string): void {
    if (kind === EventKind.Message) this.down.arrived(text);
    if (kind === EventKind.Subscribed) this.isSubscribed = true;
    if (kind !== EventKind.Published) return;
    this.published++;
    this.isPublishing = false;
    queueMicrotask(() => this.publish()); // not from within the device's own call
  }

  private publish(): void {
    if (this.talks && !this.isPublishing) this.say(1 + (this.published % this.qosMax));
  }

  /** One message. */
  say(qos: number): void {
    this.isPublishing = true;
    const text = `QoS ${qos} ${this.name} ${this.published}`;
    this.up.said.push(text);
    this.device.act((device, now) => device.call('publish', this.topic, device.write(octets(text)), qos, 0, now));
  }
}
