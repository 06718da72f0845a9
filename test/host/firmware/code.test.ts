import { describe, expect, it } from 'vitest';
import { callGraph, type GraphFunction } from '../../../host/firmware/call-graph.js';
import { parseModule } from '../../../host/firmware/wasm.js';
import { fromText } from './modules.js';

const factsOf = (body: string, result = ''): GraphFunction =>
  callGraph(
    parseModule(
      fromText(`(module (import "board" "send" (func $send (param i32 i32) (result i32))) (memory 1)
        (func (export "f") (param i32 i64 f32 f64) ${result} (local i32) ${body}))`),
    ),
  ).functions[0]!;

const CONVERSIONS: readonly [name: string, from: string, to: string][] = [
  ['i32.wrap_i64', 'i64', 'i32'],
  ...['i32', 'i64'].flatMap((to) =>
    ['f32', 'f64'].flatMap((from) =>
      ['s', 'u'].flatMap((sign): [string, string, string][] => [
        [`${to}.trunc_${from}_${sign}`, from, to],
        [`${to}.trunc_sat_${from}_${sign}`, from, to],
        [`${from}.convert_${to}_${sign}`, to, from],
      ]),
    ),
  ),
  ['i64.extend_i32_s', 'i32', 'i64'],
  ['i64.extend_i32_u', 'i32', 'i64'],
  ['f32.demote_f64', 'f64', 'f32'],
  ['f64.promote_f32', 'f32', 'f64'],
  ['i32.reinterpret_f32', 'f32', 'i32'],
  ['i64.reinterpret_f64', 'f64', 'i64'],
  ['f32.reinterpret_i32', 'i32', 'f32'],
  ['f64.reinterpret_i64', 'i64', 'f64'],
];
const of = (types: readonly string[], names: string): string[] =>
  types.flatMap((t) => names.split(' ').map((n) => `${t}.${n}`));
const INTEGERS = ['i32', 'i64'];
const FLOATS = ['f32', 'f64'];
const UNARY = [
  ...of(INTEGERS, 'clz ctz popcnt extend8_s extend16_s'),
  'i64.extend32_s',
  ...of(FLOATS, 'abs neg ceil floor trunc nearest sqrt'),
];
const BINARY = [
  ...of(INTEGERS, 'add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr'),
  ...of(FLOATS, 'add sub mul div min max copysign'),
];
const COMPARISONS = [
  ...of(INTEGERS, 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'),
  ...of(FLOATS, 'eq ne lt gt le ge'),
];
const LOADS = [
  ...of(['i32', 'i64'], 'load load8_s load8_u load16_s load16_u'),
  ...of(['i64'], 'load32_s load32_u'),
  ...of(FLOATS, 'load'),
];
const LOCAL: Readonly<Record<string, string>> = { i32: '0', i64: '1', f32: '2', f64: '3' };
const get = (type: string): string => `(local.get ${LOCAL[type]})`;
const typeOf = (name: string): string => name.slice(0, 3);

/** A value above an address, and its type: an address is seen only where what lies above it is counted right. */
const VALUES: readonly [what: string, value: string, type: string][] = [
  ...UNARY.map((n): [string, string, string] => [n, `(${n} ${get(typeOf(n))})`, typeOf(n)]),
  ...BINARY.map((n): [string, string, string] => [n, `(${n} ${get(typeOf(n))} ${get(typeOf(n))})`, typeOf(n)]),
  ...COMPARISONS.map((n): [string, string, string] => [n, `(${n} ${get(typeOf(n))} ${get(typeOf(n))})`, 'i32']),
  ...CONVERSIONS.map(([n, from, to]): [string, string, string] => [n, `(${n} ${get(from)})`, to]),
  ...LOADS.map((n): [string, string, string] => [n, `(${n} offset=3 ${get('i32')})`, typeOf(n)]),
  ['i32.eqz', `(i32.eqz ${get('i32')})`, 'i32'],
  ['i64.eqz', `(i64.eqz ${get('i64')})`, 'i32'],
  ['select', `(select ${get('f64')} ${get('f64')} ${get('i32')})`, 'f64'],
  ['a call', `(call $send ${get('i32')} ${get('i32')})`, 'i32'],
  ['local.tee', `(local.tee 4 ${get('i32')})`, 'i32'],
  ['a block', `(block (result i64) (br 0 (i64.const 1)))`, 'i64'],
  ['what follows a block of nothing', `(block (nop)) (loop (nop)) ${get('i32')}`, 'i32'],
  ['an if', `(if (result f32) ${get('i32')} (then (f32.const 1)) (else (f32.const 2)))`, 'f32'],
  ['a loop', `(loop (result i32) (br_if 0 ${get('i32')}) (i32.const 4))`, 'i32'],
  ['a branch table', `(block (result i32) (br_table 0 0 (i32.const 1) ${get('i32')}))`, 'i32'],
];

describe('the address of a store is seen', () => {
  it.each(VALUES)('below %s', (_what, value, type) => {
    expect(factsOf(`(${type}.store offset=2 (i32.const 40) ${value})`).writes).toEqual([42]);
  });

  it.each(['i32.store8', 'i32.store16', 'i64.store8', 'i64.store16', 'i64.store32'])('by %s', (store) => {
    expect(factsOf(`(${store} (i32.const 40) ${get(typeOf(store))})`).writes).toEqual([40]);
  });

  it('after all that leaves nothing behind', () => {
    const before = `(nop) (drop ${get('f64')}) (local.set 4 ${get('i32')}) (i64.store (local.get 0) ${get('i64')})
      (memory.fill ${get('i32')} ${get('i32')} ${get('i32')}) (memory.copy ${get('i32')} ${get('i32')} ${get('i32')})
      (if ${get('i32')} (then (return))) (block (br_if 0 ${get('i32')}) (unreachable))`;
    expect(factsOf(`${before} (i32.store (i32.const 16) (i32.const 1))`).writes).toEqual([16]);
  });

  it('not where it is computed, or where the value is what looks like one', () => {
    expect(factsOf('(i32.store (i32.or (i32.const 8) (i32.const 1)) (i32.const 40))').writes).toEqual([]);
  });
});

describe('what a function returns', () => {
  it.each([
    ['(i32.const 77)', '(result i32)', 77],
    ['(i32.const -1)', '(result i32)', 0xffff_ffff],
    ['(i64.const 77)', '(result i64)', undefined],
    ['(local.get 0)', '(result i32)', undefined],
    ['(i32.clz (i32.const 77))', '(result i32)', undefined],
    ['(nop)', '', undefined],
  ])('%s %s is known where it is one constant', (body, result, constant) => {
    expect(factsOf(body, result).constant).toBe(constant);
  });
});

describe('a call', () => {
  it('counts once, however often and wherever it is made', () => {
    const call = `(drop (call $send ${get('i32')} ${get('i32')}))`;
    expect(factsOf(`${call} (block ${call}) (unreachable) ${call}`).calls).toEqual([0]);
    expect(factsOf('').calls).toEqual([]);
  });
});
