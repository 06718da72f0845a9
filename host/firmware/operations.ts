// Instructions that take operands and give a result, and nothing more (WebAssembly core specification, 5.4): what they take
// and give. For whoever goes along code: code.ts, and wamr-loader.ts.
import type { ValueType } from './wasm.js';

export interface Operation {
  readonly takes: readonly ValueType[];
  readonly gives?: ValueType;
}

const TYPE_OF = { i: 'i32', I: 'i64', f: 'f32', F: 'f64' } as const;

/** `iI:f` takes an i32 and an i64, the last one first, and gives an f32; capitals are 64 bits, f and F floating point. */
function operation(signature: string): Operation {
  const [takes = '', gives = ''] = signature.split(':');
  const types = (letters: string): ValueType[] => [...letters].map((letter) => TYPE_OF[letter as keyof typeof TYPE_OF]);
  return { takes: types(takes).toReversed(), ...(gives !== '' && { gives: types(gives)[0]! }) };
}

/** From, to (inclusive), signature: loads and stores, then all that is numeric. */
const RANGES: readonly (readonly [number, number, string])[] = [
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

/** By opcode. */
export const OPERATIONS: Readonly<Record<number, Operation>> = Object.fromEntries(
  RANGES.flatMap(([from, to, signature]) =>
    Array.from({ length: to - from + 1 }, (_, i) => [from + i, operation(signature)]),
  ),
);

export interface ExtendedOperation extends Operation {
  /** Numbers that follow: of memories, of which there is one. */
  readonly immediates: number;
}

const extended = (signature: string, immediates = 0): ExtendedOperation => ({ ...operation(signature), immediates });

export const MEMORY_COPY = 10;
export const MEMORY_FILL = 11;

/** After 0xfc, by number: conversions that saturate, and what moves octets. Passive data and tables are on no device. */
export const EXTENDED_OPERATIONS: Readonly<Record<number, ExtendedOperation>> = {
  0: extended('f:i'),
  1: extended('f:i'),
  2: extended('F:i'),
  3: extended('F:i'),
  4: extended('f:I'),
  5: extended('f:I'),
  6: extended('F:I'),
  7: extended('F:I'),
  [MEMORY_COPY]: extended('iii', 2),
  [MEMORY_FILL]: extended('iii', 1),
};
