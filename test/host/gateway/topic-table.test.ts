import { describe, expect, it } from 'vitest';
import { Xoshiro128 } from '../../../host/core/random.js';
import { TopicTable } from '../../../host/gateway/topic-table.js';

const TOPICS_MAX = 40;
const names = Array.from({ length: TOPICS_MAX }, (_, i) => `topic/${i}`);
const newTable = (): TopicTable => new TopicTable(TOPICS_MAX, 2 ** 20, new Xoshiro128(1));

describe('the table of a client’s topics', () => {
  it('gives each name an id of its own, however many there are', () => {
    const table = newTable();
    const ids: number[] = [];
    for (const [i, name] of names.entries()) {
      const id = table.assign(name)!;
      table.setKnown(id, true);
      ids.push(id);
      expect(new Set(ids).size).toBe(i + 1);
      for (const [j, earlier] of names.slice(0, i + 1).entries()) {
        expect(table.assign(earlier)).toBe(ids[j]);
        expect(table.nameOf(ids[j]!)).toBe(earlier);
      }
      expect(table.size).toBe(i + 1);
    }
    expect(table.assign('one more')).toBeUndefined();
  });

  it('knows which ids the client knows, however many there are', () => {
    const table = newTable();
    for (const name of names) {
      const id = table.assign(name)!;
      expect(table.knownIdOf(name)).toBeUndefined();
      table.setKnown(id, true);
      expect(table.knownIdOf(name)).toBe(id);
      expect(table.knownIdOf('another')).toBeUndefined();
      table.setKnown(id, false);
      expect(table.knownIdOf(name)).toBeUndefined();
    }
  });

  it('finds again all that the table before a restart had', () => {
    for (const count of [1, 8, 9, 30]) {
      const before = newTable();
      for (const name of names.slice(0, count)) before.setKnown(before.assign(name)!, true);
      const table = newTable();
      table.restore(before.all());
      for (const name of names.slice(0, count)) expect(table.knownIdOf(name)).toBe(before.knownIdOf(name));
      expect(table.size).toBe(count);
    }
  });
});
