// The part of the module's contract that is the same for every module: where things lie.

import { ADDRESS_BYTES, IMAGE_AT, IMAGE_BYTES, PEER_AT, RX_AT, sealImage } from '../client/state';
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

/** Where the board puts the sender's address before `receive`, and finds the destination's during `send`: an octet of length, then its octets. */
export function peer(): usize {
  return PEER_AT;
}

/** Octets of that: one more than those of the longest address. */
export function peerBytes(): i32 {
  return <i32>ADDRESS_BYTES;
}

/** Seals the state region, so that `resume` can tell whether it came back whole. To be called before it is copied away. */
export function seal(): i32 {
  sealImage();
  return 0;
}
