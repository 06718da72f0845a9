// One client's connection, whatever it travels on: joins a channel to a PacketStream from its opening to its end. A channel
// that fails takes its own connection with it and nothing else. This is the way of every message: nothing is made here
// for each of them but its place in a list.
import type { Broker } from '../broker/broker.js';
import type { CloseReason } from '../broker/errors.js';
import { PacketStream } from '../broker/stream.js';
import type { Log, Millis } from '../ports.js';
import type { BrokerTimer } from './broker-timer.js';
import type { Channel, ChannelEvents } from './channel.js';
import { TIMEOUT_MS_MAX } from './clock.js';
import type { Peer } from './peer.js';
import { BATCH_BYTES_MAX, WriteBatch } from './write-batch.js';

export interface SocketLimits {
  /**
   * Bytes written and not yet taken by the network, above which a socket counts as congested: PUBLISHes then wait in
   * the session, and nothing more is read from it, so that it cannot ask for more. Not below 64 KiB, since a socket
   * tells only of larger amounts when they are gone.
   */
  readonly writeBufferBytesMax: number;
  /** How long a socket may be congested before it is given up, ms. Infinity: for ever. */
  readonly stallMsMax: number;
  /** How long a socket has, after its connection has ended, to take the last bytes and go, ms. Infinity: as long as it takes. */
  readonly closeGraceMs: number;
}

export const SOCKET_LIMITS: SocketLimits = {
  writeBufferBytesMax: 1024 * 1024,
  stallMsMax: 60_000,
  closeGraceMs: 1_000,
};

/** How much is read of one client before others have their turn, bytes, or a chunk of the channel more. */
const TURN_BYTES_MAX = 65_536;

/** How often a client is looked after that is not read for the journal's sake, ms. */
const HELD_UP_MS = 10;

/** What all sockets of a broker share. */
export interface SocketContext {
  readonly broker: Broker;
  readonly clock: () => Millis;
  readonly log: Log;
  readonly limits: SocketLimits;
  readonly timer: BrokerTimer;
  readonly flusher: Flusher;
}

/**
 * Flushes what was written, once the chunk that caused it has been read to its end: one write a connection and chunk. Waiting
 * longer, for what other sockets have to say, was measured to save nothing, and keeps more alive.
 */
export class Flusher {
  private waiting: MqttSocket[] = [];
  private readonly run = (): void => {
    const { waiting } = this;
    this.waiting = [];
    for (const socket of waiting) socket.flush();
  };

  add(socket: MqttSocket): void {
    if (this.waiting.length === 0) process.nextTick(this.run);
    this.waiting.push(socket);
  }
}

export class MqttSocket implements ChannelEvents {
  private readonly stream: PacketStream;
  private readonly batch = new WriteBatch();
  private stall: NodeJS.Timeout | undefined;
  private rest: NodeJS.Timeout | undefined;
  private grace: NodeJS.Timeout | undefined;
  /** Read since others had their turn last. */
  private unyieldedBytes = 0;
  private isWaiting = false;
  private isClosing = false;
  /** The session was told to wait, and is owed word of the end of it. */
  private hasRefused = false;

  constructor(
    private readonly context: SocketContext,
    private readonly channel: Channel,
    peer: Peer,
  ) {
    const sink = {
      write: (bytes: Uint8Array): void => this.write(bytes),
      close: (reason: CloseReason): void => this.finish(reason),
      isCongested: (): boolean => {
        const isCongested = this.isCongested;
        this.hasRefused ||= isCongested;
        return isCongested;
      },
    };
    const { broker, clock, timer } = context;
    channel.open(this); // first: a broker that has stopped ends the channel before the stream is made
    this.stream = new PacketStream(broker, sink, clock(), { peer });
    timer.wake();
  }

  /** The listener closes: as if the network had gone, but tidily, for which there is so long. */
  leave(graceMs: Millis): void {
    this.ended();
    this.giveGrace(graceMs);
  }

  /** Reads nothing before `at`: the client has sent more than it may. A moment that has passed changes nothing. */
  pauseUntil(at: Millis): void {
    const delay = at - this.context.clock();
    if (delay <= 0 || this.isClosing) return;
    clearTimeout(this.rest);
    this.rest = setTimeout(
      () => {
        this.rest = undefined;
        if (this.stream.isHeldUp) this.pauseUntil(this.context.clock() + HELD_UP_MS);
        else this.read();
      },
      Math.min(delay, TIMEOUT_MS_MAX),
    );
    this.channel.pause();
  }

  /** For the Flusher. */
  flush(): void {
    this.isWaiting = false;
    if (this.isClosing) return;
    this.batch.flush(this.channel);
    if (!this.isCongested) {
      // The network took all at once, for which there is no `drained`. Not in this turn: others want theirs.
      if (this.hasRefused && this.stall === undefined) setImmediate(() => this.drained());
    } else if (this.stall === undefined) this.hold();
  }

  received(chunk: Uint8Array): void {
    const { clock, timer } = this.context;
    this.stream.receive(chunk, clock());
    timer.wake();
    const { resumeAt, isHeldUp } = this.stream;
    this.unyieldedBytes += chunk.length;
    if (this.unyieldedBytes >= TURN_BYTES_MAX) this.yield();
    if (resumeAt > 0 || isHeldUp) this.pauseUntil(isHeldUp ? Math.max(resumeAt, clock() + HELD_UP_MS) : resumeAt);
  }

  drained(): void {
    if (!this.hasRefused && this.stall === undefined) return;
    this.hasRefused = false;
    clearTimeout(this.stall);
    this.stall = undefined;
    if (this.isClosing) return;
    this.read();
    this.stream.drained(this.context.clock());
    this.context.timer.wake();
  }

  /** Nothing more comes of it. The last answers may still be read. */
  ended(): void {
    this.stream.closed(this.context.clock());
    this.finish('left');
    this.context.timer.wake();
  }

  closed(): void {
    this.isClosing = true;
    clearTimeout(this.stall);
    clearTimeout(this.rest);
    clearTimeout(this.grace);
    this.stream.closed(this.context.clock());
    this.context.timer.wake();
  }

  private get isCongested(): boolean {
    return this.channel.pendingBytes + this.batch.bytes > this.context.limits.writeBufferBytesMax;
  }

  private write(bytes: Uint8Array): void {
    if (this.isClosing) return;
    this.batch.add(bytes);
    if (this.isWaiting) {
      if (this.batch.bytes >= BATCH_BYTES_MAX) this.batch.flush(this.channel);
      return;
    }
    this.isWaiting = true;
    this.context.flusher.add(this);
  }

  /** Too much is unread: nothing more is asked of the client until it has read it. */
  private hold(): void {
    const { limits, clock } = this.context;
    this.channel.pause();
    this.stall = setTimeout(() => this.stream.giveUp(clock()), Math.min(limits.stallMsMax, TIMEOUT_MS_MAX));
  }

  /** After so many bytes others are read: of a client that sends without end, the system would read megabytes in one go. */
  private yield(): void {
    this.unyieldedBytes = 0;
    if (this.isClosing) return;
    this.channel.pause();
    setImmediate(() => this.read());
  }

  /** Reads on, unless there is another reason not to. */
  private read(): void {
    if (this.stall === undefined && this.rest === undefined && !this.isClosing) this.channel.resume();
  }

  /** The connection is over: the last bytes, then the end, waited for only so long. */
  private finish(reason: CloseReason | 'left'): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.batch.flush(this.channel);
    clearTimeout(this.stall);
    clearTimeout(this.rest);
    this.channel.end(reason);
    this.giveGrace(this.context.limits.closeGraceMs);
  }

  private giveGrace(ms: Millis): void {
    clearTimeout(this.grace);
    this.grace = setTimeout(() => this.channel.destroy(), Math.min(ms, TIMEOUT_MS_MAX));
  }
}
