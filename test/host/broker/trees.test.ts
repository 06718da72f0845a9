import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetainedStore } from '../../../host/broker/retained.js';
import { type Subscriber, SubscriptionTree } from '../../../host/broker/subscriptions.js';
import { matches } from '../../../host/core/topics.js';
import type { Qos } from '../../../host/ports.js';
import { utf8 } from './scripted.js';

interface Named extends Subscriber {
  readonly name: string;
}

const named = (name: string): Named => ({ name, matchMark: 0, matchQos: 0 });
const room = { retainedMessagesMax: Number.POSITIVE_INFINITY, retainedBytesMax: Number.POSITIVE_INFINITY };

const levels = fc.constantFrom('', 'a', 'b', 'c', '$s');
const topics = fc
  .array(levels, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))
  .filter((topic) => topic !== '');
const filters = fc
  .tuple(fc.array(fc.oneof(levels, fc.constant('+')), { maxLength: 4 }), fc.boolean())
  .map(([parts, open]) => [...parts, ...(open ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '');
const qos = fc.constantFrom<Qos>(0, 1, 2);
const LEVELS_MAX = 32_768;
const deep = Array.from({ length: LEVELS_MAX }, () => '').join('/');

describe('the subscription tree', () => {
  it('finds whom `matches` finds, through additions, replacements and removals', () => {
    const who = fc.constantFrom('x', 'y', 'z');
    const step = fc.record({ add: fc.boolean(), filter: filters, who, qos });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.array(topics, { minLength: 1, maxLength: 8 }),
        (steps, names) => {
          const tree = new SubscriptionTree<Named>();
          const people = new Map(['x', 'y', 'z'].map((name) => [name, named(name)]));
          const model = new Map<string, { filter: string; who: string; qos: Qos }>();
          for (const { add, filter, who, qos } of steps) {
            const key = `${who} ${filter}`;
            const person = people.get(who)!;
            if (add) expect(tree.add(filter, person, qos)).toBe(!model.has(key));
            else expect(tree.remove(filter, person)).toBe(model.has(key));
            if (add) model.set(key, { filter, who, qos });
            else model.delete(key);
            expect(tree.size).toBe(model.size);
          }
          for (const name of names) {
            const expected = new Map<string, Qos>();
            for (const { filter, who, qos } of model.values()) {
              if (matches(filter, name)) expected.set(who, Math.max(qos, expected.get(who) ?? 0) as Qos);
            }
            const found = tree.match(name).map((person) => [person.name, person.matchQos] as const);
            expect(found).toHaveLength(expected.size);
            expect(new Map(found)).toEqual(expected);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('keeps no node once all is removed', () => {
    fc.assert(
      fc.property(fc.array(filters), (all) => {
        const tree = new SubscriptionTree<Named>();
        const person = named('x');
        for (const filter of all) tree.add(filter, person, 0);
        for (const filter of all) tree.remove(filter, person);
        expect(JSON.stringify(tree)).toBe(JSON.stringify(new SubscriptionTree<Named>()));
      }),
    );
  });

  it('bears as many levels as a topic can have', () => {
    const tree = new SubscriptionTree<Named>();
    const person = named('x');
    const wild = Array.from({ length: LEVELS_MAX }, () => '+').join('/');
    for (const filter of [deep, wild, `${deep}/#`]) tree.add(filter, person, 1);
    expect(tree.match(deep)).toEqual([person]);
    for (const filter of [deep, wild, `${deep}/#`]) expect(tree.remove(filter, person)).toBe(true);
    expect(tree.match(deep)).toEqual([]);
  });

  it('does not get slower by subscriptions that do not match', () => {
    const tree = new SubscriptionTree<Named>();
    const person = named('x');
    for (let i = 0; i < 100_000; i++) tree.add(`fleet/${i}/up`, person, 0);
    const start = process.hrtime.bigint();
    for (let i = 0; i < 10_000; i++) tree.match(`fleet/${i * 7}/up`);
    // A walk over all would be a thousand million comparisons.
    expect(Number(process.hrtime.bigint() - start) / 1e6).toBeLessThan(1_000);
  });
});

describe('the retained store', () => {
  it('finds what `matches` finds, through settings and clearings', () => {
    const step = fc.record({ set: fc.boolean(), topic: topics, text: fc.string({ minLength: 1, maxLength: 3 }) });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.array(filters, { minLength: 1, maxLength: 8 }),
        (steps, asked) => {
          const store = new RetainedStore(room);
          const model = new Map<string, Uint8Array>();
          for (const { set, topic, text } of steps) {
            if (set) {
              expect(store.set({ topic, payload: utf8(text), qos: 0, retain: true })).toBe(true);
              model.set(topic, utf8(text));
            } else expect(store.clear(topic)).toBe(model.delete(topic));
            expect(store.size).toBe(model.size);
          }
          for (const filter of asked) {
            const expected = [...model].filter(([topic]) => matches(filter, topic));
            const found = store.match(filter).map(({ topic, payload }) => [topic, payload] as const);
            expect(found).toHaveLength(expected.length);
            expect(new Map(found)).toEqual(new Map(expected));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('keeps within its bytes, and gives them back', () => {
    const store = new RetainedStore({ ...room, retainedBytesMax: 10 });
    const set = (topic: string, text: string) => store.set({ topic, payload: utf8(text), qos: 0, retain: true });
    expect(set('a', '123456')).toBe(true);
    expect(set('b', '123')).toBe(false);
    expect(set('a', '1')).toBe(true);
    expect(set('b', '123')).toBe(true);
    expect(store.clear('b')).toBe(true);
    expect(set('c', '1234567')).toBe(true);
  });

  it('bears as many levels as a topic can have', () => {
    const store = new RetainedStore(room);
    store.set({ topic: deep, payload: utf8('x'), qos: 0, retain: true });
    expect(store.match('#')).toHaveLength(1);
    expect(store.match('+/#')).toHaveLength(1);
    expect(store.clear(deep)).toBe(true);
    expect(store.match('#')).toEqual([]);
  });
});
