// Modules in the text format for the native backend's tests, each compiled for two places in memory as a compiler would, and
// run both by V8 and, made into C, on a core that QEMU emulates.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emitC } from '../../../../host/firmware/native/emit.js';
import { nativeFlags } from '../../../../host/firmware/native/flags.js';
import { fromText, scratch } from '../modules.js';

export const TOOLS = ['arm-none-eabi-gcc', 'qemu-system-arm'] as const;

/** Where the objects of a test's module lie; each is 128 octets long. */
const PLACES = { low: 8, state: 136, high: 264, end: 392 };
const REGION_BYTES = 128;
/** How far the twin's move: each by another distance. */
const MOVED = { low: 0x100000, state: 0x120000, high: 0x140000, end: 0x140000 };

type Place = keyof typeof PLACES;

/** `{state+4}` in a text is the address four octets into the state region; `{low}` and `{high}` are constants. */
function textOf(body: string, moved: boolean): string {
  const at = (place: string, offset: string): number =>
    PLACES[place as Place] + (moved ? MOVED[place as Place] : 0) + Number(offset);
  const constant = (name: string, value: string): string =>
    `(func (export "${name}") (result i32) (i32.const ${value}))`;
  return `(module
    (import "board" "send" (func $send (param i32 i32) (result i32)))
    (memory (export "memory") 32)
    (global $end i32 (i32.const {end}))
    (export "__data_end" (global $end))
    ${constant('image', '{state}')} ${constant('imageBytes', String(REGION_BYTES))}
    ${body})`.replace(/\{(\w+)([+-]\d+)?\}/g, (_all, place: string, offset?: string) =>
    String(at(place, offset ?? '0')),
  );
}

export interface Twins {
  readonly module: Uint8Array;
  readonly shifted: Uint8Array;
}

/** `other`: what the twin's text has instead, where it is to differ in more than addresses. */
export function twins(body: string, other = body): Twins {
  return { module: fromText(textOf(body, false)), shifted: fromText(textOf(other, true)) };
}

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64';

/** A call of an export: arguments are bits, as a number or, of 64 bits, a bigint. */
export interface Call {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType | undefined;
  readonly args: readonly (number | bigint)[];
}

/** What a call came to: its result's bits in hex, 'trap', or 'void', behind the arguments of each `send` on the way. */
export type Outcome = string;

const view = new DataView(new ArrayBuffer(8));

function toJs(type: ValueType, bits: number | bigint): number | bigint {
  if (type === 'i32') return Number(bits) | 0;
  if (type === 'i64') return BigInt.asIntN(64, BigInt(bits));
  if (type === 'f32') view.setUint32(0, Number(bits) >>> 0);
  else view.setBigUint64(0, BigInt.asUintN(64, BigInt(bits)));
  return type === 'f32' ? view.getFloat32(0) : view.getFloat64(0);
}

function toHex(type: ValueType, value: number | bigint): string {
  if (type === 'i32') return (Number(value) >>> 0).toString(16).padStart(8, '0');
  if (type === 'i64') return BigInt.asUintN(64, BigInt(value)).toString(16).padStart(16, '0');
  if (Number.isNaN(value)) return 'nan';
  if (type === 'f32') view.setFloat32(0, Number(value));
  else view.setFloat64(0, Number(value));
  return type === 'f32' ? toHex('i32', view.getUint32(0)) : toHex('i64', view.getBigUint64(0));
}

/** The calls in V8, one after another. */
export function runInV8({ module }: Twins, calls: readonly Call[]): Outcome[] {
  let sent = '';
  const send = (a: number, b: number): number => {
    sent += `${toHex('i32', a)},${toHex('i32', b)} `;
    return (a ^ (b * 3)) | 0;
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { board: { send } });
  return calls.map(({ name, params, result, args }) => {
    sent = '';
    try {
      const call = exports[name] as (...args: (number | bigint)[]) => number | bigint;
      const value = call(...args.map((arg, i) => toJs(params[i]!, arg)));
      return `${sent}${result === undefined ? 'void' : toHex(result, value)}`;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      return `${sent}trap`;
    }
  });
}

export type Core = 'cortex-m0' | 'cortex-m4';

const MACHINES: Readonly<Record<Core, { machine: string; flash: string; ram: string }>> = {
  'cortex-m0': { machine: 'microbit', flash: '0x40000', ram: '0x4000' },
  'cortex-m4': { machine: 'mps2-an386', flash: '0x400000', ram: '0x10000' },
};
const QEMU_MS_MAX = 60_000;
const STACK_BYTES = '0x800';

/** The calls on an emulated core, each function by its name; a fault of the core is an error. */
export function runOnCore(
  twins: Twins,
  calls: readonly Call[],
  core: Core,
  options: { readonly checked?: boolean } = {},
): Outcome[] {
  const folder = scratch();
  writeFileSync(join(folder, 'module.c'), emitC(twins.module, twins.shifted, options));
  writeFileSync(join(folder, 'main.c'), mainFor(calls));
  const { machine, flash, ram } = MACHINES[core];
  const symbols = {
    __flash: '0',
    __flash_size: flash,
    __ram: '0x20000000',
    __ram_size: ram,
    __stack_size: STACK_BYTES,
  };
  const flags = [
    ...['--specs=picolibc.specs', '--oslib=semihost', '--crt0=hosted', `-mcpu=${core}`, '-mthumb', '-mfloat-abi=soft'],
    ...['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-ffunction-sections', '-Wl,--gc-sections'],
    ...nativeFlags('arm-none-eabi-'),
    ...Object.entries(symbols).map(([name, value]) => `-Wl,--defsym=${name}=${value}`),
  ];
  const at = { cwd: folder, encoding: 'utf8' as const };
  execFileSync('arm-none-eabi-gcc', [...flags, 'main.c', '-lm', '-o', 'main.elf'], at);
  execFileSync(
    'qemu-system-arm',
    [
      ...['-M', machine, '-display', 'none', '-monitor', 'none', '-serial', 'none', '-kernel', 'main.elf'],
      ...['-chardev', 'file,id=out,path=out.txt', '-semihosting-config', 'enable=on,target=native,chardev=out'],
    ],
    { ...at, timeout: QEMU_MS_MAX },
  );
  const output = readFileSync(join(folder, 'out.txt'), 'utf8');
  return output.trimEnd().split('\n');
}

/** Runs of calls that differ in arguments only share a loop over a table. */
function mainFor(calls: readonly Call[]): string {
  const groups: Call[][] = [];
  for (const call of calls) {
    if (groups.at(-1)?.[0]?.name === call.name) groups.at(-1)!.push(call);
    else groups.push([call]);
  }
  return `#include "module.c"
#include <setjmp.h>
#include <stdio.h>
static jmp_buf trapped;
_Noreturn void wasm_trap(const char *why) { (void)why; longjmp(trapped, 1); }
uint32_t import_send(uint32_t a, uint32_t b) {
  printf("%08lx,%08lx ", (unsigned long)a, (unsigned long)b);
  return a ^ b * 3;
}
static __attribute__((unused)) uint32_t f32_bits(float a) { uint32_t u; memcpy(&u, &a, 4); return u; }
static __attribute__((unused)) float f32_of(uint64_t u) { uint32_t v = (uint32_t)u; float a; memcpy(&a, &v, 4); return a; }
static __attribute__((unused)) double f64_of(uint64_t u) { double a; memcpy(&a, &u, 8); return a; }
static __attribute__((unused)) uint32_t i32_of(uint64_t u) { return (uint32_t)u; }
static __attribute__((unused)) uint64_t i64_of(uint64_t u) { return u; }
static __attribute__((unused)) void say_i32(uint32_t a) { printf("%08lx\\n", (unsigned long)a); }
static __attribute__((unused)) void say_i64(uint64_t a) { printf("%08lx%08lx\\n", (unsigned long)(a >> 32), (unsigned long)a); }
static __attribute__((unused)) void say_f32(float a) { if (a != a) puts("nan"); else say_i32(f32_bits(a)); }
static __attribute__((unused)) void say_f64(double a) {
  uint64_t u;
  memcpy(&u, &a, 8);
  if (a != a) puts("nan");
  else say_i64(u);
}
${groups.map(groupFor).join('\n')}
int main(void) {
  wasm_init();
${groups.map((_group, i) => `  group${i}();`).join('\n')}
}
`;
}

function groupFor(group: readonly Call[], index: number): string {
  const { name, params, result } = group[0]!;
  const width = Math.max(params.length, 1);
  const rows = group.map(
    ({ args }) => `{${args.map((arg) => `0x${BigInt.asUintN(64, BigInt(arg)).toString(16)}ull`).join(', ') || '0'}}`,
  );
  const args = params.map((type, i) => `${type}_of(table[i][${i}])`).join(', ');
  const call = `wasm_${name}(${args})`;
  const say = result === undefined ? `${call};\n    puts("void")` : `say_${result}(${call})`;
  return `static void group${index}(void) {
  static const uint64_t table[][${width}] = {${rows.join(', ')}};
  for (volatile unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (setjmp(trapped) != 0) {
      puts("trap");
      continue;
    }
    ${say};
  }
}`;
}
