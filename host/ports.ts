// The interfaces between the cores and the world, and between one core and another. A core never reads a clock, never
// draws from the system's randomness and never opens a socket: everything below is handed to it.

/** A moment in milliseconds on a monotonic clock that starts anywhere. An integer; never wraps on the host. */
export type Millis = number;

/** Where a datagram came from or goes to. Opaque to cores; equal strings mean the same peer. */
export type Address = string;

/** Integer randomness. Adapters give one seeded from the system; the simulator one seeded from the scenario. */
export interface Random {
  /** The next 32 bits, 0 to 2^32 - 1. */
  nextU32(): number;
}

/** What a core has to say to its operator. `event` is a stable kebab-case word, `fields` are its particulars. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** The datagram side of the gateway: a radio, or a UDP socket. Never blocks, may lose what it is given. */
export interface DatagramLink {
  send(to: Address, datagram: Uint8Array): void;
  /** To everyone in reach (ADVERTISE, GWINFO). */
  broadcast(datagram: Uint8Array): void;
}

export type Qos = 0 | 1 | 2;

/** An application message as MQTT knows it. */
export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
}

/** How a session with a broker is opened. */
export interface UpstreamOptions {
  readonly clientId: string;
  readonly clean: boolean;
  readonly will?: Message;
}

/**
 * A packet identifier of MQTT, 1 to 65,535; 0 at QoS 0. Identifiers pass through the port in both directions, because the
 * handshakes of QoS 1 and 2 run between the two ends: the state of one is the broker's and the client's, so that
 * whatever lies between may be lost and replaced in the middle of it.
 */
export type PacketId = number;

/** What happens on a session with a broker, told to its owner. `now` is the moment of the happening. */
export interface UpstreamEvents {
  /** CONNACK with success. */
  connected(sessionPresent: boolean, now: Millis): void;
  /**
   * PUBLISH from the broker, which keeps a message of QoS 1 and 2 until `acknowledge`. `dup`: the broker had sent it before,
   * on this session or on an earlier one of the same client.
   */
  message(message: Message, id: PacketId, dup: boolean, now: Millis): void;
  /** PUBREL: the broker has heard the acknowledgement of this QoS 2 message. Answered with `complete`. */
  released(id: PacketId, now: Millis): void;
  /** The session's connection is over, by a refusal, by the broker or by loss of the network. Never after `close` or `abort`. */
  closed(reason: string, now: Millis): void;
}

/** `refused`: the broker said no for good. `lost`: the session was over before the broker said anything. */
export type PublishOutcome = 'taken' | 'refused' | 'lost';

/** One client's session with a broker, over whatever lies between. */
export interface UpstreamSession {
  /**
   * `done` once the broker has taken responsibility: at once for QoS 0, with PUBACK for QoS 1, with PUBREC for QoS 2. `id` is 0
   * at QoS 0 and otherwise the owner's choice, in use by no other PUBLISH of his that has not been answered. `dup`: the
   * owner's client had sent it before, perhaps on another session.
   */
  publish(
    message: Message,
    id: PacketId,
    dup: boolean,
    now: Millis,
    done: (outcome: PublishOutcome, now: Millis) => void,
  ): void;
  /** PUBREL; `done` with PUBCOMP, which also answers an identifier that the broker does not know. Not called after a loss. */
  release(id: PacketId, now: Millis, done: (now: Millis) => void): void;
  /** The client has the message: PUBACK for QoS 1, PUBREC for QoS 2. Ignored where nothing is owed, or the session is over. */
  acknowledge(id: PacketId, now: Millis): void;
  /** PUBCOMP, after `released`. */
  complete(id: PacketId, now: Millis): void;
  /** `done(granted)` with the QoS that the broker granted, or `undefined` where it refused. Not called after a loss. */
  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void;
  /** `done` when the broker has answered. Not called after a loss. */
  unsubscribe(filter: string, now: Millis, done: (now: Millis) => void): void;
  /** Says DISCONNECT: the will is forgotten. */
  close(now: Millis): void;
  /** Drops the connection without a word: the broker publishes the will. */
  abort(now: Millis): void;
}

/** A broker as the gateway sees it: the in-process one, or any other behind an MQTT client. */
export interface Upstream {
  /** The highest QoS that the broker can do, as far as is known by now. */
  readonly qosMax: Qos;
  /** May call `events` before it returns. */
  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession;
}

/**
 * Records that outlive the process, by key. What `put` and `delete` did is safe from the end of the process, though not of the
 * machine, once they return.
 */
export interface Store {
  /** Everything there is, in any order. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]>;
  put(key: string, value: Uint8Array): void;
  /** Does nothing where there is no such record. */
  delete(key: string): void;
}

/** A store whose writes take effect together: all of a transaction is there after a crash, or nothing of it. */
export interface Journal {
  /** What the transactions before have left, in any order. Read once, before the first `put`. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]>;
  /** Part of the transaction that the next `commit` ends. The bytes are the journal's from here on. */
  put(key: string, value: Uint8Array): void;
  /** As `put`. Does nothing where there is no such record. */
  delete(key: string): void;
  /**
   * Ends the transaction. `done` is called, always after this call has returned and in the order of the calls, when it is
   * durable. Several may become so together. A journal that fails says so elsewhere and never calls `done` again.
   */
  commit(done: (now: Millis) => void): void;
}
