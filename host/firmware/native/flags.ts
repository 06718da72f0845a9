// How gcc is told to make small code from what emit.ts writes. Every source of a firmware is compiled with the same flags:
// the base register belongs to all of them.
//
// Each optimisation that is left out makes code faster, or so it hopes, and larger. They were found by leaving out what
// helped most, then what helped most besides, until nothing did: summed over modem-mqttsn and light, on Cortex-M4,
// Cortex-M0 and RV32, with gcc 12.2.

export const SIZE_FLAGS: readonly string[] = ['-Os', '-fno-expensive-optimizations', '-fno-schedule-insns2'];

/** What floating-point operators of WebAssembly mean: no two are made into one. */
export const MEANING_FLAGS: readonly string[] = ['-ffp-contract=off'];

/**
 * The register that holds an address in the state region for as long as the firmware runs (emit.ts), by the kind of core.
 * One that short instructions reach, that is kept across calls, and that is no frame pointer.
 */
const BASE_REGISTERS: readonly (readonly [prefix: RegExp, register: string])[] = [
  [/^arm-/, 'r6'],
  [/^riscv/, 's1'],
];

/** All flags for a compiler, by its prefix, such as `arm-none-eabi-`. */
export function nativeFlags(prefix: string): string[] {
  const register = BASE_REGISTERS.find(([known]) => known.test(prefix))?.[1];
  const base = register === undefined ? [] : [`-ffixed-${register}`, `-DWASM_BASE="${register}"`];
  return [...SIZE_FLAGS, ...MEANING_FLAGS, ...base];
}
