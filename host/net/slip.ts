// SLIP (RFC 1055): frames on a line that knows only octets.
//
// ┌─────┬──────────────────────────────────────────────┬─────┐
// │ END │ frame; END as ESC ESC_END, ESC as ESC ESC_ESC │ END │
// └─────┴──────────────────────────────────────────────┴─────┘
// The END before the frame ends whatever noise the line has had since the last one. There is no checksum: whoever takes a
// frame looks whether it makes sense.

export const END = 0xc0;
export const ESC = 0xdb;
export const ESC_END = 0xdc;
export const ESC_ESC = 0xdd;

/** A frame as it goes over the line. */
export function encodeFrame(frame: Uint8Array): Uint8Array {
  let escapes = 0;
  for (const octet of frame) if (octet === END || octet === ESC) escapes++;
  const line = new Uint8Array(frame.length + escapes + 2);
  let at = 0;
  line[at++] = END;
  for (const octet of frame) {
    if (octet === END || octet === ESC) {
      line[at++] = ESC;
      line[at++] = octet === END ? ESC_END : ESC_ESC;
    } else line[at++] = octet;
  }
  line[at] = END;
  return line;
}

/** Finds frames in what comes over a line, in pieces of any length. */
export class FrameDecoder {
  /** Frames that were given up: too long, or with an escape that means nothing. */
  dropped = 0;
  private readonly buffer: Uint8Array;
  private bytes = 0;
  private isEscaped = false;
  /** Up to the next END nothing counts. */
  private isBroken = false;

  /** `take` is handed a copy of each frame, which is never empty. `frameBytesMax`: longer ones are dropped. */
  constructor(
    frameBytesMax: number,
    private readonly take: (frame: Uint8Array) => void,
  ) {
    this.buffer = new Uint8Array(frameBytesMax);
  }

  push(octets: Uint8Array): void {
    for (const octet of octets) this.pushOctet(octet);
  }

  /** The line was interrupted: what has come of a frame is forgotten. */
  reset(): void {
    this.bytes = 0;
    this.isEscaped = false;
    this.isBroken = false;
  }

  private pushOctet(octet: number): void {
    if (octet === END) this.finish();
    else if (this.isBroken) return;
    else if (this.isEscaped) this.pushEscaped(octet);
    else if (octet === ESC) this.isEscaped = true;
    else this.append(octet);
  }

  private pushEscaped(octet: number): void {
    this.isEscaped = false;
    if (octet === ESC_END) this.append(END);
    else if (octet === ESC_ESC) this.append(ESC);
    else this.isBroken = true;
  }

  private append(octet: number): void {
    if (this.bytes === this.buffer.length) this.isBroken = true;
    else this.buffer[this.bytes++] = octet;
  }

  private finish(): void {
    const { bytes } = this;
    const isBroken = this.isBroken || this.isEscaped; // an escape with nothing behind it
    this.reset();
    if (isBroken) this.dropped++;
    else if (bytes > 0) this.take(this.buffer.slice(0, bytes)); // two ENDs in a row are no frame
  }
}
