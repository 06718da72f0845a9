// The broker on TCP sockets: joins each socket to a PacketStream, and real time to the broker's deadlines. A socket that
// fails takes its own connection with it and nothing else.
import { createServer, type Socket } from 'node:net';
import type { Peer } from '../broker/access.js';
import type { Broker } from '../broker/broker.js';
import { PacketStream } from '../broker/stream.js';
import type { Log, Millis } from '../ports.js';
import { monotonicNow, TIMEOUT_MS_MAX } from './clock.js';
import { listening } from './listen-error.js';

export interface TcpOptions {
  /** Address to listen at. */
  readonly host: string;
  /** 0: one that is free, to be read from the listener. */
  readonly port: number;
  readonly limits?: Partial<TcpLimits>;
  readonly log?: Log;
  /** Default: the process's own. */
  readonly clock?: () => Millis;
}

export interface TcpLimits {
  /** Sockets at a time; more are closed as they come. */
  readonly connectionsMax: number;
  /**
   * Bytes written and not yet taken by the network, above which a socket counts as congested: PUBLISHes then wait in
   * the session, and nothing more is read from it, so that it cannot ask for more. Not below 64 KiB, since a socket
   * tells only of larger amounts when they are gone.
   */
  readonly writeBufferBytesMax: number;
  /** How long a socket may be congested before it is given up, ms. */
  readonly stallMsMax: number;
  /** How long a socket has, after the broker has closed its connection, to take the last bytes and go, ms. */
  readonly closeGraceMs: number;
}

export const TCP_LIMITS: TcpLimits = {
  connectionsMax: 100_000,
  writeBufferBytesMax: 1024 * 1024,
  stallMsMax: 60_000,
  closeGraceMs: 1_000,
};

export interface TcpListener {
  readonly host: string;
  readonly port: number;
  /** Ends all sockets, whose wills are published, and listens no more. The broker itself goes on. */
  close(): Promise<void>;
}

/** Listens for MQTT clients. Rejects with TcpListenError. */
export async function listenTcp(broker: Broker, options: TcpOptions): Promise<TcpListener> {
  const clock = options.clock ?? monotonicNow;
  const log = options.log ?? (() => {});
  const limits = { ...TCP_LIMITS, ...options.limits };
  const timer = new BrokerTimer(broker, clock);
  const sockets = new Set<MqttSocket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const served = new MqttSocket(broker, socket, { clock, log, limits, timer });
    sockets.add(served);
    socket.once('close', () => sockets.delete(served));
  });
  server.maxConnections = limits.connectionsMax;
  await listening(server, options.host, options.port);
  server.on('error', (error: NodeJS.ErrnoException) => log('error', 'tcp-listener', { code: error.code }));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  const close = (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.leave();
    return closed.finally(() => timer.stop());
  };
  return { host: options.host, port, close };
}

/** Calls a broker, or another core, when something is due. For any adapter: `wake` after each call that may have set a deadline. */
export class BrokerTimer {
  private handle: NodeJS.Timeout | undefined;
  private armedFor: Millis = Number.POSITIVE_INFINITY;

  constructor(
    private readonly broker: Pick<Broker, 'nextDue' | 'poll'>,
    private readonly clock: () => Millis,
  ) {}

  /** Sees whether the next deadline has come nearer. One that has moved away is seen when the old one passes. */
  wake(): void {
    const due = this.broker.nextDue();
    if (due < this.armedFor) this.arm(due);
  }

  stop(): void {
    clearTimeout(this.handle);
    this.handle = undefined;
    this.armedFor = Number.POSITIVE_INFINITY;
  }

  private arm(due: Millis): void {
    this.stop();
    this.armedFor = due;
    const delay = Math.min(Math.max(due - this.clock(), 0), TIMEOUT_MS_MAX);
    this.handle = setTimeout(() => {
      this.stop();
      this.broker.poll(this.clock());
      this.wake();
    }, delay);
  }
}

export interface SocketContext {
  readonly clock: () => Millis;
  readonly log: Log;
  readonly limits: TcpLimits;
  readonly timer: BrokerTimer;
  /** What `Access` is told of the other end. Default: TCP, and the remote address. */
  readonly peer?: Peer;
}

/** One socket, plain or TLS, from its opening to its end. */
export class MqttSocket {
  private readonly stream: PacketStream;
  /** What was written in this tick; goes out as one. */
  private chunks: Uint8Array[] = [];
  private chunkBytes = 0;
  private stall: NodeJS.Timeout | undefined;
  private grace: NodeJS.Timeout | undefined;
  private isClosing = false;
  /** The session was told to wait, and is owed word of the end of it. */
  private hasRefused = false;

  constructor(
    broker: Broker,
    private readonly socket: Socket,
    private readonly context: SocketContext,
  ) {
    const { remoteAddress, remotePort } = socket;
    const {
      peer = {
        transport: 'tcp',
        ...(remoteAddress && { address: remoteAddress }),
        ...(remotePort && { port: remotePort }),
      },
    } = context;
    const sink = {
      write: (bytes: Uint8Array): void => this.write(bytes),
      close: (): void => this.finish(),
      isCongested: (): boolean => {
        this.hasRefused ||= this.isCongested;
        return this.isCongested;
      },
    };
    // Listeners first: a broker that has stopped closes within the constructor.
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('drain', () => this.drained());
    socket.on('error', (error: NodeJS.ErrnoException) => context.log('debug', 'tcp-socket', { code: error.code }));
    socket.on('close', () => this.gone());
    this.stream = new PacketStream(broker, sink, context.clock(), { peer });
    context.timer.wake();
  }

  /** The listener closes: as if the network had gone, but tidily. */
  leave(): void {
    this.stream.closed(this.context.clock());
    this.finish();
    this.socket.destroySoon();
  }

  private get isCongested(): boolean {
    return this.socket.writableLength + this.chunkBytes > this.context.limits.writeBufferBytesMax;
  }

  private receive(chunk: Uint8Array): void {
    this.stream.receive(chunk, this.context.clock());
    this.context.timer.wake();
  }

  private write(bytes: Uint8Array): void {
    if (this.isClosing) return;
    if (this.chunks.length === 0) process.nextTick(() => this.flush());
    this.chunks.push(bytes);
    this.chunkBytes += bytes.length;
  }

  private flush(): void {
    const { chunks, socket } = this;
    if (chunks.length === 0) return;
    this.chunks = [];
    this.chunkBytes = 0;
    if (!socket.writable) return;
    socket.write(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    if (!this.isCongested) {
      // The network took all at once, for which there is no `drain`. Not in this tick: others want their turn.
      if (this.hasRefused && this.stall === undefined) setImmediate(() => this.drained());
    } else if (this.stall === undefined) this.hold();
  }

  /** Too much is unread: nothing more is asked of the client until it has read it. */
  private hold(): void {
    const { limits, clock } = this.context;
    this.socket.pause();
    this.stall = setTimeout(() => this.stream.giveUp(clock()), limits.stallMsMax);
  }

  /** There is room again. */
  private drained(): void {
    this.hasRefused = false;
    if (this.stall !== undefined) {
      clearTimeout(this.stall);
      this.stall = undefined;
      this.socket.resume();
    }
    this.stream.drained(this.context.clock());
    this.context.timer.wake();
  }

  /** The broker is done with it: the last bytes, then the end, waited for only so long. */
  private finish(): void {
    if (this.isClosing) return;
    this.flush();
    this.isClosing = true;
    clearTimeout(this.stall);
    this.socket.resume(); // what still comes is read and ignored, so that the other end can finish
    this.socket.end();
    this.grace = setTimeout(() => this.socket.destroy(), this.context.limits.closeGraceMs);
  }

  private gone(): void {
    this.isClosing = true;
    clearTimeout(this.stall);
    clearTimeout(this.grace);
    this.stream.closed(this.context.clock());
    this.context.timer.wake();
  }
}
