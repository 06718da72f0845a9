// Random bodies of functions of two numbers, by seed: expressions that read, set, load, store, call, branch and trap in
// places where the order of evaluation shows.
import { Xoshiro128 } from '../../../../host/core/random.js';

const DEPTH_MAX = 6;
const BINARY = [
  'add',
  'sub',
  'mul',
  'and',
  'or',
  'xor',
  'shl',
  'shr_s',
  'shr_u',
  'rotl',
  'eq',
  'lt_s',
  'gt_u',
  'div_s',
  'rem_u',
];

/** Terminates: loops count down a local that nothing else sets. */
export function randomProgram(seed: number): string {
  const random = new Xoshiro128(seed);
  const pick = (count: number): number => random.nextU32() % count;
  let labels = 0;
  /** Each loop counts down a local of its own, behind the four that anything may set. */
  let loops = 0;
  const place = (): string => `(i32.const {state+${pick(6) * 4}})`;

  const value = (depth: number, open: readonly string[]): string => {
    if (depth >= DEPTH_MAX) return pick(2) === 0 ? `(local.get ${pick(4)})` : `(i32.const ${pick(40) - 8})`;
    const next = (): string => value(depth + 1, open);
    switch (pick(13)) {
      case 0:
        return `(local.tee ${pick(4)} ${next()})`;
      case 1:
        return `(i32.load ${place()})`;
      case 2:
        return `(call $send ${next()} ${next()})`;
      case 3:
        return `(if (result i32) ${next()} (then ${next()}) (else ${next()}))`;
      case 4:
        return `(select ${next()} ${next()} ${next()})`;
      case 5: {
        const label = `$b${labels++}`;
        return `(block ${label} (result i32) ${statement(depth + 1, open)} ${value(depth + 1, [...open, label])})`;
      }
      case 6:
        return open.length === 0 ? next() : `(br_if ${open[pick(open.length)]} ${next()} ${next()})`;
      case 7:
        return `(i32.eqz ${next()})`;
      default:
        return `(i32.${BINARY[pick(BINARY.length)]} ${next()} ${next()})`;
    }
  };

  const statement = (depth: number, open: readonly string[]): string => {
    const inner = (): string => value(depth + 2, open);
    switch (pick(6)) {
      case 0:
        return `(local.set ${pick(4)} ${inner()})`;
      case 1:
        return `(i32.store ${place()} ${inner()})`;
      case 2:
        return `(if ${inner()} (then ${depth < DEPTH_MAX ? statement(depth + 1, open) : ''}))`;
      case 3: {
        const label = `$l${labels++}`;
        const body = depth < DEPTH_MAX ? statement(depth + 2, open) : '';
        const counter = 4 + loops++;
        const left = `(local.tee ${counter} (i32.sub (local.get ${counter}) (i32.const 1)))`;
        return `(local.set ${counter} (i32.const 3)) (loop ${label} ${body} (br_if ${label} ${left}))`;
      }
      case 4:
        return `(drop ${inner()})`;
      default:
        return `(drop (call $send ${inner()} (i32.const ${pick(9)})))`;
    }
  };

  const head = Array.from({ length: 3 }, () => statement(0, [])).join(' ');
  const whole = `$w${labels++}`;
  const tail = `(block ${whole} (result i32) ${value(0, [whole])})`;
  return `(local i32 i32 ${'i32 '.repeat(loops)}) ${head} ${tail}`;
}
