// What a run of the simulator amounts to, as data.
import type { ResetReason } from '../device/restart.js';
import type { Millis } from '../ports.js';
import type { SnQos } from '../wire/index.js';
import type { QosFigures, Violation } from './ledger.js';
import type { UpdateFigures } from './sim-updates.js';

/** Figures of the devices of one class. */
export interface ClassFigures {
  readonly class: string;
  readonly devices: number;
  /** Octets of datagrams on the air, both directions, the lost ones included. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly datagramsUp: number;
  readonly datagramsDown: number;
  /** Datagrams that the radio lost, both directions. */
  readonly lost: number;
  /** Datagrams longer than the MTU, both directions: they never went on the air. */
  readonly tooLong: number;
  /** Datagrams that devices sent again. */
  readonly retransmissions: number;
  /** Times that devices were reset and began anew, by what their module did: it trapped, or did not come back. */
  readonly resets: Readonly<Record<ResetReason, number>>;
  /** Of a class that takes updates. */
  readonly updates?: UpdateFigures;
}

/** Figures of a gateway that a scenario names. */
export interface GatewayFigures {
  readonly gwId: number;
  readonly crashes: number;
  readonly downMs: Millis;
}

/** What a run has amounted to when the scenario's time is over. */
export interface FiguresAtEnd {
  /** SHA-256 over every datagram and every delivery, in hex. */
  readonly digest: string;
  /** Wills that the broker published. */
  readonly wills: number;
  /** Retained messages that applications were given when they subscribed. */
  readonly retained: number;
  readonly bytesOnAir: number;
  /** Of devices and gateway. */
  readonly retransmissions: number;
  readonly gatewayRetransmissions: number;
  readonly classes: readonly ClassFigures[];
  /** Of a scenario that names its gateways; empty otherwise. */
  readonly gateways: readonly GatewayFigures[];
  /** Times that devices turned to another gateway. */
  readonly moves: number;
}

export interface SimReport extends FiguresAtEnd {
  readonly scenario: string;
  readonly seed: number;
  readonly devices: number;
  readonly virtualMs: Millis;
  /** How long the run went on until nothing was owed any more; only deliveries count that far. */
  readonly overtimeMs: Millis;
  /** Real time, ms; not part of what a seed repeats. */
  readonly wallMs: number;
  readonly qos: Readonly<Record<`${SnQos}`, QosFigures>>;
  /** Promises of MQTT that were not kept. Empty, or there is a bug. */
  readonly violations: readonly Violation[];
}
