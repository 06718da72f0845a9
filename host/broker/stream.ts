// Joins a connection's bytes and the broker's packets. Pure as the broker is: bytes and time come in, bytes go out. What
// is not MQTT closes the connection that it came from, and only that [MQTT-4.8.0-1].
import type { Millis } from '../ports.js';
import type { Broker } from './broker.js';
import { decode, encode } from './codec.js';
import type { Connection } from './connection.js';
import type { CloseReason } from './errors.js';
import { FrameSplitter } from './frames.js';
import { PacketType, packetTypeOf } from './wellformed.js';

/** The network's side of a connection. Must not throw, nor give the stream more bytes from inside these calls. */
export interface ByteSink {
  /** Takes bytes to the client. They may be shared with other connections: not to be changed. */
  write(bytes: Uint8Array): void;
  /** Nothing is written any more; what was written should still arrive. */
  close(reason: CloseReason): void;
  /** As `Sink.isCongested`. */
  isCongested?(): boolean;
}

export interface StreamOptions {
  /** The largest packet that is taken, bytes, with its header. Up to PACKET_BYTES_LIMIT, the protocol's own. */
  readonly packetBytesMax: number;
  /** What the adapter knows of the other end, for `Access`. */
  readonly peer?: unknown;
}

/** 1 MiB: the largest packet by default. */
export const PACKET_BYTES_MAX_DEFAULT = 1024 * 1024;

export class PacketStream {
  private readonly frames: FrameSplitter;
  private readonly connection: Connection;
  private hasBegun = false;

  constructor(broker: Broker, sink: ByteSink, now: Millis, options: Partial<StreamOptions> = {}) {
    this.frames = new FrameSplitter(options.packetBytesMax ?? PACKET_BYTES_MAX_DEFAULT);
    this.connection = broker.accept(
      {
        send: (packet) => sink.write(encode(packet)),
        close: (reason) => sink.close(reason),
        isCongested: () => sink.isCongested?.() ?? false,
      },
      now,
      options.peer,
    );
  }

  /** The client identifier, while the client is connected. */
  get clientId(): string | undefined {
    return this.connection.client?.clientId;
  }

  /** Bytes from the client, in any pieces. They are the caller's again when this returns. */
  receive(bytes: Uint8Array, now: Millis): void {
    if (this.connection.isClosed || bytes.length === 0) return;
    if (!this.hasBegun && packetTypeOf(bytes[0]!) !== PacketType.Connect) {
      // Whatever it is, there is no need to wait for its end [MQTT-3.1.0-1].
      this.connection.abandon('malformed', 'no-connect', now);
      return;
    }
    this.hasBegun = true;
    const fault = this.frames.push(bytes, (frame, bodyAt) => this.take(frame, bodyAt, now));
    if (fault !== undefined) this.connection.abandon('malformed', fault, now);
  }

  /** The network connection is gone. */
  closed(now: Millis): void {
    this.connection.closed(now);
  }

  /** The client has read what congested it. */
  drained(now: Millis): void {
    this.connection.drained(now);
  }

  /** The client does not read, and the adapter has lost patience. */
  giveUp(now: Millis): void {
    this.connection.abandon('slow', 'unread', now);
  }

  private take(frame: Uint8Array, bodyAt: number, now: Millis): boolean {
    const decoded = decode(frame, bodyAt);
    if ('fault' in decoded) this.connection.abandon('malformed', decoded.fault, now);
    else this.connection.receive(decoded.packet, now);
    return !this.connection.isClosed;
  }
}
