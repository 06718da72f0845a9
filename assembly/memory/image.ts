// The header of a state region (protocol/image.ts): `at` is where the region lies, `bytes` its length.
import {
  Counter,
  IMAGE_BYTES_AT,
  IMAGE_COUNTERS_AT,
  IMAGE_LAYOUT,
  IMAGE_LAYOUT_AT,
  IMAGE_MAGIC,
  IMAGE_MAGIC_AT,
  IMAGE_SEAL_AT,
} from '../protocol/image';
import { sumOf } from './sum';

/**
 * Octets left free on both sides of a state region: none in a module that ships. With some, the state moves by another
 * distance than the constants before it, and those behind it by a third; so whoever compares both builds knows of
 * every address what it belongs to (host/firmware/native/relocate.ts).
 */
export const IMAGE_GAP: usize = isDefined(THIMBLE_IMAGE_GAP) ? THIMBLE_IMAGE_GAP : 0;

/** Everything zero, but for what names the region. */
export function clearRegion(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
  store<u32>(at, IMAGE_MAGIC, IMAGE_MAGIC_AT);
  store<u32>(at, IMAGE_LAYOUT, IMAGE_LAYOUT_AT);
  store<u32>(at, <u32>bytes, IMAGE_BYTES_AT);
}

/** Writes the sum over the region into its header. */
export function sealRegion(at: usize, bytes: usize): void {
  store<u32>(at, 0, IMAGE_SEAL_AT);
  store<u32>(at, sumOf(at, bytes), IMAGE_SEAL_AT);
}

/** True where the region holds a whole state that this build understands, as it was sealed. */
export function isWhole(at: usize, bytes: usize): bool {
  const seal = load<u32>(at, IMAGE_SEAL_AT);
  sealRegion(at, bytes);
  return (
    load<u32>(at, IMAGE_MAGIC_AT) === IMAGE_MAGIC &&
    load<u32>(at, IMAGE_LAYOUT_AT) === IMAGE_LAYOUT &&
    load<u32>(at, IMAGE_BYTES_AT) === <u32>bytes &&
    load<u32>(at, IMAGE_SEAL_AT) === seal
  );
}

export function countIn(at: usize, counter: Counter): void {
  const counterAt = at + IMAGE_COUNTERS_AT + ((<usize>counter) << 2);
  store<u32>(counterAt, load<u32>(counterAt) + 1);
}
