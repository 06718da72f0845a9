// Between a device and its gateway on UDP: one address for the device whatever port it has after a reset, and a hand on each
// datagram.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { PacketType } from '../../assembly/protocol/index.js';
import { decode, isFault } from '../../host/wire/index.js';
import { HOST } from '../e2e/world.js';

export type Direction = 'up' | 'down';
/** Whether a datagram goes on. */
export type Judge = (type: PacketType, direction: Direction) => boolean;

export class UdpRelay {
  /** Decides on each datagram; all go on while there is none. */
  judge: Judge = () => true;
  private devicePort = 0;

  private constructor(
    private readonly toDevice: Socket,
    private readonly toGateway: Socket,
  ) {}

  /** `gatewayPort`: where the gateway listens. */
  static async start(gatewayPort: number): Promise<UdpRelay> {
    const [toDevice, toGateway] = await Promise.all([bound(), bound()]);
    const relay = new UdpRelay(toDevice, toGateway);
    toDevice.on('message', (datagram, { port }) => {
      relay.devicePort = port;
      if (relay.passes(datagram, 'up')) toGateway.send(datagram, gatewayPort, HOST);
    });
    toGateway.on('message', (datagram) => {
      if (relay.passes(datagram, 'down')) toDevice.send(datagram, relay.devicePort, HOST);
    });
    return relay;
  }

  /** What the device takes for its gateway. */
  get address(): string {
    return `${HOST}:${this.toDevice.address().port}`;
  }

  /** A datagram from nobody, as a device would send it. */
  probe(datagram: Uint8Array): void {
    this.toGateway.send(datagram, this.toDevice.address().port, HOST);
  }

  close(): void {
    this.toDevice.close();
    this.toGateway.close();
  }

  private passes(datagram: Buffer, direction: Direction): boolean {
    const packet = decode(datagram);
    return isFault(packet) || this.judge(packet.type, direction);
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}
