// A scenario running: devices behind their radios, one gateway, one broker and the applications on it, in virtual time.
// The scenario, the links and the seed determine every byte.
import { PacketType } from '../../assembly/protocol/index.js';
import { Broker } from '../broker/broker.js';
import { BrokerUpstream } from '../broker/upstream.js';
import { mix32, Xoshiro128 } from '../core/random.js';
import { matches } from '../core/topics.js';
import { DeviceModule } from '../device/device.js';
import type { Address, DatagramLink, Message, Millis } from '../ports.js';
import { decode, isFault, type SnQos } from '../wire/index.js';
import { Alarm } from './alarm.js';
import { Digest, type Direction } from './digest.js';
import { Ledger } from './ledger.js';
import { assign, type DeviceLinks, type Links } from './links-file.js';
import type { ClassFigures, FiguresAtEnd, SimReport } from './report.js';
import {
  BOOT_SPREAD_S_DEFAULT,
  type ClientCommand,
  DEVICES_MAX,
  type DeviceGroup,
  type Scenario,
  ScenarioError,
  type ScenarioGateway,
} from './scenario.js';
import { Scheduler } from './scheduler.js';
import { type CommandTarget, SimClient } from './sim-client.js';
import { type Listener, SimDevice } from './sim-device.js';
import { SimGateway } from './sim-gateway.js';
import { type SimUpdateOptions, SimUpdates } from './sim-updates.js';

export interface SimulationOptions {
  readonly scenario: Scenario;
  /** Instead of the scenario's, 0 to 2^32 - 1. */
  readonly seed?: number;
  /** The modules of the scenario's applications, by the name under which it calls them. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  /** What the scenario's updates are; to be given where it has some. */
  readonly updates?: SimUpdateOptions;
  /** Measured links instead of the scenario's losses. */
  readonly links?: Links;
  /** Sees every message that reaches an application; `node` is a client's name or a device's address. */
  readonly delivered?: (node: string, topic: string, payload: Uint8Array, now: Millis) => void;
  /** Sees every datagram on the air, for captures. `device` counts from 0. */
  readonly tap?: (device: number, direction: Direction, datagram: Uint8Array, now: Millis) => void;
}

const MS_PER_S = 1000;
/**
 * How long a message may be on its way beyond the scenario's end before it counts as lost: the gateway may have to find
 * out that a device is gone, and the device may be in the longest of its pauses between attempts to come back.
 */
const OVERTIME_MS_MAX = 900_000;
/** How often one looks whether anything is owed. Also what QoS 0 gets to arrive. */
const OVERTIME_STEP_MS = 5_000;
/** Salts that derive independent seeds from the run's. */
const enum Salt {
  Serial = 1,
  Boot = 2,
  Gateway = 3,
  Broker = 4,
  Links = 5,
  Link = 6,
  Outages = 7,
}
/** Low bits of a serial number are the device's index, the rest is the seed's (see DEVICES_MAX). */
const INDEX_BITS = 17;
/** Room for every device and the applications: the fleet's size is the scenario's, not the gateway's. */
const SESSIONS_MAX = 2 * DEVICES_MAX;
const NOWHERE = new Uint8Array();
/** First octets of addresses: a gateway's index follows, or a device's. */
const GATEWAY_ADDRESS = 1;
const DEVICE_ADDRESS = 2;
const QOS_LEVELS: readonly SnQos[] = [0, 1, 2, -1];

export class Simulation {
  readonly scheduler = new Scheduler();
  readonly ledger = new Ledger();
  readonly broker: Broker;
  /** The first is the one that devices without an address book talk to. */
  readonly gateways: readonly SimGateway[];
  readonly devices: readonly SimDevice[];
  readonly seed: number;
  readonly durationMs: Millis;
  private readonly scenario: Scenario;
  private readonly digest = new Digest();
  private readonly byAddress = new Map<Address, SimDevice>();
  private readonly byClass = new Map<string, SimDevice[]>();
  private readonly brokerAlarm: Alarm;
  private readonly updates: SimUpdates;
  private retainedSeen = 0;
  private atEnd: FiguresAtEnd | undefined;
  /** What the measuring client subscribes to, and from when on. */
  private readonly measured: { readonly filters: readonly string[]; readonly fromMs: Millis };

  constructor(private readonly options: SimulationOptions) {
    this.scenario = options.scenario;
    this.seed = options.seed ?? this.scenario.seed;
    this.durationMs = Math.round(this.scenario.durationS * MS_PER_S);
    this.measured = measuredBy(this.scenario);
    this.updates = new SimUpdates(this.scenario, options.updates);
    this.broker = new Broker({ sessionsMax: SESSIONS_MAX }, { random: this.random(Salt.Broker) });
    const upstream = new BrokerUpstream(this.broker);
    this.gateways = (this.scenario.gateways ?? [undefined]).map((gateway, index) =>
      this.createGateway(gateway, index, upstream),
    );
    this.brokerAlarm = new Alarm(this.broker, this.scheduler, (now) => this.settle(now));
    this.devices = this.createDevices();
    for (const device of this.devices) {
      this.byAddress.set(device.address, device);
      const { class: name } = device.options;
      const sameClass = this.byClass.get(name);
      if (sameClass === undefined) this.byClass.set(name, [device]);
      else sameClass.push(device);
    }
    for (const client of this.scenario.clients) {
      new SimClient(client, upstream, this.scheduler, {
        published: ({ topic, payload, qos }, device, now) =>
          this.ledger.sent('down', client.name, topic, payload, qos, now, device),
        delivered: (message, now) => this.clientDelivered(client.name, message, client.measures === true, now),
        acted: (now) => this.settle(now),
        nextTarget: (command, index) => this.nextTarget(command, index),
      }).schedule();
    }
    this.updates.schedule(
      (name) => this.byClass.get(name) ?? [],
      upstream,
      this.scheduler,
      (now) => this.settle(now),
    );
    this.scheduler.at(0, (now) => {
      for (const gateway of this.gateways) gateway.boot(now);
    });
  }

  /**
   * Runs to the end of the scenario, where the figures are taken, and then on until nothing is owed any more of what was
   * sent till then. `onProgress` hears of virtual time now and then.
   */
  run(onProgress?: (now: Millis) => void): void {
    this.scheduler.runUntil(this.durationMs, onProgress);
    this.atEnd = this.takeFigures();
    const lastMs = this.durationMs + OVERTIME_MS_MAX;
    do this.scheduler.runUntil(Math.min(this.scheduler.now + OVERTIME_STEP_MS, lastMs));
    while (this.scheduler.now < lastMs && this.ledger.owes(this.durationMs));
  }

  /** After `run`. */
  report(wallMs: number): SimReport {
    const figures = QOS_LEVELS.map((qos) => [String(qos), this.ledger.figures(qos, this.durationMs)] as const);
    const { digest, ...atEnd } = this.atEnd ?? this.takeFigures();
    return {
      scenario: this.scenario.name,
      seed: this.seed,
      digest,
      devices: this.devices.length,
      virtualMs: this.durationMs,
      overtimeMs: this.scheduler.now - this.durationMs,
      wallMs,
      qos: Object.fromEntries(figures) as SimReport['qos'],
      ...atEnd,
      violations: this.ledger.violations(this.durationMs),
    };
  }

  private takeFigures(): FiguresAtEnd {
    const classes = this.classFigures();
    const sum = (of: (figures: ClassFigures) => number): number => classes.reduce((total, c) => total + of(c), 0);
    const gatewayRetransmissions = this.gateways.reduce((total, { retransmissions }) => total + retransmissions, 0);
    return {
      digest: this.digest.hex(),
      wills: this.broker.counters.willsPublished,
      retained: this.retainedSeen,
      bytesOnAir: sum((c) => c.bytesUp + c.bytesDown),
      retransmissions: sum((c) => c.retransmissions) + gatewayRetransmissions,
      gatewayRetransmissions,
      classes,
      gateways: (this.scenario.gateways ?? []).map(({ gwId }, i) => {
        const { crashes, uptimes } = this.gateways[i]!;
        const upMs = uptimes.reduce(
          (total, { fromMs, toMs }) => total + Math.min(toMs, this.scheduler.now) - fromMs,
          0,
        );
        return { gwId, crashes, downMs: this.scheduler.now - upMs };
      }),
      moves: this.devices.reduce((total, { moves }) => total + moves, 0),
    };
  }

  private createGateway(options: ScenarioGateway | undefined, index: number, upstream: BrokerUpstream): SimGateway {
    const { predefined = {}, gatewayRetryMs } = this.scenario;
    const address = options === undefined ? NOWHERE : Uint8Array.of(GATEWAY_ADDRESS, index);
    const config = {
      predefined,
      sessionsMax: SESSIONS_MAX,
      ...(gatewayRetryMs === undefined ? {} : { tRetryMs: gatewayRetryMs }),
      ...(options && { gwId: options.gwId }),
      ...(options?.advertiseS === undefined ? {} : { tAdvMs: options.advertiseS * MS_PER_S }),
    };
    const link: DatagramLink = {
      send: (to, datagram) => this.byAddress.get(to)?.transmit(datagram, address, this.scheduler.now),
      broadcast: (datagram) => {
        for (const device of this.devices) device.transmit(datagram, address, this.scheduler.now);
      },
    };
    return new SimGateway(
      {
        address,
        config,
        seed: index === 0 ? mix32(this.seed, Salt.Gateway) : mix32(mix32(this.seed, Salt.Gateway), index),
        outageSeed: mix32(mix32(this.seed, Salt.Outages), index),
        keepsSessions: options?.keepsSessions ?? false,
        untilMs: this.durationMs,
        ...(options?.outages && { outages: options.outages }),
      },
      { link, upstream, scheduler: this.scheduler, acted: (now) => this.settle(now) },
    );
  }

  private random(salt: Salt): Xoshiro128 {
    return new Xoshiro128(mix32(this.seed, salt));
  }

  private createDevices(): SimDevice[] {
    const groups = this.scenario.devices.flatMap((group) => Array.from({ length: group.count }, () => group));
    const boot = this.random(Salt.Boot);
    const links = this.options.links && assign(this.options.links, groups.length, this.random(Salt.Links));
    const modules = new Map<string, DeviceModule>();
    return groups.map((group, index) => {
      const device = this.createDevice(group, index, this.moduleOf(group.app, modules), links?.[index]);
      const spreadMs = Math.round((group.bootSpreadS ?? BOOT_SPREAD_S_DEFAULT) * MS_PER_S);
      this.scheduler.at(boot.nextU32() % (spreadMs + 1), (now) => device.boot(now));
      if (group.diesAtS !== undefined) {
        this.scheduler.at(Math.round(group.diesAtS * MS_PER_S), () => this.kill(device));
      }
      return device;
    });
  }

  private moduleOf(app: string, modules: Map<string, DeviceModule>): DeviceModule {
    let module = modules.get(app);
    if (module === undefined) {
      const bytes = this.options.modules.get(app);
      if (bytes === undefined) throw new Error(`the module of "${app}" was not given`);
      module = new DeviceModule(bytes, app, this.scenario.watchdogSteps);
      if (typeof module.exports.connect === 'function') {
        throw new ScenarioError(
          `the module of "${app}" waits for calls and does nothing by itself; take an application`,
        );
      }
      modules.set(app, module);
    }
    return module;
  }

  private createDevice(group: DeviceGroup, index: number, module: DeviceModule, links?: DeviceLinks): SimDevice {
    const linkSeed = mix32(mix32(this.seed, Salt.Link), index);
    const radio = { ...this.scenario.radio, ...group.radio };
    return new SimDevice(
      module,
      {
        address: `device:${index}`,
        class: group.class,
        serial: ((mix32(this.seed, Salt.Serial) << INDEX_BITS) | index) >>> 0,
        up: { ...radio.up, ...(links && { loss: links.uplink }) },
        down: { ...radio.down, ...(links && { loss: links.downlink }) },
        upSeed: mix32(linkSeed, 0),
        downSeed: mix32(linkSeed, 1),
        predefined: this.scenario.predefined ?? {},
        updates: this.updates.createFor(group, this.options.modules.get(group.app)!),
      },
      this.scheduler,
      {
        onAir: (device, direction, datagram, now) => {
          if (this.atEnd !== undefined) return; // overtime belongs to no figure and no capture
          this.digest.datagram(now, device.address, direction, datagram);
          this.options.tap?.(index, direction, datagram, now);
        },
        listeners: (to, datagram) => this.listenersOf(index, to, datagram),
        published: (device, topic, payload, qos, now) => {
          if (this.isMeasured(topic, now)) this.ledger.sent('up', device.address, topic, payload, qos, now);
        },
        acknowledged: (device, topic, payload) => this.ledger.acknowledged(device.address, topic, payload),
        delivered: (device, topic, payload, now) => {
          this.noteDelivery(device.address, topic, payload, now);
          this.ledger.delivered('down', topic, payload, now);
        },
        reset: (device, now) => this.ledger.reset(device.address, now),
      },
    );
  }

  /** Who hears what a device sends: a gateway, or everybody. */
  private listenersOf(sender: number, to: Uint8Array, datagram: Uint8Array): Listener[] {
    if (to.length === 0 && this.scenario.gateways !== undefined && isForEverybody(datagram)) {
      const others = this.devices.filter((_, index) => index !== sender);
      const from = Uint8Array.of(DEVICE_ADDRESS, sender >> 16, (sender >> 8) & 0xff, sender & 0xff);
      const hears = (device: SimDevice): Listener => ({
        hear: (copy, now) => device.overhear(copy, from, now),
      });
      return [...this.gateways.map((gateway) => this.listener(gateway, sender)), ...others.map(hears)];
    }
    const gateway =
      to.length === 0 ? this.gateways[0] : this.gateways.find(({ options }) => isSame(options.address, to));
    return gateway === undefined ? [] : [this.listener(gateway, sender)];
  }

  private listener(gateway: SimGateway, sender: number): Listener {
    return {
      hear: (datagram, now) => {
        gateway.receive(this.devices[sender]!.address, datagram, now);
        this.settle(now);
      },
    };
  }

  private noteDelivery(node: string, topic: string, payload: Uint8Array, now: Millis): void {
    this.digest.delivered(now, node, topic, payload);
    this.options.delivered?.(node, topic, payload, now);
  }

  /** Only what somebody has subscribed to is owed to somebody. */
  private isMeasured(topic: string, now: Millis): boolean {
    return now >= this.measured.fromMs && this.measured.filters.some((filter) => matches(filter, topic));
  }

  private kill(device: SimDevice): void {
    device.die();
    this.ledger.orphan(device.address);
  }

  /** Devices of the class in turn; who is off or has not subscribed yet is passed over, since nothing is owed to it. */
  private nextTarget(command: ClientCommand, index: number): CommandTarget | undefined {
    const devices = this.byClass.get(command.class) ?? [];
    const device = devices[index % devices.length];
    if (device === undefined) return undefined;
    const topic = command.topic.replaceAll('{serial}', device.serial);
    if (!device.takes(topic)) return undefined;
    return { device: device.address, topic, round: Math.floor(index / devices.length) };
  }

  private clientDelivered(name: string, message: Message, measures: boolean, now: Millis): void {
    this.noteDelivery(name, message.topic, message.payload, now);
    if (message.retain) this.retainedSeen++;
    else if (measures) this.ledger.delivered('up', message.topic, message.payload, now);
  }

  /** Asks gateways and broker when they want to be called again. */
  private settle(now: Millis): void {
    for (const gateway of this.gateways) gateway.settle(now);
    this.brokerAlarm.rearm(now);
  }

  private classFigures(): ClassFigures[] {
    return [...this.byClass].map(([name, devices]) => {
      const sum = (of: (device: SimDevice) => number): number => devices.reduce((total, d) => total + of(d), 0);
      const updates = this.updates.figures(name, devices);
      return {
        class: name,
        devices: devices.length,
        bytesUp: sum((d) => d.uplink.counters.bytes),
        bytesDown: sum((d) => d.downlink.counters.bytes),
        datagramsUp: sum((d) => d.uplink.counters.sent),
        datagramsDown: sum((d) => d.downlink.counters.sent),
        lost: sum((d) => d.uplink.counters.lost + d.downlink.counters.lost),
        tooLong: sum((d) => d.uplink.counters.tooLong + d.downlink.counters.tooLong),
        retransmissions: sum((d) => d.retransmissions),
        resets: { trap: sum((d) => d.resets.trap), watchdog: sum((d) => d.resets.watchdog) },
        ...(updates && { updates }),
      };
    });
  }
}

function measuredBy({ clients }: Scenario): { filters: string[]; fromMs: Millis } {
  const client = clients.find(({ measures }) => measures === true);
  return {
    filters: (client?.subscribe ?? []).map(({ filter }) => filter),
    fromMs: Math.round((client?.joinsAtS ?? 0) * MS_PER_S),
  };
}

/** What devices broadcast: questions for a gateway, and answers in its stead (6.1). */
function isForEverybody(datagram: Uint8Array): boolean {
  const packet = decode(datagram);
  return !isFault(packet) && (packet.type === PacketType.SearchGw || packet.type === PacketType.GwInfo);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
