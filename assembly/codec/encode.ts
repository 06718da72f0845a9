// One packet in, one datagram out.
import { Cursor } from '../memory/cursor';
import { ErrorCode } from '../protocol/error-code';
import { LENGTH_LONG_MARK, SHORT_PACKET_BYTES_MAX } from '../protocol/flags';
import { Field, fieldOf, layoutOf, slotOf } from './layout';
import { Packet } from './packet';

/** Length of one octet and MsgType; a Length of three octets is two more. */
const HEADER_BYTES: i32 = 2;
const LONG_EXTRA_BYTES: i32 = 2;

/**
 * Writes `packet` as one datagram into `capacity` octets at `ptr`, at most PACKET_BYTES_MAX; `c` is scratch. The packet inside an encapsulation is
 * written behind it. Returns the octets written or an ErrorCode.
 */
export function encode(packet: Packet, c: Cursor, ptr: usize, capacity: i32): i32 {
  if (layoutOf(packet.type) === Field.Reserved) return ErrorCode.UnknownType;
  c.open(ptr, capacity);
  c.take(HEADER_BYTES);
  encodeBody(packet, c);
  let length = <i32>(c.at - ptr);
  if (length > SHORT_PACKET_BYTES_MAX) {
    // Rare on small radios: the body moves up for the longer Length.
    c.take(LONG_EXTRA_BYTES);
    if (c.failed) return ErrorCode.TooLong;
    memory.copy(ptr + HEADER_BYTES + LONG_EXTRA_BYTES, ptr + HEADER_BYTES, length - HEADER_BYTES);
    length += LONG_EXTRA_BYTES;
    store<u8>(ptr, LENGTH_LONG_MARK);
    store<u16>(ptr, bswap(<u16>length), 1);
    store<u8>(ptr, packet.type, 3);
  } else if (!c.failed) {
    store<u8>(ptr, length);
    store<u8>(ptr, packet.type, 1);
  }
  c.putBytes(packet.inner, packet.innerBytes);
  return c.failed ? ErrorCode.TooLong : <i32>(c.at - ptr);
}

function encodeBody(packet: Packet, c: Cursor): void {
  for (let layout = layoutOf(packet.type); layout; layout >>= 4) {
    const field = fieldOf(packet, layout);
    if (field === Field.Optional) {
      if (!packet.present) return;
    } else if (field <= Field.Code) c.putU8(load<i32>(slotOf(packet, field)));
    else if (field <= Field.MsgId) c.putU16(load<i32>(slotOf(packet, field)));
    else c.putBytes(packet.data, packet.dataBytes);
  }
}
