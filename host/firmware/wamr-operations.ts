// Instructions that take operands and give a result, and nothing more: what they take and give (WebAssembly core
// specification, 5.4), and what WAMR's loader makes of a local.set after them.
import { ValueType } from './wamr-module.js';

export interface Operation {
  readonly takes: readonly ValueType[];
  readonly gives?: ValueType;
}

const TYPE_OF = { i: ValueType.I32, I: ValueType.I64, f: ValueType.F32, F: ValueType.F64 } as const;

/** `iI:f` takes an i32 and an i64, the last one first, and gives an f32; capitals are 64 bits, f and F floating point. */
function operation(signature: string): Operation {
  const [takes = '', gives = ''] = signature.split(':');
  const types = (letters: string): ValueType[] => [...letters].map((letter) => TYPE_OF[letter as keyof typeof TYPE_OF]);
  return { takes: types(takes).toReversed(), ...(gives !== '' && { gives: types(gives)[0]! }) };
}

/** From, to (inclusive), signature. */
const NUMERIC_RANGES: readonly (readonly [number, number, string])[] = [
  [0x28, 0x28, 'i:i'],
  [0x29, 0x29, 'i:I'],
  [0x2a, 0x2a, 'i:f'],
  [0x2b, 0x2b, 'i:F'],
  [0x2c, 0x2f, 'i:i'],
  [0x30, 0x35, 'i:I'],
  [0x36, 0x36, 'ii'],
  [0x37, 0x37, 'iI'],
  [0x38, 0x38, 'if'],
  [0x39, 0x39, 'iF'],
  [0x3a, 0x3b, 'ii'],
  [0x3c, 0x3e, 'iI'],
  [0x45, 0x45, 'i:i'],
  [0x46, 0x4f, 'ii:i'],
  [0x50, 0x50, 'I:i'],
  [0x51, 0x5a, 'II:i'],
  [0x5b, 0x60, 'ff:i'],
  [0x61, 0x66, 'FF:i'],
  [0x67, 0x69, 'i:i'],
  [0x6a, 0x78, 'ii:i'],
  [0x79, 0x7b, 'I:I'],
  [0x7c, 0x8a, 'II:I'],
  [0x8b, 0x91, 'f:f'],
  [0x92, 0x98, 'ff:f'],
  [0x99, 0x9f, 'F:F'],
  [0xa0, 0xa6, 'FF:F'],
  [0xa7, 0xa7, 'I:i'],
  [0xa8, 0xa9, 'f:i'],
  [0xaa, 0xab, 'F:i'],
  [0xac, 0xad, 'i:I'],
  [0xae, 0xaf, 'f:I'],
  [0xb0, 0xb1, 'F:I'],
  [0xb2, 0xb3, 'i:f'],
  [0xb4, 0xb5, 'I:f'],
  [0xb6, 0xb6, 'F:f'],
  [0xb7, 0xb8, 'i:F'],
  [0xb9, 0xba, 'I:F'],
  [0xbb, 0xbb, 'f:F'],
  [0xbc, 0xbc, 'f:i'],
  [0xbd, 0xbd, 'F:I'],
  [0xbe, 0xbe, 'i:f'],
  [0xbf, 0xbf, 'I:F'],
  [0xc0, 0xc1, 'i:i'],
  [0xc2, 0xc4, 'I:I'],
];

export const NUMERIC: Readonly<Record<number, Operation>> = Object.fromEntries(
  NUMERIC_RANGES.flatMap(([from, to, signature]) =>
    Array.from({ length: to - from + 1 }, (_, i) => [from + i, operation(signature)]),
  ),
);

export interface PrefixedOperation extends Operation {
  /** Numbers in the module, and numbers in the translated code. */
  readonly immediates: number;
  readonly emits: number;
}

const prefixed = (signature: string, immediates = 0, emits = 0): PrefixedOperation => ({
  ...operation(signature),
  immediates,
  emits,
});

/** After 0xfc: conversions that saturate, memory.init, data.drop, memory.copy, memory.fill. */
export const MISCELLANEOUS: Readonly<Record<number, PrefixedOperation>> = {
  0: prefixed('f:i'),
  1: prefixed('f:i'),
  2: prefixed('F:i'),
  3: prefixed('F:i'),
  4: prefixed('f:I'),
  5: prefixed('f:I'),
  6: prefixed('F:I'),
  7: prefixed('F:I'),
  8: prefixed('iii', 2, 1),
  9: prefixed('', 1, 1),
  10: prefixed('iii', 2),
  11: prefixed('iii', 1),
};

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
