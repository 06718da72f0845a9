// Messages from the broker: one on the shared session, a copy to each client that wants it, and one acknowledgement to the
// broker when the last of these has acknowledged it or has lost its session.
//
// Exactly once. The broker repeats what it has no acknowledgement for, under the same identifier and with DUP, on the
// next connection too; a repetition goes only to those who have not acknowledged it, under the identifier they know it by.
// With a store that holds across a restart: who waits for a QoS 2 message is written before anybody hears of it, and that
// somebody has it before he is told PUBREL. Two clients' copies may differ in QoS; the handshake with the broker is that
// of the message.
//
// A broker that sends one copy for each matching subscription, as MQTT lets it [MQTT-3.3.5-1], makes the shared session get
// several where filters overlap, with nothing to tell them from equal messages. Each is passed on: dropping one might drop a
// message that was promised. Such a broker breaks exactly-once for overlapping filters. Thimble's own and mosquitto send one
// copy; NATS sends several, and knows no QoS 2.
import type { SubscriptionTree } from '../core/subscriptions.js';
import type { Message, Millis, PacketId, Qos } from '../ports.js';
import type { Delivery, Hub, Outgoing, VirtualClient } from './aggregating-client.js';
import { digestOf, lowerOf } from './aggregating-client.js';
import { clientKey } from './aggregating-journal.js';
import type { RetainedWaiters } from './aggregating-retained.js';

export class Deliveries {
  /** What the broker has not heard of, and at QoS 2 what it has not ended with PUBREL. */
  private readonly byId = new Map<PacketId, Delivery>();
  /** Messages that some client has yet to acknowledge that is away. */
  private heldNow = 0;

  constructor(
    private readonly hub: Hub,
    private readonly tree: SubscriptionTree<VirtualClient>,
    private readonly waiters: RetainedWaiters,
  ) {}

  get held(): number {
    return this.heldNow;
  }

  /** Messages that the broker has no acknowledgement for. */
  get outstanding(): number {
    let count = 0;
    for (const { waiting } of this.byId.values()) if (waiting.size > 0) count++;
    return count;
  }

  restore(id: PacketId, digest: number): void {
    this.byId.set(id, { id, qos: 2, digest, message: undefined, waiting: new Map(), away: 0 });
  }

  /** False when there is nothing that the message could come from. Deliveries are restored before. */
  restoreOutgoing(client: VirtualClient, as: PacketId, id: PacketId, qos: Qos, released: boolean): boolean {
    const known = this.byId.get(id);
    if (!released && known === undefined) return false;
    const delivery = known ?? { id: undefined, qos: 2, digest: 0, message: undefined, waiting: new Map(), away: 0 };
    client.outgoing.set(as, { delivery, qos, sent: true, released });
    if (!released) delivery.waiting.set(client, as);
    return true;
  }

  /** For whom the message waits now that were not waited for before. */
  onMessage(message: Message, id: PacketId, dup: boolean, now: Millis): VirtualClient[] {
    if (message.qos === 0) {
      for (const [client] of this.receivers(message, dup, now)) this.tellQos0(client, message, now);
      return [];
    }
    const digest = digestOf(message);
    const known = this.byId.get(id);
    if (known !== undefined && dup && known.digest === digest) {
      this.onRepeated(known, message, now);
      return [];
    }
    // Without DUP, or with another content, the identifier has been given to another message.
    if (known !== undefined) this.detach(known);
    const delivery: Delivery = { id, qos: message.qos, digest, message, waiting: new Map(), away: 0 };
    this.byId.set(id, delivery);
    this.begin(delivery, message, this.receivers(message, dup, now), now);
    return [...delivery.waiting.keys()];
  }

  /** PUBREL: the broker will not repeat the message. */
  onReleased(id: PacketId, now: Millis): void {
    const delivery = this.byId.get(id);
    if (delivery !== undefined) this.detach(delivery);
    this.hub.link?.complete(id, now);
  }

  /** PUBACK or PUBREC of a client. */
  acknowledge(client: VirtualClient, as: PacketId, now: Millis): void {
    const outgoing = client.outgoing.get(as);
    if (outgoing === undefined) return;
    const isFirst = !outgoing.released;
    if (outgoing.qos === 1) this.remove(client, as);
    else {
      outgoing.released = true;
      if (isFirst) this.write(client, as, outgoing, 0);
      if (client.connection !== undefined) this.hub.tell(client.connection, (events) => events.released(as, now));
    }
    if (isFirst) this.leave(client, outgoing.delivery, now);
  }

  /** PUBCOMP of a client. */
  complete(client: VirtualClient, as: PacketId): void {
    if (client.outgoing.get(as)?.released) this.remove(client, as);
  }

  /** The client is back: PUBRELs first, then what it has not acknowledged, in the order in which it came [MQTT-4.4.0-1]. */
  resume(client: VirtualClient, now: Millis): void {
    const { connection } = client;
    if (connection === undefined) return;
    for (const [as, { released }] of client.outgoing) {
      if (released) this.hub.tell(connection, (events) => events.released(as, now));
    }
    for (const [as, outgoing] of client.outgoing) if (!outgoing.released) this.tell(client, as, outgoing, now);
  }

  /** The client has gone away, or come back. */
  setAway(client: VirtualClient, isAway: boolean): void {
    for (const { released, delivery } of client.outgoing.values())
      if (!released) this.countAway(delivery, isAway ? 1 : -1);
  }

  /** The session is over for good: nobody waits for its copies any more. */
  forget(client: VirtualClient, isAway: boolean, now: Millis): void {
    if (isAway) this.setAway(client, false);
    for (const [as, { released, delivery }] of [...client.outgoing]) {
      this.remove(client, as);
      if (!released && delivery.waiting.delete(client)) this.settle(delivery, now);
    }
  }

  /** The broker has forgotten all. What is here is still delivered; what it only promised to repeat is lost. */
  forgotten(): void {
    for (const delivery of [...this.byId.values()]) {
      this.detach(delivery);
      if (delivery.message !== undefined) continue;
      for (const [client, as] of delivery.waiting) this.remove(client, as);
    }
  }

  private begin(delivery: Delivery, message: Message, receivers: readonly [VirtualClient, Qos][], now: Millis): void {
    const id = delivery.id!;
    let isStored = false;
    for (const [client, granted] of receivers) {
      const qos = lowerOf(message.qos, granted);
      if (qos === 0) {
        this.tellQos0(client, message, now);
        continue;
      }
      const as = client.nextId();
      if (as === undefined) {
        this.hub.overrun(client, 'no-packet-id', now);
        continue;
      }
      const outgoing: Outgoing = { delivery, qos, sent: false, released: false };
      client.outgoing.set(as, outgoing);
      delivery.waiting.set(client, as);
      if (client.connection === undefined) this.countAway(delivery, 1);
      isStored = this.write(client, as, outgoing, id) || isStored;
      this.tell(client, as, outgoing, now);
    }
    // Last: without it the others mean nothing.
    if (isStored) this.hub.journal.put('delivery', id, { digest: delivery.digest });
    this.settle(delivery, now);
  }

  private onRepeated(delivery: Delivery, message: Message, now: Millis): void {
    if (delivery.message === undefined) {
      delivery.message = message; // after a restart
      for (const [client, as] of delivery.waiting) this.tell(client, as, client.outgoing.get(as)!, now);
    }
    this.settle(delivery, now);
  }

  /**
   * A copy, so that subscriptions may change meanwhile. Retained messages are for those who have just asked; who that was for
   * a QoS 1 message from before a restart is not known any more, so it goes to all: twice is better than never.
   */
  private receivers({ topic, retain, qos }: Message, dup: boolean, now: Millis): [VirtualClient, Qos][] {
    if (retain && !(dup && qos === 1)) return [...this.waiters.take(topic, now)];
    const found = this.tree.match(topic).map((client): [VirtualClient, Qos] => [client, client.matchQos]);
    if (this.waiters.size > 0) this.waiters.saw(topic, new Set(found.map(([client]) => client)));
    return found;
  }

  /** Nobody keeps QoS 0 for a client that is away. */
  private tellQos0({ connection }: VirtualClient, message: Message, now: Millis): void {
    if (connection === undefined) return;
    this.hub.tell(connection, (events) => events.message({ ...message, qos: 0 }, 0, false, now));
  }

  private tell({ connection }: VirtualClient, as: PacketId, outgoing: Outgoing, now: Millis): void {
    const { delivery, qos, sent } = outgoing;
    const { message } = delivery;
    if (connection === undefined || message === undefined) return;
    outgoing.sent = true;
    this.hub.tell(connection, (events) => events.message({ ...message, qos }, as, sent, now));
  }

  private leave(client: VirtualClient, delivery: Delivery, now: Millis): void {
    if (!delivery.waiting.delete(client)) return;
    if (client.connection === undefined) this.countAway(delivery, -1);
    this.settle(delivery, now);
  }

  /** Acknowledges what nobody waits for. Without a connection it stays, until the broker has repeated it. */
  private settle(delivery: Delivery, now: Millis): void {
    const { id, waiting, qos } = delivery;
    const { link } = this.hub;
    if (waiting.size > 0 || id === undefined || link === undefined) return;
    if (qos === 1) this.byId.delete(id); // QoS 2: until PUBREL
    link.acknowledge(id, now);
  }

  /** The identifier does not stand for this message any more. */
  private detach(delivery: Delivery): void {
    const { id } = delivery;
    if (id === undefined) return;
    this.byId.delete(id);
    if (delivery.qos === 2) {
      this.hub.journal.delete('delivery', id);
      for (const [client, as] of delivery.waiting) this.write(client, as, client.outgoing.get(as)!, 0);
    }
    delivery.id = undefined;
    if (delivery.away > 0) this.heldNow--;
  }

  private remove(client: VirtualClient, as: PacketId): void {
    const outgoing = client.outgoing.get(as);
    client.outgoing.delete(as);
    if (outgoing !== undefined && isStored(client, outgoing))
      this.hub.journal.delete('out', clientKey(as, client.clientId));
  }

  /** True when such things are written. */
  private write(client: VirtualClient, as: PacketId, outgoing: Outgoing, id: PacketId): boolean {
    if (!isStored(client, outgoing)) return false;
    const { qos, released } = outgoing;
    this.hub.journal.put('out', clientKey(as, client.clientId), { id, qos, released });
    return true;
  }

  private countAway(delivery: Delivery, change: 1 | -1): void {
    const before = delivery.away;
    delivery.away += change;
    if (delivery.id === undefined) return;
    if (before === 0 && change === 1) this.heldNow++;
    else if (delivery.away === 0) this.heldNow--;
  }
}

function isStored(client: VirtualClient, { delivery }: Outgoing): boolean {
  return delivery.qos === 2 && !client.isClean;
}
