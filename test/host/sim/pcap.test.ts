import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PCAP_PAYLOAD_BYTES_MAX,
  type PcapDatagram,
  PcapError,
  pcapHeader,
  pcapRecord,
} from '../../../host/sim/pcap.js';
import { describeWithTools } from '../../tools.js';

const DEVICE = { ip: '10.0.0.7', port: 50_007 };
const GATEWAY = { ip: '10.255.255.1', port: 1884 };
const RECORD_HEADER_BYTES = 16;
const IPV4_HEADER_BYTES = 20;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** The receiver's check of RFC 1071: the words of what is covered, the checksum with them, add up to all ones. */
function addsUp(bytes: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? bytes[i]! << 8 : bytes[i]!;
  return sum % 0xffff === 0;
}

describe('a capture', () => {
  it('begins with the header of classic pcap, raw IPv4, microseconds', () => {
    expect(hexOf(pcapHeader())).toBe('d4c3b2a1020004000000000000000000ffff0000e4000000');
  });

  it('holds the header fields that RFC 791 and RFC 768 demand', () => {
    // PINGREQ, two octets. The checksums were added up by hand.
    const record = pcapRecord({ timestampMicros: 3_000_042, from: DEVICE, to: GATEWAY, payload: bytesOf('02 16') });
    expect(hexOf(record)).toBe(
      ['03000000', '2a000000', '1e000000', '1e000000'].join('') +
        ['4500001e', '00004000', '401126c8', '0a000007', '0affff01'].join('') +
        ['c357075c', '000a1f09', '0216'].join(''),
    );
  });

  it('has checksums that add up, whatever the payload', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const endpoint = fc.record({
      ip: fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.')),
      port: fc.integer({ min: 0, max: 65_535 }),
    });
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(endpoint, endpoint, bytes, (from, to, payload) => {
        const packet = pcapRecord({ timestampMicros: 0, from, to, payload }).subarray(RECORD_HEADER_BYTES);
        expect(addsUp(packet.subarray(0, IPV4_HEADER_BYTES))).toBe(true);
        const udp = packet.subarray(IPV4_HEADER_BYTES);
        const pseudo = Uint8Array.of(...packet.subarray(12, 20), 0, 17, udp.length >> 8, udp.length & 0xff);
        expect(addsUp(Uint8Array.of(...pseudo, ...udp))).toBe(true);
        expect([udp[6], udp[7]]).not.toEqual([0, 0]);
        expect(hexOf(udp.subarray(8))).toBe(hexOf(payload));
      }),
    );
  });

  it('writes a checksum of 0 as all ones, since 0 means that there is none', () => {
    // The payload brings the sum to all ones, whose complement is 0.
    const empty = { timestampMicros: 0, from: { ip: '0.0.0.0', port: 0 }, to: { ip: '0.0.0.0', port: 0 } };
    const sumOfRest = 17 + 10 + 10; // the protocol, and the length twice
    const rest = 0xffff - sumOfRest;
    const record = pcapRecord({ ...empty, payload: Uint8Array.of(rest >> 8, rest & 0xff) });
    expect(hexOf(record.subarray(RECORD_HEADER_BYTES + IPV4_HEADER_BYTES + 6).subarray(0, 2))).toBe('ffff');
  });

  it('takes the largest payload and refuses what has no form', () => {
    const base: PcapDatagram = { timestampMicros: 0, from: DEVICE, to: GATEWAY, payload: new Uint8Array(0) };
    const codeOf = (change: Partial<PcapDatagram>): string => {
      try {
        pcapRecord({ ...base, ...change });
      } catch (error) {
        if (error instanceof PcapError) return error.code;
        throw error;
      }
      return 'nothing was thrown';
    };
    expect(codeOf({ payload: new Uint8Array(PCAP_PAYLOAD_BYTES_MAX) })).toBe('nothing was thrown');
    expect(codeOf({ payload: new Uint8Array(PCAP_PAYLOAD_BYTES_MAX + 1) })).toBe('ERR_PCAP_PAYLOAD');
    for (const ip of ['10.0.0', '10.0.0.256', '::1', 'gateway', '']) {
      expect(codeOf({ to: { ip, port: 1 } })).toBe('ERR_PCAP_ADDRESS');
    }
    expect(codeOf({ from: { ip: '10.0.0.1', port: 65_536 } })).toBe('ERR_PCAP_PORT');
    for (const timestampMicros of [-1, 0.5, 2 ** 32 * 1_000_000]) {
      expect(codeOf({ timestampMicros })).toBe('ERR_PCAP_TIME');
    }
  });
});

describeWithTools(['tshark'], 'a capture in tshark', () => {
  // From the tables of MQTT-SN 1.2, section 5.4; message types as tshark shows them.
  const conversation: [up: boolean, hex: string, type: number][] = [
    [true, '08 04 04 01 003c 6162', 0x04], // CONNECT, clean session, 60 s, "ab"
    [false, '03 05 00', 0x05], // CONNACK, accepted
    [true, '0b 0a 0000 0001 742f31 2f32', 0x0a], // REGISTER, "t/1/2"
    [false, '07 0b 0001 0001 00', 0x0b], // REGACK
    [true, '0b 0c 20 0001 0002 32312e35', 0x0c], // PUBLISH, QoS 1, "21.5"
    [false, '07 0d 0001 0002 00', 0x0d], // PUBACK
    [true, '02 16', 0x16], // PINGREQ
    [false, '02 17', 0x17], // PINGRESP
    [true, '02 18', 0x18], // DISCONNECT
  ];

  function tshark(...options: string[]): string[] {
    const folder = mkdtempSync(join(tmpdir(), 'thimble-pcap-'));
    try {
      const file = join(folder, 'capture.pcap');
      const records = conversation.map(([up, hex], i) =>
        pcapRecord({
          timestampMicros: i * 1_500_000,
          from: up ? DEVICE : GATEWAY,
          to: up ? GATEWAY : DEVICE,
          payload: bytesOf(hex),
        }),
      );
      writeFileSync(file, Buffer.concat([pcapHeader(), ...records]));
      const args = [
        '-r',
        file,
        '-d',
        'udp.port==1884,mqttsn',
        '-o',
        'ip.check_checksum:TRUE',
        '-o',
        'udp.check_checksum:TRUE',
      ];
      const { status, stdout, stderr } = spawnSync('tshark', [...args, ...options], { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return stdout.trimEnd().split('\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const fieldsOf = (...names: string[]): string[][] =>
    tshark('-T', 'fields', ...names.flatMap((name) => ['-e', name])).map((line) => line.split('\t'));

  it('is MQTT-SN without anything malformed', () => {
    const rows = fieldsOf('frame.time_epoch', 'ip.src', 'udp.dstport', 'mqttsn.msg.type', '_ws.malformed');
    expect(rows.length).toBe(conversation.length);
    for (const [i, [epoch, source, port, type, malformed]] of rows.entries()) {
      const [up, , expected] = conversation[i]!;
      expect(Number(epoch)).toBe(i * 1.5);
      expect(source).toBe(up ? DEVICE.ip : GATEWAY.ip);
      expect(Number(port)).toBe(up ? GATEWAY.port : DEVICE.port);
      expect(Number(type)).toBe(expected);
      expect(malformed ?? '').toBe('');
    }
  });

  it('has good checksums', () => {
    const good = '1';
    for (const row of fieldsOf('ip.checksum.status', 'udp.checksum.status')) expect(row).toEqual([good, good]);
  });
});
