// What of the broker's state outlives the process, as the core tells it while it happens. Everything told between two
// commits is one transaction. Sessions that end with their connection are not told at all.
import type { Millis, Qos } from '../ports.js';
import type { BrokerMessage } from './packets.js';

/** A message that waits for at least one durable session. Kept once, however many wait for it. */
export interface StoredMessage {
  readonly id: number;
  /** Entries of queues that stand for it; the record goes with the last. */
  references: number;
}

/** One message's place in the queue of one session. */
export interface QueueEntry {
  /** Grows within a session, over restarts too; the entry's name together with the client identifier. */
  readonly number: number;
  /** Undefined once it is released: the message itself is done. */
  message: StoredMessage | undefined;
}

/** How far the handshake of an entry is. */
export type EntryState =
  /** Not sent yet; it has no packet identifier. */
  | { readonly step: 'waiting' }
  /** PUBLISH was sent, or was about to be, under this identifier. */
  | { readonly step: 'sent'; readonly packetId: number }
  /** PUBREC has come, PUBCOMP has not. `order` grows from PUBREC to PUBREC. */
  | { readonly step: 'released'; readonly packetId: number; readonly order: number };

/** What an entry is about besides the message. */
export interface EntryDetails {
  /** Of the delivery: not above the message's own. */
  readonly qos: Qos;
  readonly retain: boolean;
  readonly subscriptionIds: readonly number[] | undefined;
  /** Of the shared subscription that it comes by, the filter; undefined: it comes by another. */
  readonly share: string | undefined;
}

export interface SubscriptionRecord {
  /** As the client gave it, `$share/…` included. */
  readonly filter: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: none. */
  readonly identifier: number;
}

export interface SessionRecord {
  readonly clientId: string;
  /** How long it outlives its connection, ms; Infinity: for ever. */
  readonly expiryMs: Millis;
  /** When it ends unless its client comes; undefined while it is connected. */
  readonly endsAt: Millis | undefined;
}

/** A will that is not taken back yet. Of any client: the session it belongs to may be one that is not kept. */
export interface WillRecord {
  readonly clientId: string;
  /** `expiresAt` is Infinity: its time begins when it is published. */
  readonly message: BrokerMessage;
  /** Infinity: never. */
  readonly expiryMs: Millis;
  readonly delayMs: Millis;
  /** When it is published unless its client comes; undefined while that is connected. */
  readonly dueAt: Millis | undefined;
}

export interface LoadedEntry extends QueueEntry, EntryDetails {
  readonly state: EntryState;
  /** Undefined where it is released. */
  readonly content: BrokerMessage | undefined;
}

export interface LoadedSession extends SessionRecord {
  readonly subscriptions: readonly SubscriptionRecord[];
  /** QoS 2 identifiers of messages from the client that await PUBREL. */
  readonly received: readonly number[];
  /** In the order of their numbers. */
  readonly entries: readonly LoadedEntry[];
}

export interface LoadedState {
  readonly sessions: readonly LoadedSession[];
  readonly retained: readonly BrokerMessage[];
  readonly wills: readonly WillRecord[];
}

export interface DurableState {
  /** Something was told since the last commit. */
  readonly isDirty: boolean;

  /** What there is; once, before anything is told. Throws BrokerError `ERR_BROKER_RECORD` for what it cannot read. */
  load(): LoadedState;

  putSession(session: SessionRecord): void;
  /** Forgets the session and all that is told of it here. The will is a matter of its own. */
  deleteSession(
    clientId: string,
    filters: Iterable<string>,
    received: Iterable<number>,
    entries: Iterable<QueueEntry>,
  ): void;

  putSubscription(clientId: string, subscription: SubscriptionRecord): void;
  deleteSubscription(clientId: string, filter: string): void;

  putReceived(clientId: string, packetId: number): void;
  deleteReceived(clientId: string, packetId: number): void;

  /** The same message for the queues of several sessions. It is written with its first entry. */
  newMessage(): StoredMessage;
  /** A new entry. `content` is written where `message` has no entry yet. */
  addEntry(
    clientId: string,
    number: number,
    message: StoredMessage,
    content: BrokerMessage,
    details: EntryDetails,
    state: EntryState,
  ): QueueEntry;
  /** The handshake has gone on. `released` lets go of the message. */
  putEntry(clientId: string, entry: QueueEntry, details: EntryDetails, state: EntryState): void;
  deleteEntry(clientId: string, entry: QueueEntry): void;

  putRetained(message: BrokerMessage): void;
  deleteRetained(topic: string): void;

  putWill(will: WillRecord): void;
  deleteWill(clientId: string): void;

  /** Ends the transaction; as `Journal.commit`. */
  commit(done: (now: Millis) => void): void;
}
