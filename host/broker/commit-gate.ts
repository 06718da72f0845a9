// Nothing that promises something leaves before it is durable: what a client hears waits for the transaction in which it
// was decided. One queue for all connections, since transactions become durable in their order.
import type { Millis } from '../ports.js';
import type { DurableState } from './durable.js';
import { Fifo } from './fifo.js';
import type { Packet } from './packets.js';

/** Packets that wait here, above which nothing more should be asked for, nor sent, that would wait too. */
export const HELD_PACKETS_MAX = 1_000;

/** Somebody whose packets can be held. */
export interface Held {
  /** How many of its packets wait here. */
  heldPackets: number;
  transmit(packet: Packet, now: Millis): void;
  /** No more wait than HELD_PACKETS_MAX, again; or none at all, which may never happen to somebody who asks on and on. */
  released(now: Millis): void;
}

interface Waiting {
  readonly connection: Held;
  readonly packet: Packet;
  /** The transaction that it waits for. */
  readonly transaction: number;
}

export class CommitGate {
  private readonly waiting = new Fifo<Waiting>();
  /** Transactions ended, and of these durable ones. */
  private ended = 0;
  private durable = 0;

  /** `resume` runs what an answer of the journal brings, as a turn of the broker. */
  constructor(
    private readonly state: DurableState,
    private readonly resume: (job: (now: Millis) => void, now: Millis) => void,
  ) {}

  /** Takes the packet, or false: it may leave at once. */
  hold(connection: Held, packet: Packet): boolean {
    const isDirty = this.state.isDirty;
    const isOpen = !isDirty && this.ended === this.durable;
    // Behind a packet that waits everything waits, so that the client hears all in its order.
    if (connection.heldPackets === 0 && (isOpen || !promises(packet))) return false;
    connection.heldPackets++;
    this.waiting.push({ connection, packet, transaction: isDirty ? this.ended + 1 : this.ended });
    return true;
  }

  /** At the end of each turn: what was told in it is one transaction. */
  settle(): void {
    if (!this.state.isDirty) return;
    const transaction = ++this.ended;
    this.state.commit((now) => this.resume((at) => this.release(transaction, at), now));
  }

  private release(transaction: number, now: Millis): void {
    this.durable = transaction;
    for (let first = this.waiting.peek(); first !== undefined; first = this.waiting.peek()) {
      if (first.transaction > transaction) return;
      this.waiting.shift();
      first.connection.heldPackets--;
      first.connection.transmit(first.packet, now);
      const { heldPackets } = first.connection;
      if (heldPackets === 0 || heldPackets === HELD_PACKETS_MAX) first.connection.released(now);
    }
  }
}

/** Whether something is said with it that has to be true after a crash. */
function promises(packet: Packet): boolean {
  switch (packet.cmd) {
    case 'publish':
      return packet.qos > 0; // its identifier must not come to mean another message
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
    case 'suback':
    case 'unsuback':
      return true;
    case 'connack':
      return packet.reasonCode === 0;
    default:
      return false;
  }
}
