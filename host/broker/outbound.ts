// What a session owes its client: the window of messages sent and not yet acknowledged, and the two queues behind it.
// Pure bookkeeping; whoever calls sends what it gives out.
//
// What is kept and what is dropped: QoS 1 and 2 wait in order, for as long as the session lives, until the queue is
// full; then the newest is dropped, so that what arrives is a prefix without gaps. QoS 0 waits only for a client that is
// connected and reads too slowly, in its own queue, is dropped first when room is needed, oldest first, and never
// outlives the connection.
import { SmallMap, SmallSet } from '../core/small-map.js';
import type { Counters } from './counters.js';
import { Fifo } from './fifo.js';
import { type AckPacket, PACKET_ID_MAX, type PublishPacket, publishPacket } from './packets.js';

export interface OutboundLimits {
  readonly inflightMax: number;
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
}

/** What an acknowledgement came to. */
export enum AckResult {
  /** It was owed, and has been taken. */
  Taken,
  /** Nothing of that identifier is in flight: late, or from another life of the client. */
  Unknown,
  /** Something is, and it is owed another kind of acknowledgement. */
  Mismatch,
}

const bytesOf = (packet: PublishPacket): number => packet.topic.length + packet.payload.length;

export class Outbound {
  /** Sent, and owed PUBACK or PUBREC, in the order of sending. */
  private readonly window = new SmallMap<number, PublishPacket>();
  /** PUBREL sent, and owed PUBCOMP, in the order of the PUBRECs [MQTT-4.6.0-4]. */
  private readonly released = new SmallSet<number>();
  private readonly waiting = new Fifo<PublishPacket>();
  private readonly waitingQos0 = new Fifo<PublishPacket>();
  private waitingBytes = 0;
  private lastId = 0;

  constructor(
    private readonly limits: OutboundLimits,
    private readonly counters: Counters,
  ) {}

  /** Messages in flight: owed PUBACK, PUBREC or PUBCOMP. */
  get inflight(): number {
    return this.window.size + this.released.size;
  }

  /** Messages in both queues. */
  get queued(): number {
    return this.waiting.size + this.waitingQos0.size;
  }

  /** True when a message of that QoS may be sent at once without overtaking another. */
  isOpen(qos: number): boolean {
    if (qos === 0) return this.waitingQos0.size === 0;
    return this.waiting.size === 0 && this.inflight < this.limits.inflightMax;
  }

  /** Gives a message of QoS 1 or 2 its identifier and its place in the window. */
  launch(packet: PublishPacket): void {
    do this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    while (this.window.has(this.lastId) || this.released.has(this.lastId)); // [MQTT-2.3.1-2], [MQTT-2.3.1-3]
    packet.messageId = this.lastId;
    this.window.set(this.lastId, packet);
  }

  /** Queues a message, or drops it, or drops others for it. */
  hold(packet: PublishPacket): void {
    const bytes = bytesOf(packet);
    if (packet.qos > 0) while (!this.hasRoom(bytes) && this.waitingQos0.size > 0) this.dropOldestQos0();
    if (!this.hasRoom(bytes)) {
      if (packet.qos === 0) this.counters.droppedSlow++;
      else this.counters.droppedQueueFull++;
      return;
    }
    this.waitingBytes += bytes;
    if (packet.qos === 0) this.waitingQos0.push(packet);
    else this.waiting.push(packet);
  }

  /** The next queued message that may be sent now, with its place in the window; undefined when there is none. */
  next(): PublishPacket | undefined {
    const open = this.inflight < this.limits.inflightMax;
    const packet = (open ? this.waiting.shift() : undefined) ?? this.waitingQos0.shift();
    if (packet === undefined) return undefined;
    this.waitingBytes -= bytesOf(packet);
    if (packet.qos > 0) this.launch(packet);
    return packet;
  }

  puback(id: number): AckResult {
    const packet = this.window.get(id);
    if (packet === undefined) return this.released.has(id) ? AckResult.Mismatch : AckResult.Unknown;
    if (packet.qos !== 1) return AckResult.Mismatch;
    this.window.delete(id);
    return AckResult.Taken;
  }

  /** Whoever calls answers PUBREL, unless the result is a mismatch; also to a repeated PUBREC. */
  pubrec(id: number): AckResult {
    const packet = this.window.get(id);
    if (packet === undefined) return this.released.has(id) ? AckResult.Taken : AckResult.Unknown;
    if (packet.qos !== 2) return AckResult.Mismatch;
    this.window.delete(id);
    this.released.add(id);
    return AckResult.Taken;
  }

  pubcomp(id: number): AckResult {
    if (this.released.delete(id)) return AckResult.Taken;
    return this.window.has(id) ? AckResult.Mismatch : AckResult.Unknown;
  }

  /**
   * What a client that comes back is sent again: the PUBRELs in the order of the PUBRECs, then the PUBLISHes in the order
   * in which they were sent first, with DUP and their identifiers [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1].
   */
  resume(): (AckPacket | PublishPacket)[] {
    const again: (AckPacket | PublishPacket)[] = [];
    for (const messageId of this.released.keys()) again.push({ cmd: 'pubrel', messageId });
    for (const [id, packet] of this.window) {
      // A copy, since whoever sent the first may still hold it. Setting an existing key keeps its place.
      const repeated = publishPacket(packet, packet.qos, packet.retain, id, true);
      this.window.set(id, repeated);
      again.push(repeated);
    }
    return again;
  }

  /** The connection is gone, the session stays. */
  goOffline(): void {
    while (this.waitingQos0.size > 0) {
      this.waitingBytes -= bytesOf(this.waitingQos0.shift()!);
      this.counters.droppedOffline++;
    }
  }

  /** The session ends with what it still owes. */
  discard(): void {
    this.goOffline();
    this.counters.droppedSessionEnd += this.window.size + this.waiting.size;
    this.window.clear();
    this.released.clear();
    this.waiting.clear();
    this.waitingBytes = 0;
  }

  private hasRoom(bytes: number): boolean {
    return this.queued < this.limits.queueMessagesMax && this.waitingBytes + bytes <= this.limits.queueBytesMax;
  }

  private dropOldestQos0(): void {
    this.waitingBytes -= bytesOf(this.waitingQos0.shift()!);
    this.counters.droppedSlow++;
  }
}
