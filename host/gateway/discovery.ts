// ADVERTISE and GWINFO (6.1): how clients find the gateway.
import { PacketType } from '../../assembly/protocol/index.js';
import type { Millis } from '../ports.js';
import type { Core } from './core.js';
import type { Peer } from './peer.js';

const MS_PER_S = 1_000;
const DURATION_S_MAX = 0xffff;
/** Ctrl of an envelope keeps two bits for the radius (5.5). */
const CTRL_RADIUS = 0x03;
const NO_ADDRESS = new Uint8Array();

export class Discovery {
  constructor(private readonly core: Core) {}

  /** Advertises now and from now on, unless T_ADV is 0. */
  start(now: Millis): void {
    const { gwId, tAdvMs } = this.core.config;
    if (tAdvMs === 0) return;
    const duration = Math.min(Math.ceil(tAdvMs / MS_PER_S), DURATION_S_MAX);
    this.core.outlet.broadcast({ type: PacketType.Advertise, gwId, duration });
    this.core.at(now + tAdvMs, (at) => this.start(at));
  }

  /** At once, and without GwAdd, which is for clients that answer in a gateway's stead (5.4.3). */
  onSearch(peer: Peer, radius: number): void {
    const packet = { type: PacketType.GwInfo, gwId: this.core.config.gwId, gwAdd: NO_ADDRESS } as const;
    if (peer.node === undefined) this.core.outlet.broadcast(packet);
    else this.core.outlet.send(peer, packet, radius & CTRL_RADIUS);
  }
}
