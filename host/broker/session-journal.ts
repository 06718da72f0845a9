// What a durable session tells of itself: its subscriptions, and how each message's handshake stands. Sessions that end
// with their connection have no such thing.
import type { DurableState, EntryDetails, LoadedEntry, QueueEntry, StoredMessage } from './durable.js';
import { type BrokerMessage, type PublishPacket, publishPacket } from './packets.js';
import type { Subscription } from './routes.js';

/** A message on its way to its subscribers, and what they share of it. */
export class Publication {
  /** Given with the first durable session that it waits for. */
  stored: StoredMessage | undefined;
  /** The one packet for all who get it at QoS 0 with nothing of their own in it. */
  plain: PublishPacket | undefined;
  /** What of these is kept. */
  private keptPayload: Uint8Array | undefined;
  private keptPlain: PublishPacket | undefined;

  constructor(readonly message: BrokerMessage) {}

  /** A packet of QoS 0 as a queue keeps it: what goes through lies in a buffer with others, and would keep all of them. */
  keepable(packet: PublishPacket): PublishPacket {
    const { payload } = packet;
    if (payload.buffer.byteLength <= 2 * payload.length) return packet;
    if (packet !== this.plain) return this.kept(packet);
    this.keptPlain ??= this.kept(packet);
    return this.keptPlain;
  }

  private kept(packet: PublishPacket): PublishPacket {
    this.keptPayload ??= packet.payload.slice();
    const message = { ...packet, payload: this.keptPayload };
    return publishPacket(message, packet.qos, packet.retain, 0, false, packet.subscriptionIds);
  }
}

const detailsOf = ({ qos, retain, subscriptionIds, share }: PublishPacket): EntryDetails => ({
  qos,
  retain,
  subscriptionIds,
  share,
});

export class SessionJournal {
  private lastNumber = 0;
  private lastOrder = 0;

  constructor(
    readonly state: DurableState,
    private readonly clientId: string,
    loaded: readonly LoadedEntry[] = [],
  ) {
    for (const { number, state: at } of loaded) {
      this.lastNumber = Math.max(this.lastNumber, number);
      if (at.step === 'released') this.lastOrder = Math.max(this.lastOrder, at.order);
    }
  }

  /** The message has to wait. */
  waiting(packet: PublishPacket, publication: Publication): void {
    packet.entry = this.add(packet, publication, { step: 'waiting' });
  }

  /** The message goes out, under its identifier; straight away where it has not waited. */
  sent(packet: PublishPacket, publication: Publication | undefined): void {
    const state = { step: 'sent', packetId: packet.messageId } as const;
    if (packet.entry !== undefined) this.state.putEntry(this.clientId, packet.entry, detailsOf(packet), state);
    else if (publication !== undefined) packet.entry = this.add(packet, publication, state);
  }

  /** PUBREC has come. */
  released(packet: PublishPacket): void {
    if (packet.entry === undefined) return;
    const state = { step: 'released', packetId: packet.messageId, order: ++this.lastOrder } as const;
    this.state.putEntry(this.clientId, packet.entry, detailsOf(packet), state);
  }

  done(entry: QueueEntry | undefined): void {
    if (entry !== undefined) this.state.deleteEntry(this.clientId, entry);
  }

  subscribed({ filter, qos, noLocal, retainAsPublished, ids }: Subscription): void {
    const identifier = ids?.[0] ?? 0;
    this.state.putSubscription(this.clientId, { filter, qos, noLocal, retainAsPublished, identifier });
  }

  unsubscribed(filter: string): void {
    this.state.deleteSubscription(this.clientId, filter);
  }

  received(packetId: number): void {
    this.state.putReceived(this.clientId, packetId);
  }

  forgotten(packetId: number): void {
    this.state.deleteReceived(this.clientId, packetId);
  }

  private add(
    packet: PublishPacket,
    publication: Publication,
    state: { step: 'waiting' } | { step: 'sent'; packetId: number },
  ) {
    publication.stored ??= this.state.newMessage();
    const { stored, message } = publication;
    return this.state.addEntry(this.clientId, ++this.lastNumber, stored, message, detailsOf(packet), state);
  }
}
