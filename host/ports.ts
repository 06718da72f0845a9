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

/** What happens on a session with a broker, told to its owner. `now` is the moment of the happening. */
export interface UpstreamEvents {
  /** CONNACK with success. */
  connected(sessionPresent: boolean, now: Millis): void;
  /**
   * A message for the owner. For QoS 1 and 2 the broker keeps it until `acknowledge` is called, which the owner does
   * once the device has it and not before; a session closed in between gets the message again. For QoS 0
   * `acknowledge` does nothing.
   */
  message(message: Message, acknowledge: (now: Millis) => void, now: Millis): void;
  /** The session's connection is over, by a refusal, by the broker or by loss of the network. Never after `close` or `abort`. */
  closed(reason: string, now: Millis): void;
}

/** One client's session with a broker, over whatever lies between. */
export interface UpstreamSession {
  /** `done(true)` once the broker has taken responsibility (at once for QoS 0); `done(false)` when it never will. */
  publish(message: Message, now: Millis, done: (accepted: boolean, now: Millis) => void): void;
  /** `done(granted)` with the QoS that the broker granted, or `undefined` where it refused. */
  subscribe(filter: string, qos: Qos, now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void;
  unsubscribe(filter: string, now: Millis, done: (now: Millis) => void): void;
  /** Says DISCONNECT: the will is forgotten. */
  close(now: Millis): void;
  /** Drops the connection without a word: the broker publishes the will. */
  abort(now: Millis): void;
}

/** A broker as the gateway sees it: the in-process one, or any other behind an MQTT client. */
export interface Upstream {
  /** May call `events` before it returns. */
  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession;
}
