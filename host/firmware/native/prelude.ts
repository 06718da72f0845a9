// What the C made from a module stands on: types, accesses to memory, and those of WebAssembly's operators that C does
// not have. Only what a module uses is written down.

export interface PreludeOptions {
  /** Every access is held against the module's two regions and against the alignment that it claims, and traps elsewhere. */
  readonly checked: boolean;
}

/** What a person would be asked about and a program may do. */
const SILENCED = [
  'unused-parameter',
  'unused-but-set-parameter',
  'unused-but-set-variable',
  'type-limits',
  'int-in-bool-context',
  'tautological-compare',
  'bool-compare',
  'bool-operation',
  'sign-compare',
];

export const HEADER = `#include <stddef.h>
#include <stdint.h>
#include <string.h>

${SILENCED.map((warning) => `#pragma GCC diagnostic ignored "-W${warning}"`).join('\n')}
`;

export const TRAPS = `/// Supplied by whoever includes this file: a trap of WebAssembly's. It does not come back.
_Noreturn void wasm_trap(const char *why);
`;

/** By name: C, which may use others that stand before it. */
function helpers({ checked }: PreludeOptions): Readonly<Record<string, string>> {
  return {
    ...TRAP_HELPERS,
    ...(checked ? CHECKS : {}),
    ...accesses(checked),
    ...bulk(checked),
    ...BITS,
    ...DIVISION,
    ...FLOATS,
    ...SUMS,
    ...conversions(),
  };
}

const TRAP_HELPERS = {
  unreachable: `static _Noreturn __attribute__((noinline)) void unreachable(void) { wasm_trap("unreachable"); }`,
  divide_trap: `static _Noreturn __attribute__((noinline)) void divide_trap(void) { wasm_trap("integer divide by zero"); }`,
  overflow_trap: `static _Noreturn __attribute__((noinline)) void overflow_trap(void) { wasm_trap("integer overflow"); }`,
  convert_trap: `static _Noreturn __attribute__((noinline)) void convert_trap(void) { wasm_trap("invalid conversion to integer"); }`,
  bounds_trap: `static _Noreturn __attribute__((noinline)) void bounds_trap(void) { wasm_trap("out of bounds memory access"); }`,
};

const CHECKS = {
  readable: `static uint32_t readable(uint32_t at, uint32_t bytes) {
  if (is_state(at, bytes) || is_constant(at, bytes)) return at;
  bounds_trap();
}`,
  writable: `static uint32_t writable(uint32_t at, uint32_t bytes) {
  if (is_state(at, bytes)) return at;
  bounds_trap();
}`,
  // Not on the stack, of which a trap is to need no more than others.
  misaligned_trap: `static _Noreturn __attribute__((noinline)) void misaligned_trap(uint32_t at, uint32_t bytes) {
  static char why[] = "misaligned access: 0 octets at 0x00000000";
  why[19] = (char)('0' + bytes);
  for (uint32_t i = 0; i < 8; i++) why[40 - i] = "0123456789abcdef"[at >> 4 * i & 15];
  wasm_trap(why);
}`,
  aligned: `static uint32_t aligned(uint32_t at, uint32_t align, uint32_t bytes) {
  if ((at & (align - 1)) != 0) misaligned_trap(at, bytes);
  return at;
}`,
};

/** C types of the accesses; what is read may have been written as something else. */
const TYPES: readonly (readonly [name: string, type: string, result: string, bytes: number])[] = [
  ['u8', 'uint8_t', 'uint32_t', 1],
  ['s8', 'int8_t', 'uint32_t', 1],
  ['u16', 'uint16_t', 'uint32_t', 2],
  ['s16', 'int16_t', 'uint32_t', 2],
  ['u32', 'uint32_t', 'uint32_t', 4],
  ['s32', 'int32_t', 'uint32_t', 4],
  ['u64', 'uint64_t', 'uint64_t', 8],
  ['s64', 'uint64_t', 'uint64_t', 8],
  ['f32', 'float', 'float', 4],
  ['f64', 'double', 'double', 8],
];

function accesses(checked: boolean): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, type, result, bytes] of TYPES) {
    for (const align of [bytes, ...[1, 2, 4].filter((a) => a < bytes)]) {
      const suffix = align < bytes ? `_${align}` : '';
      const alias = `${name}${suffix}_at`;
      all[alias] = `typedef ${type} __attribute__((may_alias, aligned(${align}))) ${alias};`;
      const at = align > 1 ? `aligned(at, ${align}, ${bytes})` : 'at';
      const [load, store] = checked ? [`readable(${at}, ${bytes})`, `writable(${at}, ${bytes})`] : ['(at)', '(at)'];
      all[`load_${name}${suffix}`] = checked
        ? `static ${result} load_${name}${suffix}(uint32_t at) { return (${result})*(const ${alias} *)(uintptr_t)${load}; }`
        : `#define load_${name}${suffix}(at) ((${result})*(const ${alias} *)(uintptr_t)(at))`;
      all[`store_${name}${suffix}`] = checked
        ? `static void store_${name}${suffix}(uint32_t at, ${result} value) { *(${alias} *)(uintptr_t)${store} = (${type})value; }`
        : `#define store_${name}${suffix}(at, value) (*(${alias} *)(uintptr_t)(at) = (${type})(value))`;
    }
  }
  return all;
}

function bulk(checked: boolean): Record<string, string> {
  const [to, from] = checked ? ['writable(to, bytes)', 'readable(from, bytes)'] : ['(to)', '(from)'];
  const head = (text: string): string =>
    checked ? `static void ${text} {` : `#define ${text.replaceAll('uint32_t ', '')} \\\n `;
  const tail = checked ? ' }' : '';
  return {
    memory_copy: `${head('memory_copy(uint32_t to, uint32_t from, uint32_t bytes)')} memmove((void *)(uintptr_t)${to}, (const void *)(uintptr_t)${from}, bytes)${checked ? ';' : ''}${tail}`,
    memory_fill: `${head('memory_fill(uint32_t to, uint32_t value, uint32_t bytes)')} memset((void *)(uintptr_t)${to}, (int)(value), bytes)${checked ? ';' : ''}${tail}`,
  };
}

const BITS = {
  clz32: `static inline uint32_t clz32(uint32_t a) { return a == 0 ? 32 : (uint32_t)__builtin_clz(a); }`,
  ctz32: `static inline uint32_t ctz32(uint32_t a) { return a == 0 ? 32 : (uint32_t)__builtin_ctz(a); }`,
  popcnt32: `static inline uint32_t popcnt32(uint32_t a) { return (uint32_t)__builtin_popcount(a); }`,
  clz64: `static inline uint64_t clz64(uint64_t a) { return a == 0 ? 64 : (uint64_t)__builtin_clzll(a); }`,
  ctz64: `static inline uint64_t ctz64(uint64_t a) { return a == 0 ? 64 : (uint64_t)__builtin_ctzll(a); }`,
  popcnt64: `static inline uint64_t popcnt64(uint64_t a) { return (uint64_t)__builtin_popcountll(a); }`,
  rotl32: `static inline uint32_t rotl32(uint32_t a, uint32_t by) { return a << (by & 31) | a >> (-by & 31); }`,
  rotr32: `static inline uint32_t rotr32(uint32_t a, uint32_t by) { return a >> (by & 31) | a << (-by & 31); }`,
  rotl64: `static inline uint64_t rotl64(uint64_t a, uint64_t by) { return a << (by & 63) | a >> (-by & 63); }`,
  rotr64: `static inline uint64_t rotr64(uint64_t a, uint64_t by) { return a >> (by & 63) | a << (-by & 63); }`,
};

const DIVISION = Object.fromEntries(
  ['32', '64'].flatMap((bits) => {
    const u = `uint${bits}_t`;
    const s = `int${bits}_t`;
    const least = `INT${bits}_MIN`;
    return [
      [`div_u${bits}`, `static ${u} div_u${bits}(${u} a, ${u} b) {\n  if (b == 0) divide_trap();\n  return a / b;\n}`],
      [`rem_u${bits}`, `static ${u} rem_u${bits}(${u} a, ${u} b) {\n  if (b == 0) divide_trap();\n  return a % b;\n}`],
      [
        `div_s${bits}`,
        `static ${u} div_s${bits}(${u} a, ${u} b) {\n  if (b == 0) divide_trap();\n  if ((${s})a == ${least} && (${s})b == -1) overflow_trap();\n  return (${u})((${s})a / (${s})b);\n}`,
      ],
      [
        `rem_s${bits}`,
        `static ${u} rem_s${bits}(${u} a, ${u} b) {\n  if (b == 0) divide_trap();\n  return (${s})b == -1 ? 0 : (${u})((${s})a % (${s})b);\n}`,
      ],
    ];
  }),
);

const FLOATS = Object.fromEntries(
  [
    ['f32', 'float', 'f', 'uint32_t'],
    ['f64', 'double', '', 'uint64_t'],
  ].flatMap(([f, type, b, bits]) => {
    const one = (name: string, body: string): [string, string] => [
      `${name}_${f}`,
      `static inline ${type} ${name}_${f}(${type} a) { return ${body}; }`,
    ];
    const two = (name: string, body: string): [string, string] => [
      `${name}_${f}`,
      `static ${type} ${name}_${f}(${type} a, ${type} b) {\n  ${body}\n}`,
    ];
    return [
      one('trunc', `__builtin_trunc${b}(a)`),
      one('sqrt', `__builtin_sqrt${b}(a)`),
      // Not those of the C library: picolibc 1.8 forgets a carry.
      [
        `ceil_${f}`,
        `static ${type} ceil_${f}(${type} a) {\n  ${type} t = trunc_${f}(a);\n  return a > t ? t + 1 : t;\n}`,
      ],
      [
        `floor_${f}`,
        `static ${type} floor_${f}(${type} a) {\n  ${type} t = trunc_${f}(a);\n  return a < t ? t - 1 : t;\n}`,
      ],
      [
        `nearest_${f}`,
        `static ${type} nearest_${f}(${type} a) {
  ${type} t = trunc_${f}(a);
  ${type} rest = __builtin_fabs${b}(a - t), half = t / 2;
  // A tie goes to the even one.
  if (rest < (${type})0.5 || (rest == (${type})0.5 && trunc_${f}(half) == half) || !(rest <= 1)) return t;
  return t + __builtin_copysign${b}(1, a);
}`,
      ],
      two('copy_sign', `return __builtin_copysign${b}(a, b);`),
      // -0 is less than 0, and what is no number stays none.
      two(
        'min',
        `if (a != a || b != b) return a + b;\n  if (a == b) return __builtin_signbit(a) ? a : b;\n  return a < b ? a : b;`,
      ),
      two(
        'max',
        `if (a != a || b != b) return a + b;\n  if (a == b) return __builtin_signbit(a) ? b : a;\n  return a > b ? a : b;`,
      ),
      [
        `bits_of_${f}`,
        `static inline ${bits} bits_of_${f}(${type} a) {\n  ${bits} bits;\n  memcpy(&bits, &a, sizeof bits);\n  return bits;\n}`,
      ],
      [
        `${f}_of_bits`,
        `static inline ${type} ${f}_of_bits(${bits} bits) {\n  ${type} a;\n  memcpy(&a, &bits, sizeof a);\n  return a;\n}`,
      ],
    ] as [string, string][];
  }),
);

/**
 * On cores with Thumb-2 and without numbers of 64 bits, libgcc 12.2 (ieee754-df.S) adds in assembly. Where signs differ and
 * exponents are 33 apart it loses the bit that decides on the last place, should the sum be a bit shorter. What is missing
 * can be told exactly, and added: those exponents are not 33 apart. A subnormal number has the exponent 1, and 0 in its bits.
 */
const SUMS = {
  exponent_f64: 'static inline int exponent_f64(double a) { return (int)(bits_of_f64(a) >> 52 & 0x7ff); }',
  add_f64: `#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2 && !(defined(__ARM_FP) && __ARM_FP & 8)
static double add_f64(double a, double b) {
  double sum = a + b;
  if (!((bits_of_f64(a) ^ bits_of_f64(b)) >> 63)) return sum;
  int at = exponent_f64(a), bt = exponent_f64(b), apart = at > bt ? at - bt : bt - at;
  if (at == 0x7ff || bt == 0x7ff || (apart != 33 && apart != 34)) return sum;
  return sum + (at > bt ? b - (sum - a) : a - (sum - b));
}
#else
static inline double add_f64(double a, double b) { return a + b; }
#endif`,
  sub_f64: 'static inline double sub_f64(double a, double b) { return add_f64(a, -b); }',
};

/** Truncations: the first numbers that no longer fit, as C's floats have them exactly; beyond them a trap, or the nearest. */
function conversions(): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [f, type] of [
    ['f32', 'float'],
    ['f64', 'double'],
  ] as const) {
    for (const bits of [32, 64]) {
      for (const sign of ['s', 'u'] as const) {
        const to = `${sign === 's' ? '' : 'u'}int${bits}_t`;
        const above = sign === 's' ? `0x1p${bits - 1}` : `0x1p${bits}`;
        // The least that fits is -2^(n-1); -2^31 - 0.5 still does, and f64 can say so.
        const fitsBelow =
          sign === 'u' ? 'a > -1.0' : f === 'f64' && bits === 32 ? 'a > -0x1.00000002p31' : `a >= -0x1p${bits - 1}`;
        const least = sign === 'u' ? '0' : `(uint${bits}_t)INT${bits}_MIN`;
        const most = sign === 'u' ? `UINT${bits}_MAX` : `INT${bits}_MAX`;
        const u = `uint${bits}_t`;
        all[`trunc_${sign}${bits}_${f}`] =
          `static ${u} trunc_${sign}${bits}_${f}(${type} a) {\n  if (a != a) convert_trap();\n  if (!(a < ${above} && ${fitsBelow})) overflow_trap();\n  return (${u})(${to})a;\n}`;
        all[`trunc_sat_${sign}${bits}_${f}`] =
          `static ${u} trunc_sat_${sign}${bits}_${f}(${type} a) {\n  if (a != a) return 0;\n  if (!(a < ${above})) return ${most};\n  return ${fitsBelow} ? (${u})(${to})a : ${least};\n}`;
      }
    }
  }
  return all;
}

/** The helpers that `code` uses, and those that these use, in an order in which C can read them. */
export function preludeFor(code: string, options: PreludeOptions): string {
  const all = helpers(options);
  const needed = new Set<string>();
  const visit = (text: string): void => {
    for (const [word] of text.matchAll(/\b[a-z]\w+/g)) {
      if (needed.has(word) || !Object.hasOwn(all, word)) continue;
      needed.add(word);
      visit(all[word]!);
    }
  };
  visit(code);
  // Types before the accesses that use them.
  const names = Object.keys(all).filter((name) => needed.has(name));
  return `${names.map((name) => all[name]!).join('\n')}\n`;
}
