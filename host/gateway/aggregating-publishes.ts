// Messages to the broker: every client's PUBLISHes of QoS 1 and 2 at once, each under an identifier of the shared session's
// that belongs to it until its handshake is over.
//
// Exactly once. A QoS 2 identifier stays tied to the client's own from the first PUBLISH to PUBCOMP, also while either
// connection is lost and, with a store, across a restart: a repetition with DUP goes out under the same identifier, so
// that the broker knows it. When the client will not repeat it any more (its session is over, or it uses its identifier
// for another message) the identifier is freed by PUBREL, which brokers answer whether they know it or not; without that
// the broker would take a later message of that identifier for the old one. A repetition at QoS 1 is a new message unless
// the first is still without an answer.
//
// When all 65,535 identifiers are in use a PUBLISH is 'lost', not 'refused': the client should repeat it.
import { between } from '../core/random.js';
import type { Message, Millis, PacketId, PublishOutcome, Qos, Random } from '../ports.js';
import type { Hub, Incoming, VirtualClient } from './aggregating-client.js';
import { digestOf, lowerOf, PACKET_ID_MAX } from './aggregating-client.js';
import { storedMessage } from './aggregating-journal.js';

type Done = (outcome: PublishOutcome, now: Millis) => void;

export class Publishes {
  private readonly byId = new Map<PacketId, Incoming>();
  private lastId: PacketId;

  constructor(
    private readonly hub: Hub,
    random: Random,
  ) {
    this.lastId = between(random, 1, PACKET_ID_MAX);
  }

  /** Handshakes that are not over. */
  get size(): number {
    return this.byId.size;
  }

  /** A QoS 2 PUBLISH of an earlier process. `client` undefined: nobody waits. */
  restore(id: PacketId, digest: number, client: VirtualClient | undefined, as: PacketId): void {
    this.hold(id, 2, digest, client, as);
  }

  /** A will that an earlier process began to publish. */
  restoreWill(id: PacketId, will: Message): void {
    this.hold(id, will.qos, digestOf(will), undefined, 0, will);
  }

  publish(client: VirtualClient, message: Message, as: PacketId, dup: boolean, now: Millis, done: Done): void {
    const { link } = this.hub;
    if (link === undefined) done('lost', now);
    else if (message.qos === 0)
      link.publish(message, 0, false, now, (outcome, at) => this.hub.step(() => done(outcome, at)));
    else this.begin(client, message, as, dup, now, done);
  }

  /** PUBREL of a client; `done` with PUBCOMP. */
  release(client: VirtualClient, as: PacketId, now: Millis, done: (now: Millis) => void): void {
    const publish = client.incoming.get(as);
    if (publish?.qos !== 2) {
      done(now); // over already, or never begun
      return;
    }
    publish.released = done;
    this.sendRelease(publish, now);
  }

  /** Publishes a will: as a client of its own would, up to the end of the handshake. */
  publishWill(asked: Message, now: Millis): void {
    const will = { ...asked, qos: lowerOf(asked.qos, this.hub.qosMax) };
    const id = will.qos === 0 ? undefined : this.nextId();
    if (id !== undefined) {
      this.hub.journal.put('own', id, storedMessage(will));
      this.send(this.hold(id, will.qos, digestOf(will), undefined, 0, will), will, false, now);
    } else if (will.qos === 0) this.hub.link?.publish(will, 0, false, now, () => {});
    else this.hub.warn('will-dropped', { topic: will.topic });
  }

  /** Nobody will repeat or release what the client has begun. */
  forget(client: VirtualClient, now: Millis): void {
    for (const publish of [...client.incoming.values()]) this.abandon(publish, now);
  }

  /** The shared session is back: wills go on, and identifiers that nobody will release are freed. The rest waits for clients. */
  connected(now: Millis): void {
    for (const publish of [...this.byId.values()]) {
      if (publish.will !== undefined) this.send(publish, publish.will, true, now);
      else if (publish.client === undefined) this.sendRelease(publish, now);
    }
  }

  /** The shared session is over: what had no answer at QoS 1 is the client's to repeat, as a new message. */
  lost(): void {
    for (const publish of [...this.byId.values()]) {
      publish.done = undefined;
      if (publish.qos === 1 && publish.will === undefined) this.end(publish);
    }
  }

  private begin(client: VirtualClient, message: Message, as: PacketId, dup: boolean, now: Millis, done: Done): void {
    const known = client.incoming.get(as);
    const digest = digestOf(message);
    if (known !== undefined && dup && known.digest === digest && known.qos === message.qos) {
      known.done = done;
      if (known.taken) this.answer(known, 'taken', now);
      else if (known.sentOn !== this.hub.link) this.send(known, message, true, now);
      return;
    }
    if (known !== undefined) this.abandon(known, now);
    const id = this.nextId();
    if (id === undefined) {
      done('lost', now);
      return;
    }
    const publish = this.hold(id, message.qos, digest, client, as);
    publish.done = done;
    if (message.qos === 2) this.hub.journal.put('in', id, { client: [client.clientId, as], digest });
    this.send(publish, message, false, now);
  }

  private hold(
    id: PacketId,
    qos: Qos,
    digest: number,
    client: VirtualClient | undefined,
    as: PacketId,
    will?: Message,
  ): Incoming {
    const publish: Incoming = {
      id,
      qos,
      digest,
      client,
      as,
      will,
      taken: false,
      sentOn: undefined,
      releasedOn: undefined,
      done: undefined,
      released: undefined,
    };
    this.byId.set(id, publish);
    client?.incoming.set(as, publish);
    return publish;
  }

  private send(publish: Incoming, message: Message, dup: boolean, now: Millis): void {
    const { link } = this.hub;
    publish.sentOn = link;
    link?.publish(message, publish.id, dup, now, (outcome, at) =>
      this.hub.step(() => {
        if (this.hub.link === link && this.byId.get(publish.id) === publish) this.onAnswer(publish, outcome, at);
      }),
    );
  }

  private onAnswer(publish: Incoming, outcome: PublishOutcome, now: Millis): void {
    if (outcome === 'refused' && publish.will !== undefined)
      this.hub.warn('will-refused', { topic: publish.will.topic });
    if (outcome === 'taken' && publish.qos === 2) this.onTaken(publish, now);
    else if (outcome !== 'lost') this.end(publish);
    else publish.sentOn = undefined;
    this.answer(publish, outcome, now);
  }

  private onTaken(publish: Incoming, now: Millis): void {
    publish.taken = true;
    if (publish.will !== undefined) {
      // From here on it must not be sent again.
      this.hub.journal.put('in', publish.id, { digest: publish.digest });
      this.hub.journal.delete('own', publish.id);
      publish.will = undefined;
    }
    if (publish.client === undefined) this.sendRelease(publish, now);
  }

  private answer(publish: Incoming, outcome: PublishOutcome, now: Millis): void {
    const { done } = publish;
    publish.done = undefined;
    done?.(outcome, now);
  }

  private sendRelease(publish: Incoming, now: Millis): void {
    const { link } = this.hub;
    if (link === undefined || publish.releasedOn === link) return;
    publish.releasedOn = link;
    link.release(publish.id, now, (at) =>
      this.hub.step(() => {
        if (this.hub.link !== link || this.byId.get(publish.id) !== publish) return;
        const { released } = publish;
        this.end(publish);
        released?.(at);
      }),
    );
  }

  private abandon(publish: Incoming, now: Millis): void {
    publish.client?.incoming.delete(publish.as);
    publish.client = undefined;
    publish.done = undefined;
    publish.released = undefined;
    if (publish.qos === 1) return; // the answer frees the identifier, or the loss of the shared session
    this.hub.journal.put('in', publish.id, { digest: publish.digest });
    const { link } = this.hub;
    // What is on its way is released when the answer has come.
    if (publish.taken || publish.sentOn !== link) this.sendRelease(publish, now);
  }

  private end(publish: Incoming): void {
    this.byId.delete(publish.id);
    publish.client?.incoming.delete(publish.as);
    if (publish.will !== undefined) this.hub.journal.delete('own', publish.id);
    else if (publish.qos === 2) this.hub.journal.delete('in', publish.id);
  }

  private nextId(): PacketId | undefined {
    if (this.byId.size >= PACKET_ID_MAX) return undefined;
    do this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    while (this.byId.has(this.lastId));
    return this.lastId;
  }
}
