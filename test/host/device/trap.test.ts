import { describe, expect, it } from 'vitest';
import {
  Counter,
  IMAGE_BYTES_AT,
  IMAGE_LAYOUT,
  IMAGE_LAYOUT_AT,
  IMAGE_MAGIC,
  IMAGE_MAGIC_AT,
} from '../../../assembly/protocol/index.js';
import { type Device, DeviceModule } from '../../../host/device/device.js';
import { fromText } from '../firmware/modules.js';

const BOARD = { send: (datagram: Uint8Array) => datagram.length };
const IMAGE_AT = 16;
const IMAGE_BYTES = 256;
/** Where the seed lies: a device of an odd one traps in every call after power-on. */
const SEED_AT = IMAGE_AT + 248;

/** Counts its calls in the first counter; `trap` is what an odd device does. */
const moduleThat = (trap: string): DeviceModule =>
  new DeviceModule(
    fromText(`(module
      (memory (export "memory") 1)
      (func (export "abi") (result i32) (i32.const 2))
      (func (export "image") (result i32) (i32.const ${IMAGE_AT}))
      (func (export "imageBytes") (result i32) (i32.const ${IMAGE_BYTES}))
      (func (export "rx") (result i32) (i32.const 1024))
      (func (export "rxBytes") (result i32) (i32.const 64))
      (func (export "peer") (result i32) (i32.const 2048))
      (func (export "peerBytes") (result i32) (i32.const 19))
      (func (export "seal") (result i32) (i32.const 0))
      (func (export "start") (param i32 i32) (result i32)
        (memory.fill (i32.const ${IMAGE_AT}) (i32.const 0) (i32.const ${IMAGE_BYTES}))
        (i32.store (i32.const ${IMAGE_AT + IMAGE_MAGIC_AT}) (i32.const ${IMAGE_MAGIC}))
        (i32.store (i32.const ${IMAGE_AT + IMAGE_LAYOUT_AT}) (i32.const ${IMAGE_LAYOUT}))
        (i32.store (i32.const ${IMAGE_AT + IMAGE_BYTES_AT}) (i32.const ${IMAGE_BYTES}))
        (i32.store (i32.const ${SEED_AT}) (local.get 1))
        (if (i32.eq (local.get 1) (i32.const 13)) (then (call $trap)))
        (i32.const 0))
      (func (export "receive") (param i32 i32) (result i32) (call $step))
      (func (export "poll") (param i32) (result i32) (call $step))
      (func (export "resume") (param i32) (result i32) (call $step))
      (func (export "sing") (result i32) (call $step))
      (func $step (result i32)
        (i32.store (i32.const ${SEED_AT - 4}) (i32.add (i32.load (i32.const ${SEED_AT - 4})) (i32.const 1)))
        (if (i32.and (i32.load (i32.const ${SEED_AT})) (i32.const 1)) (then (call $trap)))
        (i32.load (i32.const ${SEED_AT - 4})))
      (func $trap ${trap}))`),
    'bell.wasm',
  );

const TRAPS = [
  ['unreachable', 'unreachable'],
  ['a division by zero', '(drop (i32.div_s (i32.const 1) (i32.load (i32.const 60000))))'],
  ['an access outside of memory', '(drop (i32.load (i32.const -1)))'],
  ['an endless recursion', '(call $trap)'],
] as const;

const CALLS: readonly (readonly [verb: string, call: (device: Device) => unknown])[] = [
  ['start', (device) => device.start(0, 13)],
  ['receive', (device) => device.receive(Uint8Array.of(1), 0)],
  ['poll', (device) => device.poll(0)],
  ['resume', (device) => device.restore(device.save(), 0)],
  ['sing', (device) => device.call('sing')],
];

const started = (module: DeviceModule, seed: number): Device => {
  const device = module.create(BOARD);
  device.start(0, seed);
  return device;
};
const trapIn = (verb: string): unknown =>
  expect.objectContaining({ code: 'ERR_DEVICE_TRAP', message: expect.stringMatching(`^bell.wasm.* ${verb}\\b`) });

describe('a trap', () => {
  it.each(TRAPS)('by %s is ERR_DEVICE_TRAP, with its cause', (_what, trap) => {
    const device = started(moduleThat(trap), 1);
    expect(() => device.poll(0)).toThrow(trapIn('poll'));
    const other = started(moduleThat(trap), 1);
    expect(() => other.poll(0)).toThrow(expect.objectContaining({ cause: expect.any(Error) }));
  });

  it.each(CALLS)('in %s names the module and the call', (verb, call) => {
    const device = started(moduleThat('unreachable'), 1);
    expect(() => call(device)).toThrow(trapIn(verb));
  });

  it('leaves the module to the other devices, which are what they were', () => {
    const module = moduleThat('unreachable');
    const good = started(module, 2);
    expect([good.poll(0), good.poll(0)]).toEqual([1, 2]);
    const bad = started(module, 1);
    expect(() => bad.poll(0)).toThrow(trapIn('poll'));
    expect([good.poll(0), started(module, 4).poll(0), good.poll(0)]).toEqual([3, 1, 4]);
  });

  it('ends the device: nothing goes on from the middle of a step, though one may look at it', () => {
    const device = started(moduleThat('unreachable'), 1);
    expect(() => device.poll(0)).toThrow(trapIn('poll'));
    const image = device.save();
    for (const [verb, call] of CALLS.slice(1)) {
      if (verb !== 'resume') expect(() => call(device)).toThrow(trapIn(verb));
    }
    expect(device.save()).toEqual(image);
    expect(device.counter(Counter.DatagramsIn)).toBe(0);
  });

  it('is over with a new power-on or another image', () => {
    const module = moduleThat('unreachable');
    const device = started(module, 1);
    expect(() => device.poll(0)).toThrow(trapIn('poll'));
    device.start(0, 2);
    expect(device.poll(0)).toBe(1);
    device.start(0, 4);
    const image = device.save();
    device.start(0, 1);
    expect(() => device.poll(0)).toThrow(trapIn('poll'));
    device.restore(image, 0);
    expect(device.poll(0)).toBe(2);
  });

  it('of a device that a board calls is not the trap of the board’s own', () => {
    const inner = started(moduleThat('unreachable'), 1);
    const text = '(import "board" "send" (func $send (param i32 i32) (result i32)))';
    const calls = fromText(`(module ${text}
      (memory (export "memory") 1)
      (func (export "abi") (result i32) (i32.const 2))
      ${['image', 'imageBytes', 'rx', 'rxBytes', 'peer', 'peerBytes', 'seal'].map((f) => `(func (export "${f}") (result i32) (i32.const 16))`).join(' ')}
      ${['start', 'receive'].map((f) => `(func (export "${f}") (param i32 i32) (result i32) (i32.const 0))`).join(' ')}
      (func (export "poll") (param i32) (result i32) (call $send (i32.const 0) (i32.const 1)))
      (func (export "resume") (param i32) (result i32) (i32.const 0)))`);
    const outer = new DeviceModule(calls).create({ send: () => inner.poll(0) });
    outer.start(0, 1);
    expect(() => outer.poll(0)).toThrow(trapIn('poll'));
    expect(outer.receive(Uint8Array.of(1), 0)).toBe(0);
  });
});
