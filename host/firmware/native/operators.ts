// WebAssembly's operators in C. What C leaves undefined (shifts by too much, overflow, conversions out of range) is
// written so that it is not, or goes through a function of the prelude.
import type { ValueType } from './ir.js';

/** A C expression without side effects, and what moving it must respect. */
export interface Value {
  readonly code: string;
  /** It needs no parentheses wherever it stands. */
  readonly atom: boolean;
  /** A comparison: an int of C, good as a condition. */
  readonly truth?: boolean;
  /** Locals that it reads. */
  readonly locals: ReadonlySet<number>;
  /** It reads memory, or may trap: it must not move past what writes memory, calls or leaves. */
  readonly memory: boolean;
  /** It may trap: it must be evaluated where the module does. */
  readonly traps: boolean;
  /** Its value, where it is a number known here. */
  readonly number?: number | bigint;
}

const NO_LOCALS: ReadonlySet<number> = new Set();

export function atom(code: string): Value {
  return { code, atom: true, locals: NO_LOCALS, memory: false, traps: false };
}

/** `code` made from `parts`: it respects what they do. */
export function made(code: string, parts: readonly Value[], more: Partial<Value> = {}): Value {
  return {
    code,
    atom: false,
    locals: parts.length === 1 ? parts[0]!.locals : new Set(parts.flatMap((part) => [...part.locals])),
    memory: parts.some((part) => part.memory),
    traps: parts.some((part) => part.traps),
    ...more,
  };
}

/** In parentheses, unless it needs none. */
export function closed({ code, atom }: Value): string {
  return atom ? code : `(${code})`;
}

/** As an operand: a comparison becomes a number of WebAssembly's, and nothing is signed. */
export function operand(value: Value): string {
  if (typeof value.number === 'number' && /^\d+$/.test(value.code)) return `${value.code}u`;
  return value.truth === true ? `(uint32_t)${closed(value)}` : closed(value);
}

/** As a whole argument, or what is assigned: the outermost parentheses are not needed. */
export function bare({ code }: Value): string {
  return code;
}

export function condition(value: Value): string {
  return value.truth === true ? value.code : `${closed(value)} != 0`;
}

const SIGNED: Readonly<Record<'32' | '64', string>> = { '32': '(int32_t)', '64': '(int64_t)' };
const UNSIGNED: Readonly<Record<'32' | '64', string>> = { '32': '(uint32_t)', '64': '(uint64_t)' };

/** Operators that C has, with the same meaning on unsigned numbers. */
const PLAIN: Readonly<Record<string, string>> = { Add: '+', Sub: '-', Mul: '*', And: '&', Or: '|', Xor: '^' };
const COMPARISONS: Readonly<Record<string, string>> = {
  Eq: '==',
  Ne: '!=',
  LtS: '<',
  LeS: '<=',
  GtS: '>',
  GeS: '>=',
  LtU: '<',
  LeU: '<=',
  GtU: '>',
  GeU: '>=',
};
const FLOAT_COMPARISONS: Readonly<Record<string, string>> = {
  Eq: '==',
  Ne: '!=',
  Lt: '<',
  Le: '<=',
  Gt: '>',
  Ge: '>=',
};
const FLOAT_PLAIN: Readonly<Record<string, string>> = { Add: '+', Sub: '-', Mul: '*', Div: '/' };
/** Those that a library gets wrong (prelude.ts). */
const MENDED: readonly string[] = ['Add64', 'Sub64'];

/** What the prelude calls a function on a type: `div_s32`, `min_f64`. */
function helper(name: string, type: string): string {
  return `${name.replace(/[A-Z]/g, (letter, at: number) => (at > 0 ? '_' : '') + letter.toLowerCase())}${type}`;
}

export function binary(op: string, left: Value, right: Value): Value {
  const [, name, family, bits] = /^(.*?)(Int|Float)(32|64)$/.exec(op) as unknown as [
    string,
    string,
    string,
    '32' | '64',
  ];
  return family === 'Int' ? integerBinary(name, bits, left, right) : floatBinary(name, bits, left, right);
}

function integerBinary(name: string, bits: '32' | '64', left: Value, right: Value): Value {
  const parts = [left, right];
  const plain = PLAIN[name];
  if (plain !== undefined) return made(`${operand(left)} ${plain} ${operand(right)}`, parts);
  const comparison = COMPARISONS[name];
  if (comparison !== undefined) {
    const cast = name.endsWith('S') ? SIGNED[bits] : '';
    const [a, b] = [left, right].map((side) => (cast === '' ? operand(side) : signed(cast, side)));
    return made(`${a} ${comparison} ${b}`, parts, { truth: true });
  }
  if (/^(Shl|Shr|Rot)/.test(name)) return shift(name, bits, left, right);
  return divide(name, bits, left, right);
}

const INT32_MIN = -(2 ** 31);

function signed(cast: string, value: Value): string {
  // A small number is the same with or without sign, and reads better without a cast.
  // The least one has no literal in C.
  if (typeof value.number === 'number' && value.number !== INT32_MIN) return String(value.number);
  return `${cast}${closed(value)}`;
}

function shift(name: string, bits: '32' | '64', left: Value, right: Value): Value {
  const mask = Number(bits) - 1;
  const by =
    right.number === undefined ? `(${operand(right)} & ${mask})` : String(Number(BigInt(right.number) & BigInt(mask)));
  const parts = [left, right];
  if (name === 'Shl') return made(`${operand(left)} << ${by}`, parts);
  if (name === 'ShrU') return made(`${operand(left)} >> ${by}`, parts);
  if (name === 'ShrS') return made(`${UNSIGNED[bits]}(${SIGNED[bits]}${closed(left)} >> ${by})`, parts);
  return made(`${helper(name === 'RotL' ? 'rotl' : 'rotr', bits)}(${bare(left)}, ${bare(right)})`, parts, {
    atom: true,
  });
}

/** DivS, DivU, RemS, RemU: zero traps, and so does the one quotient that does not fit. */
function divide(name: string, bits: '32' | '64', left: Value, right: Value): Value {
  const parts = [left, right];
  const sign = name.endsWith('S') ? SIGNED[bits] : '';
  const known = right.number !== undefined && BigInt(right.number) !== 0n && BigInt(right.number) !== -1n;
  if (known) {
    const [a, b] = parts.map((part) => (sign === '' ? operand(part) : `${sign}${closed(part)}`));
    const quotient = `${a} ${name.startsWith('Div') ? '/' : '%'} ${b}`;
    return made(sign === '' ? quotient : `${UNSIGNED[bits]}(${quotient})`, parts);
  }
  const code = `${helper(name, bits)}(${bare(left)}, ${bare(right)})`;
  return made(code, parts, { atom: true, memory: true, traps: true });
}

function floatBinary(name: string, bits: '32' | '64', left: Value, right: Value): Value {
  const parts = [left, right];
  const comparison = FLOAT_COMPARISONS[name];
  if (comparison !== undefined) return made(`${closed(left)} ${comparison} ${closed(right)}`, parts, { truth: true });
  const plain = MENDED.includes(`${name}${bits}`) ? undefined : FLOAT_PLAIN[name];
  if (plain !== undefined) return made(`${closed(left)} ${plain} ${closed(right)}`, parts);
  return made(`${helper(name, `_f${bits}`)}(${bare(left)}, ${bare(right)})`, parts, { atom: true });
}

/** C for each unary operator; `$` is its operand. */
const UNARY: Readonly<Record<string, string>> = {
  ClzInt32: 'clz32($)',
  CtzInt32: 'ctz32($)',
  PopcntInt32: 'popcnt32($)',
  ClzInt64: 'clz64($)',
  CtzInt64: 'ctz64($)',
  PopcntInt64: 'popcnt64($)',
  ExtendS8Int32: '(uint32_t)(int8_t)$',
  ExtendS16Int32: '(uint32_t)(int16_t)$',
  ExtendS8Int64: '(uint64_t)(int8_t)$',
  ExtendS16Int64: '(uint64_t)(int16_t)$',
  ExtendS32Int64: '(uint64_t)(int32_t)$',
  ExtendSInt32: '(uint64_t)(int32_t)$',
  ExtendUInt32: '(uint64_t)$',
  WrapInt64: '(uint32_t)$',
  NegFloat32: '-$',
  NegFloat64: '-$',
  AbsFloat32: '__builtin_fabsf($)',
  AbsFloat64: '__builtin_fabs($)',
  CeilFloat32: 'ceil_f32($)',
  CeilFloat64: 'ceil_f64($)',
  FloorFloat32: 'floor_f32($)',
  FloorFloat64: 'floor_f64($)',
  TruncFloat32: 'trunc_f32($)',
  TruncFloat64: 'trunc_f64($)',
  NearestFloat32: 'nearest_f32($)',
  NearestFloat64: 'nearest_f64($)',
  SqrtFloat32: 'sqrt_f32($)',
  SqrtFloat64: 'sqrt_f64($)',
  ReinterpretFloat32: 'bits_of_f32($)',
  ReinterpretFloat64: 'bits_of_f64($)',
  ReinterpretInt32: 'f32_of_bits($)',
  ReinterpretInt64: 'f64_of_bits($)',
  ConvertSInt32ToFloat32: '(float)(int32_t)$',
  ConvertSInt32ToFloat64: '(double)(int32_t)$',
  ConvertUInt32ToFloat32: '(float)$',
  ConvertUInt32ToFloat64: '(double)$',
  ConvertSInt64ToFloat32: '(float)(int64_t)$',
  ConvertSInt64ToFloat64: '(double)(int64_t)$',
  ConvertUInt64ToFloat32: '(float)$',
  ConvertUInt64ToFloat64: '(double)$',
  PromoteFloat32: '(double)$',
  DemoteFloat64: '(float)$',
};

export function unary(op: string, value: Value): Value {
  if (op.startsWith('EqZ')) {
    const code = value.truth === true ? `!${closed(value)}` : `${closed(value)} == 0`;
    return made(code, [value], { truth: true });
  }
  const conversion = /^Trunc(Sat)?([SU])Float(32|64)ToInt(32|64)$/.exec(op);
  if (conversion !== null) {
    const [, saturating, sign, from, to] = conversion as unknown as [
      string,
      string | undefined,
      string,
      string,
      string,
    ];
    const code = `trunc_${saturating === undefined ? '' : 'sat_'}${sign.toLowerCase()}${to}_f${from}(${bare(value)})`;
    return made(code, [value], saturating === undefined ? { atom: true, memory: true, traps: true } : { atom: true });
  }
  const template = UNARY[op];
  if (template === undefined) throw new Error(`operator ${op}`);
  const isCall = template.endsWith('($)');
  const code = isCall ? template.replace('$', () => bare(value)) : template.replace('$', () => operand(value));
  return made(code, [value], { atom: isCall });
}

/** A number as C writes it. */
export function constant(type: ValueType, value: number | bigint): Value {
  if (type === 'i32') {
    // The most negative number has no literal of its own in C; all of them are the same modulo 2^32.
    const unsigned = Number(value) >>> 0;
    const code = unsigned < 0x10000 ? String(unsigned) : `0x${unsigned.toString(16)}u`;
    return { ...atom(code), number: Number(value) | 0 };
  }
  if (type === 'i64') {
    const signed = BigInt.asIntN(64, BigInt(value));
    return { ...atom(`0x${BigInt.asUintN(64, signed).toString(16)}ull`), number: signed };
  }
  return atom(floatLiteral(type, Number(value)));
}

function floatLiteral(type: 'f32' | 'f64', value: number): string {
  const suffix = type === 'f32' ? 'f' : '';
  if (Number.isNaN(value)) return `__builtin_nan${suffix}("")`;
  if (!Number.isFinite(value)) return `(${value < 0 ? '-' : ''}__builtin_inf${suffix}())`;
  const text = Object.is(value, -0) ? '-0' : String(value);
  const decimal = /[.e]/.test(text) ? text : `${text}.0`;
  return `${decimal.startsWith('-') ? `(${decimal}${suffix})` : `${decimal}${suffix}`}`;
}
