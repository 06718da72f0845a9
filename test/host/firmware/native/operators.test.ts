// Every operator of WebAssembly in native code, on edge values, against V8.
import { expect, it } from 'vitest';
import { describeWithTools } from '../../../tools.js';
import { type Call, type Core, runInV8, runOnCore, TOOLS, twins, type ValueType } from './twins.js';

const VALUES: Readonly<Record<ValueType, readonly (number | bigint)[]>> = {
  i32: [
    0, 1, -1, 2, 7, 31, 32, 33, 127, 128, 255, 0x7fff, 0x8000, 0xffff, 0x12345678, 0x7fffffff, -0x80000000, -0x7fffffff,
  ],
  i64: [
    0n,
    1n,
    -1n,
    2n,
    63n,
    64n,
    65n,
    0x80n,
    0x8000n,
    0x80000000n,
    0xffffffffn,
    0x123456789abcdef0n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ],
  // 0, -0, 1, -1, 0.5, 1.5, 2.5, -0.5, -1.5, the least, 2^31 and before it, 2^32, 2^63, 2^64, -2^31, -2^63, infinities, none
  f32: [
    0, 0x80000000, 0x3f800000, 0xbf800000, 0x3f000000, 0x3fc00000, 0x40200000, 0xbf000000, 0xbfc00000, 1, 0x4f000000,
    0x4effffff, 0x4f800000, 0x5f000000, 0x5f800000, 0xcf000000, 0xdf000000, 0xdf000001, 0x7f800000, 0xff800000,
    0x7fc00000, 0x40490fdb, 0x7f7fffff,
  ],
  f64: [
    0n,
    0x8000000000000000n,
    0x3ff0000000000000n,
    0xbff0000000000000n,
    0x3fe0000000000000n,
    0x3ff8000000000000n,
    0x4004000000000000n,
    0xbfe0000000000000n,
    0xbfefffffffffffffn,
    1n,
    0x41e0000000000000n,
    0x41dfffffffc00000n,
    0x41dfffffffe00000n,
    0xc1e0000000000000n,
    0xc1e00000001fffffn,
    0xc1e0000000200000n,
    0x41f0000000000000n,
    0x41efffffffffffffn,
    0x43e0000000000000n,
    0x43dfffffffffffffn,
    0xc3e0000000000000n,
    0xc3e0000000000001n,
    0x43f0000000000000n,
    0x7ff0000000000000n,
    0xfff0000000000000n,
    0x7ff8000000000000n,
    0x400921fb54442d18n,
    0x47efffffe0000000n,
  ],
};

const INTEGER = [
  'add',
  'sub',
  'mul',
  'div_s',
  'div_u',
  'rem_s',
  'rem_u',
  'and',
  'or',
  'xor',
  'shl',
  'shr_s',
  'shr_u',
  'rotl',
  'rotr',
];
const INTEGER_TESTS = ['eq', 'ne', 'lt_s', 'lt_u', 'le_s', 'le_u', 'gt_s', 'gt_u', 'ge_s', 'ge_u'];
const FLOAT = ['add', 'sub', 'mul', 'div', 'min', 'max', 'copysign'];
const FLOAT_TESTS = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'];
const FLOAT_UNARY = ['neg', 'abs', 'ceil', 'floor', 'trunc', 'nearest', 'sqrt'];

/** An operator: its name, its operands, its result. */
type Operator = readonly [name: string, params: readonly ValueType[], result: ValueType];

function operators(): Operator[] {
  const all: Operator[] = [];
  for (const type of ['i32', 'i64'] as const) {
    for (const op of INTEGER) all.push([`${type}.${op}`, [type, type], type]);
    for (const op of INTEGER_TESTS) all.push([`${type}.${op}`, [type, type], 'i32']);
    for (const op of ['clz', 'ctz', 'popcnt', 'extend8_s', 'extend16_s']) all.push([`${type}.${op}`, [type], type]);
    all.push([`${type}.eqz`, [type], 'i32']);
    for (const from of ['f32', 'f64'] as const) {
      for (const sign of ['s', 'u']) {
        all.push([`${type}.trunc_${from}_${sign}`, [from], type], [`${type}.trunc_sat_${from}_${sign}`, [from], type]);
        all.push([`${from}.convert_${type}_${sign}`, [type], from]);
      }
    }
  }
  for (const type of ['f32', 'f64'] as const) {
    for (const op of FLOAT) all.push([`${type}.${op}`, [type, type], type]);
    for (const op of FLOAT_TESTS) all.push([`${type}.${op}`, [type, type], 'i32']);
    for (const op of FLOAT_UNARY) all.push([`${type}.${op}`, [type], type]);
  }
  all.push(
    ['i64.extend32_s', ['i64'], 'i64'],
    ['i64.extend_i32_s', ['i32'], 'i64'],
    ['i64.extend_i32_u', ['i32'], 'i64'],
  );
  all.push(['i32.wrap_i64', ['i64'], 'i32'], ['f64.promote_f32', ['f32'], 'f64'], ['f32.demote_f64', ['f64'], 'f32']);
  all.push(['i32.reinterpret_f32', ['f32'], 'i32'], ['f32.reinterpret_i32', ['i32'], 'f32']);
  all.push(['i64.reinterpret_f64', ['f64'], 'i64'], ['f64.reinterpret_i64', ['i64'], 'f64']);
  return all;
}

interface Suite {
  readonly body: string;
  readonly calls: readonly Call[];
}

function suite(some: readonly Operator[]): Suite {
  const body: string[] = [];
  const calls: Call[] = [];
  some.forEach(([op, params, result], i) => {
    const name = `op${i}`;
    const list = params.map((_type, at) => `(local.get ${at})`).join(' ');
    body.push(`(func (export "${name}") (param ${params.join(' ')}) (result ${result}) (${op} ${list}))`);
    const [first, second] = params.map((type) => VALUES[type]);
    for (const a of first!) {
      for (const b of second ?? [0]) calls.push({ name, params, result, args: second === undefined ? [a] : [a, b] });
    }
  });
  return { body: body.join('\n'), calls };
}

/** The right operand is a constant: divisions are not checked then, shifts not masked. */
function withConstants(type: 'i32' | 'i64'): Suite {
  const body: string[] = [];
  const calls: Call[] = [];
  for (const op of [...INTEGER, ...INTEGER_TESTS]) {
    for (const constant of VALUES[type]) {
      const name = `c${body.length}`;
      const result = INTEGER_TESTS.includes(op) ? 'i32' : type;
      body.push(
        `(func (export "${name}") (param ${type}) (result ${result}) (${type}.${op} (local.get 0) (${type}.const ${constant})))`,
      );
      for (const a of VALUES[type].slice(-7)) calls.push({ name, params: [type], result, args: [a] });
    }
  }
  return { body: body.join('\n'), calls };
}

/** A number little above a power of two and one that is smaller and of the other sign, both ways; and those near no number. */
function farSums(): Suite {
  const body = ['add', 'sub'].map(
    (op) => `(func (export "${op}") (param f64 f64) (result f64) (f64.${op} (local.get 0) (local.get 1)))`,
  );
  const of = (exponent: number, mantissa: bigint): bigint => (BigInt(exponent) << 52n) | mantissa;
  const pairs = [31, 32, 33, 34, 35, 52, 53, 54].flatMap((apart) =>
    [apart, apart + 1, 1_023, 2_046].flatMap((exponent) =>
      MANTISSAS.flatMap((mantissa) => [0n, 3n].map((above) => [of(exponent, above), of(exponent - apart, mantissa)])),
    ),
  );
  pairs.push([of(0x7fe, (1n << 52n) - 1n), of(0x7fe - 33, 0n)]);
  pairs.push([of(0x7ff, 0n), of(0x7ff - 33, 5n)], [of(0x7ff, 1n << 51n), of(0x7ff - 33, 5n)]);
  const negative = 1n << 63n;
  const args = pairs.flatMap(([a, b]) => [
    [a!, b! | negative],
    [b! | negative, a!],
    [a!, b!],
  ]);
  const calls = ['add', 'sub'].flatMap((name) =>
    args.map((both): Call => ({ name, params: ['f64', 'f64'], result: 'f64', args: both })),
  );
  return { body: body.join('\n'), calls };
}

const MANTISSAS = [0n, 1n, 0x80000000n, 0x80000001n, 0x3fffffffn, 0xdeadbeef12345n, 0xffffffffffffen, 0x8000100000000n];

function expectSame({ body, calls }: Suite, core: Core): void {
  const pair = twins(body);
  const native = runOnCore(pair, calls, core);
  const wanted = runInV8(pair, calls);
  const lines = body.split('\n');
  const wrong = calls
    .map(({ name, args }, i) => ({
      is: `${lines[Number(name.replace(/\D+/, ''))]} of ${args.join(', ')}: ${native[i]}`,
      want: wanted[i],
      i,
    }))
    .filter(({ want, i }) => native[i] !== want);
  expect(native).toHaveLength(wanted.length);
  expect(wrong).toEqual([]);
}

const INT_ONLY = operators().filter(
  ([op, params]) => op.startsWith('i') && params.every((type) => type.startsWith('i')),
);
const FLOATING = operators().filter((operator) => !INT_ONLY.includes(operator));

describeWithTools(TOOLS, 'operators in native code', () => {
  it.each(['cortex-m0', 'cortex-m4'] as const)(
    'on integers are those of WebAssembly, traps included, on %s',
    (core) => {
      expectSame(suite(INT_ONLY), core);
    },
    120_000,
  );

  it.each(['cortex-m0', 'cortex-m4'] as const)(
    'on floating-point numbers are those of WebAssembly, traps included, on %s',
    (core) => {
      expectSame(suite(FLOATING), core);
    },
    120_000,
  );

  it('on numbers of any distance add up to the last place', () => {
    // gcc's own sum is wrong on Cortex-M3 and M4 where exponents are 33 apart (prelude.ts).
    expectSame(farSums(), 'cortex-m4');
  }, 120_000);

  it.each(['i32', 'i64'] as const)(
    'with constants of %s are those of WebAssembly',
    (type) => {
      expectSame(withConstants(type), 'cortex-m4');
    },
    120_000,
  );
});
