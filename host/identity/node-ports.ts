// The ports of authenticators in a process of Node: its files and its clock.
import { readFileSync, statSync } from 'node:fs';
import type { Millis } from '../ports.js';
import type { IdentityPorts } from './ports.js';

/** `clock`: the broker's. Hooks and the auditor are the caller's to add. */
export function nodeIdentityPorts(clock: () => Millis): IdentityPorts {
  return {
    readFile: (path) => readFileSync(path),
    fileVersion: (path) => {
      const { mtimeNs, size, ino } = statSync(path, { bigint: true });
      return `${mtimeNs}/${size}/${ino}`;
    },
    epochMs: Date.now,
    clock,
  };
}
