// The broker's durable state in a journal: one record a session, subscription, identifier, entry, message, retained message and
// will. journal-records.ts draws them.
import type { Journal, Millis } from '../ports.js';
import type {
  DurableState,
  EntryDetails,
  EntryState,
  LoadedState,
  QueueEntry,
  SessionRecord,
  StoredMessage,
  SubscriptionRecord,
  WillRecord,
} from './durable.js';
import { JournalLoader } from './journal-loader.js';
import { FORMAT_KEY, keyOf, RecordCodec } from './journal-records.js';
import type { BrokerMessage } from './packets.js';

const EMPTY = new Uint8Array(0);

/** What `load` does with a record that belongs to something that is not there. */
export interface JournalStateOptions {
  /**
   * The journal lost transactions that it had confirmed, as one that does not wait for the disk may in a power cut: what misses
   * its session or its message is deleted instead of refused. Default: false.
   */
  readonly isRecovered?: boolean;
}

export class JournalState implements DurableState {
  private readonly codec: RecordCodec;
  private messageIdNext = 1;
  private isTold = false;

  /** `epochMsAtZero`: what moment 0 of the core's clock is, in ms since 1970. */
  constructor(
    private readonly journal: Journal,
    epochMsAtZero: number,
    private readonly options: JournalStateOptions = {},
  ) {
    this.codec = new RecordCodec(epochMsAtZero);
  }

  get isDirty(): boolean {
    return this.isTold;
  }

  /**
   * What it cleans up (messages that nobody waits for) goes with the next transaction, and is none of its own. Throws
   * ERR_BROKER_RECORD.
   */
  load(): LoadedState {
    const loader = new JournalLoader(this.codec, this.options.isRecovered ?? false);
    const { state, messageIdNext, stray } = loader.load(this.journal.entries());
    this.messageIdNext = messageIdNext;
    for (const key of stray) this.journal.delete(key);
    this.journal.put(FORMAT_KEY, this.codec.format());
    // The next process does not know any more that there was something to forgive.
    if (this.options.isRecovered) this.journal.commit(() => {});
    return state;
  }

  putSession(session: SessionRecord): void {
    this.put(keyOf.session(session.clientId), this.codec.encodeSession(session));
  }

  deleteSession(
    clientId: string,
    filters: Iterable<string>,
    received: Iterable<number>,
    entries: Iterable<QueueEntry>,
  ): void {
    this.delete(keyOf.session(clientId));
    for (const filter of filters) this.deleteSubscription(clientId, filter);
    for (const packetId of received) this.deleteReceived(clientId, packetId);
    for (const entry of entries) this.deleteEntry(clientId, entry);
  }

  putSubscription(clientId: string, subscription: SubscriptionRecord): void {
    this.put(keyOf.subscription(clientId, subscription.filter), this.codec.encodeSubscription(subscription));
  }

  deleteSubscription(clientId: string, filter: string): void {
    this.delete(keyOf.subscription(clientId, filter));
  }

  putReceived(clientId: string, packetId: number): void {
    this.put(keyOf.received(clientId, packetId), EMPTY);
  }

  deleteReceived(clientId: string, packetId: number): void {
    this.delete(keyOf.received(clientId, packetId));
  }

  newMessage(): StoredMessage {
    return { id: this.messageIdNext++, references: 0 };
  }

  addEntry(
    clientId: string,
    number: number,
    message: StoredMessage,
    content: BrokerMessage,
    details: EntryDetails,
    state: EntryState,
  ): QueueEntry {
    if (message.references === 0) this.put(keyOf.message(message.id), this.codec.encodeMessage(content));
    message.references++;
    const entry = { number, message };
    this.putEntry(clientId, entry, details, state);
    return entry;
  }

  putEntry(clientId: string, entry: QueueEntry, details: EntryDetails, state: EntryState): void {
    this.put(keyOf.entry(clientId, entry.number), this.codec.encodeEntry(details, state, entry.message?.id ?? 0));
    if (state.step === 'released') this.letGo(entry);
  }

  deleteEntry(clientId: string, entry: QueueEntry): void {
    this.delete(keyOf.entry(clientId, entry.number));
    this.letGo(entry);
  }

  putRetained(message: BrokerMessage): void {
    this.put(keyOf.retained(message.topic), this.codec.encodeRetained(message));
  }

  deleteRetained(topic: string): void {
    this.delete(keyOf.retained(topic));
  }

  putWill(will: WillRecord): void {
    this.put(keyOf.will(will.clientId), this.codec.encodeWill(will));
  }

  deleteWill(clientId: string): void {
    this.delete(keyOf.will(clientId));
  }

  commit(done: (now: Millis) => void): void {
    this.isTold = false;
    this.journal.commit(done);
  }

  private letGo(entry: QueueEntry): void {
    const { message } = entry;
    if (message === undefined) return;
    entry.message = undefined;
    message.references--;
    if (message.references === 0) this.delete(keyOf.message(message.id));
  }

  private put(key: string, value: Uint8Array): void {
    this.isTold = true;
    this.journal.put(key, value);
  }

  private delete(key: string): void {
    this.isTold = true;
    this.journal.delete(key);
  }
}
