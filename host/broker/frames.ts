// Where one packet ends and the next begins: section 2.2, the fixed header. A packet that is too large is refused by its
// header, before any of it is kept.

/** Continuation bit and seven bits of length in each byte, at most four bytes (section 2.2.3). */
const MORE = 0x80;
const LENGTH_BITS = 7;
const LENGTH_BYTES_MAX = 4;

/** The largest packet of the protocol: a remaining length of 268,435,455 and its header. */
export const PACKET_BYTES_LIMIT = 2 ** (LENGTH_BITS * LENGTH_BYTES_MAX) + LENGTH_BYTES_MAX;

const HELD_BYTES_MIN = 256;

export type FrameFault = 'remaining-length' | 'packet-too-large';

/**
 * Takes one whole packet: `bytes[bodyAt]` is the first byte after the fixed header. The bytes are lent for the call.
 * False: the connection is over and the rest of the input is of no interest.
 */
export type TakeFrame = (bytes: Uint8Array, bodyAt: number) => boolean;

/** Joins chunks and cuts them into packets. Holds at most one packet that is not complete. */
export class FrameSplitter {
  private held = new Uint8Array(0);
  private heldBytes = 0;

  constructor(private readonly packetBytesMax: number) {}

  /** Hands every packet that is complete to `take`. After a fault the splitter is of no further use. */
  push(chunk: Uint8Array, take: TakeFrame): FrameFault | undefined {
    const input = this.heldBytes === 0 ? chunk : this.hold(chunk);
    let at = 0;
    while (at < input.length) {
      const bodyAt = bodyOf(input, at);
      if (bodyAt < 0) return 'remaining-length';
      if (bodyAt === 0) break;
      const end = bodyAt + remainingLength(input, at + 1, bodyAt);
      if (end - at > this.packetBytesMax) return 'packet-too-large';
      if (end > input.length) break;
      // Not `subarray`: that of a Buffer costs more, and there is one frame a packet.
      const frame = new Uint8Array(input.buffer, input.byteOffset + at, end - at);
      if (!take(frame, bodyAt - at)) {
        at = input.length;
        break;
      }
      at = end;
    }
    this.keep(input, at);
    return undefined;
  }

  /** The chunk behind what is held. Room doubles, so that a packet in tiny chunks is not copied at each. */
  private hold(chunk: Uint8Array): Uint8Array {
    const bytes = this.heldBytes + chunk.length;
    if (bytes > this.held.length) {
      const larger = new Uint8Array(Math.max(bytes, 2 * this.held.length, HELD_BYTES_MIN));
      larger.set(this.held.subarray(0, this.heldBytes));
      this.held = larger;
    }
    this.held.set(chunk, this.heldBytes);
    this.heldBytes = bytes;
    return this.held.subarray(0, bytes);
  }

  private keep(input: Uint8Array, at: number): void {
    const rest = input.length - at;
    if (rest === 0) {
      this.heldBytes = 0;
      if (this.held.length > HELD_BYTES_MIN) this.held = new Uint8Array(0);
    } else if (this.heldBytes === 0) {
      this.hold(input.subarray(at));
    } else if (at > 0) {
      this.held.copyWithin(0, at, input.length);
      this.heldBytes = rest;
    }
  }
}

/** Where the fixed header at `at` ends; 0 when it is not complete, -1 when its length has no end [section 2.2.3]. */
function bodyOf(bytes: Uint8Array, at: number): number {
  for (let i = at + 1; i <= at + LENGTH_BYTES_MAX; i++) {
    if (i >= bytes.length) return 0;
    if ((bytes[i]! & MORE) === 0) return i + 1;
  }
  return -1;
}

function remainingLength(bytes: Uint8Array, from: number, to: number): number {
  let length = 0;
  for (let i = to - 1; i >= from; i--) length = (length << LENGTH_BITS) | (bytes[i]! & (MORE - 1));
  return length;
}
