// Predefined topics: ids that client and gateway know beforehand (6.7).
import type { PredefinedConfig } from './config.js';

/** The table that is everybody's. */
const EVERYBODY = '*';

interface Table {
  readonly names: ReadonlyMap<number, string>;
  readonly ids: ReadonlyMap<string, number>;
}

export class PredefinedTopics {
  private readonly tables = new Map<string, Table>();

  constructor(config: PredefinedConfig) {
    for (const [clientId, topics] of Object.entries(config)) {
      const names = new Map(Object.entries(topics).map(([id, name]) => [Number(id), name]));
      // Of two ids for one name the lower one is used towards the client.
      const ids = new Map([...names].sort(([a], [b]) => b - a).map(([id, name]) => [name, id]));
      this.tables.set(clientId, { names, ids });
    }
  }

  /** The name behind an id; `clientId` is undefined for a sender without a session (6.8). */
  nameOf(clientId: string | undefined, id: number): string | undefined {
    return this.own(clientId)?.names.get(id) ?? this.tables.get(EVERYBODY)?.names.get(id);
  }

  /** The id that means `name` to this client. */
  idOf(clientId: string, name: string): number | undefined {
    const own = this.own(clientId);
    const ownId = own?.ids.get(name);
    if (ownId !== undefined) return ownId;
    const id = this.tables.get(EVERYBODY)?.ids.get(name);
    // The client's own table may give that id to another name.
    return id !== undefined && own?.names.has(id) ? undefined : id;
  }

  private own(clientId: string | undefined): Table | undefined {
    return clientId === undefined || clientId === EVERYBODY ? undefined : this.tables.get(clientId);
  }
}
