// A capture file that Wireshark reads, written as things happen.
import { closeSync, writeSync } from 'node:fs';
import { parseAddress } from '../net/udp.js';
import { type PcapEndpoint, pcapHeader, pcapRecord } from '../sim/pcap.js';
import { openOutput } from './files.js';

export class CaptureFile {
  private readonly file: number;

  /** `path` is what --pcap names. Throws ERR_USAGE_FILE. */
  constructor(path: string) {
    this.file = openOutput('--pcap', path);
    writeSync(this.file, pcapHeader());
  }

  /** Addresses are `ip:port`. An IPv6 address is written as 0.0.0.0: the format of the file is IPv4. */
  add(from: string, to: string, payload: Uint8Array, epochMicros: number): void {
    writeSync(this.file, pcapRecord({ timestampMicros: epochMicros, from: endpoint(from), to: endpoint(to), payload }));
  }

  close(): void {
    closeSync(this.file);
  }
}

function endpoint(address: string): PcapEndpoint {
  const { host, port } = parseAddress(address) ?? { host: '', port: 0 };
  return { ip: host.includes('.') ? host : '0.0.0.0', port };
}
