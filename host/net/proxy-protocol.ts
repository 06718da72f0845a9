// The PROXY protocol, version 2: what a proxy says of its client before the client's own first byte. Version 1, which is
// text, is not taken. Where the standard leaves a choice, what tells no address of a TCP client is refused.
import { SocketAddress } from 'node:net';

// The header:
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------------------------------------------------------+
//   |                                                               |
//   +            signature: \r\n \r\n \0 \r\n Q U I T \n            +
//   |                           (12 bytes)                          |
//   +                                                               +
//   |                                                               |
//   +-------+-------+-------+-------+-------------------------------+
//   |  ver  |command|family | proto |  length of what follows       |
//   +-------+-------+-------+-------+-------------------------------+
//   |  source address (4 bytes, or 16), destination address (same), |
//   |  source port (2), destination port (2), then type-length-     |
//   |  values, which are skipped                                    |
//   +---------------------------------------------------------------+
const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const VERSION_AT = SIGNATURE.length;
const FAMILY_AT = VERSION_AT + 1;
const LENGTH_AT = FAMILY_AT + 1;
const FIXED_BYTES = LENGTH_AT + 2;

/** The largest header that is taken, bytes. The standard wants senders to stay far below. */
export const PROXY_HEADER_BYTES_MAX = 4_096;

const NIBBLE_BITS = 4;
const NIBBLE = 0x0f;
const BYTE_BITS = 8;
const VERSION = 2;

enum Command {
  /** The proxy speaks for itself: a health check. */
  Local = 0,
  Proxy = 1,
}

/** Family and protocol, as they share a byte. */
enum Family {
  Unspecified = 0x00,
  Tcp4 = 0x11,
  Tcp6 = 0x21,
}

const ADDRESS_BYTES: Readonly<Partial<Record<number, number>>> = { [Family.Tcp4]: 4, [Family.Tcp6]: 16 };
const PORT_BYTES = 2;

export interface ProxySource {
  readonly address: string;
  readonly port: number;
}

export type ProxyFault = 'signature' | 'version' | 'command' | 'family' | 'length';

export type ProxyHeader =
  /** It may be a header, and is not complete. */
  | { readonly state: 'partial' }
  | { readonly state: 'fault'; readonly fault: ProxyFault }
  /** `bytes`: its length. No `source`: the connection is the proxy's own, or of one who shall not be known. */
  | { readonly state: 'whole'; readonly bytes: number; readonly source: ProxySource | undefined };

/** The header that `bytes` begin with. What is wrong is said as soon as it can be seen. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader {
  const seen = bytes.subarray(0, SIGNATURE.length);
  if (!seen.every((byte, i) => byte === SIGNATURE[i])) return { state: 'fault', fault: 'signature' };
  if (bytes.length < FIXED_BYTES) return { state: 'partial' };
  if (bytes[VERSION_AT]! >> NIBBLE_BITS !== VERSION) return { state: 'fault', fault: 'version' };
  const total = FIXED_BYTES + u16(bytes, LENGTH_AT);
  if (total > PROXY_HEADER_BYTES_MAX) return { state: 'fault', fault: 'length' };
  if (bytes.length < total) return { state: 'partial' };
  const command = bytes[VERSION_AT]! & NIBBLE;
  if (command === Command.Local) return { state: 'whole', bytes: total, source: undefined };
  if (command !== Command.Proxy) return { state: 'fault', fault: 'command' };
  return readSource(bytes.subarray(0, total), bytes[FAMILY_AT]!);
}

function readSource(header: Uint8Array, family: number): ProxyHeader {
  if (family === Family.Unspecified) return { state: 'whole', bytes: header.length, source: undefined };
  const addressBytes = ADDRESS_BYTES[family];
  if (addressBytes === undefined) return { state: 'fault', fault: 'family' };
  const portAt = FIXED_BYTES + 2 * addressBytes;
  if (header.length < portAt + 2 * PORT_BYTES) return { state: 'fault', fault: 'length' };
  const address = formatAddress(header.subarray(FIXED_BYTES, FIXED_BYTES + addressBytes));
  return { state: 'whole', bytes: header.length, source: { address, port: u16(header, portAt) } };
}

function formatAddress(octets: Uint8Array): string {
  if (octets.length === ADDRESS_BYTES[Family.Tcp4]) return octets.join('.');
  const groups = Array.from({ length: octets.length / 2 }, (_, i) => u16(octets, 2 * i).toString(16));
  // In the short form, which is that of a socket's own address.
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << BYTE_BITS) | bytes[at + 1]!;
