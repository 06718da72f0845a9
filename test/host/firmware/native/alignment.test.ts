// What a module says of the alignment of its accesses is true: native code for small cores is made from it, and faults where
// it is not. Here every access that is said to be aligned traps unless it is.
import binaryen from 'binaryen';
import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../../host/core/random.js';
import { DeviceModule } from '../../../../host/device/device.js';
import { compile } from '../../../../host/firmware/compile.js';
import { link } from '../../../../host/firmware/link.js';
import { Harness } from '../../../assembly/harness.js';
import { datagrams } from '../../../fuzz/datagrams.js';
import { loadVectors } from '../../../vectors/load.js';
import { fromText } from '../modules.js';

const DATAGRAMS = 4_000;
const SEEDS = 4;

type Form = string | Form[];

/** The text format as nested lists. */
function parse(text: string): Form[] {
  const stack: Form[][] = [[]];
  for (const [token] of text.replace(/;;[^\n]*/g, '').matchAll(/"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+/g)) {
    if (token === '(') stack.push([]);
    else if (token === ')') {
      const form = stack.pop()!;
      stack.at(-1)!.push(form);
    } else stack.at(-1)!.push(token);
  }
  return stack[0]!;
}

function print(form: Form): string {
  return typeof form === 'string' ? form : `(${form.map(print).join(' ')})`;
}

const ACCESS = /^(i32|i64|f32|f64)\.(load|store)(8|16|32)?(_[su])?$/;
const CHECK = parse(`(func $aligned (param $at i32) (param $offset i32) (param $mask i32) (result i32)
  (if (i32.and (i32.add (local.get $at) (local.get $offset)) (local.get $mask)) (then (unreachable)))
  (local.get $at))`)[0]!;

/** `form` with a check before each access. `natural`: as if all were said to be aligned. */
function instrument(form: Form, natural: boolean): Form {
  if (typeof form === 'string') return form;
  const inner = form.map((child) => instrument(child, natural));
  const access = ACCESS.exec(typeof inner[0] === 'string' ? inner[0] : '');
  if (access === null) return inner;
  const bytes = Number(access[3] ?? access[1]!.slice(1)) / 8;
  const attribute = (name: string): string | undefined =>
    inner
      .find((word): word is string => typeof word === 'string' && word.startsWith(`${name}=`))
      ?.slice(name.length + 1);
  const align = natural ? bytes : Number(attribute('align') ?? bytes);
  const at = inner.findIndex((child, i) => i > 0 && typeof child !== 'string');
  const check: Form = [
    'call',
    '$aligned',
    inner[at]!,
    ['i32.const', attribute('offset') ?? '0'],
    ['i32.const', String(align - 1)],
  ];
  return inner.map((child, i) => (i === at ? check : child));
}

const modem = link(await compile({ entry: 'modem-mqttsn' })).bytes;

function instrumented(natural: boolean): DeviceModule {
  const module = binaryen.readBinary(modem);
  try {
    const [form] = parse(module.emitText()) as [Form[]];
    const checked = [...(instrument(form, natural) as Form[]), CHECK];
    return new DeviceModule(fromText(print(checked)), 'instrumented modem');
  } finally {
    module.dispose();
  }
}

/** A device in many states, among noise; names and messages of every length, so that what is behind them lies anywhere. */
function exercise(module: DeviceModule): void {
  const { good } = loadVectors();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const h = new Harness({ module, seed }).online();
    const noise = datagrams(new Xoshiro128(seed), good);
    for (let i = 0; i < 4; i++) {
      const topic = h.topic('t'.repeat(1 + seed * 4 + i));
      h.subscribe(topic, 2);
      for (const qos of [0, 1, 2] as const) h.publish(topic, 'x'.repeat(seed * 3 + i), qos);
    }
    for (let i = 0; i < DATAGRAMS / SEEDS; i++) {
      h.device.receive(noise(), h.now);
      h.now += i % 50 === 0 ? 10_000 : 3;
      h.device.poll(h.now);
    }
  }
}

describe('the modem', () => {
  it('accesses memory as aligned as it says', () => {
    exercise(instrumented(false));
  });

  it('has places where that is less than their size, and comes there', () => {
    expect(() => {
      exercise(instrumented(true));
    }).toThrow(expect.objectContaining({ code: 'ERR_DEVICE_TRAP' }));
  });
});
