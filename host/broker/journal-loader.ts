// Reads the broker's durable state from the records of a journal, and refuses what does not fit together.
import type {
  LoadedEntry,
  LoadedSession,
  LoadedState,
  SessionRecord,
  StoredMessage,
  SubscriptionRecord,
  WillRecord,
} from './durable.js';
import { BrokerError } from './errors.js';
import { FORMAT_KEY, FORMAT_VERSION, Kind, namesIn, numberIn, type RecordCodec } from './journal-records.js';
import type { BrokerMessage } from './packets.js';

type StoredRecord = readonly [key: string, value: Uint8Array];

export interface Loaded {
  readonly state: LoadedState;
  /** Greater than that of any message there is. */
  readonly messageIdNext: number;
  /** Keys of records that stand for nothing. */
  readonly stray: readonly string[];
}

interface SessionParts extends SessionRecord {
  readonly subscriptions: SubscriptionRecord[];
  readonly received: number[];
  readonly entries: LoadedEntry[];
}

interface MessageParts {
  readonly message: StoredMessage;
  readonly content: BrokerMessage;
}

/** A record whose owner may come after it. */
interface Part {
  readonly key: string;
  readonly value: Uint8Array;
}

export class JournalLoader {
  private readonly sessions = new Map<string, SessionParts>();
  private readonly messages = new Map<number, MessageParts>();
  private readonly parts: Part[] = [];
  private readonly retained: BrokerMessage[] = [];
  private readonly wills: WillRecord[] = [];
  private readonly stray: string[] = [];
  private messageIdMax = 0;
  private version: number | undefined;
  private recordCount = 0;

  /** `isRecovered`: what misses its session or its message is stray, and no error. */
  constructor(
    private readonly codec: RecordCodec,
    private readonly isRecovered: boolean,
  ) {}

  /** Once. Throws ERR_BROKER_RECORD. */
  load(records: Iterable<StoredRecord>): Loaded {
    const late: StoredRecord[] = [];
    for (const record of records) {
      if (record[0] === FORMAT_KEY) this.version = record[1][0];
      else late.push(record);
    }
    this.recordCount = late.length;
    this.checkVersion();
    for (const [key, value] of late) this.guard(key, () => this.takeOwner(key, value));
    for (const { key, value } of this.parts) this.guard(key, () => this.takePart(key, value));
    this.sweep();
    const state = { sessions: this.finished(), retained: this.retained, wills: this.wills };
    return { state, messageIdNext: this.messageIdMax + 1, stray: this.stray };
  }

  private checkVersion(): void {
    if (this.version === FORMAT_VERSION || (this.version === undefined && this.recordCount === 0)) return;
    // A journal that lost what it had confirmed may have lost this, too: it was there before all others.
    if (this.version === undefined && this.isRecovered) return;
    const has = this.version === undefined ? 'no format' : `format ${this.version}`;
    throw new BrokerError(
      'ERR_BROKER_RECORD',
      `the broker's records have ${has}, where this version of Thimble reads ${FORMAT_VERSION}; use the version that wrote them, or another folder`,
    );
  }

  private takeOwner(key: string, value: Uint8Array): void {
    const name = key.slice(1);
    switch (key[0]) {
      case Kind.session: {
        const session = this.codec.decodeSession(name, value);
        this.sessions.set(name, { ...session, subscriptions: [], received: [], entries: [] });
        break;
      }
      case Kind.message: {
        const id = numberIn(name);
        this.messages.set(id, { message: { id, references: 0 }, content: this.codec.decodeMessage(value) });
        if (id > this.messageIdMax) this.messageIdMax = id;
        break;
      }
      case Kind.retained:
        this.retained.push(this.codec.decodeRetained(name, value));
        break;
      case Kind.will:
        this.wills.push(this.codec.decodeWill(name, value));
        break;
      case Kind.subscription:
      case Kind.received:
      case Kind.entry:
        this.parts.push({ key, value });
        break;
      default:
        throw new Error('there is no such kind of record');
    }
  }

  private takePart(key: string, value: Uint8Array): void {
    const [clientId, name] = namesIn(key);
    const session = this.sessions.get(clientId);
    if (session === undefined) this.miss(key, 'its session is missing');
    else if (key[0] === Kind.subscription) session.subscriptions.push(this.codec.decodeSubscription(name, value));
    else if (key[0] === Kind.received) session.received.push(numberIn(name));
    else this.takeEntry(session, key, numberIn(name), value);
  }

  private takeEntry(session: SessionParts, key: string, number: number, value: Uint8Array): void {
    const { messageId, ...entry } = this.codec.decodeEntry(value);
    if (messageId === undefined) {
      session.entries.push({ number, message: undefined, content: undefined, ...entry });
      return;
    }
    const found = this.messages.get(messageId);
    if (found === undefined) {
      this.miss(key, `its message ${messageId} is missing`);
      return;
    }
    found.message.references++;
    session.entries.push({ number, ...found, ...entry });
  }

  private miss(key: string, what: string): void {
    if (!this.isRecovered) throw new Error(what);
    this.stray.push(key);
  }

  private sweep(): void {
    for (const { message } of this.messages.values()) {
      if (message.references === 0) this.stray.push(Kind.message + message.id);
    }
  }

  private finished(): readonly LoadedSession[] {
    const sessions = [...this.sessions.values()];
    for (const { entries } of sessions) entries.sort((a, b) => a.number - b.number);
    return sessions;
  }

  private guard(key: string, read: () => void): void {
    try {
      read();
    } catch (error) {
      throw new BrokerError('ERR_BROKER_RECORD', describe(key, (error as Error).message));
    }
  }
}

const NAMES: Readonly<Record<string, string>> = {
  [Kind.session]: 'session',
  [Kind.subscription]: 'subscription',
  [Kind.received]: 'received packet identifier',
  [Kind.entry]: 'queue entry',
  [Kind.message]: 'message',
  [Kind.retained]: 'retained message',
  [Kind.will]: 'will',
};

const NAME_LENGTH_MAX = 100;

function describe(key: string, what: string): string {
  const name = key.slice(1).split('\0').map(shortened).join(', ');
  const record = NAMES[key[0] ?? ''] ?? 'record';
  return `the broker's record of ${record} ${name} cannot be read: ${what}; restore a copy of the folder, or remove it to begin anew`;
}

const shortened = (name: string): string =>
  JSON.stringify(name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name);
