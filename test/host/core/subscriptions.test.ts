import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Subscriber, SubscriptionTree } from '../../../host/core/subscriptions.js';
import { matches } from '../../../host/core/topics.js';
import type { Qos } from '../../../host/ports.js';

interface Named extends Subscriber {
  readonly name: string;
}

const named = (name: string): Named => ({ name, matchMark: 0, matchQos: 0 });

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
