import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isValidTopicFilter, matches } from '../../../host/core/topics.js';
import { covers, Permissions } from '../../../host/gateway/permissions.js';

const may = { publish: ['up/#'], subscribe: ['down/+'] };

describe('without permissions', () => {
  it('everybody may do everything', () => {
    const all = new Permissions(undefined);
    expect(all.mayConnect('a/#')).toBe(true);
    expect(all.mayPublish('a', '$SYS/x')).toBe(true);
    expect(all.mayPublish(undefined, 'x')).toBe(true);
    expect(all.maySubscribe('a', '#')).toBe(true);
    expect(all.mayReceive('a', 'x')).toBe(true);
  });
});

describe('with permissions', () => {
  it('a client without an entry may do nothing where there is none for everybody', () => {
    const permissions = new Permissions({ known: may });
    for (const stranger of ['stranger', '__proto__', 'constructor', '*', '']) {
      expect(permissions.mayConnect(stranger)).toBe(false);
      expect(permissions.mayPublish(stranger, 'up/a')).toBe(false);
      expect(permissions.maySubscribe(stranger, 'down/a')).toBe(false);
      expect(permissions.mayReceive(stranger, 'down/a')).toBe(false);
    }
    expect(permissions.mayConnect('known')).toBe(true);
    expect(new Permissions({}).mayConnect('known')).toBe(false);
  });

  it('an entry of its own replaces that of everybody', () => {
    const permissions = new Permissions({ '*': may, own: { publish: ['mine'] } });
    expect(permissions.mayPublish('own', 'mine')).toBe(true);
    expect(permissions.mayPublish('own', 'up/a')).toBe(false);
    expect(permissions.maySubscribe('own', 'down/a')).toBe(false);
    expect(permissions.mayPublish('other', 'up/a')).toBe(true);
    expect(permissions.maySubscribe('other', 'down/+')).toBe(true);
    expect(permissions.mayPublish('other', 'mine')).toBe(false);
  });

  it('publishing and subscribing are allowed apart', () => {
    const permissions = new Permissions({ '*': may });
    expect(permissions.mayPublish('c', 'down/a')).toBe(false);
    expect(permissions.maySubscribe('c', 'up/a')).toBe(false);
    expect(permissions.mayReceive('c', 'down/a')).toBe(true);
    expect(permissions.mayReceive('c', 'up/a')).toBe(false);
    expect(permissions.mayReceive('c', 'down/a/b')).toBe(false);
  });

  it('a sender without a session is everybody', () => {
    const permissions = new Permissions({ '*': { publish: ['up/#', 'of/{clientId}'] }, own: { publish: ['mine'] } });
    expect(permissions.mayPublish(undefined, 'up/a')).toBe(true);
    expect(permissions.mayPublish(undefined, 'mine')).toBe(false);
    expect(permissions.mayPublish(undefined, 'of/{clientId}')).toBe(false);
    expect(new Permissions({ own: may }).mayPublish(undefined, 'up/a')).toBe(false);
  });
});

describe('{clientId}', () => {
  const permissions = new Permissions({
    '*': { publish: ['dev/{clientId}/#', 'all'], subscribe: ['{clientId}/in', 'dev/{clientId}-{clientId}'] },
    plain: { publish: ['all'] },
    'a/b': { publish: ['all'] },
  });

  it("stands for the client's id, as often as it is there, also within a level", () => {
    expect(permissions.mayConnect('d1')).toBe(true);
    expect(permissions.mayPublish('d1', 'dev/d1/t')).toBe(true);
    expect(permissions.mayPublish('d1', 'dev/d2/t')).toBe(false);
    expect(permissions.maySubscribe('d1', 'd1/in')).toBe(true);
    expect(permissions.maySubscribe('d1', 'dev/d1-d1')).toBe(true);
    expect(permissions.maySubscribe('d1', 'dev/{clientId}-{clientId}')).toBe(false);
  });

  it('is put in as it stands, whatever a replacement may mean by $', () => {
    expect(permissions.mayPublish('x$&y', 'dev/x$&y/t')).toBe(true);
    expect(permissions.mayPublish('x$$', 'dev/x$$/t')).toBe(true);
    expect(permissions.mayPublish('x$$', 'dev/x$/t')).toBe(false);
  });

  it('cannot be widened by a client that gives itself an id with wildcards, levels or a leading $', () => {
    for (const id of ['+', '#', 'd1/x', '/', 'a+', '$SYS', 'a\0']) {
      expect(permissions.mayConnect(id)).toBe(false);
      expect(permissions.mayPublish(id, 'dev/d1/t')).toBe(false);
      expect(permissions.mayPublish(id, `dev/${id}/t`)).toBe(false);
      expect(permissions.maySubscribe(id, '$SYS/in')).toBe(false);
      expect(permissions.maySubscribe(id, `${id}/in`)).toBe(false);
      expect(permissions.mayReceive(id, 'd1/in')).toBe(false);
    }
  });

  it('is no matter to clients whose entry does not have it', () => {
    expect(permissions.mayConnect('a/b')).toBe(true);
    expect(permissions.mayPublish('a/b', 'all')).toBe(true);
    expect(new Permissions({ '*': may }).mayConnect('+')).toBe(true);
  });
});

describe('one filter covers another', () => {
  it.each([
    ['#', '#'],
    ['#', 'a/+/#'],
    ['#', '+'],
    ['+/#', '#'],
    ['/+/#', '/#'],
    ['a/#', 'a'],
    ['a/#', 'a/#'],
    ['a/+', 'a/b'],
    ['a/+', 'a/+'],
    ['+/+', '/'],
    ['$SYS/#', '$SYS/+/x'],
  ])('%s covers %s', (allowed, filter) => expect(covers(allowed, filter)).toBe(true));

  it.each([
    ['a/+', 'a/#'],
    ['a/+/#', 'a/#'],
    ['a/+', 'a'],
    ['+', '#'],
    ['a', '+'],
    ['a/b', 'a'],
    ['a', 'a/b'],
    ['#', '$SYS/#'],
    ['#', '$SYS'],
    ['+/x', '$SYS/x'],
    ['$SYS/#', '#'],
    ['+/a', '#'],
  ])('%s does not cover %s', (allowed, filter) => expect(covers(allowed, filter)).toBe(false));

  /** Levels that filters do not name stand for all others: `other`, and `$other` for the server's. */
  const LEVELS = ['', 'a', 'b', '$s', 'other', '$other'];
  const LEVELS_MAX = 4;
  const names = Array.from({ length: LEVELS_MAX + 1 }).reduce<string[][]>(
    (all) => [[], ...all.flatMap((levels) => LEVELS.map((level) => [...levels, level]))],
    [[]],
  );
  const topics = [...new Set(names.map((levels) => levels.join('/')))].filter((name) => name !== '');
  const level = fc.constantFrom('', 'a', 'b', '$s', '+', '+');
  const filter = fc
    .tuple(fc.array(level, { maxLength: LEVELS_MAX - 1 }), fc.constantFrom('#', '+', 'a', '', '$s'))
    .map(([levels, last]) => [...levels, last].join('/'))
    .filter(isValidTopicFilter);

  it('exactly where it matches every topic that the other matches', () => {
    fc.assert(
      fc.property(filter, filter, (allowed, other) => {
        const isCovered = topics.every((topic) => !matches(other, topic) || matches(allowed, topic));
        expect(covers(allowed, other), `${allowed} covers ${other}`).toBe(isCovered);
      }),
      { numRuns: 2_000 },
    );
  });
});
