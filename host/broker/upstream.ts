// The broker of the same process as a gateway's upstream: for each session a small MQTT client that speaks packet
// objects with the broker, without bytes and without delay.
//
// Order of things. Packets are answered at once (the broker itself puts off what is said to it in the middle of its
// work), so that protocol state never lags. Events for the owner are queued and delivered one after another, never one
// inside another, when the outermost call into this upstream or the broker's call into it is about to return. So an
// owner may call any session from inside any event. It must only expect events before its own call returns. After `close` or `abort` an owner
// hears nothing more of that session, not even the outcome of a request. Topics and filters must be valid: the broker
// closes the connection of a client whose are not.
import type { Message, Millis, Qos, Upstream, UpstreamEvents, UpstreamOptions, UpstreamSession } from '../ports.js';
import type { Broker } from './broker.js';
import type { Connection, Sink } from './connection.js';
import type { CloseReason } from './errors.js';
import { Fifo } from './fifo.js';
import {
  type AckPacket,
  ConnackCode,
  type ConnackPacket,
  PACKET_ID_MAX,
  type Packet,
  type PublishPacket,
  publishPacket,
  SUBACK_FAILURE,
} from './packets.js';

export class BrokerUpstream implements Upstream {
  private readonly events = new Events();
  private readonly memory = new Map<string, ClientMemory>();

  /** `peer` is what `Access` is told of these clients. */
  constructor(
    private readonly broker: Broker,
    private readonly peer?: unknown,
  ) {}

  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    return this.events.after(() => {
      const memory = this.recall(options);
      const forget = (): void => {
        if (this.memory.get(options.clientId) === memory) this.memory.delete(options.clientId);
      };
      const session = new ClientSession(options, events, this.events, memory, forget);
      session.connect(this.broker, this.peer, now);
      return session;
    });
  }

  private recall({ clientId, clean }: UpstreamOptions): ClientMemory {
    const memory = (clean ? undefined : this.memory.get(clientId)) ?? new ClientMemory();
    if (clean) this.memory.delete(clientId);
    else this.memory.set(clientId, memory);
    return memory;
  }
}

/** What a client must remember from one connection of a persistent session to the next (section 4.1). */
class ClientMemory {
  /** QoS 2 to the broker: sent, and not yet over. The broker keeps these identifiers until PUBREL. */
  readonly releasing = new Set<number>();
  /** QoS 2 from the broker: acknowledged by the owner, and owed a PUBREL. */
  readonly acknowledged = new Set<number>();
  /** The newest session; an acknowledgement on an older one comes too late to mean anything. */
  owner: ClientSession | undefined;

  get isEmpty(): boolean {
    return this.releasing.size === 0 && this.acknowledged.size === 0;
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

/** What the owner is told at the end of a request: `code` is that of the answer, undefined without an answer. */
type Settle = (code: number | undefined, now: Millis) => void;

const ACCEPTED = 0;

class ClientSession implements UpstreamSession {
  /** Ended by the owner, who hears no more. */
  private isLeft = false;
  /** Ended by either side. */
  private isOver = false;
  private connection: Connection | undefined;
  private lastId = 0;
  /** Requests by packet identifier: PUBLISH, SUBSCRIBE and UNSUBSCRIBE share one space. */
  private readonly pending = new Map<number, Settle>();
  /** Messages of QoS 1 and 2 that the owner has not acknowledged. */
  private unacknowledged = 0;
  private refusal: ConnackCode | undefined;
  /** Identifiers that an earlier connection left unfinished. */
  private readonly unfinished: readonly number[];

  constructor(
    private readonly options: UpstreamOptions,
    private readonly owner: UpstreamEvents,
    private readonly events: Events,
    private readonly memory: ClientMemory,
    private readonly forget: () => void,
  ) {
    memory.owner = this;
    this.unfinished = [...memory.releasing];
  }

  connect(broker: Broker, peer: unknown, now: Millis): void {
    const { clientId, clean, will } = this.options;
    this.connection = broker.accept(this.sink, now, peer);
    this.connection.receive({ cmd: 'connect', clientId, clean, keepalive: 0, ...(will && { will }) }, now);
  }

  publish(message: Message, now: Millis, done: (accepted: boolean, now: Millis) => void): void {
    const { qos } = message;
    if (qos === 0) {
      const accepted = !this.isOver;
      this.request(publishPacket(message, 0, message.retain), now);
      this.tell(() => done(accepted, now));
      return;
    }
    const id = this.begin((code, at) => done(code === ACCEPTED, at), now);
    if (id === undefined) return;
    if (qos === 2) this.memory.releasing.add(id);
    this.request(publishPacket(message, qos, message.retain, id), now);
  }

  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    const id = this.begin((code, at) => done(code === SUBACK_FAILURE ? undefined : (code as Qos | undefined), at), now);
    if (id === undefined) return;
    this.request({ cmd: 'subscribe', messageId: id, subscriptions: [{ topic: filter, qos }] }, now);
  }

  unsubscribe(filter: string, now: Millis, done: (now: Millis) => void): void {
    const id = this.begin((_, at) => done(at), now);
    if (id === undefined) return;
    this.request({ cmd: 'unsubscribe', messageId: id, unsubscriptions: [filter] }, now);
  }

  close(now: Millis): void {
    this.leave(() => this.connection?.receive({ cmd: 'disconnect' }, now));
  }

  abort(now: Millis): void {
    this.leave(() => this.connection?.closed(now));
  }

  /** What the broker calls. Apart from the session, whose own `close` is the owner's. */
  private readonly sink: Sink = {
    send: (packet, now) => this.take(packet, now),
    close: (reason, now) => this.lose(reason, now),
  };

  private take(packet: Packet, now: Millis): void {
    if (this.isOver) return;
    switch (packet.cmd) {
      case 'connack':
        this.takeConnack(packet, now);
        break;
      case 'publish':
        this.takePublish(packet, now);
        break;
      case 'puback':
      case 'unsuback':
        this.settle(packet.messageId, ACCEPTED, now);
        break;
      case 'suback':
        this.settle(packet.messageId, packet.granted[0], now);
        break;
      case 'pubrec':
        // From here on the message is the broker's.
        this.settle(packet.messageId, ACCEPTED, now);
        this.reply('pubrel', packet.messageId, now);
        break;
      case 'pubcomp':
        this.memory.releasing.delete(packet.messageId);
        break;
      case 'pubrel':
        this.memory.acknowledged.delete(packet.messageId);
        this.reply('pubcomp', packet.messageId, now);
        break;
      default: // PINGRESP, and what servers do not send
    }
  }

  private lose(reason: CloseReason, now: Millis): void {
    if (this.isOver) return;
    this.end();
    for (const settle of this.pending.values()) this.tell(() => settle(undefined, now));
    this.pending.clear();
    const text = this.refusal === undefined ? reason : `${reason}-${this.refusal}`;
    this.tell(() => this.owner.closed(text, now));
  }

  private takeConnack({ returnCode, sessionPresent }: ConnackPacket, now: Millis): void {
    if (returnCode !== ConnackCode.Accepted) {
      this.refusal = returnCode; // the close comes next
      return;
    }
    if (!sessionPresent) this.memory.acknowledged.clear();
    for (const id of this.unfinished) {
      // Unreleased, it would make the broker take a new message of that identifier for the old one.
      if (sessionPresent) this.reply('pubrel', id, now);
      else this.memory.releasing.delete(id);
    }
    this.tell(() => this.owner.connected(sessionPresent, now));
  }

  private takePublish(packet: PublishPacket, now: Millis): void {
    const { topic, payload, qos, retain, messageId, dup } = packet;
    if (qos === 2 && this.memory.acknowledged.has(messageId)) {
      if (dup) {
        this.reply('pubrec', messageId, now); // [MQTT-4.3.3-2]: not a new message, the PUBREC was lost
        return;
      }
      this.memory.acknowledged.delete(messageId);
    }
    if (qos > 0) this.unacknowledged++;
    let isAcknowledged = qos === 0;
    const acknowledge = (at: Millis): void => {
      if (isAcknowledged) return;
      isAcknowledged = true;
      this.unacknowledged--;
      this.acknowledge(qos, messageId, at);
    };
    this.tell(() => this.owner.message({ topic, payload, qos, retain }, acknowledge, now));
  }

  /** After the end too: the broker will send a QoS 2 message again, which the owner has had. */
  private acknowledge(qos: Qos, id: number, now: Millis): void {
    if (qos === 2 && this.memory.owner === this) this.memory.acknowledged.add(id);
    this.events.after(() => this.reply(qos === 1 ? 'puback' : 'pubrec', id, now));
  }

  /** An identifier for a request; undefined, with the owner told, when there is no connection or no identifier. */
  private begin(settle: Settle, now: Millis): number | undefined {
    const isFull = this.pending.size + this.memory.releasing.size >= PACKET_ID_MAX;
    if (this.isOver || isFull) {
      this.tell(() => settle(undefined, now));
      return undefined;
    }
    do this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    while (this.pending.has(this.lastId) || this.memory.releasing.has(this.lastId));
    this.pending.set(this.lastId, settle);
    return this.lastId;
  }

  private settle(id: number, code: number | undefined, now: Millis): void {
    const settle = this.pending.get(id);
    if (settle === undefined) return;
    this.pending.delete(id);
    this.tell(() => settle(code, now));
  }

  private request(packet: Packet, now: Millis): void {
    if (!this.isOver) this.events.after(() => this.connection?.receive(packet, now));
  }

  private reply(cmd: AckPacket['cmd'], messageId: number, now: Millis): void {
    if (!this.isOver) this.connection?.receive({ cmd, messageId }, now);
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
    this.end();
    this.pending.clear();
    this.events.after(say);
  }

  private end(): void {
    this.isOver = true;
    const isLast = this.memory.owner === this;
    if (isLast && this.memory.isEmpty && this.unacknowledged === 0) this.forget();
  }
}
