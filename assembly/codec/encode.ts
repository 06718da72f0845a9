// One packet in, one datagram out.
import { ErrorCode } from '../protocol/error-code';
import { LENGTH_LONG_MARK, SHORT_PACKET_BYTES_MAX } from '../protocol/flags';
import { Field, fieldOf, HEADER_BYTES, HEADER_LONG_BYTES, layoutOf, slotOf, widthOf } from './layout';
import { Packet } from './packet';

const LONG_EXTRA_BYTES: i32 = HEADER_LONG_BYTES - HEADER_BYTES;

/**
 * Writes `packet` as one datagram into `capacity` octets at `ptr`, at most PACKET_BYTES_MAX. Returns the octets written or an
 * ErrorCode. Of an encapsulation it writes the envelope; the packet inside goes behind it, see `encodeWhole`.
 */
export function encode(packet: Packet, ptr: usize, capacity: i32): i32 {
  let length = HEADER_BYTES;
  for (let layout = layoutOf(packet.type); layout; layout >>= 4) {
    const field = fieldOf(packet, layout);
    if (field === Field.Reserved) return ErrorCode.UnknownType;
    if (field === Field.Optional) {
      if (!packet.present) break;
      continue;
    }
    const at = ptr + length;
    length += widthOf(field, packet.dataBytes);
    if (length > capacity) return ErrorCode.TooLong;
    if (field > Field.MsgId) {
      memory.copy(at, packet.data, packet.dataBytes);
    } else {
      const value = load<i32>(slotOf(packet, field));
      store<u8>(at, field > Field.Code ? value >> 8 : value);
      if (field > Field.Code) store<u8>(at, value, 1);
    }
  }
  return encodeHeader(packet.type, length, ptr, capacity);
}

/** `length` octets, those of a short header among them, are there but for the header. */
function encodeHeader(type: i32, length: i32, ptr: usize, capacity: i32): i32 {
  if (length > SHORT_PACKET_BYTES_MAX) {
    // Rare on small radios: the body moves up for the longer Length.
    if (length + LONG_EXTRA_BYTES > capacity) return ErrorCode.TooLong;
    memory.copy(ptr + HEADER_LONG_BYTES, ptr + HEADER_BYTES, length - HEADER_BYTES);
    length += LONG_EXTRA_BYTES;
    store<u8>(ptr, LENGTH_LONG_MARK);
    store<u16>(ptr, bswap(<u16>length), 1, 1);
    ptr += LONG_EXTRA_BYTES;
  } else {
    if (length > capacity) return ErrorCode.TooLong;
    store<u8>(ptr, length);
  }
  store<u8>(ptr, type, 1);
  return length;
}

/** The same, with the packet inside an encapsulation behind it; `packet.innerBytes` is 0 for any other type. */
export function encodeWhole(packet: Packet, ptr: usize, capacity: i32): i32 {
  const length = encode(packet, ptr, capacity);
  if (length < 0) return length;
  if (length + packet.innerBytes > capacity) return ErrorCode.TooLong;
  memory.copy(ptr + length, packet.inner, packet.innerBytes);
  return length + packet.innerBytes;
}
