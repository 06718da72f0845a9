// What is remembered of one client behind the shared session: its subscriptions and its handshakes in both directions.
import { between } from '../core/random.js';
import type { Subscriber } from '../core/subscriptions.js';
import type { Message, Millis, PacketId, PublishOutcome, Qos, Random, UpstreamEvents } from '../ports.js';
import type { Journal } from './aggregating-journal.js';
import type { UpstreamLink } from './upstream-link.js';

export const PACKET_ID_MAX = 0xffff;

/** What the client asked for, and what it got: the lower of that and what the broker granted the shared session. */
export interface Subscription {
  readonly asked: Qos;
  readonly granted: Qos;
}

/** A message of the broker, of QoS 1 or 2, and who has yet to acknowledge it. */
export interface Delivery {
  /** The shared session's identifier; undefined once the broker has forgotten the message or given the identifier to another. */
  id: PacketId | undefined;
  readonly qos: Qos;
  readonly digest: number;
  /** Undefined after a restart, until the broker has repeated it. */
  message: Message | undefined;
  /** Who has not acknowledged it, and under which identifier it has it. */
  readonly waiting: Map<VirtualClient, PacketId>;
  /** How many of these are away. */
  away: number;
}

/** A message on its way to one client. */
export interface Outgoing {
  readonly delivery: Delivery;
  readonly qos: Qos;
  /** It has been told before: DUP from now on. */
  sent: boolean;
  /** QoS 2: the client has it (PUBREC), and owes PUBCOMP. */
  released: boolean;
}

/** A PUBLISH of QoS 1 or 2: the broker's handshake, and that of the client. */
export interface Incoming {
  /** The shared session's identifier; not in use any more once the broker is done with it. */
  readonly id: PacketId;
  readonly qos: Qos;
  readonly digest: number;
  /** Undefined for wills, and where nobody waits any more. */
  client: VirtualClient | undefined;
  /** The client's own identifier. */
  readonly as: PacketId;
  /** Until the broker has it. */
  message: Message | undefined;
  /** It has been sent before: DUP from now on. */
  sent: boolean;
  done: ((outcome: PublishOutcome, now: Millis) => void) | undefined;
  /** The client has sent PUBREL before the broker had the message. */
  released: ((now: Millis) => void) | undefined;
}

/** The connection of a client, while there is one. */
export interface Connection {
  readonly events: UpstreamEvents;
  readonly will: Message | undefined;
  /** The owner hears no more. */
  isLeft: boolean;
}

export class VirtualClient implements Subscriber {
  matchMark = 0;
  matchQos: Qos = 0;
  readonly subscriptions = new Map<string, Subscription>();
  /** In the order in which the messages came. */
  readonly outgoing = new Map<PacketId, Outgoing>();
  readonly incoming = new Map<PacketId, Incoming>();
  connection: Connection | undefined;
  /** Its session is over for good. */
  isEnded = false;
  private lastId: PacketId;

  constructor(
    readonly clientId: string,
    /** A clean session ends with its connection, and nothing of it is stored. */
    readonly isClean: boolean,
    random: Random,
  ) {
    // Anywhere: a late acknowledgement that was meant for an earlier session should not meet the first message of this one.
    this.lastId = between(random, 1, PACKET_ID_MAX);
  }

  /** An identifier for a message; undefined when all are in use. */
  nextId(): PacketId | undefined {
    if (this.outgoing.size >= PACKET_ID_MAX) return undefined;
    do this.lastId = this.lastId === PACKET_ID_MAX ? 1 : this.lastId + 1;
    while (this.outgoing.has(this.lastId));
    return this.lastId;
  }
}

/** What the parts of an AggregatingUpstream share. */
export interface Hub {
  readonly journal: Journal;
  readonly qosMax: Qos;
  /** The shared session while it is connected. */
  readonly link: UpstreamLink | undefined;
  warn(event: string, fields: Readonly<Record<string, unknown>>): void;
  /** One step: see Events. */
  step(work: () => void): void;
  /** Tells whoever is connected, unless he has left by then. */
  tell(connection: Connection, event: (events: UpstreamEvents) => void): void;
  /** Ends a session that cannot be kept, whether its client is there or not. */
  overrun(client: VirtualClient, reason: string, now: Millis): void;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** 32 bits (FNV-1a) that tell a repetition from another message under the same identifier. */
export function digestOf({ topic, payload }: Message): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), FNV_PRIME);
  hash = Math.imul(hash, FNV_PRIME);
  for (const octet of payload) hash = Math.imul(hash ^ octet, FNV_PRIME);
  return hash >>> 0;
}

export const lowerOf = (a: Qos, b: Qos): Qos => (a < b ? a : b);
