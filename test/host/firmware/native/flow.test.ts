// Control flow, the order of evaluation, and memory in native code, against V8; and what no native code is made from.
import { expect, it } from 'vitest';
import { emitC } from '../../../../host/firmware/native/emit.js';
import { describeWithTools } from '../../../tools.js';
import { randomProgram } from './random-program.js';
import { type Call, runInV8, runOnCore, TOOLS, twins } from './twins.js';

/** Functions of two numbers, by what they show. */
const FLOW: Readonly<Record<string, string>> = {
  'operands are evaluated from left to right':
    '(i32.sub (call $send (i32.const 1) (local.get 0)) (call $send (i32.const 2) (local.get 1)))',
  'an operand is read before a later one sets it': '(i32.sub (local.get 0) (local.tee 0 (i32.const 5)))',
  'and after an earlier one has': '(i32.sub (local.tee 0 (i32.add (local.get 0) (i32.const 3))) (local.get 0))',
  'memory is read before a later operand writes it':
    '(i32.store (i32.const {state}) (local.get 0)) (i32.sub (i32.load (i32.const {state})) (block (result i32) (i32.store (i32.const {state}) (local.get 1)) (i32.const 7)))',
  'arguments are evaluated in order':
    '(call $send (local.get 0) (block (result i32) (local.set 0 (call $send (local.get 1) (i32.const 9))) (local.get 0)))',
  'a division traps before a later call':
    '(i32.add (i32.div_s (local.get 0) (local.get 1)) (call $send (i32.const 1) (i32.const 2)))',
  'and after an earlier one':
    '(i32.add (call $send (i32.const 1) (i32.const 2)) (i32.rem_u (local.get 0) (local.get 1)))',
  'a division traps whose result nobody wants': '(drop (i32.div_u (local.get 0) (local.get 1))) (i32.const 4)',
  'both arms of select are evaluated': '(select (i32.const 1) (i32.div_u (i32.const 8) (local.get 1)) (local.get 0))',
  'only one arm of if is':
    '(if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.div_u (i32.const 8) (local.get 1))))',
  'a value leaves a block': '(block $a (result i32) (drop (br_if $a (i32.const 3) (local.get 0))) (i32.const 4))',
  'br_if is worth its value where it stays':
    '(block $a (result i32) (i32.add (br_if $a (i32.const 3) (local.get 0)) (local.get 1)))',
  'a loop counts': `(local i32) (loop $l (result i32) (local.set 2 (i32.add (local.get 2) (local.get 1)))
    (br_if $l (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1)))) (local.get 2))`,
  'a break leaves two loops': `(local i32) (block $out (result i32) (loop $a (loop $b (local.set 2 (i32.add (local.get 2) (i32.const 1)))
    (drop (br_if $out (local.get 2) (i32.gt_u (local.get 2) (i32.const 9)))) (br_if $b (i32.and (local.get 2) (i32.const 3)))
    (br_if $a (local.get 1)) (br $a))) (unreachable))`,
  'br_table chooses': `(block $d (block $c (block $b (block $a (br_table $a $b $a $c $d (local.get 0))) (return (i32.const 10)))
    (return (i32.const 11))) (return (i32.const 12))) (i32.const 13)`,
  'br_table takes a value along':
    '(i32.add (i32.const 100) (block $b (result i32) (i32.mul (block $a (result i32) (br_table $a $b $a (local.get 1) (local.get 0))) (i32.const 3))))',
  'return leaves from within an operand':
    '(i32.add (local.get 0) (if (result i32) (local.get 1) (then (return (i32.const 77))) (else (i32.const 1))))',
  'unreachable traps': '(if (local.get 0) (then (unreachable))) (i32.const 2)',
  'a comparison is a number': '(i32.shl (i32.lt_s (local.get 0) (local.get 1)) (i32.const 31))',
  'a comparison of comparisons':
    '(i32.sub (i32.eqz (i32.eqz (local.get 0))) (i32.ne (i32.lt_u (local.get 0) (local.get 1)) (i32.const 1)))',
  'if without else': '(if (i32.gt_s (local.get 0) (local.get 1)) (then (local.set 0 (local.get 1)))) (local.get 0)',
  'locals begin at zero':
    '(local i64 f64 i32) (i32.add (i32.wrap_i64 (local.get 2)) (i32.add (local.get 4) (i32.trunc_f64_s (local.get 3))))',
};

const PAIRS = [
  [0, 0],
  [1, 0],
  [0, 1],
  [2, 7],
  [3, 3],
  [-1, 5],
  [100, -3],
  [-0x80000000, -1],
] as const;

function binaryCalls(count: number): Call[] {
  return Array.from({ length: count }, (_v, i) =>
    PAIRS.map((args) => ({ name: `f${i}`, params: ['i32', 'i32'] as const, result: 'i32' as const, args })),
  ).flat();
}

function functions(bodies: readonly string[]): string {
  return bodies.map((body, i) => `(func (export "f${i}") (param i32 i32) (result i32) ${body})`).join('\n');
}

const CONSTANTS = `(data (i32.const {low}) "\\00\\01\\fe\\ff\\80\\7f\\00\\40\\11\\22\\33\\44\\55\\66\\77\\88")
  (data (i32.const {high}) "ABCDEFGHIJKLMNOP")`;

/** Reads and writes of every width, in a place that is aligned as the module says, or not where it does not say so. */
function memoryBodies(): string[] {
  const bodies: string[] = [];
  for (const [load, store, bytes] of [
    ['i32.load', 'i32.store', 4],
    ['i32.load8_u', 'i32.store8', 1],
    ['i32.load8_s', 'i32.store8', 1],
    ['i32.load16_u', 'i32.store16', 2],
    ['i32.load16_s', 'i32.store16', 2],
  ] as const) {
    for (let align = 1; align <= bytes; align *= 2) {
      const at = `(i32.add (i32.const {state+16}) (i32.const ${align}))`;
      const hint = `offset=4 align=${align}`;
      bodies.push(
        `(${store} ${hint} ${at} (local.get 0)) (i32.add (${load} ${hint} ${at}) (${load} ${hint} (i32.const {high})))`,
      );
    }
  }
  for (const [load, store] of [
    ['i64.load', 'i64.store'],
    ['i64.load8_s', 'i64.store8'],
    ['i64.load16_u', 'i64.store16'],
    ['i64.load32_s', 'i64.store32'],
    ['i64.load32_u', 'i64.store32'],
  ] as const) {
    const value = '(i64.mul (i64.extend_i32_s (local.get 0)) (i64.const 0x1000000001))';
    const loaded = `(${load} (i32.const {state+32}))`;
    bodies.push(
      `(${store} (i32.const {state+32}) ${value}) (i32.xor (i32.wrap_i64 ${loaded}) (i32.wrap_i64 (i64.shr_u ${loaded} (i64.const 32))))`,
    );
  }
  for (const type of ['f32', 'f64']) {
    bodies.push(
      `(${type}.store (i32.const {state+40}) (${type}.convert_i32_s (local.get 0))) (i32.trunc_sat_${type}_s (${type}.load (i32.const {state+40})))`,
    );
  }
  return [
    ...bodies,
    '(memory.fill (i32.const {state+64}) (local.get 0) (i32.const 9)) (i32.load offset=5 align=1 (i32.const {state+64}))',
    '(memory.copy (i32.const {state+70}) (i32.const {low}) (i32.const 16)) (memory.copy (i32.const {state+71}) (i32.const {state+70}) (i32.const 15)) (i32.load offset=78 align=2 (i32.const {state}))',
  ];
}

describeWithTools(TOOLS, 'native code', () => {
  it('goes where the module goes, in its order', () => {
    const bodies = Object.values(FLOW);
    const pair = twins(functions(bodies));
    const calls = binaryCalls(bodies.length);
    const [native, wanted] = [runOnCore(pair, calls, 'cortex-m0'), runInV8(pair, calls)];
    const titled = (outcomes: readonly string[]): string[] =>
      outcomes.map(
        (outcome, i) => `${Object.keys(FLOW)[Math.floor(i / PAIRS.length)]} (${calls[i]?.args.join(', ')}): ${outcome}`,
      );
    expect(titled(native)).toEqual(titled(wanted));
    expect(wanted.filter((outcome) => outcome.endsWith('trap')).length).toBeGreaterThan(10);
  }, 120_000);

  it('reads and writes memory as the module does, on a core that faults where an access is not aligned', () => {
    const bodies = memoryBodies();
    const pair = twins(`${CONSTANTS} ${functions(bodies)}`);
    const calls = binaryCalls(bodies.length);
    expect(runOnCore(pair, calls, 'cortex-m0')).toEqual(runInV8(pair, calls));
  }, 120_000);

  it('knows of every address what it belongs to, where arithmetic has taken it out of there, too', () => {
    // The table behind the state begins at the letter A, and is read at table - 65 + letter: an address within the state.
    const letter = '(i32.add (i32.const 65) (i32.and (local.get 0) (i32.const 15)))';
    const bodies = [
      `(i32.load8_u (i32.add ${letter} (i32.const {high-65})))`,
      `(i32.load8_u offset={high-65} ${letter})`,
      `(i32.load8_u (i32.sub ${letter} (i32.sub (i32.const 65) (i32.const {high}))))`,
      '(i32.load8_u (i32.load (i32.add (i32.const {high+32}) (i32.shl (i32.and (local.get 0) (i32.const 1)) (i32.const 2)))))',
      '(i32.store8 (i32.load (i32.const {high+40})) (local.get 0)) (i32.load8_u (i32.const {state+3}))',
      '(i32.sub (i32.add (i32.const {state+8}) (local.get 0)) (i32.const {state}))',
    ];
    const word = (place: string): string => `(data (i32.const {high${place}}) "`;
    const pointers = (moved: boolean): string => {
      const at = (value: number): string =>
        [0, 8, 16, 24].map((shift) => `\\${((value >>> shift) & 255).toString(16).padStart(2, '0')}`).join('');
      const [low, state, high] = moved ? [0x100008, 0x120088, 0x140108] : [8, 136, 264];
      return `${word('+32')}${at(low! + 4)}${at(high! + 2)}${at(state! + 3)}")`;
    };
    const text = (moved: boolean): string => `${CONSTANTS} ${pointers(moved)} ${functions(bodies)}`;
    const pair = twins(text(false), text(true));
    const calls = binaryCalls(bodies.length);
    expect(runOnCore(pair, calls, 'cortex-m4')).toEqual(runInV8(pair, calls));
  }, 120_000);

  it('does what random programs do', () => {
    const bodies = Array.from({ length: 150 }, (_v, seed) => randomProgram(seed));
    const pair = twins(functions(bodies));
    const calls = binaryCalls(bodies.length);
    const [native, wanted] = [runOnCore(pair, calls, 'cortex-m4'), runInV8(pair, calls)];
    const wrong = wanted.flatMap((want, i) =>
      native[i] === want
        ? []
        : [`seed ${Math.floor(i / PAIRS.length)} of ${calls[i]!.args.join(', ')}: ${native[i]}, not ${want}`],
    );
    expect(wrong).toEqual([]);
  }, 120_000);

  it('that is checked traps where an access leaves the module, or writes a constant', () => {
    const bodies = [
      '(i32.load (local.get 0))',
      '(i32.store8 (i32.const {high}) (local.get 0)) (i32.const 1)',
      '(i32.load (i32.add (i32.const {state+124}) (i32.and (local.get 0) (i32.const 1))))',
      '(i32.store8 (i32.add (i32.const {state}) (i32.or (local.get 0) (i32.const -0x80))) (i32.const 1)) (i32.const 2)',
      '(memory.fill (i32.const {state+120}) (i32.const 1) (i32.and (local.get 0) (i32.const 15))) (i32.const 3)',
      '(memory.copy (i32.const {state}) (i32.const {high+126}) (i32.and (local.get 0) (i32.const 3))) (i32.const 4)',
    ];
    const pair = twins(`${CONSTANTS} ${functions(bodies)}`);
    const outcomes = runOnCore(pair, binaryCalls(bodies.length), 'cortex-m0', { checked: true });
    const trapped = bodies.map((_body, i) =>
      outcomes
        .slice(i * PAIRS.length, (i + 1) * PAIRS.length)
        .map((outcome) => (outcome === 'trap' ? 'T' : '-'))
        .join(''),
    );
    expect(trapped).toEqual(['TTTTTTTT', 'TTTTTTTT', '-T--TT--', 'TTTTTTTT', '-----T--', '----TT--']);
  }, 120_000);

  it('that is checked traps where an address is no multiple of the alignment that an access claims', () => {
    const odd = (mask: number): string => `(i32.add (i32.const {state+8}) (i32.and (local.get 0) (i32.const ${mask})))`;
    const bodies = [
      `(i32.load ${odd(1)})`,
      `(i32.load align=1 ${odd(1)})`,
      `(i32.load align=2 ${odd(2)})`,
      `(i32.load align=2 ${odd(1)})`,
      `(i32.load16_s offset=1 ${odd(1)})`,
      `(i32.load8_u ${odd(3)})`,
      `(i32.store ${odd(1)} (i32.const 1)) (i32.const 2)`,
      `(i64.store align=4 ${odd(4)} (i64.const 1)) (i32.const 2)`,
      `(f64.store ${odd(4)} (f64.const 1)) (i32.const 2)`,
    ];
    const pair = twins(functions(bodies));
    const calls = binaryCalls(bodies.length);
    const outcomes = runOnCore(pair, calls, 'cortex-m0', { checked: true });
    const traps = (claim: number, mask: number, offset = 0): boolean[] =>
      calls.slice(0, PAIRS.length).map(({ args }) => ((Number(args[0]) & mask) + offset) % claim !== 0);
    const wanted = [traps(4, 1), traps(1, 1), traps(2, 2), traps(2, 1), traps(2, 1, 1), traps(1, 3), traps(4, 1)];
    const found = bodies.map((_body, i) =>
      outcomes.slice(i * PAIRS.length, (i + 1) * PAIRS.length).map((outcome) => outcome === 'trap'),
    );
    expect(found).toEqual([...wanted, traps(4, 4), traps(8, 4)]);
    expect(found[0]).toContain(true);
    expect(found[0]).toContain(false);
  }, 120_000);
});

it('no native code is made from a twin that differs in more than addresses', () => {
  const body = '(func (export "f") (result i32) (i32.const 5))';
  const expectRefusal = (other: string): void => {
    const { module, shifted } = twins(body, other);
    expect(() => emitC(module, shifted)).toThrow(expect.objectContaining({ code: 'ERR_NATIVE' }));
  };
  expectRefusal('(func (export "f") (result i32) (i32.const 6))');
  expectRefusal('(func (export "f") (result i32) (i32.clz (i32.const 5)))');
  expectRefusal('(func (export "f") (result i32) (i32.const 0x100005)) (func (export "g"))');
  expectRefusal('(func (export "f") (result i32) (local i32) (i32.const 5))');
  expectRefusal(`${body} (data (i32.const {high}) "x")`);
  const { module } = twins(body);
  expect(() => emitC(module, module)).toThrow(expect.objectContaining({ code: 'ERR_NATIVE' }));
});

it.each([
  [
    'an indirect call',
    '(table 1 funcref) (elem (i32.const 0) $f) (func $f) (func (export "g") (call_indirect (i32.const 0)))',
  ],
  ['memory.grow', '(func (export "g") (result i32) (memory.grow (i32.const 1)))'],
  ['memory.size', '(func (export "g") (result i32) (memory.size))'],
  ['a mutable global', '(global $g (mut i32) (i32.const 0)) (func (export "g") (global.set $g (i32.const 1)))'],
])('no native code is made from %s, which is said', (what, body) => {
  const { module, shifted } = twins(body);
  expect(() => emitC(module, shifted)).toThrow(
    expect.objectContaining({ code: 'ERR_NATIVE', message: expect.stringContaining(what) }),
  );
});
