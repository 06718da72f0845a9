// The board's end of the lockstep frames, on V8: what boards/common/lockstep.c is in C. It shows the host's end at work where
// there is neither an emulator nor WAMR.
import { eventOctets } from '../../bench/footprint/calls.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import { LockstepDevice } from '../../host/firmware/run/lockstep.js';

const octetOf = (letter: string): number => letter.charCodeAt(0);
const [SENT, EVENT, IMAGE, RESULT] = [octetOf('S'), octetOf('E'), octetOf('I'), octetOf('R')];
const UNKNOWN_CALL = -99;

export function lockstepOnV8(wasm: Uint8Array): LockstepDevice {
  const host = new LockstepDevice((frame) => queueMicrotask(() => answer(frame)));
  const tell = (...parts: (number | Uint8Array)[]): void =>
    host.take(Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part]))));
  const device: Device = new DeviceModule(wasm, 'lockstep').create({
    send: (datagram, to) => {
      tell(SENT, to.length, to, datagram);
      return datagram.length;
    },
    event: (event) => tell(EVENT, eventOctets(event)),
  });
  const answer = (frame: Uint8Array): void => {
    const call = String.fromCharCode(frame[0]!);
    if (call === 'i') tell(IMAGE, device.module.region);
    tell(RESULT, words(call === 'm' ? [1, 2, 3] : [perform(device, call, frame)]));
  };
  return host;
}

function perform(device: Device, call: string, frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const u32 = (index: number): number => view.getUint32(1 + 4 * index, true);
  switch (call) {
    case 's':
      return device.start(u32(0), u32(1));
    case 'p':
      return device.call('poll', u32(0) | 0);
    case 'u':
      return device.call('resume', u32(0) | 0);
    case 'z':
      return device.call('seal');
    case 'i':
      return device.module.imageBytes;
    case 'r': {
      const at = 6 + frame[5]!;
      return device.receive(frame.subarray(at), u32(0), frame.subarray(6, at));
    }
    case 'v':
      return performVerb(device, frame);
    default:
      throw new Error(`no call ${call}`);
  }
}

function performVerb(device: Device, frame: Uint8Array): number {
  const nameBytes = frame[1]!;
  const name = new TextDecoder().decode(frame.subarray(2, 2 + nameBytes));
  const count = frame[2 + nameBytes]!;
  const argsAt = 3 + nameBytes;
  const view = new DataView(frame.buffer, frame.byteOffset + argsAt);
  if (typeof device.module.exports[name] !== 'function') return UNKNOWN_CALL;
  device.write(frame.subarray(argsAt + 4 * count));
  return device.call(name, ...Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true)));
}

function words(values: readonly number[]): Uint8Array {
  const octets = new Uint8Array(4 * values.length);
  const view = new DataView(octets.buffer);
  values.forEach((value, i) => {
    view.setInt32(4 * i, value, true);
  });
  return octets;
}
