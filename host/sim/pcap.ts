// Captures for Wireshark and tshark: the classic pcap format with IPv4 packets around the datagrams. Returns bytes; writing
// them is somebody else's business. To read the result: tshark -r FILE -d udp.port==1884,mqttsn

/** `ip` in dotted decimals, `port` 0 to 65,535. */
export interface PcapEndpoint {
  readonly ip: string;
  readonly port: number;
}

export interface PcapDatagram {
  /** Microseconds since 1970 as far as the reader is concerned; virtual milliseconds times 1,000 will do. */
  readonly timestampMicros: number;
  readonly from: PcapEndpoint;
  readonly to: PcapEndpoint;
  /** At most PCAP_PAYLOAD_BYTES_MAX. */
  readonly payload: Uint8Array;
}

/** A datagram that has no form in a capture: our own bug, or the address in a scenario. */
export class PcapError extends RangeError {
  override readonly name = 'PcapError';

  constructor(
    readonly code: 'ERR_PCAP_ADDRESS' | 'ERR_PCAP_PORT' | 'ERR_PCAP_PAYLOAD' | 'ERR_PCAP_TIME',
    message: string,
  ) {
    super(message);
  }
}

// File header (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html, section 4), little-endian:
//   0        4        6        8        12       16       20       24
//   | magic  | major  | minor  | 0      | 0      | snap   | link   |
const FILE_HEADER_BYTES = 24;
/** Timestamps in microseconds. */
const MAGIC_MICROS = 0xa1b2c3d4;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
/** No packet is longer, so none is cut. */
const SNAP_BYTES = 65_535;
/** LINKTYPE_IPV4: packets begin with the IPv4 header (https://www.tcpdump.org/linktypes.html). */
const LINKTYPE_IPV4 = 228;

// Packet header (section 5 there), little-endian:
//   0        4        8        12       16
//   | s      | micros | kept   | length |
const RECORD_HEADER_BYTES = 16;
const MICROS_PER_SECOND = 1_000_000;
const SECONDS_MAX = 0xffff_ffff;

// IPv4 header without options (RFC 791, section 3.1), big-endian:
//   0    1    2         4         6         8    9       10         12      16    20
//   | 45 | 0  | length  | id      | flags   | 64 | 17    | checksum | from  | to  |
const IPV4_HEADER_BYTES = 20;
const IPV4_VERSION_AND_WORDS = 0x45;
const IPV4_DONT_FRAGMENT = 0x4000;
const IPV4_TTL = 64;
const IPV4_PROTOCOL_UDP = 17;
const IPV4_LENGTH_MAX = 65_535;

// UDP header (RFC 768), big-endian:
//   0      2    4        6          8
//   | from | to | length | checksum |
const UDP_HEADER_BYTES = 8;
const PORT_MAX = 65_535;

export const PCAP_PAYLOAD_BYTES_MAX = IPV4_LENGTH_MAX - IPV4_HEADER_BYTES - UDP_HEADER_BYTES;

/** What a capture begins with. */
export function pcapHeader(): Uint8Array {
  const header = new DataView(new ArrayBuffer(FILE_HEADER_BYTES));
  header.setUint32(0, MAGIC_MICROS, true);
  header.setUint16(4, VERSION_MAJOR, true);
  header.setUint16(6, VERSION_MINOR, true);
  header.setUint32(16, SNAP_BYTES, true);
  header.setUint32(20, LINKTYPE_IPV4, true);
  return new Uint8Array(header.buffer);
}

/** One datagram, to follow the header or another record. */
export function pcapRecord({ timestampMicros, from, to, payload }: PcapDatagram): Uint8Array {
  if (payload.length > PCAP_PAYLOAD_BYTES_MAX) {
    throw new PcapError(
      'ERR_PCAP_PAYLOAD',
      `a payload of ${payload.length} bytes does not fit a UDP datagram; allowed are up to ${PCAP_PAYLOAD_BYTES_MAX}`,
    );
  }
  const packetBytes = IPV4_HEADER_BYTES + UDP_HEADER_BYTES + payload.length;
  const record = new Uint8Array(RECORD_HEADER_BYTES + packetBytes);
  putRecordHeader(new DataView(record.buffer, 0, RECORD_HEADER_BYTES), timestampMicros, packetBytes);
  const packet = new DataView(record.buffer, RECORD_HEADER_BYTES);
  record.set(payload, RECORD_HEADER_BYTES + IPV4_HEADER_BYTES + UDP_HEADER_BYTES);
  putIpv4(packet, ipv4Of(from.ip), ipv4Of(to.ip));
  putUdp(packet, portOf(from.port), portOf(to.port));
  return record;
}

function putRecordHeader(header: DataView, timestampMicros: number, packetBytes: number): void {
  const seconds = Math.floor(timestampMicros / MICROS_PER_SECOND);
  if (!Number.isSafeInteger(timestampMicros) || timestampMicros < 0 || seconds > SECONDS_MAX) {
    const allowed = 'allowed are whole microseconds from 0 to 2^32 seconds';
    throw new PcapError('ERR_PCAP_TIME', `a timestamp of ${timestampMicros} microseconds; ${allowed}`);
  }
  header.setUint32(0, seconds, true);
  header.setUint32(4, timestampMicros % MICROS_PER_SECOND, true);
  header.setUint32(8, packetBytes, true);
  header.setUint32(12, packetBytes, true);
}

const IPV4_CHECKSUM_AT = 10;
const IPV4_FROM_AT = 12;
const IPV4_TO_AT = 16;

function putIpv4(packet: DataView, from: number, to: number): void {
  packet.setUint8(0, IPV4_VERSION_AND_WORDS);
  packet.setUint16(2, packet.byteLength);
  packet.setUint16(6, IPV4_DONT_FRAGMENT); // hence the identification may stay 0 (RFC 6864, section 4.1)
  packet.setUint8(8, IPV4_TTL);
  packet.setUint8(9, IPV4_PROTOCOL_UDP);
  packet.setUint32(IPV4_FROM_AT, from);
  packet.setUint32(IPV4_TO_AT, to);
  packet.setUint16(IPV4_CHECKSUM_AT, complement(sum16(packet, 0, IPV4_HEADER_BYTES)));
}

const UDP_CHECKSUM_AT = IPV4_HEADER_BYTES + 6;

function putUdp(packet: DataView, fromPort: number, toPort: number): void {
  const udpBytes = packet.byteLength - IPV4_HEADER_BYTES;
  packet.setUint16(IPV4_HEADER_BYTES, fromPort);
  packet.setUint16(IPV4_HEADER_BYTES + 2, toPort);
  packet.setUint16(IPV4_HEADER_BYTES + 4, udpBytes);
  // The pseudo header of RFC 768: both addresses, the protocol, the length; they stand one after another in the sum.
  const sum = sum16(packet, IPV4_FROM_AT, packet.byteLength) + IPV4_PROTOCOL_UDP + udpBytes;
  const checksum = complement(sum);
  // 0 would mean that there is no checksum; all ones is the same number in ones' complement.
  packet.setUint16(UDP_CHECKSUM_AT, checksum === 0 ? CHECKSUM_ONES : checksum);
}

const CHECKSUM_ONES = 0xffff;

/** Sum of the 16-bit words from `start` to `end`, an odd last byte padded with 0; below 2^32 for the largest packet. */
function sum16(packet: DataView, start: number, end: number): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += packet.getUint16(at);
  if (at < end) sum += packet.getUint8(at) << 8;
  return sum;
}

/** The internet checksum (RFC 1071) of words that add up to `sum`. */
function complement(sum: number): number {
  let folded = sum;
  while (folded > CHECKSUM_ONES) folded = (folded & CHECKSUM_ONES) + (folded >>> 16);
  return ~folded & CHECKSUM_ONES;
}

const DOTTED_DECIMALS = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const OCTET_MAX = 255;

function ipv4Of(ip: string): number {
  const octets = DOTTED_DECIMALS.exec(ip)?.slice(1).map(Number);
  if (octets === undefined || octets.some((octet) => octet > OCTET_MAX)) {
    throw new PcapError('ERR_PCAP_ADDRESS', `${JSON.stringify(ip)} is no IPv4 address; allowed are such as 10.0.0.1`);
  }
  return octets.reduce((address, octet) => address * (OCTET_MAX + 1) + octet, 0);
}

function portOf(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= PORT_MAX) return port;
  throw new PcapError('ERR_PCAP_PORT', `${port} is no UDP port; allowed are 0 to ${PORT_MAX}`);
}
