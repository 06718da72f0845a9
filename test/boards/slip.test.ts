// The C that boards take frames with, on this machine under the sanitizers, against the host's own decoder.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { BOARDS_DIR } from '../../host/firmware/boards.js';
import { END, ESC, ESC_END, ESC_ESC, encodeFrame, FrameDecoder } from '../../host/net/slip.js';
import { scratch } from '../host/firmware/modules.js';
import { describeWithTools } from '../tools.js';

const FRAME_BYTES_MAX = 255;
/** What link-serial.c keeps of a frame before it is whole. */
const RING_BYTES = 512;
const RUNS = 30;
const PIECES = 400;
const SPECIAL = [END, ESC, ESC_END, ESC_ESC, 0x00];

let program: string;

/** The frames that the C makes out of a line's octets. */
function take(line: Uint8Array, seed: number, max = FRAME_BYTES_MAX): string[] {
  const output = execFileSync(program, [String(max), String(seed)], { input: line, maxBuffer: 1 << 26 });
  return frames(output, max);
}

function frames(line: Uint8Array, max = FRAME_BYTES_MAX): string[] {
  const found: string[] = [];
  new FrameDecoder(max, (frame) => found.push(Buffer.from(frame).toString('hex'))).push(line);
  return found;
}

class Noise {
  constructor(private readonly random: Xoshiro128) {}

  below(bound: number): number {
    return between(this.random, 0, bound - 1);
  }

  /** Octets among which those that mean something are frequent. */
  octets(bytes: number): Uint8Array {
    return Uint8Array.from({ length: bytes }, () =>
      this.below(3) === 0 ? SPECIAL[this.below(SPECIAL.length)]! : this.below(256),
    );
  }

  /** Good frames, broken ones, noise and silence, in any order. */
  line(): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < PIECES; i++) {
      const kind = this.below(8);
      if (kind < 4) pieces.push(encodeFrame(this.octets(1 + this.below(FRAME_BYTES_MAX))));
      else if (kind === 4) pieces.push(encodeFrame(this.octets(FRAME_BYTES_MAX + this.below(3))));
      else if (kind === 5) pieces.push(encodeFrame(this.octets(40)).subarray(0, this.below(60)));
      else if (kind === 6) pieces.push(this.octets(this.below(30)));
      else pieces.push(new Uint8Array(this.below(4 * RING_BYTES)).fill(this.below(2) === 0 ? 0x55 : ESC));
    }
    return Buffer.concat([...pieces, Uint8Array.of(END)]);
  }
}

describeWithTools(['gcc'], "the boards' end of a serial line", () => {
  beforeAll(() => {
    const common = join(BOARDS_DIR, 'common');
    program = join(scratch(), 'slip');
    execFileSync('gcc', [
      ...['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-g', '-fsanitize=address,undefined'],
      ...['-fno-sanitize-recover=all', '-I', common, '-o', program],
      ...['link-serial.c', 'slip.c'].map((file) => join(common, file)),
      join(import.meta.dirname, 'slip-harness.c'),
    ]);
  });

  it('finds the frames that the host finds, in whatever comes and in bursts of whatever length', () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const line = new Noise(new Xoshiro128(seed)).line();
      const expected = frames(line);
      expect(expected.length).toBeGreaterThan(PIECES / 4);
      expect(take(line, seed), `seed ${seed}`).toEqual(expected);
    }
  });

  it('takes the longest frame with each octet escaped, and drops one that is an octet longer', () => {
    const longest = new Uint8Array(FRAME_BYTES_MAX).fill(END);
    const line = [longest, Uint8Array.of(...longest, 0), longest, Uint8Array.of(7)].map(encodeFrame);
    const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
    expect(take(Buffer.concat(line), 1)).toEqual([hex(longest), hex(longest), '07']);
  });

  it('drops a frame that is longer than its ring, of which the module must not see a part, and takes the next', () => {
    const line = [new Uint8Array(RING_BYTES + 1).fill(0x55), Uint8Array.of(7)].map(encodeFrame);
    expect(take(Buffer.concat(line), 1, 2 * RING_BYTES)).toEqual(['07']);
  });
});
