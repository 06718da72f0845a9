// The device's side of the contract as the host calls it.
import type { EventKind } from '../../assembly/protocol/index.js';

/** The exports of a module that keeps the contract; modem modules have the client's verbs besides. */
export interface ModuleExports extends Record<string, unknown> {
  readonly memory: WebAssembly.Memory;
  abi(): number;
  image(): number;
  imageBytes(): number;
  rx(): number;
  rxBytes(): number;
  peer(): number;
  peerBytes(): number;
  start(now: number, seed: number): number;
  receive(bytes: number, now: number): number;
  poll(now: number): number;
  resume(now: number): number;
  seal(): number;
}

/** The functions that every module with the contract exports, beside `memory`. */
export const CONTRACT_FUNCTIONS = [
  'abi',
  'image',
  'imageBytes',
  'rx',
  'rxBytes',
  'peer',
  'peerBytes',
  'start',
  'receive',
  'poll',
  'resume',
  'seal',
] as const;

/** An event of a modem module; `name` and `data` are copies. */
export interface DeviceEvent {
  readonly kind: EventKind;
  readonly flags: number;
  /** Handle, or 255 for none. */
  readonly topic: number;
  readonly code: number;
  readonly topicId: number;
  readonly ticket: number;
  readonly name: string;
  readonly data: Uint8Array;
}

/** What a device is plugged into. */
export interface Board {
  /**
   * Takes one datagram for the radio's address `to`, both valid only during the call. Where `to` has no octets, it goes where
   * the board sends by default: to its configured gateway, or to everyone in reach. Returns the octets taken, or < 0.
   */
  send(datagram: Uint8Array, to: Uint8Array): number;
  /** Of modem modules. */
  event?(event: DeviceEvent): void;
  /**
   * Of applications that take updates: one chunk, valid only during the call. Returns the chunks that are still missing, 0 where
   * the update is accepted, or an ErrorCode; without it every chunk is refused with ErrorCode.WrongState.
   */
  update?(chunk: Uint8Array): number;
  /** Of applications that take updates: this one works. */
  confirm?(): void;
  /** Of debug builds: 0 error to 3 debug. */
  log?(level: number, text: string): void;
}

/** Where an event's fields are; see assembly/modules/modem-mqttsn.ts. */
const EVENT = {
  kind: 0,
  flags: 1,
  topic: 2,
  code: 3,
  topicId: 4,
  ticket: 6,
  name: 8,
  data: 12,
  nameBytes: 16,
  dataBytes: 18,
};

const decoder = new TextDecoder();

/** Copies an event out of a module's memory. */
export function readEvent(memory: ArrayBuffer, at: number): DeviceEvent {
  const view = new DataView(memory, at);
  const octets = (pointer: number, length: number): Uint8Array =>
    new Uint8Array(memory, view.getUint32(pointer, true), view.getUint16(length, true)).slice();
  return {
    kind: view.getUint8(EVENT.kind) as EventKind,
    flags: view.getUint8(EVENT.flags),
    topic: view.getUint8(EVENT.topic),
    code: view.getUint8(EVENT.code),
    topicId: view.getUint16(EVENT.topicId, true),
    ticket: view.getUint16(EVENT.ticket, true),
    name: decoder.decode(octets(EVENT.name, EVENT.nameBytes)),
    data: octets(EVENT.data, EVENT.dataBytes),
  };
}
