// A device somewhere else (a board in its emulator, another process) that is given its time and its datagrams call by call.
// The same calls can so be made of any engine, and all that comes of them compared. Firmware for it is boards/common/
// lockstep.c. Frames over a serial line, integers little-endian:
//
//   host → board   call, one letter; its arguments
//     's' now:u32 seed:u32                  start        'z'   seal
//     'p' now:u32                           poll         'i'   image
//     'u' now:u32                           resume       'm'   measure
//     'r' now:u32 fromBytes:u8 from data    receive
//     'v' nameBytes:u8 name count:u8 arguments:u32… octets   a verb of a modem module, the octets at rx()
//   board → host   what comes of it, in order; the last is 'R'
//     'S' toBytes:u8 to datagram            sent
//     'E' kind:u8 event:20 octets name data an event of a modem module, its pointers as 0
//     'I' octets                            the state region
//     'R' result:i32, -99 for a call that the board does not know; after 'm' also cycles:u32 instructions:u32 of the call before
import { FirmwareError } from '../error.js';

export interface SentDatagram {
  readonly datagram: Uint8Array;
  /** The radio's address it is for; no octets: the board's default. */
  readonly to: Uint8Array;
}

/** What came of a call. */
export interface Step {
  readonly result: number;
  readonly sent: readonly SentDatagram[];
  /** Events of modem modules, each its kind, 20 octets whose pointers are 0, its name and its data. */
  readonly events: readonly Uint8Array[];
}

export interface Measurement {
  /** The most stack that was ever in use since the boot, octets. */
  readonly stackBytes: number;
  /** Of the board's clock (emulator.hz), in the call before. */
  readonly cycles: number;
  /** In the call before; 0 where the board cannot count them. */
  readonly instructions: number;
}

/** Of an event's frame: where name and data have their lengths, and where the name begins. */
const EVENT_NAME_BYTES_AT = 18;
const EVENT_DATA_BYTES_AT = 20;
const EVENT_NAME_AT = 22;
const UNKNOWN_CALL = -99;

/** Longer than any call takes on any emulator, on a machine that does other things, too. */
const DEADLINE_MS = 60_000;

interface Call {
  readonly name: string;
  readonly sent: SentDatagram[];
  readonly events: Uint8Array[];
  region: Uint8Array | undefined;
  readonly done: (answer: DataView) => void;
}

const letter = (text: string): number => text.charCodeAt(0);
const SENT = letter('S');
const EVENT = letter('E');
const IMAGE = letter('I');
const RESULT = letter('R');

export class LockstepDevice {
  private call: Call | undefined;
  private failure: Error | undefined;
  private fail: ((error: Error) => void) | undefined;

  /** `send` hands a frame to the board; whatever comes from there goes to `take`. One call at a time. */
  constructor(private readonly send: (frame: Uint8Array) => void) {}

  start(now: number, seed: number): Promise<Step> {
    return this.step('start', words('s', now, seed));
  }

  receive(datagram: Uint8Array, now: number, from: Uint8Array = new Uint8Array()): Promise<Step> {
    return this.step('receive', words('r', now), Uint8Array.of(from.length), from, datagram);
  }

  poll(now: number): Promise<Step> {
    return this.step('poll', words('p', now));
  }

  seal(): Promise<Step> {
    return this.step('seal', words('z'));
  }

  resume(now: number): Promise<Step> {
    return this.step('resume', words('u', now));
  }

  /**
   * Calls a verb of a modem module (docs/ABI.md); what it takes in octets is put to rx() first. Throws ERR_LOCKSTEP where the
   * module has no such verb.
   */
  verb(name: string, args: readonly number[] = [], octets: Uint8Array = new Uint8Array()): Promise<Step> {
    const text = new TextEncoder().encode(name);
    const head = Uint8Array.of(letter('v'), text.length, ...text, args.length);
    return this.step(`${name}(${args.join(', ')})`, head, words('', ...args), octets);
  }

  /** The state region as it is. */
  async image(): Promise<Uint8Array> {
    const { region } = await this.exchange('image', words('i'));
    if (region === undefined) throw new FirmwareError('ERR_LOCKSTEP', 'image: the board has sent none');
    return region;
  }

  async measure(): Promise<Measurement> {
    const { answer } = await this.exchange('measure', words('m'));
    return {
      stackBytes: answer.getUint32(0, true),
      cycles: answer.getUint32(4, true),
      instructions: answer.getUint32(8, true),
    };
  }

  /** A frame from the board. */
  take(frame: Uint8Array): void {
    const { call } = this;
    if (call === undefined) this.stop(new FirmwareError('ERR_LOCKSTEP', `the board says ${hex(frame)} unasked`));
    else if (frame[0] === SENT) call.sent.push(readSent(frame));
    else if (frame[0] === EVENT && isWholeEvent(frame)) call.events.push(frame.slice(1));
    else if (frame[0] === IMAGE) call.region = frame.slice(1);
    else if (frame[0] === RESULT) call.done(new DataView(frame.buffer, frame.byteOffset + 1, frame.length - 1));
    else this.stop(new FirmwareError('ERR_LOCKSTEP', `${call.name}: the board says ${hex(frame)}`));
  }

  /** A line of the board for people. One that starts in the middle of a call has been reset, and will give no result. */
  log(text: string): void {
    if (this.call !== undefined && text.startsWith('started')) {
      this.stop(new FirmwareError('ERR_LOCKSTEP', `the board was reset in ${this.call.name}, and says "${text}"`));
    }
  }

  /** The board is over: the call under way fails, and so do all others. */
  stop(error: Error): void {
    this.failure ??= error;
    this.fail?.(error);
  }

  private async step(name: string, ...parts: Uint8Array[]): Promise<Step> {
    const { answer, sent, events } = await this.exchange(name, ...parts);
    const result = answer.getInt32(0, true);
    if (result === UNKNOWN_CALL)
      throw new FirmwareError('ERR_LOCKSTEP', `${name}: the board, or its module, knows no such call`);
    return { result, sent, events };
  }

  private async exchange(name: string, ...parts: Uint8Array[]): Promise<Call & { readonly answer: DataView }> {
    if (this.failure !== undefined) throw this.failure;
    if (this.call !== undefined) throw new FirmwareError('ERR_LOCKSTEP', `${name} during ${this.call.name}`);
    let timeout: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<DataView>((done, fail) => {
        const late = new FirmwareError('ERR_LOCKSTEP', `${name}: no result within ${DEADLINE_MS} ms`);
        timeout = setTimeout(() => this.stop(late), DEADLINE_MS);
        this.fail = fail;
        this.call = { name, sent: [], events: [], region: undefined, done };
        this.send(Buffer.concat(parts));
      });
      return { ...this.call!, answer };
    } finally {
      clearTimeout(timeout);
      this.call = undefined;
      this.fail = undefined;
    }
  }
}

/** A letter (or none), and numbers of 32 bits. */
function words(call: string, ...values: number[]): Uint8Array {
  const frame = new Uint8Array(call.length + 4 * values.length);
  const view = new DataView(frame.buffer);
  if (call !== '') view.setUint8(0, letter(call));
  values.forEach((value, i) => {
    view.setUint32(call.length + 4 * i, value, true); // takes the low 32 bits of any number
  });
  return frame;
}

function readSent(frame: Uint8Array): SentDatagram {
  const at = 2 + frame[1]!;
  return { to: frame.slice(2, at), datagram: frame.slice(at) };
}

function isWholeEvent(frame: Uint8Array): boolean {
  if (frame.length < EVENT_NAME_AT) return false;
  const view = new DataView(frame.buffer, frame.byteOffset);
  const bytes = view.getUint16(EVENT_NAME_BYTES_AT, true) + view.getUint16(EVENT_DATA_BYTES_AT, true);
  return frame.length === EVENT_NAME_AT + bytes;
}

const hex = (frame: Uint8Array): string => Buffer.from(frame.subarray(0, 16)).toString('hex');
