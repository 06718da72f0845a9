// What --verbose shows of datagrams, and how a board's own words are told; on stderr, both.
import { PacketType } from '../../assembly/protocol/index.js';
import { decode, isFault, PACKET_NAMES } from '../wire/index.js';
import { errorColours } from './output.js';

/** `up`: from the device to the gateway. `line`: which of several devices; none where there is one. */
export function showDatagram(direction: 'up' | 'down', bytes: Uint8Array, line = ''): void {
  const packet = decode(bytes);
  const name = isFault(packet) ? `malformed (${packet.code})` : PACKET_NAMES[packet.type];
  const detail =
    !isFault(packet) && packet.type === PacketType.Publish
      ? ` ${JSON.stringify(new TextDecoder().decode(packet.data))}`
      : '';
  const arrow = direction === 'up' ? '→' : '←';
  const time = new Date().toISOString().slice(11, 23);
  const who = line === '' ? '' : `${line} `;
  process.stderr.write(
    `${time} ${who}${arrow} ${name.padEnd(13)}${String(bytes.length).padStart(4)} B${errorColours.dim(detail)}\n`,
  );
}

const LEVELS = ['error', 'warning', 'info', 'debug'];

/** A line that a board has sent for people. `level`: 0 (error) to 3 (debug). */
export function showLog(line: string, level: number, text: string): void {
  process.stderr.write(`${line} ${LEVELS[level] ?? level}: ${text}\n`);
}

/** Tells of the first of several errors in a row: that nobody answers is known after the first time. */
export function complainOnce(): (error: Error) => void {
  let hasComplained = false;
  return (error) => {
    if (!hasComplained) process.stderr.write(`the network says ${error.message}; the client keeps trying\n`);
    hasComplained = true;
  };
}
