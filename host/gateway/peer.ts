// Where a client is: an address, or a wireless node behind a forwarder (5.5).
import type { Address } from '../ports.js';

export interface Peer {
  /** Equal keys mean the same place. */
  readonly key: string;
  readonly address: Address;
  /** The Wireless Node Id, when the packet came through a forwarder. */
  readonly node: Uint8Array | undefined;
}

/** Parts address and node in a key; no address contains it. */
const NODE_MARK = '\n';

export function directPeer(address: Address): Peer {
  return { key: address, address, node: undefined };
}

/** `node` is copied. */
export function forwardedPeer(address: Address, node: Uint8Array): Peer {
  let key = address + NODE_MARK;
  for (const octet of node) key += octet.toString(16).padStart(2, '0');
  return { key, address, node: new Uint8Array(node) };
}
