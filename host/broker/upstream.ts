// The broker of the same process as a gateway's upstream: for each session a small MQTT client that speaks packet
// objects with the broker, without bytes and without delay. It remembers nothing: the handshakes are the owner's and the
// broker's.
//
// Order of things. Packets are answered at once (the broker itself puts off what is said to it in the middle of its
// work), so that protocol state never lags. Events for the owner are queued and delivered one after another, never one
// inside another, when the outermost call into this upstream or the broker's call into it is about to return. So an
// owner may call any session from inside any event. It must only expect events before its own call returns. After `close` or `abort` an owner
// hears nothing more of that session, not even the outcome of a request. Topics and filters must be valid: the broker
// closes the connection of a client whose are not.
import { SmallMap } from '../core/small-map.js';
import type {
  Message,
  Millis,
  PacketId,
  PublishOutcome,
  Qos,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../ports.js';
import { LOCAL_PEER, type Peer } from './access.js';
import type { Broker } from './broker.js';
import type { Connection, Sink } from './connection.js';
import type { CloseReason } from './errors.js';
import { Fifo } from './fifo.js';
import {
  type AckPacket,
  ackPacket,
  type ConnackPacket,
  PACKET_ID_MAX,
  type Packet,
  type PublishPacket,
  plainMessage,
  publishPacket,
} from './packets.js';
import { FAILURE_MIN, ReasonCode } from './reason-codes.js';

export class BrokerUpstream implements Upstream {
  readonly qosMax: Qos = 2;
  private readonly events = new Events();

  /** `peer` is what `Access` is told of these clients. */
  constructor(
    private readonly broker: Broker,
    private readonly peer: Peer = LOCAL_PEER,
  ) {}

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    return this.events.after(() => {
      const session = new ClientSession(options, events, this.events);
      session.connect(this.broker, this.peer, now);
      return session;
    });
  }
}

/** The owner's events, one after another. */
class Events {
  private depth = 0;
  private readonly queue = new Fifo<() => void>();

  emit(event: () => void): void {
    this.queue.push(event);
    if (this.depth === 0) this.drain();
  }

  /** Makes the call; events wait until it is done. */
  after<T>(call: () => T): T {
    this.depth++;
    let result: T;
    try {
      result = call();
    } finally {
      this.depth--;
    }
    if (this.depth === 0) this.drain();
    return result;
  }

  private drain(): void {
    this.depth++;
    try {
      for (let event = this.queue.shift(); event !== undefined; event = this.queue.shift()) event();
    } finally {
      this.depth--;
    }
  }
}

type Done = (now: Millis) => void;
type PublishDone = (outcome: PublishOutcome, now: Millis) => void;
/** What the owner is told at the end of a SUBSCRIBE or UNSUBSCRIBE: the code of the answer, undefined where it was not asked. */
type Settle = (code: ReasonCode | undefined, now: Millis) => void;

class ClientSession implements UpstreamSession {
  /** Ended by the owner, who hears no more. */
  private isLeft = false;
  /** Ended by either side. */
  private isOver = false;
  private connection: Connection | undefined;
  private lastRequestId = 0;
  /** SUBSCRIBE and UNSUBSCRIBE. Their answers are told apart from those of PUBLISH by their type. */
  private readonly requests = new SmallMap<number, Settle>();
  private readonly publishing = new SmallMap<PacketId, PublishDone>();
  private readonly releasing = new SmallMap<PacketId, Done>();
  /** What the broker has sent here and the owner has not acknowledged. */
  private readonly unacknowledged = new SmallMap<PacketId, Qos>();
  private refusal: ReasonCode | undefined;

  constructor(
    private readonly options: UpstreamOptions,
    private readonly owner: UpstreamEvents,
    private readonly events: Events,
  ) {}

  connect(broker: Broker, peer: Peer, now: Millis): void {
    const { clientId, clean, will } = this.options;
    this.connection = broker.accept(new Receiver(this), now, peer);
    this.connection.receive({ cmd: 'connect', clientId, clean, keepalive: 0, ...(will && { will }) }, now);
  }

  publish(message: Message, id: PacketId, dup: boolean, now: Millis, done: PublishDone): void {
    const { qos, retain } = message;
    if (this.isOver) this.tell(() => done('lost', now));
    else if (qos === 0) {
      this.request(publishPacket(plainMessage(message), 0, retain), now);
      this.tell(() => done('taken', now));
    } else {
      this.publishing.set(id, done);
      this.request(publishPacket(plainMessage(message), qos, retain, id, dup), now);
    }
  }

  release(id: PacketId, now: Millis, done: Done): void {
    if (this.isOver) return;
    this.releasing.set(id, done);
    this.request(ackPacket('pubrel', id), now);
  }

  acknowledge(id: PacketId, now: Millis): void {
    const qos = this.unacknowledged.get(id);
    if (qos === undefined) return;
    this.unacknowledged.delete(id);
    this.request(ackPacket(qos === 1 ? 'puback' : 'pubrec', id), now);
  }

  complete(id: PacketId, now: Millis): void {
    this.request(ackPacket('pubcomp', id), now);
  }

  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    const granted = (code: ReasonCode | undefined): Qos | undefined =>
      code === undefined || code >= FAILURE_MIN ? undefined : (code as number as Qos);
    const id = this.begin((code, at) => done(granted(code), at), now);
    if (id === undefined) return;
    this.request({ cmd: 'subscribe', messageId: id, subscriptions: [{ topic: filter, qos }] }, now);
  }

  unsubscribe(filter: string, now: Millis, done: Done): void {
    const id = this.begin((_, at) => done(at), now);
    if (id === undefined) return;
    this.request({ cmd: 'unsubscribe', messageId: id, unsubscriptions: [filter] }, now);
  }

  close(now: Millis): void {
    this.leave(() => this.connection?.receive({ cmd: 'disconnect', reasonCode: ReasonCode.Success }, now));
  }

  abort(now: Millis): void {
    this.leave(() => this.connection?.closed(now));
  }

  /** What the broker sends. */
  take(packet: Packet, now: Millis): void {
    if (this.isOver) return;
    switch (packet.cmd) {
      case 'connack':
        this.takeConnack(packet, now);
        break;
      case 'publish':
        this.takePublish(packet, now);
        break;
      case 'unsuback':
        this.settle(packet.messageId, ReasonCode.Success, now);
        break;
      case 'suback':
        this.settle(packet.messageId, packet.granted[0], now);
        break;
      case 'puback':
      case 'pubrec':
      case 'pubrel':
      case 'pubcomp':
        this.takeHandshake(packet, now);
        break;
      default: // PINGRESP, and what servers do not send
    }
  }

  private takeConnack({ reasonCode, sessionPresent }: ConnackPacket, now: Millis): void {
    if (reasonCode === ReasonCode.Success) this.tell(() => this.owner.connected(sessionPresent, now));
    else this.refusal = reasonCode; // the close comes next
  }

  private takePublish(packet: PublishPacket, now: Millis): void {
    const { topic, payload, qos, retain, messageId, dup } = packet;
    if (qos > 0) this.unacknowledged.set(messageId, qos);
    this.tell(() => this.owner.message({ topic, payload, qos, retain }, qos > 0 ? messageId : 0, dup, now));
  }

  private takeHandshake({ cmd, messageId: id }: AckPacket, now: Millis): void {
    if (cmd === 'pubrel') {
      this.tell(() => this.owner.released(id, now));
    } else if (cmd === 'pubcomp') {
      const done = this.releasing.get(id);
      this.releasing.delete(id);
      if (done !== undefined) this.tell(() => done(now));
    } else {
      const done = this.publishing.get(id);
      this.publishing.delete(id);
      if (done !== undefined) this.tell(() => done('taken', now));
    }
  }

  /** The broker has closed the connection. */
  lose(reason: CloseReason, now: Millis): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const done of this.publishing.values()) this.tell(() => done('lost', now));
    this.forget();
    const text = this.refusal === undefined ? reason : `${reason}-${this.refusal}`;
    this.tell(() => this.owner.closed(text, now));
  }

  /** An identifier for a request; undefined when there is no connection, or with the owner told, when there is no identifier. */
  private begin(settle: Settle, now: Millis): number | undefined {
    if (this.isOver) return undefined;
    if (this.requests.size >= PACKET_ID_MAX) {
      this.tell(() => settle(undefined, now));
      return undefined;
    }
    do this.lastRequestId = this.lastRequestId === PACKET_ID_MAX ? 1 : this.lastRequestId + 1;
    while (this.requests.has(this.lastRequestId));
    this.requests.set(this.lastRequestId, settle);
    return this.lastRequestId;
  }

  private settle(id: number, code: ReasonCode | undefined, now: Millis): void {
    const settle = this.requests.get(id);
    if (settle === undefined) return;
    this.requests.delete(id);
    this.tell(() => settle(code, now));
  }

  private request(packet: Packet, now: Millis): void {
    if (!this.isOver) this.events.after(() => this.connection?.receive(packet, now));
  }

  /** Queues an event; one that comes after the owner has left is dropped. */
  private tell(event: () => void): void {
    this.events.emit(() => {
      if (!this.isLeft) event();
    });
  }

  private leave(say: () => void): void {
    this.isLeft = true;
    if (this.isOver) return;
    this.isOver = true;
    this.forget();
    this.events.after(say);
  }

  private forget(): void {
    this.publishing.clear();
    this.releasing.clear();
    this.requests.clear();
    this.unacknowledged.clear();
  }
}

/** What the broker calls. Apart from the session, whose own `close` is the owner's. */
class Receiver implements Sink {
  constructor(private readonly session: ClientSession) {}

  send(packet: Packet, now: Millis): void {
    this.session.take(packet, now);
  }

  close(reason: CloseReason, now: Millis): void {
    this.session.lose(reason, now);
  }
}
