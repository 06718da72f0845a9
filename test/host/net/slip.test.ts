import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { END, ESC, ESC_END, ESC_ESC, encodeFrame, FrameDecoder } from '../../../host/net/slip.js';

const FRAME_BYTES_MAX = 64;

/** Octets among which those that SLIP escapes, and their escapes, are as frequent as all others together. */
const octet = fc.oneof(fc.constantFrom(END, ESC, ESC_END, ESC_ESC), fc.integer({ min: 0, max: 255 }));
const octets = (min: number, max: number) =>
  fc.array(octet, { minLength: min, maxLength: max }).map((list) => Uint8Array.from(list));
const frame = octets(1, FRAME_BYTES_MAX);

function decoder(): { readonly frames: Uint8Array[]; readonly decoder: FrameDecoder } {
  const frames: Uint8Array[] = [];
  return { frames, decoder: new FrameDecoder(FRAME_BYTES_MAX, (f) => frames.push(f)) };
}

/** `line` in pieces that end where `cuts` says. */
function pieces(line: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (line.length + 1)).sort((a, b) => a - b), line.length];
  return at.slice(1).map((end, i) => line.subarray(at[i], end));
}

describe('a SLIP frame', () => {
  it('has the octets of RFC 1055', () => {
    expect([...encodeFrame(Uint8Array.of(1, END, 2, ESC, 3))]).toEqual([
      ...[0xc0, 1, 0xdb, 0xdc, 2, 0xdb, 0xdd, 3, 0xc0],
    ]);
  });

  it('carries END only as its first and last octet, whatever is in it', () => {
    fc.assert(
      fc.property(frame, (f) => {
        const line = encodeFrame(f);
        expect([line.indexOf(END), line.indexOf(END, 1)]).toEqual([0, line.length - 1]);
      }),
    );
  });
});

describe('the SLIP decoder', () => {
  it('finds all frames, however the line cuts them', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (sent, cuts) => {
        const { decoder: d, frames } = decoder();
        const line = Buffer.concat(sent.map(encodeFrame));
        for (const piece of pieces(line, cuts)) d.push(piece);
        expect(frames.map((f) => [...f])).toEqual(sent.map((f) => [...f]));
        expect(d.dropped).toBe(0);
      }),
    );
  });

  it('finds the next frame after any noise', () => {
    fc.assert(
      fc.property(octets(0, 3 * FRAME_BYTES_MAX), frame, (noise, sent) => {
        const { decoder: d, frames } = decoder();
        d.push(noise);
        d.push(encodeFrame(sent));
        expect([...frames.at(-1)!]).toEqual([...sent]);
      }),
    );
  });

  it('hands over frames of 1 octet to the most there may be, and no longer ones', () => {
    fc.assert(
      fc.property(octets(0, 4 * FRAME_BYTES_MAX), (line) => {
        const { decoder: d, frames } = decoder();
        d.push(line);
        for (const f of frames) expect(f.length > 0 && f.length <= FRAME_BYTES_MAX).toBe(true);
      }),
    );
    const { decoder: d, frames } = decoder();
    d.push(encodeFrame(new Uint8Array(FRAME_BYTES_MAX)));
    d.push(encodeFrame(new Uint8Array(FRAME_BYTES_MAX + 1)));
    expect([frames.length, d.dropped]).toEqual([1, 1]);
  });

  it.each([
    ['an escape that means nothing', [END, 1, ESC, 2, 3, END]],
    ['an escape that nothing follows', [END, 1, ESC, END]],
  ])('drops a frame with %s, and counts it', (_, line) => {
    const { decoder: d, frames } = decoder();
    d.push(Uint8Array.from(line));
    expect([frames.length, d.dropped]).toEqual([0, 1]);
    d.push(encodeFrame(Uint8Array.of(9)));
    expect(frames.map((f) => [...f])).toEqual([[9]]);
  });

  it('hands over frames that stay as they are when the next one comes', () => {
    const { decoder: d, frames } = decoder();
    d.push(encodeFrame(Uint8Array.of(1)));
    d.push(encodeFrame(Uint8Array.of(2)));
    expect(frames.map((f) => [...f])).toEqual([[1], [2]]);
  });

  it('forgets the half of a frame that came before an interruption', () => {
    const { decoder: d, frames } = decoder();
    d.push(Uint8Array.of(END, 1, 2, ESC));
    d.reset();
    d.push(Uint8Array.of(3, END));
    expect(frames.map((f) => [...f])).toEqual([[3]]);
  });
});
