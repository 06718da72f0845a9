// Finds the packets in what a socket reads: no object is made for a packet, and none is copied unless a read cuts it.

const LENGTH_MORE = 0x80;
const LENGTH_BITS = 0x7f;
const LENGTH_SHIFT = 7;
/** Octets of the first byte and the longest length. */
const HEADER_BYTES_MAX = 5;

/** One packet: its first byte is at `at`, what follows its length at `bodyAt`, and it ends before `end`. */
export type OnFrame = (bytes: Buffer, at: number, bodyAt: number, end: number) => void;

export class FrameScanner {
  /** A packet that a read has cut. */
  private cut = Buffer.alloc(0);
  private cutBytes = 0;

  constructor(private readonly onFrame: OnFrame) {}

  /** What was read. The octets are the caller's again when this returns. */
  scan(chunk: Buffer, chunkBytes: number): void {
    const { onFrame } = this;
    let at = this.cutBytes === 0 ? 0 : this.mend(chunk, chunkBytes);
    while (at + 1 < chunkBytes) {
      let bodyAt = at + 1;
      let byte = chunk[bodyAt++]!;
      let length = byte;
      if (byte >= LENGTH_MORE) {
        length &= LENGTH_BITS;
        for (let shift = LENGTH_SHIFT; byte >= LENGTH_MORE && bodyAt < chunkBytes; shift += LENGTH_SHIFT) {
          byte = chunk[bodyAt++]!;
          length |= (byte & LENGTH_BITS) << shift;
        }
        if (byte >= LENGTH_MORE) break;
      }
      const end = bodyAt + length;
      if (end > chunkBytes) break;
      onFrame(chunk, at, bodyAt, end);
      at = end;
    }
    if (at < chunkBytes) this.keep(chunk, at, chunkBytes);
  }

  /** Completes the packet that was cut. Returns where the next begins. */
  private mend(chunk: Buffer, chunkBytes: number): number {
    let at = 0;
    for (;;) {
      const end = this.endOfCut();
      const wanted = end ?? this.cutBytes + 1; // without its length, one octet more
      const taken = Math.min(wanted - this.cutBytes, chunkBytes - at);
      this.room(wanted);
      chunk.copy(this.cut, this.cutBytes, at, at + taken);
      this.cutBytes += taken;
      at += taken;
      if (end !== undefined && this.cutBytes === end) break;
      if (at === chunkBytes && this.endOfCut() !== this.cutBytes) return at;
    }
    const end = this.cutBytes;
    this.cutBytes = 0;
    this.onFrame(this.cut, 0, this.bodyOfCut(), end);
    return at;
  }

  private bodyOfCut(): number {
    let at = 1;
    while (this.cut[at]! >= LENGTH_MORE) at++;
    return at + 1;
  }

  /** Octets of the whole packet, or undefined as long as they are not known. */
  private endOfCut(): number | undefined {
    let length = 0;
    for (let at = 1; at < Math.min(this.cutBytes, HEADER_BYTES_MAX); at++) {
      const byte = this.cut[at]!;
      length |= (byte & LENGTH_BITS) << (LENGTH_SHIFT * (at - 1));
      if (byte < LENGTH_MORE) return at + 1 + length;
    }
    return undefined;
  }

  private keep(chunk: Buffer, from: number, to: number): void {
    this.room(to - from);
    chunk.copy(this.cut, 0, from, to);
    this.cutBytes = to - from;
  }

  private room(bytes: number): void {
    if (bytes <= this.cut.length) return;
    const larger = Buffer.alloc(Math.max(bytes, 2 * this.cut.length));
    this.cut.copy(larger);
    this.cut = larger;
  }
}
