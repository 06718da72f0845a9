// One packet in, one datagram out.
import { ErrorCode } from '../protocol/error-code';
import { LENGTH_LONG_MARK, SHORT_PACKET_BYTES_MAX } from '../protocol/flags';
import { Field, fieldOf, HEADER_BYTES, HEADER_LONG_BYTES, layoutOf, slotOf, widthOf } from './layout';
import { Packet } from './packet';

const LONG_EXTRA_BYTES: i32 = HEADER_LONG_BYTES - HEADER_BYTES;

/**
 * Writes `packet` as one datagram at `ptr`, where the caller knows that there is room. Returns its octets. Of an encapsulation
 * this is the envelope; the packet inside goes behind it, see `encodeWhole`.
 */
export function encode(packet: Packet, ptr: usize): i32 {
  let at = ptr + HEADER_BYTES;
  for (let layout = layoutOf(packet.type); layout; layout >>= 4) {
    const field = fieldOf(packet, layout);
    if (field <= Field.MsgId) {
      const value = load<i32>(slotOf(packet, field));
      if (field > Field.Code) store<u8>(at++, value >> 8);
      store<u8>(at++, value);
    } else if (field === Field.Optional) {
      if (!packet.present) break;
    } else {
      memory.copy(at, packet.data, packet.dataBytes);
      at += packet.dataBytes;
    }
  }
  let length = <i32>(at - ptr);
  if (length <= SHORT_PACKET_BYTES_MAX) {
    store<u8>(ptr, length);
  } else {
    // Rare on small radios: the body moves up for the longer Length.
    memory.copy(ptr + HEADER_LONG_BYTES, ptr + HEADER_BYTES, length - HEADER_BYTES);
    length += LONG_EXTRA_BYTES;
    store<u8>(ptr, LENGTH_LONG_MARK);
    store<u8>(ptr, length >> 8, 1);
    store<u8>(ptr, length, 2);
    ptr += LONG_EXTRA_BYTES;
  }
  store<u8>(ptr, packet.type, 1);
  return length;
}

/**
 * Any packet into `capacity` octets at `ptr`, with the one inside an encapsulation; `packet.innerBytes` is 0 for any other type.
 * Returns the octets written or an ErrorCode.
 */
export function encodeWhole(packet: Packet, ptr: usize, capacity: i32): i32 {
  if (layoutOf(packet.type) === Field.Reserved) return ErrorCode.UnknownType;
  if (bytesOf(packet) + packet.innerBytes > capacity) return ErrorCode.TooLong;
  const length = encode(packet, ptr);
  memory.copy(ptr + length, packet.inner, packet.innerBytes);
  return length + packet.innerBytes;
}

/** What `encode` will return. */
function bytesOf(packet: Packet): i32 {
  let bytes = HEADER_BYTES;
  for (let layout = layoutOf(packet.type); layout; layout >>= 4) {
    const field = fieldOf(packet, layout);
    if (field !== Field.Optional) bytes += widthOf(field, packet.dataBytes);
    else if (!packet.present) break;
  }
  return bytes > SHORT_PACKET_BYTES_MAX ? bytes + LONG_EXTRA_BYTES : bytes;
}
