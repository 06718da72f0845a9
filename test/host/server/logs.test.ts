import { describe, expect, it } from 'vitest';
import type { Log } from '../../../host/ports.js';
import { auditLog, limitedLog, lineLog, WARNINGS_PER_SECOND_MAX } from '../../../host/server/logs.js';

type Line = [level: string, event: string, fields?: unknown];

function recorded(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  return { lines, log: (...line) => void lines.push(line) };
}

describe('a log by lines', () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const said = (): string[] => lines.splice(0);

  it('leaves out what is less than its level', () => {
    const log = lineLog({ level: 'warn', write });
    log('debug', 'a');
    log('info', 'b');
    log('warn', 'c');
    log('error', 'd');
    expect(said().map((line) => line.split(' ').slice(1, 3).join(' '))).toEqual(['warn c', 'error d']);
  });

  it('is text for people, or one object a line', () => {
    lineLog({ level: 'debug', write })('info', 'seen', { clientId: 'a\nb' });
    expect(said()[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z info seen \{"clientId":"a\\nb"\}\n$/);
    lineLog({ format: 'json', level: 'debug', write })('info', 'seen', { clientId: 'a\nb', level: 5 });
    const [line] = said();
    expect(line).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(line!)).toEqual({ time: expect.any(String), level: 'info', event: 'seen', clientId: 'a\nb' });
  });
});

describe('an audit', () => {
  it('makes a warning of each refusal, but for one that the authenticator has told already', () => {
    for (const isToldByIdentity of [false, true]) {
      const { log, lines } = recorded();
      const audit = auditLog(log, isToldByIdentity);
      audit('info', 'connection-refused', { reasonCode: 135 });
      audit('info', 'connection-refused', { why: 'client-certificate' });
      audit('info', 'connection-slow', {});
      audit('warn', 'publish-denied', {});
      expect(lines.map(([level]) => level)).toEqual([isToldByIdentity ? 'info' : 'warn', 'warn', 'info', 'warn']);
    }
  });
});

describe('a flood of warnings', () => {
  it('is cut at so many a second of each event, and its size is told', () => {
    const { log, lines } = recorded();
    let now = 5_000;
    const limited = limitedLog(log, () => now);
    for (let i = 0; i < WARNINGS_PER_SECOND_MAX + 7; i++) limited('warn', 'publish-denied', { i });
    limited('warn', 'subscribe-denied');
    expect(lines.filter(([, event]) => event === 'publish-denied')).toHaveLength(WARNINGS_PER_SECOND_MAX);
    expect(lines.at(-1)![1]).toBe('subscribe-denied');
    now = 6_000;
    limited('warn', 'publish-denied', {});
    expect(lines.slice(-2).map(([, event, fields]) => [event, fields])).toEqual([
      ['log-suppressed', { of: 'publish-denied', count: 7 }],
      ['publish-denied', {}],
    ]);
    now = 7_000;
    limited('warn', 'publish-denied', {});
    expect(lines.filter(([, event]) => event === 'log-suppressed')).toHaveLength(1);
  });

  it('is nothing that errors and what is only asked for are subject to', () => {
    const { log, lines } = recorded();
    const limited = limitedLog(log, () => 0);
    for (let i = 0; i < 100; i++) limited('debug', 'connection-open');
    for (let i = 0; i < 100; i++) limited('error', 'listener-error');
    expect(lines).toHaveLength(200);
  });
});
