// After which instructions WAMR's loader makes nothing of a local.set (WASM_OP_SET_LOCAL).

/** Opcodes after which local.set costs nothing, and the cells of their result [LAST_OP_OUTPUT_I32, LAST_OP_OUTPUT_I64]. */
const DIRECT_32 = [
  [0x45, 0x78],
  [0x28, 0x28],
  [0x2a, 0x2a],
  [0x2c, 0x2f],
  [0x8b, 0x98],
  [0xa7, 0xab],
  [0xb2, 0xb6],
  [0xbc, 0xbc],
  [0xbe, 0xbe],
] as const;
const DIRECT_64 = [
  [0x79, 0x8a],
  [0x99, 0xa6],
  [0x29, 0x29],
  [0x2b, 0x2b],
  [0x30, 0x35],
  [0xac, 0xb1],
  [0xb7, 0xbb],
  [0xbd, 0xbd],
  [0xbf, 0xbf],
] as const;

/** 0 where local.set takes an instruction of its own. */
export function directCells(opcode: number): number {
  const isIn = (ranges: readonly (readonly [number, number])[]): boolean =>
    ranges.some(([from, to]) => opcode >= from && opcode <= to);
  return isIn(DIRECT_32) ? 1 : isIn(DIRECT_64) ? 2 : 0;
}
