// Between a board and its gateway: passes datagrams on, remembers them, and holds back those that a test names. Packets are
// remembered without the envelope that a forwarder puts around them, so that boards on serial lines look like all others.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { PacketType } from '../../../assembly/protocol/index.js';
import { decode, isFault, PACKET_NAMES, type Packet } from '../../../host/wire/index.js';
import { HOST } from '../world.js';

/** `up`: from the board to the gateway. */
export type Direction = 'up' | 'down';

export interface Passed {
  readonly atMs: number;
  readonly direction: Direction;
  readonly packet: Packet;
  readonly isHeld: boolean;
}

export class Relay {
  readonly passed: Passed[] = [];
  private held: { readonly direction: Direction; readonly type: PacketType } | undefined;
  private board: { readonly address: string; readonly port: number } | undefined;

  private constructor(
    private readonly toBoard: Socket,
    private readonly toGateway: Socket,
    gatewayPort: number,
  ) {
    toBoard.on('message', (datagram, from) => {
      this.board = from;
      if (this.passes('up', datagram)) toGateway.send(datagram, gatewayPort, HOST);
    });
    toGateway.on('message', (datagram) => {
      const { board } = this;
      if (this.passes('down', datagram) && board !== undefined) toBoard.send(datagram, board.port, board.address);
    });
    for (const socket of [toBoard, toGateway]) socket.on('error', () => {}); // a board that is off
  }

  static async open(gatewayPort: number): Promise<Relay> {
    const [toBoard, toGateway] = [createSocket('udp4').bind(0, HOST), createSocket('udp4').bind(0, HOST)];
    await Promise.all([once(toBoard, 'listening'), once(toGateway, 'listening')]);
    return new Relay(toBoard, toGateway, gatewayPort);
  }

  /** Where the board finds its gateway. */
  get gateway(): { readonly host: string; readonly port: number } {
    return { host: HOST, port: this.toBoard.address().port };
  }

  /** From now on no packet of this type gets through, until `release`. */
  hold(direction: Direction, type: PacketType): void {
    this.held = { direction, type };
  }

  release(): void {
    this.held = undefined;
  }

  /** Packets of a type since the index `from` of `passed`. */
  count(direction: Direction, type: PacketType, from = 0): number {
    return this.passed.slice(from).filter((p) => p.direction === direction && p.packet.type === type).length;
  }

  /** Everything, for who has to find out what went wrong. */
  dump(): string {
    return this.passed.map(describePassed).join('\n');
  }

  close(): void {
    this.toBoard.close();
    this.toGateway.close();
  }

  private passes(direction: Direction, datagram: Buffer): boolean {
    const octets = Uint8Array.from(datagram);
    const outer = decode(octets);
    const packet = !isFault(outer) && outer.type === PacketType.Forwarded ? decode(outer.inner) : outer;
    if (isFault(packet)) throw new Error(`${direction}: ${packet.code} ${datagram.toString('hex')}`);
    const isHeld = this.held?.direction === direction && this.held.type === packet.type;
    this.passed.push({ atMs: performance.now(), direction, packet, isHeld });
    return !isHeld;
  }
}

function describePassed({ atMs, direction, packet, isHeld }: Passed): string {
  const fields = Object.entries(packet)
    .filter(([name]) => name !== 'type')
    .map(
      ([name, value]) =>
        `${name}=${value instanceof Uint8Array ? new TextDecoder().decode(value) : JSON.stringify(value)}`,
    );
  const arrow = direction === 'up' ? '→' : '←';
  return `${atMs.toFixed(0)} ms ${arrow} ${PACKET_NAMES[packet.type]} ${fields.join(' ')}${isHeld ? ' (held back)' : ''}`;
}
