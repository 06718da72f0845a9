// Intel HEX: what goes to flash, as lines of text.
//
// :LLAAAATT<data>CC, all in hexadecimal: length, address, type, data, and what makes the sum of all octets 0.
import { FirmwareError } from '../error.js';

/** Octets and where they go. */
export interface Chunk {
  readonly address: number;
  readonly bytes: Uint8Array;
}

const DATA = 0x00;
const END = 0x01;
const SEGMENT = 0x02;
const LINEAR = 0x04;
/** Length, address in two octets, type. */
const HEADER_BYTES = 4;
const LINE = /^:((?:[0-9a-f]{2}){5,})$/i;
const WORD_BYTES = 4;

/** In the order of the file; neighbours are joined. Throws ERR_HEX with the line's number. */
export function readHex(text: string): Chunk[] {
  const chunks: { address: number; bytes: number[] }[] = [];
  let base = 0;
  for (const [i, line] of text.trimEnd().split(/\r?\n/).entries()) {
    const { type, address, data } = readLine(line, i + 1);
    if (type === END) return chunks.map((c) => ({ address: c.address, bytes: Uint8Array.from(c.bytes) }));
    if (type === SEGMENT || type === LINEAR) base = ((data[0]! << 8) | data[1]!) * (type === LINEAR ? 0x10000 : 0x10);
    if (type !== DATA) continue;
    const last = chunks.at(-1);
    if (last !== undefined && last.address + last.bytes.length === base + address) last.bytes.push(...data);
    else chunks.push({ address: base + address, bytes: [...data] });
  }
  throw new FirmwareError('ERR_HEX', 'the HEX file has no end: it was cut off');
}

function readLine(line: string, number: number): { type: number; address: number; data: Uint8Array } {
  const octets = Buffer.from(LINE.exec(line)?.[1] ?? '', 'hex');
  const isWhole = octets.length === (octets[0] ?? 0) + HEADER_BYTES + 1;
  if (!isWhole || sumOf(octets) !== 0) {
    throw new FirmwareError('ERR_HEX', `line ${number} of the HEX file is damaged: ${line}`);
  }
  return { type: octets[3]!, address: octets.readUInt16BE(1), data: octets.subarray(HEADER_BYTES, -1) };
}

const sumOf = (octets: Uint8Array): number => octets.reduce((sum, octet) => (sum + octet) & 0xff, 0);

function writeLine(type: number, address: number, data: Uint8Array): string {
  const octets = [data.length, address >>> 8, address & 0xff, type, ...data];
  const check = -sumOf(Uint8Array.from(octets)) & 0xff;
  return `:${Buffer.from([...octets, check])
    .toString('hex')
    .toUpperCase()}\n`;
}

/** The HEX file with one word more, little-endian: how a device gets its seed when it is flashed. */
export function addWord(text: string, address: number, word: number): string {
  const data = Buffer.alloc(WORD_BYTES);
  data.writeUInt32LE(word >>> 0);
  const high = Uint8Array.from([address >>> 24, (address >>> 16) & 0xff]);
  const lines = writeLine(LINEAR, 0, high) + writeLine(DATA, address & 0xffff, data);
  // Behind everything else: who reads on from here must know the high half of the address anew, and nobody has to.
  return text
    .trimEnd()
    .replace(/(?=^:00000001FF$)/im, lines)
    .concat('\n');
}
