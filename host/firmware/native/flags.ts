// How gcc is told to make small code from what emit.ts writes. Every source of a firmware is compiled with the same flags:
// the base register belongs to all of them.

/**
 * Each optimisation that is left out makes code faster, or hopes to, and larger. They were found with gcc 12.2 by leaving out
 * what helped modem-mqttsn and light most, then what helped most besides, and so on until the next would have gained less
 * than a thousandth. Together they take 5 % off what -Os makes of both for Cortex-M4 and Cortex-M0, and 1 % for RISC-V.
 */
export const SIZE_FLAGS: readonly string[] = [
  '-Os',
  '-fno-expensive-optimizations',
  '-fno-tree-tail-merge',
  '-fno-code-hoisting',
  '-fno-move-loop-invariants',
  '-fno-tree-loop-im',
  '-fno-tree-forwprop',
  '-fno-rerun-cse-after-loop',
  '-fno-auto-inc-dec',
];

/** What floating-point operators of WebAssembly mean: no two are made into one. */
export const MEANING_FLAGS: readonly string[] = ['-ffp-contract=off'];

/** By the compiler's prefix, what a kind of core wants besides. */
const CORE_FLAGS: readonly (readonly [prefix: RegExp, flags: readonly string[]])[] = [
  // A register that holds an address in the state region for as long as the firmware runs (emit.ts): one that short
  // instructions reach, that is kept across calls, and that is no frame pointer.
  // The last scheduling of instructions gains nothing on small cores, but for RISC-V, where code becomes smaller by it.
  [/^arm-/, ['-fno-schedule-insns2', '-ffixed-r6', '-DWASM_BASE="r6"']],
  // The global pointer does that on RISC-V, and the linker sees to it (boards/common/sections.ld).
  [/^riscv/, ['-msave-restore']],
];

/** All flags for a compiler, by its prefix, such as `arm-none-eabi-`. */
export function nativeFlags(prefix: string): string[] {
  const core = CORE_FLAGS.find(([known]) => known.test(prefix))?.[1] ?? [];
  return [...SIZE_FLAGS, ...MEANING_FLAGS, ...core];
}
