// What a connection's bytes travel on: TCP, TLS, or the frames of a WebSocket.
import type { Socket } from 'node:net';
import type { CloseReason } from '../broker/errors.js';

/** Told what happens on a channel. */
export interface ChannelEvents {
  /** Bytes have come, in any pieces. They are the channel's again when this returns. */
  received(bytes: Uint8Array): void;
  /** All that was written has been taken, after it had been too much at once. */
  drained(): void;
  /** The other end says no more, though it may still listen. */
  ended(): void;
  /** The channel is gone. The last event. */
  closed(): void;
}

export interface Channel {
  /** Bytes written and not yet taken by the network. */
  readonly pendingBytes: number;
  /** Begins to read. Once, first. */
  open(events: ChannelEvents): void;
  /** The bytes are the network's until they are no longer pending. */
  write(bytes: Uint8Array): void;
  /** Writes go out together at `uncork`. */
  cork(): void;
  uncork(): void;
  /** Reads no more until `resume`; what has been read already may still come. */
  pause(): void;
  resume(): void;
  /** Nothing is written any more; what was written should still arrive. What still comes is read and ignored. */
  end(reason: CloseReason | 'left'): void;
  /** The end, at once. */
  destroy(): void;
}

/** A socket of TCP, or of TLS. */
export class SocketChannel implements Channel {
  /** Whoever made the socket listens for its errors, which are followed by `close`. */
  constructor(private readonly socket: Socket) {}

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  open(events: ChannelEvents): void {
    const { socket } = this;
    socket.on('data', (chunk) => events.received(chunk));
    socket.on('drain', () => events.drained());
    socket.on('end', () => events.ended());
    socket.on('close', () => events.closed());
    if (socket.isPaused()) socket.resume(); // as it is where its first bytes were looked at
  }

  write(bytes: Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes);
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.resume(); // so that the other end can finish
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
