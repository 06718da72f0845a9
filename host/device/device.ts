// A device on the host: a module, and a block of bytes that is all its state. Any number of devices share one instance of
// the module; the one that is called has its image in linear memory, the others keep theirs aside.
import { instantiateSync } from '@assemblyscript/loader';
import {
  ABI_VERSION,
  type Counter,
  ErrorCode,
  IMAGE_BYTES_AT,
  IMAGE_COUNTERS_AT,
  IMAGE_LAYOUT,
  IMAGE_LAYOUT_AT,
  IMAGE_MAGIC,
  IMAGE_MAGIC_AT,
  NEVER_MS,
} from '../../assembly/protocol/index.js';
import type { Millis } from '../ports.js';
import { type Board, CONTRACT_FUNCTIONS, type ModuleExports, readEvent } from './abi.js';
import { DeviceError, type DeviceErrorCode } from './error.js';
import { FUEL_EXHAUSTED, FUEL_EXPORT, meter } from './meter.js';

/** The address of a board that knows none. */
const NOWHERE = new Uint8Array();

/**
 * Rounds of loops and calls of functions that one call into a module may take before the watchdog ends it. The busiest calls
 * of a client take a few thousand; the smallest boards do this many in about a second.
 */
export const WATCHDOG_STEPS_DEFAULT = 1_000_000;

/** A module, loaded once. `create` makes devices of it. */
export class DeviceModule {
  readonly imageAt: number;
  readonly imageBytes: number;
  readonly rxAt: number;
  readonly rxBytes: number;
  readonly peerAt: number;
  /** Octets of the longest address. */
  readonly addressBytes: number;
  readonly exports: ModuleExports;
  /** The device whose image is in memory. */
  private current: Device | undefined;
  /** During a call into the module. */
  private isRunning = false;
  /** Steps that are left; absent where nobody counts. */
  private readonly fuel: WebAssembly.Global | undefined;

  /**
   * `bytes`: the module. `watchdogSteps`: rounds of loops and calls of functions that one call into it may take, 1 to 2^31 - 1; 0
   * for a module that runs as it is, without a watchdog. Throws ERR_MODULE_LOAD or ERR_MODULE_ABI.
   */
  constructor(
    bytes: Uint8Array,
    readonly name = 'module',
    readonly watchdogSteps = WATCHDOG_STEPS_DEFAULT,
  ) {
    const metered = watchdogSteps === 0 ? bytes : meter(bytes);
    this.exports = instantiate(metered ?? bytes, name, () => this.current, metered === undefined);
    this.fuel = this.exports[FUEL_EXPORT] as WebAssembly.Global | undefined;
    if (this.fuel !== undefined) this.fuel.value = watchdogSteps;
    const version = this.exports.abi();
    if (version !== ABI_VERSION) {
      throw new DeviceError('ERR_MODULE_ABI', `${name}: contract version ${version}, expected ${ABI_VERSION}`);
    }
    this.imageAt = this.exports.image();
    this.imageBytes = this.exports.imageBytes();
    this.rxAt = this.exports.rx();
    this.rxBytes = this.exports.rxBytes();
    this.peerAt = this.exports.peer();
    this.addressBytes = this.exports.peerBytes() - 1;
  }

  create(board: Board): Device {
    return new Device(this, board);
  }

  /** All of linear memory, for those who look at it from outside. */
  get memory(): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer);
  }

  /** The state region as it lies in memory now. */
  get region(): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, this.imageAt, this.imageBytes);
  }

  /** Brings a device's image into memory, and puts the one that was there aside. */
  bringIn(device: Device): void {
    if (this.current === device) return;
    this.mustBeIdle();
    this.current?.putAside(this.region);
    device.takeUp(this.region);
    this.current = device;
  }

  /**
   * Calls an export for a device. A board must not call back before it returns: what it was sent would be answered in the
   * middle of a step. Throws ERR_DEVICE_BUSY where it does, and changes nothing. Throws ERR_DEVICE_TRAP where the module
   * traps, and ERR_DEVICE_WATCHDOG where it goes on for too long; memory is then free for other devices.
   */
  run(device: Device, verb: string, args: readonly number[]): number {
    const f = this.exports[verb];
    if (typeof f !== 'function') throw new DeviceError('ERR_VERB', `the module has no verb ${verb}`);
    this.mustBeIdle();
    this.bringIn(device);
    this.isRunning = true;
    if (this.fuel !== undefined) this.fuel.value = this.watchdogSteps;
    try {
      return (f as (...args: number[]) => number)(...args);
    } catch (error) {
      if (!isTrap(error)) throw error;
      this.current = undefined;
      const isOverdue = this.fuel?.value === FUEL_EXHAUSTED;
      const code = isOverdue ? 'ERR_DEVICE_WATCHDOG' : 'ERR_DEVICE_TRAP';
      device.breakDown(this.region, code);
      const what = isOverdue
        ? `did not come back from ${verb} within ${this.watchdogSteps} steps: an endless loop, or too much work for one call`
        : `trapped in ${verb}: ${error.message}`;
      throw new DeviceError(code, `${this.name} ${what}`, { cause: error });
    } finally {
      this.isRunning = false;
    }
  }

  /** Throws ERR_DEVICE_BUSY during a call into the module. */
  mustBeIdle(): void {
    if (this.isRunning) throw new DeviceError('ERR_DEVICE_BUSY', BUSY);
  }
}

const BUSY = 'the board called a device of this module from within send or event: put what is to follow into a queue';

/** V8 tells of a module's endless recursion as it does of JavaScript's. */
function isTrap(error: unknown): error is Error {
  return (
    error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && /call stack size/.test(error.message))
  );
}

/** `isForeign`: nobody could count its steps, so if it is a module at all, it is none of ours. */
function instantiate(
  bytes: Uint8Array,
  name: string,
  current: () => Device | undefined,
  isForeign: boolean,
): ModuleExports {
  let memory: WebAssembly.Memory | undefined;
  const octets = (at: number, length: number): Uint8Array => new Uint8Array(memory!.buffer, at, length);
  const board = {
    send: (at: number, length: number): number => {
      const { board, module } = current()!;
      return board.send(octets(at, length), octets(module.peerAt + 1, octets(module.peerAt, 1)[0]!));
    },
    event: (_kind: number, at: number): void => current()!.board.event?.(readEvent(memory!.buffer, at)),
    update: (at: number, length: number): number =>
      current()!.board.update?.(octets(at, length)) ?? ErrorCode.WrongState,
    confirm: (): void => current()!.board.confirm?.(),
    log: (level: number, at: number, length: number): void =>
      current()!.board.log?.(level, new TextDecoder().decode(octets(at, length))),
  };
  let exports: Partial<ModuleExports>;
  try {
    exports = instantiateSync<ModuleExports>(bytes, { board }).exports;
  } catch (error) {
    throw new DeviceError('ERR_MODULE_LOAD', `${name} does not load: ${(error as Error).message}`);
  }
  if (isForeign) {
    throw new DeviceError('ERR_MODULE_LOAD', `${name} is no device: it has instructions that devices do not have`);
  }
  const missing = CONTRACT_FUNCTIONS.filter((f) => typeof exports[f] !== 'function');
  if (missing.length > 0 || !(exports.memory instanceof WebAssembly.Memory)) {
    throw new DeviceError(
      'ERR_MODULE_LOAD',
      `${name} is no device: it does not export ${missing.join(', ') || 'memory'}`,
    );
  }
  memory = exports.memory;
  return exports as ModuleExports;
}

/** One device. Times are milliseconds of any clock; the device sees their low 32 bits. */
export class Device {
  /** The image while another device's is in memory. */
  private aside: Uint8Array;
  /** Since a trap, which left the image in the middle of a step: readable, but nothing to go on from. */
  private hasTrapped = false;
  private why: DeviceErrorCode = 'ERR_DEVICE_TRAP';

  constructor(
    readonly module: DeviceModule,
    readonly board: Board,
  ) {
    this.aside = new Uint8Array(module.imageBytes);
  }

  putAside(region: Uint8Array): void {
    this.aside.set(region);
  }

  /** The module has trapped, and left this. */
  breakDown(region: Uint8Array, why: DeviceErrorCode): void {
    this.aside.set(region);
    this.hasTrapped = true;
    this.why = why;
  }

  takeUp(region: Uint8Array): void {
    region.set(this.aside);
  }

  /** Power-on. `seed` is what differs between devices of a kind, such as a serial number (32 bits). */
  start(now: Millis, seed: number): number {
    this.hasTrapped = false; // a power-on wipes the image
    return this.call('start', now | 0, seed | 0);
  }

  /**
   * One datagram arrives, from the radio's address `from`; without octets, or with more than the module has room for, nobody
   * knows from where. Returns 0, or an ErrorCode that says why it was dropped.
   */
  receive(datagram: Uint8Array, now: Millis, from: Uint8Array = NOWHERE): number {
    // What is longer than the buffer would be cut by a real radio's driver, too; the length still tells.
    this.write(datagram.length > this.module.rxBytes ? datagram.subarray(0, this.module.rxBytes) : datagram);
    const { memory, peerAt, addressBytes } = this.module;
    const known = from.length > addressBytes ? NOWHERE : from;
    memory[peerAt] = known.length;
    memory.set(known, peerAt + 1);
    return this.call('receive', datagram.length, now | 0);
  }

  /** Does what is due. Returns the milliseconds until it wants to be called again, Infinity for never. */
  poll(now: Millis): Millis {
    const ms = this.call('poll', now | 0);
    return ms === NEVER_MS ? Number.POSITIVE_INFINITY : ms;
  }

  /**
   * Calls a verb of a modem module with numbers; for octets see `write`. Throws ERR_DEVICE_TRAP or _WATCHDOG where the module traps,
   * and from then on, until the device is started or given an image.
   */
  call(verb: string, ...args: number[]): number {
    if (this.hasTrapped) {
      throw new DeviceError(this.why, `${this.module.name}: no ${verb} after a trap, until the device is started`);
    }
    return this.module.run(this, verb, args);
  }

  /** Puts octets where verbs look for them. Returns their number. */
  write(octets: Uint8Array): number {
    this.module.mustBeIdle();
    this.module.bringIn(this);
    if (octets.length > this.module.rxBytes) return ErrorCode.TooLong;
    this.module.memory.set(octets, this.module.rxAt);
    return octets.length;
  }

  /** The device as a block of bytes: a copy of its image, at the time of its last call, sealed unless it has trapped. */
  save(): Uint8Array {
    if (!this.hasTrapped) this.call('seal');
    this.module.bringIn(this);
    return this.module.region.slice();
  }

  /**
   * Continues at `now` from an image that `save` has sealed; whatever it waited for is due. Throws ERR_IMAGE and changes
   * nothing where the image is damaged, or not of this module.
   */
  restore(image: Uint8Array, now: Millis): void {
    checkImage(image, this.module.imageBytes);
    this.module.bringIn(this);
    const before = this.module.region.slice();
    const hadTrapped = this.hasTrapped;
    this.load(image);
    const result = this.call('resume', now | 0);
    if (result >= 0) return;
    this.module.region.set(before);
    this.hasTrapped = hadTrapped;
    throw new DeviceError('ERR_IMAGE', `the image is damaged: the module refused it (${result})`);
  }

  /** Takes over an image as it is, sealed or not, on the same clock. Throws ERR_IMAGE and changes nothing. */
  load(image: Uint8Array): void {
    checkImage(image, this.module.imageBytes);
    this.module.bringIn(this);
    this.module.region.set(image);
    this.hasTrapped = false;
  }

  /** Another device in the same state, on another board. */
  clone(board: Board): Device {
    const twin = this.module.create(board);
    twin.load(this.save());
    return twin;
  }

  /** One of the device's counters. */
  counter(counter: Counter): number {
    this.module.bringIn(this);
    const { exports, imageAt } = this.module;
    return new DataView(exports.memory.buffer).getUint32(imageAt + IMAGE_COUNTERS_AT + 4 * counter, true);
  }
}

function checkImage(image: Uint8Array, bytes: number): void {
  if (image.length !== bytes) {
    throw new DeviceError('ERR_IMAGE', `the image has ${image.length} octets, the module's state ${bytes}`);
  }
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  if (view.getUint32(IMAGE_MAGIC_AT, true) !== IMAGE_MAGIC)
    throw new DeviceError('ERR_IMAGE', 'not an image of a device');
  const layout = view.getUint32(IMAGE_LAYOUT_AT, true);
  if (layout !== IMAGE_LAYOUT || view.getUint32(IMAGE_BYTES_AT, true) !== bytes) {
    throw new DeviceError('ERR_IMAGE', `the image has layout ${layout}, the module understands ${IMAGE_LAYOUT}`);
  }
}
