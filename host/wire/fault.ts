// What can be wrong with a datagram (a normal case: radios and strangers produce it), and with a packet that we were about
// to send (our own bug).
import type { PacketType } from '../../assembly/protocol/index.js';
import type { Packet } from './packets.js';

/** Stable words for what is wrong with a datagram. */
export type FaultCode =
  /** Ends before its Length and MsgType, or before a field that its type demands. */
  | 'truncated'
  /** Length differs from the size of the datagram (5.2.1). */
  | 'length-mismatch'
  /** Octets follow the last field of a packet of fixed size. */
  | 'trailing-octets'
  /** MsgType is reserved (5.2.2). */
  | 'unknown-type'
  /** TopicIdType is 11 (5.3.4). */
  | 'reserved-topic-type'
  /** QoS bits are 11 where -1 has no meaning: everywhere but in PUBLISH (5.3.4). */
  | 'bad-qos'
  /** A name is not UTF-8, or contains U+0000. */
  | 'bad-name';

/** The `type` of a fault, outside the range of MsgType. */
export const FAULT = -1;

/** Not a packet. Faults are shared constants: compare by `code`. */
export interface WireFault {
  readonly type: typeof FAULT;
  readonly code: FaultCode;
}

/** What `decode` returns: told apart by `type`, or by `isFault`. */
export type Decoded = Packet | WireFault;

const fault = (code: FaultCode): WireFault => Object.freeze({ type: FAULT, code });

export const TRUNCATED = fault('truncated');
export const LENGTH_MISMATCH = fault('length-mismatch');
export const TRAILING_OCTETS = fault('trailing-octets');
export const UNKNOWN_TYPE = fault('unknown-type');
export const RESERVED_TOPIC_TYPE = fault('reserved-topic-type');
export const BAD_QOS = fault('bad-qos');
export const BAD_NAME = fault('bad-name');

export function isFault(decoded: Decoded): decoded is WireFault {
  return decoded.type === FAULT;
}

/** A packet that cannot be put on the wire: a field is out of its range. Never caused by what was received. */
export class WireEncodeError extends RangeError {
  readonly code = 'ERR_WIRE_ENCODE';
  override readonly name = 'WireEncodeError';

  /** `field` is the field's name in `Packet`. */
  constructor(
    readonly packetType: PacketType,
    readonly field: string,
    problem: string,
  ) {
    super(`packet type 0x${packetType.toString(16).padStart(2, '0')}: ${field} ${problem}`);
  }
}
