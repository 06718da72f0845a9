// The Flags octet (5.3.4) taken apart and put together. Bits that a packet type does not use are ignored on receipt and
// sent as zero.

import type { PacketType, TopicType } from '../../assembly/protocol/index.js';
import { Flags, QOS_BITS_MINUS_ONE, QOS_SHIFT } from '../../assembly/protocol/index.js';
import type { Qos } from '../ports.js';
import { WireEncodeError } from './fault.js';
import type { SnQos } from './packets.js';

/** QoS of a Flags octet; -1 for the bits 11 (6.8). */
export function qosOf(flags: number): SnQos {
  const bits = (flags & Flags.Qos) >> QOS_SHIFT;
  return bits === QOS_BITS_MINUS_ONE ? -1 : (bits as Qos);
}

export function topicTypeOf(flags: number): TopicType {
  return flags & Flags.TopicType;
}

/** The QoS bits of `qos`, in place. `lowest` is -1 for PUBLISH and 0 for everything else. */
export function qosBits(type: PacketType, qos: SnQos, lowest: -1 | 0): number {
  if (!Number.isInteger(qos) || qos < lowest || qos > 2) {
    throw new WireEncodeError(type, 'qos', `is ${qos}, not an integer from ${lowest} to 2`);
  }
  return (qos === -1 ? QOS_BITS_MINUS_ONE : qos) << QOS_SHIFT;
}
