// The part of the module's contract that is the same for every module: where things lie.

import { IMAGE_AT, IMAGE_BYTES, RX_AT } from '../client/state';
import { RX_BYTES } from '../memory/limits';
import { ABI_VERSION } from '../protocol/image';

/** The version of the contract. */
export function abi(): i32 {
  return ABI_VERSION;
}

/** Where the state region begins. */
export function image(): usize {
  return IMAGE_AT;
}

/** Octets of the state region. */
export function imageBytes(): usize {
  return IMAGE_BYTES;
}

/** Where the board puts what arrived. */
export function rx(): usize {
  return RX_AT;
}

/** Octets of the largest datagram it may put there. */
export function rxBytes(): i32 {
  return RX_BYTES;
}
