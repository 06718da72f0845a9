// Calls into a module with all that came of them: recorded on V8, to be repeated on any engine, which must answer with the
// same octets.

import type { DeviceEvent } from '../../host/device/abi.js';
import { type Device, DeviceModule } from '../../host/device/device.js';
import type { LockstepDevice, SentDatagram, Step } from '../../host/firmware/run/lockstep.js';
import type { Millis } from '../../host/ports.js';

/** What is called. */
export type Request =
  | { readonly kind: 'start'; readonly now: Millis; readonly seed: number }
  | { readonly kind: 'receive'; readonly now: Millis; readonly datagram: Uint8Array; readonly from: Uint8Array }
  | { readonly kind: 'poll'; readonly now: Millis }
  | {
      readonly kind: 'verb';
      readonly now: Millis;
      readonly name: string;
      readonly args: readonly number[];
      /** What it takes at rx(). */
      readonly octets: Uint8Array;
    };

/** A call, and what came of it. */
export interface Call extends Step {
  readonly request: Request;
}

/** A device on V8. */
export class Recorder {
  readonly calls: Call[] = [];
  private readonly device: Device;
  private sent: SentDatagram[] = [];
  private events: Uint8Array[] = [];

  constructor(wasm: Uint8Array) {
    this.device = new DeviceModule(wasm).create({
      send: (datagram, to) => {
        this.sent.push({ datagram: datagram.slice(), to: to.slice() });
        return datagram.length;
      },
      event: (event) => this.events.push(eventOctets(event)),
    });
  }

  call(request: Request): Call {
    this.sent = [];
    this.events = [];
    const result = perform(this.device, request);
    const call = { request, result, sent: this.sent, events: this.events };
    this.calls.push(call);
    return call;
  }
}

function perform(device: Device, request: Request): number {
  switch (request.kind) {
    case 'start':
      return device.start(request.now, request.seed);
    case 'receive':
      return device.receive(request.datagram, request.now, request.from);
    case 'poll':
      return device.call('poll', request.now | 0);
    case 'verb':
      device.write(request.octets);
      return device.call(request.name, ...request.args);
  }
}

/** As lockstep firmware tells it: the kind, the event with 0 for pointers, and what they point to. */
export function eventOctets({ kind, flags, topic, code, topicId, ticket, name, data }: DeviceEvent): Uint8Array {
  const u16 = (value: number): number[] => [value & 0xff, value >>> 8];
  const text = new TextEncoder().encode(name);
  const pointers = new Array<number>(8).fill(0);
  const lengths = [...u16(text.length), ...u16(data.length)];
  const event = [kind, flags, topic, code, ...u16(topicId), ...u16(ticket), ...pointers, ...lengths];
  return Uint8Array.of(kind, ...event, ...text, ...data);
}

/** Makes one of the calls elsewhere. Throws where anything else comes of it than what was recorded. */
export async function repeatCall(device: LockstepDevice, call: Call): Promise<void> {
  const step = await repeat(device, call.request);
  const [found, recorded] = [describe(step), describe(call)];
  if (found === recorded) return;
  const { request } = call;
  const what = request.kind === 'verb' ? `${request.name}(${request.args.join(', ')})` : request.kind;
  throw new Error(`${what} at ${request.now} ms: ${found}, where V8 has ${recorded}`);
}

function repeat(device: LockstepDevice, request: Request): Promise<Step> {
  switch (request.kind) {
    case 'start':
      return device.start(request.now, request.seed);
    case 'receive':
      return device.receive(request.datagram, request.now, request.from);
    case 'poll':
      return device.poll(request.now);
    case 'verb':
      return device.verb(request.name, request.args, request.octets);
  }
}

function describe({ result, sent, events }: Step): string {
  const datagrams = sent.map(({ datagram, to }) => `${hex(datagram)}${to.length > 0 ? ` to ${hex(to)}` : ''}`);
  const parts = [`result ${result}`];
  if (sent.length > 0) parts.push(`sent ${datagrams.join()}`);
  if (events.length > 0) parts.push(`events ${events.map(hex).join()}`);
  return parts.join(', ');
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
