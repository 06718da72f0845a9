import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetainedStore } from '../../../host/broker/retained.js';
import { matches } from '../../../host/core/topics.js';
import { messageOf, utf8 } from './scripted.js';

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
const LEVELS_MAX = 32_768;
const deep = Array.from({ length: LEVELS_MAX }, () => '').join('/');

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
              expect(store.set(messageOf(topic, text, 0, true))).toBe(true);
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
    const set = (topic: string, text: string) => store.set(messageOf(topic, text, 0, true));
    expect(set('a', '123456')).toBe(true);
    expect(set('b', '123')).toBe(false);
    expect(set('a', '1')).toBe(true);
    expect(set('b', '123')).toBe(true);
    expect(store.clear('b')).toBe(true);
    expect(set('c', '1234567')).toBe(true);
  });

  it('bears as many levels as a topic can have', () => {
    const store = new RetainedStore(room);
    store.set(messageOf(deep, 'x', 0, true));
    expect(store.match('#')).toHaveLength(1);
    expect(store.match('+/#')).toHaveLength(1);
    expect(store.clear(deep)).toBe(true);
    expect(store.match('#')).toEqual([]);
  });
});
