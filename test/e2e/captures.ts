// Captures as Wireshark's dissector reads them.
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import type { PacketType } from '../../assembly/protocol/index.js';

/** tshark's lines for a capture whose MQTT-SN is on this UDP port. */
function tshark(file: string, port: number, ...options: string[]): string[] {
  const args = ['-r', file, '-d', `udp.port==${port},mqttsn`, ...options];
  const { status, stdout, stderr } = spawnSync('tshark', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  expect(status, stderr).toBe(0);
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Everything in the capture is MQTT-SN, and nothing in it is malformed. Returns how many packets there are of each type;
 * an envelope counts, and what is in it.
 */
export function dissect(file: string, port: number): ReadonlyMap<PacketType, number> {
  expect(tshark(file, port, '-Y', '_ws.malformed || !mqttsn')).toEqual([]);
  const counts = new Map<PacketType, number>();
  for (const line of tshark(file, port, '-T', 'fields', '-e', 'mqttsn.msg.type')) {
    for (const type of line.split(',').map(Number) as PacketType[]) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}

/** There is at least one packet of each type. */
export function expectTypes(
  counts: ReadonlyMap<PacketType, number>,
  types: Readonly<Record<string, PacketType>>,
): void {
  for (const [name, type] of Object.entries(types)) expect(counts.get(type), name).toBeGreaterThan(0);
}
