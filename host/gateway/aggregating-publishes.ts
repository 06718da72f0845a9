// Messages to the broker: those of all clients at once, each under an identifier of the shared session's. The handshake with the
// broker and the one with the client are two: the broker is not kept waiting for a client on a slow radio.
//
// Exactly once. With PUBREC the broker has a QoS 2 message; from then on, and until the client's PUBREL, a repetition by the client
// is answered here. Before that it is here that the message is repeated, under its identifier and with DUP, whenever the shared
// session is back; the client's repetition only waits for the same answer. With a store all this is written before
// anybody is told of it. At QoS 1 nothing is kept after a loss: the client's repetition is a new message.
//
// QoS 2 handshakes with the broker are begun only so many at a time. Mosquitto 2.0.11 loses, and acknowledges all the same, a
// QoS 2 PUBLISH that comes while max_inflight_messages of the same client are open, 20 if nobody changed it.
//
// When all 65,535 identifiers are in use a PUBLISH is 'lost', not 'refused': the client should repeat it.
import { between } from '../core/random.js';
import type { Message, Millis, PacketId, PublishOutcome, Random } from '../ports.js';
import type { Hub, Incoming, VirtualClient } from './aggregating-client.js';
import { digestOf, lowerOf, PACKET_ID_MAX } from './aggregating-client.js';
import { clientKey, storedMessage } from './aggregating-journal.js';

type Done = (outcome: PublishOutcome, now: Millis) => void;

export class Publishes {
  /** What the broker is not done with. */
  private readonly byId = new Map<PacketId, Incoming>();
  /** QoS 2 that is to be sent. */
  private queue: Incoming[] = [];
  /** QoS 2 handshakes that are open on this connection. */
  private readonly open = new Set<Incoming>();
  private lastId: PacketId;

  constructor(
    private readonly hub: Hub,
    random: Random,
    private readonly qos2Max: number,
  ) {
    this.lastId = between(random, 1, PACKET_ID_MAX);
  }

  /** What the broker is not done with. */
  get size(): number {
    return this.byId.size;
  }

  /** Of an earlier process: the broker has it, and the client has not ended it. */
  restoreHad(client: VirtualClient, as: PacketId, id: PacketId, digest: number): void {
    client.incoming.set(as, this.make(id, 2, digest, client, as, undefined));
  }

  /** Of an earlier process: the broker is not done with it. After all that the clients had. */
  restore(id: PacketId, client: VirtualClient | undefined, as: PacketId, message: Message | undefined): void {
    const had = client?.incoming.get(as);
    if (had?.id === id) this.byId.set(id, had);
    else this.hold(this.make(id, message?.qos ?? 2, message ? digestOf(message) : 0, client, as, message));
  }

  publish(client: VirtualClient, message: Message, as: PacketId, dup: boolean, now: Millis, done: Done): void {
    const { link } = this.hub;
    if (link === undefined) done('lost', now);
    else if (message.qos > 0) this.begin(client, message, as, dup, now, done);
    else link.publish(message, 0, false, now, (outcome, at) => this.hub.step(() => done(outcome, at)));
  }

  /** PUBREL of a client; `done` with PUBCOMP. */
  release(client: VirtualClient, as: PacketId, now: Millis, done: (now: Millis) => void): void {
    const publish = client.incoming.get(as);
    if (publish?.qos === 2 && publish.message !== undefined) {
      publish.released = done; // out of its turn
      return;
    }
    if (publish?.qos === 2) this.part(publish);
    done(now);
  }

  /** Publishes a will: as a client of its own would, up to the end of the handshake. */
  publishWill(asked: Message, now: Millis): void {
    const will = { ...asked, qos: lowerOf(asked.qos, this.hub.qosMax) };
    if (will.qos === 0) {
      this.hub.link?.publish(will, 0, false, now, () => {});
      return;
    }
    const id = this.nextId();
    if (id === undefined) {
      this.hub.warn('will-dropped', { topic: will.topic });
      return;
    }
    this.enter(this.make(id, will.qos, digestOf(will), undefined, 0, will), now);
  }

  /** Nobody will repeat or release what the client has begun. What is on its way is published all the same. */
  forget(client: VirtualClient): void {
    for (const publish of [...client.incoming.values()]) this.part(publish);
  }

  /** The shared session is back: everything goes on that the broker is not done with. */
  connected(now: Millis): void {
    this.open.clear();
    this.queue = [];
    for (const publish of [...this.byId.values()]) {
      if (publish.message === undefined) this.sendRelease(publish, now);
      else if (publish.qos === 2) this.queue.push(publish);
      else this.send(publish, publish.message, now);
    }
    this.pump(now);
  }

  /** The shared session is over: what had no answer at QoS 1 is the client's to repeat, as a new message. */
  lost(): void {
    for (const publish of [...this.byId.values()]) {
      publish.done = undefined;
      publish.released = undefined;
      if (publish.qos === 1 && publish.client !== undefined) this.end(publish);
    }
  }

  private begin(client: VirtualClient, message: Message, as: PacketId, dup: boolean, now: Millis, done: Done): void {
    const known = client.incoming.get(as);
    const digest = digestOf(message);
    if (known !== undefined && dup && known.digest === digest && known.qos === message.qos) {
      if (known.message === undefined) done('taken', now);
      else this.repeat(known, now, done);
      return;
    }
    // The client has begun to count anew, and will not come back to the old one.
    if (known !== undefined) this.part(known);
    const id = this.nextId();
    if (id === undefined) {
      done('lost', now);
      return;
    }
    const publish = this.make(id, message.qos, digest, client, as, message);
    publish.done = done;
    this.enter(publish, now);
  }

  /** Sent already, or in the queue; sent again only where the broker's side gave it up. */
  private repeat(publish: Incoming, now: Millis, done: Done): void {
    const isGivenUp = publish.done === undefined && publish.sent && publish.qos === 2 && !this.open.has(publish);
    publish.done = done;
    if (isGivenUp) this.queue.push(publish); // perhaps a second time: see `pump`
    this.pump(now);
  }

  private make(
    id: PacketId,
    qos: Incoming['qos'],
    digest: number,
    client: VirtualClient | undefined,
    as: PacketId,
    message: Message | undefined,
  ): Incoming {
    // What was restored may have been sent.
    return { id, qos, digest, client, as, message, sent: false, done: undefined, released: undefined };
  }

  private hold(publish: Incoming): void {
    publish.sent = true; // perhaps
    this.byId.set(publish.id, publish);
    publish.client?.incoming.set(publish.as, publish);
  }

  private enter(publish: Incoming, now: Millis): void {
    this.hold(publish);
    publish.sent = false;
    this.write(publish);
    if (publish.qos === 2) {
      this.queue.push(publish);
      this.pump(now);
    } else if (publish.message !== undefined) this.send(publish, publish.message, now);
  }

  private pump(now: Millis): void {
    while (this.queue.length > 0 && this.open.size < this.qos2Max && this.hub.link !== undefined) {
      const publish = this.queue.shift()!;
      if (publish.message === undefined || this.open.has(publish)) continue; // sent meanwhile
      this.send(publish, publish.message, now);
    }
  }

  private send(publish: Incoming, message: Message, now: Millis): void {
    const { link } = this.hub;
    const dup = publish.sent;
    publish.sent = true;
    if (publish.qos === 2) this.open.add(publish);
    link?.publish(message, publish.id, dup, now, (outcome, at) =>
      this.hub.step(() => {
        if (this.hub.link === link && this.byId.get(publish.id) === publish) this.onAnswer(publish, outcome, at);
      }),
    );
  }

  private onAnswer(publish: Incoming, outcome: PublishOutcome, now: Millis): void {
    const { client, done } = publish;
    publish.done = undefined;
    if (outcome === 'refused' && client === undefined) this.hub.warn('publish-refused', {});
    const isTaken2 = outcome === 'taken' && publish.qos === 2;
    if (isTaken2) this.setTaken(publish);
    else if (outcome !== 'lost') this.end(publish);
    else this.open.delete(publish);
    done?.(outcome, now);
    if (isTaken2) {
      this.endEarly(publish, now);
      this.sendRelease(publish, now);
    }
    this.pump(now);
  }

  private setTaken(publish: Incoming): void {
    const { client, id, digest, as } = publish;
    publish.message = undefined;
    // From here on it must not be sent again.
    if (client !== undefined && !client.isClean)
      this.hub.journal.put('had', clientKey(as, client.clientId), { id, digest });
    else this.write(publish);
  }

  private endEarly(publish: Incoming, now: Millis): void {
    const { released } = publish;
    if (released === undefined) return;
    this.part(publish);
    released(now);
  }

  private sendRelease(publish: Incoming, now: Millis): void {
    const { link } = this.hub;
    this.open.add(publish);
    link?.release(publish.id, now, (at) =>
      this.hub.step(() => {
        if (this.hub.link !== link || this.byId.get(publish.id) !== publish) return;
        this.byId.delete(publish.id);
        this.open.delete(publish);
        this.hub.journal.delete('in', publish.id);
        this.pump(at);
      }),
    );
  }

  /** The client's part is over. */
  private part(publish: Incoming): void {
    const { client, id, as, qos } = publish;
    publish.client = undefined;
    publish.done = undefined;
    publish.released = undefined;
    client?.incoming.delete(as);
    if (qos === 1 || client === undefined) return;
    if (this.byId.get(id) === publish) this.write(publish);
    if (!client.isClean && publish.message === undefined)
      this.hub.journal.delete('had', clientKey(as, client.clientId));
  }

  /** Both parts are over: refused, or QoS 1 answered. */
  private end(publish: Incoming): void {
    const { client, id, as, qos } = publish;
    this.byId.delete(id);
    this.open.delete(publish);
    client?.incoming.delete(as);
    if (qos === 2 || client === undefined) this.hub.journal.delete('in', id);
  }

  /** QoS 1 of a client is not written: a loss makes it a new message. */
  private write({ id, qos, client, as, message }: Incoming): void {
    if (qos === 1 && client !== undefined) return;
    const owner = client && !client.isClean ? { client: [client.clientId, as] as const } : undefined;
    this.hub.journal.put('in', id, { ...owner, ...(message && { message: storedMessage(message) }) });
  }

  private nextId(): PacketId | undefined {
    if (this.byId.size >= PACKET_ID_MAX) return undefined;
    do this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    while (this.byId.has(this.lastId));
    return this.lastId;
  }
}
