// One device in a simulated world: its module, its radio both ways, its place in virtual time.
import { Counter, PacketType, ReturnCode } from '../../assembly/protocol/index.js';
import { Xoshiro128 } from '../core/random.js';
import type { Timer } from '../core/timer-queue.js';
import type { Device, DeviceModule } from '../device/device.js';
import { RESTART_MS_MIN, type ResetReason, Restarts, resetReasonOf } from '../device/restart.js';
import type { PredefinedConfig } from '../gateway/config.js';
import type { Address, Millis } from '../ports.js';
import type { DeviceUpdates } from '../update/device-updates.js';
import type { Packet, SnQos } from '../wire/index.js';
import type { Direction } from './digest.js';
import { Link, type LinkOptions } from './link.js';
import type { Action, Scheduler } from './scheduler.js';
import { Sniffer } from './sniffer.js';

export interface SimDeviceOptions {
  readonly address: Address;
  readonly class: string;
  /** What the device gets as its seed: 32 bits that no other device has. */
  readonly serial: number;
  readonly up: Partial<LinkOptions>;
  readonly down: Partial<LinkOptions>;
  /** Seeds of the links. */
  readonly upSeed: number;
  readonly downSeed: number;
  readonly predefined: PredefinedConfig;
  /** Where it takes updates: what it runs is decided there. */
  readonly updates: DeviceUpdates | undefined;
}

/** Who hears what a device sends. */
export interface Listener {
  hear(datagram: Uint8Array, now: Millis): void;
}

/** What a device tells the world around it. */
export interface SimDeviceEvents {
  /** A datagram goes on the air, lost or not. */
  onAir(device: SimDevice, direction: Direction, datagram: Uint8Array, now: Millis): void;
  /** Who is to hear a datagram to this address; empty is the board's default. */
  listeners(to: Uint8Array, datagram: Uint8Array): readonly Listener[];
  /** A message leaves the device for the first time. */
  published(device: SimDevice, topic: string, payload: Uint8Array, qos: SnQos, now: Millis): void;
  /** The device has heard that its message was taken. */
  acknowledged(device: SimDevice, topic: string, payload: Uint8Array, now: Millis): void;
  /** A message reaches the device's application. */
  delivered(device: SimDevice, topic: string, payload: Uint8Array, now: Millis): void;
  /** The device has lost its state and starts anew. */
  reset(device: SimDevice, now: Millis): void;
}

/** What a device that talks every few seconds hardly ever waits while it is connected. */
const SILENCE_MS_MIN = 30_000;
/** Messages handed to the application, whatever their QoS. */
const DELIVERED = [Counter.DeliveredQos0, Counter.DeliveredQos1, Counter.DeliveredQos2];

export class SimDevice {
  readonly uplink: Link;
  readonly downlink: Link;
  private device: Device;
  /** What the device and each gateway have agreed on, by the gateway's address. */
  private readonly sniffers = new Map<string, Sniffer>();
  /** The gateway that the device speaks to. */
  private gateway = '';
  /** How often it turned to another gateway than the last. */
  moves = 0;
  /** Times without a word from its gateway, those of SILENCE_MS_MIN and more. */
  readonly silences: { readonly fromMs: Millis; readonly toMs: Millis }[] = [];
  private heardMs: Millis = 0;
  private wakeUp: Timer<Action> | undefined;
  /** Off before boot, while it is reset, and after death. */
  private isOn = false;
  private readonly restarts = new Restarts();
  /** Of the incarnations that are over. */
  private pastRetransmissions = 0;
  private now: Millis = 0;
  /** The message of QoS 1 or 2 in flight; there is one at a time (6.6). */
  private unacknowledged: { readonly msgId: number; readonly topic: string; readonly payload: Uint8Array } | undefined;

  constructor(
    module: DeviceModule,
    readonly options: SimDeviceOptions,
    private readonly scheduler: Scheduler,
    private readonly events: SimDeviceEvents,
  ) {
    this.uplink = new Link(options.up, new Xoshiro128(options.upSeed));
    this.downlink = new Link(options.down, new Xoshiro128(options.downSeed));
    this.device = this.create(module);
  }

  private create(module: DeviceModule): Device {
    const { updates } = this.options;
    return module.create({
      send: (datagram, to) => this.send(datagram, to),
      ...(updates && { update: (chunk) => updates.update(chunk), confirm: () => updates.confirm() }),
    });
  }

  get address(): Address {
    return this.options.address;
  }

  /** Power-on, and what follows a reset. */
  boot(now: Millis): void {
    this.pastRetransmissions = this.retransmissions; // the device's own counter begins anew
    this.isOn = true;
    this.now = now;
    this.heardMs = now;
    this.restarts.noteStart(now);
    if (this.options.updates !== undefined && !this.choose(this.options.updates, now)) return;
    this.step(now, () => this.device.start(now, this.options.serial));
    this.poll(now);
  }

  /** Brings the module of the slot that is to run. False where it is none, which is a reset as a trap is. */
  private choose(updates: DeviceUpdates, now: Millis): boolean {
    try {
      this.device = this.create(updates.boot(now).module);
    } catch (error) {
      const reason = resetReasonOf(error);
      if (reason === undefined) throw error;
      this.reset(this.restarts.noteReset(reason, now), now);
      return false;
    }
    const { dueAt } = updates;
    if (dueAt < Number.POSITIVE_INFINITY) this.scheduler.at(dueAt, (then) => this.endTrial(updates, then));
    return true;
  }

  /** The update has not confirmed by now, unless it has, or another is on trial meanwhile. */
  private endTrial(updates: DeviceUpdates, now: Millis): void {
    if (this.isOn && now >= updates.dueAt) this.reset(RESTART_MS_MIN, now);
  }

  /** How often its module has trapped, or was ended by the watchdog. */
  get resets(): Readonly<Record<ResetReason, number>> {
    return this.restarts.resets;
  }

  /** Calls the module. Where it traps or goes on for too long, the device is reset, as a board's watchdog does it. */
  private step(now: Millis, call: () => void): void {
    try {
      call();
    } catch (error) {
      const reason = resetReasonOf(error);
      if (reason === undefined) throw error;
      this.reset(this.restarts.noteReset(reason, now), now);
    }
    if (this.isOn && this.options.updates?.isAccepted === true) this.reset(RESTART_MS_MIN, now);
  }

  /** All that it knew is gone; it starts again after `delayMs`. */
  private reset(delayMs: Millis, now: Millis): void {
    this.die();
    this.sniffers.clear();
    this.gateway = '';
    this.unacknowledged = undefined;
    this.events.reset(this, now);
    this.wakeUp = this.scheduler.at(now + delayMs, (then) => {
      this.wakeUp = undefined;
      this.boot(then);
    });
  }

  /** The battery is out: nothing is said any more. */
  die(): void {
    this.isOn = false;
    if (this.wakeUp !== undefined) this.scheduler.cancel(this.wakeUp);
    this.wakeUp = undefined;
  }

  /** A gateway sends to the device. */
  transmit(datagram: Uint8Array, from: Uint8Array, now: Millis): void {
    if (this.downlink.fits(datagram)) this.events.onAir(this, 'down', datagram, now);
    this.downlink.transmit(datagram, now, (copy, atMs) => {
      this.scheduler.at(atMs, (then) => this.receive(copy, from, then));
    });
  }

  /** Another device's broadcast arrives. */
  overhear(datagram: Uint8Array, from: Uint8Array, now: Millis): void {
    if (!this.isOn) return;
    this.now = now;
    this.step(now, () => this.device.receive(datagram, now, from));
    this.poll(now);
  }

  /** Eight hexadecimal digits. */
  get serial(): string {
    return this.options.serial.toString(16).padStart(8, '0');
  }

  /** True while it is switched on and has subscribed to exactly this topic: messages for it are owed to it. */
  takes(topic: string): boolean {
    return this.isOn && [...this.sniffers.values()].some((sniffer) => sniffer.holds(topic));
  }

  get retransmissions(): number {
    return this.pastRetransmissions + this.device.counter(Counter.Retransmissions);
  }

  private receive(datagram: Uint8Array, from: Uint8Array, now: Millis): void {
    if (!this.isOn) return;
    this.now = now;
    const sender = keyOf(from);
    if (this.gateway === '' && from.length > 0) this.learnAddress(sender);
    // What another gateway than its own says to it, the device ignores.
    const sniffer = this.sniffers.get(sender);
    const packet = sender === this.gateway ? sniffer?.down(datagram) : undefined;
    if (packet !== undefined) {
      this.noteSilence(now);
      this.noteAcknowledgement(packet, now);
    }
    const publish = packet?.type === PacketType.Publish ? packet : undefined;
    const before = publish === undefined ? 0 : this.deliveries();
    this.step(now, () => this.device.receive(datagram, now, from));
    if (publish !== undefined && this.deliveries() !== before) {
      const topic = sniffer?.nameOf(publish.topic) ?? '';
      this.events.delivered(this, topic, publish.data, now);
    }
    this.poll(now);
  }

  /** The board's default gateway has answered: from here on the device calls it by its address. */
  private learnAddress(gateway: string): void {
    const sniffer = this.sniffers.get(this.gateway);
    if (sniffer !== undefined) this.sniffers.set(gateway, sniffer);
    this.gateway = gateway;
  }

  /** The gateway has spoken, or the run is over. */
  noteSilence(now: Millis): void {
    if (now - this.heardMs >= SILENCE_MS_MIN) this.silences.push({ fromMs: this.heardMs, toMs: now });
    this.heardMs = now;
  }

  /** The gateway has taken the message in flight: from here on others answer for it. */
  private noteAcknowledgement(packet: Packet, now: Millis): void {
    const isTaken =
      packet.type === PacketType.PubRec ||
      (packet.type === PacketType.PubAck && packet.returnCode === ReturnCode.Accepted);
    const { unacknowledged } = this;
    if (!isTaken || unacknowledged?.msgId !== packet.msgId) return;
    this.unacknowledged = undefined;
    this.events.acknowledged(this, unacknowledged.topic, unacknowledged.payload, now);
  }

  private deliveries(): number {
    return DELIVERED.reduce((sum, counter) => sum + this.device.counter(counter), 0);
  }

  private send(datagram: Uint8Array, to: Uint8Array): number {
    const { now } = this;
    const listeners = this.events.listeners(to, datagram);
    if (this.uplink.fits(datagram)) this.events.onAir(this, 'up', datagram, now);
    this.noteSending(datagram, to, now);
    for (const listener of listeners) {
      this.uplink.transmit(datagram, now, (copy, atMs) => {
        this.scheduler.at(atMs, (then) => listener.hear(copy, then));
      });
    }
    return datagram.length;
  }

  private noteSending(datagram: Uint8Array, to: Uint8Array, now: Millis): void {
    const gateway = keyOf(to);
    const sniffer = this.snifferOf(gateway);
    const packet = sniffer.up(datagram);
    if (packet?.type === PacketType.Connect) {
      if (this.gateway !== gateway && this.sniffers.size > 1) this.moves++;
      this.gateway = gateway;
    }
    if (packet?.type !== PacketType.Publish || packet.dup) return;
    const topic = sniffer.nameOf(packet.topic);
    if (topic === undefined) return;
    this.events.published(this, topic, packet.data, packet.qos, now);
    const { qos, msgId, data } = packet;
    if (qos > 0) this.unacknowledged = { msgId, topic, payload: data.slice() };
  }

  private snifferOf(gateway: string): Sniffer {
    let sniffer = this.sniffers.get(gateway);
    if (sniffer === undefined) {
      sniffer = new Sniffer(this.options.predefined);
      this.sniffers.set(gateway, sniffer);
    }
    return sniffer;
  }

  private poll(now: Millis): void {
    if (!this.isOn) return; // reset by what it was called for
    if (this.wakeUp !== undefined) this.scheduler.cancel(this.wakeUp);
    this.wakeUp = undefined;
    this.now = now;
    this.step(now, () => {
      const ms = this.device.poll(now);
      if (ms !== Number.POSITIVE_INFINITY) this.wakeUp = this.scheduler.at(now + ms, (then) => this.poll(then));
    });
  }
}

function keyOf(address: Uint8Array): string {
  return address.join('.');
}
