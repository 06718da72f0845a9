// ADVERTISE and GWINFO (6.1): how clients find the gateway, for as long as it has its broker.
import { PacketType } from '../../assembly/protocol/index.js';
import type { Timer } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import type { Core, Job } from './core.js';
import type { Peer } from './peer.js';

const MS_PER_S = 1_000;
const DURATION_S_MAX = 0xffff;
/** Ctrl of an envelope keeps two bits for the radius (5.5). */
const CTRL_RADIUS = 0x03;
const NO_ADDRESS = new Uint8Array();

export class Discovery {
  private isUp = false;
  private timer: Timer<Job> | undefined;

  constructor(private readonly core: Core) {}

  /** The broker is there: advertises now and from now on, unless T_ADV is 0. */
  start(now: Millis): void {
    this.isUp = true;
    this.advertise(now);
  }

  /** The broker is gone: silence, so that clients go elsewhere. */
  stop(): void {
    this.isUp = false;
    this.core.cancel(this.timer);
  }

  /** At once, and without GwAdd, which is for clients that answer in a gateway's stead (5.4.3). */
  onSearch(peer: Peer, radius: number): void {
    if (!this.isUp) return;
    const packet = { type: PacketType.GwInfo, gwId: this.core.config.gwId, gwAdd: NO_ADDRESS } as const;
    if (peer.node === undefined) this.core.outlet.broadcast(packet);
    else this.core.outlet.send(peer, packet, radius & CTRL_RADIUS);
  }

  private advertise(now: Millis): void {
    const { gwId, tAdvMs } = this.core.config;
    if (tAdvMs === 0) return;
    const duration = Math.min(Math.ceil(tAdvMs / MS_PER_S), DURATION_S_MAX);
    this.core.outlet.broadcast({ type: PacketType.Advertise, gwId, duration });
    this.core.cancel(this.timer);
    this.timer = this.core.at(now + tAdvMs, (at) => this.advertise(at));
  }
}
