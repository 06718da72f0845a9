// A gateway on a UDP socket and the real clock.

import { randomBytes } from 'node:crypto';
import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { Xoshiro128 } from '../core/random.js';
import type { GatewayConfig } from '../gateway/index.js';
import { Gateway } from '../gateway/index.js';
import type { Address, DatagramLink, Log, Millis, Random, Store, Upstream } from '../ports.js';
import { monotonicNow, TIMEOUT_MS_MAX } from './clock.js';
import { UdpListenError } from './listen-error.js';

/** Sees every datagram, for a recording. `epochMicros` is microseconds since 1970. `bytes` must not be changed. */
export type Tap = (direction: 'in' | 'out', address: Address, bytes: Uint8Array, epochMicros: number) => void;

export interface UdpGatewayOptions {
  /** Where to listen: an address or a name. Default `127.0.0.1`; `0.0.0.0` or `::` for every interface. */
  readonly host?: string;
  /** 0 to 65535, default 0: any free one. */
  readonly port?: number;
  /**
   * Where ADVERTISE and GWINFO go, `ip:port`: a broadcast address, or a multicast group, which is joined. Without it
   * ADVERTISE is not sent, and GWINFO goes to who asked alone.
   */
  readonly broadcast?: Address;
  readonly config?: Partial<GatewayConfig>;
  readonly upstream: Upstream;
  /** Where sessions outlive the process. Default: nowhere. */
  readonly store?: Store;
  /** Default: seeded from the system. */
  readonly random?: Random;
  readonly log?: Log;
  readonly tap?: Tap;
  /** The clock that is shared with `upstream`. Default `monotonicNow`. */
  readonly clock?: () => Millis;
}

/** `1.2.3.4:1883`, `[::1]:1883`. */
export function formatAddress(host: string, port: number): Address {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The parts of what `formatAddress` makes; undefined for anything else. */
export function parseAddress(address: Address): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port > PORT_MAX ? undefined : { host, port };
}

const PORT_MAX = 65_535;
const MICROS_PER_MS = 1_000;
const MULTICAST = /^(22[4-9]|23\d)\.|^ff/i;

export function isMulticast(host: string): boolean {
  return MULTICAST.test(host);
}

/** Binds a socket and starts a gateway on it. Rejects with UdpListenError when the address cannot be had. */
export async function openUdpGateway(options: UdpGatewayOptions): Promise<UdpGateway> {
  const { host = '127.0.0.1', port = 0 } = options;
  const socket = await bind(host, port).catch((error: NodeJS.ErrnoException) => {
    throw new UdpListenError(host, port, error);
  });
  return new UdpGateway(socket, options);
}

async function bind(name: string, port: number): Promise<Socket> {
  const { address, family } = await lookup(name);
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    // Every address is numeric: asking the resolver would only delay each datagram.
    lookup: (host, _options, found) => found(null, host, family),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  return socket;
}

export class UdpGateway implements DatagramLink {
  readonly gateway: Gateway;
  /** Where it listens, `ip:port`. */
  readonly address: Address;
  private readonly log: Log;
  private readonly clock: () => Millis;
  private timeout: NodeJS.Timeout | undefined;
  private timeoutDueMs = Number.POSITIVE_INFINITY;
  /** Who sent the datagram that is being handled. */
  private asking: Address | undefined;
  private closed = false;
  /** Datagrams that the socket has not passed on yet. */
  private sending = 0;
  private whenSent: (() => void) | undefined;

  /** Use `openUdpGateway`. */
  constructor(
    private readonly socket: Socket,
    private readonly options: UdpGatewayOptions,
  ) {
    this.log = options.log ?? (() => {});
    this.clock = options.clock ?? monotonicNow;
    const { address, port } = socket.address();
    this.address = formatAddress(address, port);
    this.gateway = new Gateway(options.config ?? {}, {
      link: this,
      upstream: options.upstream,
      ...(options.store && { store: options.store }),
      random: options.random ?? new Xoshiro128(randomBytes(4).readUInt32LE()),
      log: this.log,
      rescheduled: (dueMs) => this.arm(dueMs),
    });
    // A socket error (a peer that is gone, a network that is down) concerns one datagram, never the gateway.
    socket.on('error', (error) => this.log('warn', 'socket-error', { message: error.message }));
    socket.on('message', (octets, from) => this.onMessage(octets, from));
    this.prepareBroadcast();
    this.gateway.start(this.clock());
    this.arm(this.gateway.nextDue());
  }

  send(to: Address, datagram: Uint8Array): void {
    const target = parseAddress(to);
    if (target === undefined || this.closed) return;
    this.tap('out', to, datagram);
    this.sending++;
    try {
      this.socket.send(datagram, target.port, target.host, (error) => this.onSent(to, error));
    } catch (error) {
      this.onSent(to, error as Error);
    }
  }

  broadcast(datagram: Uint8Array): void {
    const to = this.options.broadcast ?? this.asking;
    if (to !== undefined) this.send(to, datagram);
  }

  /** Says goodbye to clients and broker, then frees the port. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.gateway.stop(this.clock());
    this.closed = true;
    clearTimeout(this.timeout);
    if (this.sending > 0) await new Promise<void>((resolve) => (this.whenSent = resolve));
    await new Promise<void>((resolve) => this.socket.close(resolve));
  }

  private onSent(to: Address, error: Error | null | undefined): void {
    this.sending--;
    if (error) this.log('warn', 'send-failed', { to, message: error.message });
    if (this.sending === 0) this.whenSent?.();
  }

  private onMessage(octets: Buffer, from: RemoteInfo): void {
    const datagram = new Uint8Array(octets.buffer, octets.byteOffset, octets.length);
    const address = formatAddress(from.address, from.port);
    this.tap('in', address, datagram);
    this.asking = address;
    this.gateway.receive(address, datagram, this.clock());
    this.asking = undefined;
  }

  /** One timer for everything, moved forward only: what it finds not yet due, it waits for again. */
  private arm(dueMs: Millis): void {
    if (this.closed || dueMs >= this.timeoutDueMs) return;
    clearTimeout(this.timeout);
    this.timeoutDueMs = dueMs;
    const delayMs = Math.min(Math.max(0, dueMs - this.clock()), TIMEOUT_MS_MAX);
    this.timeout = setTimeout(() => this.onTimeout(), delayMs);
  }

  private onTimeout(): void {
    this.timeoutDueMs = Number.POSITIVE_INFINITY;
    this.gateway.poll(this.clock());
    this.arm(this.gateway.nextDue());
  }

  private prepareBroadcast(): void {
    if (this.options.broadcast === undefined) return;
    const group = parseAddress(this.options.broadcast)?.host;
    try {
      if (group === undefined) throw new Error('not an address of the form ip:port');
      if (MULTICAST.test(group)) this.socket.addMembership(group);
      else this.socket.setBroadcast(true);
    } catch (error) {
      this.log('warn', 'broadcast-unavailable', { broadcast: this.options.broadcast, message: String(error) });
    }
  }

  private tap(direction: 'in' | 'out', address: Address, octets: Uint8Array): void {
    if (this.options.tap === undefined) return;
    const epochMicros = Math.round((performance.timeOrigin + performance.now()) * MICROS_PER_MS);
    this.options.tap(direction, address, octets, epochMicros);
  }
}
