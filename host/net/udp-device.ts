// A device on a real network: its datagrams go to one gateway over UDP, and time is the machine's.
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { DeviceEvent } from '../device/abi.js';
import type { Device, DeviceModule } from '../device/device.js';
import type { Millis } from '../ports.js';
import { monotonicNow } from './clock.js';

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
}

/** The longest delay that setTimeout takes. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** Connects a socket to the gateway and switches the device on. Rejects where the name does not resolve. */
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
  return new UdpDevice(module, socket, options);
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
    this.device.start(monotonicNow(), options.seed);
    this.poll();
  }

  /** Switches the device off, without a word to the gateway, as a power cut does. */
  close(): Promise<void> {
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
    this.device.receive(datagram, monotonicNow());
    this.poll();
  }

  private poll(): void {
    clearTimeout(this.timeout);
    const delayMs = this.device.poll(monotonicNow());
    if (this.isClosed || delayMs === Number.POSITIVE_INFINITY) return;
    this.timeout = setTimeout(() => this.poll(), Math.min(delayMs, TIMEOUT_MS_MAX));
  }
}
