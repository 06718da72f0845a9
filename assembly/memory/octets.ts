// Counted octets: an octet that says how many, then so many. Names, client ids, messages and addresses of the radio are kept
// so, which makes one address of what were an address and a length.

/** Keeps `bytes` octets of `from`, at most 255, at `at`. */
export function keep(at: usize, from: usize, bytes: i32): void {
  store<u8>(at, bytes);
  memory.copy(at + 1, from, bytes);
}

/** memory.compare would bring ten times the code, for speed that names of a few octets do not need. */
export function isSame(a: usize, b: usize, bytes: i32): bool {
  for (let i = 0; i < bytes; i++) if (load<u8>(a + i) !== load<u8>(b + i)) return false;
  return true;
}

/** True where what is kept at both is the same. */
export function areSame(a: usize, b: usize): bool {
  return isSame(a, b, 1 + <i32>load<u8>(a));
}
