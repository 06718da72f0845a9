import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EntryDetails, EntryState, LoadedState, QueueEntry } from '../../../host/broker/durable.js';
import { JournalState } from '../../../host/broker/journal-state.js';
import type { BrokerMessage } from '../../../host/broker/packets.js';
import { MemoryJournal } from '../../../host/core/memory-journal.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import type { Journal, Qos } from '../../../host/ports.js';
import { TornJournal } from '../store/torn-journal.js';
import { emptyModel, type Model, type ModelSession, modelOf } from './journal-model.js';

const NEVER = Number.POSITIVE_INFINITY;
const WAITING: EntryState = { step: 'waiting' };
const PLAIN: EntryDetails = { qos: 1, retain: false, subscriptionIds: undefined, share: undefined };

const message = (topic: string, more: Partial<BrokerMessage> = {}): BrokerMessage => ({
  topic,
  payload: Uint8Array.of(1, 2, 3),
  qos: 1,
  retain: false,
  properties: undefined,
  expiresAt: NEVER,
  ...more,
});

/** Keys of the records there are, without the one that says the format. */
const keysOf = (journal: Journal): string[] =>
  [...journal.entries()]
    .map(([key]) => key)
    .filter((key) => key !== 'format')
    .sort();

describe("the broker's state in a journal", () => {
  let journal: MemoryJournal;
  let state: JournalState;
  beforeEach(() => {
    journal = new MemoryJournal();
    state = new JournalState(journal, 0);
    state.load();
  });

  function commit(): void {
    state.commit(() => {});
    journal.flush(0);
  }

  /** The process ends; another, whose clock began at another moment, loads what there is. */
  function restart(epochMsAtZero = 0): LoadedState {
    journal = journal.afterCrash();
    state = new JournalState(journal, epochMsAtZero);
    return state.load();
  }

  it('is empty at first, and has nothing to commit', () => {
    expect(state.isDirty).toBe(false);
    commit();
    expect(restart()).toEqual({ sessions: [], retained: [], wills: [] });
    expect(state.isDirty).toBe(false);
  });

  it('is dirty from the first word to the commit', () => {
    const tells: (() => void)[] = [
      () => state.putSession({ clientId: 'c', expiryMs: 1, endsAt: 2 }),
      () => state.deleteSession('c', [], [], []),
      () => state.deleteReceived('c', 1),
      () => state.putRetained(message('t')),
      () => state.deleteWill('c'),
    ];
    for (const tell of tells) {
      tell();
      expect(state.isDirty).toBe(true);
      commit();
      expect(state.isDirty).toBe(false);
    }
  });

  it('says done of a commit when the journal does', () => {
    const moments: number[] = [];
    state.putRetained(message('t'));
    state.commit((now) => moments.push(now));
    expect(moments).toEqual([]);
    journal.flush(5);
    expect(moments).toEqual([5]);
  });

  it('keeps moments, however the clock of the next process counts, and what never comes', () => {
    state = new JournalState(journal, 1_000_000);
    state.putSession({ clientId: 'c', expiryMs: 60_000, endsAt: 500 });
    state.putSession({ clientId: 'for ever', expiryMs: NEVER, endsAt: undefined });
    state.putSession({ clientId: 'never', expiryMs: NEVER, endsAt: NEVER });
    state.putRetained(message('t', { expiresAt: 700 }));
    state.putRetained(message('u'));
    state.putWill({ clientId: 'c', message: message('w'), expiryMs: NEVER, delayMs: 10, dueAt: 900 });
    state.putWill({ clientId: 'd', message: message('w'), expiryMs: 20, delayMs: 0, dueAt: undefined });
    commit();
    const { sessions, retained, wills } = restart(1_000_400);
    expect(sessions.map(({ clientId, expiryMs, endsAt }) => [clientId, expiryMs, endsAt])).toEqual([
      ['c', 60_000, 100],
      ['for ever', NEVER, undefined],
      ['never', NEVER, NEVER],
    ]);
    expect(retained.map(({ expiresAt }) => expiresAt)).toEqual([300, NEVER]);
    expect(wills.map(({ expiryMs, delayMs, dueAt }) => [expiryMs, delayMs, dueAt])).toEqual([
      [NEVER, 10, 500],
      [20, 0, undefined],
    ]);
    expect(wills.every((will) => will.message.expiresAt === NEVER)).toBe(true);
  });

  it('writes a message once for all who wait for it, and forgets it with the last of them', () => {
    for (const clientId of ['a', 'b']) state.putSession({ clientId, expiryMs: NEVER, endsAt: undefined });
    const stored = state.newMessage();
    expect(stored.references).toBe(0);
    const a = state.addEntry('a', 0, stored, message('t'), PLAIN, WAITING);
    const b = state.addEntry('b', 0, stored, message('t'), PLAIN, { step: 'sent', packetId: 7 });
    commit();
    const messageKeys = (): string[] => keysOf(journal).filter((key) => key.startsWith('m'));
    expect(messageKeys().length).toBe(1);
    state.deleteEntry('a', a);
    commit();
    expect(messageKeys().length).toBe(1);
    state.putEntry('b', b, PLAIN, { step: 'released', packetId: 7, order: 3 });
    expect(b.message).toBe(undefined);
    commit();
    expect(messageKeys()).toEqual([]);
    state.deleteEntry('b', b);
    commit();
    expect(keysOf(journal)).toEqual(['sa', 'sb']);
    expect(stored.references).toBe(0);
  });

  it('counts who waits for a message over a restart too, and gives ids that are not in use', () => {
    for (const clientId of ['a', 'b']) state.putSession({ clientId, expiryMs: NEVER, endsAt: undefined });
    const stored = state.newMessage();
    for (const clientId of ['a', 'b']) state.addEntry(clientId, 0, stored, message('t'), PLAIN, WAITING);
    commit();
    const [a, b] = restart().sessions.map(({ entries }) => entries[0]!);
    expect(a!.message).toBe(b!.message);
    expect(a!.message!.references).toBe(2);
    expect(state.newMessage().id).not.toBe(a!.message!.id);
    state.deleteEntry('a', a!);
    commit();
    expect(restart().sessions.map(({ entries }) => entries.length)).toEqual([0, 1]);
  });

  it('gives entries in the order of their numbers', () => {
    state.putSession({ clientId: 'a', expiryMs: NEVER, endsAt: undefined });
    for (const number of [100, 9, 1_000_000_000_000, 10]) {
      state.addEntry('a', number, state.newMessage(), message(`t/${number}`), PLAIN, WAITING);
    }
    commit();
    const { entries } = restart().sessions[0]!;
    expect(entries.map(({ number }) => number)).toEqual([9, 10, 100, 1_000_000_000_000]);
    expect(entries.map(({ content }) => content!.topic)).toEqual(['t/9', 't/10', 't/100', 't/1000000000000']);
  });

  it('forgets with a session all that is its own, and not its will', () => {
    for (const clientId of ['a', 'ab']) {
      state.putSession({ clientId, expiryMs: NEVER, endsAt: undefined });
      const rest = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
      state.putSubscription(clientId, { filter: 'b/#', ...rest });
      state.putReceived(clientId, 3);
      state.putWill({ clientId, message: message('w'), expiryMs: NEVER, delayMs: 0, dueAt: undefined });
    }
    const entry = state.addEntry('a', 0, state.newMessage(), message('t'), PLAIN, WAITING);
    commit();
    const ofOther = ['eab', 'rab', 'sab', 'uab', 'wab'];
    state.deleteSession('a', ['b/#'], [3], [entry]);
    commit();
    expect(keysOf(journal).map((key) => key.split('\0')[0])).toEqual(
      [...ofOther, 'wa'].filter((k) => k !== 'eab').sort(),
    );
  });

  it('does not mistake one name for another, whatever characters they have and however long they are', () => {
    const long = 'x'.repeat(65_535);
    const ids = ['', 'a', 'ab', 'a/b', '\ufeffa', 'é€😀', long, `${long.slice(1)}y`];
    const rest = { qos: 2, noLocal: true, retainAsPublished: true, identifier: 268_435_455 } as const;
    for (const clientId of ids) {
      state.putSession({ clientId, expiryMs: 0, endsAt: undefined });
      for (const filter of ['b', 'b/b', '#', '\ufeff', long]) state.putSubscription(clientId, { filter, ...rest });
      state.putRetained(message(`t${clientId}`));
      state.putWill({
        clientId,
        message: message(`w${clientId}`.slice(0, 65_535)),
        expiryMs: 0,
        delayMs: 0,
        dueAt: undefined,
      });
      state.addEntry(clientId, 0, state.newMessage(), message(`e${clientId}`.slice(0, 65_535)), PLAIN, WAITING);
    }
    commit();
    const { sessions, retained, wills } = restart();
    expect(sessions.map(({ clientId }) => clientId)).toEqual(ids);
    for (const { clientId, subscriptions, entries } of sessions) {
      expect(subscriptions.map(({ filter }) => filter)).toEqual(['b', 'b/b', '#', '\ufeff', long]);
      expect(subscriptions[0]).toEqual({ filter: 'b', ...rest });
      expect(entries[0]!.content!.topic).toBe(`e${clientId}`.slice(0, 65_535));
    }
    expect(retained.map(({ topic }) => topic)).toEqual(ids.map((id) => `t${id}`));
    expect(wills.map((will) => [will.clientId, will.message.topic])).toEqual(
      ids.map((id) => [id, `w${id}`.slice(0, 65_535)]),
    );
  });

  it('removes messages that nobody waits for with the next transaction', () => {
    state.putRetained(message('t'));
    commit();
    const [, value] = [...journal.entries()].find(([key]) => key === 'tt')!;
    journal.put('m41', Uint8Array.of(1, 0, 120, ...value));
    journal.commit(() => {});
    journal.flush(0);
    expect(restart().sessions).toEqual([]);
    expect(state.isDirty).toBe(false);
    expect(state.newMessage().id).toBe(42);
    commit();
    expect(keysOf(journal)).toEqual(['tt']);
  });
});

describe('the state of a broker whose journal is torn', () => {
  const text = fc.constantFrom('a', 'ab', 'b/c', '\ufeff', 'é€😀', 'z'.repeat(2_000));
  const moment = fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.constant(NEVER));
  const pick = fc.nat(1_000);
  const step = fc.oneof(
    fc.record({ do: fc.constant('session' as const), client: text, expiryMs: moment, endsAt: fc.option(moment) }),
    fc.record({ do: fc.constant('end session' as const), client: text }),
    fc.record({
      do: fc.constant('subscription' as const),
      client: text,
      subscription: fc.record({
        filter: text,
        qos: fc.constantFrom<Qos>(0, 1, 2),
        noLocal: fc.boolean(),
        retainAsPublished: fc.boolean(),
        identifier: fc.nat(268_435_455),
      }),
    }),
    fc.record({ do: fc.constant('unsubscribe' as const), client: text, filter: text }),
    fc.record({
      do: fc.constantFrom('receive' as const, 'release' as const),
      client: text,
      id: fc.constantFrom(1, 2, 65_535),
    }),
    fc.record({
      do: fc.constant('publish' as const),
      clients: fc.uniqueArray(text, { maxLength: 4 }),
      message: anyMessage(text, moment),
      subscriptionIds: fc.option(fc.array(fc.nat(268_435_455), { minLength: 1, maxLength: 3 }), { nil: undefined }),
    }),
    fc.record({ do: fc.constantFrom('send' as const, 'pubrec' as const, 'ack' as const), client: text, pick }),
    fc.record({ do: fc.constant('retain' as const), message: anyMessage(text, moment) }),
    fc.record({ do: fc.constant('unretain' as const), topic: text }),
    fc.record({
      do: fc.constant('will' as const),
      client: text,
      message: anyMessage(text, fc.constant(NEVER)),
      expiryMs: moment,
      delayMs: fc.nat(1_000_000),
      dueAt: fc.option(moment),
    }),
    fc.record({ do: fc.constant('no will' as const), client: text }),
    fc.record({ do: fc.constant('commit' as const) }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(15) }),
    fc.record({ do: fc.constant('crash' as const), epochMsAtZero: fc.nat(2_000_000_000_000) }),
  );

  it('is after each crash what it was at some commit, no earlier than the last that was confirmed', () => {
    let crashes = 0;
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 120, size: 'max' }), (seed, steps) => {
        const process = new ModelledProcess(new TornJournal(new Xoshiro128(seed)));
        for (const action of steps) perform(process, action);
        process.crash(0);
        crashes += process.crashes;
      }),
      { numRuns: 150 },
    );
    expect(crashes).toBeGreaterThan(300);
  });

  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  function perform(process: ModelledProcess, action: Step): void {
    switch (action.do) {
      case 'commit':
        process.commit();
        break;
      case 'advance':
        process.advance(action.ms);
        break;
      case 'crash':
        process.crash(action.epochMsAtZero);
        break;
      case 'session':
        process.putSession(action.client, action.expiryMs, action.endsAt ?? undefined);
        break;
      case 'end session':
        process.deleteSession(action.client);
        break;
      case 'publish':
        process.publish(action.clients, action.message, action.subscriptionIds);
        break;
      case 'retain':
        process.retain(action.message);
        break;
      case 'unretain':
        process.unretain(action.topic);
        break;
      case 'will':
        process.putWill(action.client, action.message, action.expiryMs, action.delayMs, action.dueAt ?? undefined);
        break;
      case 'no will':
        process.deleteWill(action.client);
        break;
      default:
        performInSession(process, action);
    }
  }

  type SessionStep = Extract<
    Step,
    { do: 'subscription' | 'unsubscribe' | 'receive' | 'release' | 'send' | 'pubrec' | 'ack' }
  >;

  function performInSession(process: ModelledProcess, action: SessionStep): void {
    const { state, model } = process;
    const session = model.sessions.get(action.client);
    if (session === undefined) return;
    switch (action.do) {
      case 'subscription':
        session.subscriptions.set(action.subscription.filter, action.subscription);
        state.putSubscription(action.client, action.subscription);
        break;
      case 'unsubscribe':
        session.subscriptions.delete(action.filter);
        state.deleteSubscription(action.client, action.filter);
        break;
      case 'receive':
        session.received.add(action.id);
        state.putReceived(action.client, action.id);
        break;
      case 'release':
        session.received.delete(action.id);
        state.deleteReceived(action.client, action.id);
        break;
      default:
        process.handshake(action.client, session, action.do, action.pick);
    }
  }
});

function anyMessage(topic: fc.Arbitrary<string>, expiresAt: fc.Arbitrary<number>): fc.Arbitrary<BrokerMessage> {
  return fc.record({
    topic,
    payload: fc.uint8Array({ maxLength: 20 }),
    qos: fc.constantFrom<Qos>(0, 1, 2),
    retain: fc.boolean(),
    properties: fc.option(fc.uint8Array({ maxLength: 8 }), { nil: undefined }),
    expiresAt,
  });
}

/** A broker's state and the model of it, told the same. */
class ModelledProcess {
  state: JournalState;
  model: Model = emptyModel();
  crashes = 0;
  private epochMsAtZero = 1_700_000_000_000;
  private now = 0;
  private numberNext = 0;
  /** Of the sessions' entries, by client and number. */
  private entries = new Map<string, Map<number, QueueEntry>>();
  /** The model at each commit since the last crash; before the first, what there was then. */
  private snapshots: Model[] = [emptyModel()];
  private confirmed = 0;

  constructor(private journal: TornJournal) {
    this.state = new JournalState(journal, this.epochMsAtZero);
    this.state.load();
  }

  commit(): void {
    this.snapshots.push(structuredClone(this.model));
    const index = this.snapshots.length - 1;
    this.state.commit(() => {
      expect(this.confirmed).toBe(index - 1);
      this.confirmed = index;
    });
  }

  advance(ms: number): void {
    this.now += ms;
    this.journal.advance(this.now);
  }

  /** The process ends; the next one, whose clock begins elsewhere, goes on from what it finds. */
  crash(epochMsAtZero: number): void {
    this.crashes++;
    this.journal = this.journal.crash();
    this.epochMsAtZero = epochMsAtZero;
    this.state = new JournalState(this.journal, epochMsAtZero);
    const loaded = this.state.load();
    const found = modelOf(loaded, epochMsAtZero);
    const matching = this.snapshots.slice(this.confirmed).find((snapshot) => isEqual(snapshot, found));
    if (matching === undefined) expect(found).toEqual(this.snapshots[this.confirmed]);
    this.model = structuredClone(found);
    this.snapshots = [structuredClone(found)];
    this.confirmed = 0;
    this.entries = new Map(
      loaded.sessions.map(({ clientId, entries }) => [
        clientId,
        new Map(entries.map((entry) => [entry.number, entry])),
      ]),
    );
    this.expectMessagesOf(loaded);
  }

  putSession(clientId: string, expiryMs: number, endsAt: number | undefined): void {
    const fresh: ModelSession = {
      expiryMs,
      endsAtEpochMs: undefined,
      subscriptions: new Map(),
      received: new Set(),
      entries: new Map(),
    };
    const session = this.model.sessions.get(clientId) ?? fresh;
    session.expiryMs = expiryMs;
    session.endsAtEpochMs = endsAt === undefined ? undefined : endsAt + this.epochMsAtZero;
    this.model.sessions.set(clientId, session);
    this.state.putSession({ clientId, expiryMs, endsAt });
  }

  deleteSession(clientId: string): void {
    const session = this.model.sessions.get(clientId);
    if (session === undefined) return;
    const entries = this.entries.get(clientId)?.values() ?? [];
    this.state.deleteSession(clientId, session.subscriptions.keys(), session.received, entries);
    this.model.sessions.delete(clientId);
    this.entries.delete(clientId);
  }

  publish(clients: readonly string[], content: BrokerMessage, subscriptionIds: readonly number[] | undefined): void {
    const stored = this.state.newMessage();
    for (const clientId of clients) {
      const session = this.model.sessions.get(clientId);
      if (session === undefined) continue;
      const number = this.numberNext++;
      const share = subscriptionIds === undefined ? undefined : '$share/ü/#';
      const details: EntryDetails = { qos: content.qos, retain: content.retain, subscriptionIds, share };
      const entry = this.state.addEntry(clientId, number, stored, content, details, WAITING);
      const entries = this.entries.get(clientId) ?? new Map<number, QueueEntry>();
      this.entries.set(clientId, entries.set(number, entry));
      session.entries.set(number, { details, state: WAITING, content: this.absolute(content) });
    }
  }

  handshake(clientId: string, session: ModelSession, how: 'send' | 'pubrec' | 'ack', pick: number): void {
    const numbers = [...session.entries.keys()];
    const number = numbers[pick % Math.max(1, numbers.length)];
    if (number === undefined) return;
    const entry = this.entries.get(clientId)!.get(number)!;
    const modelled = session.entries.get(number)!;
    if (how === 'ack') {
      this.state.deleteEntry(clientId, entry);
      session.entries.delete(number);
      this.entries.get(clientId)!.delete(number);
      return;
    }
    if (how === 'send' && modelled.state.step === 'released') return;
    const packetId = 1 + (pick % 65_535);
    modelled.state = how === 'send' ? { step: 'sent', packetId } : { step: 'released', packetId, order: pick };
    if (how === 'pubrec') modelled.content = undefined;
    this.state.putEntry(clientId, entry, modelled.details, modelled.state);
  }

  retain(content: BrokerMessage): void {
    this.model.retained.set(content.topic, this.absolute(content));
    this.state.putRetained(content);
  }

  unretain(topic: string): void {
    this.model.retained.delete(topic);
    this.state.deleteRetained(topic);
  }

  putWill(
    clientId: string,
    content: BrokerMessage,
    expiryMs: number,
    delayMs: number,
    dueAt: number | undefined,
  ): void {
    const dueAtEpochMs = dueAt === undefined ? undefined : dueAt + this.epochMsAtZero;
    this.model.wills.set(clientId, { message: content, expiryMs, delayMs, dueAtEpochMs });
    this.state.putWill({ clientId, message: content, expiryMs, delayMs, dueAt });
  }

  deleteWill(clientId: string): void {
    this.model.wills.delete(clientId);
    this.state.deleteWill(clientId);
  }

  private absolute(content: BrokerMessage): BrokerMessage {
    return { ...content, expiresAt: content.expiresAt + this.epochMsAtZero };
  }

  /** There is a record for each message that an entry waits for, and no other. */
  private expectMessagesOf(loaded: LoadedState): void {
    const awaited = loaded.sessions.flatMap(({ entries }) => entries.flatMap(({ message: it }) => it?.id ?? []));
    const stored = keysOf(this.journal).filter((key) => key.startsWith('m'));
    expect(stored).toEqual([...new Set(awaited)].map((id) => `m${id}`).sort());
  }
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b);
    return true;
  } catch {
    return false;
  }
}
