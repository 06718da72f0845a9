// A line of text in fixed memory: names and payloads are built here, since a device has no heap for strings. String
// literals are fine (they are constants); joining them with `+` is not, and fails the build.
import { TEXT_BYTES } from './limits';

@unmanaged
export class Text {
  /** Octets so far. */
  bytes: i32;
  /** Non-zero once something did not fit; what did not fit is not there. */
  failed: i32;

  /** Where the octets are. */
  get at(): usize {
    // Where there is no buffer, what follows in the state lies here.
    if (TEXT_BYTES === 0) ERROR('THIMBLE_TEXT_BYTES: 16 or more, since the application builds text');
    return changetype<usize>(this) + offsetof<Text>();
  }

  clear(): this {
    if (TEXT_BYTES === 0) ERROR('THIMBLE_TEXT_BYTES: 16 or more, since the application builds text');
    this.bytes = 0;
    this.failed = 0;
    return this;
  }

  /** Appends a string literal as UTF-8. */
  add(s: string): this {
    const bytes = String.UTF8.byteLength(s);
    const at = this.reserve(bytes);
    if (at) String.UTF8.encodeUnsafe(changetype<usize>(s), s.length, at);
    return this;
  }

  /** Appends octets from memory, such as an event's name or data. */
  addBytes(ptr: usize, bytes: i32): this {
    const at = this.reserve(bytes);
    if (at) memory.copy(at, ptr, bytes);
    return this;
  }

  /** Appends a number in decimal. */
  addInt(value: i32): this {
    if (value < 0) this.put(0x2d); // '-'
    let rest: u32 = value < 0 ? -value : value;
    let digits = 1;
    for (let n = rest; n > 9; n /= 10) digits++;
    const at = this.reserve(digits);
    if (!at) return this;
    for (let i = digits - 1; i >= 0; i--) {
      store<u8>(at + i, 0x30 + (rest % 10));
      rest /= 10;
    }
    return this;
  }

  /** Appends `value / 100` with two decimals: 2137 is "21.37". */
  addHundredths(value: i32): this {
    if (value < 0) this.put(0x2d); // '-'
    const rest: i32 = value < 0 ? -value : value;
    this.addInt(rest / 100).put(0x2e); // '.'
    return this.addInt((rest / 10) % 10).addInt(rest % 10);
  }

  /** Appends the low `digits` hexadecimal digits, 1 to 8. */
  addHex(value: u32, digits: i32): this {
    const at = this.reserve(digits);
    if (!at) return this;
    for (let i = digits - 1; i >= 0; i--) {
      const digit = value & 15;
      store<u8>(at + i, digit + (digit < 10 ? 0x30 : 0x57));
      value >>= 4;
    }
    return this;
  }

  /** Appends one octet. */
  private put(octet: i32): this {
    const at = this.reserve(1);
    if (at) store<u8>(at, octet);
    return this;
  }

  /** Room for `bytes` more octets, or 0 where there is none. */
  private reserve(bytes: i32): usize {
    if (<i32>offsetof<Text>() + this.bytes + bytes > TEXT_BYTES) {
      this.failed = 1;
      return 0;
    }
    const at = this.at + this.bytes;
    this.bytes += bytes;
    return at;
  }
}
