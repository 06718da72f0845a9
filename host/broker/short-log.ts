// What is told of names that clients choose, which may be 64 KiB long: as much as tells them apart.
import type { Log } from '../ports.js';

const TOLD_CHARS_MAX = 256;

const isLong = (value: unknown): value is string => typeof value === 'string' && value.length > TOLD_CHARS_MAX;

/** A log whose texts are cut. */
export function shortLog(log: Log): Log {
  return (level, event, fields) => {
    if (fields === undefined || !Object.values(fields).some(isLong)) {
      log(level, event, fields);
      return;
    }
    const short = Object.entries(fields).map(([name, value]) => {
      return [name, isLong(value) ? `${value.slice(0, TOLD_CHARS_MAX)}…` : value];
    });
    log(level, event, Object.fromEntries(short));
  };
}
