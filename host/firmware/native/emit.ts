// Native code: a linked module as one file of C. docs/DESIGN.md, "Native code", says why it is not wasm2c's.
import { FirmwareError } from '../error.js';
import { AddressWriter, MACROS } from './addresses.js';
import { C_TYPE, declaration, emitFunction, type Surroundings } from './emit-function.js';
import { type Program, type Region, readProgram, type Signature } from './ir.js';
import { HEADER, preludeFor, TRAPS } from './prelude.js';
import { type Layout, relocate } from './relocate.js';
import { emitVerbs, type Verb } from './verbs.js';

export interface EmitOptions {
  /** Every access to memory is held against the module's two regions and its own alignment: anything else traps. Default: false. */
  readonly checked?: boolean;
  /** With wasm_verb, which calls what the module exports by its name. Default: false. */
  readonly verbs?: boolean;
}

/** Both regions begin so: what a double needs. */
const ALIGNMENT = 8;
/** Nothing lies below: asconfig.json, memoryBase. */
const MEMORY_BASE = 8;
const WORD_BYTES = 4;
const WORDS_A_LINE = 10;

/**
 * The C for a linked module. `shifted`: the same source, compiled with another `memoryBase` and linked. Throws ERR_NATIVE
 * where the module has something of which no native code is made.
 */
export function emitC(module: Uint8Array, shifted: Uint8Array, options: EmitOptions = {}): string {
  const program = readProgram(module);
  const layout = relocate(program, readProgram(shifted));
  const addresses = new AddressWriter(layout);
  const names = nameFunctions(program);
  const signatures = new Map<string, Signature>([...program.functions, ...program.imports].map((f) => [f.name, f]));
  const around: Surroundings = {
    nameOf: (target) => names.get(target)!,
    signatureOf: (target) => signatures.get(target)!,
    addresses,
  };
  const heads = new Map(program.functions.map((fn) => [fn.name, headOf(program, names, fn)]));
  const functions = program.functions.map((fn) => {
    const text = emitFunction(fn, heads.get(fn.name)!, around);
    // What only says where something is says so at any time.
    return fn.body.kind === 'const' ? itself(text) : text;
  });
  const imports = program.imports.map((f) => `${declarationOf(`import_${f.base}`, f)};`);
  const code = functions.join('\n');
  const memory = emitMemory(layout, addresses);
  const checked = options.checked === true;
  return [
    '// Made by thimble from a WebAssembly module: change that.',
    HEADER,
    TRAPS,
    imports.join('\n'),
    '',
    memory,
    checked ? regionChecks(addresses) : '',
    preludeFor(code, { checked }),
    [...heads.values()].map((head) => `${head};`).join('\n'),
    '',
    code,
    aliases(program, names),
    SERVICES,
    options.verbs === true ? emitVerbs(verbsOf(program)) : '',
  ].join('\n');
}

const SERVICES = `/// Where the program's address \`at\` is.
static inline uint8_t *wasm_at(uint32_t at) { return (uint8_t *)(uintptr_t)at; }
`;

/**
 * A register that always points to the same place makes most accesses to the state one short instruction. The whole firmware
 * is compiled to leave it alone (flags.ts); functions that run before wasm_init do not use it.
 */
function stateMacros(base: number): string {
  return `#define STATE_ITSELF(at) ((uint32_t)(uintptr_t)state + (at))
#ifdef WASM_BASE
register uint8_t *wasm_base __asm__(WASM_BASE);
#define STATE(at) ((uint32_t)(uintptr_t)wasm_base + ((at) - ${base}))
/// To be called at each boot, before any other function but those that say where something is.
static inline void wasm_init(void) { wasm_base = state + ${base}; }
#else
#define STATE(at) STATE_ITSELF(at)
static inline void wasm_init(void) {}
#endif`;
}

/** What C calls each function: an export by its name, another by its own where it has one. */
function nameFunctions(program: Program): Map<string, string> {
  const names = new Map<string, string>();
  for (const { name, base } of program.imports) names.set(name, `import_${base}`);
  for (const [outer, inner] of program.exports) if (!names.has(inner)) names.set(inner, `wasm_${outer}`);
  program.functions.forEach(({ name }, i) => {
    if (names.has(name)) return;
    const own = /^\d+$/.test(name) ? '' : `_${name.replace(/^.*\//, '').replace(/\W+/g, '_')}`;
    names.set(name, `f${i}${own}`);
  });
  return names;
}

function headOf(program: Program, names: ReadonlyMap<string, string>, fn: Signature & { name: string }): string {
  const exported = [...program.exports.values()].includes(fn.name);
  return `${exported ? '' : 'static '}${declaration(names.get(fn.name)!, fn)}`;
}

function declarationOf(name: string, { params, result }: Signature): string {
  return `${result === undefined ? 'void' : C_TYPE[result]} ${name}(${params.map((p) => C_TYPE[p]).join(', ') || 'void'})`;
}

/** A function that is exported under several names has one body. */
function aliases(program: Program, names: ReadonlyMap<string, string>): string {
  const lines: string[] = [];
  for (const [outer, inner] of program.exports) {
    const name = names.get(inner)!;
    if (name === `wasm_${outer}`) continue;
    const fn = program.functions.find((f) => f.name === inner);
    if (fn === undefined) throw new FirmwareError('ERR_NATIVE', `${outer} is an import that is exported`);
    const list = fn.params.map((_type, i) => `l${i}`).join(', ');
    lines.push(`${declaration(`wasm_${outer}`, fn)} { ${fn.result === undefined ? '' : 'return '}${name}(${list}); }`);
  }
  return lines.join('\n');
}

function verbsOf(program: Program): Verb[] {
  return [...program.exports].flatMap(([name, inner]) => {
    const fn = program.functions.find((f) => f.name === inner);
    return fn === undefined ? [] : [{ name, params: fn.params, result: fn.result }];
  });
}

/** The module's two regions, and macros for addresses in them. */
function emitMemory(layout: Layout, addresses: AddressWriter): string {
  const stateEnd = layout.stateAt + layout.stateBytes;
  if (layout.stateAt % ALIGNMENT !== 0) {
    throw new FirmwareError('ERR_NATIVE', `the state region has to begin at a multiple of ${ALIGNMENT}`);
  }
  for (const region of layout.pointers.values()) addresses.used.add(region);
  const lines = [
    '/// The state region. What it holds outlives a reset.',
    `static uint8_t state[${layout.stateBytes}] __attribute__((aligned(${ALIGNMENT}), section(".noinit.module")));`,
    stateMacros(addresses.base()),
  ];
  const constants: readonly (readonly [Region, number, number])[] = [
    ['low', 0, layout.stateAt],
    ['high', stateEnd, layout.end],
  ];
  const definitions: string[] = [];
  for (const [region, from, to] of constants) {
    if (!addresses.used.has(region)) continue;
    const begin = Math.max(from & -ALIGNMENT, MEMORY_BASE);
    const words = wordsOf(layout, addresses, begin, to);
    const head = `static const uint32_t ${region}[${words.length}] __attribute__((aligned(${ALIGNMENT})))`;
    lines.push(
      `/// Constants ${region === 'low' ? 'before' : 'behind'} the state region.`,
      `${head};`,
      `#define ${MACROS[region]}(at) ((uint32_t)(uintptr_t)${region} + (at) - ${begin - from})`,
    );
    definitions.push(`${head} = {`, ...inLines(words), '};');
  }
  return [...lines, ...definitions].join('\n');
}

function wordsOf(layout: Layout, addresses: AddressWriter, from: number, to: number): string[] {
  const padded = new Uint8Array(to - from + WORD_BYTES);
  padded.set(layout.memory.subarray(from, to));
  const view = new DataView(padded.buffer);
  const words: string[] = [];
  for (let at = from; at < to; at += WORD_BYTES) {
    const value = view.getUint32(at - from, true);
    const region = layout.pointers.get(at);
    words.push(
      region === undefined
        ? `0x${value.toString(16)}`
        : itself(addresses.constant(value, { region, negative: false }).code),
    );
  }
  return words;
}

/** An address where the base register is of no use. */
function itself(code: string): string {
  return code.replace('STATE(', 'STATE_ITSELF(');
}

function inLines(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += WORDS_A_LINE) lines.push(`  ${words.slice(i, i + WORDS_A_LINE).join(', ')},`);
  return lines;
}

function regionChecks(addresses: AddressWriter): string {
  const inside = (name: string): string =>
    `bytes <= sizeof ${name} && at - (uint32_t)(uintptr_t)${name} <= sizeof ${name} - bytes`;
  const constants = (['low', 'high'] as const).filter((region) => addresses.used.has(region)).map(inside);
  return `static int is_state(uint32_t at, uint32_t bytes) { return ${inside('state')}; }
static int is_constant(uint32_t at, uint32_t bytes) { return ${constants.join(' || ') || '0'}; }
`;
}
