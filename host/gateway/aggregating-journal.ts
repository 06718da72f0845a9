// What an aggregating upstream writes down, so that its promises outlive the process: a record a fact, JSON under keys of
// its own in a store that it may share.
//
// Only what exactly-once, persistent sessions and wills need. Messages are not written: the broker has them until they are
// acknowledged and repeats them. So QoS 1 to a client costs no write; a restart may bring a copy, which QoS 1 allows.
import type { Message, PacketId, Qos, Store } from '../ports.js';

const ROOT = 'aggregating';

/** By kind: what the last parts of the key are, and what the record says. */
interface Records {
  /** No key: whose session with the broker the other records speak of. */
  session: { readonly clientId: string };
  /** Client id. */
  client: { readonly subscriptions: readonly (readonly [filter: string, asked: Qos, granted: Qos])[] };
  /** Identifier of the shared session: a QoS 2 message from the broker that PUBREL has not ended. */
  delivery: { readonly digest: number };
  /** Identifier of the client, client id. `id` 0: no longer tied to a message of the broker. */
  out: { readonly id: PacketId; readonly qos: Qos; readonly released: boolean };
  /**
   * Identifier of the shared session: a QoS 2 PUBLISH, or a will, that the broker is not done with. `message` absent, or `had` of
   * the same `id` there: the broker has it, and is owed PUBREL. `client` absent: nobody waits.
   */
  in: { readonly client?: readonly [clientId: string, id: PacketId]; readonly message?: StoredMessage };
  /** Identifier of the client, client id: a QoS 2 PUBLISH that the broker has and the client has not ended with PUBREL. */
  had: { readonly id: PacketId; readonly digest: number };
  /** Client id: the will of a client that is connected. */
  will: StoredMessage;
}

export interface StoredMessage {
  readonly topic: string;
  readonly payload: readonly number[];
  readonly qos: Qos;
  readonly retain: boolean;
}

export type Kind = keyof Records;

export interface Entry<K extends Kind> {
  /** What stands behind the kind in the key. */
  readonly key: string;
  readonly value: Records[K];
}

export const storedMessage = (message: Message): StoredMessage => ({ ...message, payload: [...message.payload] });
export const restoredMessage = (stored: StoredMessage): Message => ({
  ...stored,
  payload: Uint8Array.from(stored.payload),
});

/** The key of an `out` or `had` record, and back. A client id may have slashes, an identifier has none. */
export const clientKey = (id: PacketId, clientId: string): string => `${id}/${clientId}`;
export function parseClientKey(key: string): [id: PacketId, clientId: string] {
  const slash = key.indexOf('/');
  return [Number(key.slice(0, slash)), key.slice(slash + 1)];
}

export class Journal {
  /** Without a store nothing is kept. */
  constructor(private readonly store: Store | undefined) {}

  put<K extends Kind>(kind: K, key: string | number, value: Records[K]): void {
    this.store?.put(`${ROOT}/${kind}/${key}`, new TextEncoder().encode(JSON.stringify(value)));
  }

  delete(kind: Kind, key: string | number): void {
    this.store?.delete(`${ROOT}/${kind}/${key}`);
  }

  /** Everything there is, by kind. Records of others are passed over. */
  read(): { readonly [K in Kind]: readonly Entry<K>[] } {
    const found: { [K in Kind]: Entry<K>[] } = {
      session: [],
      client: [],
      delivery: [],
      out: [],
      in: [],
      had: [],
      will: [],
    };
    for (const [path, bytes] of this.store?.entries() ?? []) {
      const [root, kind, ...rest] = path.split('/');
      if (root !== ROOT || kind === undefined || !Object.hasOwn(found, kind)) continue;
      const value = JSON.parse(new TextDecoder().decode(bytes));
      (found[kind as Kind] as Entry<Kind>[]).push({ key: rest.join('/'), value });
    }
    return found;
  }
}
