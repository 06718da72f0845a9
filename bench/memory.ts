// Octets that a client costs while it is connected, and while it sleeps with a message waiting for it.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Held, Part, State } from './memory-process.js';

const CLIENTS = 10_000;
const CLIENTS_QUICK = 1_000;
const PARTS: readonly Part[] = ['gateway', 'gateway and broker'];
const STATES: readonly State[] = ['connected', 'asleep'];

/** One line of the result. */
export interface MemoryRow {
  readonly part: Part;
  readonly state: State;
  readonly clients: number;
  /** V8's heap and what hangs outside of it, after the garbage was collected. */
  readonly bytesPerClient: number;
}

/** Each figure is taken in a process of its own. */
export function measureMemory(isQuick: boolean): MemoryRow[] {
  const clients = isQuick ? CLIENTS_QUICK : CLIENTS;
  return PARTS.flatMap((part) =>
    STATES.map((state) => {
      const { heapBytes, externalBytes } = holdClients(part, state, clients);
      return { part, state, clients, bytesPerClient: Math.round((heapBytes + externalBytes) / clients) };
    }),
  );
}

function holdClients(part: Part, state: State, clients: number): Held {
  const file = fileURLToPath(new URL('./memory-process.js', import.meta.url));
  const answer = execFileSync(process.execPath, ['--expose-gc', file, part, state, String(clients)], {
    encoding: 'utf8',
  });
  return JSON.parse(answer) as Held;
}
