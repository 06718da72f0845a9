// The addresses of a radio that is UDP, as a device sees them: the octets of the IP address, then the port, big-endian.
import { isIPv4, isIPv6 } from 'node:net';
import { plainAddress } from './peer.js';

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const PORT_BYTES = 2;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** 6 octets for IPv4, 18 for IPv6; none for what is no address. The zone of a link-local address gets lost. */
export function toPeer({ host, port }: Endpoint): Uint8Array {
  const address = plainAddress(host.replace(/%.*$/, ''));
  const octets = isIPv4(address) ? address.split('.').map(Number) : isIPv6(address) ? octetsOfIPv6(address) : undefined;
  return octets === undefined ? new Uint8Array() : Uint8Array.of(...octets, port >> 8, port & 0xff);
}

/** The reverse; undefined for octets that are no address of UDP. */
export function fromPeer(octets: Uint8Array): Endpoint | undefined {
  const ip = octets.subarray(0, -PORT_BYTES);
  const port = (octets.at(-2)! << 8) | octets.at(-1)!;
  if (ip.length === IPV4_BYTES) return { host: ip.join('.'), port };
  if (ip.length !== IPV6_BYTES) return undefined;
  const groups = Array.from({ length: IPV6_BYTES / 2 }, (_, i) => ((ip[2 * i]! << 8) | ip[2 * i + 1]!).toString(16));
  return { host: groups.join(':'), port };
}

/** The dots of an IPv4 tail, and the zeros that `::` stands for, written out. */
function octetsOfIPv6(address: string): number[] {
  const tail = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16);
  const plain =
    tail === null ? address : address.replace(tail[0], `${hex(tail[1]!, tail[2]!)}:${hex(tail[3]!, tail[4]!)}`);
  const [before = '', after] = plain.split('::');
  const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [head, rest] = [groupsOf(before), groupsOf(after ?? '')];
  const zeros = after === undefined ? 0 : IPV6_BYTES / 2 - head.length - rest.length;
  return [...head, ...Array<string>(zeros).fill('0'), ...rest].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
