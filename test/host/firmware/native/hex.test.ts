import { describe, expect, it } from 'vitest';
import { addWord, readHex } from '../../../../host/firmware/native/hex.js';

/** From Intel's own example, with a segment, a linear address and an entry point. */
const FILE = `:10010000214601360121470136007EFE09D2190140
:100110002146017E17C20001FF5F16002148011928
:020000021200EA
:0400000001020304F2
:020000040800F2
:020000000A0BE9
:0400000508000101ED
:00000001FF
`;

describe('an Intel HEX file', () => {
  it('is read as chunks at their addresses, neighbours joined', () => {
    const chunks = readHex(FILE);
    expect(chunks.map(({ address, bytes }) => [address, bytes.length])).toEqual([
      [0x100, 32],
      [0x12000, 4],
      [0x0800_0000, 2],
    ]);
    expect([...chunks[0]!.bytes.subarray(0, 4), ...chunks[2]!.bytes]).toEqual([0x21, 0x46, 0x01, 0x36, 0x0a, 0x0b]);
  });

  it('takes a word more, little-endian, before its end', () => {
    const chunks = readHex(addWord(FILE, 0x0803_fffc, 0xfedcba98));
    expect(chunks.at(-1)).toEqual({ address: 0x0803_fffc, bytes: Uint8Array.of(0x98, 0xba, 0xdc, 0xfe) });
    expect(chunks.slice(0, -1)).toEqual(readHex(FILE));
    expect(addWord(FILE, 4, 1).match(/:00000001FF/g)).toHaveLength(1);
  });

  it('is refused where a line is damaged, and the line is named', () => {
    const expectRefusal = (text: string, words: RegExp): void =>
      expect(() => readHex(text)).toThrow(
        expect.objectContaining({ code: 'ERR_HEX', message: expect.stringMatching(words) }),
      );
    expectRefusal(FILE.replace('7EFE', '7EFF'), /line 1 /);
    expectRefusal(FILE.replace('1200EA', '12EA'), /line 3 /);
    expectRefusal(FILE.replace(':0400000001', '0400000001'), /line 4 /);
    expectRefusal(FILE.replace(':00000001FF', ''), /cut off/);
  });
});
