import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isValidTopicFilter,
  isValidTopicName,
  matches,
  mqttStringBytes,
  TOPIC_BYTES_MAX,
  topicLevels,
} from '../../../host/core/topics.js';

describe('a topic name', () => {
  it.each(['a', '/', '//', 'sport/tennis', ' ', 'Accounts payable', '$SYS/uptime', '/finance', 'ü/気/😀'])(
    'may be %j',
    (name) => expect(isValidTopicName(name)).toBe(true),
  );

  it.each(['', '+', '#', 'a/+', 'a+b', 'sport/#', 'a\0b', 'a\ud800', '\udc00a', '\ud83d/\ude00'])(
    'may not be %j',
    (name) => expect(isValidTopicName(name)).toBe(false),
  );

  it('has at most 65535 bytes, not characters', () => {
    expect(isValidTopicName('a'.repeat(TOPIC_BYTES_MAX))).toBe(true);
    expect(isValidTopicName('a'.repeat(TOPIC_BYTES_MAX + 1))).toBe(false);
    expect(isValidTopicName('気'.repeat(TOPIC_BYTES_MAX / 3))).toBe(true);
    expect(isValidTopicName(`${'気'.repeat(TOPIC_BYTES_MAX / 3)}a`)).toBe(false);
  });
});

describe('a topic filter', () => {
  it.each(['#', '+', '/', '+/+', '/+', '+/', 'sport/#', 'sport/+/player1', '+/tennis/#', '$SYS/#', '/#', 'a//#'])(
    'may be %j',
    (filter) => expect(isValidTopicFilter(filter)).toBe(true),
  );

  it.each(['', 'sport/tennis#', 'sport/#/ranking', 'sport+', '+a', 'a+/b', '##', '#/', '++', 'a/\0', '#/+', '/+#'])(
    'may not be %j',
    (filter) => expect(isValidTopicFilter(filter)).toBe(false),
  );

  it('has at most 65535 bytes', () => {
    expect(isValidTopicFilter(`${'a'.repeat(TOPIC_BYTES_MAX - 2)}/#`)).toBe(true);
    expect(isValidTopicFilter(`${'a'.repeat(TOPIC_BYTES_MAX - 1)}/#`)).toBe(false);
  });
});

describe('matching', () => {
  // The examples of sections 4.7.1 to 4.7.3.
  it.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
    ['sport/#', 'sport'],
    ['#', 'sport'],
    ['#', '/'],
    ['sport/tennis/+', 'sport/tennis/player1'],
    ['sport/+', 'sport/'],
    ['+/+', '/finance'],
    ['/+', '/finance'],
    ['+', 'finance'],
    ['+/#', 'a'],
    ['+/+/#', 'a/b'],
    ['a/+/#', 'a/'],
    ['$SYS/#', '$SYS/monitor/Clients'],
    ['$SYS/#', '$SYS'],
    ['$SYS/monitor/+', '$SYS/monitor/Clients'],
    ['a/$b/+', 'a/$b/c'],
    ['+/$b', 'a/$b'],
    ['ACCOUNTS', 'ACCOUNTS'],
  ])('%j takes in %j', (filter, name) => expect(matches(filter, name)).toBe(true));

  it.each([
    ['sport/tennis/+', 'sport/tennis/player1/ranking'],
    ['sport/+', 'sport'],
    ['+', '/finance'],
    ['#', '$SYS/uptime'],
    ['+/monitor/Clients', '$SYS/monitor/Clients'],
    ['+', '$SYS'],
    ['ACCOUNTS', 'Accounts'],
    ['/finance', 'finance'],
    ['a/b', 'a'],
    ['a', 'a/b'],
    ['a', 'ab'],
    ['ab', 'a'],
    ['a/#', 'ab'],
    ['a/+/#', 'a'],
    ['sport/tennis/#', 'sport'],
    ['a/b/#', 'a/c'],
  ])('%j leaves out %j', (filter, name) => expect(matches(filter, name)).toBe(false));

  it('agrees with a level-by-level definition on random filters and names', () => {
    const level = fc.constantFrom('', 'a', 'b', 'ab', '$', '$a');
    const names = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'));
    const filters = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
      .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'));
    fc.assert(
      fc.property(filters, names, (filter, name) => {
        fc.pre(isValidTopicFilter(filter) && isValidTopicName(name));
        expect(matches(filter, name)).toBe(matchesByDefinition(filter.split('/'), name.split('/')));
      }),
      { numRuns: 5_000 },
    );
  });
});

function matchesByDefinition(filter: string[], name: string[]): boolean {
  if (name[0]!.startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false;
  if (filter.at(-1) === '#') {
    const parent = filter.slice(0, -1);
    return name.length >= parent.length && parent.every((level, i) => level === '+' || level === name[i]);
  }
  return filter.length === name.length && filter.every((level, i) => level === '+' || level === name[i]);
}

describe('the size of an MQTT string', () => {
  it('is that of its UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('\0'));
        expect(mqttStringBytes(text)).toBe(Buffer.byteLength(text));
      }),
    );
  });

  it('is -1 for what UTF-8 or MQTT cannot carry', () => {
    for (const text of ['\ud800', 'a\udfff', '\udc00\ud800', 'a\0']) expect(mqttStringBytes(text)).toBe(-1);
  });
});

describe('levels', () => {
  it('are counted with empty ones', () => {
    expect([topicLevels('a'), topicLevels('/'), topicLevels('a/b/c'), topicLevels('//')]).toEqual([1, 2, 3, 3]);
  });
});
