// The MQTT-SN codec by itself: every packet type, both ways, for firmware that wants packets without a client, and for
// the tests and benches that compare codecs. Memory: the packet record, then the buffer for datagrams.
import { decode as decodePacket } from '../codec/decode';
import { encodeWhole } from '../codec/encode';
import { Packet } from '../codec/packet';

// Where static data end: the compiler knows, and the link step says it the way runtimes want it.
export { __data_end, __heap_base };

/** Octets of the buffer: the largest packet of MQTT-SN and its encapsulation do not fit on purpose, 2 KiB do. */
const BUFFER_BYTES: i32 = 2048;
const PACKET = memory.data(offsetof<Packet>(), 8);
const BUFFER = memory.data(BUFFER_BYTES, 8);

/** Where the packet record lies: eleven 32-bit fields in the order of class Packet. */
export function packet(): usize {
  return PACKET;
}

/** Where `decode` reads datagrams and `encode` takes its variable data from. */
export function buffer(): usize {
  return BUFFER;
}

/** Half of the buffer is input, the other half output: both sizes are this. */
export function bufferBytes(): i32 {
  return BUFFER_BYTES / 2;
}

/** Decodes `bytes` octets of the input half into the record. Returns 0 or an ErrorCode. */
export function decode(bytes: i32): i32 {
  return decodePacket(changetype<Packet>(PACKET), BUFFER, bytes);
}

/** Encodes the record into the output half, `bufferBytes()` after the start. Returns the octets or an ErrorCode. */
export function encode(): i32 {
  return encodeWhole(changetype<Packet>(PACKET), BUFFER + bufferBytes(), bufferBytes());
}
