// A device on a real network: its datagrams go to one gateway over UDP, and time is the machine's.
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { DeviceEvent } from '../device/abi.js';
import type { Device, DeviceModule } from '../device/device.js';
import type { Millis } from '../ports.js';
import { monotonicNow, TIMEOUT_MS_MAX } from './clock.js';

export interface UdpDeviceOptions {
  readonly host: string;
  readonly port: number;
  /** What tells this device from others of its kind: 32 bits. */
  readonly seed: number;
  /** Sees every datagram; `bytes` are valid only during the call. */
  readonly tap?: (direction: 'up' | 'down', bytes: Uint8Array) => void;
  /** Of modem modules: hears what the client has to tell. It must not call the device; see `act`. */
  readonly onEvent?: (event: DeviceEvent) => void;
  /** Told of what the network refuses, such as a gateway that is not there. The device goes on: its client retries. */
  readonly onNetworkError?: (error: Error) => void;
  /** Told of what ended the device, such as a trap in its module; its socket is closed. Default: the error is thrown. */
  readonly onEnd?: (error: Error) => void;
}

/** Connects a socket to the gateway and switches the device on. Rejects where the name does not resolve, or the module traps. */
export async function startUdpDevice(module: DeviceModule, options: UdpDeviceOptions): Promise<UdpDevice> {
  const { address, family } = await lookup(options.host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(options.port, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  const device = new UdpDevice(module, socket, options);
  try {
    device.powerOn();
  } catch (error) {
    await device.close();
    throw error;
  }
  return device;
}

export class UdpDevice {
  readonly device: Device;
  private timeout: NodeJS.Timeout | undefined;
  private isClosed = false;

  /** Use `startUdpDevice`. */
  constructor(
    module: DeviceModule,
    private readonly socket: Socket,
    private readonly options: UdpDeviceOptions,
  ) {
    this.device = module.create({
      send: (datagram) => this.send(datagram),
      event: (event) => options.onEvent?.(event),
    });
    socket.on('message', (datagram) => this.receive(datagram));
    socket.on('error', (error) => options.onNetworkError?.(error));
  }

  /** `startUdpDevice` does this. Throws ERR_DEVICE_TRAP. */
  powerOn(): void {
    this.device.start(monotonicNow(), this.options.seed);
    this.poll();
  }

  /** Switches the device off, without a word to the gateway, as a power cut does. Does nothing the second time. */
  close(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.isClosed = true;
    clearTimeout(this.timeout);
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  /** Of modem modules: calls verbs, and then does what is due because of them. Returns what `verbs` returns. */
  act<T>(verbs: (device: Device, now: Millis) => T): T {
    const result = verbs(this.device, monotonicNow());
    this.poll();
    return result;
  }

  private send(datagram: Uint8Array): number {
    this.options.tap?.('up', datagram);
    // The memory is the module's: the socket sends later, so it gets a copy.
    this.socket.send(datagram.slice(), (error) => {
      if (error !== null) this.options.onNetworkError?.(error);
    });
    return datagram.length;
  }

  private receive(datagram: Uint8Array): void {
    if (this.isClosed) return;
    this.options.tap?.('down', datagram);
    this.orEnd(() => {
      this.device.receive(datagram, monotonicNow());
      this.poll();
    });
  }

  private poll(): void {
    clearTimeout(this.timeout);
    const delayMs = this.device.poll(monotonicNow());
    if (this.isClosed || delayMs === Number.POSITIVE_INFINITY) return;
    this.timeout = setTimeout(() => this.orEnd(() => this.poll()), Math.min(delayMs, TIMEOUT_MS_MAX));
  }

  /** Nobody calls who could catch: what the device throws ends it, and is told. */
  private orEnd(step: () => void): void {
    try {
      step();
    } catch (error) {
      void this.close();
      if (this.options.onEnd === undefined) throw error;
      this.options.onEnd(error as Error);
    }
  }
}
