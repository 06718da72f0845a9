// What an adapter knows of the other end of a connection, for whoever decides what it may do.

/** As the broker's core has it. */
export interface Peer {
  /** How the client came: over the network, or `local`, from the same process. */
  readonly transport: 'tcp' | 'tls' | 'ws' | 'wss' | 'local';
  /** Of the listener, where it has a name in the configuration. */
  readonly listener?: string;
  /** The client's IP address, of the PROXY protocol where that is trusted. */
  readonly address?: string;
  readonly port?: number;
  /** The certificate that the client has proved to own, signed by an authority of the listener's: DER. */
  readonly certificate?: Uint8Array;
  /** What TLS agreed on by ALPN; undefined: nothing. */
  readonly alpn?: string;
  /** The name that the client asked for by SNI. */
  readonly serverName?: string;
  /** WebSocket: path and query of the upgrade, as sent. */
  readonly url?: string;
  /** WebSocket: headers of the upgrade, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An address of IPv4 as an IPv6 socket has it. */
const MAPPED = /^::ffff:(?=\d+\.)/i;

/** One form for an address of IPv4, whatever socket has heard it. */
export function plainAddress(address: string): string {
  return address.replace(MAPPED, '');
}
