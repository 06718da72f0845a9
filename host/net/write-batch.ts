// Many small pieces become few large writes: what a connection is told in one turn goes out together.
// Small pieces are copied side by side, large ones are handed on as they are.
import type { Channel } from './channel.js';

/** Pieces from this size on are not copied, bytes. */
export const UNCOPIED_BYTES_MIN = 4_096;

/** A batch of this size does not wait for more, bytes. */
export const BATCH_BYTES_MAX = 65_536;

/** Room for the small pieces of several batches, each up to BATCH_BYTES_MAX and one piece more. */
const SLAB_BYTES = 4 * BATCH_BYTES_MAX;

/**
 * One buffer for the batches of all connections: a flush is done before another begins. Where the network takes a batch at
 * once, its room is used again for the next; where it does not, the room is left to the write until that is done.
 */
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let slabUsed = 0;

function roomFor(bytes: number): Buffer {
  if (slabUsed + bytes > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  return slab.subarray(slabUsed, slabUsed + bytes);
}

/** What one connection has to write. */
export class WriteBatch {
  /** Bytes that wait here. */
  bytes = 0;
  private pieces: Uint8Array[] = [];
  private smallBytes = 0;

  /** The piece is kept until the flush, and must not change. */
  add(piece: Uint8Array): void {
    this.pieces.push(piece);
    this.bytes += piece.length;
    if (piece.length < UNCOPIED_BYTES_MIN) this.smallBytes += piece.length;
  }

  /** Writes everything, in as few pieces as is good. */
  flush(channel: Channel): void {
    const { pieces, smallBytes, bytes } = this;
    if (bytes === 0) return;
    this.pieces = [];
    this.bytes = 0;
    this.smallBytes = 0;
    if (pieces.length === 1) {
      channel.write(pieces[0]!);
      return;
    }
    // Behind a write that is not done this one waits too: it gets room of its own, so as not to keep a whole slab alive.
    if (channel.pendingBytes > 0) {
      writeAll(channel, pieces, Buffer.allocUnsafeSlow(smallBytes));
      return;
    }
    writeAll(channel, pieces, roomFor(smallBytes));
    if (channel.pendingBytes > 0) slabUsed += smallBytes;
  }
}

/** Small pieces by way of `room`, which holds just all of them. */
function writeAll(channel: Channel, pieces: readonly Uint8Array[], room: Buffer): void {
  let at = 0;
  let from = 0;
  let isCorked = false;
  for (const piece of pieces) {
    if (piece.length < UNCOPIED_BYTES_MIN) {
      room.set(piece, at);
      at += piece.length;
      continue;
    }
    if (!isCorked) channel.cork();
    isCorked = true;
    if (at > from) channel.write(room.subarray(from, at));
    from = at;
    channel.write(piece);
  }
  if (at > from) channel.write(room.subarray(from, at));
  if (isCorked) channel.uncork();
}
