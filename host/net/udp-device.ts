// A device on a real network: its datagrams go over UDP to the gateway it was given, and to those it discovers; time is the
// machine's.
//
// The default gateway has a connected socket, since only such a one hears that nobody listens at the other end (ICMP). All
// other gateways share an open one, and broadcasts arrive at a third, which is bound to their port.
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { PacketType } from '../../assembly/protocol/index.js';
import type { DeviceEvent } from '../device/abi.js';
import type { Device, DeviceModule } from '../device/device.js';
import type { DeviceError } from '../device/error.js';
import { RESTART_MS_MIN, Restarts, resetReasonOf } from '../device/restart.js';
import type { Address, Millis } from '../ports.js';
import type { DeviceUpdates } from '../update/device-updates.js';
import { monotonicNow, TIMEOUT_MS_MAX } from './clock.js';
import { type Endpoint, fromPeer, toPeer } from './peer-address.js';
import { isMulticast, parseAddress } from './udp.js';

export interface UdpDeviceOptions {
  /** Where the device sends while it knows no other gateway. */
  readonly host: string;
  readonly port: number;
  /**
   * A broadcast address, or a multicast group that is joined, `ip:port`: the device hears what is sent there, and its
   * SEARCHGW and GWINFO go there. Default: they go to the default gateway, and nothing else is heard.
   */
  readonly broadcast?: Address;
  /** What tells this device from others of its kind: 32 bits. */
  readonly seed: number;
  /** Sees every datagram; `bytes` are valid only during the call. */
  readonly tap?: (direction: 'up' | 'down', bytes: Uint8Array) => void;
  /** Of modem modules: hears what the client has to tell. It must not call the device; see `act`. */
  readonly onEvent?: (event: DeviceEvent) => void;
  /** Told of what the network refuses, such as a gateway that is not there. The device goes on: its client retries. */
  readonly onNetworkError?: (error: Error) => void;
  /**
   * Told of what made the module unable to go on: it trapped, or the watchdog ended it. The device starts again after `delayMs`, as
   * after power-on. Default: that ends the device, see `onEnd`.
   */
  readonly onReset?: (error: Error, delayMs: Millis) => void;
  /**
   * Where its state outlives it. The device goes on from what is kept there, and what it says leaves only once the state that
   * it follows from is kept. Default: nowhere.
   */
  readonly state?: StateStore;
  /** Where it takes updates: what it runs is decided there, and `module` is not asked. */
  readonly updates?: DeviceUpdates;
  /** Told that the device starts anew for an update's sake: an accepted one is started, or one on trial given up. */
  readonly onUpdate?: (what: 'accepted' | 'overdue') => void;
  /** Told how it has begun: from what was kept, or anew. */
  readonly onBegin?: (how: 'resumed' | 'started') => void;
  /** Told of what ended the device, such as a trap in its module; its socket is closed. Default: the error is thrown. */
  readonly onEnd?: (error: Error) => void;
}

/** Retained memory, or a file. */
export interface StateStore {
  /** What was kept last; undefined where nothing was. */
  load(): Uint8Array | undefined;
  /** Safe from the end of the process once it returns. */
  keep(image: Uint8Array): void;
  /** The device failed from this state: nobody is to go on from it. */
  forget(): void;
}

/**
 * Opens the sockets and switches the device on. Rejects where the name does not resolve, the broadcast address cannot be had,
 * or the module traps.
 */
export async function startUdpDevice(module: DeviceModule, options: UdpDeviceOptions): Promise<UdpDevice> {
  const { address, family } = await lookup(options.host);
  const sockets = new Sockets(family === 6 ? 'udp6' : 'udp4', { host: address, port: options.port });
  const device = new UdpDevice(module, sockets, options);
  try {
    await sockets.open(options.broadcast);
    device.powerOn();
  } catch (error) {
    await device.close();
    throw error;
  }
  return device;
}

type Hear = (datagram: Uint8Array, from: Uint8Array) => void;
type Fail = (error: Error) => void;

/** Where a device's datagrams leave and arrive. */
class Sockets {
  private readonly home: Uint8Array;
  private readonly all: Socket[] = [];
  private readonly toGateway: Socket;
  private toOthers: Socket | undefined;
  private everyone: Endpoint | undefined;
  hear: Hear = () => {};
  fail: Fail = () => {};

  constructor(
    private readonly type: 'udp4' | 'udp6',
    private readonly gateway: Endpoint,
  ) {
    this.home = toPeer(gateway);
    this.toGateway = this.create();
  }

  async open(broadcast: Address | undefined): Promise<void> {
    await done(this.toGateway, (ready) => this.toGateway.connect(this.gateway.port, this.gateway.host, ready));
    if (broadcast === undefined) return;
    const everyone = parseAddress(broadcast);
    if (everyone === undefined) throw new Error(`broadcast ${broadcast}: not an address of the form ip:port`);
    this.everyone = everyone;
    const fromAll = this.create(true); // others on this machine may listen there, too
    await done(fromAll, (ready) => fromAll.bind({ port: everyone.port }, ready));
    const toAll = this.others();
    await done(toAll, (ready) => toAll.bind(0, ready));
    if (isMulticast(everyone.host)) fromAll.addMembership(everyone.host);
    else toAll.setBroadcast(true);
  }

  send(datagram: Uint8Array, to: Uint8Array): void {
    const sent = (error: Error | null): void => {
      if (error !== null) this.fail(error);
    };
    const other = to.length > 0 ? fromPeer(to) : isForEveryone(datagram) ? this.everyone : undefined;
    if (other === undefined || Buffer.compare(to, this.home) === 0) this.toGateway.send(datagram, sent);
    else this.others().send(datagram, other.port, other.host, sent);
  }

  async close(): Promise<void> {
    await Promise.all(
      this.all.splice(0).map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
    );
  }

  private others(): Socket {
    this.toOthers ??= this.create();
    return this.toOthers;
  }

  private create(reuseAddr = false): Socket {
    const socket = createSocket({ type: this.type, reuseAddr });
    this.all.push(socket);
    socket.on('message', (datagram, { address, port }) => this.hear(datagram, toPeer({ host: address, port })));
    socket.on('error', (error) => this.fail(error));
    return socket;
  }
}

/** Calls `act` with what it is to call when it is done; rejects where the socket fails before. */
function done(socket: Socket, act: (ready: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    act(() => {
      socket.off('error', reject);
      resolve();
    });
  });
}

/** What a client sends to no gateway: SEARCHGW, and GWINFO on behalf of one; perhaps in the envelope of a forwarder. */
function isForEveryone(datagram: Uint8Array): boolean {
  const packet = datagram[1] === PacketType.Forwarded ? datagram.subarray(datagram[0]) : datagram;
  return packet[1] === PacketType.SearchGw || packet[1] === PacketType.GwInfo;
}

export class UdpDevice {
  device: Device;
  /** Its resets, where it survives them. */
  readonly restarts = new Restarts();
  private timeout: NodeJS.Timeout | undefined;
  /** The end of an update's trial. */
  private trial: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** From a reset to the start that follows. */
  private isDown = false;
  /** What it has said since its state was kept last. */
  private outbox: { readonly datagram: Uint8Array; readonly to: Uint8Array }[] = [];

  /** Use `startUdpDevice`. */
  constructor(
    module: DeviceModule,
    private readonly sockets: Sockets,
    private readonly options: UdpDeviceOptions,
  ) {
    this.device = this.create(module);
    sockets.hear = (datagram, from) => this.receive(datagram, from);
    sockets.fail = (error) => options.onNetworkError?.(error);
  }

  private create(module: DeviceModule): Device {
    const { updates, onEvent } = this.options;
    return module.create({
      send: (datagram, to) => this.send(datagram, to),
      event: (event) => onEvent?.(event),
      ...(updates && { update: (chunk) => updates.update(chunk), confirm: () => updates.confirm() }),
    });
  }

  /** `startUdpDevice` does this. Throws ERR_DEVICE_TRAP or ERR_DEVICE_WATCHDOG where resets are not survived. */
  powerOn(): void {
    this.orReset(() => {
      this.isDown = false;
      this.restarts.noteStart(monotonicNow());
      if (this.options.updates !== undefined) this.choose(this.options.updates);
      const hasResumed = this.resume();
      if (!hasResumed) this.device.start(monotonicNow(), this.options.seed);
      this.options.onBegin?.(hasResumed ? 'resumed' : 'started');
      this.poll();
    });
  }

  /** Brings the module of the slot that is to run. */
  private choose(updates: DeviceUpdates): void {
    const { module, isOther } = updates.boot(monotonicNow());
    if (isOther) this.options.state?.forget();
    this.device = this.create(module);
    clearTimeout(this.trial);
    if (updates.dueAt === Number.POSITIVE_INFINITY) return;
    const endTrial = (): void => {
      if (monotonicNow() >= updates.dueAt) this.startAnew('overdue');
    };
    this.trial = setTimeout(endTrial, Math.ceil(updates.dueAt - monotonicNow()));
  }

  private startAnew(why: 'accepted' | 'overdue'): void {
    if (this.isClosed) return;
    this.options.onUpdate?.(why);
    this.goDown(RESTART_MS_MIN);
  }

  /** Off until it starts again; what it knew is forgotten. */
  private goDown(delayMs: Millis): void {
    this.isDown = true;
    this.options.state?.forget();
    this.outbox = [];
    clearTimeout(this.timeout);
    if (!this.isClosed) this.timeout = setTimeout(() => this.orEnd(() => this.powerOn()), delayMs);
  }

  /** False where nothing whole was kept. */
  private resume(): boolean {
    const image = this.options.state?.load();
    if (image === undefined) return false;
    try {
      this.device.restore(image, monotonicNow());
      return true;
    } catch (error) {
      if ((error as Partial<DeviceError>).code === 'ERR_IMAGE') return false;
      throw error;
    }
  }

  /** Switches the device off, without a word to the gateway, as a power cut does. Does nothing the second time. */
  close(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.isClosed = true;
    clearTimeout(this.timeout);
    clearTimeout(this.trial);
    return this.sockets.close();
  }

  /** Of modem modules: calls verbs, and then does what is due because of them. Returns what `verbs` returns. */
  act<T>(verbs: (device: Device, now: Millis) => T): T {
    const result = verbs(this.device, monotonicNow());
    this.poll();
    return result;
  }

  private send(datagram: Uint8Array, to: Uint8Array): number {
    this.options.tap?.('up', datagram);
    // The memory is the module's: the socket sends later, so it gets a copy.
    const copy = datagram.slice();
    if (this.options.state === undefined) this.sockets.send(copy, to);
    else this.outbox.push({ datagram: copy, to: to.slice() });
    return datagram.length;
  }

  private receive(datagram: Uint8Array, from: Uint8Array): void {
    if (this.isClosed || this.isDown) return;
    this.options.tap?.('down', datagram);
    this.orEnd(() => {
      this.device.receive(datagram, monotonicNow(), from);
      this.poll();
    });
  }

  private poll(): void {
    clearTimeout(this.timeout);
    const delayMs = this.device.poll(monotonicNow());
    this.keep();
    if (this.options.updates?.isAccepted === true) {
      this.startAnew('accepted');
      return;
    }
    if (this.isClosed || delayMs === Number.POSITIVE_INFINITY) return;
    this.timeout = setTimeout(() => this.orEnd(() => this.poll()), Math.min(delayMs, TIMEOUT_MS_MAX));
  }

  private keep(): void {
    const { state } = this.options;
    if (state === undefined || this.isClosed) return;
    state.keep(this.device.save());
    for (const { datagram, to } of this.outbox.splice(0)) this.sockets.send(datagram, to);
  }

  /** Nobody calls who could catch: what the device throws ends it, and is told. */
  private orEnd(step: () => void): void {
    try {
      this.orReset(step);
    } catch (error) {
      void this.close();
      if (this.options.onEnd === undefined) throw error;
      this.options.onEnd(error as Error);
    }
  }

  /** What ends the module, but not the device: it starts again after a while. Throws everything else. */
  private orReset(step: () => void): void {
    try {
      step();
    } catch (error) {
      const reason = resetReasonOf(error);
      if (reason === undefined || this.options.onReset === undefined) throw error;
      const delayMs = this.restarts.noteReset(reason, monotonicNow());
      this.options.onReset(error as Error, delayMs);
      this.goDown(delayMs);
    }
  }
}
