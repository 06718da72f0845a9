// Boards on serial lines, named on the command line: each becomes a wireless node behind a forwarder of this process.
import type { Endpoint } from '../net/peer-address.js';
import { type ForwarderCounters, LINE_FRAME_BYTES_MAX, SerialForwarder } from '../net/serial-forwarder.js';
import { BAUD_DEFAULT, openSerialPort, SerialError, type SerialPort } from '../net/serial-port.js';
import { encodeFrame, FrameDecoder } from '../net/slip.js';
import { Closers } from './closers.js';
import { wholeNumber } from './numbers.js';
import { complainOnce, showDatagram, showLog } from './traffic.js';

export interface SerialLinesOptions {
  readonly gateway: Endpoint;
  /** As typed; default 115200. */
  readonly baud?: string | undefined;
  readonly verbose: boolean;
}

export interface SerialLine {
  /** As typed, without the node id. */
  readonly line: string;
  /** Hexadecimal. */
  readonly nodeId: string;
  /** Where it listens, of `listen:` only. */
  readonly port?: number;
}

export interface SerialLines {
  readonly lines: readonly SerialLine[];
  readonly counters: ForwarderCounters;
  close(): Promise<void>;
}

const BAUD_MAX = 4_000_000;
/** What follows a line's name where its node id is chosen: 1 to 8 octets. */
const NODE_ID = /^(.+)=((?:[0-9a-f]{2}){1,8})$/i;

/** No port has a `=` in it; the path of a device may. */
const ADDRESS_WITH_ID = /^(tcp|listen):[^=]*=/;

/** `names`: PATH, tcp:HOST:PORT or listen:PORT, each with `=HEX` where its node id is chosen. Throws SerialError. */
export async function openSerialLines(names: readonly string[], options: SerialLinesOptions): Promise<SerialLines> {
  const baud = options.baud === undefined ? BAUD_DEFAULT : wholeNumber('--baud', options.baud, 1, BAUD_MAX);
  const closers = new Closers();
  try {
    const forwarder = await SerialForwarder.open({
      gateway: options.gateway,
      ...(options.verbose && { tap: (line, direction, bytes) => showDatagram(direction, bytes, line) }),
      onLog: showLog,
      onNetworkError: complainOnce(),
    });
    closers.add(() => forwarder.close());
    const lines: SerialLine[] = [];
    for (const name of names) lines.push(await openLine(name, baud, forwarder, closers));
    return { lines, counters: forwarder.counters, close: () => closers.close() };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

export function describeLine({ line, nodeId, port }: SerialLine): string {
  return `${line}${port === undefined ? '' : ` (TCP port ${port})`} is wireless node ${nodeId} behind a forwarder`;
}

async function openLine(
  typed: string,
  baud: number,
  forwarder: SerialForwarder,
  closers: Closers,
): Promise<SerialLine> {
  const [, name = typed, id] = NODE_ID.exec(typed) ?? [];
  if (id === undefined && ADDRESS_WITH_ID.test(typed)) {
    throw new SerialError('ERR_SERIAL_NAME', `${typed}: behind the line's name stands =HEX of 1 to 8 octets`);
  }
  const node = addNode(forwarder, name, id, (packet) => port?.write(encodeFrame(packet)) ?? false);
  let port: SerialPort | undefined;
  const decoder = new FrameDecoder(LINE_FRAME_BYTES_MAX, (frame) => node.receive(frame));
  let hasBeenThere = false;
  const opened = await openSerialPort(name, {
    baud,
    onOctets: (octets) => decoder.push(octets),
    onUp: () => {
      decoder.reset(); // what came before the interruption goes on no more
      if (hasBeenThere) process.stderr.write(`${name}: there again\n`);
      hasBeenThere = true;
    },
    onDown: (reason) => process.stderr.write(`${name}: ${reason}; waits until it is there\n`),
  });
  port = opened;
  closers.add(() => opened.close());
  const nodeId = Buffer.from(node.nodeId).toString('hex');
  return { line: name, nodeId, ...(opened.port !== undefined && { port: opened.port }) };
}

function addNode(
  forwarder: SerialForwarder,
  name: string,
  id: string | undefined,
  send: (packet: Uint8Array) => boolean,
) {
  try {
    const nodeId = id === undefined ? undefined : new Uint8Array(Buffer.from(id, 'hex'));
    return forwarder.add({ name, send, ...(nodeId && { nodeId }) });
  } catch (error) {
    throw new SerialError('ERR_SERIAL_NAME', `${(error as Error).message}; LINE=HEX chooses another`);
  }
}
