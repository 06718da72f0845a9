// The broker's durable state as plain maps, with moments since 1970: what JournalState must give back after a crash.
import type { EntryDetails, EntryState, LoadedState, SubscriptionRecord } from '../../../host/broker/durable.js';
import type { BrokerMessage } from '../../../host/broker/packets.js';
import type { Millis } from '../../../host/ports.js';

export interface ModelEntry {
  details: EntryDetails;
  state: EntryState;
  /** Undefined where it is released. */
  content: BrokerMessage | undefined;
}

export interface ModelSession {
  expiryMs: Millis;
  endsAtEpochMs: number | undefined;
  subscriptions: Map<string, SubscriptionRecord>;
  received: Set<number>;
  entries: Map<number, ModelEntry>;
}

export interface ModelWill {
  message: BrokerMessage;
  expiryMs: Millis;
  delayMs: Millis;
  dueAtEpochMs: number | undefined;
}

/** `expiresAt` of all messages is in ms since 1970. */
export interface Model {
  sessions: Map<string, ModelSession>;
  retained: Map<string, BrokerMessage>;
  wills: Map<string, ModelWill>;
}

export const emptyModel = (): Model => ({ sessions: new Map(), retained: new Map(), wills: new Map() });

/** What was loaded by a process whose moment 0 is `epochMsAtZero`. */
export function modelOf(loaded: LoadedState, epochMsAtZero: number): Model {
  const moment = (at: Millis | undefined): number | undefined => (at === undefined ? undefined : at + epochMsAtZero);
  const message = (it: BrokerMessage): BrokerMessage => ({ ...it, expiresAt: it.expiresAt + epochMsAtZero });
  const model = emptyModel();
  for (const { clientId, expiryMs, endsAt, subscriptions, received, entries } of loaded.sessions) {
    model.sessions.set(clientId, {
      expiryMs,
      endsAtEpochMs: moment(endsAt),
      subscriptions: new Map(subscriptions.map((it) => [it.filter, it])),
      received: new Set(received),
      entries: new Map(
        entries.map(({ number, qos, retain, subscriptionIds, share, state, content }) => [
          number,
          { details: { qos, retain, subscriptionIds, share }, state, content: content && message(content) },
        ]),
      ),
    });
  }
  for (const it of loaded.retained) model.retained.set(it.topic, message(it));
  for (const { clientId, message: will, expiryMs, delayMs, dueAt } of loaded.wills) {
    model.wills.set(clientId, { message: message(will), expiryMs, delayMs, dueAtEpochMs: moment(dueAt) });
  }
  return model;
}
