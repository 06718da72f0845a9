// A sum that tells one block of octets from another: the seal of an image, and which gateway it was.

/** CRC-32 bit by bit: a table would take more room than the time is worth. */
export function sumOf(at: usize, bytes: usize): u32 {
  let sum: u32 = ~0;
  for (const end = at + bytes; at < end; at++) {
    sum ^= load<u8>(at);
    for (let bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ (-(sum & 1) & 0xedb88320);
  }
  return ~sum;
}
