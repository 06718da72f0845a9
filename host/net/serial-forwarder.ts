// The forwarder (MQTT-SN 1.2, 5.5) between boards on serial lines and a gateway on UDP. Each line is one wireless node:
// what its board says goes to the gateway in an envelope with the line's Wireless Node Id, and what the gateway's envelopes
// hold goes to the line they name.
//
//   board ── line "a", node 3f… ──┐                               ┌─────────┐
//                                 ├── forwarder ── envelopes ──── │ gateway │
//   board ── line "b", node 71… ──┘                UDP, one port  └─────────┘
//
// There is nothing to remember of a board: one that is reset or unplugged is to the gateway a node that is silent.
import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { PacketType } from '../../assembly/protocol/index.js';
import { headerBytes, lengthField } from '../wire/frame.js';
import { decode, encode, isFault } from '../wire/index.js';
import type { Endpoint } from './peer-address.js';

/** The longest frame that a line may carry. */
export const LINE_FRAME_BYTES_MAX = 65_535;

/** A frame that begins so is no MQTT-SN, which never does, but a line for people: 0x00, level, UTF-8. */
const LOG_FRAME = 0x00;
const LOG_HEADER_BYTES = 2;

const NODE_ID_BYTES_MAX = 8;
const NODE_ID_BYTES_DERIVED = 4;

/** Ctrl of an envelope to the gateway: there the radius means nothing (5.5). */
const CTRL_UP = 0;
/** The bits of Ctrl that hold the radius; with one, the packet is for every node. */
const CTRL_RADIUS = 0x03;

export interface ForwarderOptions {
  /** Where the gateway is; `host` may be a name. */
  readonly gateway: Endpoint;
  /** Sees every packet without its envelope; `bytes` are valid only during the call. */
  readonly tap?: (line: string, direction: 'up' | 'down', bytes: Uint8Array) => void;
  /** A board says something to people. `level`: 0 (error) to 3 (debug). */
  readonly onLog?: (line: string, level: number, text: string) => void;
  /** Told of what the network refuses, such as a gateway that is not there. The forwarder goes on. */
  readonly onNetworkError?: (error: Error) => void;
}

export interface LineOptions {
  /** What people call it. */
  readonly name: string;
  /** Wireless Node Id, 1 to 8 octets, and no other line's. Default: derived from the name, and the same for the same name. */
  readonly nodeId?: Uint8Array;
  /** Takes a packet for the board; false where the line cannot. */
  readonly send: (packet: Uint8Array) => boolean;
}

/** One line, as the forwarder sees it. */
export interface ForwardedLine {
  readonly name: string;
  readonly nodeId: Uint8Array;
  /** A frame has come from the board. */
  receive(frame: Uint8Array): void;
}

export interface ForwarderCounters {
  /** Packets passed on, to the gateway and to boards. */
  up: number;
  down: number;
  /** What was no packet, or for nobody here, or more than a line could take. */
  dropped: number;
}

export class SerialForwarder {
  readonly counters: ForwarderCounters = { up: 0, down: 0, dropped: 0 };
  private readonly lines = new Map<string, ForwardedLine & LineOptions>();

  private constructor(
    private readonly socket: Socket,
    private readonly options: ForwarderOptions,
  ) {
    socket.on('message', (octets) => this.fromGateway(new Uint8Array(octets.buffer, octets.byteOffset, octets.length)));
    socket.on('error', (error) => options.onNetworkError?.(error));
  }

  /** Rejects where the gateway's name does not resolve. Whether a gateway is there is seen when boards speak. */
  static async open(options: ForwarderOptions): Promise<SerialForwarder> {
    const { address, family } = await lookup(options.gateway.host);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // A connected socket hears that nobody listens at the other end (ICMP).
      socket.connect(options.gateway.port, address, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new SerialForwarder(socket, options);
  }

  /** Throws RangeError where the node id has a wrong length, or is another line's. */
  add(options: LineOptions): ForwardedLine {
    const nodeId = options.nodeId ?? deriveNodeId(options.name);
    if (nodeId.length < 1 || nodeId.length > NODE_ID_BYTES_MAX) {
      throw new RangeError(`line ${options.name}: a node id has 1 to ${NODE_ID_BYTES_MAX} octets`);
    }
    const key = keyOf(nodeId);
    const other = this.lines.get(key);
    if (other !== undefined) {
      throw new RangeError(`lines ${other.name} and ${options.name}: the same node id, ${key}`);
    }
    const line = { ...options, nodeId, receive: (frame: Uint8Array) => this.fromLine(line, frame) };
    this.lines.set(key, line);
    return line;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  private fromLine(line: ForwardedLine, frame: Uint8Array): void {
    if (frame[0] === LOG_FRAME) {
      this.options.onLog?.(
        line.name,
        frame[1] ?? 0,
        printable(new TextDecoder().decode(frame.subarray(LOG_HEADER_BYTES))),
      );
      return;
    }
    const type = typeOf(frame);
    // A line has no checksum: what has not the length that it says has lost octets. What is in an envelope already is not
    // put into another (5.5).
    if (type === undefined || type === PacketType.Forwarded) {
      this.counters.dropped++;
      return;
    }
    this.counters.up++;
    this.options.tap?.(line.name, 'up', frame);
    const { nodeId: wirelessNodeId } = line;
    const envelope = { type: PacketType.Forwarded, ctrl: CTRL_UP, wirelessNodeId, inner: frame } as const;
    this.socket.send(encode(envelope), (error) => {
      if (error) this.options.onNetworkError?.(error);
    });
  }

  private fromGateway(datagram: Uint8Array): void {
    const packet = decode(datagram);
    if (isFault(packet)) this.counters.dropped++;
    else if (packet.type === PacketType.Forwarded) {
      const { ctrl, wirelessNodeId, inner } = packet;
      if (ctrl & CTRL_RADIUS) this.toAll(inner);
      else this.toLine(this.lines.get(keyOf(wirelessNodeId)), inner);
    } else if (packet.type === PacketType.Advertise || packet.type === PacketType.GwInfo) {
      this.toAll(datagram); // a broadcast, which is for every node in reach
    } else this.counters.dropped++;
  }

  private toAll(packet: Uint8Array): void {
    for (const line of this.lines.values()) this.toLine(line, packet);
  }

  private toLine(line: LineOptions | undefined, packet: Uint8Array): void {
    if (line === undefined || !line.send(packet)) {
      this.counters.dropped++;
      return;
    }
    this.counters.down++;
    this.options.tap?.(line.name, 'down', packet);
  }
}

/** The same for the same name, here and on any machine. */
export function deriveNodeId(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(name).digest().subarray(0, NODE_ID_BYTES_DERIVED));
}

function keyOf(nodeId: Uint8Array): string {
  return Buffer.from(nodeId).toString('hex');
}

/** The MsgType of a packet whose Length is that of the frame; undefined for anything else. */
function typeOf(frame: Uint8Array): number | undefined {
  const header = headerBytes(frame);
  return header === 0 || lengthField(frame, header) !== frame.length ? undefined : frame[header - 1];
}

/** What a board says goes to somebody's terminal: no octet of it is to be a command there. */
export function printable(text: string): string {
  return text.replace(/\p{C}+/gu, ' ');
}
