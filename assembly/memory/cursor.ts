// A bounded cursor over fixed memory: reading past the end gives zeros, writing past the end writes nothing, and either
// is remembered. Whoever uses one asks `failed` once, at the end, instead of after every octet. Multi-octet numbers are
// big-endian, as on the wire.

@unmanaged
export class Cursor {
  at: usize;
  end: usize;
  /** Non-zero once something did not fit. */
  failed: i32;

  open(ptr: usize, bytes: i32): void {
    this.at = ptr;
    this.end = ptr + bytes;
    this.failed = 0;
  }

  /** Octets left. */
  left(): i32 {
    return <i32>(this.end - this.at);
  }

  /** Moves past `bytes` octets and returns where they begin, or 0 where so many are not left. */
  take(bytes: i32): usize {
    const at = this.at;
    if (bytes > this.left()) {
      this.failed = 1;
      return 0;
    }
    this.at = at + bytes;
    return at;
  }

  u8(): i32 {
    const at = this.take(1);
    return at ? load<u8>(at) : 0;
  }

  u16(): i32 {
    const at = this.take(2);
    return at ? <i32>bswap(load<u16>(at)) : 0;
  }

  putU8(value: i32): void {
    const at = this.take(1);
    if (at) store<u8>(at, value);
  }

  putU16(value: i32): void {
    const at = this.take(2);
    if (at) store<u16>(at, bswap(<u16>value));
  }

  putBytes(ptr: usize, bytes: i32): void {
    const at = this.take(bytes);
    if (at) memory.copy(at, ptr, bytes);
  }
}
