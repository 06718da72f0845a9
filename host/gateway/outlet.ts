// The way out: encodes, wraps for a forwarder, counts.
import { PacketType } from '../../assembly/protocol/index.js';
import type { DatagramLink } from '../ports.js';
import type { Packet } from '../wire/index.js';
import { encode } from '../wire/index.js';
import type { Counters } from './counters.js';
import type { Peer } from './peer.js';

/** Ctrl of an envelope to one node: its broadcast radius is 0 (5.5). */
const CTRL_UNICAST = 0;

export class Outlet {
  constructor(
    private readonly link: DatagramLink,
    private readonly counters: Counters,
  ) {}

  /** `radius` counts only behind a forwarder, which then broadcasts the packet that far (5.5). */
  send(peer: Peer, packet: Packet, radius = CTRL_UNICAST): void {
    let datagram = encode(packet);
    if (peer.node !== undefined) {
      const envelope = {
        type: PacketType.Forwarded,
        ctrl: radius,
        wirelessNodeId: peer.node,
        inner: datagram,
      } as const;
      datagram = encode(envelope);
    }
    this.counters.datagramsOut++;
    this.link.send(peer.address, datagram);
  }

  broadcast(packet: Packet): void {
    this.counters.datagramsOut++;
    this.link.broadcast(encode(packet));
  }
}
