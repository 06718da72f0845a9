// What an adapter knows of the other end of a connection, for whoever decides what it may do.

export type { Peer } from '../broker/access.js';

/** An address of IPv4 as an IPv6 socket has it. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** One form for an address of IPv4, whatever socket has heard it. */
export function plainAddress(address: string): string {
  return address.replace(MAPPED, '');
}
