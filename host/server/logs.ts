// What the broker has to say, on its way to an operator: what an auditor wants to know is a warning, and a flood of the same is
// told by its number.
import type { Log, Millis } from '../ports.js';

/** From the most to the least talkative. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = 'text' | 'json';

/** Warnings of one event a second; those above are counted. */
export const WARNINGS_PER_SECOND_MAX = 10;
const MS_PER_SECOND = 1_000;

export interface LineLogOptions {
  /** What is less is not told. Default: `warn`. */
  readonly level?: LogLevel;
  /** `text`: the time, the level, the event and its particulars as JSON. `json`: all of it as one object a line. Default: `text`. */
  readonly format?: LogFormat;
  /** Takes a line with its end. Default: stderr. */
  readonly write?: (line: string) => void;
}

/** A log for people, or for what reads lines of JSON. */
export function lineLog(options: LineLogOptions = {}): Log {
  const { level: least = 'warn', format = 'text', write = (line) => process.stderr.write(line) } = options;
  const from = LOG_LEVELS.indexOf(least);
  return (level, event, fields = {}) => {
    if (LOG_LEVELS.indexOf(level) < from) return;
    const time = new Date().toISOString();
    const told = { time, level, event };
    if (format === 'json') write(`${JSON.stringify({ ...told, ...fields, ...told })}\n`);
    else write(`${time} ${level} ${event} ${JSON.stringify(fields)}\n`);
  };
}

/** Refusals are warnings. `isToldByIdentity`: those of authenticators come with their reason, and the broker's own word adds nothing. */
export function auditLog(log: Log, isToldByIdentity: boolean): Log {
  return (level, event, fields) => {
    const isOfAuthenticator = isToldByIdentity && fields?.reasonCode !== undefined;
    const isAudit = event === 'connection-refused' && !isOfAuthenticator;
    log(isAudit && level === 'info' ? 'warn' : level, event, fields);
  };
}

/** At most WARNINGS_PER_SECOND_MAX warnings of an event a second. How many more there were is said with the next one. */
export function limitedLog(log: Log, clock: () => Millis): Log {
  const told = new Map<string, { second: number; count: number }>();
  return (level, event, fields) => {
    if (level !== 'warn') {
      log(level, event, fields);
      return;
    }
    const second = Math.floor(clock() / MS_PER_SECOND);
    const last = told.get(event);
    if (last?.second === second) {
      last.count++;
      if (last.count > WARNINGS_PER_SECOND_MAX) return;
    } else {
      const suppressed = (last?.count ?? 0) - WARNINGS_PER_SECOND_MAX;
      if (suppressed > 0) log('warn', 'log-suppressed', { of: event, count: suppressed });
      told.set(event, { second, count: 1 });
    }
    log(level, event, fields);
  };
}
