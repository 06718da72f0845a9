// Safeguards taken out, one at a time: what the checks must notice.
import type { DurableState } from '../../host/broker/durable.js';
import type { Journal } from '../../host/ports.js';
import type { Sabotage } from './world.js';

/** The same object but for some of its methods. */
function replacing<T extends object>(target: T, others: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const other = Reflect.get(others, name) as unknown;
      if (other !== undefined) return other;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const nothing = (): void => {};

/** Every change is a transaction of its own. */
function tearing(journal: Journal): Journal {
  const alone = (change: () => void): void => {
    change();
    journal.commit(nothing);
  };
  return replacing(journal, {
    put: (key, value) => alone(() => journal.put(key, value)),
    delete: (key) => alone(() => journal.delete(key)),
  });
}

/** Says done before the journal does. */
function hasty(journal: Journal): Journal {
  return replacing(journal, {
    commit: (done) => {
      journal.commit(nothing);
      done(0);
    },
  });
}

const forgetting = (name: keyof DurableState): Sabotage => ({
  state: (state) => replacing(state, { [name]: nothing }),
});

export const SABOTAGES: Readonly<Record<string, Sabotage>> = {
  'says done before it is': { journal: hasty },
  'tears transactions': { journal: tearing },
  'holds nothing back': {
    state: (state) =>
      new Proxy(state, {
        get: (target, name) => {
          if (name === 'isDirty') return false;
          if (name === 'commit') return nothing;
          const value = Reflect.get(target, name, target) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  },
  'forgets sessions that end': forgetting('deleteSession'),
  'forgets new subscriptions': forgetting('putSubscription'),
  'forgets the end of subscriptions': forgetting('deleteSubscription'),
  'forgets identifiers received': forgetting('putReceived'),
  'forgets identifiers released': forgetting('deleteReceived'),
  'forgets what was sent': forgetting('putEntry'),
  'forgets what was acknowledged': forgetting('deleteEntry'),
  'forgets what is retained': forgetting('putRetained'),
  'forgets what is retained no more': forgetting('deleteRetained'),
  'forgets wills': forgetting('putWill'),
  'forgets the end of wills': forgetting('deleteWill'),
};
